/*-------------------------------------------------------------------------
 *
 * backfill.h
 *	  Fills a column with its own default in the rows where it is NULL, in
 *	  small batches of which each is a transaction of the caller.
 *
 * Works on the table access method, not through SQL: rights on the table, row
 * security, rules and the users' triggers play no part, as they play none in
 * ALTER TABLE ... ADD COLUMN ... DEFAULT.  What the server itself watches over
 * (indexes, foreign keys, stored generated columns, and constraints that name
 * the column) is kept.
 *
 * The caller starts and commits the transactions:
 *
 *		StartTransactionCommand(); PushActiveSnapshot(GetTransactionSnapshot());
 *		bf = backfill_begin(relid, "c");
 *		more = backfill_batch(bf);
 *		PopActiveSnapshot(); CommitTransactionCommand();
 *		while (more)
 *		{
 *			backfill_pause(bf);
 *			(start; push; more = backfill_batch(bf); pop; commit)
 *		}
 *
 * An error leaves the batches before it committed.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_BACKFILL_H
#define ZDM_BACKFILL_H

#include "zdm.h"

typedef struct ZdmBackfill ZdmBackfill;

/*
 * Start on a column of a table with all its partitions and inheritance
 * children.  Needs a transaction; raises an error for what can never be
 * filled, so that it is known before anything is committed.
 *
 * The result lives in the memory context that is current, which must survive
 * the transactions; it keeps names, OIDs and numbers only.
 */
extern ZdmBackfill *backfill_begin(Oid relid, const char *column);

/*
 * Go on where an earlier run was, by its backfill_position().  A position
 * that does not fit the table any more is ignored: walking over rows that
 * are filled already is harmless.
 */
extern void backfill_resume(ZdmBackfill *bf, const char *position);

/*
 * Do one batch in the current transaction, which must have an active
 * snapshot and should be READ COMMITTED and have done nothing else: a batch
 * that waits for a row must hold no lock that others wait for.
 *
 * False when no row is left that was there when the batch began.  Raises an
 * error when the table or the column has gone.
 */
extern bool backfill_batch(ZdmBackfill *bf);

/*
 * Where it is, palloc'd:
 *		pass=1 done=1200 total=5000 rows=84000 block=1200 table=public.t
 * done and total are blocks of the first pass; later ones take the rows that
 * were locked, or were moved by others while the first walked by.
 */
extern char *backfill_position(const ZdmBackfill *bf);

/*
 * Between two batches, outside a transaction: leave others the time they
 * need.  Waits while a standby or a subscriber is more than
 * zdm.backfill_max_lag behind, and rests when somebody waited for the batch
 * or when only rows are left that others hold locked, however long that is.
 */
extern void backfill_pause(ZdmBackfill *bf);

#endif							/* ZDM_BACKFILL_H */
