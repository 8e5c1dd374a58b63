/*-------------------------------------------------------------------------
 *
 * scratch.h
 *	  Runs a statement on empty copies of the tables that it names, and
 *	  leaves nothing of it.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_SCRATCH_H
#define ZDM_SCRATCH_H

#include "zdm.h"

#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"

/* A table that the statement names. */
typedef struct ScratchTable
{
	RangeVar   *place;			/* in the statement, which is changed: names
								 * the copy in the end */
	bool		keys;			/* its keys are needed too */
	bool		is_referenced;	/* it is not altered itself */
	Oid			heir;			/* one that is to inherit from the copy, with
								 * its CHECK constraints; or InvalidOid */
} ScratchTable;

/*
 * Run the statement, which names the tables (ScratchTable).  Raises its error,
 * with positions in query.  Returns false if the tables cannot be copied, so
 * that nothing is known.
 */
extern bool scratch_run(Node *stmt, const char *query, List *tables);

/*
 * The same for a statement on a domain, on a copy without constraints and
 * without columns.
 */
extern bool scratch_run_on_domain(AlterDomainStmt *stmt, const char *query, Oid domain);

#endif							/* ZDM_SCRATCH_H */
