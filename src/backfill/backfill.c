/*-------------------------------------------------------------------------
 *
 * backfill.c
 *	  The passes of a backfill over a table and all that inherits from it.
 *
 * The first pass walks over every block, and skips rows that others hold
 * locked.  While it walks, an UPDATE can move a row that it has not reached
 * yet to a block that it has passed.  So a search follows, under a single
 * snapshot, for blocks with rows that are NULL still; the next pass takes
 * those, and another search follows, until one finds nothing: that proves it,
 * as rows that are inserted meanwhile have their default.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "backfill/backfill.h"
#include "backfill/fill.h"
#include "backfill/throttle.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "guc.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "rewrite/rewriteHandler.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

/*
 * Clients that go on writing NULL themselves would keep the search finding
 * something; theirs are not the rows that were there before.
 */
#define MAX_SEARCHES	20

/* Passes without success before a batch waits for a locked row itself */
#define WAIT_AFTER_PASSES	4

/* Tell for whom a backfill waits, after so long. */
#define NOTICE_AFTER_MS		1000

/* A set of blocks */
typedef struct BlockSet
{
	uint8	   *bits;			/* NULL: empty */
	BlockNumber size;			/* in bits */
} BlockSet;

typedef struct BackfillTable
{
	Oid			relid;
	char	   *name;			/* for people, and to find it again */
	BlockNumber nblocks;		/* of the first pass */
	BlockSet	todo;			/* of a later pass */
	BlockSet	again;			/* of the pass after this */
} BackfillTable;

typedef enum Stage
{
	STAGE_WALK,					/* the first pass, over all blocks */
	STAGE_SEARCH,				/* for rows that are NULL still */
	STAGE_RETRY,				/* a pass over the blocks in "todo" */
	STAGE_DONE
} Stage;

struct ZdmBackfill
{
	MemoryContext context;		/* holds all of this */
	Oid			relid;
	char	   *relname;
	AttrNumber	attnum;			/* of relid; its children can have another */
	char	   *column;
	BackfillTable *tables;
	int			ntables;

	Stage		stage;
	int			pass;
	int			current;		/* table */
	ItemPointerData next;		/* row in it */
	int64		rows;			/* filled by all passes */
	int64		rows_of_pass;
	bool		yields_null;	/* the default did so for a row */
	int			searches;
	int			futile_passes;	/* in a row: only locked rows were left */
	TimestampTz stuck_since;	/* the first of those */
	bool		told;			/* for whom it waits */
	int			blocker;		/* process that holds a row, or 0 */
	bool		disturbs;		/* somebody waited for the last batch */
	long		batch_ms;		/* the last batch took */
};

static void
blocks_add(MemoryContext context, BlockSet *set, BlockNumber block)
{
	if (block >= set->size)
	{
		BlockNumber size = Max(Max(1024, block + 1), set->size + set->size / 2);
		Size		bytes = (Size) size / 8 + 1;
		uint8	   *bits = MemoryContextAllocExtended(context, bytes,
													  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

		if (set->bits != NULL)
		{
			memcpy(bits, set->bits, (Size) set->size / 8 + 1);
			pfree(set->bits);
		}
		set->bits = bits;
		set->size = size;
	}
	set->bits[block / 8] |= 1 << (block % 8);
}

static void
blocks_clear(BlockSet *set)
{
	if (set->bits != NULL)
		pfree(set->bits);
	set->bits = NULL;
	set->size = 0;
}

static bool
blocks_has(const BlockSet *set, BlockNumber block)
{
	return block < set->size && (set->bits[block / 8] & (1 << (block % 8))) != 0;
}

/* The next run of blocks from *first on; false if there is none. */
static bool
blocks_next_run(const BlockSet *set, BlockNumber *first, BlockNumber *last)
{
	while (*first < set->size && !blocks_has(set, *first))
		(*first)++;
	if (*first >= set->size)
		return false;
	*last = *first;
	while (blocks_has(set, *last + 1))
		(*last)++;
	return true;
}

static void
start_table(ZdmBackfill *bf, int table)
{
	bf->current = table;
	ItemPointerSet(&bf->next, 0, FirstOffsetNumber);
}

static bool
at_start_of_table(const ZdmBackfill *bf)
{
	return ItemPointerGetBlockNumberNoCheck(&bf->next) == 0 &&
		ItemPointerGetOffsetNumberNoCheck(&bf->next) == FirstOffsetNumber;
}

static void
start_pass(ZdmBackfill *bf, Stage stage)
{
	bf->stage = stage;
	bf->rows_of_pass = 0;
	bf->pass++;
	start_table(bf, 0);
}

static bool
has_table(const ZdmBackfill *bf, Oid relid)
{
	for (int i = 0; i < bf->ntables; i++)
	{
		if (bf->tables[i].relid == relid)
			return true;
	}
	return false;
}

static void
add_table(ZdmBackfill *bf, Relation rel)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(bf->context);
	BackfillTable *table;

	if (bf->tables == NULL)
		bf->tables = palloc(sizeof(BackfillTable));
	else
		bf->tables = repalloc_huge(bf->tables, sizeof(BackfillTable) * (bf->ntables + 1));
	table = &bf->tables[bf->ntables++];
	memset(table, 0, sizeof(BackfillTable));
	table->relid = RelationGetRelid(rel);
	table->name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
											 RelationGetRelationName(rel));
	table->nblocks = RelationGetNumberOfBlocks(rel);
	MemoryContextSwitchTo(oldcontext);
}

/*
 * Add the tables of the tree that are not known yet.  A partition that was
 * attached meanwhile can hold rows that were moved into it.  Those that have
 * left the tree stay: ALTER TABLE would have filled them before.
 */
static void
collect_tables(ZdmBackfill *bf)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(bf->relid, AccessShareLock, NULL))
	{
		Oid			relid = lfirst_oid(lc);
		Relation	rel;

		if (has_table(bf, relid) || get_rel_relkind(relid) != RELKIND_RELATION)
			continue;
		rel = table_open(relid, NoLock);
		if (!RELATION_IS_OTHER_TEMP(rel))
		{
			fill_check_table(rel);
			add_table(bf, rel);
		}
		table_close(rel, NoLock);
	}
}

static AttrNumber
find_column(Relation rel, const char *column)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(rel), column);

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						column, RelationGetRelationName(rel))));
	if (attnum < 0 || TupleDescAttr(RelationGetDescr(rel), attnum - 1)->attgenerated != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot backfill column \"%s\" of table \"%s\"",
						column, RelationGetRelationName(rel)),
				 errdetail("The server computes its values.")));
	return attnum;
}

ZdmBackfill *
backfill_begin(Oid relid, const char *column)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "zdm backfill",
												  ALLOCSET_DEFAULT_SIZES);
	ZdmBackfill *bf = MemoryContextAllocZero(context, sizeof(ZdmBackfill));
	Relation	rel = table_open(relid, AccessShareLock);

	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", RelationGetRelationName(rel))));

	bf->context = context;
	bf->relid = relid;
	bf->relname = MemoryContextStrdup(context, RelationGetRelationName(rel));
	bf->attnum = find_column(rel, column);
	bf->column = MemoryContextStrdup(context, column);
	collect_tables(bf);
	start_pass(bf, STAGE_WALK);
	table_close(rel, NoLock);
	return bf;
}

static uint64
total_blocks(const ZdmBackfill *bf)
{
	uint64		total = 0;

	for (int i = 0; i < bf->ntables; i++)
		total += bf->tables[i].nblocks;
	return total;
}

static uint64
done_blocks(const ZdmBackfill *bf)
{
	uint64		done = 0;

	if (bf->stage != STAGE_WALK)
		return total_blocks(bf);
	for (int i = 0; i < bf->current; i++)
		done += bf->tables[i].nblocks;
	if (bf->current < bf->ntables)
		done += Min(ItemPointerGetBlockNumberNoCheck(&bf->next),
					bf->tables[bf->current].nblocks);
	return done;
}

char *
backfill_position(const ZdmBackfill *bf)
{
	const char *table = bf->current < bf->ntables ? bf->tables[bf->current].name : bf->relname;

	return psprintf("pass=%d done=" UINT64_FORMAT " total=" UINT64_FORMAT
					" rows=" INT64_FORMAT " block=%u table=%s",
					bf->pass, done_blocks(bf), total_blocks(bf), bf->rows,
					ItemPointerGetBlockNumberNoCheck(&bf->next), table);
}

void
backfill_resume(ZdmBackfill *bf, const char *position)
{
	int			pass;
	unsigned long long done;
	unsigned long long total;
	long long	rows;
	unsigned int block;
	int			name_at = -1;

	if (position == NULL ||
		sscanf(position, "pass=%d done=%llu total=%llu rows=%lld block=%u table=%n",
			   &pass, &done, &total, &rows, &block, &name_at) != 5 || name_at < 0)
		return;
	if (pass > 1)
	{
		bf->rows = rows;
		start_pass(bf, STAGE_SEARCH);
		return;
	}
	for (int i = 0; i < bf->ntables; i++)
	{
		if (strcmp(bf->tables[i].name, position + name_at) == 0 &&
			block <= bf->tables[i].nblocks)
		{
			bf->rows = rows;
			start_table(bf, i);
			ItemPointerSet(&bf->next, block, FirstOffsetNumber);
			return;
		}
	}
}

/* The default as ADD COLUMN computes it, or NULL if that leaves NULL. */
static Expr *
column_default(Relation rel, AttrNumber attnum)
{
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	Expr	   *value = (Expr *) build_column_default(rel, attnum);

	if (value == NULL && DomainHasConstraints(attr->atttypid))
	{
		/* NULL itself can be forbidden */
		int32		typmod = attr->atttypmod;
		Oid			basetype = getBaseTypeAndTypmod(attr->atttypid, &typmod);

		value = (Expr *) makeNullConst(basetype, typmod, get_typcollation(basetype));
		value = (Expr *) coerce_to_target_type(NULL, (Node *) value, basetype,
											   attr->atttypid, attr->atttypmod,
											   COERCION_ASSIGNMENT,
											   COERCE_IMPLICIT_CAST, -1);
	}
	return value;
}

/*
 * Lock the table that was named, see that the column is there still (under
 * whatever name), and get its default, which the children share.
 */
static Expr *
open_column(ZdmBackfill *bf, LOCKMODE lockmode, const char **column)
{
	Relation	rel = try_table_open(bf->relid, lockmode);
	Form_pg_attribute attr;
	Expr	   *value;

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"%s\" was dropped while its column \"%s\" was being filled",
						bf->relname, bf->column)));
	if (bf->attnum > RelationGetDescr(rel)->natts)
		elog(ERROR, "table \"%s\" has no column number %d", bf->relname, bf->attnum);
	attr = TupleDescAttr(RelationGetDescr(rel), bf->attnum - 1);
	if (attr->attisdropped)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" was dropped while it was being filled",
						bf->column, bf->relname)));
	*column = pstrdup(NameStr(attr->attname));
	value = column_default(rel, bf->attnum);
	table_close(rel, NoLock);
	return value;
}

typedef struct BlockSink
{
	ZdmBackfill *bf;
	BlockSet   *set;
	bool		any;
} BlockSink;

static void
note_block(void *arg, BlockNumber block)
{
	BlockSink  *sink = arg;

	blocks_add(sink->bf->context, sink->set, block);
	sink->any = true;
}

/*
 * Open the current table and find the column in it; NULL if one of them has
 * gone, or the table has left the tree and has its own column by now.
 */
static Relation
open_table(const BackfillTable *table, LOCKMODE lockmode, const char *column,
		   AttrNumber *attnum)
{
	Relation	rel = try_table_open(table->relid, lockmode);

	if (rel == NULL)
		return NULL;
	*attnum = get_attnum(table->relid, column);
	if (*attnum > 0)
		return rel;
	table_close(rel, NoLock);
	return NULL;
}

/* Walk on in the current table.  False if the batch is over before its end. */
static bool
walk_table(ZdmBackfill *bf, const char *column, Expr *value, ZdmFillBatch *batch)
{
	BackfillTable *table = &bf->tables[bf->current];
	BlockSink	again = {bf, &table->again, false};
	AttrNumber	attnum;
	Relation	rel;
	ZdmFiller  *filler;
	BlockNumber block;
	BlockNumber last;
	bool		finished = true;

	if (bf->stage == STAGE_RETRY && table->todo.bits == NULL)
		return true;
	rel = open_table(table, RowExclusiveLock, column, &attnum);
	if (rel == NULL)
		return true;
	if (bf->stage == STAGE_WALK && at_start_of_table(bf))
		table->nblocks = RelationGetNumberOfBlocks(rel);

	batch->again = note_block;
	batch->again_arg = &again;
	filler = fill_begin(rel, attnum, value);
	if (bf->stage == STAGE_WALK)
		finished = table->nblocks == 0 ||
			fill_range(filler, batch, &bf->next, table->nblocks - 1);
	else
	{
		block = ItemPointerGetBlockNumber(&bf->next);
		while (finished && blocks_next_run(&table->todo, &block, &last))
		{
			if (block > ItemPointerGetBlockNumber(&bf->next))
				ItemPointerSet(&bf->next, block, FirstOffsetNumber);
			finished = fill_range(filler, batch, &bf->next, last);
			block = last + 1;
		}
	}
	fill_end(filler);
	table_close(rel, NoLock);
	return finished;
}

/*
 * Only rows are left that others hold.  They are waited for as long as it
 * takes, which blocks nobody.  A lock_timeout does not end it: who holds the
 * row holds a lock on the table too, so that what has been done could not be
 * undone either.  A cancel and statement_timeout do.
 */
static void
tell_who_is_waited_for(ZdmBackfill *bf)
{
	if (bf->told ||
		!TimestampDifferenceExceeds(bf->stuck_since, GetCurrentTimestamp(), NOTICE_AFTER_MS))
		return;
	bf->told = true;
	ereport(NOTICE,
			(errmsg("waiting for a row of table \"%s\" that another transaction holds locked",
					bf->relname),
			 bf->blocker != 0 ? errdetail("Process %d holds it.", bf->blocker) : 0));
}

/* complete: a single snapshot saw all rows, and none got out of sight. */
static void
finish_pass(ZdmBackfill *bf, bool complete)
{
	bool		skipped = false;

	for (int i = 0; i < bf->ntables; i++)
	{
		BackfillTable *table = &bf->tables[i];

		blocks_clear(&table->todo);
		table->todo = table->again;
		memset(&table->again, 0, sizeof(BlockSet));
		skipped |= table->todo.bits != NULL;
	}

	if (skipped)
	{
		if (bf->rows_of_pass > 0)
			bf->futile_passes = 0;
		else if (bf->futile_passes++ == 0)
			bf->stuck_since = GetCurrentTimestamp();
		start_pass(bf, STAGE_RETRY);
		return;
	}
	bf->futile_passes = 0;

	/*
	 * Where the default is NULL now and then, NULL does not tell a row that
	 * was missed from one that had its turn.
	 */
	if (complete || bf->yields_null)
		bf->stage = STAGE_DONE;
	else
		start_pass(bf, STAGE_SEARCH);
}

static void
walk(ZdmBackfill *bf, const char *column, Expr *value)
{
	ZdmFillBatch batch = {0};
	bool		complete = bf->stage == STAGE_WALK && bf->current == 0 &&
		at_start_of_table(bf);
	bool		over = false;
	instr_time	elapsed;

	batch.budget = zdm_guc_backfill_batch;
	batch.wait = bf->futile_passes >= WAIT_AFTER_PASSES;
	INSTR_TIME_SET_CURRENT(batch.start);
	while (!over && bf->current < bf->ntables)
	{
		if (!walk_table(bf, column, value, &batch))
			break;
		start_table(bf, bf->current + 1);

		/* with rows locked, wait for no lock on another table */
		INSTR_TIME_SET_CURRENT(elapsed);
		INSTR_TIME_SUBTRACT(elapsed, batch.start);
		over = TransactionIdIsValid(GetTopTransactionIdIfAny()) ||
			INSTR_TIME_GET_MILLISEC(elapsed) >= batch.budget;
	}
	INSTR_TIME_SET_CURRENT(elapsed);
	INSTR_TIME_SUBTRACT(elapsed, batch.start);

	bf->batch_ms = (long) INSTR_TIME_GET_MILLISEC(elapsed);
	bf->disturbs = batch.disturbs;
	bf->blocker = batch.blocker != 0 ? batch.blocker : bf->blocker;
	bf->rows += batch.filled;
	bf->rows_of_pass += batch.filled;
	bf->yields_null |= batch.yielded_null > 0;
	if (bf->futile_passes > 0 && bf->rows_of_pass == 0)
		tell_who_is_waited_for(bf);
	if (bf->current >= bf->ntables)
		finish_pass(bf, complete && !batch.lost_sight);
}

/* Look for rows that are NULL still, in all tables under one snapshot. */
static void
search(ZdmBackfill *bf, const char *column)
{
	bool		any = false;

	collect_tables(bf);
	for (int i = 0; i < bf->ntables; i++)
	{
		BlockSink	found = {bf, &bf->tables[i].todo, false};
		AttrNumber	attnum;
		Relation	rel = open_table(&bf->tables[i], AccessShareLock, column, &attnum);

		if (rel == NULL)
			continue;
		fill_find(rel, attnum, note_block, &found);
		any |= found.any;
		table_close(rel, NoLock);
	}
	bf->disturbs = false;
	if (any && bf->searches++ < MAX_SEARCHES)
		start_pass(bf, STAGE_RETRY);
	else
		bf->stage = STAGE_DONE;
}

bool
backfill_batch(ZdmBackfill *bf)
{
	MemoryContext context;
	MemoryContext oldcontext;
	const char *column;
	Expr	   *value;

	PreventCommandIfReadOnly("UPDATE");
	if (!ActiveSnapshotSet())
		elog(ERROR, "a batch of a backfill needs an active snapshot");
	if (bf->stage == STAGE_DONE)
		return false;

	context = AllocSetContextCreate(CurrentMemoryContext, "zdm backfill batch",
									ALLOCSET_DEFAULT_SIZES);
	oldcontext = MemoryContextSwitchTo(context);
	value = open_column(bf, bf->stage == STAGE_SEARCH ? AccessShareLock : RowExclusiveLock,
						&column);
	if (value == NULL)
		bf->stage = STAGE_DONE;
	else if (bf->stage == STAGE_SEARCH)
		search(bf, column);
	else
		walk(bf, column, value);
	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(context);
	return bf->stage != STAGE_DONE;
}

void
backfill_pause(ZdmBackfill *bf)
{
	CHECK_FOR_INTERRUPTS();
	if (bf->futile_passes > 0 && bf->current == 0 && at_start_of_table(bf))
		throttle_rest(Min(10L << Min(bf->futile_passes, 7), 1000));
	else if (bf->disturbs)
		throttle_rest(Max(1, Min(bf->batch_ms, 1000)));
	throttle_wait_for_lag();
}
