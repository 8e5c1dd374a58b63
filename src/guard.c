/*-------------------------------------------------------------------------
 *
 * guard.c
 *	  One statement on its way: what it does, what happens to it, and that.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "claims.h"
#include "ddl/ddl.h"
#include "guc.h"
#include "hook.h"
#include "miscadmin.h"
#include "plan/defer.h"
#include "plan/verdict.h"
#include "rights.h"
#include "run/lock_budget.h"
#include "run/restart.h"
#include "run/transaction.h"
#include "run/turn.h"
#include "storage/proc.h"
#include "tcop/pquery.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "window/alias.h"
#include "window/ledger.h"
#include "window/queue.h"
#include "window/steps.h"
#include "window/taking.h"
#include "window/window.h"

/* One statement on its way. */
typedef struct Guard
{
	ZdmUtility	utility;
	ZdmDdl		ddl;
	ZdmPolicy	policy;
	List	   *judgements;
	ZdmPlan    *plan;			/* how to carry it out, or NULL: as it is */
	struct ZdmDeferral *deferral;	/* what of it waits, or NULL */
	ZdmConflict *conflict;		/* what it has to do with what waits already,
								 * or NULL */
	const ZdmQueued *queued;	/* the deferred step that it carries out, or
								 * NULL */
	ZdmPart    *undo;			/* it runs as it is, but an abort of its
								 * window has something to give back; or NULL */
	Node	   *futile;			/* refused, but the server has an error of its
								 * own to raise first, for this; or NULL */
	Oid			turn;			/* table whose turn the session has, or
								 * InvalidOid */
	bool		own_snapshot;	/* pushed here, after another transaction */
	bool		has_warned;
	int			attempts;		/* begun so far */
	PlannedStmt *pstmt;			/* the statement as it came, for attempts
								 * after the first; other modules write into
								 * theirs */
	MemoryContext context;		/* holds all of this, across attempts */
} Guard;

static Oid
alias_of(Oid relid)
{
	return get_rel_relkind(relid) == RELKIND_VIEW ? alias_table(relid) : InvalidOid;
}

/* Collect what verdicts depend on, in this session and now. */
void
guard_policy(ZdmPolicy *policy)
{
	const ZdmWindow *window;

	policy->mode = zdm_guc_mode;
	policy->require_window = zdm_guc_require_window;
	policy->is_born = born_in_window;
	policy->alias_of = alias_of;
	window = window_current(&policy->open_windows);
	policy->window_id = window ? window->id : 0;
	policy->window_name = window ? window->name : NULL;
	policy->knows_births = window != NULL && window->is_native;
	policy->window_state = window ? window->state : NULL;

	/* what a restore sends must not wait in the window that came with it */
	policy->defers = window != NULL && window->defers && window->is_native;
}

/*
 * The same for a deferred step, which has its window, and has been judged.
 * What event triggers and functions send on the way is none of it.
 */
static void
policy_of_queued(ZdmPolicy *policy, const ZdmQueued *queued)
{
	policy->mode = ZDM_MODE_ENFORCE;
	policy->require_window = zdm_guc_require_window;
	policy->is_born = born_in_window;
	policy->alias_of = alias_of;
	policy->carries_out = queued->id;
	policy->undoes = queued->is_undo;
	policy->window_id = queued->window_id;
}

/* The statement's own text out of the string that the client sent. */
char *
guard_statement_text(const PlannedStmt *pstmt, const char *query)
{
	const char *start = query;
	int			length = pstmt->stmt_len;

	if (pstmt->stmt_location > 0)
		start += pstmt->stmt_location;
	if (length <= 0)
		length = strlen(start);
	while (length > 0 && isspace((unsigned char) *start))
		start++, length--;
	while (length > 0 && (isspace((unsigned char) start[length - 1]) ||
						  start[length - 1] == ';'))
		length--;
	return pnstrdup(start, length);
}

/* Find out what the statement does and judge it; raises the refusal. */
static void
judge(Guard *guard)
{
	ZdmDdl	   *ddl = &guard->ddl;
	ZdmVerdict	verdict;

	memset(ddl, 0, sizeof(ZdmDdl));
	ddl->stmt = guard->utility.pstmt->utilityStmt;
	ddl->sql = guard_statement_text(guard->utility.pstmt, guard->utility.query);
	ddl->query = guard->utility.query;
	ddl->xact = transaction_state();
	ddl->small_table = (int64) zdm_guc_small_table * 1024;
	if (guard->queued == NULL && queue_any())
		ddl->reserved = claims_reserved();
	ddl->in_block = ActivePortal == NULL ||
		IsInTransactionBlock(guard->utility.context == PROCESS_UTILITY_TOPLEVEL);
	ddl->in_function = guard->utility.context != PROCESS_UTILITY_TOPLEVEL;
	if (guard->queued == NULL &&
		(IsA(ddl->stmt, DropStmt) || IsA(ddl->stmt, AlterTableStmt) || IsA(ddl->stmt, GrantStmt)))
		ddl->going = queue_going();
	ddl_analyze(ddl);
	ddl->hazards = rights_filter(ddl);

	/* before the windows are read, so that none can open in between */
	if (zdm_needs_window(ddl))
		window_hold_off();
	memset(&guard->policy, 0, sizeof(ZdmPolicy));
	if (guard->queued != NULL)
		policy_of_queued(&guard->policy, guard->queued);
	else
		guard_policy(&guard->policy);
	guard->judgements = NIL;
	guard->plan = NULL;
	guard->deferral = NULL;
	guard->futile = NULL;
	if (ddl->hazards == NIL)
		return;

	guard->judgements = zdm_judge(&guard->policy, ddl, &guard->plan, &guard->deferral);
	verdict = zdm_strictest(guard->judgements);
	if (verdict == ZDM_VERDICT_REFUSE && guard->policy.open_windows != NULL)
		window_report_undecided(guard->policy.open_windows);
	if (verdict == ZDM_VERDICT_REFUSE && zdm_waits_for_end(&guard->policy, guard->judgements))
		window_report_ending(guard->policy.window_name, guard->policy.window_state);
	if (verdict == ZDM_VERDICT_REFUSE)
		guard->futile = ddl_futile_part(ddl);
	if (verdict == ZDM_VERDICT_REFUSE && guard->futile == NULL)
		zdm_report_refusal(&guard->policy, ddl, guard->judgements);
	if (!guard->has_warned)
		zdm_report_warnings(&guard->policy, ddl, guard->judgements);
	guard->has_warned = true;
}

/*
 * Write the statement down if it had a hazard and runs all the same.  Returns
 * the key of its row, or 0.
 */
int64
guard_record(const ZdmPolicy *policy, const ZdmDdl *ddl, List *judgements)
{
	List	   *rules = NIL;
	const char *decision = "run";
	ZdmVerdict	strictest = ZDM_VERDICT_RUN;
	ListCell   *lc;

	foreach(lc, judgements)
	{
		const ZdmJudgement *judgement = lfirst(lc);

		if (!judgement->is_counted)
			continue;
		rules = lappend(rules, unconstify(char *, zdm_rules[judgement->hazard->rule].name));
		if (judgement->verdict >= ZDM_VERDICT_REWRITE)
			strictest = Max(strictest, judgement->verdict);
		else if (judgement->is_allowed)
			decision = "allow";
		else if (judgement->verdict == ZDM_VERDICT_WARN && strcmp(decision, "run") == 0)
			decision = "warn";
	}
	if (rules == NIL && policy->carries_out == 0)
		return 0;
	if (strictest >= ZDM_VERDICT_REWRITE)
		decision = zdm_verdict_name(strictest);
	return history_record(policy->window_id, ddl->command, ddl->sql, decision, rules,
						  policy->carries_out);
}

/* Write down, as a step that is done, what an abort of the window undoes. */
static void
note_undo(const Guard *guard, int64 statement_id)
{
	if (statement_id == 0)
		statement_id = history_record(guard->policy.window_id, guard->ddl.command,
									  guard->ddl.sql, "run", NIL, 0);
	queue_add(statement_id, guard->policy.window_id, list_make1(guard->undo));
}

/*
 * After the command: the ledger, and what later statements need to know.  A
 * command that commits by itself (VACUUM) has left no snapshot.
 */
static void
note_done(Guard *guard)
{
	bool		own_snapshot = !ActiveSnapshotSet();

	if (own_snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	CommandCounterIncrement();
	if (ledger_exists())		/* else this was DROP EXTENSION zdm */
	{
		int64		statement_id = guard_record(&guard->policy, &guard->ddl, guard->judgements);

		if (guard->undo != NULL)
			note_undo(guard, statement_id);
		if (guard->policy.window_id != 0)
			born_flush(guard->policy.window_id);
		if (guard->policy.carries_out != 0)
			queue_set_done(guard->policy.carries_out);
		else if (queue_any())
		{
			claims_settle(guard->ddl.stmt);
			claims_check_made();
		}
	}
	if (own_snapshot)
		PopActiveSnapshot();
	transaction_note(&guard->ddl);
}

/* What of all that the statement makes is new to old clients? */
static BornScope
born_scope(const ZdmPolicy *policy, const ZdmDdl *ddl)
{
	if (policy->window_id == 0 || ddl->replaces)
		return BORN_NOTHING;

	/* what a restore makes beside a window that it brings was there before */
	if (!policy->knows_births && policy->carries_out == 0)
		return BORN_NOTHING;
	return ddl->rebuilds ? BORN_COLUMNS : BORN_ALL;
}

/*
 * Run a command of the statement described by ddl, and watch what comes into
 * being.  waits_long: a lock_timeout would end its waits for old transactions,
 * which block nobody, and leave an invalid index behind.
 */
void
guard_run_command(const ZdmUtility *utility, const ZdmPolicy *policy, const ZdmDdl *ddl,
				  bool waits_long)
{
	BornScope	outer = born_start(born_scope(policy, ddl));
	int			lock_timeout = LockTimeout;

	PG_TRY();
	{
		if (policy->undoes)
			loss_recheck(utility->pstmt->utilityStmt, (int64) zdm_guc_small_table * 1024);
		if (waits_long)
			LockTimeout = 0;
		if (waits_long || (ddl->commits && utility->context == PROCESS_UTILITY_TOPLEVEL))
			restart_unrestricted();
		hook_run_utility(utility);
	}
	PG_FINALLY();
	{
		if (waits_long)
			LockTimeout = lock_timeout;
		born_restore(outer);
	}
	PG_END_TRY();
}

/*
 * Run what the server raises its error for.  If it does not, all was there
 * after all.
 */
static void
run_futile(Guard *guard)
{
	ZdmUtility	utility = guard->utility;
	PlannedStmt pstmt = *utility.pstmt;

	if (guard->futile != guard->ddl.stmt)
	{
		pstmt.utilityStmt = guard->futile;
		utility.pstmt = copyObject(&pstmt);
	}
	guard_run_command(&utility, &guard->policy, &guard->ddl, false);
	zdm_report_refusal(&guard->policy, &guard->ddl, guard->judgements);
}

/* Run the statement once.  It has been judged in this very transaction. */
static void
run_once(Guard *guard)
{
	if (guard->futile != NULL)
		run_futile(guard);
	if (guard->conflict != NULL)
		claims_apply(guard->conflict, guard->deferral);
	if (guard->deferral != NULL)
	{
		deferral_run(&guard->utility, guard->deferral);
		guard->ddl.dropped_tables = guard->ddl.dropped_indexes = NIL;	/* not yet */
		if (deferral_blocks(guard->deferral))
			transaction_note(&guard->ddl);
		return;
	}
	guard->undo = zdm_defer_done(&guard->policy, &guard->ddl);
	guard_run_command(&guard->utility, &guard->policy, &guard->ddl,
					  guard->ddl.runs_alone && !guard->ddl.commits);
	note_done(guard);
}

/* One attempt under the lock budget: facts may have changed since the last. */
static void
attempt_once(void *arg)
{
	Guard	   *guard = arg;

	if (guard->attempts++ > 0)
	{
		/* a plan that is found now is carried out after the attempt */
		MemoryContext oldcontext = MemoryContextSwitchTo(guard->context);

		guard->utility.pstmt = copyObject(guard->pstmt);
		judge(guard);
		MemoryContextSwitchTo(oldcontext);
	}
	if (guard->plan == NULL)	/* else it has become a case for steps */
		run_once(guard);
}

/* The locks that block an application, for the lock budget. */
static List *
needed_locks(const ZdmDdl *ddl)
{
	List	   *result = NIL;
	ListCell   *lc;

	if (ddl->runs_alone && !ddl->commits)
		return NIL;
	foreach(lc, ddl->locks)
	{
		const ZdmRelLock *lock = lfirst(lc);
		ZdmNeededLock *needed;

		if (lock->mode < ShareLock)
			continue;
		needed = palloc(sizeof(ZdmNeededLock));
		needed->relid = lock->rel->relid;
		needed->mode = lock->mode;
		needed->name = ddl_rel_describe(lock->rel);
		result = lappend(result, needed);
	}
	return result;
}

/* LOCK TABLE ... NOWAIT: the user asks for one attempt without any wait. */
static bool
asks_not_to_wait(const Node *stmt)
{
	return IsA(stmt, LockStmt) && ((const LockStmt *) stmt)->nowait;
}

/* The one command of a plan that needs no transaction of its own. */
static void
run_in_block(Guard *guard)
{
	const ZdmStep *step = linitial(guard->plan->steps);

	guard->utility.pstmt = copyObject(guard->utility.pstmt);
	guard->utility.pstmt->utilityStmt = linitial_node(RawStmt, step->stmts)->stmt;
	guard->utility.pstmt->stmt_location = 0;
	guard->utility.pstmt->stmt_len = 0;
	guard->utility.query = step->sql;
	run_once(guard);
}

/*
 * Does what a lost session of the same role has left half done have to go
 * first?  A statement in steps begins with that.  Others may meet a column or
 * index that would be taken away afterwards: a migration that is run again
 * takes it for its own (IF NOT EXISTS), or gives it another name.
 */
static bool
recovers_first(const Guard *guard)
{
	if (guard->ddl.in_block)
		return false;
	if (guard->plan != NULL)
		return true;
	switch (nodeTag(guard->ddl.stmt))
	{
		case T_AlterTableStmt:
		case T_IndexStmt:
		case T_RenameStmt:
			return guard->policy.mode == ZDM_MODE_ENFORCE && steps_any_unfinished();
		default:
			return false;
	}
}

/*
 * Before a statement is carried out in steps, or builds on what may be half
 * done: wait for its turn on the table, and recover.  Facts may have changed
 * then; the transaction has an active snapshot in any case.
 */
static void
settle(Guard *guard)
{
	bool		restarted = false;

	guard->utility.pstmt = copyObject(guard->utility.pstmt);
	if (guard->plan != NULL && guard->plan->targets != NIL)
	{
		Oid			relid = ((ZdmPlanTarget *) linitial(guard->plan->targets))->relid;

		restarted = turn_take_table(relid, guard->context);
		guard->turn = relid;
	}
	restarted |= rewrite_recover(guard->plan != NULL);
	if (restarted)
	{
		if (!ActiveSnapshotSet())
			PushActiveSnapshot(GetTransactionSnapshot());
		guard->own_snapshot = true;
		judge(guard);
	}
}

static void
end_turn(Guard *guard)
{
	if (OidIsValid(guard->turn))
		turn_give_back_table(guard->turn);
	guard->turn = InvalidOid;
}

/*
 * Run the statement as it is.  An attempt may find that it has become a case
 * for steps: then it has a plan afterwards, and has not run.
 */
static void
run_as_it_is(Guard *guard, bool can_abort, MemoryContext context)
{
	List	   *locks = NIL;

	if (guard->deferral == NULL || deferral_blocks(guard->deferral))
		locks = needed_locks(&guard->ddl);

	/* where a command that commits is not allowed, the server says so */
	if (locks != NIL && !asks_not_to_wait(guard->ddl.stmt) &&
		(can_abort || !guard->ddl.commits))
	{
		guard->pstmt = copyObject(guard->utility.pstmt);
		lock_budget_run(attempt_once, guard, locks, can_abort,
						guard->ddl.xact->locks != NIL, guard->ddl.commits);
	}
	else
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(context);

		run_once(guard);
		MemoryContextSwitchTo(oldcontext);
	}
	if (guard->own_snapshot && guard->plan == NULL && ActiveSnapshotSet())
		PopActiveSnapshot();
}

/* Run the judged statement in the way that fits it. */
static void
run_judged(Guard *guard, bool can_abort, MemoryContext context)
{
	MemoryContext oldcontext;

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (recovers_first(guard))
			settle(guard);
		if (guard->plan != NULL)
			break;
		end_turn(guard);
		run_as_it_is(guard, can_abort, context);
		if (guard->plan == NULL)
			return;
	}
	if (guard->ddl.in_block)
	{
		run_in_block(guard);
		return;
	}

	/* attempts that found in the end that steps are needed leave none */
	if (!ActiveSnapshotSet())
		PushActiveSnapshot(GetTransactionSnapshot());
	if (guard->conflict != NULL)
		claims_apply(guard->conflict, NULL);
	oldcontext = MemoryContextSwitchTo(guard->context);
	guard->undo = zdm_defer_done(&guard->policy, &guard->ddl);
	MemoryContextSwitchTo(oldcontext);
	rewrite_run(&guard->utility, &guard->policy, &guard->ddl, guard->judgements,
				guard->plan, guard->undo);
}

/*
 * Guard one utility statement.  Runs it, or raises why not.
 *
 * Where an attempt is a whole transaction, its abort releases the plan cache
 * entry that may hold the parse tree, so the next ones work on copies; and all of
 * guard lives in the portal's context.
 */
static void
guard_statement(const ZdmUtility *utility, const ZdmQueued *queued)
{
	bool		can_abort = utility->context == PROCESS_UTILITY_TOPLEVEL &&
		!IsInTransactionBlock(true) && ActivePortal != NULL;
	MemoryContext context = AllocSetContextCreate(can_abort ? PortalContext : CurrentMemoryContext,
												  "zdm guard", ALLOCSET_SMALL_SIZES);
	MemoryContext oldcontext = MemoryContextSwitchTo(context);
	Guard	   *guard = palloc0(sizeof(Guard));

	guard->utility = *utility;
	guard->queued = queued;
	guard->context = context;
	if (queued == NULL && queue_any())
		guard->conflict = claims_find(&guard->utility);
	if (guard->conflict != NULL && claims_are_all(guard->conflict))
	{
		claims_apply(guard->conflict, NULL);
		MemoryContextSwitchTo(oldcontext);
		MemoryContextDelete(context);
		return;
	}
	judge(guard);
	PG_TRY();
	{
		run_judged(guard, can_abort, oldcontext);
	}
	PG_FINALLY();
	{
		end_turn(guard);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(context);
}

void
guard_utility(const ZdmUtility *utility)
{
	guard_statement(utility, NULL);
}

void
guard_carry_out(const ZdmUtility *utility, const ZdmQueued *queued)
{
	guard_statement(utility, queued);
}

void
guard_carry_out_sql(const char *sql, const ZdmQueued *queued, List *targets)
{
	ZdmPolicy	policy = {0};

	policy_of_queued(&policy, queued);
	rewrite_run_sql(sql, &policy, targets);
}
