/*-------------------------------------------------------------------------
 *
 * claims.h
 *	  What deferred steps that are not done yet will make, drop or change.
 *
 * All functions need a transaction.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_CLAIMS_H
#define ZDM_CLAIMS_H

#include "zdm.h"

#include "step.h"

/* A deferred step that is not done: queued, running or failed. */
typedef struct ZdmPending
{
	int64		id;
	int64		statement_id;
	int64		window_id;
	ZdmPhase	phase;
	bool		is_running;
	const char *sql;
	List	   *targets;		/* ZdmPlanTarget: the relations that sql
								 * names, by the names that they have in it;
								 * InvalidOid if gone */
	List	   *claims;			/* ZdmClaim; OIDs are of this database, also
								 * in a restored copy, else InvalidOid */
	bool		is_native;		/* written in this database, not restored */
	List	   *relids;			/* Oid of the targets when it was written */
	List	   *stmts;			/* RawStmt, of sql; filled by those who need
								 * it */
} ZdmPending;

/*
 * All that are not part of an undo, in the order in which they will run.
 * Runs no SQL.
 */
extern List *claims_pending(void);

/* the name of a window, or NULL */
extern const char *claims_window_name(int64 window_id);

/* Take the step out of the queue; false if a session carries it out now. */
extern bool claims_cancel(int64 step_id);

/*
 * The object that a step drops has another name from now on; what that is
 * undone by belongs to the step's statement.
 */
extern void claims_rename(const ZdmPending *pending, const char *sql, const char *from,
						  const char *to, const char *done_sql, const char *undo_sql);

/*
 * The step drops that object no more: sql is what is left of it to do, or NULL
 * if that was not named there.
 */
extern void claims_forget(const ZdmPending *pending, const ZdmClaim *claim, const char *sql);

#endif							/* ZDM_CLAIMS_H */
