/*-------------------------------------------------------------------------
 *
 * claims_rename.c
 *	  What RENAME and ALTER INDEX have to do with deferred steps.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "claims.h"
#include "lib/stringinfo.h"
#include "plan/advice.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* ALTER INDEX of one that is queued */
void
claims_meet_alter_index(ZdmConflict *conflict, const AlterTableStmt *stmt)
{
	const char *nspname = claims_index_schema(conflict, stmt->relation);
	const ZdmPending *pending;
	StringInfoData buf;
	bool		is_made;
	ZdmPart    *part;
	ListCell   *lc;

	if (nspname == NULL)
		return;
	pending = claims_on_relation(conflict, nspname, stmt->relation->relname, &is_made);
	initStringInfo(&buf);
	foreach(lc, stmt->cmds)
	{
		const AlterTableCmd *cmd = lfirst(lc);

		if (cmd->subtype != AT_SetRelOptions && cmd->subtype != AT_ResetRelOptions &&
			cmd->subtype != AT_SetStatistics)
			claims_report(pending, psprintf("index \"%s\" is not there yet",
											stmt->relation->relname));
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "",
						 zdm_sql_action(&conflict->ddl, lfirst(lc)));
	}
	claims_check_owner(pending);
	part = claims_line_up(conflict, pending, pending->phase,
						  psprintf("ALTER INDEX %s %s",
								   quote_qualified_identifier(nspname, stmt->relation->relname),
								   buf.data));
	claims_claim(part, "change", "relation", nspname, InvalidOid, stmt->relation->relname);
	conflict->left = "";
}

/* The new name of a relation */
static void
meet_new_name(ZdmConflict *conflict, Oid relid, const char *newname)
{
	(void) claims_check_new_relation(conflict, get_namespace_name(get_rel_namespace(relid)),
									 newname, false);
}

static void
rename_column(ZdmConflict *conflict, Oid relid, const RenameStmt *stmt)
{
	const ZdmPending *pending;
	bool		is_made;

	claims_meet_attached(conflict, relid, NULL);
	claims_meet_columns(conflict, relid, list_make1(makeString(stmt->subname)),
						"column \"%s\" does not exist");
	pending = claims_step_on_column(conflict, relid, stmt->subname);
	if (pending != NULL)
		claims_report(pending, psprintf("column \"%s\" of relation \"%s\" has queued work",
										stmt->subname, get_rel_name(relid)));
	pending = claims_on_part(conflict, "column", relid, stmt->newname, &is_made);
	if (pending != NULL && !is_made)
		claims_report(pending, psprintf("the name \"%s\" is not free before the old column is dropped",
										stmt->newname));
}

/* A constraint that is queued, or that a step refers to by its name */
static void
rename_constraint(ZdmConflict *conflict, Oid relid, const RenameStmt *stmt)
{
	const char *table = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
												   get_rel_name(relid));
	const ZdmPending *pending;
	bool		is_made;
	ZdmPart    *part;
	ListCell   *lc;
	ListCell   *lc2;

	claims_meet_attached(conflict, relid, NULL);
	pending = claims_on_part(conflict, "constraint", relid, stmt->subname, &is_made);
	if (pending != NULL && !is_made)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("constraint \"%s\" for table \"%s\" does not exist",
						stmt->subname, get_rel_name(relid)),
				 errdetail("It is due for removal. %s", claims_describe(pending))));
	foreach(lc, conflict->pending)
	{
		foreach(lc2, ((ZdmPending *) lfirst(lc))->claims)
		{
			const ZdmClaim *claim = lfirst(lc2);

			if (strcmp(claim->kind, "constraint") == 0 && claim->relid == relid &&
				strcmp(claim->name, stmt->subname) == 0)
				pending = lfirst(lc);
		}
	}
	if (pending == NULL)
		return;
	claims_check_owner(pending);
	part = claims_line_up(conflict, pending, pending->phase,
						  psprintf("ALTER TABLE %s RENAME CONSTRAINT %s TO %s", table,
								   quote_identifier(stmt->subname), quote_identifier(stmt->newname)));
	part->undo_sql = psprintf("ALTER TABLE %s RENAME CONSTRAINT %s TO %s", table,
							  quote_identifier(stmt->newname), quote_identifier(stmt->subname));
	claims_claim(part, "drop", "constraint", NULL, relid, stmt->subname);
	claims_claim(part, "make", "constraint", NULL, relid, stmt->newname);
	conflict->left = "";
}

static void
rename_index(ZdmConflict *conflict, const RenameStmt *stmt)
{
	const char *nspname = claims_index_schema(conflict, stmt->relation);
	const ZdmPending *pending;
	bool		is_made;
	ZdmPart    *part;

	if (nspname == NULL)
		return;
	(void) claims_check_new_relation(conflict, nspname, stmt->newname, false);
	pending = claims_on_relation(conflict, nspname, stmt->relation->relname, &is_made);
	claims_check_owner(pending);
	part = claims_line_up(conflict, pending, pending->phase,
						  psprintf("ALTER INDEX %s RENAME TO %s",
								   quote_qualified_identifier(nspname, stmt->relation->relname),
								   quote_identifier(stmt->newname)));
	part->undo_sql = psprintf("ALTER INDEX IF EXISTS %s RENAME TO %s",
							  quote_qualified_identifier(nspname, stmt->newname),
							  quote_identifier(stmt->relation->relname));
	claims_claim(part, "drop", "relation", nspname, InvalidOid, stmt->relation->relname);
	claims_claim(part, "make", "relation", nspname, InvalidOid, stmt->newname);
	conflict->left = "";
}

/* Does a statement of the step name that policy, trigger or rule of the relation? */
static bool
names_part(const ZdmPending *pending, ObjectType type, Oid relid, const char *name)
{
	ListCell   *lc;

	foreach(lc, pending->stmts)
	{
		const Node *stmt = lfirst_node(RawStmt, lc)->stmt;
		const RangeVar *rv = NULL;
		const char *named = NULL;

		if (type == OBJECT_POLICY && IsA(stmt, AlterPolicyStmt))
		{
			rv = ((const AlterPolicyStmt *) stmt)->table;
			named = ((const AlterPolicyStmt *) stmt)->policy_name;
		}
		else if (type == OBJECT_POLICY && IsA(stmt, CreatePolicyStmt))
		{
			rv = ((const CreatePolicyStmt *) stmt)->table;
			named = ((const CreatePolicyStmt *) stmt)->policy_name;
		}
		else if (type == OBJECT_TRIGGER && IsA(stmt, CreateTrigStmt))
		{
			rv = ((const CreateTrigStmt *) stmt)->relation;
			named = ((const CreateTrigStmt *) stmt)->trigname;
		}
		else if (IsA(stmt, AlterTableStmt) && list_length(((const AlterTableStmt *) stmt)->cmds) == 1)
		{
			const AlterTableCmd *cmd = linitial(((const AlterTableStmt *) stmt)->cmds);

			rv = ((const AlterTableStmt *) stmt)->relation;
			if (type == OBJECT_TRIGGER ? cmd->subtype == AT_EnableTrig ||
				cmd->subtype == AT_EnableAlwaysTrig || cmd->subtype == AT_EnableReplicaTrig ||
				cmd->subtype == AT_DisableTrig :
				type == OBJECT_RULE && (cmd->subtype == AT_EnableRule ||
										cmd->subtype == AT_EnableAlwaysRule ||
										cmd->subtype == AT_EnableReplicaRule ||
										cmd->subtype == AT_DisableRule))
				named = cmd->name;
		}
		if (named != NULL && strcmp(named, name) == 0 && claims_target_relid(pending, rv) == relid)
			return true;
	}
	return false;
}

/* A policy, trigger or rule is known to a step by its name alone. */
static void
rename_part(const ZdmConflict *conflict, Oid relid, const RenameStmt *stmt)
{
	const char *kind = stmt->renameType == OBJECT_POLICY ? "policy" :
		stmt->renameType == OBJECT_TRIGGER ? "trigger" : "rule";
	const ZdmPending *pending = claims_on_object(conflict, kind,
												 claims_part_identity(relid, stmt->subname));
	ListCell   *lc;

	if (pending != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 stmt->renameType == OBJECT_RULE ?
				 errmsg("%s \"%s\" for relation \"%s\" does not exist", kind, stmt->subname,
						get_rel_name(relid)) :
				 errmsg("%s \"%s\" for table \"%s\" does not exist", kind, stmt->subname,
						get_rel_name(relid)),
				 errdetail("It is due for removal. %s", claims_describe(pending))));
	foreach(lc, conflict->pending)
	{
		if (names_part(lfirst(lc), stmt->renameType, relid, stmt->subname))
			claims_report(lfirst(lc), psprintf("%s \"%s\" of relation \"%s\" has queued work",
											   kind, stmt->subname, get_rel_name(relid)));
	}
	pending = claims_on_object(conflict, kind, claims_part_identity(relid, stmt->newname));
	if (pending != NULL)
		claims_report(pending, psprintf("the name \"%s\" is not free before the old %s is dropped",
										stmt->newname, kind));
}

/* Does the step make a constraint of the index? */
static bool
uses_index(const ZdmPending *pending, Oid nspoid, const char *name)
{
	const AlterTableStmt *stmt = (const AlterTableStmt *) linitial_node(RawStmt, pending->stmts)->stmt;
	ListCell   *lc;

	foreach(lc, IsA(stmt, AlterTableStmt) ? stmt->cmds : NIL)
	{
		const AlterTableCmd *cmd = lfirst(lc);
		const Constraint *con = cmd->subtype == AT_AddConstraint ? castNode(Constraint, cmd->def) : NULL;

		if (con != NULL && con->indexname != NULL && strcmp(con->indexname, name) == 0 &&
			get_rel_namespace(claims_target_relid(pending, stmt->relation)) == nspoid)
			return true;
	}
	return false;
}

/* The step that is to make it a constraint's, and knows it by its name */
const ZdmPending *
claims_use_of_index(const ZdmConflict *conflict, Oid relid)
{
	ListCell   *lc;

	foreach(lc, get_rel_relkind(relid) == RELKIND_INDEX ? conflict->pending : NIL)
	{
		if (!list_member_ptr(conflict->cancels, lfirst(lc)) &&
			uses_index(lfirst(lc), get_rel_namespace(relid), get_rel_name(relid)))
			return lfirst(lc);
	}
	return NULL;
}

void
claims_meet_rename(ZdmConflict *conflict, const RenameStmt *stmt)
{
	const ZdmPending *pending;
	Oid			relid;

	if (stmt->relation == NULL)
		return;
	relid = RangeVarGetRelid(stmt->relation, NoLock, true);
	if (!OidIsValid(relid))
	{
		rename_index(conflict, stmt);
		return;
	}
	claims_check_relation(conflict, relid, stmt->relation->relname);
	switch (stmt->renameType)
	{
		case OBJECT_COLUMN:
			rename_column(conflict, relid, stmt);
			break;
		case OBJECT_TABCONSTRAINT:
			rename_constraint(conflict, relid, stmt);
			break;
		case OBJECT_POLICY:
		case OBJECT_TRIGGER:
		case OBJECT_RULE:
			rename_part(conflict, relid, stmt);
			break;
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_SEQUENCE:
		case OBJECT_FOREIGN_TABLE:
		case OBJECT_INDEX:
			pending = claims_use_of_index(conflict, relid);
			if (pending != NULL)
				claims_report(pending, psprintf("index \"%s\" has queued work", get_rel_name(relid)));
			meet_new_name(conflict, relid, stmt->newname);
			break;
		default:
			break;
	}
}
