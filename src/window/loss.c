/*-------------------------------------------------------------------------
 *
 * loss.c
 *	  What the abort of a window would take away although it holds data.
 *
 * A table with rows; a column with a value that is neither NULL nor what its
 * default gives.  Rows are read with the rights of the table's owner,
 * security-restricted, since a default can call functions.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "storage/bufmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "window/ledger.h"
#include "window/probe.h"
#include "window/related.h"
#include "window/taking.h"

static char *
relation_name(Relation rel)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
}

/* What a query finds in the table, or NULL; *error: a sentence on its failure. */
static char *
probe_table(Relation rel, const char *query, char **error)
{
	char	   *found = probe_query(query, rel->rd_rel->relowner, NIL, CurrentMemoryContext, error);

	if (*error != NULL)
		*error = psprintf("Table %s could not be looked through: %s: %s.",
						  relation_name(rel), *error, query);
	return found;
}

static char *
loss_of_table(Relation rel)
{
	char	   *error;
	char	   *found = probe_table(rel, psprintf("SELECT pg_catalog.pg_size_pretty(pg_catalog.pg_total_relation_size(%u))"
												  " FROM %s LIMIT 1",
												  RelationGetRelid(rel), relation_name(rel)), &error);

	if (found != NULL)
		return psprintf("Table %s (%s), made in the window, has rows.", relation_name(rel), found);
	return error;
}

/* The type's name, with its modifier; of a domain what it is over. */
static char *
type_name(const FormData_pg_attribute *attribute)
{
	int32		typmod = attribute->atttypmod;
	Oid			type = getBaseTypeAndTypmod(attribute->atttypid, &typmod);

	return format_type_extended(type, typmod, FORMAT_TYPE_FORCE_QUALIFY | FORMAT_TYPE_TYPEMOD_GIVEN);
}

/* An expression of the value that rows have which are older than the column, or NULL. */
static char *
missing_value(const FormData_pg_attribute *attribute)
{
	static const Oid types[] = {OIDOID, INT2OID};
	Datum		values[] = {ObjectIdGetDatum(attribute->attrelid), Int16GetDatum(attribute->attnum)};
	Oid			array_type = get_array_type(getBaseType(attribute->atttypid));
	char	   *value;

	if (!attribute->atthasmissing || !OidIsValid(array_type))
		return NULL;
	ledger_execute("SELECT attmissingval::text FROM pg_attribute"
				   " WHERE attrelid = $1 AND attnum = $2", lengthof(types), types, values, NULL);
	value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (value == NULL)
		return NULL;
	return psprintf("(%s::%s)[1]", quote_literal_cstr(value), format_type_be_qualified(array_type));
}

/* The default as an expression, if it always gives the same value; or NULL. */
static char *
default_value(Relation rel, const FormData_pg_attribute *attribute)
{
	Node	   *expr = build_column_default(rel, attribute->attnum);

	if (expr == NULL || contain_volatile_functions(expr))
		return NULL;
	return deparse_expression(expr, NIL, false, false);
}

/* A condition that the column has another value, by image: not each type has an equality. */
static char *
differs(const char *column, const char *type, const char *value)
{
	return psprintf("ROW(%s::%s)::record OPERATOR(pg_catalog.*<>) ROW((%s)::%s)::record",
					column, type, value, type);
}

static char *
loss_of_column(Relation rel, AttrNumber attnum)
{
	const FormData_pg_attribute *attribute = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	const char *column = quote_identifier(NameStr(attribute->attname));
	const char *type = type_name(attribute);
	const char *values[] = {default_value(rel, attribute), missing_value(attribute)};
	StringInfoData query;
	char	   *error;

	if (attribute->attgenerated != '\0')
		return NULL;
	initStringInfo(&query);
	/* a row of NULLs is one too for IS NOT NULL */
	appendStringInfo(&query, "SELECT * FROM %s WHERE %s", relation_name(rel),
					 type_is_rowtype(attribute->atttypid) ? differs(column, type, "NULL") :
					 psprintf("%s IS NOT NULL", column));
	for (int i = 0; i < lengthof(values); i++)
	{
		if (values[i] != NULL)
			appendStringInfo(&query, " AND %s", differs(column, type, values[i]));
	}
	if (probe_table(rel, psprintf("SELECT true FROM (%s) AS found LIMIT 1", query.data), &error) != NULL)
		return psprintf("Column %s of table %s, made in the window, has values, found by: %s.",
						column, relation_name(rel), query.data);
	return error;
}

/* Of a table or column; NULL if nothing is lost with it. */
static char *
loss_of(const Taking *taking)
{
	Relation	rel = try_relation_open(taking->object.objectId, AccessShareLock);
	AttrNumber	attnum = taking->object.objectSubId;
	char	   *result = NULL;

	if (rel == NULL)
		return NULL;
	if (rel->rd_rel->relkind == RELKIND_RELATION ||
		rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		result = attnum != 0 ? loss_of_column(rel, attnum) : loss_of_table(rel);
	}
	relation_close(rel, NoLock);
	return result;
}

static bool
is_taken_away(List *takings, Oid relid)
{
	ListCell   *lc;

	foreach(lc, takings)
	{
		const ObjectAddress *object = &((Taking *) lfirst(lc))->object;

		if (object->classId == RelationRelationId && object->objectId == relid &&
			object->objectSubId == 0)
			return true;
	}
	return false;
}

/* A constraint of the window can have been given an index from before it. */
static char *
loss_of_constraint(List *takings, Oid constraint)
{
	Oid			index = get_constraint_index(constraint);

	if (!OidIsValid(index) || is_taken_away(takings, index))
		return NULL;
	return psprintf("Constraint %s, made in the window, would take index %s along, which was there before.",
					quote_identifier(get_constraint_name(constraint)),
					quote_qualified_identifier(get_namespace_name(get_rel_namespace(index)),
											   get_rel_name(index)));
}

/*
 * Only what is dropped by itself: else it is what it goes along with that
 * holds the data.  Not so the tables of an extension.
 */
void
loss_find(List *takings)
{
	ListCell   *lc;

	foreach(lc, takings)
	{
		Taking	   *taking = lfirst(lc);
		const ObjectAddress *object = &taking->object;

		CHECK_FOR_INTERRUPTS();
		if (object->classId == ConstraintRelationId && !taking->is_implied)
			taking->obstacle = loss_of_constraint(takings, object->objectId);
		if (object->classId != RelationRelationId ||
			(taking->is_implied &&
			 !OidIsValid(getExtensionOfObject(object->classId, object->objectId))))
			continue;
		taking->obstacle = loss_of(taking);
	}
}

/* The owner alone may take the lock; of others the server complains. */
static Relation
lock_own_table(const RangeVar *name)
{
	Oid			relid = RangeVarGetRelid(name, NoLock, true);
	ObjectAddress object;

	if (!OidIsValid(relid) || (get_rel_relkind(relid) != RELKIND_RELATION &&
							   get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE))
		return NULL;
	ObjectAddressSet(object, RelationRelationId, relid);
	if (!has_privs_of_role(GetUserId(), related_owner(&object)))
		return NULL;
	return try_relation_open(relid, AccessExclusiveLock);
}

/* What of the table, or of a column if attnum is not 0, would be lost now */
static void
check_loss(Relation rel, AttrNumber attnum)
{
	LedgerScope scope;
	MemoryContext context = CurrentMemoryContext;
	char	   *loss;

	ledger_begin(&scope);
	loss = attnum != 0 ? loss_of_column(rel, attnum) : loss_of_table(rel);
	if (loss != NULL)
		loss = MemoryContextStrdup(context, loss);
	ledger_end(&scope);
	if (loss != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_WINDOW_NOT_READY),
				 errmsg("data has been written since the abort of the window began"),
				 errdetail("%s", loss)));
}

static void
recheck_columns(const AlterTableStmt *stmt, int64 small_table)
{
	Relation	rel = lock_own_table(stmt->relation);
	ListCell   *lc;

	if (rel == NULL)
		return;
	foreach(lc, stmt->cmds)
	{
		const AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);
		AttrNumber	attnum = cmd->subtype == AT_DropColumn ?
			get_attnum(RelationGetRelid(rel), cmd->name) : InvalidAttrNumber;

		if (attnum > 0 && rel->rd_rel->relkind == RELKIND_RELATION &&
			(int64) RelationGetNumberOfBlocks(rel) * BLCKSZ <= small_table)
			check_loss(rel, attnum);
	}
	relation_close(rel, NoLock);
}

static bool
drops_column(const AlterTableStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->cmds)
	{
		if (lfirst_node(AlterTableCmd, lc)->subtype == AT_DropColumn)
			return true;
	}
	return false;
}

void
loss_recheck(const Node *stmt, int64 small_table)
{
	ListCell   *lc;

	if (IsA(stmt, AlterTableStmt) && drops_column((const AlterTableStmt *) stmt))
		recheck_columns((const AlterTableStmt *) stmt, small_table);
	if (!IsA(stmt, DropStmt) || ((const DropStmt *) stmt)->removeType != OBJECT_TABLE)
		return;
	foreach(lc, ((const DropStmt *) stmt)->objects)
	{
		Relation	rel = lock_own_table(makeRangeVarFromNameList(lfirst(lc)));

		if (rel == NULL)
			continue;
		check_loss(rel, 0);
		relation_close(rel, NoLock);
	}
}
