/*-------------------------------------------------------------------------
 *
 * blockers.c
 *	  Who holds the locks that a command waits for.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/twophase.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "run/blockers.h"
#include "run/lock_budget.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

/* The process that holds a lock, 0 for a prepared transaction, -1 for none. */
static int
holder_pid(VirtualTransactionId vxid)
{
	PGPROC	   *proc = compat_vxid_proc(vxid);
	bool		have_more;

	if (proc != NULL)
		return proc->pid;
	if (VirtualTransactionIdIsRecoveredPreparedXact(vxid) ||
		TransactionIdIsValid(TwoPhaseGetXidByVirtualXID(vxid, &have_more)))
		return 0;
	return -1;
}

static List *
add_holders(List *pids, const LOCKTAG *tag, LOCKMODE mode)
{
	int			count;
	VirtualTransactionId *holders = GetLockConflicts(tag, mode, &count);

	for (int i = 0; i < count; i++)
	{
		int			pid = holder_pid(holders[i]);

		if (pid >= 0)
			pids = list_append_unique_int(pids, pid);
	}
	pfree(holders);				/* a long wait asks many times */
	return pids;
}

List *
blockers_find(List *locks)
{
	List	   *pids = NIL;
	ListCell   *lc;

	foreach(lc, locks)
	{
		const ZdmNeededLock *needed = lfirst(lc);
		LOCKTAG		tag;

		SET_LOCKTAG_RELATION(tag, MyDatabaseId, needed->relid);
		pids = add_holders(pids, &tag, needed->mode);
	}
	return pids;
}

List *
blockers_of_lock(const LOCKTAG *tag, LOCKMODE mode)
{
	return add_holders(NIL, tag, mode);
}

/*
 * What pg_stat_activity says of them; it hides from the user what he has no
 * right to see.
 */
char *
blockers_describe(List *pids)
{
	Datum	   *elements = palloc(sizeof(Datum) * (list_length(pids) + 1));
	Oid			types[] = {INT4ARRAYOID};
	Datum		values[1];
	StringInfoData buf;
	MemoryContext context = CurrentMemoryContext;
	int			count = 0;
	int			guc_level;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, pids)
	{
		if (lfirst_int(lc) == 0)
			appendStringInfoString(&buf, "A prepared transaction holds a conflicting lock.");
		elements[count++] = Int32GetDatum(lfirst_int(lc));
	}
	values[0] = PointerGetDatum(construct_array(elements, count, INT4OID,
												sizeof(int32), true, TYPALIGN_INT));

	/* the statistics of an earlier query of this transaction are too old */
	pgstat_clear_snapshot();

	guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_execute_with_args("SELECT format('Process %s (user %s, application \"%s\", %s, transaction open for %s): %s',"
							  " pid, coalesce(usename, '?'), application_name, coalesce(state, '?'),"
							  " coalesce(date_trunc('milliseconds', clock_timestamp() - xact_start)::text, '?'),"
							  " coalesce(left(query, 200), '?'))"
							  " FROM pg_stat_activity WHERE pid = ANY ($1) ORDER BY xact_start",
							  1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *line = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		MemoryContext oldcontext = MemoryContextSwitchTo(context);

		appendStringInfo(&buf, "%s%s", buf.len > 0 ? "\n" : "", line);
		MemoryContextSwitchTo(oldcontext);
	}
	PopActiveSnapshot();
	SPI_finish();
	AtEOXact_GUC(false, guc_level);

	if (buf.len == 0)
		appendStringInfoString(&buf, "The sessions that held conflicting locks have ended by now.");
	return buf.data;
}
