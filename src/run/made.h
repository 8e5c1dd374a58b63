/*-------------------------------------------------------------------------
 *
 * made.h
 *	  Writes down the indexes that a step makes, as it makes them.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_MADE_H
#define ZDM_MADE_H

#include "zdm.h"

extern void made_init(void);

/*
 * From here on, each relation that comes into being is written to the row of
 * the step, in the very transaction that makes it: CREATE INDEX CONCURRENTLY
 * commits an index long before it is valid.
 */
extern void made_watch(int64 statement_id, int ordinal);
extern void made_stop(void);

/*
 * While a command runs that is not the step's own; true if anything is
 * watched, and made_resume() is due.
 */
extern bool made_suspend(void);
extern void made_resume(void);

/* What the transaction has made needs no undo: it commits the whole statement. */
extern void made_forget(void);

#endif							/* ZDM_MADE_H */
