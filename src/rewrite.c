/*-------------------------------------------------------------------------
 *
 * rewrite.c
 *	  A statement that is carried out in steps, and zdm_run().
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "guc.h"
#include "hook.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "parser/analyze.h"
#include "plan/plan.h"
#include "run/runner.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "window/ledger.h"
#include "window/queue.h"
#include "window/steps.h"
#include "window/window.h"

PG_FUNCTION_INFO_V1(zdm_run);

/* What the steps' commands need of the statement. */
typedef struct Rewrite
{
	const ZdmPolicy *policy;
	const ZdmDdl *ddl;
	int64		statement_id;
	const ZdmStep *last;		/* step */
	ZdmPart    *undo;			/* what an abort of the window gives back of
								 * it, beside what goes by itself; or NULL */
} Rewrite;

/*
 * The plan was made without a window: if one has been opened since, old
 * clients count.  None opens while this transaction lasts.
 */
static void
check_window(void *arg)
{
	const Rewrite *rewrite = arg;
	const char *open_windows = NULL;
	const ZdmWindow *window;

	if (!zdm_needs_window(rewrite->ddl) || rewrite->policy->carries_out != 0)
		return;
	window_hold_off();
	window = window_current(&open_windows);
	if (open_windows != NULL || (window ? window->id : 0) != rewrite->policy->window_id)
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_WINDOW_MISUSE),
				 errmsg("a window was opened or ended while the statement was carried out"),
				 errhint("Send the statement again.")));
}

/* Run one command as ProcessUtility() would be called by a client. */
static void
run_command(RawStmt *raw, const char *sql, const ZdmPolicy *policy, const ZdmDdl *ddl)
{
	PlannedStmt *pstmt = makeNode(PlannedStmt);
	ZdmUtility	utility = {0};
	bool		own_snapshot;

	pstmt->commandType = CMD_UTILITY;
	pstmt->utilityStmt = raw->stmt;
	pstmt->stmt_location = raw->stmt_location;
	pstmt->stmt_len = raw->stmt_len;
	/* by which pg_stat_statements knows it, as of a client's statement */
	if (IsQueryIdEnabled())
		pstmt->queryId = parse_analyze_fixedparams(raw, sql, NULL, 0, NULL)->queryId;
	utility.pstmt = pstmt;
	utility.query = sql;
	utility.context = PROCESS_UTILITY_TOPLEVEL;
	utility.dest = None_Receiver;
	if (policy == NULL)
	{
		hook_run_utility(&utility);
		return;
	}
	guard_run_command(&utility, policy, ddl, false);
	if (policy->window_id == 0)
		return;

	/* a command that commits by itself has left no snapshot */
	own_snapshot = !ActiveSnapshotSet();
	if (own_snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	CommandCounterIncrement();
	born_flush(policy->window_id);
	if (own_snapshot)
		PopActiveSnapshot();
}

/*
 * With the last command of the last step: what an abort of the window undoes.
 * A command that commits by itself has left no snapshot.
 */
static void
note_undo(const Rewrite *rewrite)
{
	bool		own_snapshot = !ActiveSnapshotSet();

	if (own_snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	queue_add(rewrite->statement_id, rewrite->policy->window_id, list_make1(rewrite->undo));
	if (own_snapshot)
		PopActiveSnapshot();
}

static void
run_step_command(RawStmt *raw, const char *sql, void *arg)
{
	const Rewrite *rewrite = arg;

	run_command(raw, sql, rewrite->policy, rewrite->ddl);
	if (rewrite->undo != NULL && sql == rewrite->last->sql &&
		raw->stmt_location == llast_node(RawStmt, rewrite->last->stmts)->stmt_location)
		note_undo(rewrite);
}

static const ZdmRunnerOps rewrite_ops = {check_window, run_step_command};

/* Say in one line what happens to the statement, and in which steps. */
static void
report_rewrite(const ZdmDdl *ddl, const ZdmPlan *plan)
{
	StringInfoData steps;
	ListCell   *lc;

	initStringInfo(&steps);
	foreach(lc, plan->steps)
		appendStringInfo(&steps, "%s%d. %s;", steps.len > 0 ? "\n" : "",
						 foreach_current_index(lc) + 1, ((ZdmStep *) lfirst(lc))->sql);
	if (list_length(plan->steps) == 1)
		ereport(NOTICE,
				(errmsg("%s is carried out while reads and writes go on: %s", ddl->command,
						((ZdmStep *) linitial(plan->steps))->sql)));
	else
		ereport(NOTICE,
				(errmsg("%s is carried out in %d steps while reads and writes go on",
						ddl->command, list_length(plan->steps)),
				 errdetail("%s", steps.data)));
}

/*
 * Carry a statement out by its plan.  At top level and outside a transaction
 * block; what is handed in lives in a context that survives transactions.
 */
void
rewrite_run(const ZdmUtility *utility, const ZdmPolicy *policy, const ZdmDdl *ddl,
			List *judgements, ZdmPlan *plan, ZdmPart *undo)
{
	Rewrite		rewrite = {policy, ddl, 0, llast(plan->steps), undo};
	int64		statement_id;

	PreventInTransactionBlock(utility->context == PROCESS_UTILITY_TOPLEVEL, ddl->command);
	PreventCommandIfReadOnly(ddl->command);
	if (policy->carries_out == 0)
		report_rewrite(ddl, plan);
	statement_id = guard_record(policy, ddl, judgements);
	rewrite.statement_id = statement_id;
	steps_add(statement_id, policy->window_id, plan->steps);
	runner_run(statement_id, plan->steps, plan->targets, &rewrite_ops, &rewrite);
}

void
rewrite_run_sql(const char *sql, const ZdmPolicy *policy, List *targets)
{
	ZdmStep    *step = zdm_step_make(sql);
	ZdmDdl		ddl = {0};
	Rewrite		rewrite = {policy, &ddl};
	int64		statement_id;

	step->phase = ZDM_PHASE_MIGRATE;
	ddl.sql = sql;
	ddl.stmt = linitial_node(RawStmt, step->stmts)->stmt;
	ddl.command = GetCommandTagName(CreateCommandTag(ddl.stmt));
	statement_id = history_record(policy->window_id, ddl.command, sql, "rewrite", NIL,
								  policy->carries_out);
	steps_add(statement_id, policy->window_id, list_make1(step));
	runner_run(statement_id, list_make1(step), targets, &rewrite_ops, &rewrite);
}

static void
check_nothing(void *arg)
{
}

static void
run_recovery_command(RawStmt *raw, const char *sql, void *arg)
{
	run_command(raw, sql, NULL, NULL);
}

static const ZdmRunnerOps recovery_ops = {check_nothing, run_recovery_command};

/*
 * Before a statement is carried out: what a lost session of the same role has
 * left half done would be in its way.  True if the transaction is another one
 * now, without a snapshot.
 */
bool
rewrite_recover(bool must_succeed)
{
	return recover_all(0, GetUserNameFromId(GetUserId(), false), must_succeed,
					   &recovery_ops, NULL);
}

/* CALL zdm_run(name) */
Datum
zdm_run(PG_FUNCTION_ARGS)
{
	const CallContext *call = castNode(CallContext, fcinfo->context);
	int64		window_id = 0;

	if (call->atomic || SPI_inside_nonatomic_context() || IsInTransactionBlock(true))
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_WINDOW_MISUSE),
				 errmsg("zdm_run() cannot be called where it cannot commit"),
				 errdetail("It runs each step in a transaction of its own."),
				 errhint("CALL zdm_run(); as a statement of its own, outside a transaction block.")));
	PreventCommandDuringRecovery("zdm_run()");
	PreventCommandIfReadOnly("zdm_run()");
	if (!PG_ARGISNULL(0))
		window_id = window_latest_id(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	(void) recover_all(window_id, NULL, true, &recovery_ops, NULL);
	queue_run_all(window_id);
	PG_RETURN_VOID();
}
