/*-------------------------------------------------------------------------
 *
 * constraint_facts.c
 *	  Indexes and constraints of existing relations, read from the catalogs.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "ddl/catalog_scan.h"
#include "ddl/ddl.h"
#include "ddl/script.h"
#include "nodes/bitmapset.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* Columns that a stored expression uses, as plain attribute numbers. */
static Bitmapset *
expression_columns(Bitmapset *columns, const char *stored)
{
	Bitmapset  *offset = NULL;
	int			attno = -1;

	pull_varattnos(stringToNode(stored), 1, &offset);
	while ((attno = bms_next_member(offset, attno)) >= 0)
	{
		if (attno + FirstLowInvalidHeapAttributeNumber > 0)
			columns = bms_add_member(columns,
									 attno + FirstLowInvalidHeapAttributeNumber);
	}
	return columns;
}

static void
set_name_and_method(ZdmIndex *index)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(index->indexoid));

	if (!HeapTupleIsValid(tuple))
		return;
	index->name = pstrdup(NameStr(((Form_pg_class) GETSTRUCT(tuple))->relname));
	index->amoid = ((Form_pg_class) GETSTRUCT(tuple))->relam;
	ReleaseSysCache(tuple);
}

/* The facts of an index; NULL if it is gone. */
ZdmIndex *
ddl_index(Oid indexoid)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexoid));
	Form_pg_index form;
	ZdmIndex   *index;
	Datum		datum;
	bool		isnull;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	form = (Form_pg_index) GETSTRUCT(tuple);

	index = palloc0(sizeof(ZdmIndex));
	index->indexoid = indexoid;
	set_name_and_method(index);
	index->is_unique = form->indisunique;
	index->is_primary = form->indisprimary;
	index->is_exclusion = form->indisexclusion;
	index->is_valid = form->indisvalid;
	index->nulls_not_distinct = form->indnullsnotdistinct;
	index->nkeyatts = form->indnkeyatts;
	index->natts = form->indnatts;
	index->attnums = palloc(sizeof(AttrNumber) * form->indnatts);
	for (int i = 0; i < form->indnatts; i++)
		index->attnums[i] = form->indkey.values[i];

	datum = SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indexprs, &isnull);
	index->has_exprs = !isnull;
	if (!isnull)
		index->expr_attnums = expression_columns(index->expr_attnums,
												 TextDatumGetCString(datum));
	datum = SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indpred, &isnull);
	index->has_predicate = !isnull;
	if (!isnull)
		index->expr_attnums = expression_columns(index->expr_attnums,
												 TextDatumGetCString(datum));
	ReleaseSysCache(tuple);

	index->constraint = get_index_constraint(indexoid);
	return index->name != NULL ? index : NULL;
}

/* All indexes of an existing relation, invalid ones too. */
List *
ddl_rel_indexes(ZdmRel *rel)
{
	List	   *oids = NIL;
	List	   *result = NIL;
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	ListCell   *lc;

	if (!OidIsValid(rel->relid))
		return NIL;

	catalog_scan_oid(&scan, IndexRelationId, IndexIndrelidIndexId,
					 Anum_pg_index_indrelid, rel->relid);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
		oids = lappend_oid(oids, ((Form_pg_index) GETSTRUCT(tuple))->indexrelid);
	catalog_scan_end(&scan);

	foreach(lc, oids)
	{
		ZdmIndex   *index = ddl_index(lfirst_oid(lc));

		if (index != NULL)
			result = lappend(result, index);
	}
	return result;
}

/* Names of the key columns of a relation's index, without its expressions. */
List *
ddl_index_columns(ZdmRel *rel, ZdmRel *index)
{
	List	   *columns = NIL;
	ZdmIndex   *facts;

	if (!OidIsValid(index->relid))
		return ddl_script_index_columns(index);
	facts = ddl_index(index->relid);
	if (facts == NULL)
		return NIL;
	for (int i = 0; i < facts->nkeyatts; i++)
	{
		if (facts->attnums[i] > 0)
			columns = lappend(columns,
							  makeString(unconstify(char *, ddl_attname(rel, facts->attnums[i]))));
	}
	return columns;
}

static AttrNumber *
attnum_array(HeapTuple tuple, TupleDesc desc, AttrNumber field, int *count)
{
	bool		isnull;
	Datum		datum = heap_getattr(tuple, field, desc, &isnull);
	ArrayType  *array;
	AttrNumber *result;

	*count = 0;
	if (isnull)
		return NULL;
	array = DatumGetArrayTypeP(datum);
	*count = ARR_NDIM(array) == 1 ? ARR_DIMS(array)[0] : 0;
	result = palloc(sizeof(AttrNumber) * Max(*count, 1));
	memcpy(result, ARR_DATA_PTR(array), sizeof(AttrNumber) * *count);
	return result;
}

static ZdmConstraint *
constraint_from_tuple(HeapTuple tuple, TupleDesc desc)
{
	Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);
	ZdmConstraint *con = palloc0(sizeof(ZdmConstraint));
	int			nconfkeys;

	con->oid = form->oid;
	con->name = pstrdup(NameStr(form->conname));
	con->contype = form->contype;
	con->is_valid = form->convalidated;
	con->is_enforced = compat_constraint_is_enforced(form);
	con->is_inherited = form->coninhcount > 0;
	con->conrelid = form->conrelid;
	con->confrelid = form->confrelid;
	con->conindid = form->conindid;
	con->conparentid = form->conparentid;
	con->conkey = attnum_array(tuple, desc, Anum_pg_constraint_conkey, &con->nkeys);
	con->confkey = attnum_array(tuple, desc, Anum_pg_constraint_confkey, &nconfkeys);
	return con;
}

/* All constraints of an existing relation. */
List *
ddl_rel_constraints(ZdmRel *rel)
{
	List	   *result = NIL;
	ZdmCatalogScan scan;
	HeapTuple	tuple;

	if (!OidIsValid(rel->relid))
		return NIL;

	catalog_scan_oid(&scan, ConstraintRelationId, ConstraintRelidTypidNameIndexId,
					 Anum_pg_constraint_conrelid, rel->relid);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		ZdmConstraint *con = constraint_from_tuple(tuple, RelationGetDescr(scan.catalog));
		bool		dropped = false;

		if (rel->script == NULL ||
			!ddl_script_has_constraint(rel, con->name, &dropped) || !dropped)
			result = lappend(result, con);
	}
	catalog_scan_end(&scan);
	return result;
}

/*
 * Foreign keys of other tables, and of the relation itself, that reference
 * it.  pg_constraint has no index by referenced relation, but the triggers on
 * the referenced side name their constraint.
 */
List *
ddl_rel_referencing(ZdmRel *rel)
{
	List	   *oids = NIL;
	List	   *result = NIL;
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	Relation	pg_constraint;
	ListCell   *lc;

	if (!OidIsValid(rel->relid))
		return NIL;

	catalog_scan_oid(&scan, TriggerRelationId, TriggerRelidNameIndexId,
					 Anum_pg_trigger_tgrelid, rel->relid);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

		if (form->tgisinternal && OidIsValid(form->tgconstraint))
			oids = list_append_unique_oid(oids, form->tgconstraint);
	}
	catalog_scan_end(&scan);

	pg_constraint = table_open(ConstraintRelationId, AccessShareLock);
	foreach(lc, oids)
	{
		tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(lfirst_oid(lc)));
		if (!HeapTupleIsValid(tuple))
			continue;
		if (((Form_pg_constraint) GETSTRUCT(tuple))->contype == CONSTRAINT_FOREIGN &&
			((Form_pg_constraint) GETSTRUCT(tuple))->confrelid == rel->relid)
			result = lappend(result,
							 constraint_from_tuple(tuple, RelationGetDescr(pg_constraint)));
		ReleaseSysCache(tuple);
	}
	table_close(pg_constraint, AccessShareLock);
	return result;
}

/* The constraint of that name of an existing relation, or NULL. */
ZdmConstraint *
ddl_constraint(ZdmRel *rel, const char *name)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_constraints(rel))
	{
		ZdmConstraint *con = lfirst(lc);

		if (strcmp(con->name, name) == 0)
			return con;
	}
	return NULL;
}

/* Columns of its own relation that a constraint covers. */
Bitmapset *
ddl_constraint_columns(const ZdmConstraint *con)
{
	Bitmapset  *columns = NULL;

	for (int i = 0; i < con->nkeys; i++)
	{
		if (con->conkey[i] > 0)
			columns = bms_add_member(columns, con->conkey[i]);
	}
	return columns;
}
