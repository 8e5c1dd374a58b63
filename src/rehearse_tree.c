/*-------------------------------------------------------------------------
 *
 * rehearse_tree.c
 *	  The errors of an ALTER TABLE that is put off which are about the
 *	  children of its table.
 *
 * Copies have no children, as there can be thousands.  So these are looked up
 * in the catalogs, and only one that has a CHECK constraint of the new one's name
 * is copied, since the server alone can tell whether both are the same.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_partitioned_table.h"
#include "miscadmin.h"
#include "rehearse.h"
#include "scratch.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static bool
is_not_null(Oid relid, const char *column)
{
	HeapTuple	tuple = SearchSysCacheAttName(relid, column);
	bool		result = false;

	if (HeapTupleIsValid(tuple))
	{
		result = ((Form_pg_attribute) GETSTRUCT(tuple))->attnotnull;
		ReleaseSysCache(tuple);
	}
	return result;
}

static void
check_only_constraint(Oid relid, const Constraint *con)
{
	if (con->contype != CONSTR_CHECK && con->contype != CONSTR_NOTNULL)
		return;
	if (con->is_no_inherit || !has_subclass(relid) ||
		find_inheritance_children(relid, NoLock) == NIL)
		return;
	if (con->contype == CONSTR_NOTNULL && is_not_null(relid, strVal(linitial(con->keys))))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
			 errmsg("constraint must be added to child tables too")));
}

/* SET NOT NULL on ONLY a partitioned table */
static void
check_only_not_null(Oid relid, const char *column)
{
	List	   *children = get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE ?
		find_inheritance_children(relid, NoLock) : NIL;
	ListCell   *lc;

	if (is_not_null(relid, column))
		return;
	foreach(lc, children)
	{
		if (!COMPAT_NOT_NULL_HAS_CONSTRAINT && is_not_null(lfirst_oid(lc), column))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("constraint must be added to child tables too"),
				 COMPAT_NOT_NULL_HAS_CONSTRAINT ? 0 :
				 errdetail("Column \"%s\" of relation \"%s\" is not already NOT NULL.",
						   column, get_rel_name(lfirst_oid(lc))),
				 errhint("Do not specify the ONLY keyword.")));
	}
}

static void
check_only_drop_column(Oid relid)
{
	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE &&
		find_inheritance_children(relid, NoLock) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("cannot drop column from only the partitioned table when partitions exist"),
				 errhint("Do not specify the ONLY keyword.")));
}

/* The command by itself, on copies of the table and of its heir */
static void
run_with_heir(const ZdmDdl *ddl, AlterTableCmd *cmd, Oid child)
{
	AlterTableStmt *stmt = copyObject(castNode(AlterTableStmt, ddl->stmt));
	ScratchTable table = {stmt->relation};

	table.is_referenced = true;
	table.heir = child;
	stmt->cmds = list_make1(copyObject(cmd));
	stmt->objtype = OBJECT_TABLE;
	(void) scratch_run((Node *) stmt, ddl->query, list_make1(&table));
}

static void
check_conflict(bool conflicts, const char *fmt, const Constraint *con, Oid child)
{
	if (conflicts)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg(fmt, con->conname, get_rel_name(child))));
}

/* As the server's MergeWithExistingConstraint() */
static void
check_merge(const ZdmDdl *ddl, AlterTableCmd *cmd, Oid child)
{
	const Constraint *con = castNode(Constraint, cmd->def);
	ZdmDdl		scratch = *ddl;
	ZdmRel	   *rel = ddl_rel_by_oid(&scratch, child);
	const ZdmConstraint *old = rel ? ddl_constraint(rel, con->conname) : NULL;
	HeapTuple	tuple = old ? SearchSysCache1(CONSTROID, ObjectIdGetDatum(old->oid)) : NULL;
	bool		is_no_inherit;

	if (!HeapTupleIsValid(tuple))
		return;
	is_no_inherit = ((Form_pg_constraint) GETSTRUCT(tuple))->connoinherit;
	ReleaseSysCache(tuple);
	if (old->contype != CONSTRAINT_CHECK)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("constraint \"%s\" for relation \"%s\" already exists",
						con->conname, get_rel_name(child))));
	rehearse_check_owner(child);
	run_with_heir(ddl, cmd, child);
	check_conflict(is_no_inherit,
				   "constraint \"%s\" conflicts with non-inherited constraint on relation \"%s\"",
				   con, child);
	check_conflict(con->initially_valid && !old->is_valid,
				   "constraint \"%s\" conflicts with NOT VALID constraint on relation \"%s\"",
				   con, child);
}

static void
check_children(const ZdmDdl *ddl, AlterTableCmd *cmd, Oid relid)
{
	const Constraint *con = castNode(Constraint, cmd->def);
	ListCell   *lc;

	if (con->contype != CONSTR_CHECK || con->is_no_inherit || con->conname == NULL ||
		!has_subclass(relid))
		return;
	foreach(lc, find_all_inheritors(relid, NoLock, NULL))
	{
		CHECK_FOR_INTERRUPTS();
		if (lfirst_oid(lc) != relid &&
			OidIsValid(get_relation_constraint_oid(lfirst_oid(lc), con->conname, true)))
			check_merge(ddl, cmd, lfirst_oid(lc));
	}
}

static bool
is_listed(List *columns, const char *name)
{
	return list_member(columns, makeString(unconstify(char *, name)));
}

/* As the server's DefineIndex() finds it when it comes to the partition */
static void
check_partition_key(Oid relid, List *columns, const char *kind)
{
	HeapTuple	tuple = SearchSysCache1(PARTRELID, ObjectIdGetDatum(relid));
	Form_pg_partitioned_table form;

	if (!HeapTupleIsValid(tuple))
		return;
	form = (Form_pg_partitioned_table) GETSTRUCT(tuple);
	for (int i = 0; i < form->partnatts; i++)
	{
		AttrNumber	attnum = form->partattrs.values[i];

		if (attnum == 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("unsupported %s constraint with partition key definition", kind),
					 errdetail("%s constraints cannot be used when partition keys include expressions.",
							   kind)));
		if (!is_listed(columns, get_attname(relid, attnum, false)))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("unique constraint on partitioned table must include all partitioning columns"),
					 errdetail("%s constraint on table \"%s\" lacks column \"%s\" which is part of the partition key.",
							   kind, get_rel_name(relid), get_attname(relid, attnum, false))));
	}
	ReleaseSysCache(tuple);
}

void
rehearse_partition_keys(Oid relid, List *columns, const char *kind)
{
	ListCell   *lc;

	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		return;
	foreach(lc, find_all_inheritors(relid, NoLock, NULL))
	{
		CHECK_FOR_INTERRUPTS();
		if (lfirst_oid(lc) != relid && get_rel_relkind(lfirst_oid(lc)) == RELKIND_PARTITIONED_TABLE)
			check_partition_key(lfirst_oid(lc), columns, kind);
	}
}

static void
check_key(Oid relid, const Constraint *con, List *columns)
{
	if ((con->contype == CONSTR_UNIQUE || con->contype == CONSTR_PRIMARY) && con->indexname == NULL)
		rehearse_partition_keys(relid, columns,
								con->contype == CONSTR_PRIMARY ? "PRIMARY KEY" : "UNIQUE");
}

/* Keys of the command's constraints, in a tree of partitions */
static void
check_keys(Oid relid, const AlterTableCmd *cmd)
{
	ListCell   *lc;

	if (cmd->subtype == AT_AddConstraint)
		check_key(relid, castNode(Constraint, cmd->def), castNode(Constraint, cmd->def)->keys);
	else if (cmd->subtype == AT_AddColumn)
	{
		const ColumnDef *column = castNode(ColumnDef, cmd->def);

		foreach(lc, column->constraints)
			check_key(relid, lfirst_node(Constraint, lc), list_make1(makeString(column->colname)));
	}
}

void
rehearse_tree(const ZdmDdl *ddl, Oid relid)
{
	const AlterTableStmt *stmt = castNode(AlterTableStmt, ddl->stmt);
	ListCell   *lc;

	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst(lc);

		if (stmt->relation->inh)
			check_keys(relid, cmd);
		if (cmd->subtype == AT_AddConstraint && stmt->relation->inh)
			check_children(ddl, cmd, relid);
		else if (cmd->subtype == AT_AddConstraint)
			check_only_constraint(relid, castNode(Constraint, cmd->def));
		else if (cmd->subtype == AT_SetNotNull && !stmt->relation->inh)
			check_only_not_null(relid, cmd->name);
		else if (cmd->subtype == AT_DropColumn && !stmt->relation->inh)
			check_only_drop_column(relid);
	}
}
