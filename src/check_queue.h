/*-------------------------------------------------------------------------
 *
 * check_queue.h
 *	  What a statement that is only looked at has to do with the queue.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_CHECK_QUEUE_H
#define ZDM_CHECK_QUEUE_H

#include "claims.h"
#include "ddl/ddl.h"

/*
 * As the guard would find it, but for the steps with one of those ids (int64 *);
 * NULL if no step matters to the statement.  ddl becomes what is left of it.
 * Raises the errors that the statement would get, and no NOTICE.
 */
extern ZdmConflict *check_queue(ZdmDdl *ddl, List *cancelled);

/* names (char *) that the planners may not choose */
extern List *check_queue_reserved(void);

#endif							/* ZDM_CHECK_QUEUE_H */
