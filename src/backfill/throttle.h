/*-------------------------------------------------------------------------
 *
 * throttle.h
 *	  How far behind those are who follow this server's WAL.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_BACKFILL_THROTTLE_H
#define ZDM_BACKFILL_THROTTLE_H

#include "zdm.h"

/* Sleep; a cancel ends it with its error.  Works outside a transaction. */
extern void throttle_rest(long milliseconds);

/* Wait while a standby or subscriber is over zdm.backfill_max_lag behind. */
extern void throttle_wait_for_lag(void);

#endif							/* ZDM_BACKFILL_THROTTLE_H */
