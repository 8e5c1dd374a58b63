/*-------------------------------------------------------------------------
 *
 * claims.c
 *	  What deferred steps that are not done yet will make, drop or change.
 *
 * Asked for each statement while there is such a step, so by scans of the
 * ledger's tables, by the index on unfinished steps, and not by SQL.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/varlena.h"
#include "window/claims.h"
#include "window/ledger.h"

/* A row under the names of its columns */
typedef struct Row
{
	Relation	rel;
	HeapTuple	tuple;
} Row;

static Datum
row_value(const Row *row, const char *column, bool *isnull)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(row->rel), column);

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s.%s\" of extension \"zdm\" does not exist",
						column, ZDM_SCHEMA, RelationGetRelationName(row->rel)),
				 errhint("Drop the extension and create it again.")));
	return heap_getattr(row->tuple, attnum, RelationGetDescr(row->rel), isnull);
}

/* NULL for null */
static char *
row_text(const Row *row, const char *column)
{
	bool		isnull;
	Datum		value = row_value(row, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static int64
row_int64(const Row *row, const char *column)
{
	bool		isnull;
	Datum		value = row_value(row, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

static Oid
row_oid(const Row *row, const char *column)
{
	bool		isnull;
	Datum		value = row_value(row, column, &isnull);

	return isnull ? InvalidOid : DatumGetObjectId(value);
}

static bool
row_bool(const Row *row, const char *column)
{
	bool		isnull;
	Datum		value = row_value(row, column, &isnull);

	return !isnull && DatumGetBool(value);
}

static int
row_array(const Row *row, const char *column, Oid type, Datum **elements)
{
	bool		isnull;
	Datum		value = row_value(row, column, &isnull);
	bool	   *nulls;
	int			count = 0;

	if (isnull)
		return 0;
	if (type == TEXTOID)
		deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT,
						  elements, &nulls, &count);
	else
		deconstruct_array(DatumGetArrayTypeP(value), OIDOID, sizeof(Oid), true, TYPALIGN_INT,
						  elements, &nulls, &count);
	return count;
}

/*
 * The relations that the step names.  In a restored copy they are those that
 * have these names now.
 */
static List *
read_targets(const Row *row, bool is_native)
{
	Datum	   *relids;
	Datum	   *names;
	int			count = row_array(row, "relids", OIDOID, &relids);
	List	   *result = NIL;

	if (row_array(row, "relnames", TEXTOID, &names) != count)
		return NIL;
	for (int i = 0; i < count; i++)
	{
		List	   *parts = textToQualifiedNameList(DatumGetTextPP(names[i]));
		ZdmPlanTarget *target = palloc(sizeof(ZdmPlanTarget));

		target->nspname = strVal(linitial(parts));
		target->relname = strVal(llast(parts));
		target->relid = DatumGetObjectId(relids[i]);
		if (!is_native)
			target->relid = RangeVarGetRelid(makeRangeVarFromNameList(parts), NoLock, true);
		else if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(target->relid)))
			target->relid = InvalidOid;
		result = lappend(result, target);
	}
	return result;
}

static List *
read_relids(const Row *row)
{
	Datum	   *relids;
	int			count = row_array(row, "relids", OIDOID, &relids);
	List	   *result = NIL;

	for (int i = 0; i < count; i++)
		result = lappend_oid(result, DatumGetObjectId(relids[i]));
	return result;
}

/* In a restored copy: the table of today that had the OID in the ledger's time */
static Oid
relid_of_today(const ZdmPending *pending, Oid relid)
{
	ListCell   *lc;

	foreach(lc, pending->relids)
	{
		if (lfirst_oid(lc) == relid && foreach_current_index(lc) < list_length(pending->targets))
			return ((ZdmPlanTarget *) list_nth(pending->targets, foreach_current_index(lc)))->relid;
	}
	return InvalidOid;
}

static ZdmClaim *
read_claim(const Row *row)
{
	ZdmClaim   *claim = palloc0(sizeof(ZdmClaim));

	claim->action = row_text(row, "action");
	claim->kind = row_text(row, "kind");
	claim->nspname = row_text(row, "schema_name");
	claim->relid = row_oid(row, "relid");
	claim->name = row_text(row, "name");
	return claim;
}

static int
compare_id(const void *a, const void *b)
{
	int64		left = (*(ZdmPending *const *) a)->id;
	int64		right = (*(ZdmPending *const *) b)->id;

	return left < right ? -1 : left > right ? 1 : 0;
}

/*
 * Fill in the claims of the steps.  One scan for all: their keys are about the
 * latest that there are.
 */
static void
read_claims(List *steps)
{
	Relation	rel = table_open(ledger_relid("claim"), AccessShareLock);
	int			count = list_length(steps);
	ZdmPending **by_id = palloc(sizeof(ZdmPending *) * count);
	ZdmPending	wanted = {0};
	ZdmPending *key_of = &wanted;
	ScanKeyData key;
	SysScanDesc scan;
	Row			row = {rel};
	ListCell   *lc;

	foreach(lc, steps)
		by_id[foreach_current_index(lc)] = lfirst(lc);
	qsort(by_id, count, sizeof(ZdmPending *), compare_id);
	ScanKeyInit(&key, get_attnum(RelationGetRelid(rel), "step_id"), BTGreaterEqualStrategyNumber,
				F_INT8GE, Int64GetDatum(by_id[0]->id));
	scan = systable_beginscan(rel, ledger_relid("claim_step"), true, NULL, 1, &key);
	while (HeapTupleIsValid(row.tuple = systable_getnext(scan)))
	{
		ZdmPending **found;

		wanted.id = row_int64(&row, "step_id");
		found = bsearch(&key_of, by_id, count, sizeof(ZdmPending *), compare_id);
		if (found != NULL)
		{
			ZdmClaim   *claim = read_claim(&row);

			if (!(*found)->is_native)
				claim->relid = relid_of_today(*found, claim->relid);
			(*found)->claims = lappend((*found)->claims, claim);
		}
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

static ZdmPhase
phase_of(const char *name)
{
	return strcmp(name, "contract") == 0 ? ZDM_PHASE_CONTRACT :
		strcmp(name, "migrate") == 0 ? ZDM_PHASE_MIGRATE : ZDM_PHASE_EXPAND;
}

static ZdmPending *
read_pending(const Row *row)
{
	ZdmPending *pending = palloc0(sizeof(ZdmPending));
	bool		is_native = row_oid(row, "database_oid") == MyDatabaseId &&
		(uint64) row_int64(row, "system_identifier") == GetSystemIdentifier();

	pending->id = row_int64(row, "id");
	pending->statement_id = row_int64(row, "statement_id");
	pending->window_id = row_int64(row, "window_id");
	pending->phase = phase_of(row_text(row, "phase"));
	pending->is_running = strcmp(row_text(row, "state"), "running") == 0;
	pending->sql = row_text(row, "sql");
	pending->targets = read_targets(row, is_native);
	pending->is_native = is_native;
	pending->relids = read_relids(row);
	return pending;
}

static int
compare_pending(const ListCell *a, const ListCell *b)
{
	const ZdmPending *left = lfirst(a);
	const ZdmPending *right = lfirst(b);

	if (left->phase != right->phase)
		return left->phase < right->phase ? -1 : 1;
	return left->id < right->id ? -1 : left->id > right->id ? 1 : 0;
}

List *
claims_pending(void)
{
	Relation	rel = table_open(ledger_relid("step"), AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, ledger_relid("step_unfinished"), true, NULL, 0, NULL);
	Row			row = {rel};
	List	   *result = NIL;

	while (HeapTupleIsValid(row.tuple = systable_getnext(scan)))
	{
		CHECK_FOR_INTERRUPTS();
		if (row_bool(&row, "deferred") && !row_bool(&row, "is_undo"))
			result = lappend(result, read_pending(&row));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	if (result != NIL)
		read_claims(result);
	list_sort(result, compare_pending);
	return result;
}

const char *
claims_window_name(int64 window_id)
{
	Relation	rel = table_open(ledger_relid("window"), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	Row			row = {rel};
	const char *result = NULL;

	ScanKeyInit(&key, get_attnum(RelationGetRelid(rel), "id"), BTEqualStrategyNumber,
				F_INT8EQ, Int64GetDatum(window_id));
	scan = systable_beginscan(rel, ledger_relid("window_pkey"), true, NULL, 1, &key);
	row.tuple = systable_getnext(scan);
	if (HeapTupleIsValid(row.tuple))
		result = row_text(&row, "name");
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return result;
}

/* A worker that is about to begin with the step has its row locked for a moment. */
bool
claims_cancel(int64 step_id)
{
	static const Oid types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(step_id)};
	LedgerScope scope;
	uint64		count;

	ledger_begin(&scope);
	count = ledger_execute("UPDATE zdm.step SET state = 'cancelled', finished_at = clock_timestamp()"
						   " WHERE id = $1 AND state IN ('queued', 'failed')",
						   lengthof(types), types, values, NULL);
	ledger_end(&scope);
	return count > 0;
}

void
claims_rename(const ZdmPending *pending, const char *sql, const char *from, const char *to,
			  const char *done_sql, const char *undo_sql)
{
	static const Oid types[] = {INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID};
	Datum		values[] = {Int64GetDatum(pending->id), CStringGetTextDatum(sql),
		CStringGetTextDatum(from), CStringGetTextDatum(to), CStringGetTextDatum(done_sql),
	CStringGetTextDatum(undo_sql), Int64GetDatum(ledger_new_id())};
	LedgerScope scope;

	ledger_begin(&scope);
	ledger_execute("WITH step AS (UPDATE zdm.step SET sql = $2 WHERE id = $1 RETURNING *),"
				   " claim AS (UPDATE zdm.claim SET name = $4 WHERE step_id = $1 AND name = $3)"
				   " INSERT INTO zdm.step (id, statement_id, window_id, ordinal, phase, sql, undo_sql,"
				   "  settings, relids, relnames, system_identifier, database_oid, deferred, state, finished_at)"
				   " SELECT $7, statement_id, window_id,"
				   "  (SELECT max(s.ordinal) + 1 FROM zdm.step s WHERE s.statement_id = step.statement_id),"
				   "  'expand', $5, $6, settings, relids, relnames, system_identifier, database_oid,"
				   "  true, 'done', clock_timestamp() FROM step",
				   lengthof(types), types, values, NULL);
	ledger_end(&scope);
}

void
claims_forget(const ZdmPending *pending, const ZdmClaim *claim, const char *sql)
{
	static const Oid types[] = {INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID};
	Datum		values[] = {Int64GetDatum(pending->id), CStringGetTextDatum(claim->kind),
		CStringGetTextDatum(claim->name), CStringGetTextDatum(claim->nspname ? claim->nspname : ""),
	CStringGetTextDatum(sql ? sql : pending->sql)};
	LedgerScope scope;

	ledger_begin(&scope);
	ledger_execute("WITH step AS (UPDATE zdm.step SET sql = $5 WHERE id = $1)"
				   " DELETE FROM zdm.claim WHERE step_id = $1 AND kind = $2 AND name = $3"
				   "  AND coalesce(schema_name, '') = $4",
				   lengthof(types), types, values, NULL);
	ledger_end(&scope);
}
