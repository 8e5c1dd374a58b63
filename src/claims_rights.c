/*-------------------------------------------------------------------------
 *
 * claims_rights.c
 *	  Rights, policies, triggers and rules that a migration takes away and
 *	  gives anew.
 *
 * What it takes away waits until the window ends.  What it gives after that
 * must not be lost then, nor be missing for a moment: both become one step,
 * which is one transaction.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "claims.h"
#include "miscadmin.h"
#include "plan/advice.h"
#include "plan/qualify.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* The statement joins the step, at its end. */
static ZdmPart *
join_step(ZdmConflict *conflict, const ZdmPending *pending)
{
	ZdmPart    *part = claims_line_up(conflict, pending, ZDM_PHASE_CONTRACT,
									  psprintf("%s; %s", pending->sql,
											   zdm_sql_qualify(&conflict->ddl)));

	part->claims = list_copy(pending->claims);
	claims_cancel_made(conflict, pending, DROP_CASCADE);
	return part;
}

/* Is one of the roles in both lists?  CURRENT_USER and its like can be any. */
static bool
have_role_in_common(List *roles, List *others)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, roles)
	{
		const RoleSpec *role = lfirst_node(RoleSpec, lc);

		foreach(lc2, others)
		{
			const RoleSpec *other = lfirst_node(RoleSpec, lc2);

			if (role->roletype == ROLESPEC_CSTRING && other->roletype == ROLESPEC_CSTRING)
			{
				if (strcmp(role->rolename, other->rolename) == 0)
					return true;
			}
			else if (role->roletype == other->roletype ||
					 (role->roletype != ROLESPEC_PUBLIC && other->roletype != ROLESPEC_PUBLIC))
				return true;
		}
	}
	return false;
}

static bool
is_same_object(const Node *object, const Node *other)
{
	if (IsA(object, RangeVar) && IsA(other, RangeVar))
	{
		Oid			relid = RangeVarGetRelid((const RangeVar *) object, NoLock, true);

		return OidIsValid(relid) &&
			relid == RangeVarGetRelid((const RangeVar *) other, NoLock, true);
	}
	return equal(object, other);
}

/* Does the REVOKE take away what the GRANT could give? */
static bool
concerns(const GrantStmt *revoke, const GrantStmt *grant)
{
	ListCell   *lc;
	ListCell   *lc2;

	if (revoke->is_grant || revoke->objtype != grant->objtype ||
		!have_role_in_common(revoke->grantees, grant->grantees))
		return false;
	if (revoke->targtype != ACL_TARGET_OBJECT || grant->targtype != ACL_TARGET_OBJECT)
		return true;			/* all objects of a schema */
	foreach(lc, revoke->objects)
	{
		foreach(lc2, grant->objects)
		{
			if (is_same_object(lfirst(lc), lfirst(lc2)))
				return true;
		}
	}
	return false;
}

/* The same of roles */
static bool
concerns_role(const GrantRoleStmt *revoke, const GrantRoleStmt *grant)
{
	ListCell   *lc;
	ListCell   *lc2;

	if (revoke->is_grant || !have_role_in_common(revoke->grantee_roles, grant->grantee_roles))
		return false;
	foreach(lc, revoke->granted_roles)
	{
		foreach(lc2, grant->granted_roles)
		{
			if (strcmp(((AccessPriv *) lfirst(lc))->priv_name,
					   ((AccessPriv *) lfirst(lc2))->priv_name) == 0)
				return true;
		}
	}
	return false;
}

/* What is due for removal is gone to its author. */
static void
check_granted(const ZdmConflict *conflict, const GrantStmt *stmt)
{
	bool		on_schema = stmt->objtype == OBJECT_SCHEMA ||
		stmt->targtype == ACL_TARGET_ALL_IN_SCHEMA;
	ListCell   *lc;

	foreach(lc, stmt->targtype == ACL_TARGET_DEFAULTS ? NIL : stmt->objects)
	{
		const ZdmPending *pending;

		if (IsA(lfirst(lc), RangeVar))
			claims_check_relation(conflict, RangeVarGetRelid(lfirst(lc), NoLock, true),
								  ((RangeVar *) lfirst(lc))->relname);
		if (!on_schema)
			continue;
		pending = claims_on_object(conflict, "schema", quote_identifier(strVal(lfirst(lc))));
		if (pending != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_SCHEMA),
					 errmsg("schema \"%s\" does not exist", strVal(lfirst(lc))),
					 errdetail("It is due for removal. %s", claims_describe(pending))));
	}
}

/* GRANT runs at once, and once more after what waits to be revoked. */
void
claims_meet_grant(ZdmConflict *conflict, const Node *stmt)
{
	ListCell   *lc;
	ListCell   *lc2;

	if (IsA(stmt, GrantStmt))
		check_granted(conflict, (const GrantStmt *) stmt);
	foreach(lc, conflict->pending)
	{
		const ZdmPending *pending = lfirst(lc);
		bool		joins = false;

		foreach(lc2, pending->is_running ? NIL : pending->stmts)
		{
			const Node *other = lfirst_node(RawStmt, lc2)->stmt;

			if (IsA(stmt, GrantStmt) && IsA(other, GrantStmt))
				joins |= ((const GrantStmt *) stmt)->is_grant &&
					concerns((const GrantStmt *) other, (const GrantStmt *) stmt);
			else if (IsA(stmt, GrantRoleStmt) && IsA(other, GrantRoleStmt))
				joins |= ((const GrantRoleStmt *) stmt)->is_grant &&
					concerns_role((const GrantRoleStmt *) other, (const GrantRoleStmt *) stmt);
		}
		if (joins)
			(void) join_step(conflict, pending);
	}
}

/* Is it the DROP of nothing else, which can be given up? */
static bool
drops_only_that(const ZdmPending *pending, ObjectType type)
{
	const Node *stmt = linitial_node(RawStmt, pending->stmts)->stmt;

	return list_length(pending->stmts) == 1 && IsA(stmt, DropStmt) &&
		((const DropStmt *) stmt)->removeType == type;
}

/* As the server writes the identity of a policy, trigger or rule */
char *
claims_part_identity(Oid relid, const char *name)
{
	return psprintf("%s on %s", quote_identifier(name),
					quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
											   get_rel_name(relid)));
}

/* The step that drops a part of a relation which the statement makes anew */
static const ZdmPending *
drop_of_part(const ZdmConflict *conflict, const char *kind, const RangeVar *rv, const char *name)
{
	Oid			relid = RangeVarGetRelid(rv, NoLock, true);
	const ZdmPending *pending;
	char	   *identity;

	if (!OidIsValid(relid))
		return NULL;
	identity = claims_part_identity(relid, name);
	pending = claims_on_object(conflict, kind, identity);
	if (pending == NULL)
		return NULL;
	if (!object_ownercheck(RelationRelationId, relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)),
					   get_rel_name(relid));
	if (pending->is_running)
		claims_report(pending, psprintf("%s %s cannot be made anew before the old one is dropped",
										kind, identity));
	return pending;
}

/* Until both happen the old one is there. */
static void
join_drop(ZdmConflict *conflict, const ZdmPending *pending, const char *kind,
		  const RangeVar *rv, const char *name)
{
	ZdmPart    *part = join_step(conflict, pending);

	claims_claim(part, "make", kind, NULL, InvalidOid,
				 claims_part_identity(RangeVarGetRelid(rv, NoLock, false), name));
	conflict->left = "";
}

/*
 * What takes the place of another is there at once.  The step is given up if
 * it is the drop of that; else it takes along that no more.
 */
static void
replace_dropped(ZdmConflict *conflict, const ZdmPending *pending, ObjectType type,
				const char *kind, const RangeVar *rv, const char *name, bool is_replace)
{
	if (drops_only_that(pending, type))
		claims_cancel_made(conflict, pending, DROP_RESTRICT);
	else
		claims_keep(conflict, pending, kind,
					claims_part_identity(RangeVarGetRelid(rv, NoLock, false), name), NULL);
	claims_remake_part(conflict, pending, type, RangeVarGetRelid(rv, NoLock, false), name);
	if (!is_replace)
		conflict->left = zdm_sql_insert_after(conflict->ddl.sql, "create", "OR REPLACE");
}

void
claims_meet_policy(ZdmConflict *conflict, const CreatePolicyStmt *stmt)
{
	const ZdmPending *pending = drop_of_part(conflict, "policy", stmt->table, stmt->policy_name);

	if (pending != NULL)
		join_drop(conflict, pending, "policy", stmt->table, stmt->policy_name);
}

/* A trigger that takes the place of another fires at once, as any new one. */
void
claims_meet_trigger(ZdmConflict *conflict, const CreateTrigStmt *stmt)
{
	const ZdmPending *pending = drop_of_part(conflict, "trigger", stmt->relation, stmt->trigname);

	if (pending == NULL)
		return;
	if (stmt->isconstraint)
		join_drop(conflict, pending, "trigger", stmt->relation, stmt->trigname);
	else
		replace_dropped(conflict, pending, OBJECT_TRIGGER, "trigger", stmt->relation,
						stmt->trigname, stmt->replace);
}

void
claims_meet_rule(ZdmConflict *conflict, const RuleStmt *stmt)
{
	const ZdmPending *pending = drop_of_part(conflict, "rule", stmt->relation, stmt->rulename);

	if (pending != NULL)
		replace_dropped(conflict, pending, OBJECT_RULE, "rule", stmt->relation, stmt->rulename,
						stmt->replace);
}
