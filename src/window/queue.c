/*-------------------------------------------------------------------------
 *
 * queue.c
 *	  Deferred steps: parts of statements that wait for a worker, for
 *	  zdm_run(), or for the end of their window.
 *
 * They are rows of zdm.step with deferred set, written by the transaction that
 * the statement came in, so that they come and go with it.
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
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/varlena.h"
#include "window/ledger.h"
#include "window/queue.h"
#include "window/queue_sql.h"
#include "window/stored_sql.h"
#include "window/window.h"

/* attribute number in zdm.step */
#define Anum_step_deferred	18

/* transient errors are tried again after a second, then two, four, ... */
#define LONGEST_RETRY_SECONDS	60

/* the settings that change what a statement means */
static const char *const kept_settings[] = {
	"search_path",
	"standard_conforming_strings",
	"backslash_quote",
	"DateStyle",
	"IntervalStyle",
	"TimeZone",
	"timezone_abbreviations",
	"extra_float_digits",
	"array_nulls",
	"xmloption",
	"xmlbinary",
	"quote_all_identifiers",
	"transform_null_equals",
	"default_tablespace",
	"default_table_access_method",
	"default_toast_compression",
	"default_text_search_config",
	"check_function_bodies",
	"lc_monetary",
	"lc_numeric",
	"lc_time",
	"row_security",
};

static Datum
text_or_null(const char *string, char *isnull)
{
	*isnull = string ? ' ' : 'n';
	return string ? CStringGetTextDatum(string) : (Datum) 0;
}

/* name=value of each setting as it is now */
static Datum
current_settings(void)
{
	Datum		values[lengthof(kept_settings)];
	int			count = 0;

	for (int i = 0; i < lengthof(kept_settings); i++)
	{
		const char *value = GetConfigOption(kept_settings[i], true, false);

		if (value != NULL)
			values[count++] = CStringGetTextDatum(psprintf("%s=%s", kept_settings[i], value));
	}
	return PointerGetDatum(construct_array(values, count, TEXTOID, -1, false, TYPALIGN_INT));
}

static Datum
target_relids(List *targets)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(list_length(targets), 1));
	ListCell   *lc;

	foreach(lc, targets)
		values[foreach_current_index(lc)] = ObjectIdGetDatum(((ZdmPlanTarget *) lfirst(lc))->relid);
	return PointerGetDatum(construct_array(values, list_length(targets), OIDOID, sizeof(Oid),
										   true, TYPALIGN_INT));
}

static Datum
target_names(List *targets)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(list_length(targets), 1));
	ListCell   *lc;

	foreach(lc, targets)
	{
		const ZdmPlanTarget *target = lfirst(lc);

		values[foreach_current_index(lc)] =
			CStringGetTextDatum(quote_qualified_identifier(target->nspname, target->relname));
	}
	return PointerGetDatum(construct_array(values, list_length(targets), TEXTOID, -1, false,
										   TYPALIGN_INT));
}

static void
add_claim(int64 step_id, const ZdmClaim *claim)
{
	static const Oid types[] = {INT8OID, TEXTOID, TEXTOID, TEXTOID, OIDOID, TEXTOID};
	Datum		values[lengthof(types)];
	char		nulls[lengthof(types)];

	memset(nulls, ' ', sizeof(nulls));
	values[0] = Int64GetDatum(step_id);
	values[1] = CStringGetTextDatum(claim->action);
	values[2] = CStringGetTextDatum(claim->kind);
	values[3] = text_or_null(claim->nspname, &nulls[3]);
	values[4] = ObjectIdGetDatum(claim->relid);
	nulls[4] = OidIsValid(claim->relid) ? ' ' : 'n';
	values[5] = CStringGetTextDatum(claim->name);
	ledger_execute("INSERT INTO zdm.claim (step_id, action, kind, schema_name, relid, name)"
				   " VALUES ($1, $2, $3, $4, $5, $6)",
				   lengthof(types), types, values, nulls);
}

static void
add_part(int64 statement_id, int64 window_id, int ordinal, const ZdmPart *part, Datum settings)
{
	static const Oid types[] = {INT8OID, INT8OID, INT8OID, INT4OID, TEXTOID, TEXTOID, TEXTOID,
	TEXTOID, TEXTARRAYOID, OIDARRAYOID, TEXTARRAYOID, INT8OID, OIDOID, TEXTOID, TEXTOID};
	Datum		values[lengthof(types)];
	char		nulls[lengthof(types)];
	int64		id = ledger_new_id();
	ListCell   *lc;

	memset(nulls, ' ', sizeof(nulls));
	values[0] = Int64GetDatum(id);
	values[1] = Int64GetDatum(statement_id);
	values[2] = Int64GetDatum(window_id);
	values[3] = Int32GetDatum(ordinal);
	values[4] = CStringGetTextDatum(zdm_phase_name(part->phase));
	values[5] = CStringGetTextDatum(stored_sql_portable(part->sql));
	values[6] = text_or_null(stored_sql_portable(part->undo_sql), &nulls[6]);
	values[7] = text_or_null(stored_sql_portable(part->verify_sql), &nulls[7]);
	values[8] = settings;
	values[9] = target_relids(part->targets);
	values[10] = target_names(part->targets);
	values[11] = Int64GetDatum((int64) GetSystemIdentifier());
	values[12] = ObjectIdGetDatum(MyDatabaseId);
	values[13] = text_or_null(part->lock_mode == NoLock ? NULL :
							  GetLockmodeName(DEFAULT_LOCKMETHOD, part->lock_mode), &nulls[13]);
	values[14] = text_or_null(part->loss, &nulls[14]);
	ledger_execute("INSERT INTO zdm.step (id, statement_id, window_id, ordinal, phase, sql, undo_sql,"
				   "  verify_sql, settings, relids, relnames, system_identifier, database_oid,"
				   "  lock_mode, loss, deferred, state, finished_at)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, true,"
				   "  CASE $5 WHEN 'expand' THEN 'done' ELSE 'queued' END,"
				   "  CASE $5 WHEN 'expand' THEN clock_timestamp() END)",
				   lengthof(types), types, values, nulls);
	foreach(lc, part->claims)
		add_claim(id, lfirst(lc));
}

/* One that was carried out in steps has rows already. */
static int
next_ordinal(int64 statement_id)
{
	static const Oid types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(statement_id)};
	bool		isnull;

	ledger_execute("SELECT coalesce(max(ordinal), 0) + 1 FROM zdm.step WHERE statement_id = $1",
				   lengthof(types), types, values, NULL);
	return DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

void
queue_add(int64 statement_id, int64 window_id, List *parts)
{
	Datum		settings = current_settings();
	LedgerScope scope;
	int			ordinal;
	ListCell   *lc;

	ledger_begin(&scope);
	ordinal = next_ordinal(statement_id);
	foreach(lc, parts)
		add_part(statement_id, window_id, ordinal++, lfirst(lc), settings);
	ledger_end(&scope);
	window_wake_workers();
}

/* By the partial index on unfinished steps, unless it is about to be dropped. */
bool
queue_any(void)
{
	Relation	rel = table_open(ledger_relid("step"), AccessShareLock);
	Oid			indexoid = get_relname_relid("step_unfinished", RelationGetNamespace(rel));
	SysScanDesc scan = systable_beginscan(rel, indexoid, OidIsValid(indexoid), NULL, 0, NULL);
	bool		result = false;
	HeapTuple	tuple;

	while (!result && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;

		result = DatumGetBool(heap_getattr(tuple, Anum_step_deferred, RelationGetDescr(rel), &isnull));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return result;
}

void
queue_release(const ZdmQueued *queued)
{
	ledger_unlock(queued->id);
}

/* The steps that could run now as far as the ledger knows, in their order. */
#define RUNNABLE \
	QUEUE_OPEN \
	" SELECT o.id, o.statement_id, o.window_id, o.phase," \
	"  CASE WHEN o.is_undo THEN o.undo_sql ELSE o.sql END, o.is_undo, t.role, t.session_role," \
	"  o.attempts, o.settings, o.relids, o.relnames, o.is_native" \
	" FROM open o JOIN zdm.statement t ON t.id = o.statement_id" \
	" WHERE ($5 = 0 OR o.id = $5) AND ($2 IS NULL OR t.session_role = $2)" \
	"  AND (" QUEUE_IS_DUE " OR ($2 IS NULL AND " QUEUE_NEEDS_SESSION "))" \
	"  AND " QUEUE_HAS_TURN \
	" ORDER BY CASE WHEN o.is_undo THEN -o.id ELSE o.id END"

List *
queue_result_targets(uint64 row, int oids, int names)
{
	bool		isnull;
	Datum		array = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, oids, &isnull);
	List	   *relnames = ledger_result_texts(row, names);
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	List	   *result = NIL;

	if (isnull)
		return NIL;
	deconstruct_array(DatumGetArrayTypeP(array), OIDOID, sizeof(Oid), true, TYPALIGN_INT,
					  &elements, &nulls, &count);
	for (int i = 0; i < count && i < list_length(relnames); i++)
	{
		ZdmPlanTarget *target = palloc(sizeof(ZdmPlanTarget));
		List	   *parts = textToQualifiedNameList(cstring_to_text(list_nth(relnames, i)));

		target->relid = DatumGetObjectId(elements[i]);
		target->nspname = strVal(linitial(parts));
		target->relname = strVal(llast(parts));
		result = lappend(result, target);
	}
	return result;
}

static char *
result_text(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

/* A row of RUNNABLE, in the current context */
static ZdmQueued *
read_queued(uint64 row)
{
	ZdmQueued  *queued = palloc0(sizeof(ZdmQueued));

	queued->id = strtoi64(result_text(row, 1), NULL, 10);
	queued->statement_id = strtoi64(result_text(row, 2), NULL, 10);
	queued->window_id = strtoi64(result_text(row, 3), NULL, 10);
	queued->phase = result_text(row, 4);
	queued->sql = result_text(row, 5);
	queued->is_undo = result_text(row, 6)[0] == 't';
	queued->role = result_text(row, 7);
	queued->session_role = result_text(row, 8);
	queued->attempts = atoi(result_text(row, 9));
	queued->settings = ledger_result_texts(row, 10);
	if (result_text(row, 13)[0] == 't')
		queued->targets = queue_result_targets(row, 11, 12);
	return queued;
}

/* Of one step only if step_id is not 0. */
static uint64
find_runnable(int64 window_id, const char *session_role, int64 step_id)
{
	static const Oid types[] = {INT8OID, TEXTOID, INT8OID, OIDOID, INT8OID};
	Datum		values[lengthof(types)];
	char		nulls[] = "     ";

	values[0] = Int64GetDatum(window_id);
	values[1] = text_or_null(session_role, &nulls[1]);
	values[2] = Int64GetDatum((int64) GetSystemIdentifier());
	values[3] = ObjectIdGetDatum(MyDatabaseId);
	values[4] = Int64GetDatum(step_id);
	return ledger_execute(RUNNABLE, lengthof(types), types, values, nulls);
}

/*
 * Take the lock of one step and believe its row only then: who held the lock a
 * moment ago has changed the row since.
 */
static ZdmQueued *
take_step(int64 step_id, MemoryContext context)
{
	ZdmQueued  *queued = NULL;
	ZdmQueued	gone = {.id = step_id};

	if (!ledger_lock(step_id))
		return NULL;
	if (find_runnable(0, NULL, step_id) > 0)
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(context);

		queued = read_queued(0);
		MemoryContextSwitchTo(oldcontext);
	}
	else
		queue_release(&gone);
	return queued;
}

/*
 * Could the session's user SET ROLE to it?  A role that is gone is the step's
 * failure, and nobody else's.
 */
static bool
can_act_as(const char *role)
{
	Oid			roleid = get_role_oid(role, true);

	return !OidIsValid(roleid) || compat_can_set_role(GetSessionUserId(), roleid);
}

ZdmQueued *
queue_take(int64 window_id, const char *session_role, const char **denied_role, bool *is_busy)
{
	MemoryContext context = CurrentMemoryContext;
	ZdmQueued  *queued = NULL;
	LedgerScope scope;
	uint64		count;
	int64	   *ids;

	ledger_begin(&scope);
	count = find_runnable(window_id, session_role, 0);
	ids = palloc0(sizeof(int64) * Max(count, 1));
	for (uint64 i = 0; i < count; i++)
	{
		char	   *role = result_text(i, 7);

		if (session_role != NULL || can_act_as(role))
			ids[i] = strtoi64(result_text(i, 1), NULL, 10);
		else
			*denied_role = MemoryContextStrdup(context, role);
	}
	*is_busy = false;
	for (uint64 i = 0; i < count && queued == NULL; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (ids[i] == 0)
			continue;
		queued = take_step(ids[i], context);
		*is_busy = queued == NULL;
	}
	ledger_end(&scope);
	return queued;
}

/* Run a command about one step, whose $1 is its key. */
static void
change_step(const char *sql, int64 step_id, const char *value)
{
	static const Oid types[] = {INT8OID, TEXTOID};
	char		nulls[] = "  ";
	Datum		values[2];
	LedgerScope scope;

	values[0] = Int64GetDatum(step_id);
	values[1] = text_or_null(value, &nulls[1]);
	ledger_begin(&scope);
	ledger_execute(sql, lengthof(types), types, values, nulls);
	ledger_end(&scope);
}

bool
queue_is_open(int64 step_id)
{
	static const Oid types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(step_id)};
	LedgerScope scope;
	bool		result;

	ledger_begin(&scope);
	result = ledger_execute("SELECT FROM zdm.step WHERE id = $1 AND state IN ('queued', 'running')",
							lengthof(types), types, values, NULL) > 0;
	ledger_end(&scope);
	return result;
}

void
queue_want_now(int64 window_id)
{
	change_step("UPDATE zdm.step SET retry_at = NULL WHERE deferred AND state = 'queued'"
				"  AND retry_at IS NOT NULL AND $1 IN (0, window_id) AND $2 IS NULL",
				window_id, NULL);
}

void
queue_set_running(const ZdmQueued *queued)
{
	change_step("UPDATE zdm.step SET state = 'running', attempts = attempts + 1,"
				"  started_at = clock_timestamp(), retry_at = NULL"
				" WHERE id = $1 AND state IN ('queued', 'running', 'failed') AND $2 IS NULL",
				queued->id, NULL);
}

void
queue_set_done(int64 step_id)
{
	change_step("UPDATE zdm.step SET state = CASE WHEN is_undo THEN 'undone' ELSE 'done' END,"
				"  finished_at = clock_timestamp(), last_error = NULL WHERE id = $1 AND $2 IS NULL",
				step_id, NULL);
}

/* One that was cancelled meanwhile stays so. */
void
queue_set_failed(const ZdmQueued *queued, const char *error, bool transient)
{
	if (transient)
		change_step(psprintf("UPDATE zdm.step SET state = 'queued', last_error = $2,"
							 "  retry_at = clock_timestamp() + least(power(2, attempts - 1), %d) * interval '1 s'"
							 " WHERE id = $1 AND state IN ('queued', 'running')", LONGEST_RETRY_SECONDS),
					queued->id, error);
	else
		change_step("UPDATE zdm.step SET state = 'failed', last_error = $2"
					" WHERE id = $1 AND state IN ('queued', 'running')",
					queued->id, error);
}

bool
queue_finish_windows(void)
{
	LedgerScope scope;
	uint64		changed;

	ledger_begin(&scope);
	changed = ledger_execute("UPDATE zdm.window w"
							 " SET state = CASE w.state WHEN 'closing' THEN 'closed' ELSE 'aborted' END,"
							 "  ended_at = clock_timestamp()"
							 " WHERE w.state IN ('closing', 'aborting')"
							 "  AND NOT EXISTS (SELECT FROM zdm.step s WHERE s.window_id = w.id AND s.deferred"
							 "   AND s.state IN ('queued', 'running', 'failed'))",
							 0, NULL, NULL, NULL);
	ledger_end(&scope);
	return changed > 0;
}
