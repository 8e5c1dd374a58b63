/*-------------------------------------------------------------------------
 *
 * throttle.c
 *	  How far behind those are who follow this server's WAL.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "backfill/throttle.h"
#include "guc.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define CHECK_INTERVAL_MS	100

/* Waiting for somebody who does not catch up ends after so long. */
#define PATIENCE_MS			10000

/*
 * Bytes by which the slowest one is behind.  Standbys and subscribers count
 * by what they have on disk, not by what they have replayed: a standby can
 * be told to replay later.  Those that are not connected do not count, nor
 * do base backups.
 */
static uint64
largest_lag(void)
{
	XLogRecPtr	here = GetFlushRecPtr(NULL);
	uint64		largest = 0;

	for (int i = 0; i < max_wal_senders; i++)
	{
		WalSnd	   *walsnd = &WalSndCtl->walsnds[i];
		WalSndState state;
		XLogRecPtr	flush;
		bool		active;

		SpinLockAcquire(&walsnd->mutex);
		active = walsnd->pid != 0;
		state = walsnd->state;
		flush = walsnd->flush;
		SpinLockRelease(&walsnd->mutex);

		if (active && !XLogRecPtrIsInvalid(flush) && flush < here &&
			(state == WALSNDSTATE_CATCHUP || state == WALSNDSTATE_STREAMING))
			largest = Max(largest, here - flush);
	}
	return largest;
}

void
throttle_rest(long milliseconds)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds);

	while (milliseconds > 0)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 milliseconds, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		milliseconds = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);
	}
}

/*
 * One who never gets nearer (a receiver that reports once a WAL file, a
 * subscriber that is stuck) slows a backfill down, but does not stop it.
 */
void
throttle_wait_for_lag(void)
{
	uint64		limit = (uint64) zdm_guc_backfill_max_lag * 1024;
	uint64		least = PG_UINT64_MAX;
	long		patience = PATIENCE_MS;

	if (limit == 0)
		return;
	while (patience > 0)
	{
		uint64		lag = largest_lag();

		if (lag <= limit)
			return;
		if (lag < least)
		{
			least = lag;
			patience = PATIENCE_MS;
		}
		throttle_rest(CHECK_INTERVAL_MS);
		patience -= CHECK_INTERVAL_MS;
	}
}
