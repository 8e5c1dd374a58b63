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
#include "catalog/pg_namespace.h"
#include "ddl/ddl.h"
#include "guc.h"
#include "hook.h"
#include "miscadmin.h"
#include "plan/verdict.h"
#include "run/lock_budget.h"
#include "run/transaction.h"
#include "storage/proc.h"
#include "tcop/pquery.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "window/ledger.h"
#include "window/window.h"

/* One statement on its way. */
typedef struct Guard
{
	ZdmUtility	utility;
	ZdmDdl		ddl;
	ZdmPolicy	policy;
	List	   *judgements;
	int			attempts;		/* begun so far */
} Guard;

/* Collect what verdicts depend on, in this session and now. */
void
guard_policy(ZdmPolicy *policy)
{
	const ZdmWindow *window = window_current(&policy->open_windows);

	policy->mode = zdm_guc_mode;
	policy->require_window = zdm_guc_require_window;
	policy->window_id = window ? window->id : 0;
	policy->window_name = window ? window->name : NULL;
	policy->knows_births = window != NULL && window->is_native;
	policy->is_born = born_in_window;
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

/*
 * Would the server itself refuse the statement for want of rights?  Then it
 * shall say so, rather than zdm tell a stranger about the table.
 */
static bool
is_strangers_table(const ZdmRel *rel)
{
	Oid			nspoid;

	if (rel == NULL || !OidIsValid(rel->relid) ||
		has_privs_of_role(GetUserId(), rel->owner))
		return false;
	nspoid = get_rel_namespace(rel->relid);
	if (OidIsValid(nspoid) &&
		object_ownercheck(NamespaceRelationId, nspoid, GetUserId()))
		return false;
	return pg_class_aclmask(rel->relid, GetUserId(),
							ACL_TRUNCATE | COMPAT_ACL_MAINTAIN, ACLMASK_ANY) == 0;
}

static List *
without_strangers(List *hazards)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, hazards)
	{
		if (!is_strangers_table(((ZdmHazard *) lfirst(lc))->rel))
			result = lappend(result, lfirst(lc));
	}
	return result;
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
	ddl->in_block = IsInTransactionBlock(guard->utility.context == PROCESS_UTILITY_TOPLEVEL);
	ddl->in_function = guard->utility.context != PROCESS_UTILITY_TOPLEVEL;
	ddl_analyze(ddl);
	ddl->hazards = without_strangers(ddl->hazards);

	/* before the windows are read, so that none can open in between */
	if (zdm_needs_window(ddl))
		window_hold_off();
	guard_policy(&guard->policy);
	guard->judgements = NIL;
	if (ddl->hazards == NIL)
		return;

	guard->judgements = zdm_judge(&guard->policy, ddl);
	verdict = zdm_strictest(guard->judgements);
	if (verdict == ZDM_VERDICT_REFUSE && guard->policy.open_windows != NULL)
		window_report_undecided(guard->policy.open_windows);
	if (verdict == ZDM_VERDICT_REFUSE)
		zdm_report_refusal(&guard->policy, ddl, guard->judgements);
	if (guard->attempts <= 1)
		zdm_report_warnings(&guard->policy, ddl, guard->judgements);
}

/* Write the statement down if it had a hazard and runs all the same. */
void
guard_record(const ZdmPolicy *policy, const ZdmDdl *ddl, List *judgements)
{
	List	   *rules = NIL;
	const char *decision = "run";
	ListCell   *lc;

	foreach(lc, judgements)
	{
		const ZdmJudgement *judgement = lfirst(lc);

		if (!judgement->is_counted)
			continue;
		rules = lappend(rules, unconstify(char *, zdm_rules[judgement->hazard->rule].name));
		if (judgement->is_allowed)
			decision = "allow";
		else if (judgement->verdict == ZDM_VERDICT_WARN && strcmp(decision, "run") == 0)
			decision = "warn";
	}
	if (rules != NIL)
		history_record(policy->window_id, ddl->command, ddl->sql, decision, rules);
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
		guard_record(&guard->policy, &guard->ddl, guard->judgements);
		if (guard->policy.window_id != 0)
			born_flush(guard->policy.window_id);
	}
	if (own_snapshot)
		PopActiveSnapshot();
	transaction_note(&guard->ddl);
}

/* Run the statement once.  It has been judged in this very transaction. */
static void
run_once(Guard *guard)
{
	bool		was_collecting = born_start(guard->policy.window_id != 0);
	bool		waits_long = guard->ddl.runs_alone && !guard->ddl.commits;
	int			lock_timeout = LockTimeout;

	PG_TRY();
	{
		/*
		 * A lock_timeout would end its waits for old transactions, which
		 * block nobody, and leave an invalid index behind.
		 */
		if (waits_long)
			LockTimeout = 0;
		hook_run_utility(&guard->utility);
	}
	PG_FINALLY();
	{
		if (waits_long)
			LockTimeout = lock_timeout;
		born_restore(was_collecting);
	}
	PG_END_TRY();
	note_done(guard);
}

/* One attempt under the lock budget: facts may have changed since the last. */
static void
attempt_once(void *arg)
{
	Guard	   *guard = arg;

	if (guard->attempts++ > 0)
		judge(guard);
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

/*
 * Guard one utility statement.  Runs it, or raises why not.
 *
 * Where an attempt is a whole transaction, its abort releases the plan cache
 * entry that may hold the parse tree, so that works on a copy; and all of
 * guard lives in the portal's context.
 */
void
guard_utility(const ZdmUtility *utility)
{
	bool		can_abort = utility->context == PROCESS_UTILITY_TOPLEVEL &&
		!IsInTransactionBlock(true) && ActivePortal != NULL;
	MemoryContext context = AllocSetContextCreate(can_abort ? PortalContext : CurrentMemoryContext,
												  "zdm guard", ALLOCSET_SMALL_SIZES);
	MemoryContext oldcontext = MemoryContextSwitchTo(context);
	Guard	   *guard = palloc0(sizeof(Guard));
	List	   *locks;

	guard->utility = *utility;
	judge(guard);
	locks = needed_locks(&guard->ddl);

	/* where a command that commits is not allowed, the server says so */
	if (locks != NIL && !asks_not_to_wait(guard->ddl.stmt) &&
		(can_abort || !guard->ddl.commits))
	{
		guard->utility.pstmt = copyObject(utility->pstmt);
		guard->utility.read_only_tree = true;
		guard->ddl.stmt = guard->utility.pstmt->utilityStmt;
		lock_budget_run(attempt_once, guard, locks, can_abort,
						guard->ddl.xact->locks != NIL, guard->ddl.commits);
	}
	else
	{
		MemoryContextSwitchTo(oldcontext);
		run_once(guard);
	}
	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(context);
}
