/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  Background processes in a database: the probe, which finds for whom
 *	  there is something to do, and the worker, which does it.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_WORKER_H
#define ZDM_WORKER_H

#include "zdm.h"

/*
 * Carry out one deferred step, of one window if window_id is not 0, of one
 * session user if session_role is not NULL; false if none can run now.  At
 * top level, outside a transaction block, in a portal.  Ends the current
 * transaction and returns in a fresh one without a snapshot.  Raises nothing
 * but cancel and termination.
 */
typedef bool (*ZdmRunNext) (int64 window_id, const char *session_role);

extern void worker_init(ZdmRunNext run_next);

/*
 * In a worker: let pg_stat_activity show what it carries out, and others know
 * how often that was begun before.  Else nothing.
 */
extern void worker_report(const char *sql, int earlier_attempts);

/* what the launcher registers */
extern PGDLLEXPORT void zdm_worker_main(Datum main_arg);

#endif							/* ZDM_WORKER_H */
