/*-------------------------------------------------------------------------
 *
 * lock_budget.h
 *	  Runs a command that needs strong locks in attempts, each of which may
 *	  take only so long to get them.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_LOCK_BUDGET_H
#define ZDM_LOCK_BUDGET_H

#include "zdm.h"

#include "nodes/pg_list.h"
#include "storage/lockdefs.h"

/* A lock that the command needs, as far as it is known beforehand. */
typedef struct ZdmNeededLock
{
	Oid			relid;
	LOCKMODE	mode;
	const char *name;			/* for people: table "public.t" */
} ZdmNeededLock;

/* One attempt.  In a fresh transaction it is first, all that is old is gone. */
typedef void (*ZdmAttempt) (void *arg);

/*
 * Run the command in attempts until one gets its locks or
 * zdm.lock_wait_max is over; then raise 55P03 with who is in the way.
 *
 * can_abort: the command is all that its transaction does, at top level: an
 * attempt is a whole transaction, and nothing is held between two.
 * Otherwise an attempt is a subtransaction.  single: do not pause and try
 * again, as the transaction already blocks others.
 *
 * commits: the command commits by itself in between (VACUUM FULL, REINDEX
 * SCHEMA): each of its waits is bounded, not an attempt as a whole, and what
 * a failed attempt has committed stays.  Needs can_abort.
 *
 * locks is a list of ZdmNeededLock; with can_abort it must live in a context
 * that survives the transaction, as must arg.
 */
extern void lock_budget_run(ZdmAttempt attempt, void *arg, List *locks,
							bool can_abort, bool single, bool commits);

/*
 * Run a command that commits by itself, without lock_timeout, but so that it
 * does not wait for ACCESS EXCLUSIVE on a relation longer than
 * zdm.lock_timeout.  False if it gave up for that: then its transaction is
 * aborted, and there is none.  Other errors are raised.
 *
 * Called in a context that survives transactions, as must arg.
 */
extern bool lock_budget_run_patiently(ZdmAttempt attempt, void *arg);

#endif							/* ZDM_LOCK_BUDGET_H */
