/*-------------------------------------------------------------------------
 *
 * restart.h
 *	  Ends and starts transactions inside one command at top level.
 *
 * For the lock budget and the step runner only.  The command must have been
 * gated by PreventInTransactionBlock(), and run in a portal; what it needs
 * later lives in a child of PortalContext.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_RESTART_H
#define ZDM_RESTART_H

#include "zdm.h"

/*
 * Are the transactions that begin here from now on those of a command that
 * somebody else has sent?  Functions that it calls cannot then become the
 * session's user, or another one, by SET ROLE or SET SESSION AUTHORIZATION.
 */
extern void restart_restrict(bool restricted);

/* For a command that commits by itself: it looks to its functions itself. */
extern void restart_unrestricted(void);

/* Begin a transaction without a snapshot. */
extern void restart_bare(void);

/*
 * Begin a transaction of that isolation level with an active snapshot, and go
 * to the context.
 */
extern void restart_begin(int isolation_level, MemoryContext context);

/*
 * The same for a step: READ COMMITTED whatever the session's default is, since
 * a step must not fail because of what others have committed meanwhile.
 */
extern void restart_begin_step(MemoryContext context);

/* Commit, with whatever snapshots are still active. */
extern void restart_commit(void);

/* End a failed transaction.  The error must have been flushed. */
extern void restart_abort(void);

#endif							/* ZDM_RESTART_H */
