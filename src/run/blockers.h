/*-------------------------------------------------------------------------
 *
 * blockers.h
 *	  Who holds the locks that a command waits for.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_BLOCKERS_H
#define ZDM_BLOCKERS_H

#include "zdm.h"

#include "nodes/pg_list.h"
#include "storage/lock.h"

/*
 * Process IDs of the holders of locks that conflict with any of the needed
 * ones (ZdmNeededLock); 0 stands for prepared transactions.  Reads shared
 * memory only: works outside a transaction too.
 */
extern List *blockers_find(List *locks);

/* The same for one lock of any kind. */
extern List *blockers_of_lock(const LOCKTAG *tag, LOCKMODE mode);

/* One line about each, palloc'd; needs a transaction. */
extern char *blockers_describe(List *pids);

#endif							/* ZDM_BLOCKERS_H */
