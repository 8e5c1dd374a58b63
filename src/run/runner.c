/*-------------------------------------------------------------------------
 *
 * runner.c
 *	  Carries statements out in steps, each in its own transaction.
 *
 * The state of a step is written in the transaction that does it.  So the
 * ledger says at each instant what there is to undo, whatever happens to this
 * session; between transactions nothing is relied on but the ledger, names
 * and OIDs.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "backfill/backfill.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "guc.h"
#include "miscadmin.h"
#include "run/lock_budget.h"
#include "run/made.h"
#include "run/restart.h"
#include "run/runner.h"
#include "run/turn.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "window/steps.h"

/*
 * After a cancel the user waits for his prompt: so long may an attempt to
 * undo what was done take, in milliseconds.
 */
#define UNDO_AFTER_CANCEL	2000

/* A statement on its way; lives in its context. */
typedef struct Runner
{
	int64		statement_id;
	List	   *targets;
	const ZdmRunnerOps *ops;
	void	   *arg;
	const ZdmStep *step;		/* the current one */
	int			ordinal;
	bool		is_last;
	MemoryContext context;		/* survives transactions */
} Runner;

/*
 * Is each relation still the one that its name meant when the plan was made?
 * With lock, it stays so until the end of the transaction.
 */
static void
check_targets(const Runner *runner, bool lock)
{
	ListCell   *lc;

	foreach(lc, runner->targets)
	{
		const ZdmPlanTarget *target = lfirst(lc);
		char	   *relname;
		char	   *nspname;

		if (lock && get_rel_relkind(target->relid) != RELKIND_INDEX)
			LockRelationOid(target->relid, AccessShareLock);
		relname = get_rel_name(target->relid);
		nspname = relname ? get_namespace_name(get_rel_namespace(target->relid)) : NULL;
		if (nspname == NULL || strcmp(relname, target->relname) != 0 ||
			strcmp(nspname, target->nspname) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_TABLE),
					 errmsg("relation \"%s.%s\" was dropped or renamed while the statement was carried out",
							target->nspname, target->relname)));
	}
}

/* A query in a step: it moves a sequence on. */
static void
run_query(const RawStmt *stmt, const char *sql)
{
	const char *start = sql + stmt->stmt_location;
	char	   *text_of_one = stmt->stmt_len > 0 ? pnstrdup(start, stmt->stmt_len) : pstrdup(start);
	int			result;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	result = SPI_execute(text_of_one, false, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(result));
	SPI_finish();
}

/* Run commands in the current transaction. */
void
runner_run_commands(List *stmts, const char *sql, const ZdmRunnerOps *ops, void *arg)
{
	ListCell   *lc;

	foreach(lc, stmts)
	{
		RawStmt    *stmt = lfirst_node(RawStmt, lc);

		CHECK_FOR_INTERRUPTS();
		if (IsA(stmt->stmt, SelectStmt))
			run_query(stmt, sql);
		else
			ops->run(copyObject(stmt), sql, arg);
		CommandCounterIncrement();
	}
}

/*
 * Without lock_timeout, which would end a wait for old transactions that
 * blocks nobody.
 */
static void
run_patiently(List *stmts, const char *sql, const ZdmRunnerOps *ops, void *arg)
{
	int			lock_timeout = LockTimeout;

	PG_TRY();
	{
		LockTimeout = 0;
		runner_run_commands(stmts, sql, ops, arg);
	}
	PG_FINALLY();
	{
		LockTimeout = lock_timeout;
	}
	PG_END_TRY();
}

static void
set_done(const Runner *runner)
{
	steps_set_state(runner->statement_id, runner->ordinal, ZDM_STEP_DONE);
	if (runner->is_last)
		made_forget();
}

/* An attempt of a brief step, in a transaction of its own. */
static void
attempt_brief(void *arg)
{
	Runner	   *runner = arg;

	runner->ops->check(runner->arg);
	check_targets(runner, true);
	runner_run_commands(runner->step->stmts, runner->step->sql, runner->ops, runner->arg);
	set_done(runner);
}

/* The lock that the step is about, for the report of who holds it. */
static List *
locks_of(const Runner *runner)
{
	const ZdmPlanTarget *target = runner->targets ? linitial(runner->targets) : NULL;
	ZdmNeededLock *lock;

	if (target == NULL || runner->step->lock_mode == NoLock)
		return NIL;
	lock = palloc(sizeof(ZdmNeededLock));
	lock->relid = target->relid;
	lock->mode = runner->step->lock_mode;
	lock->name = psprintf("relation \"%s.%s\"", target->nspname, target->relname);
	return list_make1(lock);
}

static void
run_brief(Runner *runner)
{
	restart_begin_step(runner->context);
	lock_budget_run(attempt_brief, runner, locks_of(runner), true, false, false);
	restart_commit();
}

/* Say that the step runs, for those who look at zdm_steps, and for recovery. */
static void
set_running(int64 statement_id, int ordinal, MemoryContext context)
{
	restart_begin_step(context);
	steps_set_state(statement_id, ordinal, ZDM_STEP_RUNNING);
	restart_commit();
}

static void
run_long(Runner *runner)
{
	List	   *turn;

	set_running(runner->statement_id, runner->ordinal, runner->context);
	turn = turn_take(linitial_node(RawStmt, runner->step->stmts)->stmt, runner->context);
	restart_begin_step(runner->context);
	check_targets(runner, false);
	run_patiently(runner->step->stmts, runner->step->sql, runner->ops, runner->arg);
	set_done(runner);
	restart_commit();
	turn_give_back(turn);
}

/* A command that commits by itself */
typedef struct Alone
{
	List	   *stmts;
	const char *sql;
	const ZdmRunnerOps *ops;
	void	   *arg;
} Alone;

static void
attempt_alone(void *arg)
{
	Alone	   *alone = arg;

	runner_run_commands(alone->stmts, alone->sql, alone->ops, alone->arg);
}

/* It wants one active snapshot, and leaves none. */
bool
runner_run_alone(int64 statement_id, int ordinal, List *stmts, const char *sql,
				 MemoryContext context, const ZdmRunnerOps *ops, void *arg)
{
	Node	   *stmt = linitial_node(RawStmt, stmts)->stmt;
	Alone		alone = {stmts, sql, ops, arg};
	List	   *turn;

	set_running(statement_id, ordinal, context);
	turn = turn_take(stmt, context);
	restart_begin_step(context);
	restart_unrestricted();
	if (!IsA(stmt, AlterTableStmt))
		run_patiently(stmts, sql, ops, arg);
	else if (!lock_budget_run_patiently(attempt_alone, &alone))
		return false;			/* the abort has given the turn back */
	if (!ActiveSnapshotSet())
		PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(context);
	steps_set_state(statement_id, ordinal, ZDM_STEP_DONE);
	restart_commit();
	turn_give_back(turn);
	return true;
}

static void
run_alone(Runner *runner)
{
	restart_begin_step(runner->context);
	check_targets(runner, false);
	restart_commit();
	if (!runner_run_alone(runner->statement_id, runner->ordinal, runner->step->stmts,
						  runner->step->sql, runner->context, runner->ops, runner->arg))
		recover_step(runner->statement_id, runner->ordinal, runner->context, runner->ops,
					 runner->arg);
}

/* UPDATE t SET c = DEFAULT WHERE c IS NULL, in batches */
static void
run_backfill(Runner *runner)
{
	const UpdateStmt *stmt = castNode(UpdateStmt, linitial_node(RawStmt, runner->step->stmts)->stmt);
	const char *column = linitial_node(ResTarget, stmt->targetList)->name;
	ZdmBackfill *backfill;
	bool		more;

	restart_begin_step(runner->context);
	check_targets(runner, false);
	steps_set_state(runner->statement_id, runner->ordinal, ZDM_STEP_RUNNING);
	backfill = backfill_begin(RangeVarGetRelid(stmt->relation, NoLock, false), column);
	restart_commit();
	do
	{
		restart_begin_step(runner->context);
		MemoryContextSwitchTo(CurTransactionContext);
		more = backfill_batch(backfill);
		if (more)
			steps_set_position(runner->statement_id, runner->ordinal,
							   backfill_position(backfill));
		else
			set_done(runner);
		restart_commit();
		if (more)
			backfill_pause(backfill);
	} while (more);
}

static void
run_step(Runner *runner)
{
	made_watch(runner->statement_id, runner->ordinal);
	PG_TRY();
	{
		switch (runner->step->kind)
		{
			case ZDM_STEP_BRIEF:
				run_brief(runner);
				break;
			case ZDM_STEP_LONG:
				run_long(runner);
				break;
			case ZDM_STEP_ALONE:
				run_alone(runner);
				break;
			case ZDM_STEP_BACKFILL:
				run_backfill(runner);
				break;
		}
	}
	PG_FINALLY();
	{
		made_stop();
	}
	PG_END_TRY();
}

/* Make the error of a CHECK that proved something the one of the plain statement. */
static void
translate_violation(const ZdmStep *step, ErrorData *error)
{
	if (step->null_column != NULL)
	{
		error->sqlerrcode = ERRCODE_NOT_NULL_VIOLATION;
		error->message = psprintf("column \"%s\" of relation \"%s\" contains null values",
								  step->null_column, error->table_name);
		error->column_name = pstrdup(step->null_column);
	}
	else if (step->proves == ZDM_PROVES_BOUNDS)
		error->message = psprintf("partition constraint of relation \"%s\" is violated by some row",
								  error->table_name);
	else if (step->proves == ZDM_PROVES_DEFAULT)
		error->message = psprintf("updated partition constraint for default partition \"%s\" would be violated by some row",
								  error->table_name);
	else
		return;
	error->constraint_name = NULL;
}

/* Say the name that a constraint or sequence is to have in the end. */
static void
translate_name(const ZdmStep *step, ErrorData *error)
{
	char	   *at;

	if (step->made_as == NULL)
		return;
	if (error->constraint_name != NULL && strcmp(error->constraint_name, step->made_as) == 0)
		error->constraint_name = pstrdup(step->made_for);
	else if (error->sqlerrcode != ERRCODE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED)
		return;
	at = strstr(error->message, step->made_as);
	if (at != NULL)
		error->message = psprintf("%.*s%s%s", (int) (at - error->message), error->message,
								  step->made_for, at + strlen(step->made_as));
}

static void
translate_error(const ZdmStep *step, ErrorData *error)
{
	translate_name(step, error);
	if (error->sqlerrcode == ERRCODE_CHECK_VIOLATION && error->table_name != NULL)
		translate_violation(step, error);

	/* positions are in the SQL of the step, which the client has not sent */
	error->cursorpos = 0;
}

/*
 * Undo what was done before the error, or complete it.  A failure of that does
 * not hide the error.
 */
static void
clean_up(Runner *runner, const ErrorData *error)
{
	int			lock_wait_max = zdm_guc_lock_wait_max;

	PG_TRY();
	{
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			zdm_guc_lock_wait_max = Min(lock_wait_max, UNDO_AFTER_CANCEL);
		recover_statement(runner->statement_id, runner->context, runner->ops, runner->arg);
		zdm_guc_lock_wait_max = lock_wait_max;
	}
	PG_CATCH();
	{
		ErrorData  *second;

		zdm_guc_lock_wait_max = lock_wait_max;
		MemoryContextSwitchTo(runner->context);
		second = CopyErrorData();
		FlushErrorState();
		restart_abort();
		ereport(WARNING,
				(errcode(second->sqlerrcode),
				 errmsg("what the statement had done so far is not undone yet: %s",
						second->message),
				 second->detail ? errdetail("%s", second->detail) : 0,
				 errhint("CALL zdm_run(); undoes it.")));
	}
	PG_END_TRY();
}

/* Run the steps; on an error, clean up and raise it. */
static void
run_steps(Runner *runner, List *steps)
{
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		ListCell   *lc;

		foreach(lc, steps)
		{
			runner->step = lfirst(lc);
			runner->ordinal = foreach_current_index(lc) + 1;
			runner->is_last = lnext(steps, lc) == NULL;
			run_step(runner);
		}
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(runner->context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();

	if (error == NULL)
		return;
	restart_abort();
	MemoryContextSwitchTo(runner->context);
	translate_error(runner->step, error);

	/* the rest is short, and ends what the timeout is to bound */
	disable_timeout(STATEMENT_TIMEOUT, false);
	clean_up(runner, error);
	recover_unlock(runner->statement_id);
	restart_begin_step(runner->context);
	ReThrowError(error);
}

void
runner_run(int64 statement_id, List *steps, List *targets, const ZdmRunnerOps *ops, void *arg)
{
	MemoryContext oldcontext = CurrentMemoryContext;
	Runner		runner = {0};

	runner.statement_id = statement_id;
	runner.targets = targets;
	runner.ops = ops;
	runner.arg = arg;
	runner.context = AllocSetContextCreate(PortalContext, "zdm steps", ALLOCSET_SMALL_SIZES);

	(void) recover_lock(statement_id);	/* nobody knows of it yet */
	restart_commit();
	run_steps(&runner, steps);
	recover_unlock(statement_id);
	restart_bare();

	/* so that what follows in a pipeline does not join this transaction */
	PreventInTransactionBlock(true, "carrying out a statement in steps");
	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(runner.context);
}
