/*-------------------------------------------------------------------------
 *
 * probe.h
 *	  Queries for rows that stand in the way, with somebody's own rights.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_PROBE_H
#define ZDM_PROBE_H

#include "zdm.h"

#include "nodes/pg_list.h"

/*
 * The first column of the first row of a query, as text; NULL if there is
 * none.  An error of the query is not raised: *error is its message then, else
 * NULL.  It runs with the rights of the role and the settings (char *:
 * name=value), and sees all rows or fails.  Between ledger_begin() and
 * ledger_end(); all is palloc'd in the context given.
 */
extern char *probe_query(const char *sql, Oid role, List *settings, MemoryContext context,
						 char **error);

#endif							/* ZDM_PROBE_H */
