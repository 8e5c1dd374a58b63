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
#include "hook.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "plan/qualify.h"
#include "run/restart.h"
#include "run/worker.h"
#include "storage/lmgr.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "window/queue.h"

/* One deferred step on its way. */
typedef struct QueueRun
{
	const ZdmQueued *queued;
	List	   *outer_settings; /* char *: name=value, to be restored */
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

/*
 * Read the step as its author would: with his rights and settings.  In a
 * transaction of its own, so that this outlasts those of the step.
 */
static void
become_author(QueueRun *run)
{
	const ZdmQueued *queued = run->queued;
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

		if (outer == NULL || strcmp(outer, lfirst(lc)) == 0)
			continue;
		run->outer_settings = lappend(run->outer_settings, outer);
		set_setting(lfirst(lc));
	}
	restart_commit();
}

static void
be_oneself(QueueRun *run)
{
	ListCell   *lc;

	restart_begin_step(run->context);
	foreach(lc, run->outer_settings)
		set_setting(lfirst(lc));
	restart_commit();
	run->outer_settings = NIL;
}

/*
 * The SQL with the names that its relations have now.  Where one is gone the
 * step cannot be carried out.
 */
static const char *
retarget(const QueueRun *run)
{
	const char *sql = run->queued->sql;
	ListCell   *lc;

	foreach(lc, run->queued->targets)
	{
		const ZdmPlanTarget *target = lfirst(lc);
		char	   *relname = get_rel_name(target->relid);
		char	   *nspname = relname ? get_namespace_name(get_rel_namespace(target->relid)) : NULL;

		if (nspname == NULL)
			continue;			/* gone: the statement itself says so */
		if (strcmp(relname, target->relname) != 0 || strcmp(nspname, target->nspname) != 0)
			sql = zdm_sql_rename(sql, quote_qualified_identifier(target->nspname, target->relname),
								 quote_qualified_identifier(nspname, relname));
	}
	return sql;
}

/* The targets with the names that they have now */
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
			continue;
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
	List	   *stmts;

	if (!recover_first(run))
		return;
	restart_begin_step(run->context);
	sql = retarget(run);
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
		guard_carry_out_sql(sql, run->queued, current_targets(run));
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
	return psprintf("%s (%s)%s%s", error->message, unpack_sql_state(error->sqlerrcode),
					error->detail ? "; " : "", error->detail ? error->detail : "");
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
		queue_release(run->queued);
		restart_begin_step(run->context);
		ReThrowError(error);
	}
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("deferred step " INT64_FORMAT " failed: %s", run->queued->id, error->message),
			 error->detail ? errdetail("%s", error->detail) : 0,
			 is_transient(error->sqlerrcode) ? errhint("It is tried again after a while.") :
			 errhint("When the cause is mended: SELECT zdm_retry(" INT64_FORMAT "); to give it up: SELECT zdm_cancel(" INT64_FORMAT ");",
					 run->queued->id, run->queued->id)));
}

static void
run_one(QueueRun *run)
{
	ErrorData  *volatile error = NULL;

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
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();

	if (error != NULL)
		note_failure(run, error);
	restart_begin_step(run->context);
	(void) queue_finish_windows();
	restart_commit();
}

bool
queue_run_next(int64 window_id, const char *session_role)
{
	MemoryContext oldcontext = CurrentMemoryContext;
	QueueRun	run = {0};
	bool		found;

	run.context = AllocSetContextCreate(PortalContext, "zdm deferred step", ALLOCSET_SMALL_SIZES);
	restart_commit();
	restart_begin_step(run.context);
	run.queued = queue_take(window_id, session_role);
	restart_commit();
	if (run.queued != NULL)
	{
		worker_report(run.queued->sql);
		run_one(&run);
		queue_release(run.queued);
	}
	StartTransactionCommand();
	MemoryContextSwitchTo(oldcontext);
	found = run.queued != NULL;
	MemoryContextDelete(run.context);
	return found;
}
