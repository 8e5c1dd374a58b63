/*-------------------------------------------------------------------------
 *
 * claims_copy.c
 *	  New tables that are copies of others: of their definition (LIKE), of
 *	  rows (AS), of what children get from a parent.
 *
 * What is queued for the other table does not reach the copy.  What would
 * make it differ from the one that plain DDL gives is named.  Children need
 * less: most steps on a parent do the same to all that it has by then.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "claims.h"
#include "nodes/nodeFuncs.h"
#include "parser/parser.h"
#include "utils/lsyscache.h"

/* What the query of CREATE TABLE AS names, as its text has it */
typedef struct Named
{
	List	   *relations;		/* RangeVar */
	List	   *columns;		/* String */
	bool		has_star;
} Named;

/* Is the table the one that the step changes, or a child of that? */
static bool
is_changed_by(const ZdmPending *pending, Oid relid)
{
	Oid			target = pending->targets == NIL ? InvalidOid :
		((const ZdmPlanTarget *) linitial(pending->targets))->relid;

	if (!OidIsValid(target) || !OidIsValid(relid))
		return false;
	return target == relid ||
		(has_subclass(target) && OidIsValid(get_rel_type_id(target)) &&
		 OidIsValid(get_rel_type_id(relid)) &&
		 typeInheritsFrom(get_rel_type_id(relid), get_rel_type_id(target)));
}

static void
note_copied(ZdmConflict *conflict, const ZdmPending *pending, Oid relid)
{
	conflict->copied = list_append_unique_ptr(conflict->copied, unconstify(ZdmPending *, pending));
	conflict->copied_name = get_rel_name(relid);
}

/* Would LIKE with those options have copied what the command does? */
static bool
like_copies(const AlterTableCmd *cmd, bits32 options)
{
	switch (cmd->subtype)
	{
		case AT_AddColumn:
		case AT_DropColumn:
		case AT_AlterColumnType:
		case AT_SetNotNull:
		case AT_DropNotNull:
			return true;
		case AT_ColumnDefault:
			return (options & CREATE_TABLE_LIKE_DEFAULTS) != 0;
		case COMPAT_AT_EXPRESSION:
			return (options & CREATE_TABLE_LIKE_GENERATED) != 0;
		case AT_AddIdentity:
		case AT_SetIdentity:
		case AT_DropIdentity:
			return (options & CREATE_TABLE_LIKE_IDENTITY) != 0;
		case AT_SetStorage:
			return (options & CREATE_TABLE_LIKE_STORAGE) != 0;
		case AT_SetCompression:
			return (options & CREATE_TABLE_LIKE_COMPRESSION) != 0;
		case AT_AddConstraint:
			if (castNode(Constraint, cmd->def)->contype == CONSTR_FOREIGN)
				return false;
			if (castNode(Constraint, cmd->def)->contype == CONSTR_NOTNULL)
				return true;
			/* fall through */
		case AT_DropConstraint:
		case AT_ValidateConstraint:
			return (options & (CREATE_TABLE_LIKE_CONSTRAINTS | CREATE_TABLE_LIKE_INDEXES)) != 0;
		default:
			return false;
	}
}

static bool
matters_to_like(const ZdmPending *pending, bits32 options)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, pending->stmts)
	{
		const Node *stmt = lfirst_node(RawStmt, lc)->stmt;

		if ((IsA(stmt, IndexStmt) ||
			 (IsA(stmt, DropStmt) && ((const DropStmt *) stmt)->removeType == OBJECT_INDEX)) &&
			(options & CREATE_TABLE_LIKE_INDEXES) != 0)
			return true;
		if (IsA(stmt, RenameStmt) &&
			((const RenameStmt *) stmt)->renameType == OBJECT_TABCONSTRAINT &&
			(options & CREATE_TABLE_LIKE_CONSTRAINTS) != 0)
			return true;
		foreach(lc2, IsA(stmt, AlterTableStmt) ? ((const AlterTableStmt *) stmt)->cmds : NIL)
		{
			if (like_copies(lfirst(lc2), options))
				return true;
		}
	}
	return false;
}

void
claims_meet_like(ZdmConflict *conflict, const TableLikeClause *like)
{
	Oid			relid = RangeVarGetRelid(like->relation, NoLock, true);
	ListCell   *lc;
	ListCell   *lc2;

	claims_check_relation(conflict, relid, like->relation->relname);
	foreach(lc, conflict->pending)
	{
		const ZdmPending *pending = lfirst(lc);

		if (!is_changed_by(pending, relid) || !matters_to_like(pending, like->options))
			continue;
		note_copied(conflict, pending, relid);
		if ((like->options & (CREATE_TABLE_LIKE_INDEXES | CREATE_TABLE_LIKE_CONSTRAINTS)) == 0)
			continue;
		foreach(lc2, pending->claims)
		{
			if (strcmp(((ZdmClaim *) lfirst(lc2))->action, "make") == 0)
				claims_report(pending, psprintf("table \"%s\" cannot be copied while its indexes or constraints are queued",
												like->relation->relname));
		}
	}
}

/* Names of the columns that the statement defines itself */
static List *
own_columns(const CreateStmt *stmt)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, stmt->tableElts)
	{
		if (IsA(lfirst(lc), ColumnDef))
			result = lappend(result, makeString(lfirst_node(ColumnDef, lc)->colname));
	}
	return result;
}

/*
 * Does the step leave children out, or change in them a column that this one
 * has of its own?
 */
static bool
matters_to_child(const ZdmPending *pending, List *columns)
{
	Oid			target = ((const ZdmPlanTarget *) linitial(pending->targets))->relid;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, pending->stmts)
	{
		const Node *stmt = lfirst_node(RawStmt, lc)->stmt;

		if (IsA(stmt, AlterTableStmt) && !((const AlterTableStmt *) stmt)->relation->inh)
			return true;
		if (IsA(stmt, IndexStmt) && !((const IndexStmt *) stmt)->relation->inh &&
			get_rel_relkind(target) == RELKIND_PARTITIONED_TABLE)
			return true;
		foreach(lc2, IsA(stmt, AlterTableStmt) ? claims_columns_of(pending, target) : NIL)
		{
			if (claims_is_listed(columns, strVal(lfirst(lc2))))
				return true;
		}
	}
	return false;
}

void
claims_meet_parents(ZdmConflict *conflict, const CreateStmt *stmt)
{
	List	   *columns = own_columns(stmt);
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, stmt->inhRelations)
	{
		const RangeVar *rv = lfirst(lc);
		Oid			relid = RangeVarGetRelid(rv, NoLock, true);

		claims_check_relation(conflict, relid, rv->relname);
		foreach(lc2, conflict->pending)
		{
			if (is_changed_by(lfirst(lc2), relid) &&
				matters_to_child(lfirst(lc2), columns))
				note_copied(conflict, lfirst(lc2), relid);
		}
	}
}

static bool
collect_names(Node *node, void *arg)
{
	Named	   *named = arg;

	if (node == NULL)
		return false;
	if (IsA(node, RangeVar))
		named->relations = lappend(named->relations, node);
	else if (IsA(node, ColumnRef))
	{
		Node	   *last = llast(((ColumnRef *) node)->fields);

		if (IsA(last, A_Star))
			named->has_star = true;
		else
			named->columns = lappend(named->columns, last);
		return false;
	}
	return raw_expression_tree_walker(node, collect_names, arg);
}

/* Does the step change a column of the table that the query can read? */
static bool
matters_to_query(const ZdmPending *pending, const Named *named)
{
	Oid			target = ((const ZdmPlanTarget *) linitial(pending->targets))->relid;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, pending->stmts)
	{
		const Node *stmt = lfirst_node(RawStmt, lc)->stmt;

		foreach(lc2, IsA(stmt, UpdateStmt) ? claims_columns_of(pending, target) : NIL)
		{
			if (named->has_star || claims_is_listed(named->columns, strVal(lfirst(lc2))))
				return true;
		}
		foreach(lc2, IsA(stmt, AlterTableStmt) ? ((const AlterTableStmt *) stmt)->cmds : NIL)
		{
			const AlterTableCmd *cmd = lfirst(lc2);

			if (cmd->subtype == AT_AddColumn && named->has_star)
				return true;
			if ((cmd->subtype == AT_DropColumn || cmd->subtype == AT_AlterColumnType) &&
				(named->has_star || claims_is_listed(named->columns, cmd->name)))
				return true;
		}
	}
	return false;
}

/* The parser keeps the query's text, the server only what it has made of it. */
void
claims_meet_table_as(ZdmConflict *conflict)
{
	List	   *stmts = raw_parser(conflict->ddl.sql, RAW_PARSE_DEFAULT);
	Named		named = {0};
	ListCell   *lc;
	ListCell   *lc2;

	if (list_length(stmts) != 1)
		return;
	if (IsA(linitial_node(RawStmt, stmts)->stmt, CreateTableAsStmt))
		(void) collect_names(((CreateTableAsStmt *) linitial_node(RawStmt, stmts)->stmt)->query,
							 &named);
	else if (IsA(linitial_node(RawStmt, stmts)->stmt, SelectStmt))
		(void) collect_names(linitial_node(RawStmt, stmts)->stmt, &named);
	foreach(lc, named.relations)
	{
		Oid			relid = RangeVarGetRelid(lfirst(lc), NoLock, true);

		foreach(lc2, conflict->pending)
		{
			if (is_changed_by(lfirst(lc2), relid) &&
				matters_to_query(lfirst(lc2), &named))
				note_copied(conflict, lfirst(lc2), relid);
		}
	}
}
