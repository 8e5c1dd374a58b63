/*-------------------------------------------------------------------------
 *
 * due.h
 *	  Which session users have deferred steps that can run now.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_DUE_H
#define ZDM_DUE_H

#include "zdm.h"

#include "datatype/timestamp.h"

/* As many as are told of at once; the others' turn comes when these are done. */
#define DUE_MAX_ROLES	16

/* Of fixed size: it goes through shared memory. */
typedef struct ZdmDue
{
	bool		has_work;		/* a step can become due by itself: look again */
	TimestampTz next_at;		/* the first one that waits for its time is
								 * due then; 0: none does */
	int			role_count;
	Oid			roles[DUE_MAX_ROLES];
} ZdmDue;

/*
 * Look at the queue of this database, as it is without locks: a worker may
 * find less to do.  Steps of session users that a worker cannot act for are
 * marked failed.  Needs a transaction, and writes in it.
 */
extern void due_find(ZdmDue *due);

#endif							/* ZDM_DUE_H */
