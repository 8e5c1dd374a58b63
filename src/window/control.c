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

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "window/action.h"
#include "window/ledger.h"
#include "window/queue.h"
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
	static const Oid types[] = {INT8OID, BOOLOID};
	Datum		values[] = {Int64GetDatum(window->id), BoolGetDatum(paused)};

	ledger_execute("UPDATE zdm.window SET paused = $2 WHERE id = $1",
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
	cancel_later_steps(row);
	if (strcmp(row->state, "running") == 0)
		cancel_session(step_id);
	ledger_end(&scope);

	/* it may have been the last one of a window that ends */
	(void) queue_finish_windows();
	window_wake_workers();
	PG_RETURN_VOID();
}
