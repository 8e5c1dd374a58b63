/*-------------------------------------------------------------------------
 *
 * slots.h
 *	  The shared memory of launcher and workers.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_SLOTS_H
#define ZDM_SLOTS_H

#include "zdm.h"

#include "nodes/pg_list.h"
#include "window/due.h"

/* Two probes, so that one that has to wait for its database holds up no other. */
#define SLOTS_PROBES	2

/* What a background process of the launcher is for; fits into bgw_extra. */
typedef struct ZdmAssignment
{
	int			slot;
	uint32		generation;		/* of the slot */
	Oid			database;
	Oid			role;			/* session user, or InvalidOid: a probe */
} ZdmAssignment;

/* What has become of it. */
typedef struct ZdmOutcome
{
	bool		has_due;		/* a probe has got to its end */
	ZdmDue		due;
	bool		has_begun;		/* a worker has begun a step */
	bool		has_worked;		/* and has got to the end of one */
} ZdmOutcome;

extern void slots_init(void);

/* Has the server been started with zdm in shared_preload_libraries? */
extern bool slots_exist(void);
extern int	slots_count(void);

/* Any session: have the launcher look at the database. */
extern void slots_want(Oid database);

/* Any session: end the processes in the database. */
extern void slots_terminate(Oid database);

/*
 * Any session but a worker: is one of the processes (int) a worker in its
 * database that makes way?  If it asks them to, they cancel what they do.  A
 * step that has made way several times does so no more for a while, unless it
 * waits for the very transaction that asks.
 */
extern bool slots_interrupt(List *pids, bool asks);

/*
 * Could the last background process that was wanted not be registered, or is
 * there no launcher?
 */
extern bool slots_starved(void);

/*
 * The launcher: take its place, with all slots free; the databases that
 * sessions want looked at, or everything if they were too many to note.
 */
extern void slots_attach_launcher(void);
extern List *slots_take_wanted(bool *all);
extern void slots_set_starved(bool starved);

/* The launcher: give a slot away, take it back, ask what it is used for. */
extern bool slots_assign(int first, int last, Oid database, Oid role, ZdmAssignment *assignment);
extern bool slots_is_assigned(Oid database, Oid role);
extern bool slots_reap(int slot, bool is_gone, ZdmAssignment *assignment, ZdmOutcome *outcome);

/*
 * A background process: take its slot, until it exits; false if the launcher
 * does not wait for it any more.  What it has found or done.
 */
extern bool slots_attach(const ZdmAssignment *assignment);
extern void slots_report_due(const ZdmDue *due);
extern void slots_report_begun(int earlier_attempts);
extern void slots_report_worked(void);

/* A worker: the process for which its step was asked to make way, or 0. */
extern int	slots_asked_by(void);

#endif							/* ZDM_SLOTS_H */
