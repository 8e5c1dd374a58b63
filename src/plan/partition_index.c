/*-------------------------------------------------------------------------
 *
 * partition_index.c
 *	  Builds the counterparts of a partitioned table's indexes on a table that
 *	  is to be attached to it.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/attmap.h"
#include "access/htup_details.h"
#include "access/sysattr.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_opclass.h"
#include "compat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "parser/parse_utilcmd.h"
#include "plan/constraint_plan.h"
#include "plan/partition_plan.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

/*
 * The index's column names, of String, made different from each other as
 * ChooseIndexColumnNames() does it.
 */
static List *
distinct_names(List *elements)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, elements)
	{
		const char *wanted = lfirst_node(IndexElem, lc)->indexcolname;
		char	   *name = pstrdup(wanted);

		for (int i = 1;; i++)
		{
			char		number[32];
			ListCell   *lc2;

			foreach(lc2, result)
			{
				if (strcmp(name, strVal(lfirst(lc2))) == 0)
					break;
			}
			if (lc2 == NULL)
				break;
			snprintf(number, sizeof(number), "%d", i);
			name = psprintf("%.*s%s",
							pg_mbcliplen(wanted, strlen(wanted),
										 NAMEDATALEN - 1 - (int) strlen(number)),
							wanted, number);
		}
		result = lappend(result, makeString(name));
	}
	return result;
}

/* The name that ATTACH gives its copy of the index, as ChooseIndexName() does. */
static char *
index_name(ZdmPlan *plan, const ZdmRel *rel, const IndexStmt *stmt)
{
	List	   *elements = list_concat_copy(stmt->indexParams, stmt->indexIncludingParams);

	if (stmt->primary)
		return zdm_plan_choose_name(plan, rel, NULL, "pkey");
	return zdm_plan_choose_name(plan, rel, zdm_columns_in_name(distinct_names(elements)),
								stmt->isconstraint ? "key" : "idx");
}

/* (name = 'value', ...) */
static void
append_options(StringInfo buf, List *options)
{
	ListCell   *lc;

	appendStringInfoChar(buf, '(');
	foreach(lc, options)
	{
		DefElem    *option = lfirst(lc);

		appendStringInfo(buf, "%s%s", lc == list_head(options) ? "" : ", ",
						 quote_identifier(option->defname));
		if (option->arg != NULL)
			appendStringInfo(buf, " = %s", quote_literal_cstr(strVal(option->arg)));
	}
	appendStringInfoChar(buf, ')');
}

/* One key column.  False if its expression cannot be told. */
static bool
append_element(StringInfo buf, Relation rel, const IndexElem *element)
{
	if (element->name != NULL)
		appendStringInfoString(buf, quote_identifier(element->name));
	else
	{
		char	   *sql = ddl_expression_text(rel, element->expr);

		if (sql == NULL)
			return false;
		appendStringInfo(buf, "(%s)", sql);
	}
	if (element->collation != NIL)
		appendStringInfo(buf, " COLLATE %s", NameListToQuotedString(element->collation));
	if (element->opclass != NIL)
		appendStringInfo(buf, " %s", NameListToQuotedString(element->opclass));
	if (element->opclassopts != NIL)
	{
		appendStringInfoChar(buf, ' ');
		append_options(buf, element->opclassopts);
	}
	if (element->ordering == SORTBY_DESC)
		appendStringInfoString(buf, " DESC");
	if (element->nulls_ordering != SORTBY_NULLS_DEFAULT)
		appendStringInfo(buf, " NULLS %s",
						 element->nulls_ordering == SORTBY_NULLS_FIRST ? "FIRST" : "LAST");
	return true;
}

/* What CREATE INDEX says after the table.  False if it cannot be told. */
static bool
append_definition(StringInfo buf, Relation rel, const IndexStmt *stmt)
{
	ListCell   *lc;

	appendStringInfo(buf, " USING %s (", quote_identifier(stmt->accessMethod));
	foreach(lc, stmt->indexParams)
	{
		if (lc != list_head(stmt->indexParams))
			appendStringInfoString(buf, ", ");
		if (!append_element(buf, rel, lfirst(lc)))
			return false;
	}
	appendStringInfoChar(buf, ')');
	foreach(lc, stmt->indexIncludingParams)
		appendStringInfo(buf, "%s%s",
						 lc == list_head(stmt->indexIncludingParams) ? " INCLUDE (" : ", ",
						 quote_identifier(lfirst_node(IndexElem, lc)->name));
	if (stmt->indexIncludingParams != NIL)
		appendStringInfoChar(buf, ')');
	if (stmt->nulls_not_distinct)
		appendStringInfoString(buf, " NULLS NOT DISTINCT");
	if (stmt->options != NIL)
	{
		appendStringInfoString(buf, " WITH ");
		append_options(buf, stmt->options);
	}
	if (stmt->tableSpace != NULL)
		appendStringInfo(buf, " TABLESPACE %s", quote_identifier(stmt->tableSpace));
	if (stmt->whereClause != NULL)
	{
		char	   *sql = ddl_expression_text(rel, stmt->whereClause);

		if (sql == NULL)
			return false;
		appendStringInfo(buf, " WHERE (%s)", sql);
	}
	return true;
}

/*
 * The steps that build the index on a table without partitions.  What is not
 * built concurrently (exclusion, WITHOUT OVERLAPS) has no safe way; nor has a
 * primary key of a partition from 18 on, whose not-null constraints it would
 * make its own.
 */
static bool
build(ZdmPlan *plan, ZdmRel *rel, Relation heap, const IndexStmt *stmt)
{
	const char *table = ddl_rel_qualified(rel);
	const char *name;
	StringInfoData definition;

	initStringInfo(&definition);
	if (stmt->excludeOpNames != NIL || compat_index_is_without_overlaps(stmt) ||
		(stmt->primary && COMPAT_NOT_NULL_HAS_CONSTRAINT && rel->is_partition) ||
		!append_definition(&definition, heap, stmt))
		return false;
	name = quote_identifier(index_name(plan, rel, stmt));
	zdm_plan_target(plan, rel);
	(void) zdm_plan_step(plan, ZDM_PASS_KEY, "CREATE %sINDEX CONCURRENTLY %s ON %s%s",
						 stmt->unique ? "UNIQUE " : "", name, table, definition.data);
	if (stmt->isconstraint)
		(void) zdm_plan_step(plan, ZDM_PASS_KEY,
							 "ALTER TABLE %s ADD CONSTRAINT %s %s USING INDEX %s%s%s",
							 table, name, stmt->primary ? "PRIMARY KEY" : "UNIQUE", name,
							 stmt->deferrable ? " DEFERRABLE" : "",
							 stmt->initdeferred ? " INITIALLY DEFERRED" : "");
	return true;
}

/* An expression as it is stored; in the relation cache functions are inlined. */
static bool
names_whole_row(Relation index, AttrNumber attnum)
{
	Bitmapset  *columns = NULL;
	bool		isnull;
	Datum		datum = SysCacheGetAttr(INDEXRELID, index->rd_indextuple, attnum, &isnull);

	if (isnull)
		return false;
	pull_varattnos(stringToNode(TextDatumGetCString(datum)), 1, &columns);
	return bms_is_member(InvalidAttrNumber - FirstLowInvalidHeapAttributeNumber, columns);
}

/*
 * Options of an operator class stand after its name, which the server leaves
 * out where it is the default one.
 */
static void
name_operator_classes(IndexStmt *stmt, Relation index)
{
	Datum		datum;
	bool		isnull;
	oidvector  *classes;
	ListCell   *lc;

	datum = SysCacheGetAttr(INDEXRELID, index->rd_indextuple, Anum_pg_index_indclass, &isnull);
	if (isnull)
		return;
	classes = (oidvector *) DatumGetPointer(datum);
	foreach(lc, stmt->indexParams)
	{
		IndexElem  *element = lfirst_node(IndexElem, lc);
		HeapTuple	tuple;
		Form_pg_opclass form;

		if (element->opclassopts == NIL || element->opclass != NIL)
			continue;
		tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(classes->values[foreach_current_index(lc)]));
		if (!HeapTupleIsValid(tuple))
			continue;
		form = (Form_pg_opclass) GETSTRUCT(tuple);
		element->opclass = list_make2(makeString(get_namespace_name(form->opcnamespace)),
									  makeString(pstrdup(NameStr(form->opcname))));
		ReleaseSysCache(tuple);
	}
}

/* As the server copies the parent's index for the table; and build that. */
static bool
clone_and_build(ZdmPlan *plan, ZdmRel *parent, Oid parentindex, ZdmRel *rel)
{
	Relation	parentrel = RelationIdGetRelation(parent->relid);
	Relation	index = RelationIdGetRelation(parentindex);
	Relation	heap = RelationIdGetRelation(rel->relid);
	bool		result = false;

	if (RelationIsValid(parentrel) && RelationIsValid(index) && RelationIsValid(heap) &&
		!names_whole_row(index, Anum_pg_index_indexprs) &&
		!names_whole_row(index, Anum_pg_index_indpred))
	{
		AttrMap    *attmap = compat_attrmap_by_name(RelationGetDescr(heap),
													RelationGetDescr(parentrel));
		Oid			constraint;
		IndexStmt  *stmt = generateClonedIndexStmt(NULL, index, attmap, &constraint);

		name_operator_classes(stmt, index);
		result = build(plan, rel, heap, stmt);
	}
	if (RelationIsValid(heap))
		RelationClose(heap);
	if (RelationIsValid(index))
		RelationClose(index);
	if (RelationIsValid(parentrel))
		RelationClose(parentrel);
	return result;
}

/*
 * See to it that ATTACH finds each table of the tree indexed.  That of a
 * partitioned table it makes of those of its partitions, which is brief.
 */
static bool
plan_index_like(ZdmPlan *plan, ZdmDdl *ddl, ZdmRel *parent, Oid parentindex, ZdmRel *rel,
				List **taken)
{
	Oid			found = ddl_index_like(rel, parent, parentindex, *taken);
	ListCell   *lc;

	check_stack_depth();
	if (OidIsValid(found))
	{
		*taken = lappend_oid(*taken, found);
		return true;
	}
	if (rel->relkind == RELKIND_RELATION)
		return clone_and_build(plan, parent, parentindex, rel);
	if (rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		foreach(lc, zdm_partitions(ddl, rel))
		{
			if (!plan_index_like(plan, ddl, parent, parentindex, lfirst(lc), taken))
				return false;
		}
	}
	return true;
}

bool
zdm_plan_indexes_like(ZdmPlan *plan, ZdmDdl *ddl, ZdmRel *parent, ZdmRel *child)
{
	List	   *taken = NIL;
	ListCell   *lc;

	foreach(lc, ddl_partitioned_indexes(parent))
	{
		if (!plan_index_like(plan, ddl, parent, lfirst_oid(lc), child, &taken))
			return false;
	}
	return true;
}
