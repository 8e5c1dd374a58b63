/*-------------------------------------------------------------------------
 *
 * alias.c
 *	  Views that have the name that a table gets when a window ends.
 *
 * A deferred step that renames a relation claims the new name; the view that
 * has it in the meantime selects from that relation, and from nothing else.
 * So the catalog says what it stands for, also in a restored copy of the
 * database, and whatever the relation is called by then.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_rewrite.h"
#include "miscadmin.h"
#include "rewrite/rewriteSupport.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "window/alias.h"
#include "window/ledger.h"

/* attribute numbers in the ledger's tables */
#define Anum_claim_step_id		1
#define Anum_claim_action		2
#define Anum_claim_kind			3
#define Anum_claim_schema_name	4
#define Anum_claim_name			6
#define Anum_step_id			1
#define Anum_step_window_id		3
#define Anum_step_state			9
#define Anum_window_id			1
#define Anum_window_state		3

/* Is the text column of the row that string? */
static bool
column_is(HeapTuple tuple, Relation rel, AttrNumber attnum, const char *string)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, attnum, RelationGetDescr(rel), &isnull);

	return !isnull && strcmp(TextDatumGetCString(value), string) == 0;
}

static bool
is_aborting(int64 window_id)
{
	Relation	rel = table_open(ledger_relid("window"), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		result;

	ScanKeyInit(&key, Anum_window_id, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(window_id));
	scan = systable_beginscan(rel, ledger_relid("window_pkey"), true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	result = HeapTupleIsValid(tuple) && column_is(tuple, rel, Anum_window_state, "aborting");
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return result;
}

/*
 * Is the step still to come?  One that is given up with its window leaves the
 * view until what has been done before is undone, the last first.
 */
static bool
is_pending(int64 step_id)
{
	Relation	rel = table_open(ledger_relid("step"), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		result = false;

	ScanKeyInit(&key, Anum_step_id, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(step_id));
	scan = systable_beginscan(rel, ledger_relid("step_pkey"), true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		window_id = heap_getattr(tuple, Anum_step_window_id, RelationGetDescr(rel),
											 &isnull);

		result = column_is(tuple, rel, Anum_step_state, "queued") ||
			column_is(tuple, rel, Anum_step_state, "running") ||
			column_is(tuple, rel, Anum_step_state, "failed") ||
			(column_is(tuple, rel, Anum_step_state, "cancelled") && !isnull &&
			 is_aborting(DatumGetInt64(window_id)));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return result;
}

/* The deferred step that will give a relation that name, or 0. */
static int64
claiming_step(const char *nspname, const char *relname)
{
	Relation	rel = table_open(ledger_relid("claim"), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	int64		found = 0;

	ScanKeyInit(&key, Anum_claim_name, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(relname));
	key.sk_collation = DEFAULT_COLLATION_OID;
	scan = systable_beginscan(rel, ledger_relid("claim_name"), true, NULL, 1, &key);
	while (found == 0 && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		int64		step_id = DatumGetInt64(heap_getattr(tuple, Anum_claim_step_id,
														 RelationGetDescr(rel), &isnull));

		CHECK_FOR_INTERRUPTS();
		if (column_is(tuple, rel, Anum_claim_action, "make") &&
			column_is(tuple, rel, Anum_claim_kind, "relation") &&
			column_is(tuple, rel, Anum_claim_schema_name, nspname) &&
			is_pending(step_id))
			found = step_id;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* The only relation that the view selects from, or InvalidOid. */
static Oid
selected_relation(Oid viewid)
{
	Oid			ruleid = get_rewrite_oid(viewid, ViewSelectRuleName, true);
	Relation	rel;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			result = InvalidOid;
	bool		several = false;

	if (!OidIsValid(ruleid))
		return InvalidOid;
	rel = table_open(DependRelationId, AccessShareLock);
	ScanKeyInit(&keys[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RewriteRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(ruleid));
	scan = systable_beginscan(rel, DependDependerIndexId, true, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		if (form->refclassid != RelationRelationId || form->refobjid == viewid ||
			form->refobjid == result)
			continue;
		several |= OidIsValid(result);
		result = form->refobjid;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return several ? InvalidOid : result;
}

int64
alias_step(Oid relid)
{
	char	   *relname = get_rel_name(relid);
	char	   *nspname = relname ? get_namespace_name(get_rel_namespace(relid)) : NULL;

	return nspname ? claiming_step(nspname, relname) : 0;
}

Oid
alias_table(Oid relid)
{
	return alias_step(relid) != 0 ? selected_relation(relid) : InvalidOid;
}

/* The view whose rule that is, or InvalidOid. */
static Oid
view_of_rule(Oid ruleid)
{
	Relation	rel = table_open(RewriteRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			result = InvalidOid;

	ScanKeyInit(&key, Anum_pg_rewrite_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(ruleid));
	scan = systable_beginscan(rel, RewriteOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		result = ((Form_pg_rewrite) GETSTRUCT(tuple))->ev_class;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return result;
}

static int
by_oid(const ListCell *a, const ListCell *b)
{
	return lfirst_oid(a) < lfirst_oid(b) ? -1 : lfirst_oid(a) > lfirst_oid(b);
}

List *
alias_views(Oid relid)
{
	Relation	rel = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *views = NIL;
	List	   *result = NIL;
	ListCell   *lc;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, DependReferenceIndexId, true, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		CHECK_FOR_INTERRUPTS();
		if (form->classid == RewriteRelationId)
			views = list_append_unique_oid(views, view_of_rule(form->objid));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);

	list_sort(views, by_oid);
	foreach(lc, views)
	{
		Oid			viewid = lfirst_oid(lc);

		if (viewid != relid && get_rel_relkind(viewid) == RELKIND_VIEW &&
			alias_table(viewid) == relid)
			result = lappend_oid(result, viewid);
	}
	return result;
}
