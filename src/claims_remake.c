/*-------------------------------------------------------------------------
 *
 * claims_remake.c
 *	  What a view or function has from before that the migration has dropped
 *	  and made anew.
 *
 * CREATE OR REPLACE does both at once, so that the old version is never
 * without it.  It leaves what a new object has not: rights, owner, comments,
 * and of a view the defaults, triggers and rules.  The old version may need
 * these; they are taken away when the window ends, unless the migration gives
 * them anew.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "claims.h"
#include "commands/comment.h"
#include "commands/trigger.h"
#include "ddl/catalog_scan.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "plan/advice.h"
#include "plan/drop_defer.h"
#include "plan/undo.h"
#include "rewrite/rewriteDefine.h"
#include "rewrite/rewriteSupport.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* An object that is made anew in its place */
typedef struct Remade
{
	ZdmConflict *conflict;
	const ZdmPending *pending;	/* was to drop it */
	ObjectAddress address;
	const char *kind;			/* as in ALTER and COMMENT */
	const char *name;			/* for SQL */
	ObjectType	acl_type;
	Oid			owner;
	Oid			new_owner;
	const Acl  *acl;
} Remade;

/* Does a step do just that already? */
static bool
is_queued(const ZdmConflict *conflict, const char *sql)
{
	ListCell   *lc;

	foreach(lc, conflict->pending)
	{
		if (strcmp(((ZdmPending *) lfirst(lc))->sql, sql) == 0 &&
			!list_member_ptr(conflict->cancels, lfirst(lc)))
			return true;
	}
	return false;
}

/* One command for the end of the window; NULL if it is queued already */
static ZdmPart *
leave(ZdmConflict *conflict, const ZdmPending *pending, char *sql)
{
	ZdmPart    *part;

	if (is_queued(conflict, sql))
		return NULL;
	part = claims_line_up(conflict, pending, ZDM_PHASE_CONTRACT, sql);
	conflict->leftovers = lappend(conflict->leftovers, part);
	return part;
}

/* SELECT, INSERT; or of a column SELECT (a), INSERT (a) */
static char *
rights_text(AclMode rights, const char *column)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < N_ACL_RIGHTS; i++)
	{
		AclMode		right = ((AclMode) 1) << i;

		if ((rights & right) == ACL_NO_RIGHTS)
			continue;
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", zdm_right_name(right));
		if (column != NULL)
			appendStringInfo(&buf, " (%s)", quote_identifier(column));
	}
	return buf.data;
}

static const char *
role_text(Oid role)
{
	return role == ACL_ID_PUBLIC ? "PUBLIC" : quote_identifier(GetUserNameFromId(role, false));
}

/* All that the role has been given, by whomever; of one owner if it is one */
static AclMode
rights_of(const Acl *acl, Oid role)
{
	AclMode		result = ACL_NO_RIGHTS;

	for (int i = 0; i < ACL_NUM(acl); i++)
	{
		if (ACL_DAT(acl)[i].ai_grantee == role)
			result |= ACLITEM_GET_PRIVS(ACL_DAT(acl)[i]);
	}
	return result;
}

/* Who is named in the list, each once */
static List *
roles_of(const Acl *acl)
{
	List	   *result = NIL;

	for (int i = 0; i < ACL_NUM(acl); i++)
		result = list_append_unique_oid(result, ACL_DAT(acl)[i].ai_grantee);
	return result;
}

/* The name by which GRANT knows the object */
static char *
granted_name(const Remade *remade)
{
	return psprintf("%s %s", remade->acl_type == OBJECT_TABLE ? "TABLE" : remade->kind,
					remade->name);
}

static void
leave_revoke(const Remade *remade, AclMode rights, const char *column, Oid role)
{
	if (rights != ACL_NO_RIGHTS)
		(void) leave(remade->conflict, remade->pending,
					 psprintf("REVOKE %s ON %s FROM %s CASCADE", rights_text(rights, column),
							  granted_name(remade), role_text(role)));
}

/* A new object has the rights of ALTER DEFAULT PRIVILEGES, or those built in. */
static void
leave_rights(const Remade *remade, Oid nspoid)
{
	const Acl  *future = get_user_default_acl(remade->acl_type, remade->new_owner, nspoid);
	const Acl  *acl = remade->acl ? remade->acl : acldefault(remade->acl_type, remade->owner);
	ListCell   *lc;

	if (future == NULL)
		future = acldefault(remade->acl_type, remade->new_owner);
	foreach(lc, roles_of(acl))
	{
		if (lfirst_oid(lc) != remade->owner && lfirst_oid(lc) != remade->new_owner)
			leave_revoke(remade, rights_of(acl, lfirst_oid(lc)) & ~rights_of(future, lfirst_oid(lc)),
						 NULL, lfirst_oid(lc));
	}
	foreach(lc, roles_of(future))
	{
		Oid			role = lfirst_oid(lc);
		AclMode		missing = rights_of(future, role) &
			~rights_of(acl, role == remade->new_owner ? remade->owner : role);

		if (missing != ACL_NO_RIGHTS)
			(void) leave(remade->conflict, remade->pending,
						 psprintf("GRANT %s ON %s TO %s", rights_text(missing, NULL),
								  granted_name(remade), role_text(role)));
	}
}

static void
leave_comment(ZdmConflict *conflict, const ZdmPending *pending, const ObjectAddress *address,
			  const char *object)
{
	if (GetComment(address->objectId, address->classId, address->objectSubId) != NULL)
		(void) leave(conflict, pending, psprintf("COMMENT ON %s IS NULL", object));
}

/* The column of a view: who may use it, what is said of it, and its default */
static void
leave_column(const Remade *remade, AttrNumber attnum)
{
	HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(remade->address.objectId),
										Int16GetDatum(attnum));
	Form_pg_attribute form = (Form_pg_attribute) GETSTRUCT(tuple);
	const char *column = pstrdup(NameStr(form->attname));
	bool		has_default = form->atthasdef;
	ObjectAddress address = remade->address;
	bool		isnull;
	Datum		datum = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attacl, &isnull);
	const Acl  *acl = isnull ? NULL : DatumGetAclPCopy(datum);
	ListCell   *lc;

	ReleaseSysCache(tuple);
	foreach(lc, acl != NULL ? roles_of(acl) : NIL)
		leave_revoke(remade, rights_of(acl, lfirst_oid(lc)), column, lfirst_oid(lc));
	address.objectSubId = attnum;
	leave_comment(remade->conflict, remade->pending, &address,
				  psprintf("COLUMN %s.%s", remade->name, quote_identifier(column)));
	if (has_default)
		(void) leave(remade->conflict, remade->pending,
					 psprintf("ALTER VIEW %s ALTER COLUMN %s DROP DEFAULT", remade->name,
							  quote_identifier(column)));
}

/* Triggers and rules; not the rule that is the view itself */
static void
leave_parts(const Remade *remade)
{
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	List	   *parts = NIL;
	ListCell   *lc;

	catalog_scan_depend(&scan, &remade->address, true);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		ObjectAddress *part = palloc(sizeof(ObjectAddress));

		ObjectAddressSet(*part, form->classid, form->objid);
		if (form->deptype == DEPENDENCY_AUTO && form->objsubid == 0 &&
			(form->classid == TriggerRelationId || form->classid == RewriteRelationId))
			parts = lappend(parts, part);
	}
	catalog_scan_end(&scan);
	foreach(lc, ddl_sort_objects(parts))
	{
		const ObjectAddress *address = lfirst(lc);
		ZdmPart    *part = leave(remade->conflict, remade->pending,
								 psprintf("DROP %s %s",
										  address->classId == TriggerRelationId ? "TRIGGER" : "RULE",
										  getObjectIdentity(address, false)));

		if (part != NULL)
			zdm_defer_claim_drop(part, address);
	}
}

static void
leave_owner(const Remade *remade)
{
	if (remade->owner != remade->new_owner)
		(void) leave(remade->conflict, remade->pending,
					 psprintf("ALTER %s %s OWNER TO %s", remade->kind, remade->name,
							  role_text(remade->new_owner)));
}

/* The step as one on that relation alone: others that it drops may go before. */
static const ZdmPending *
step_on(const ZdmPending *pending, Oid relid)
{
	ZdmPending *result = palloc(sizeof(ZdmPending));
	ListCell   *lc;

	*result = *pending;
	result->targets = NIL;
	foreach(lc, pending->targets)
	{
		if (((ZdmPlanTarget *) lfirst(lc))->relid == relid)
			result->targets = lappend(result->targets, lfirst(lc));
	}
	return result;
}

void
claims_remake_view(ZdmConflict *conflict, const ZdmPending *pending, Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);
	Oid			nspoid = form->relnamespace;
	int			natts = form->relnatts;
	bool		isnull;
	Datum		datum = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relacl, &isnull);
	Remade		remade = {conflict, step_on(pending, relid)};

	remade.kind = "VIEW";
	remade.acl_type = OBJECT_TABLE;
	remade.owner = form->relowner;
	remade.new_owner = GetUserId();
	if (!isnull)
		remade.acl = DatumGetAclPCopy(datum);
	ReleaseSysCache(tuple);
	ObjectAddressSet(remade.address, RelationRelationId, relid);
	remade.name = getObjectIdentity(&remade.address, false);
	leave_parts(&remade);
	for (AttrNumber attnum = 1; attnum <= natts; attnum++)
		leave_column(&remade, attnum);
	leave_rights(&remade, nspoid);
	leave_comment(conflict, remade.pending, &remade.address,
				  psprintf("VIEW %s", remade.name));
	leave_owner(&remade);
}

void
claims_remake_function(ZdmConflict *conflict, const ZdmPending *pending, Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);
	Oid			nspoid = form->pronamespace;
	bool		isnull;
	Datum		datum = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proacl, &isnull);
	Remade		remade = {conflict, pending};

	remade.acl_type = OBJECT_FUNCTION;
	remade.owner = form->proowner;
	remade.new_owner = GetUserId();
	if (!isnull)
		remade.acl = DatumGetAclPCopy(datum);
	remade.kind = form->prokind == PROKIND_PROCEDURE ? "PROCEDURE" : "FUNCTION";
	ReleaseSysCache(tuple);
	ObjectAddressSet(remade.address, ProcedureRelationId, function);
	remade.name = getObjectIdentity(&remade.address, false);
	leave_rights(&remade, nspoid);
	leave_comment(conflict, pending, &remade.address,
				  psprintf("%s %s", remade.kind, remade.name));
	leave_owner(&remade);
}

/* Replacing a rule does not switch it on. */
static void
leave_switched_off(ZdmConflict *conflict, const ZdmPending *pending, Oid relid, const char *rule)
{
	HeapTuple	tuple = SearchSysCache2(RULERELNAME, ObjectIdGetDatum(relid),
										CStringGetDatum(rule));
	bool		is_on = !HeapTupleIsValid(tuple) ||
		((Form_pg_rewrite) GETSTRUCT(tuple))->ev_enabled == RULE_FIRES_ON_ORIGIN;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	if (!is_on)
		(void) leave(conflict, pending,
					 psprintf("ALTER TABLE %s ENABLE RULE %s",
							  quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
														 get_rel_name(relid)),
							  quote_identifier(rule)));
}

/* A trigger or rule */
void
claims_remake_part(ZdmConflict *conflict, const ZdmPending *pending, ObjectType type, Oid relid,
				   const char *name)
{
	bool		is_rule = type == OBJECT_RULE;
	ObjectAddress address;

	ObjectAddressSet(address, is_rule ? RewriteRelationId : TriggerRelationId,
					 is_rule ? get_rewrite_oid(relid, name, false) :
					 get_trigger_oid(relid, name, false));
	leave_comment(conflict, pending, &address,
				  psprintf("%s %s", is_rule ? "RULE" : "TRIGGER",
						   getObjectIdentity(&address, false)));
	if (is_rule)
		leave_switched_off(conflict, pending, relid, name);
}

/* What the COMMENT is on, of what can be made anew; false if it is something else */
static bool
commented_object(const ZdmConflict *conflict, const CommentStmt *stmt, ObjectAddress *address)
{
	ZdmDdl		scratch = conflict->ddl;
	List	   *names;
	Oid			relid;

	switch (stmt->objtype)
	{
		case OBJECT_VIEW:
			relid = RangeVarGetRelid(makeRangeVarFromNameList(castNode(List, stmt->object)),
									 NoLock, true);
			ObjectAddressSet(*address, RelationRelationId, relid);
			return OidIsValid(relid);
		case OBJECT_COLUMN:
			names = list_copy(castNode(List, stmt->object));
			if (list_length(names) < 2)
				return false;
			relid = RangeVarGetRelid(makeRangeVarFromNameList(list_truncate(list_copy(names),
																			list_length(names) - 1)),
									 NoLock, true);
			ObjectAddressSubSet(*address, RelationRelationId, relid,
								OidIsValid(relid) ? get_attnum(relid, strVal(llast(names))) : 0);
			return address->objectSubId != InvalidAttrNumber;
		case OBJECT_FUNCTION:
		case OBJECT_PROCEDURE:
		case OBJECT_ROUTINE:
		case OBJECT_TRIGGER:
		case OBJECT_RULE:
			return ddl_object(&scratch, stmt->objtype, stmt->object, true, address);
		default:
			return false;
	}
}

void
claims_meet_left_comment(ZdmConflict *conflict, const CommentStmt *stmt)
{
	ObjectAddress address;
	ListCell   *lc;

	if (!commented_object(conflict, stmt, &address))
		return;
	foreach(lc, conflict->pending)
	{
		const ZdmPending *pending = lfirst(lc);
		const Node *other = list_length(pending->stmts) == 1 ?
			linitial_node(RawStmt, pending->stmts)->stmt : NULL;
		ObjectAddress object;

		if (other != NULL && IsA(other, CommentStmt) &&
			commented_object(conflict, (const CommentStmt *) other, &object) &&
			memcmp(&object, &address, sizeof(ObjectAddress)) == 0)
			claims_cancel_made(conflict, pending, DROP_RESTRICT);
	}
}
