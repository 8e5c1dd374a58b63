/*-------------------------------------------------------------------------
 *
 * control.c
 *	  zdm_pause(), zdm_resume(), zdm_retry(), zdm_cancel()
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "window/action.h"
#include "window/ledger.h"
#include "window/queue.h"
#include "window/queue_sql.h"
#include "window/window.h"

PG_FUNCTION_INFO_V1(zdm_pause);
PG_FUNCTION_INFO_V1(zdm_resume);
PG_FUNCTION_INFO_V1(zdm_retry);
PG_FUNCTION_INFO_V1(zdm_cancel);

/* A deferred step, as it is now; its row is locked. */
typedef struct StepRow
{
	int64		id;
	int64		statement_id;
	const char *state;
	const char *sql;
	const char *window_name;	/* NULL: its window is over */
} StepRow;

/* Between ledger_begin() and ledger_end(), as all below. */
static void
set_paused(const OpenWindow *window, bool paused)
{
	static const Oid types[] = {INT8OID, BOOLOID, NAMEOID};
	Datum		values[lengthof(types)];

	values[0] = Int64GetDatum(window->id);
	values[1] = BoolGetDatum(paused);
	values[2] = DirectFunctionCall1(namein,
									CStringGetDatum(GetUserNameFromId(GetSessionUserId(), false)));
	ledger_execute("UPDATE zdm.window SET paused = $2,"
				   " paused_by = CASE WHEN $2 THEN $3 END,"
				   " paused_at = CASE WHEN $2 THEN clock_timestamp() END"
				   " WHERE id = $1 AND NOT (paused AND $2)",
				   lengthof(types), types, values, NULL);
}

/* zdm_pause(name) */
Datum
zdm_pause(PG_FUNCTION_ARGS)
{
	char	   *name = action_text_arg(fcinfo, 0);
	LedgerScope scope;

	action_prevent_if_read_only("zdm_pause()");
	ledger_begin(&scope);
	set_paused(action_find_window(name, CurrentMemoryContext, true), true);
	ledger_end(&scope);
	PG_RETURN_VOID();
}

/* zdm_resume(name) */
Datum
zdm_resume(PG_FUNCTION_ARGS)
{
	char	   *name = action_text_arg(fcinfo, 0);
	LedgerScope scope;
	OpenWindow *window;

	action_prevent_if_read_only("zdm_resume()");
	ledger_begin(&scope);
	window = action_find_window(name, CurrentMemoryContext, true);
	if (!window->is_native)
		window_adopt(window);
	set_paused(window, false);
	ledger_end(&scope);
	window_wake_workers();
	PG_RETURN_VOID();
}

/* A window that does not go on, with its steps. */
static void
report_held(HeapTuple tuple, TupleDesc desc)
{
	const char *name = SPI_getvalue(tuple, desc, 1);
	const char *by = SPI_getvalue(tuple, desc, 2);
	bool		is_native = SPI_getvalue(tuple, desc, 4)[0] == 't';
	char	   *count = SPI_getvalue(tuple, desc, 5);

	ereport(NOTICE,
			(is_native ? errmsg("window \"%s\" is paused", name) :
			 errmsg("window \"%s\" was opened in another database, of which this one is a copy", name),
			 is_native && by != NULL ?
			 errdetail("Paused by %s at %s. Deferred steps that are not carried out: %s.",
					   by, SPI_getvalue(tuple, desc, 3), count) :
			 errdetail("Deferred steps that are not carried out: %s.", count),
			 errhint("SELECT zdm_resume(%s); goes on with it.", quote_literal_cstr(name))));
}

void
window_report_held(int64 window_id)
{
	static const Oid types[] = {INT8OID, INT8OID, OIDOID};
	Datum		values[] = {Int64GetDatum(window_id), Int64GetDatum((int64) GetSystemIdentifier()),
	ObjectIdGetDatum(MyDatabaseId)};
	LedgerScope scope;
	uint64		count;

	ledger_begin(&scope);
	count = ledger_execute("SELECT w.name, w.paused_by, w.paused_at::timestamptz(0)::text,"
						   "  w.system_identifier = $2 AND w.database_oid = $3, count(p.id)"
						   " FROM zdm.window w LEFT JOIN zdm.step p ON p.window_id = w.id AND " QUEUE_AWAITED
						   "  AND p.state IN ('queued', 'running', 'failed')"
						   " WHERE w.state IN ('open', 'closing', 'aborting') AND $1 IN (0, w.id)"
						   "  AND (w.paused OR w.system_identifier <> $2 OR w.database_oid <> $3)"
						   " GROUP BY w.id HAVING count(p.id) > 0 OR $1 <> 0 ORDER BY w.id",
						   lengthof(types), types, values, NULL);
	for (uint64 i = 0; i < count; i++)
		report_held(SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
	ledger_end(&scope);
}

/* Raises if there is no such step, or it is none of a window. */
static StepRow *
find_step(int64 step_id)
{
	static const Oid types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(step_id)};
	StepRow    *row;

	if (ledger_execute("SELECT s.statement_id, s.state, s.sql,"
					   "  (SELECT name FROM zdm.window w WHERE w.id = s.window_id"
					   "   AND w.state NOT IN ('closed', 'aborted'))"
					   " FROM zdm.step s WHERE s.id = $1 AND s.deferred FOR UPDATE OF s",
					   lengthof(types), types, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("deferred step " INT64_FORMAT " does not exist", step_id),
				 errhint("SELECT id, state, sql FROM zdm_steps; shows the steps.")));
	row = palloc(sizeof(StepRow));
	row->id = step_id;
	row->statement_id = strtoi64(SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1),
								 NULL, 10);
	row->state = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	row->sql = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3);
	row->window_name = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 4);
	if (row->window_name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_WINDOW_MISUSE),
				 errmsg("the window of step " INT64_FORMAT " is over", step_id)));
	return row;
}

pg_noreturn static void
report_wrong_state(const StepRow *row, const char *action)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("step " INT64_FORMAT " cannot be %s: it is %s", row->id, action, row->state),
			 errdetail("%s", row->sql)));
}

static void
execute_on_step(const char *sql, int64 step_id)
{
	static const Oid types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(step_id)};

	ledger_execute(sql, lengthof(types), types, values, NULL);
}

/* zdm_retry(step) */
Datum
zdm_retry(PG_FUNCTION_ARGS)
{
	int64		step_id = PG_GETARG_INT64(0);
	LedgerScope scope;
	StepRow    *row;

	action_prevent_if_read_only("zdm_retry()");
	ledger_begin(&scope);
	row = find_step(step_id);
	if (strcmp(row->state, "failed") != 0)
		report_wrong_state(row, "tried again");
	execute_on_step("UPDATE zdm.step SET state = 'queued', retry_at = NULL WHERE id = $1", step_id);
	action_start_work(action_find_window(row->window_name, CurrentMemoryContext, false));
	ledger_end(&scope);
	PG_RETURN_VOID();
}

/*
 * Cancel what the session does that runs the step: the lock on it tells who.
 * It undoes what it has done of the step, and finds it given up.
 */
static void
cancel_session(int64 step_id)
{
	execute_on_step("SELECT pg_cancel_backend(pid) FROM pg_locks"
					" WHERE locktype = 'advisory' AND objsubid = 3 AND granted"
					" AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
					" AND classid::bigint = $1 >> 32 AND objid::bigint = $1 & 4294967295", step_id);
}

/*
 * The view that has a relation's new name stands for what the step would have
 * made of it: who gives the rename up gives the name up.  As a step, since
 * clients may be using the view.
 */
static void
take_view_away(const StepRow *row)
{
	static const Oid types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(row->id)};

	if (ledger_execute("UPDATE zdm.step e SET state = 'queued', is_undo = true, attempts = 0,"
					   "  last_error = NULL, retry_at = NULL, finished_at = NULL, position = NULL"
					   " FROM zdm.step s WHERE s.id = $1 AND s.phase = 'contract' AND NOT s.is_undo"
					   " AND EXISTS (SELECT FROM zdm.claim c WHERE c.step_id = s.id AND c.action = 'make')"
					   " AND e.statement_id = s.statement_id AND e.deferred AND e.phase = 'expand'"
					   " AND e.state = 'done' AND e.undo_sql LIKE 'DROP VIEW %'"
					   " AND starts_with(s.sql, e.undo_sql || ';') RETURNING e.undo_sql",
					   lengthof(types), types, values, NULL) == 0)
		return;
	ereport(NOTICE,
			(errmsg("the view that has the new name is taken away: %s",
					SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1)),
			 errdetail("Clients that use the new name fail from then on; the relation keeps its old name.")));
	action_start_work(action_find_window(row->window_name, CurrentMemoryContext, false));
}

/*
 * The later steps of the statement build on this one.  Says which they are,
 * and what of the statement stays.
 */
static void
cancel_later_steps(const StepRow *row)
{
	static const Oid types[] = {INT8OID, INT8OID};
	Datum		values[] = {Int64GetDatum(row->statement_id), Int64GetDatum(row->id)};
	char	   *stays;
	uint64		count;

	count = ledger_execute("UPDATE zdm.step SET state = 'cancelled', finished_at = clock_timestamp()"
						   " WHERE statement_id = $1 AND id > $2 AND deferred AND NOT is_undo"
						   " AND state IN ('queued', 'failed') RETURNING id, sql",
						   lengthof(types), types, values, NULL);
	for (uint64 i = 0; i < count; i++)
		ereport(NOTICE,
				(errmsg("step %s is cancelled too: %s",
						SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1),
						SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2)),
				 errdetail("It is a later part of the same statement.")));

	stays = action_query_text("SELECT string_agg(undo_sql || ';', ' ' ORDER BY id DESC) FROM zdm.step"
							  " WHERE statement_id = $1 AND deferred AND state = 'done' AND undo_sql IS NOT NULL",
							  INT8OID, values[0]);
	if (stays != NULL)
		ereport(NOTICE,
				(errmsg("what the statement has done already stays until the window is aborted"),
				 errdetail("What would undo it: %s", stays)));
}

/* zdm_cancel(step) */
Datum
zdm_cancel(PG_FUNCTION_ARGS)
{
	int64		step_id = PG_GETARG_INT64(0);
	LedgerScope scope;
	StepRow    *row;

	action_prevent_if_read_only("zdm_cancel()");
	ledger_begin(&scope);
	row = find_step(step_id);
	if (strcmp(row->state, "queued") != 0 && strcmp(row->state, "running") != 0 &&
		strcmp(row->state, "failed") != 0)
		report_wrong_state(row, "cancelled");
	execute_on_step("UPDATE zdm.step SET state = 'cancelled', finished_at = clock_timestamp()"
					" WHERE id = $1", step_id);
	take_view_away(row);
	cancel_later_steps(row);
	if (strcmp(row->state, "running") == 0)
		cancel_session(step_id);
	ledger_end(&scope);

	/* it may have been the last one of a window that ends */
	(void) queue_finish_windows();
	window_wake_workers();
	PG_RETURN_VOID();
}
