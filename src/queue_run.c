/*-------------------------------------------------------------------------
 *
 * queue_run.c
 *	  Carries deferred steps out: for workers, and for zdm_run().
 *
 * A deferred step is a statement that goes through the guard as if its author
 * sent it now in autocommit, with what it waited for being over: so its plan
 * rests on the facts of now, and if it fails nothing of it is left.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "hook.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "pgstat.h"
#include "run/restart.h"
#include "run/slots.h"
#include "run/worker.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "window/queue.h"
#include "window/stored_sql.h"
#include "window/window.h"

#define OTHERS_POLL_MS	100
#define NOTICE_PAUSE_MS	1000

/* One deferred step on its way. */
typedef struct QueueRun
{
	const ZdmQueued *queued;
	List	   *outer_settings; /* char *: name=value, to be restored */
	ErrorData  *error;			/* with which it has failed, or NULL */
	MemoryContext context;		/* survives transactions */
} QueueRun;

/* Set a setting of the session for longer than the transaction. */
static void
set_setting(const char *assignment)
{
	const char *equals = strchr(assignment, '=');

	(void) set_config_option(pnstrdup(assignment, equals - assignment), equals + 1,
							 superuser() ? PGC_SUSET : PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SET, true, 0, false);
}

static char *
current_setting_of(const char *assignment)
{
	char	   *name = pnstrdup(assignment, strchr(assignment, '=') - assignment);
	const char *value = GetConfigOption(name, true, false);

	return value ? psprintf("%s=%s", name, value) : NULL;
}

/* Have its functions a right here that its author had not when he sent it? */
static bool
is_of_other_user(const ZdmQueued *queued)
{
	return strcmp(GetUserNameFromId(GetSessionUserId(), false), queued->session_role) != 0;
}

/*
 * Read the step as its author would: with his rights and settings.  In a
 * transaction of its own, so that this outlasts those of the step.
 */
static void
become_author(QueueRun *run)
{
	const ZdmQueued *queued = run->queued;
	bool		restricted;
	ListCell   *lc;

	restart_begin_step(run->context);
	if (strcmp(GetUserNameFromId(GetUserId(), false), queued->role) != 0)
	{
		run->outer_settings = lappend(run->outer_settings,
									  psprintf("role=%s", GetConfigOption("role", false, false)));
		set_setting(psprintf("role=%s", queued->role));
	}
	foreach(lc, queued->settings)
	{
		char	   *outer = current_setting_of(lfirst(lc));

		if (outer == NULL)
			continue;
		/* also if they are equal: a function of the step could change it */
		run->outer_settings = lappend(run->outer_settings, outer);
		if (strcmp(outer, lfirst(lc)) != 0)
			set_setting(lfirst(lc));
	}
	restricted = is_of_other_user(queued);
	restart_commit();
	restart_restrict(restricted);
}

/*
 * A cancel must not come in between: what the client sends next would run as
 * somebody else.
 */
static void
be_oneself(QueueRun *run)
{
	ListCell   *lc;

	restart_restrict(false);
	HOLD_INTERRUPTS();
	restart_begin_step(run->context);
	foreach(lc, run->outer_settings)
	{
		char	   *now = current_setting_of(lfirst(lc));

		if (now == NULL || strcmp(now, lfirst(lc)) != 0)
			set_setting(lfirst(lc));
	}
	restart_commit();
	RESUME_INTERRUPTS();
	run->outer_settings = NIL;
}

/*
 * Where one of its relations is gone the statement itself says so, unless
 * another one has taken the name.
 */
static void
check_is_free(const ZdmPlanTarget *target)
{
	Oid			nspoid = get_namespace_oid(target->nspname, true);

	if (OidIsValid(nspoid) && OidIsValid(get_relname_relid(target->relname, nspoid)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s.%s\" was dropped and made anew since the statement was sent",
						target->nspname, target->relname)));
}

/* The targets that are left, with the names that they have now */
static List *
current_targets(const QueueRun *run)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, run->queued->targets)
	{
		ZdmPlanTarget *target = palloc(sizeof(ZdmPlanTarget));

		*target = *(const ZdmPlanTarget *) lfirst(lc);
		target->relname = get_rel_name(target->relid);
		if (target->relname == NULL)
		{
			check_is_free(lfirst(lc));
			continue;
		}
		target->nspname = get_namespace_name(get_rel_namespace(target->relid));
		result = lappend(result, target);
	}
	return result;
}

/*
 * What a session that is gone has left of the step, or of another of the role,
 * goes first.  False if that has come to its end in doing so.
 */
static bool
recover_first(QueueRun *run)
{
	bool		is_open;

	restart_begin_step(run->context);
	(void) rewrite_recover(true);
	restart_commit();
	restart_begin_step(run->context);
	is_open = queue_is_open(run->queued->id);
	restart_commit();
	return is_open;
}

/* One statement goes through the guard; others are a step as they are. */
static void
carry_out(QueueRun *run)
{
	ZdmUtility	utility = {0};
	const char *sql;
	List	   *targets;
	List	   *stmts;

	if (!recover_first(run))
		return;
	restart_begin_step(run->context);
	targets = current_targets(run);
	sql = stored_sql_now(run->queued->sql, run->queued->targets);
	stmts = raw_parser(sql, RAW_PARSE_DEFAULT);
	utility.pstmt = makeNode(PlannedStmt);
	utility.pstmt->commandType = CMD_UTILITY;
	utility.pstmt->utilityStmt = linitial_node(RawStmt, stmts)->stmt;
	utility.query = sql;
	utility.context = PROCESS_UTILITY_TOPLEVEL;
	utility.dest = None_Receiver;
	if (list_length(stmts) == 1 && !IsA(utility.pstmt->utilityStmt, UpdateStmt))
		guard_carry_out(&utility, run->queued);
	else
		guard_carry_out_sql(sql, run->queued, targets);
	restart_commit();
}

static void
set_running(QueueRun *run)
{
	restart_begin_step(run->context);
	queue_set_running(run->queued);
	restart_commit();
}

static bool
is_transient(int sqlerrcode)
{
	switch (sqlerrcode)
	{
		case ERRCODE_LOCK_NOT_AVAILABLE:
		case ERRCODE_T_R_DEADLOCK_DETECTED:
		case ERRCODE_T_R_SERIALIZATION_FAILURE:
		case ERRCODE_OBJECT_IN_USE:
			return true;
		default:
			return ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_INSUFFICIENT_RESOURCES ||
				ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_CONNECTION_EXCEPTION;
	}
}

static char *
describe_error(const ErrorData *error)
{
	int			asked_by = slots_asked_by();

	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED && asked_by != 0)
		return psprintf("made way for process %d, which needs a lock that the step held", asked_by);
	return psprintf("%s (%s)%s%s", error->message, unpack_sql_state(error->sqlerrcode),
					error->detail ? "; " : "", error->detail ? error->detail : "");
}

static void
report_failure(const QueueRun *run, const ErrorData *error)
{
	int64		id = run->queued->id;

	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("deferred step " INT64_FORMAT " failed: %s", id, error->message),
			 error->detail ? errdetail("%s", error->detail) : 0,
			 is_transient(error->sqlerrcode) ? errhint("It is tried again after a while.") :
			 errhint("When the cause is mended: SELECT zdm_retry(" INT64_FORMAT "); to give it up: SELECT zdm_cancel(" INT64_FORMAT ");",
					 id, id)));
}

/* A failure is a fact of the step; a cancel is one of this session. */
static void
note_failure(QueueRun *run, ErrorData *error)
{
	bool		ends_session = error->sqlerrcode == ERRCODE_QUERY_CANCELED;

	restart_abort();
	MemoryContextSwitchTo(run->context);
	be_oneself(run);
	restart_begin_step(run->context);
	queue_set_failed(run->queued, describe_error(error),
					 ends_session || is_transient(error->sqlerrcode));
	restart_commit();
	if (ends_session)
	{
		restart_begin_step(run->context);
		ReThrowError(error);
	}
	report_failure(run, error);
}

static void
finish_windows(QueueRun *run)
{
	restart_begin_step(run->context);
	(void) queue_finish_windows();
	restart_commit();
}

/* Carry it out; run->error is why it has failed, or NULL. */
static void
run_one(QueueRun *run)
{
	PG_TRY();
	{
		set_running(run);
		become_author(run);
		carry_out(run);
		be_oneself(run);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(run->context);
		run->error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();

	/* what is raised now must not leave the session's lock on the step */
	PG_TRY();
	{
		if (run->error != NULL)
			note_failure(run, run->error);
		finish_windows(run);
	}
	PG_CATCH();
	{
		restart_restrict(false);
		queue_release(run->queued);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

/* What queue_run_all() has met. */
typedef struct QueueOutcome
{
	int			failures;
	char	   *first;			/* failure, for people */
	int			sqlerrcode;		/* of it */
	const char *denied_role;	/* whose steps this user must not run; or NULL */
	bool		is_busy;		/* somebody else is running what is left */
	int			done;			/* steps carried out */
	TimestampTz notice_at;		/* not before: the last was a moment ago */
	MemoryContext context;		/* survives transactions */
} QueueOutcome;

/* Tell what begins, once a second at most. */
static void
report_begun(QueueOutcome *outcome, const ZdmQueued *queued)
{
	TimestampTz now = GetCurrentTimestamp();

	if (outcome == NULL || now < outcome->notice_at)
		return;
	outcome->notice_at = TimestampTzPlusMilliseconds(now, NOTICE_PAUSE_MS);
	ereport(NOTICE,
			(errmsg("deferred step " INT64_FORMAT " is carried out: %s", queued->id, queued->sql),
			 outcome->done > 0 ? errdetail_plural("%d step is done.", "%d steps are done.",
												  outcome->done, outcome->done) : 0));
}

static void
note_outcome(QueueOutcome *outcome, const QueueRun *run)
{
	const ErrorData *error = run->error;

	if (outcome == NULL)
		return;
	if (error == NULL)
		outcome->done++;
	if (error == NULL || outcome->failures++ > 0)
		return;
	MemoryContextSwitchTo(outcome->context);
	outcome->sqlerrcode = error->sqlerrcode;
	outcome->first = psprintf("deferred step " INT64_FORMAT " failed: %s", run->queued->id,
							  error->message);
}

/* The outcome may be NULL. */
static bool
run_next(int64 window_id, const char *session_role, QueueOutcome *outcome)
{
	MemoryContext oldcontext = CurrentMemoryContext;
	QueueRun	run = {0};
	const char *denied_role = NULL;
	bool		is_busy;
	bool		found;

	run.context = AllocSetContextCreate(PortalContext, "zdm deferred step", ALLOCSET_SMALL_SIZES);
	restart_commit();
	restart_begin_step(run.context);
	run.queued = queue_take(window_id, session_role, &denied_role, &is_busy);
	restart_commit();
	if (run.queued != NULL)
	{
		worker_report(run.queued->sql, run.queued->attempts);
		report_begun(outcome, run.queued);
		run_one(&run);
		queue_release(run.queued);
		note_outcome(outcome, &run);
	}
	StartTransactionCommand();
	MemoryContextSwitchTo(oldcontext);
	if (outcome != NULL)
		outcome->is_busy = is_busy;
	if (outcome != NULL && denied_role != NULL)
		outcome->denied_role = MemoryContextStrdup(outcome->context, denied_role);
	found = run.queued != NULL;
	MemoryContextDelete(run.context);
	return found;
}

bool
queue_run_next(int64 window_id, const char *session_role)
{
	return run_next(window_id, session_role, NULL);
}

static void
report_outcome(const QueueOutcome *outcome)
{
	if (outcome->failures > 0)
		ereport(ERROR,
				(errcode(outcome->sqlerrcode),
				 errmsg("%s", outcome->first),
				 outcome->failures > 1 ? errdetail("It is the first of %d that failed.",
												   outcome->failures) : 0,
				 errhint("The others have been carried out as far as they do not wait for it; zdm_steps shows what is left.")));
	if (outcome->denied_role != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to carry out deferred steps of role \"%s\"",
						outcome->denied_role),
				 errhint("Call zdm_run() as that role, a member of it, or a superuser.")));
}

/*
 * Wait for somebody else, who runs what comes before the rest, without a
 * transaction; tell the first time.
 */
static void
pause_outside(bool *told)
{
	if (!*told)
		ereport(NOTICE,
				(errmsg("waiting for another session that carries out a deferred step")));
	*told = true;
	restart_commit();
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, OTHERS_POLL_MS,
					 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	StartTransactionCommand();
}

/*
 * Who carried the last step out may not have come to it yet.  And say which
 * windows have steps that do not go on.
 */
static void
finish_last_windows(int64 window_id, MemoryContext context)
{
	restart_commit();
	restart_begin_step(context);
	(void) queue_finish_windows();
	window_report_held(window_id);
	restart_commit();
	StartTransactionCommand();
}

/* A step that had failed before is not tried again, but its error is raised. */
static void
check_failed(int64 window_id, MemoryContext context)
{
	restart_commit();
	restart_begin_step(context);
	wait_check_failed(window_id);
	restart_commit();
	StartTransactionCommand();
}

void
queue_run_all(int64 window_id)
{
	MemoryContext oldcontext = CurrentMemoryContext;
	QueueOutcome outcome = {0};
	bool		told = false;

	outcome.context = AllocSetContextCreate(PortalContext, "zdm queue", ALLOCSET_SMALL_SIZES);
	restart_commit();
	restart_begin_step(outcome.context);
	queue_want_now(window_id);
	/* what has just been recovered can have been the last step of one */
	(void) queue_finish_windows();
	while (run_next(window_id, NULL, &outcome) || outcome.is_busy)
	{
		CHECK_FOR_INTERRUPTS();
		if (outcome.is_busy)
			pause_outside(&told);
	}
	finish_last_windows(window_id, outcome.context);
	report_outcome(&outcome);
	check_failed(window_id, outcome.context);
	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(outcome.context);
}
