/*-------------------------------------------------------------------------
 *
 * queue.h
 *	  Deferred steps: parts of statements that wait for a worker, for
 *	  zdm_run(), or for the end of their window.
 *
 * All functions need a transaction and write in it.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_QUEUE_H
#define ZDM_QUEUE_H

#include "zdm.h"

#include "step.h"

/* A deferred step whose turn has come. */
typedef struct ZdmQueued
{
	int64		id;
	int64		statement_id;
	int64		window_id;
	const char *phase;
	const char *sql;			/* what to carry out: undo_sql of one that is
								 * undone */
	bool		is_undo;
	const char *role;			/* with whose rights */
	const char *session_role;	/* who had sent it */
	List	   *settings;		/* char *: name=value */
	List	   *targets;		/* ZdmPlanTarget; none in a restored copy */
	int			attempts;
} ZdmQueued;

/* Add the parts of a statement; those of phase expand are done. */
extern void queue_add(int64 statement_id, int64 window_id, List *parts);

/* Is any deferred step waiting, running or failed?  Runs no SQL. */
extern bool queue_any(void);

/*
 * going.c: what deferred steps will drop (ZdmClaim), palloc'd; for a statement
 * that a client sends it is gone.
 */
extern List *queue_going(void);

/*
 * The first step that can run now: of one window if window_id is not 0, and of
 * one session user if session_role is not NULL.  NULL if there is none, or
 * each is being run by somebody.  palloc'd.  The session holds the lock of the
 * step then (recover_lock() on its id), until queue_release().
 *
 * Without session_role steps are left out whose role the session's user cannot
 * become; *denied_role is that of one, or NULL.  *is_busy if it is NULL only
 * because somebody else is running what could run now.
 */
extern ZdmQueued *queue_take(int64 window_id, const char *session_role, const char **denied_role,
							 bool *is_busy);
extern void queue_release(const ZdmQueued *queued);

/* What is tried again after a while is due now. */
extern void queue_want_now(int64 window_id);

/* ZdmPlanTargets of two columns, relids and relnames, in the current result */
extern List *queue_result_targets(uint64 row, int oids, int names);

/* Is it still to be carried out? */
extern bool queue_is_open(int64 step_id);

extern void queue_set_running(const ZdmQueued *queued);

/* In the transaction that has carried it out. */
extern void queue_set_done(int64 step_id);

/* transient: it is tried again after a while; else zdm_retry() has to ask for it */
extern void queue_set_failed(const ZdmQueued *queued, const char *error, bool transient);

/*
 * After a step: a window whose last step it was is closed or aborted.  True if
 * the state of any has changed.
 */
extern bool queue_finish_windows(void);

#endif							/* ZDM_QUEUE_H */
