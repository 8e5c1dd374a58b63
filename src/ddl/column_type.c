/*-------------------------------------------------------------------------
 *
 * column_type.c
 *	  ALTER COLUMN ... TYPE: does PostgreSQL rewrite the table, rebuild an
 *	  index, check a constraint again, or nothing of it?
 *
 * The conversion is built and simplified as ATPrepAlterColumnType() in
 * tablecmds.c does it, and judged as ATColumnChangeRequiresRewrite() and
 * CheckIndexCompatible() judge it.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_index.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "ddl/catalog_scan.h"
#include "ddl/column_type.h"
#include "ddl/ddl.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

/*
 * The USING expression as a coercion of the column itself, or NULL where it
 * computes something, which always rewrites.
 */
static Node *
using_expression(ZdmDdl *ddl, Node *raw, const char *column, Node *var)
{
	Oid			typid;
	int32		typmod;
	Node	   *arg;

	if (raw == NULL)
		return var;
	if (IsA(raw, ColumnRef))
	{
		Node	   *name = llast(((ColumnRef *) raw)->fields);

		return IsA(name, String) && strcmp(strVal(name), column) == 0 ? var : NULL;
	}
	if (!IsA(raw, TypeCast))
		return NULL;
	arg = using_expression(ddl, ((TypeCast *) raw)->arg, column, var);
	if (arg == NULL || !ddl_type(ddl, ((TypeCast *) raw)->typeName, &typid, &typmod) ||
		!OidIsValid(typid))
		return NULL;
	return coerce_to_target_type(NULL, arg, exprType(arg), typid, typmod,
								 COERCION_EXPLICIT, COERCE_EXPLICIT_CAST, -1);
}

/* As ATColumnChangeRequiresRewrite() in tablecmds.c */
static bool
requires_rewrite(Node *expr)
{
	for (;;)
	{
		if (IsA(expr, Var))
			return false;
		else if (IsA(expr, RelabelType))
			expr = (Node *) ((RelabelType *) expr)->arg;
		else if (IsA(expr, CoerceToDomain))
		{
			CoerceToDomain *d = (CoerceToDomain *) expr;

			if (DomainHasConstraints(d->resulttype))
				return true;
			expr = (Node *) d->arg;
		}
		else if (IsA(expr, FuncExpr))
		{
			FuncExpr   *f = (FuncExpr *) expr;

			if ((f->funcid != F_TIMESTAMPTZ_TIMESTAMP &&
				 f->funcid != F_TIMESTAMP_TIMESTAMPTZ) ||
				TimestampTimestampTzRequiresRewrite())
				return true;
			expr = linitial(f->args);
		}
		else
			return true;
	}
}

/*
 * Does the change compute a new value for each row?  *refused: there is no
 * cast, PostgreSQL raises an error.
 */
static bool
change_rewrites(ZdmDdl *ddl, const ZdmTypeChange *change, bool *refused)
{
	const ZdmCol *col = change->col;
	Node	   *var;
	Node	   *expr;

	*refused = false;
	if (!OidIsValid(change->typid) || !OidIsValid(col->typid))
		return true;			/* a type of the script */
	if (col->generated == ATTRIBUTE_GENERATED_VIRTUAL)
		return false;
	var = (Node *) makeVar(1, 1, col->typid, col->typmod, col->collation, 0);
	expr = using_expression(ddl, change->using, col->name, var);
	if (expr == NULL)
		return true;
	expr = coerce_to_target_type(NULL, expr, exprType(expr), change->typid, change->typmod,
								 COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
	if (expr == NULL)
	{
		*refused = true;
		return false;
	}
	assign_expr_collations(NULL, expr);
	return requires_rewrite(ddl_fold(expr));
}

/* What of an existing column PostgreSQL does not let change its type */
static bool
is_refusal(const FormData_pg_depend *depend, Oid relid, AttrNumber attnum)
{
	if (depend->classid == AttrDefaultRelationId)
	{
		ObjectAddress owner = GetAttrDefaultColumnAddress(depend->objid);

		return owner.objectId != relid || owner.objectSubId != attnum;
	}
	return depend->classid == RewriteRelationId ||
		depend->classid == PolicyRelationId ||
		depend->classid == ProcedureRelationId ||
		depend->classid == TriggerRelationId;
}

/* Does PostgreSQL refuse the change for a view, policy, generated column, ...? */
static bool
has_refusing_dependent(Oid relid, AttrNumber attnum)
{
	ObjectAddress object;
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	bool		refused = false;

	if (!OidIsValid(relid) || attnum <= 0)
		return false;
	ObjectAddressSubSet(object, RelationRelationId, relid, attnum);
	catalog_scan_depend(&scan, &object, true);
	while (!refused && HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
		refused = is_refusal((Form_pg_depend) GETSTRUCT(tuple), relid, attnum);
	catalog_scan_end(&scan);
	return refused;
}

static const oidvector *
index_vector(HeapTuple tuple, AttrNumber attnum)
{
	bool		isnull;
	Datum		datum = SysCacheGetAttr(INDEXRELID, tuple, attnum, &isnull);

	return isnull ? NULL : (const oidvector *) DatumGetPointer(datum);
}

/* Does a key column of the index get another operator class or collation? */
static bool
key_changes(const ZdmIndex *index, HeapTuple tuple, int key, const ZdmTypeChange *change)
{
	const oidvector *classes = index_vector(tuple, Anum_pg_index_indclass);
	const oidvector *collations = index_vector(tuple, Anum_pg_index_indcollation);
	Oid			opclass;

	if (classes == NULL || collations == NULL)
		return true;
	opclass = classes->values[key];

	/* the index was made without naming what is the column's own */
	if (collations->values[key] == change->col->collation &&
		change->collation != change->col->collation)
		return true;
	if (opclass == GetDefaultOpClass(change->col->typid, index->amoid) &&
		opclass != GetDefaultOpClass(change->typid, index->amoid))
		return true;

	/* what a GIN index of an array stores is of another type in any case */
	return IsPolymorphicType(get_opclass_input_type(opclass)) &&
		change->typid != get_atttype(index->indexoid, key + 1);
}

/* As CheckIndexCompatible() in indexcmds.c: must the index be built anew? */
static bool
index_is_rebuilt(const ZdmIndex *index, AttrNumber attnum, const ZdmTypeChange *change)
{
	bool		mentions = bms_is_member(attnum, index->expr_attnums);
	bool		rebuilt = false;
	HeapTuple	tuple;

	for (int i = 0; i < index->natts; i++)
		mentions |= index->attnums[i] == attnum;
	if (!mentions)
		return false;
	/* an index of a partition is made anew with the one of the parent */
	if (index->has_exprs || index->has_predicate || !index->is_valid ||
		get_rel_relispartition(index->indexoid))
		return true;

	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index->indexoid));
	if (!HeapTupleIsValid(tuple))
		return false;
	for (int i = 0; i < index->nkeyatts && !rebuilt; i++)
	{
		if (index->attnums[i] == attnum)
			rebuilt = key_changes(index, tuple, i, change);
	}
	ReleaseSysCache(tuple);
	return rebuilt;
}

/* Does the same ALTER TABLE drop the index, with its constraint or a column? */
static bool
index_is_dropped(const ZdmDdl *ddl, const ZdmRel *rel, const ZdmIndex *index)
{
	ListCell   *lc;

	if (ddl->alter == NULL)
		return false;
	foreach(lc, ddl->alter->cmds)
	{
		const AlterTableCmd *cmd = lfirst(lc);
		AttrNumber	attnum;

		if (cmd->subtype == AT_DropConstraint && strcmp(cmd->name, index->name) == 0)
			return true;
		if (cmd->subtype != AT_DropColumn)
			continue;
		attnum = get_attnum(rel->relid, cmd->name);
		if (attnum == InvalidAttrNumber)
			continue;
		if (bms_is_member(attnum, index->expr_attnums))
			return true;
		for (int i = 0; i < index->natts; i++)
		{
			if (index->attnums[i] == attnum)
				return true;
		}
	}
	return false;
}

/* An index of the table that the change builds anew, or NULL. */
static const char *
find_rebuilt_index(const ZdmDdl *ddl, ZdmRel *rel, AttrNumber attnum,
				   const ZdmTypeChange *change)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_indexes(rel))
	{
		ZdmIndex   *index = lfirst(lc);

		if (index_is_rebuilt(index, attnum, change) && !index_is_dropped(ddl, rel, index))
			return index->name;
	}
	return NULL;
}

/* Is a foreign key checked again, because its comparison becomes another? */
static bool
comparison_changes(const ZdmTypeChange *change)
{
	Oid			before;
	Oid			after;

	if (change->rewrites || !OidIsValid(change->typid))
		return true;
	before = GetDefaultOpClass(getBaseType(change->col->typid), BTREE_AM_OID);
	after = GetDefaultOpClass(getBaseType(change->typid), BTREE_AM_OID);
	return before != after;
}

/* Does the same ALTER TABLE drop the constraint?  Dropping comes first. */
static bool
is_dropped(const ZdmDdl *ddl, const ZdmConstraint *con)
{
	ListCell   *lc;

	if (ddl->alter == NULL)
		return false;
	foreach(lc, ddl->alter->cmds)
	{
		const AlterTableCmd *cmd = lfirst(lc);

		if (cmd->subtype == AT_DropConstraint && strcmp(cmd->name, con->name) == 0)
			return true;
	}
	return false;
}

/* One hazard of a kind is enough for a tree of tables. */
typedef struct FoundDependents
{
	bool		rebuilds;
	bool		rechecks;
} FoundDependents;

/* A constraint is checked again, by reading all of a table. */
static bool
note_recheck(ZdmDdl *ddl, ZdmRel *table, AlterTableCmd *cmd, const char *name)
{
	ZdmHazard  *hazard;

	ddl_scan(ddl, table);
	hazard = ddl_lock_hazard(ddl, ZDM_RULE_ALTER_COLUMN_TYPE_RECHECK, table,
							 (Node *) cmd, cmd->name,
							 "changing the type of column \"%s\" would read all of %s to check constraint \"%s\" again",
							 cmd->name, ddl_rel_describe(table), name);
	if (hazard == NULL)
		return false;
	hazard->name = name;
	return true;
}

static bool
fk_mentions(const ZdmConstraint *con, const ZdmRel *rel, AttrNumber attnum)
{
	if (con->contype != CONSTRAINT_FOREIGN || con->confkey == NULL)
		return false;
	for (int i = 0; i < con->nkeys; i++)
	{
		if ((con->conrelid == rel->relid && con->conkey[i] == attnum) ||
			(con->confrelid == rel->relid && con->confkey[i] == attnum))
			return true;
	}
	return false;
}

/*
 * Foreign keys on the column, from either side.  The other table is locked in
 * any case.  If the comparison becomes another one the key is checked again,
 * which reads the referencing table.
 */
static void
find_foreign_keys(ZdmDdl *ddl, ZdmRel *rel, AttrNumber attnum, AlterTableCmd *cmd,
				  const ZdmTypeChange *change, FoundDependents *found)
{
	ListCell   *lc;

	foreach(lc, list_concat(ddl_rel_constraints(rel), ddl_rel_referencing(rel)))
	{
		ZdmConstraint *con = lfirst(lc);
		bool		ours = con->conrelid == rel->relid;
		ZdmRel	   *other;

		if (!fk_mentions(con, rel, attnum) || (ours && is_dropped(ddl, con)))
			continue;
		other = ddl_rel_by_oid(ddl, ours ? con->confrelid : con->conrelid);
		if (other == NULL)
			continue;
		ddl_lock_tree(ddl, other, AccessExclusiveLock);
		if (!con->is_valid || !con->is_enforced || !comparison_changes(change))
			continue;
		ddl_scan(ddl, other);
		if (!ours)
			(void) note_recheck(ddl, other, cmd, con->name);
		else if (!change->rewrites && !found->rechecks)
			found->rechecks = note_recheck(ddl, rel, cmd, con->name);
	}
}

/* A valid CHECK that mentions the column, or NULL. */
static const char *
find_check(ZdmDdl *ddl, ZdmRel *rel, AttrNumber attnum)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_constraints(rel))
	{
		ZdmConstraint *con = lfirst(lc);

		if (con->contype == CONSTRAINT_CHECK && con->is_valid && con->is_enforced &&
			!is_dropped(ddl, con) &&
			bms_is_member(attnum, ddl_constraint_columns(con)))
			return con->name;
	}
	return NULL;
}

/* What hangs on the column in one table of the tree, where no row changes */
static void
find_dependents(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd, const ZdmTypeChange *change,
				FoundDependents *found)
{
	AttrNumber	attnum = OidIsValid(rel->relid) ?
		get_attnum(rel->relid, cmd->name) : InvalidAttrNumber;
	ZdmHazard  *hazard;
	const char *name;

	if (attnum == InvalidAttrNumber)
		return;
	find_foreign_keys(ddl, rel, attnum, cmd, change, found);
	if (change->rewrites)
		return;

	name = find_rebuilt_index(ddl, rel, attnum, change);
	if (name != NULL && rel->relkind != RELKIND_PARTITIONED_TABLE)
	{
		ddl_scan(ddl, rel);
		hazard = found->rebuilds ? NULL :
			ddl_lock_hazard(ddl, ZDM_RULE_ALTER_COLUMN_TYPE_INDEX_REBUILD, rel,
							(Node *) cmd, cmd->name,
							"changing the type of column \"%s\" would rebuild index \"%s\" of %s",
							cmd->name, name, ddl_rel_describe(rel));
		if (hazard != NULL)
		{
			hazard->name = name;
			found->rebuilds = true;
		}
	}
	name = find_check(ddl, rel, attnum);
	if (name != NULL && !found->rechecks)
		found->rechecks = note_recheck(ddl, rel, cmd, name);
}

/* The new type, its modifier and collation; false where one is unknown. */
static bool
resolve_change(ZdmDdl *ddl, ColumnDef *def, ZdmTypeChange *change)
{
	if (!ddl_type(ddl, def->typeName, &change->typid, &change->typmod))
		return false;
	change->using = def->raw_default;
	change->collation = get_typcollation(change->typid);
	if (def->collClause != NULL)
	{
		change->collation = get_collation_oid(def->collClause->collname, true);
		if (!OidIsValid(change->collation))
		{
			ddl_undefined(ddl, "collation \"%s\" does not exist",
						  NameListToString(def->collClause->collname));
			return false;
		}
	}
	return true;
}

/* What clients of the old type notice */
static void
find_compat(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd, const ZdmTypeChange *change)
{
	if (change->col->is_new)
		return;
	if (!ddl_type_change_widens(change))
		ddl_hazard(ddl, ZDM_RULE_ALTER_COLUMN_TYPE_IN_WINDOW, rel, (Node *) cmd, cmd->name,
				   "clients that use column \"%s\" of %s with its old type could break",
				   cmd->name, ddl_rel_describe(rel));
	if (change->typid != change->col->typid || change->typmod != change->col->typmod)
		ddl_hazard(ddl, ZDM_RULE_PREPARED_PLAN_INVALIDATION, rel, (Node *) cmd, cmd->name,
				   "prepared statements that select column \"%s\" of %s would fail once",
				   cmd->name, ddl_rel_describe(rel));
}

/* ALTER COLUMN ... TYPE */
void
ddl_alter_column_type(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	ZdmTypeChange change = {0};
	bool		refused;
	FoundDependents found = {0};
	ListCell   *lc;

	ddl->rebuilds = true;
	change.col = ddl_col(ddl, rel, cmd->name, false);
	if (change.col == NULL ||
		!resolve_change(ddl, castNode(ColumnDef, cmd->def), &change) ||
		has_refusing_dependent(rel->relid, change.col->attnum))
		return;
	if (rel->relkind == RELKIND_RELATION || rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		change.rewrites = change_rewrites(ddl, &change, &refused);
		if (refused)
			return;
	}
	if (change.rewrites)
	{
		ddl_rewrite(ddl, rel);
		ddl_lock_hazard(ddl, ZDM_RULE_ALTER_COLUMN_TYPE, rel, (Node *) cmd, cmd->name,
						"changing the type of column \"%s\" would rewrite %s and its indexes",
						cmd->name, ddl_rel_describe(rel));
	}
	foreach(lc, ddl_rel_tree(ddl, rel))
	{
		CHECK_FOR_INTERRUPTS();
		find_dependents(ddl, lfirst(lc), cmd, &change, &found);
	}
	find_compat(ddl, rel, cmd, &change);
}
