/*-------------------------------------------------------------------------
 *
 * steps.h
 *	  zdm.step: how far each statement has come that is carried out in steps.
 *
 * All functions need a transaction and write in it.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_STEPS_H
#define ZDM_STEPS_H

#include "zdm.h"

#include "step.h"

typedef enum ZdmStepState
{
	ZDM_STEP_QUEUED,
	ZDM_STEP_RUNNING,
	ZDM_STEP_DONE
} ZdmStepState;

/* A row of zdm.step. */
typedef struct ZdmStepRow
{
	int			ordinal;		/* from 1 */
	const char *sql;
	const char *undo_sql;		/* or NULL */
	ZdmStepState state;
	bool		forward;		/* see ZdmStep */
	bool		is_native;		/* planned in this database, not restored into
								 * it: OIDs mean something here */
	Oid			relid;			/* that undo_sql alters, or InvalidOid */
	List	   *made;			/* Oids of relations that it made */
} ZdmStepRow;

/* A statement with steps that are not done, of no living session perhaps. */
typedef struct ZdmUnfinished
{
	int64		statement_id;
	const char *command;
	const char *sql;
	const char *role;
} ZdmUnfinished;

extern void steps_add(int64 statement_id, int64 window_id, List *steps);
extern void steps_set_state(int64 statement_id, int ordinal, ZdmStepState state);
extern void steps_set_position(int64 statement_id, int ordinal, const char *position);

/*
 * Note relations that the step has made.  Safe where no SQL can be run, right
 * before a commit.
 */
extern void steps_add_made(int64 statement_id, int ordinal, List *oids);

/* rows of one statement in the order of the steps, palloc'd */
extern List *steps_of(int64 statement_id);

/* Are there steps that are not done?  Runs no SQL. */
extern bool steps_any_unfinished(void);

/* ZdmUnfinished; of one window if window_id is not 0; of one role if not NULL */
extern List *steps_unfinished(int64 window_id, const char *role);

/* take the statement and its steps out of the ledger: it never was */
extern void steps_forget(int64 statement_id);

#endif							/* ZDM_STEPS_H */
