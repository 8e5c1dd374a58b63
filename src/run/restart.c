/*-------------------------------------------------------------------------
 *
 * restart.c
 *	  Ends and starts transactions inside one command at top level.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "run/restart.h"
#include "tcop/pquery.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"

void
restart_begin(MemoryContext context)
{
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(context);
}

void
restart_begin_step(MemoryContext context)
{
	StartTransactionCommand();
	XactIsoLevel = XACT_READ_COMMITTED;
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(context);
}

/*
 * A command that commits by itself leaves no snapshot, others one.  The portal
 * forgets its own at the commit.
 */
void
restart_commit(void)
{
	while (ActiveSnapshotSet())
		PopActiveSnapshot();
	CommitTransactionCommand();
}

/*
 * The portal keeps pointing at a snapshot of the failed transaction otherwise;
 * PortalRunUtility() copes with none.
 */
void
restart_abort(void)
{
	AbortCurrentTransaction();
	ActivePortal->portalSnapshot = NULL;
}
