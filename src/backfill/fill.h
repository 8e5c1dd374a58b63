/*-------------------------------------------------------------------------
 *
 * fill.h
 *	  The rows of one table: find those whose column is NULL, and fill them.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_BACKFILL_FILL_H
#define ZDM_BACKFILL_FILL_H

#include "zdm.h"

#include "nodes/primnodes.h"
#include "portability/instr_time.h"
#include "storage/block.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"

/* Calls back with a block that has to be looked at once more. */
typedef void (*ZdmFillAgain) (void *arg, BlockNumber block);

/* What a batch may do, and what it has done. */
typedef struct ZdmFillBatch
{
	double		budget;			/* milliseconds */
	bool		wait;			/* wait for a locked row, for a moment, where
								 * the transaction holds no lock yet */
	ZdmFillAgain again;
	void	   *again_arg;

	instr_time	start;
	int64		filled;
	int64		yielded_null;	/* rows whose default came out NULL */
	bool		lost_sight;		/* of a row: its last version is elsewhere */
	bool		disturbs;		/* somebody waits for a row of this batch */
	int			blocker;		/* a process that holds a row, or 0 */
} ZdmFillBatch;

typedef struct ZdmFiller ZdmFiller;

/* Raise an error if rows of the table can never be filled. */
extern void fill_check_table(Relation rel);

/* rel must be locked with RowExclusiveLock. */
extern ZdmFiller *fill_begin(Relation rel, AttrNumber attnum, Expr *default_expr);
extern void fill_end(ZdmFiller *filler);

/*
 * Walk from *next to the end of block "last", under the active snapshot.
 * False when the batch is over before; *next is then where to go on.  Takes
 * one row at least, so that a batch always gets on.
 */
extern bool fill_range(ZdmFiller *filler, ZdmFillBatch *batch,
					   ItemPointer next, BlockNumber last);

/*
 * Report each block that has a row, visible to the active snapshot, whose
 * column is NULL.
 */
extern void fill_find(Relation rel, AttrNumber attnum, ZdmFillAgain found, void *arg);

#endif							/* ZDM_BACKFILL_FILL_H */
