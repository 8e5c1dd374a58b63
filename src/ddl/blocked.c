/*-------------------------------------------------------------------------
 *
 * blocked.c
 *	  Who holds, at this moment, the lock that a statement needs.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ddl/ddl.h"
#include "miscadmin.h"
#include "storage/lock.h"

/* A process whose transaction holds a lock that conflicts, 0 for a prepared
 * transaction, or -1 for none. */
static int
find_holder(const ZdmRelLock *lock)
{
	LOCKTAG		tag;
	VirtualTransactionId *holders;
	PGPROC	   *proc;
	int			count;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, lock->rel->relid);
	holders = GetLockConflicts(&tag, lock->mode, &count);
	if (count == 0)
		return -1;
	proc = compat_vxid_proc(holders[0]);
	return proc != NULL ? proc->pid : 0;
}

/*
 * Add a note for the first relation that somebody holds.  Reads the lock
 * table in shared memory; takes no lock itself.
 */
void
ddl_blocked_rule(ZdmDdl *ddl)
{
	ListCell   *lc;

	foreach(lc, ddl->locks)
	{
		const ZdmRelLock *lock = lfirst(lc);
		int			pid = lock->mode >= ShareLock ? find_holder(lock) : -1;

		if (pid < 0)
			continue;
		if (pid > 0)
			(void) ddl_hazard(ddl, ZDM_RULE_BLOCKED_BY_LONG_TRANSACTION, lock->rel,
							  NULL, NULL,
							  "process %d holds a lock on %s that the statement would wait for",
							  pid, ddl_rel_describe(lock->rel));
		else
			(void) ddl_hazard(ddl, ZDM_RULE_BLOCKED_BY_LONG_TRANSACTION, lock->rel,
							  NULL, NULL,
							  "a prepared transaction holds a lock on %s that the statement would wait for",
							  ddl_rel_describe(lock->rel));
		return;
	}
}
