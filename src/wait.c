/*-------------------------------------------------------------------------
 *
 * wait.c
 *	  zdm_wait(): until the deferred steps that can be carried out are done.
 *
 * It looks again and again, each time in a transaction of its own, and sleeps
 * outside of any.  So nobody waits for it, least of all the steps.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "hook.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "run/launcher.h"
#include "run/restart.h"
#include "run/slots.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
#include "window/ledger.h"
#include "window/queue_sql.h"
#include "window/window.h"

PG_FUNCTION_INFO_V1(zdm_wait);

/* milliseconds */
#define LOOK_FIRST		50
#define LOOK_LATER		500
#define NOTICE_PAUSE	1000

/* What the look at the queue has found; in a context of its own. */
typedef struct Queue
{
	int64		done;
	int64		unfinished;		/* of windows that go on */
	int64		held;			/* of windows that do not */
	const char *held_window;
	bool		held_is_foreign;	/* its window came with a dump or copy */
	const char *held_by;		/* who has paused it, a sentence */
	const char *progress;		/* what goes on, for people */
	const char *failed_id;		/* the first failed step, or NULL */
	const char *failed_sql;
	const char *failed_window;
	const char *last_error;
} Queue;

typedef struct Wait
{
	int64		window_id;		/* 0: all windows */
	TimestampTz deadline;		/* DT_NOEND: none */
	TimestampTz notice_at;
	char	   *last_notice;
	bool		said_starved;
	bool		said_held;
	MemoryContext context;		/* survives transactions */
	MemoryContext look_context; /* until the next look */
} Wait;

#define AWAITED	"($1 = 0 OR p.window_id = $1) AND " QUEUE_AWAITED

/*
 * What is unfinished, those that run first.  A window that is ending is not
 * done before it says so, whatever its steps say.  SQL and errors are shown to
 * the author, and to those who may read zdm_steps.
 */
static const char unfinished_sql[] =
"SELECT p.id, w.name, p.state,"
" CASE WHEN NOT may_see THEN '<insufficient privilege>' WHEN p.is_undo THEN p.undo_sql ELSE p.sql END,"
" CASE WHEN may_see OR p.last_error IS NULL THEN p.last_error ELSE '<insufficient privilege>' END,"
" w.paused OR foreign_window AS held, foreign_window, z.pid,"
" CASE WHEN z.total > 0 THEN format('%s of %s blocks', z.done, z.total) END,"
" array_to_string(z.waits_for, ', '),"
" CASE WHEN p.retry_at > clock_timestamp() THEN p.retry_at END,"
" CASE WHEN w.paused_by IS NULL THEN '' ELSE format('Paused by %s at %s. ', w.paused_by, w.paused_at::timestamptz(0)) END"
" FROM zdm.window w CROSS JOIN LATERAL (SELECT w.system_identifier <> $2 OR w.database_oid <> $3 AS foreign_window) AS f"
" LEFT JOIN (zdm.step p LEFT JOIN zdm.progress z ON z.step_id = p.id) ON p.window_id = w.id AND " AWAITED
" AND p.state IN ('queued', 'running', 'failed')"
" LEFT JOIN zdm.statement t ON t.id = p.statement_id"
" LEFT JOIN pg_roles r ON r.rolname = t.role"
" CROSS JOIN LATERAL (SELECT pg_has_role($4, 'pg_read_all_stats', 'USAGE')"
"  OR coalesce(pg_has_role($4, r.oid, 'USAGE'), false) AS may_see) AS s"
" WHERE (w.state = 'open' AND p.id IS NOT NULL OR w.state IN ('closing', 'aborting')) AND ($1 = 0 OR w.id = $1)"
" ORDER BY z.pid IS NULL, p.id";

static const char done_sql[] =
"SELECT count(*) FROM zdm.step p JOIN zdm.window w ON w.id = p.window_id WHERE " AWAITED
" AND p.state IN ('done', 'undone')";

/* A column of the current result, palloc'd in the current context; or NULL. */
static char *
column(uint64 row, int number)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number);
}

static bool
is_true(uint64 row, int number)
{
	return column(row, number)[0] == 't';
}

/* One line about a step. */
static char *
describe(uint64 row)
{
	StringInfoData buf;
	const char *pid = column(row, 8);

	initStringInfo(&buf);
	if (column(row, 1) == NULL)
	{
		appendStringInfo(&buf, "Window \"%s\" is about to end.", column(row, 2));
		return buf.data;
	}
	appendStringInfo(&buf, "Step %s of window \"%s\"", column(row, 1), column(row, 2));
	if (pid != NULL)
		appendStringInfo(&buf, " runs in process %s", pid);
	else if (column(row, 11) != NULL)
		appendStringInfo(&buf, " is tried again at %s after: %s", column(row, 11),
						 column(row, 5) ? column(row, 5) : "an error");
	else
		appendStringInfoString(&buf, " waits for its turn");
	if (column(row, 9) != NULL)
		appendStringInfo(&buf, ", %s", column(row, 9));
	if (column(row, 10) != NULL && column(row, 10)[0] != '\0')
		appendStringInfo(&buf, ", waiting for process %s", column(row, 10));
	appendStringInfo(&buf, ": %s", column(row, 4));
	return buf.data;
}

/* Take in one row; true if it is a failed step, and the rest does not matter. */
static bool
add_row(Queue *queue, uint64 row, MemoryContext context)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(context);
	const char *state = column(row, 3);
	bool		failed = state != NULL && strcmp(state, "failed") == 0;

	if (failed)
	{
		queue->failed_id = column(row, 1);
		queue->failed_window = column(row, 2);
		queue->failed_sql = column(row, 4);
		queue->last_error = column(row, 5);
	}
	else if (is_true(row, 6))
	{
		if (queue->held == 0)
		{
			queue->held_window = column(row, 2);
			queue->held_is_foreign = is_true(row, 7);
			queue->held_by = queue->held_is_foreign ? "" : column(row, 12);
		}
		queue->held++;
	}
	else
	{
		if (queue->unfinished == 0)
			queue->progress = describe(row);
		queue->unfinished++;
	}
	MemoryContextSwitchTo(oldcontext);
	return failed;
}

/* Look at the queue; needs a transaction. */
static Queue *
look(const Wait *wait)
{
	static const Oid types[] = {INT8OID, INT8OID, OIDOID, OIDOID};
	Queue	   *queue = MemoryContextAllocZero(wait->look_context, sizeof(Queue));
	Datum		values[lengthof(types)];
	LedgerScope scope;
	uint64		count;
	bool		isnull;

	values[0] = Int64GetDatum(wait->window_id);
	values[1] = Int64GetDatum((int64) GetSystemIdentifier());
	values[2] = ObjectIdGetDatum(MyDatabaseId);
	values[3] = ObjectIdGetDatum(GetUserId());
	ledger_begin(&scope);
	count = ledger_execute(unfinished_sql, lengthof(types), types, values, NULL);
	for (uint64 i = 0; i < count && !add_row(queue, i, wait->look_context);)
		i++;
	(void) ledger_execute(done_sql, 1, types, values, NULL);
	queue->done = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
											  &isnull));
	ledger_end(&scope);
	return queue;
}

static void
report_failure(const Queue *queue)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("step %s of window \"%s\" has failed: %s", queue->failed_id,
					queue->failed_window, queue->last_error ? queue->last_error : "unknown error"),
			 errdetail("The step is: %s", queue->failed_sql),
			 errhint("When the reason is gone, SELECT zdm_retry(%s); or give the step up with SELECT zdm_cancel(%s).",
					 queue->failed_id, queue->failed_id)));
}

static void
report_held(const Queue *queue)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 queue->held_is_foreign ?
			 errmsg("window \"%s\" was opened in another database, of which this one is a copy",
					queue->held_window) :
			 errmsg("window \"%s\" is paused", queue->held_window),
			 errdetail_plural("%s%lld deferred step is not carried out.",
							  "%s%lld deferred steps are not carried out.",
							  (long) queue->held, queue->held_by, (long long) queue->held),
			 errhint("SELECT zdm_resume(%s); goes on with it.",
					 quote_literal_cstr(queue->held_window))));
}

static void
report_no_worker(const Queue *queue)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg_plural("%lld deferred step waits, and this server has no workers",
						   "%lld deferred steps wait, and this server has no workers",
						   (long) queue->unfinished, (long long) queue->unfinished),
			 errdetail("Workers need zdm in shared_preload_libraries."),
			 errhint("CALL zdm_run(); carries the steps out in this session.")));
}

static void
report_timeout(const Queue *queue)
{
	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg_plural("timeout while waiting for %lld deferred step",
						   "timeout while waiting for %lld deferred steps",
						   (long) queue->unfinished, (long long) queue->unfinished),
			 errdetail("%s", queue->progress),
			 errhint("The work goes on; CALL zdm_wait(); waits again, and zdm_steps shows how far it is.")));
}

/* Say how far it is, once a second at most, and only if that is news. */
static void
report_progress(Wait *wait, const Queue *queue)
{
	TimestampTz now = GetCurrentTimestamp();
	char	   *notice;

	if (now < wait->notice_at)
		return;
	wait->notice_at = TimestampTzPlusMilliseconds(now, NOTICE_PAUSE);
	if (!wait->said_held && queue->held > 0)
	{
		wait->said_held = true;
		window_report_held(wait->window_id);
	}
	notice = psprintf("%lld of %lld deferred steps are done", (long long) queue->done,
					  (long long) (queue->done + queue->unfinished + queue->held));
	if (wait->last_notice == NULL ||
		strcmp(wait->last_notice, psprintf("%s\n%s", notice, queue->progress)) != 0)
	{
		wait->last_notice = MemoryContextStrdup(wait->context,
												psprintf("%s\n%s", notice, queue->progress));
		ereport(NOTICE, (errmsg("%s", notice), errdetail("%s", queue->progress)));
	}
	if (!wait->said_starved && slots_starved())
	{
		wait->said_starved = true;
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no background process is left for the deferred steps"),
				 errhint("Raise max_worker_processes and restart the server, or CALL zdm_run() to carry the steps out in this session.")));
	}
}

void
wait_check_failed(int64 window_id)
{
	Wait		wait = {0};
	const Queue *queue;

	wait.window_id = window_id;
	wait.look_context = CurrentMemoryContext;
	queue = look(&wait);
	if (queue->failed_id != NULL)
		report_failure(queue);
}

/* Is there nothing left to wait for?  Raises what makes waiting useless. */
static bool
is_done(Wait *wait, const Queue *queue)
{
	if (queue->failed_id != NULL)
		report_failure(queue);
	if (queue->unfinished == 0 && queue->held > 0)
		report_held(queue);
	if (queue->unfinished == 0)
		return true;
	if (!launcher_is_loaded())
		report_no_worker(queue);
	if (GetCurrentTimestamp() >= wait->deadline)
		report_timeout(queue);
	report_progress(wait, queue);
	return false;
}

/* Outside a transaction. */
static void
sleep_until_next_look(long milliseconds)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds,
					 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* In a transaction with a snapshot, and returns in another one without. */
static void
wait_for_queue(Wait *wait)
{
	long		pause = LOOK_FIRST;

	for (;;)
	{
		bool		done;

		MemoryContextReset(wait->look_context);
		MemoryContextSwitchTo(wait->look_context);
		done = is_done(wait, look(wait));
		restart_commit();
		if (done)
			break;
		sleep_until_next_look(Min(pause, Max(1, TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
																				wait->deadline))));
		pause = Min(pause * 2, LOOK_LATER);
		restart_begin_step(wait->context);
	}
	StartTransactionCommand();
}

static TimestampTz
deadline_of(const Interval *timeout)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz deadline = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
																   TimestampTzGetDatum(now),
																   IntervalPGetDatum(timeout)));

	if (deadline < now)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("timeout must not be negative")));
	return deadline;
}

/* CALL zdm_wait(name, timeout) */
Datum
zdm_wait(PG_FUNCTION_ARGS)
{
	const CallContext *call = castNode(CallContext, fcinfo->context);
	MemoryContext oldcontext = CurrentMemoryContext;
	Wait		wait = {0};

	if (call->atomic || SPI_inside_nonatomic_context() || IsInTransactionBlock(true))
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_WINDOW_MISUSE),
				 errmsg("zdm_wait() cannot be called where it cannot commit"),
				 errdetail("A transaction that is open while it waits could be what it waits for."),
				 errhint("CALL zdm_wait(); as a statement of its own, outside a transaction block.")));
	PreventCommandDuringRecovery("zdm_wait()");
	PreventInTransactionBlock(true, "zdm_wait()");

	if (!PG_ARGISNULL(0))
		wait.window_id = window_latest_id(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	wait.deadline = PG_ARGISNULL(1) ? DT_NOEND : deadline_of(PG_GETARG_INTERVAL_P(1));
	wait.context = AllocSetContextCreate(PortalContext, "zdm wait", ALLOCSET_SMALL_SIZES);
	wait.look_context = AllocSetContextCreate(wait.context, "zdm look", ALLOCSET_SMALL_SIZES);
	wait.notice_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), NOTICE_PAUSE);
	launcher_wake();
	wait_for_queue(&wait);

	/* so that what follows in a pipeline does not join this transaction */
	PreventInTransactionBlock(true, "zdm_wait()");
	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(wait.context);
	PG_RETURN_VOID();
}
