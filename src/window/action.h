/*-------------------------------------------------------------------------
 *
 * action.h
 *	  What the SQL functions on windows have in common.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_ACTION_H
#define ZDM_ACTION_H

#include "zdm.h"

#include "fmgr.h"
#include "nodes/pg_list.h"

/* A window that is not over, as the functions work on it. */
typedef struct OpenWindow
{
	int64		id;
	const char *name;
	const char *state;			/* "open", "closing" or "aborting" */
	const char *old_clients;	/* NULL: none */
	const char *quiet_period;
	bool		paused;			/* also if it is not native */
	bool		is_native;		/* see ZdmWindow */
} OpenWindow;

extern char *action_text_arg(FunctionCallInfo fcinfo, int argno);	/* NULL for null */
extern void action_prevent_if_read_only(const char *function);

/*
 * All below are called between ledger_begin() and ledger_end().
 *
 * action_find_window: the window of that name that is not over, or the
 * session's if name is NULL, its row locked if it is to be changed; in the
 * context given.
 */
extern OpenWindow *action_find_window(const char *name, MemoryContext context, bool for_update);

/* ZDM02: the window is closing or aborting, with the steps that are left */
pg_noreturn extern void action_report_ending(const OpenWindow *window);

/*
 * Wait for the transactions that have run DDL with a hazard, and let no
 * further one begin before the end of this transaction.
 */
extern void action_hold_off_ddl(void);

extern void action_set_state(const OpenWindow *window, const char *state);

/*
 * The window has steps to be carried out: wake the workers, or say what else
 * lets that happen.
 */
extern void action_start_work(const OpenWindow *window);

/* first column of the first row of a query with one parameter, or NULL */
extern char *action_query_text(const char *sql, Oid type, Datum value);

/* elements of a text array in the current result (char *), NIL for NULL */

/* conditions.c */

/* One of the conditions of ending a window. */
typedef struct Condition
{
	const char *name;
	bool		ok;
	bool		is_unknown;		/* it was not looked at; ok is false */
	bool		can_be_forced;	/* force => true skips it */
	const char *detail;
} Condition;

/*
 * Condition; in the context given.  For the eyes of that role: steps of others
 * are not shown to it, and queries of others not run for it.  InvalidOid: of
 * somebody who may end the window, so all is looked at.
 */
extern List *window_conditions(const OpenWindow *window, Oid viewer, MemoryContext context);

/* adopt.c: make a window of a restored copy one of this database */
extern void window_adopt(const OpenWindow *window);

#endif							/* ZDM_ACTION_H */
