/*-------------------------------------------------------------------------
 *
 * runner.h
 *	  Carries statements out in steps, each in its own transaction.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_RUNNER_H
#define ZDM_RUNNER_H

#include "zdm.h"

#include "nodes/parsenodes.h"
#include "step.h"

/* What the runner needs of those who call it; arg is theirs. */
typedef struct ZdmRunnerOps
{
	/*
	 * At the begin of the transaction of a brief step: raise if what the plan
	 * rests on no longer holds.
	 */
	void		(*check) (void *arg);

	/* run one utility command as at top level; sql is its source text */
	void		(*run) (RawStmt *stmt, const char *sql, void *arg);
} ZdmRunnerOps;

/*
 * Carry out the steps of a statement whose row and steps are in the ledger,
 * written by the current transaction, in which nothing else has been done.
 *
 * At top level, outside a transaction block, in a portal.  targets is a list
 * of ZdmPlanTarget.  All that is handed in lives in a context that survives
 * transactions.  Commits; returns in a fresh transaction without a snapshot.
 *
 * If a step fails, what was done is undone, the ledger keeps no trace of the
 * statement, and the error is raised.  What could not be undone is left to
 * recover_all(), and said in a WARNING.
 */
extern void runner_run(int64 statement_id, List *steps, List *targets,
					   const ZdmRunnerOps *ops, void *arg);

/*
 * Undo or complete the statements that sessions which are gone have left
 * unfinished: of one window if window_id is not 0, of one role if role is not
 * NULL; each with the rights of its role.  One that belongs to a role that
 * the current user is not a member of is an error.  A failure is raised when
 * all have been tried, or only warned of if it need not succeed.  Preconditions
 * and effect on the transaction as above; false if there is none, and nothing
 * has been done to the transaction.
 */
extern bool recover_all(int64 window_id, const char *role, bool must_succeed,
						const ZdmRunnerOps *ops, void *arg);

/* recover.c, for runner.c: the same for one statement of this session */
extern void recover_statement(int64 statement_id, MemoryContext context,
							  const ZdmRunnerOps *ops, void *arg);

/* the same for a step that gave up half-way: completes it */
extern void recover_step(int64 statement_id, int ordinal, MemoryContext context,
						 const ZdmRunnerOps *ops, void *arg);

/*
 * A session that carries a statement out holds this lock on it: those who come
 * to recover it know by it that it is alive.  False if somebody else has it.
 */
extern bool recover_lock(int64 statement_id);
extern void recover_unlock(int64 statement_id);

/*
 * runner.c, for recover.c: a command that commits by itself, as a step.  False
 * if a DETACH PARTITION gave up as others would have had to wait for it; its
 * transaction is aborted, and recover_step() has to follow.
 */
extern bool runner_run_alone(int64 statement_id, int ordinal, List *stmts, const char *sql,
							 MemoryContext context, const ZdmRunnerOps *ops, void *arg);
extern void runner_run_commands(List *stmts, const char *sql, const ZdmRunnerOps *ops,
								void *arg);

#endif							/* ZDM_RUNNER_H */
