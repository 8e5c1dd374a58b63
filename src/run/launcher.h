/*-------------------------------------------------------------------------
 *
 * launcher.h
 *	  The background process that starts workers where there is something to
 *	  do, and how it is told of it.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_LAUNCHER_H
#define ZDM_LAUNCHER_H

#include "zdm.h"

#include "run/worker.h"

/* Of no effect unless shared_preload_libraries is what loads the library. */
extern void launcher_init(ZdmRunNext run_next);

/*
 * Does this server have a launcher?  Not if zdm is loaded in the session only.
 */
extern bool launcher_is_loaded(void);

/*
 * If this transaction commits, have the launcher look at this database: there
 * may be steps to carry out.  Of no effect without a launcher.
 */
extern void launcher_wake_at_commit(void);

/* The same, now. */
extern void launcher_wake(void);

/* what the postmaster starts */
extern PGDLLEXPORT void zdm_launcher_main(Datum main_arg);

#endif							/* ZDM_LAUNCHER_H */
