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
#include "miscadmin.h"
#include "run/restart.h"
#include "tcop/pquery.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"

static bool restrict_user = false;

void
restart_restrict(bool restricted)
{
	restrict_user = restricted;
}

void
restart_unrestricted(void)
{
	if (restrict_user)
		SetUserIdAndSecContext(GetUserId(), 0);
}

void
restart_bare(void)
{
	StartTransactionCommand();
	if (restrict_user)
		SetUserIdAndSecContext(GetUserId(), SECURITY_LOCAL_USERID_CHANGE);
}

void
restart_begin(int isolation_level, MemoryContext context)
{
	restart_bare();
	XactIsoLevel = isolation_level;
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(context);
}

void
restart_begin_step(MemoryContext context)
{
	restart_begin(XACT_READ_COMMITTED, context);
}

/*
 * A command that commits by itself leaves no snapshot, others one.  The portal
 * forgets its own at the commit, which may call functions too.
 */
void
restart_commit(void)
{
	while (ActiveSnapshotSet())
		PopActiveSnapshot();
	CommitTransactionCommand();
	restart_unrestricted();
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
