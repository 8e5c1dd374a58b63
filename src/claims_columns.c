/*-------------------------------------------------------------------------
 *
 * claims_columns.c
 *	  The columns and keys that deferred steps are about.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "claims.h"
#include "utils/lsyscache.h"

/* The OID of a relation that the SQL of a step names */
Oid
claims_target_relid(const ZdmPending *pending, const RangeVar *rv)
{
	ListCell   *lc;

	foreach(lc, pending->targets)
	{
		const ZdmPlanTarget *target = lfirst(lc);

		if (rv->schemaname != NULL && strcmp(target->nspname, rv->schemaname) == 0 &&
			strcmp(target->relname, rv->relname) == 0)
			return target->relid;
	}
	return RangeVarGetRelid(rv, NoLock, true);
}

static List *
constraint_columns(const ZdmPending *pending, const Constraint *con, bool is_own, Oid relid)
{
	List	   *result = NIL;

	if (is_own)
	{
		result = list_concat(list_copy(con->keys), con->including);
		result = list_concat(result, con->fk_attrs);
		if (con->raw_expr != NULL)
			result = list_concat(result, ddl_check_columns(con->raw_expr));
		if (con->where_clause != NULL)
			result = list_concat(result, ddl_check_columns(con->where_clause));
	}
	if (con->contype == CONSTR_FOREIGN && claims_target_relid(pending, con->pktable) == relid)
		result = list_concat(result, con->pk_attrs);
	return result;
}

/* Does the name of the command stand for a column? */
bool
claims_names_column(const AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_ColumnDefault:
		case AT_DropNotNull:
		case AT_SetNotNull:
		case COMPAT_AT_EXPRESSION:
		case AT_SetStatistics:
		case AT_SetOptions:
		case AT_ResetOptions:
		case AT_SetStorage:
		case AT_SetCompression:
		case AT_DropColumn:
		case AT_AlterColumnType:
		case AT_AlterColumnGenericOptions:
		case AT_AddIdentity:
		case AT_SetIdentity:
		case AT_DropIdentity:
			return cmd->name != NULL;
		default:
			return false;
	}
}

static List *
alter_columns(const ZdmPending *pending, const AlterTableStmt *stmt, Oid relid)
{
	bool		is_own = claims_target_relid(pending, stmt->relation) == relid;
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, stmt->cmds)
	{
		const AlterTableCmd *cmd = lfirst(lc);

		if (cmd->subtype == AT_AddConstraint)
			result = list_concat(result, constraint_columns(pending, castNode(Constraint, cmd->def),
															is_own, relid));
		else if (is_own && claims_names_column(cmd) &&
				 !(cmd->subtype == AT_DropColumn && cmd->missing_ok))
			result = lappend(result, makeString(cmd->name));
	}
	return result;
}

/* The columns (String) that an index names, its expressions included */
List *
claims_index_columns(const IndexStmt *stmt)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, list_concat_copy(stmt->indexParams, stmt->indexIncludingParams))
	{
		const IndexElem *elem = lfirst_node(IndexElem, lc);

		result = elem->name ? lappend(result, makeString(elem->name)) :
			list_concat(result, ddl_check_columns(elem->expr));
	}
	return stmt->whereClause ? list_concat(result, ddl_check_columns(stmt->whereClause)) : result;
}

/* The columns (String) of the relation that the step names */
List *
claims_columns_of(const ZdmPending *pending, Oid relid)
{
	List	   *result = NIL;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, pending->stmts)
	{
		Node	   *stmt = lfirst_node(RawStmt, lc)->stmt;

		if (IsA(stmt, AlterTableStmt))
			result = list_concat(result, alter_columns(pending, (AlterTableStmt *) stmt, relid));
		else if (IsA(stmt, IndexStmt) &&
				 claims_target_relid(pending, ((IndexStmt *) stmt)->relation) == relid)
			result = list_concat(result, claims_index_columns((IndexStmt *) stmt));
		else if (IsA(stmt, UpdateStmt) &&
				 claims_target_relid(pending, ((UpdateStmt *) stmt)->relation) == relid)
			foreach(lc2, ((UpdateStmt *) stmt)->targetList)
				result = lappend(result, makeString(lfirst_node(ResTarget, lc2)->name));
	}
	return result;
}

bool
claims_is_listed(List *names, const char *name)
{
	return list_member(names, makeString(unconstify(char *, name)));
}

/* A step that names the column, or NULL */
const ZdmPending *
claims_step_on_column(const ZdmConflict *conflict, Oid relid, const char *column)
{
	ListCell   *lc;

	foreach(lc, conflict->pending)
	{
		if (!list_member_ptr(conflict->cancels, lfirst(lc)) &&
			claims_is_listed(claims_columns_of(lfirst(lc), relid), column))
			return lfirst(lc);
	}
	return NULL;
}

/* The step that fills the column, or NULL */
const ZdmPending *
claims_backfill_of(const ZdmConflict *conflict, Oid relid, const char *column)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, conflict->pending)
	{
		const ZdmPending *pending = lfirst(lc);

		foreach(lc2, pending->stmts)
		{
			if (IsA(lfirst_node(RawStmt, lc2)->stmt, UpdateStmt) &&
				claims_is_listed(claims_columns_of(pending, relid), column))
				return pending;
		}
	}
	return NULL;
}

/* The step that is just that command of an ALTER TABLE on the column, or NULL */
const ZdmPending *
claims_step_of_command(const ZdmConflict *conflict, Oid relid, AlterTableType subtype,
					   const char *column)
{
	const ZdmPending *result = NULL;
	ListCell   *lc;

	foreach(lc, conflict->pending)
	{
		const ZdmPending *pending = lfirst(lc);
		const AlterTableStmt *stmt;
		const AlterTableCmd *cmd;

		if (list_length(pending->stmts) != 1 ||
			!IsA(linitial_node(RawStmt, pending->stmts)->stmt, AlterTableStmt) ||
			list_member_ptr(conflict->cancels, pending))
			continue;
		stmt = castNode(AlterTableStmt, linitial_node(RawStmt, pending->stmts)->stmt);
		cmd = linitial_node(AlterTableCmd, stmt->cmds);
		if (list_length(stmt->cmds) == 1 && cmd->subtype == subtype && cmd->name != NULL &&
			strcmp(cmd->name, column) == 0 && claims_target_relid(pending, stmt->relation) == relid)
			result = pending;
	}
	return result;
}

/*
 * Columns (String) that a step will drop: to the author of the statement they
 * are gone.  fmt is the server's message, for the column's name and then that
 * of the relation.
 */
void
claims_meet_columns(const ZdmConflict *conflict, Oid relid, List *columns, const char *fmt)
{
	ListCell   *lc;

	foreach(lc, OidIsValid(relid) ? columns : NIL)
	{
		bool		is_made;
		const ZdmPending *pending = claims_on_part(conflict, "column", relid,
												   strVal(lfirst(lc)), &is_made);

		if (pending != NULL && !is_made)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg(fmt, strVal(lfirst(lc)), get_rel_name(relid)),
					 errdetail("It is due for removal. %s", claims_describe(pending))));
	}
}

/* Are these the same columns, in whatever order? */
static bool
same_columns(List *a, List *b)
{
	return list_length(a) == list_length(b) && list_difference(a, b) == NIL;
}

/* Does a step drop the index, by itself or with its constraint? */
static bool
is_due(const ZdmConflict *conflict, Oid index)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, conflict->pending)
	{
		const ZdmPending *pending = lfirst(lc);

		foreach(lc2, list_member_ptr(conflict->cancels, pending) ? NIL : pending->claims)
		{
			const ZdmClaim *claim = lfirst(lc2);

			if (strcmp(claim->action, "drop") == 0 && strcmp(claim->kind, "relation") == 0 &&
				claim->relid == index)
				return true;
		}
	}
	return false;
}

/* One that stays */
static bool
has_key(const ZdmConflict *conflict, Oid relid, List *columns)
{
	ZdmDdl		scratch = conflict->ddl;
	ZdmRel	   *rel = ddl_rel_by_oid(&scratch, relid);
	ListCell   *lc;

	foreach(lc, rel ? ddl_rel_indexes(rel) : NIL)
	{
		const ZdmIndex *index = lfirst(lc);
		List	   *keys = NIL;

		if (!index->is_unique || index->has_predicate || index->has_exprs ||
			(columns == NIL && !index->is_primary) || is_due(conflict, index->indexoid))
			continue;
		for (int i = 0; i < index->nkeyatts; i++)
			keys = lappend(keys, makeString(get_attname(relid, index->attnums[i], false)));
		if (columns == NIL || same_columns(keys, columns))
			return true;
	}
	return false;
}

/* Does the step make a key of these columns, or a primary key if there are none? */
bool
claims_makes_key(const ZdmPending *pending, Oid relid, List *columns)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, pending->stmts)
	{
		Node	   *stmt = lfirst_node(RawStmt, lc)->stmt;

		if (IsA(stmt, IndexStmt) && ((IndexStmt *) stmt)->unique &&
			((IndexStmt *) stmt)->whereClause == NULL && columns != NIL &&
			claims_target_relid(pending, ((IndexStmt *) stmt)->relation) == relid)
		{
			IndexStmt  *index = copyObject((IndexStmt *) stmt);

			index->indexIncludingParams = NIL;
			if (same_columns(claims_index_columns(index), columns))
				return true;
		}
		if (!IsA(stmt, AlterTableStmt) ||
			claims_target_relid(pending, ((AlterTableStmt *) stmt)->relation) != relid)
			continue;
		foreach(lc2, ((AlterTableStmt *) stmt)->cmds)
		{
			const AlterTableCmd *cmd = lfirst(lc2);
			const Constraint *con = cmd->subtype == AT_AddConstraint ?
				castNode(Constraint, cmd->def) : NULL;

			if (con == NULL ||
				(con->contype != CONSTR_PRIMARY && con->contype != CONSTR_UNIQUE))
				continue;
			if (columns == NIL ? con->contype == CONSTR_PRIMARY : same_columns(con->keys, columns))
				return true;
		}
	}
	return false;
}

/*
 * The step that makes the key that a foreign key on the relation references,
 * or NULL if that is there, or if none does.
 */
const ZdmPending *
claims_missing_key(const ZdmConflict *conflict, Oid relid, const Constraint *con)
{
	ListCell   *lc;

	if (!OidIsValid(relid) || has_key(conflict, relid, con->pk_attrs))
		return NULL;
	foreach(lc, conflict->pending)
	{
		if (claims_makes_key(lfirst(lc), relid, con->pk_attrs))
			return lfirst(lc);
	}
	return NULL;
}
