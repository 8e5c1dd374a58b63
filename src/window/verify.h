/*-------------------------------------------------------------------------
 *
 * verify.h
 *	  Rows that are in the way of deferred steps.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_VERIFY_H
#define ZDM_VERIFY_H

#include "zdm.h"

#include "nodes/pg_list.h"

/* A step whose query for rows in its way has been run. */
typedef struct VerifiedStep
{
	int64		id;
	char	   *problem;		/* for people: the step, what was found, and
								 * the query; NULL: no row is in its way */
} VerifiedStep;

/*
 * query gives the query for the rows in the way of the SQL with the facts of now,
 * of which there can be others than when it was queued; NULL: it is the same.
 * It leaves out what the role cannot read.
 */
extern void verify_init(char *(*query) (const char *sql, Oid role));

/*
 * VerifiedStep, for the steps that have such a query: those that take away and
 * wait for the end of the window, or those that its abort undoes.  Each query
 * is run with the rights and settings of the step.  Between ledger_begin() and
 * ledger_end(), in the current context.
 */
extern List *verify_steps(int64 window_id, bool undo);

#endif							/* ZDM_VERIFY_H */
