/*-------------------------------------------------------------------------
 *
 * lock_budget.c
 *	  Runs a command that needs strong locks in attempts, each of which may
 *	  take only so long to get them.
 *
 * A command that waits for a strong lock makes everybody wait who comes after
 * it, though it blocks nobody yet.  So an attempt gives up soon, lets the
 * queue behind it go, and the command comes again after a pause.
 *
 * lock_timeout alone bounds each single wait, but one command takes many
 * locks and holds the first while it waits for the last.  A timer bounds the
 * attempt as a whole.  (Commands that commit by themselves hold little while
 * they wait: for them lock_timeout has to do.)
 *
 * DETACH PARTITION CONCURRENTLY waits for old transactions, which blocks
 * nobody, and in the end for ACCESS EXCLUSIVE on the partition, which does.
 * lock_timeout would bound both; so a timer looks what it waits for.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/pg_prng.h"
#include "guc.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "run/blockers.h"
#include "run/lock_budget.h"
#include "run/restart.h"
#include "run/slots.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/pquery.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#define FIRST_PAUSE_MS	20
#define LONGEST_PAUSE_MS	2000
#define POLL_MS	10

/* workers in the way are asked again after a while: they undo what they did */
#define ASK_AGAIN_MS	1000

/* how long a transaction that blocks others waits for workers, in attempts */
#define YIELD_MAX_MS	2000

/* relations that the error names */
#define MAX_NAMES	5

/* What is known of one run of attempts. */
typedef struct LockBudget
{
	ZdmAttempt	attempt;
	void	   *arg;
	List	   *locks;
	bool		can_abort;
	bool		single;
	bool		commits;
	TimestampTz give_up;
	int			pause;			/* milliseconds, of the next one */
	TimestampTz ask_workers;	/* not before: they have been asked */
	List	   *blockers;		/* of the last failed attempt */
	MemoryContext context;		/* survives attempts */
} LockBudget;

static TimeoutId budget_timeout = MAX_TIMEOUTS;
static TimeoutId patience_timeout = MAX_TIMEOUTS;
static volatile sig_atomic_t budget_cancelled = false;

/* the lock that the cancelled attempt was waiting for */
static LOCKTAG awaited_tag;
static LOCKMODE awaited_mode;

/* Cancel the command, which waits for this lock.  Runs in a signal handler. */
static void
cancel_wait(const LOCK *lock)
{
	awaited_tag = lock->tag;
	awaited_mode = MyProc->waitLockMode;
	budget_cancelled = true;
	InterruptPending = true;
	QueryCancelPending = true;
	SetLatch(MyLatch);
}

/*
 * The budget is used up.  If the command waits for a lock now, cancel it;
 * else it has its locks so far and may work on, but not wait for another.
 * Runs in a signal handler.
 */
static void
budget_expired(void)
{
	LOCK	   *lock = MyProc->waitLock;

	if (lock != NULL)
		cancel_wait(lock);
	else
		LockTimeout = 1;
}

/* Does the command wait for what readers queue behind?  In a signal handler. */
static void
patience_expired(void)
{
	LOCK	   *lock = MyProc->waitLock;

	if (lock != NULL && lock->tag.locktag_type == LOCKTAG_RELATION &&
		MyProc->waitLockMode == AccessExclusiveLock)
		cancel_wait(lock);
}

static void
set_milliseconds(const char *setting, int value)
{
	char		buf[32];

	snprintf(buf, sizeof(buf), "%d", value);
	(void) set_config_option(setting, buf, PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Bound the locks of one attempt.  Returns the GUC nest level for
 * disarm_budget(); after an error the abort has unwound it.
 *
 * deadlock_timeout is half the budget, so that an autovacuum in the way is
 * cancelled as it is for plain DDL, and so that in a deadlock this command is
 * the victim and not the application, whose own timeout runs longer.
 */
static int
arm_budget(void)
{
	int			budget = zdm_guc_lock_timeout;
	int			guc_level = NewGUCNestLevel();

	if (budget_timeout == MAX_TIMEOUTS)
		budget_timeout = RegisterTimeout(USER_TIMEOUT, budget_expired);

	if (LockTimeout > 0)
		budget = Min(budget, LockTimeout);
	/* longer than the timer: that two fire at once only makes for races */
	set_milliseconds("lock_timeout", budget * 2);
	set_milliseconds("deadlock_timeout", Max(budget / 2, 1));
	budget_cancelled = false;
	enable_timeout_after(budget_timeout, budget);
	return guc_level;
}

static void
disarm_budget(int guc_level)
{
	disable_timeout(budget_timeout, false);
	/* the lock may have been granted in the moment of the cancel */
	if (budget_cancelled)
		QueryCancelPending = false;
	AtEOXact_GUC(true, guc_level);
}

/*
 * The same for a command that commits by itself: settings of a GUC nest level
 * would be gone after its first commit, so the variables are set directly, and
 * put back in any case.
 */
static void
run_bounded(LockBudget *budget)
{
	int			lock_timeout = LockTimeout;
	int			deadlock_timeout = DeadlockTimeout;

	budget_cancelled = false;
	PG_TRY();
	{
		LockTimeout = LockTimeout > 0 ? Min(zdm_guc_lock_timeout, LockTimeout) :
			zdm_guc_lock_timeout;
		DeadlockTimeout = Max(LockTimeout / 2, 1);
		budget->attempt(budget->arg);
	}
	PG_FINALLY();
	{
		LockTimeout = lock_timeout;
		DeadlockTimeout = deadlock_timeout;
	}
	PG_END_TRY();
}

/*
 * Our cancel is reported as the user's.  A statement_timeout that came at the
 * same moment has another message, and is the user's will.
 */
static bool
is_our_cancel(const ErrorData *error)
{
	return budget_cancelled && error->sqlerrcode == ERRCODE_QUERY_CANCELED &&
		error->message_id != NULL &&
		strcmp(error->message_id, "canceling statement due to user request") == 0;
}

/* Has the attempt failed because it did not get its locks in time? */
static bool
is_lock_failure(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED || is_our_cancel(error);
}

/*
 * Who is in the way: of the locks that the command is known to need, or of the
 * one that it waited for, since a trigger can want any.
 */
static List *
find_blockers(const LockBudget *budget)
{
	List	   *blockers = blockers_find(budget->locks);

	if (blockers == NIL && budget_cancelled)
		blockers = blockers_of_lock(&awaited_tag, awaited_mode);
	return blockers;
}

/*
 * Run one attempt.  Returns NULL if it is done, or, after undo(), the error
 * that it failed with, in the run's context, when the locks were not to be
 * had.  Any other error is raised; after undo() too if that ends no more than
 * a subtransaction of ours.
 */
static ErrorData *
try_once(LockBudget *budget, void (*undo) (void *), void *undo_arg)
{
	ErrorData  *volatile error = NULL;

	/*
	 * In a context of its own, which goes with a failed attempt: that is how
	 * other modules (pgaudit) learn that what they keep of the command is
	 * over.
	 */
	MemoryContext context = AllocSetContextCreate(budget->context, "zdm attempt",
												  ALLOCSET_SMALL_SIZES);

	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		if (budget->commits)
			run_bounded(budget);
		else
		{
			int			guc_level = arm_budget();

			budget->attempt(budget->arg);
			disarm_budget(guc_level);
		}
	}
	PG_CATCH();
	{
		if (!budget->commits)
			disable_timeout(budget_timeout, false);

		/* a cancel of ours that came late must not hit what follows */
		if (get_timeout_indicator(LOCK_TIMEOUT, true) || budget_cancelled)
			QueryCancelPending = false;
		MemoryContextSwitchTo(budget->context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();

	if (error == NULL)
		return NULL;

	if (is_lock_failure(error))
		budget->blockers = find_blockers(budget);
	if (is_lock_failure(error) || !budget->can_abort)
	{
		undo(undo_arg);
		MemoryContextDelete(context);
	}
	MemoryContextSwitchTo(budget->context);
	if (!is_lock_failure(error))
		ReThrowError(error);
	return error;
}

/* Wait before the next attempt, but not longer than somebody is in the way. */
static void
pause_between(LockBudget *budget)
{
	double		jitter = 0.5 + pg_prng_double(&pg_global_prng_state);
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												  (int64) (budget->pause * jitter));
	List	   *blockers = NIL;

	end = Min(end, budget->give_up);
	budget->pause = Min(budget->pause * 2, LONGEST_PAUSE_MS);

	/* a first short rest for those who queued up behind the attempt */
	do
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 POLL_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		list_free(blockers);
		blockers = find_blockers(budget);
	} while (GetCurrentTimestamp() < end &&
			 (blockers != NIL || budget->blockers == NIL));
	list_free(blockers);
}

/* What was to be locked; of many partitions the first few say enough. */
static char *
names_of_locks(List *locks)
{
	StringInfoData names;
	int			count = list_length(locks);

	initStringInfo(&names);
	if (locks == NIL)
		appendStringInfoString(&names, "all that the command needs");
	for (int i = 0; i < Min(count, MAX_NAMES); i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "",
						 ((ZdmNeededLock *) list_nth(locks, i))->name);
	if (count > MAX_NAMES)
		appendStringInfo(&names, " and %d more", count - MAX_NAMES);
	return names.data;
}

static void
report_given_up(LockBudget *budget)
{
	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("could not obtain locks on %s", names_of_locks(budget->locks)),
			 errdetail("%s", blockers_describe(budget->blockers)),
			 budget->single ?
			 errhint("The transaction already holds locks that block others, so there was one attempt of %d ms (zdm.lock_timeout).",
					 zdm_guc_lock_timeout) :
			 errhint("Attempts of %d ms each (zdm.lock_timeout) went on for %d ms (zdm.lock_wait_max). End the transactions named, or try again later.",
					 zdm_guc_lock_timeout, zdm_guc_lock_wait_max)));
}

/*
 * Workers in the way make room, as autovacuum does: a deferred step can come
 * later, and its index build may itself be waiting for this transaction.  False
 * if there are none.
 */
static bool
workers_yield(LockBudget *budget)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		asks = now >= budget->ask_workers;

	if (!slots_interrupt(budget->blockers, asks))
		return false;
	if (asks)
		budget->ask_workers = TimestampTzPlusMilliseconds(now, ASK_AGAIN_MS);
	return true;
}

/* Is there time for another attempt? */
static bool
goes_on(LockBudget *budget)
{
	bool		yielding = workers_yield(budget);

	return (yielding || !budget->single) && GetCurrentTimestamp() < budget->give_up;
}

static void
abort_transaction(void *arg)
{
	restart_abort();
}

/*
 * Attempts that are whole transactions.  The first runs in the transaction
 * that the caller is in; the last one leaves its transaction to be committed
 * by the caller's caller as usual.  A snapshot of our own is popped at the
 * end, since PortalRunUtility() no longer has one to pop.
 */
static void
run_in_transactions(LockBudget *budget)
{
	int			isolation_level = XactIsoLevel;
	bool		own_snapshot = false;

	while (try_once(budget, abort_transaction, NULL) != NULL)
	{
		if (!goes_on(budget))
		{
			restart_begin(isolation_level, budget->context);
			report_given_up(budget);
		}
		pause_between(budget);
		restart_begin(isolation_level, budget->context);
		own_snapshot = true;
	}
	if (own_snapshot && ActiveSnapshotSet())
		PopActiveSnapshot();
}

/* The state to come back to after a subtransaction. */
typedef struct OuterState
{
	MemoryContext context;
	ResourceOwner owner;
} OuterState;

static void
abort_subtransaction(void *arg)
{
	OuterState *outer = arg;

	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(outer->context);
	CurrentResourceOwner = outer->owner;
}

/* Attempts that are subtransactions. */
static void
run_in_subtransactions(LockBudget *budget)
{
	OuterState	outer = {CurrentMemoryContext, CurrentResourceOwner};

	for (;;)
	{
		BeginInternalSubTransaction(NULL);
		MemoryContextSwitchTo(outer.context);
		if (try_once(budget, abort_subtransaction, &outer) == NULL)
			break;
		if (!goes_on(budget))
			report_given_up(budget);
		pause_between(budget);
	}
	ReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(outer.context);
	CurrentResourceOwner = outer.owner;
}

void
lock_budget_run(ZdmAttempt attempt, void *arg, List *locks, bool can_abort, bool single,
				bool commits)
{
	LockBudget	budget = {0};
	MemoryContext oldcontext = CurrentMemoryContext;

	budget.attempt = attempt;
	budget.arg = arg;
	budget.locks = locks;
	budget.can_abort = can_abort;
	budget.commits = commits;
	budget.single = single || zdm_guc_lock_wait_max == 0;
	budget.give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), single ?
												 Min(YIELD_MAX_MS, zdm_guc_lock_wait_max) :
												 zdm_guc_lock_wait_max);
	budget.pause = FIRST_PAUSE_MS;
	budget.context = AllocSetContextCreate(can_abort ? PortalContext : CurrentMemoryContext,
										   "zdm lock budget", ALLOCSET_SMALL_SIZES);

	if (can_abort)
		run_in_transactions(&budget);
	else
		run_in_subtransactions(&budget);

	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(budget.context);
}

bool
lock_budget_run_patiently(ZdmAttempt attempt, void *arg)
{
	MemoryContext oldcontext = CurrentMemoryContext;
	int			lock_timeout = LockTimeout;
	ErrorData  *volatile error = NULL;

	if (patience_timeout == MAX_TIMEOUTS)
		patience_timeout = RegisterTimeout(USER_TIMEOUT, patience_expired);
	budget_cancelled = false;
	PG_TRY();
	{
		LockTimeout = 0;
		enable_timeout_every(patience_timeout,
							 TimestampTzPlusMilliseconds(GetCurrentTimestamp(), zdm_guc_lock_timeout),
							 zdm_guc_lock_timeout);
		attempt(arg);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(oldcontext);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();

	disable_timeout(patience_timeout, false);
	LockTimeout = lock_timeout;
	/* the lock may have been granted in the moment of the cancel */
	if (budget_cancelled)
		QueryCancelPending = false;
	if (error == NULL)
		return true;
	if (!is_our_cancel(error))
		ReThrowError(error);
	restart_abort();
	return false;
}
