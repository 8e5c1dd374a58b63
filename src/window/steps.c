/*-------------------------------------------------------------------------
 *
 * steps.c
 *	  zdm.step: how far each statement has come that is carried out in steps.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/xlog.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "window/ledger.h"
#include "window/steps.h"

/* attribute numbers in zdm.step */
#define Anum_step_state	9
#define Anum_step_deferred	18

/* attribute numbers of zdm.made */
enum
{
	Anum_made_statement_id = 1,
	Anum_made_ordinal,
	Anum_made_relid,
	Natts_made = Anum_made_relid
};

static const char *const state_names[] = {"queued", "running", "done"};

static Datum
text_or_null(const char *string, char *isnull)
{
	*isnull = string ? ' ' : 'n';
	return string ? CStringGetTextDatum(string) : (Datum) 0;
}

static void
add_one(int64 statement_id, int64 window_id, int ordinal, const ZdmStep *step)
{
	static const Oid types[] = {INT8OID, INT8OID, INT8OID, INT4OID, TEXTOID, TEXTOID,
	TEXTOID, TEXTOID, BOOLOID, OIDOID, INT8OID, OIDOID};
	Datum		values[lengthof(types)];
	char		nulls[lengthof(types)];

	memset(nulls, ' ', sizeof(nulls));
	values[0] = Int64GetDatum(ledger_new_id());
	values[1] = Int64GetDatum(statement_id);
	values[2] = Int64GetDatum(window_id);
	nulls[2] = window_id != 0 ? ' ' : 'n';
	values[3] = Int32GetDatum(ordinal);
	values[4] = CStringGetTextDatum(zdm_phase_name(step->phase));
	values[5] = CStringGetTextDatum(step->sql);
	values[6] = text_or_null(step->undo_sql, &nulls[6]);
	values[7] = text_or_null(step->lock_mode == NoLock ? NULL :
							 GetLockmodeName(DEFAULT_LOCKMETHOD, step->lock_mode), &nulls[7]);
	values[8] = BoolGetDatum(step->forward);
	values[9] = ObjectIdGetDatum(step->undo_relid);
	nulls[9] = OidIsValid(step->undo_relid) ? ' ' : 'n';
	values[10] = Int64GetDatum((int64) GetSystemIdentifier());
	values[11] = ObjectIdGetDatum(MyDatabaseId);
	ledger_execute("INSERT INTO zdm.step (id, statement_id, window_id, ordinal, phase, sql, undo_sql,"
				   "  lock_mode, forward, relid, system_identifier, database_oid)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
				   lengthof(types), types, values, nulls);
}

void
steps_add(int64 statement_id, int64 window_id, List *steps)
{
	LedgerScope scope;
	int			ordinal = 1;
	ListCell   *lc;

	ledger_begin(&scope);
	foreach(lc, steps)
		add_one(statement_id, window_id, ordinal++, lfirst(lc));
	ledger_end(&scope);
}

/* Run a command about one step, whose $1 and $2 are its key. */
static void
change_one(const char *sql, int64 statement_id, int ordinal, const char *value)
{
	static const Oid types[] = {INT8OID, INT4OID, TEXTOID};
	Datum		values[] = {Int64GetDatum(statement_id), Int32GetDatum(ordinal),
	CStringGetTextDatum(value)};
	LedgerScope scope;

	ledger_begin(&scope);
	ledger_execute(sql, lengthof(types), types, values, NULL);
	ledger_end(&scope);
}

void
steps_set_state(int64 statement_id, int ordinal, ZdmStepState state)
{
	change_one("UPDATE zdm.step SET state = $3, attempts = attempts + ($3 = 'running')::int,"
			   "  started_at = CASE WHEN $3 = 'running' THEN clock_timestamp() ELSE started_at END"
			   " WHERE statement_id = $1 AND ordinal = $2",
			   statement_id, ordinal, state_names[state]);
	if (state != ZDM_STEP_DONE)
		return;
	change_one("DELETE FROM zdm.made WHERE statement_id = $1 AND NOT EXISTS"
			   " (SELECT FROM zdm.step WHERE statement_id = $1 AND state <> 'done')",
			   statement_id, ordinal, "");

	/* with its last step a deferred one is done that it carries out */
	change_one("UPDATE zdm.step SET state = CASE WHEN is_undo THEN 'undone' ELSE 'done' END,"
			   "  finished_at = clock_timestamp(), last_error = NULL"
			   " WHERE id = (SELECT part_of FROM zdm.statement WHERE id = $1) AND NOT EXISTS"
			   " (SELECT FROM zdm.step WHERE statement_id = $1 AND state <> 'done')",
			   statement_id, ordinal, "");
}

void
steps_set_position(int64 statement_id, int ordinal, const char *position)
{
	change_one("UPDATE zdm.step SET position = $3 WHERE statement_id = $1 AND ordinal = $2",
			   statement_id, ordinal, position);
}

void
steps_add_made(int64 statement_id, int ordinal, List *oids)
{
	Relation	rel = table_open(ledger_relid("made"), RowExclusiveLock);
	ListCell   *lc;

	foreach(lc, oids)
	{
		Datum		values[Natts_made];
		bool		nulls[Natts_made] = {0};
		HeapTuple	tuple;

		values[Anum_made_statement_id - 1] = Int64GetDatum(statement_id);
		values[Anum_made_ordinal - 1] = Int32GetDatum(ordinal);
		values[Anum_made_relid - 1] = ObjectIdGetDatum(lfirst_oid(lc));
		tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
		CatalogTupleInsert(rel, tuple);
		heap_freetuple(tuple);
	}
	table_close(rel, RowExclusiveLock);
}

/* A text column of the current result row, palloc'd in the context; or NULL. */
static const char *
result_text(uint64 row, int column, MemoryContext context)
{
	char	   *value = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);

	return value ? MemoryContextStrdup(context, value) : NULL;
}

static ZdmStepState
state_of(const char *name)
{
	for (int state = 0; state < lengthof(state_names); state++)
	{
		if (strcmp(state_names[state], name) == 0)
			return state;
	}
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("step in state \"%s\" cannot be undone", name)));
}

/* Oids of a space-separated list, or NIL. */
static List *
parse_oids(const char *string)
{
	List	   *result = NIL;
	char	   *end;

	while (string != NULL && *string != '\0')
	{
		result = lappend_oid(result, (Oid) strtoul(string, &end, 10));
		string = *end == '\0' ? end : end + 1;
	}
	return result;
}

List *
steps_of(int64 statement_id)
{
	static const Oid types[] = {INT8OID, INT8OID, OIDOID};
	Datum		values[] = {Int64GetDatum(statement_id),
		Int64GetDatum((int64) GetSystemIdentifier()),
	ObjectIdGetDatum(MyDatabaseId)};
	MemoryContext context = CurrentMemoryContext;
	LedgerScope scope;
	List	   *result = NIL;
	uint64		count;

	ledger_begin(&scope);
	count = ledger_execute("SELECT ordinal, sql, undo_sql, state, forward, coalesce(s.relid, 0),"
						   " (SELECT string_agg(m.relid::text, ' ') FROM zdm.made m"
						   "  WHERE m.statement_id = s.statement_id AND m.ordinal = s.ordinal),"
						   " system_identifier = $2 AND database_oid = $3"
						   " FROM zdm.step s WHERE statement_id = $1 ORDER BY ordinal",
						   lengthof(types), types, values, NULL);
	for (uint64 i = 0; i < count; i++)
	{
		MemoryContext oldcontext;
		ZdmStepRow *row = MemoryContextAllocZero(context, sizeof(ZdmStepRow));

		row->ordinal = atoi(result_text(i, 1, context));
		row->sql = result_text(i, 2, context);
		row->undo_sql = result_text(i, 3, context);
		row->state = state_of(result_text(i, 4, context));
		row->forward = result_text(i, 5, context)[0] == 't';
		row->is_native = result_text(i, 8, context)[0] == 't';
		if (row->is_native)
			row->relid = (Oid) strtoul(result_text(i, 6, context), NULL, 10);
		oldcontext = MemoryContextSwitchTo(context);
		row->made = parse_oids(result_text(i, 7, context));
		result = lappend(result, row);
		MemoryContextSwitchTo(oldcontext);
	}
	ledger_end(&scope);
	return result;
}

/* By the partial index on them, unless it is about to be dropped. */
bool
steps_any_unfinished(void)
{
	Relation	rel = table_open(ledger_relid("step"), AccessShareLock);
	Oid			indexoid = get_relname_relid("step_unfinished", RelationGetNamespace(rel));
	SysScanDesc scan = systable_beginscan(rel, indexoid, OidIsValid(indexoid), NULL, 0, NULL);
	bool		result = false;
	HeapTuple	tuple;

	while (!result && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		TupleDesc	desc = RelationGetDescr(rel);
		bool		isnull;
		char	   *state = TextDatumGetCString(heap_getattr(tuple, Anum_step_state, desc, &isnull));

		if (!DatumGetBool(heap_getattr(tuple, Anum_step_deferred, desc, &isnull)))
			result = state_of(state) != ZDM_STEP_DONE;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return result;
}

List *
steps_unfinished(int64 window_id, const char *role)
{
	static const Oid types[] = {INT8OID, TEXTOID};
	char		nulls[] = {' ', ' '};
	Datum		values[2];
	MemoryContext context = CurrentMemoryContext;
	LedgerScope scope;
	List	   *result = NIL;
	uint64		count;

	values[0] = Int64GetDatum(window_id);
	values[1] = text_or_null(role, &nulls[1]);
	ledger_begin(&scope);
	count = ledger_execute("SELECT id, command, sql, role FROM zdm.statement s"
						   " WHERE id IN (SELECT statement_id FROM zdm.step"
						   "  WHERE state IN ('queued', 'running', 'failed') AND NOT deferred)"
						   " AND ($1 = 0 OR window_id = $1) AND ($2 IS NULL OR role = $2)"
						   " ORDER BY id DESC",
						   lengthof(types), types, values, nulls);
	for (uint64 i = 0; i < count; i++)
	{
		MemoryContext oldcontext;
		ZdmUnfinished *statement = MemoryContextAlloc(context, sizeof(ZdmUnfinished));

		statement->statement_id = strtoll(result_text(i, 1, context), NULL, 10);
		statement->command = result_text(i, 2, context);
		statement->sql = result_text(i, 3, context);
		statement->role = result_text(i, 4, context);
		oldcontext = MemoryContextSwitchTo(context);
		result = lappend(result, statement);
		MemoryContextSwitchTo(oldcontext);
	}
	ledger_end(&scope);
	return result;
}

void
steps_forget(int64 statement_id)
{
	static const Oid types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(statement_id)};
	LedgerScope scope;

	ledger_begin(&scope);
	ledger_execute("DELETE FROM zdm.made WHERE statement_id = $1",
				   lengthof(types), types, values, NULL);
	ledger_execute("DELETE FROM zdm.step WHERE statement_id = $1",
				   lengthof(types), types, values, NULL);
	ledger_execute("DELETE FROM zdm.statement WHERE id = $1",
				   lengthof(types), types, values, NULL);
	ledger_end(&scope);
}
