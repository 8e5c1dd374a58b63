/*-------------------------------------------------------------------------
 *
 * fill.c
 *	  The rows of one table: find those whose column is NULL, and fill them.
 *
 * This is what an UPDATE does, on the table access method.  What it leaves
 * out is what ALTER TABLE ... ADD COLUMN ... DEFAULT does not do either:
 * rights, row security, rules, the users' triggers, and constraints that
 * have nothing to do with the column, which old rows need not satisfy if they
 * are NOT VALID.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/multixact.h"
#include "access/relscan.h"
#include "access/subtrans.h"
#include "access/sysattr.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "backfill/fill.h"
#include "catalog/pg_trigger.h"
#include "commands/defrem.h"
#include "commands/trigger.h"
#include "compat.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "guc.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* A CHECK constraint that names the column */
typedef struct ColumnCheck
{
	const char *name;
	ExprState  *expr;
} ColumnCheck;

struct ZdmFiller
{
	Relation	rel;
	AttrNumber	attnum;
	EState	   *estate;
	ResultRelInfo *result_rel;
	ExprState  *value;			/* the default */
	Bitmapset  *changed;		/* the column, and what is generated from it;
								 * offset as in pull_varattnos() */
	List	   *checks;			/* of ColumnCheck */
	bool		in_partition_key;
	bool		has_triggers;	/* of foreign keys and deferrable indexes */
	LockTupleMode lock_mode;
	TupleTableSlot *scan_slot;
	TupleTableSlot *old_slot;	/* the version that is locked */
	TupleTableSlot *new_slot;
};

static bool
is_changed(const Bitmapset *changed, AttrNumber attnum)
{
	return bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, changed);
}

/* Does an expression on the table depend on what is changed? */
static bool
names_changed(const Bitmapset *changed, Node *expr)
{
	Bitmapset  *named = NULL;

	pull_varattnos(expr, 1, &named);
	return bms_overlap(named, changed) || is_changed(named, InvalidAttrNumber);
}

/* The column and the stored columns that are generated from it. */
static Bitmapset *
changed_columns(Relation rel, AttrNumber attnum)
{
	TupleConstr *constr = RelationGetDescr(rel)->constr;
	Bitmapset  *column = bms_make_singleton(attnum - FirstLowInvalidHeapAttributeNumber);
	Bitmapset  *changed = bms_copy(column);

	if (constr == NULL || !constr->has_generated_stored)
		return changed;
	for (int i = 0; i < constr->num_defval; i++)
	{
		AttrDefault *def = &constr->defval[i];

		if (TupleDescAttr(RelationGetDescr(rel), def->adnum - 1)->attgenerated ==
			ATTRIBUTE_GENERATED_STORED &&
			names_changed(column, stringToNode(def->adbin)))
			changed = bms_add_member(changed,
									 def->adnum - FirstLowInvalidHeapAttributeNumber);
	}
	return changed;
}

static void
prepare_checks(ZdmFiller *filler)
{
	TupleConstr *constr = RelationGetDescr(filler->rel)->constr;

	if (constr == NULL)
		return;
	for (int i = 0; i < constr->num_check; i++)
	{
		ConstrCheck *check = &constr->check[i];
		ColumnCheck *column_check;
		Node	   *expr;

		if (!compat_check_is_enforced(check))
			continue;
		expr = compat_expand_virtual_columns(stringToNode(check->ccbin), filler->rel);
		if (!names_changed(filler->changed, expr))
			continue;
		column_check = palloc(sizeof(ColumnCheck));
		column_check->name = pstrdup(check->ccname);
		column_check->expr = ExecPrepareExpr((Expr *) expr, filler->estate);
		filler->checks = lappend(filler->checks, column_check);
	}
}

/*
 * Leave the triggers by which the server keeps foreign keys on the column
 * and deferrable unique constraints; the users' own go.
 */
static void
keep_triggers_of_server(ZdmFiller *filler)
{
	TriggerDesc *desc = filler->result_rel->ri_TrigDesc;
	Bitmapset  *fkey_columns = NULL;
	ListCell   *lc;
	int			kept = 0;

	if (desc == NULL)
		return;
	foreach(lc, RelationGetFKeyList(filler->rel))
	{
		ForeignKeyCacheInfo *fkey = lfirst(lc);

		for (int i = 0; i < fkey->nkeys; i++)
			fkey_columns = bms_add_member(fkey_columns,
										  fkey->conkey[i] - FirstLowInvalidHeapAttributeNumber);
	}

	for (int i = 0; i < desc->numtriggers; i++)
	{
		Trigger    *trigger = &desc->triggers[i];

		if (trigger->tgfoid == F_UNIQUE_KEY_RECHECK ||
			(bms_overlap(fkey_columns, filler->changed) &&
			 RI_FKey_trigger_type(trigger->tgfoid) == RI_TRIGGER_FK))
			desc->triggers[kept++] = *trigger;
	}
	if (kept == 0)
	{
		filler->result_rel->ri_TrigDesc = NULL;
		return;
	}
	desc->numtriggers = kept;
	desc->trig_update_before_row = false;
	desc->trig_update_instead_row = false;
	desc->trig_update_before_statement = false;
	desc->trig_update_after_statement = false;
	desc->trig_update_old_table = false;
	desc->trig_update_new_table = false;
	desc->trig_update_after_row = true;
	filler->has_triggers = true;
}

void
fill_check_table(Relation rel)
{
	if (rel->rd_tableam->scan_set_tidrange == NULL ||
		rel->rd_tableam->scan_getnextslot_tidrange == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot backfill table \"%s\"", RelationGetRelationName(rel)),
				 errdetail("Its access method \"%s\" cannot scan a range of row positions.",
						   get_am_name(rel->rd_rel->relam))));

	/* what logical replication needs of an UPDATE */
	CheckCmdReplicaIdentity(rel, CMD_UPDATE);
}

ZdmFiller *
fill_begin(Relation rel, AttrNumber attnum, Expr *default_expr)
{
	ZdmFiller  *filler = palloc0(sizeof(ZdmFiller));
	Bitmapset  *key_columns;

	fill_check_table(rel);

	filler->rel = rel;
	filler->attnum = attnum;
	filler->changed = changed_columns(rel, attnum);
	filler->estate = CreateExecutorState();
	filler->estate->es_snapshot = GetActiveSnapshot();
	filler->estate->es_output_cid = GetCurrentCommandId(true);
	compat_init_range_table(filler->estate, rel,
							bms_make_singleton(attnum - FirstLowInvalidHeapAttributeNumber));

	filler->result_rel = makeNode(ResultRelInfo);
	InitResultRelInfo(filler->result_rel, rel, 1, NULL, 0);
	filler->estate->es_opened_result_relations =
		lappend(filler->estate->es_opened_result_relations, filler->result_rel);
	keep_triggers_of_server(filler);
	ExecOpenIndices(filler->result_rel, false);
	if (filler->has_triggers)
		AfterTriggerBeginQuery();

	filler->value = ExecPrepareExpr(default_expr, filler->estate);
	prepare_checks(filler);
	filler->in_partition_key = rel->rd_rel->relispartition &&
		names_changed(filler->changed, (Node *) RelationGetPartitionQual(rel));

	/* as ExecUpdateLockMode() */
	key_columns = RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_KEY);
	filler->lock_mode = bms_overlap(key_columns, filler->changed) ?
		LockTupleExclusive : LockTupleNoKeyExclusive;

	filler->scan_slot = table_slot_create(rel, NULL);
	filler->old_slot = table_slot_create(rel, NULL);
	filler->new_slot = table_slot_create(rel, NULL);
	return filler;
}

void
fill_end(ZdmFiller *filler)
{
	if (filler->has_triggers)
		AfterTriggerEndQuery(filler->estate);
	ExecDropSingleTupleTableSlot(filler->scan_slot);
	ExecDropSingleTupleTableSlot(filler->old_slot);
	ExecDropSingleTupleTableSlot(filler->new_slot);
	ExecCloseIndices(filler->result_rel);
	ExecResetTupleTable(filler->estate->es_tupleTable, false);
	FreeExecutorState(filler->estate);
	pfree(filler);
}

/* Not slot_attisnull(), which takes apart all columns before this one. */
static bool
column_is_null(TupleTableSlot *slot, AttrNumber attnum)
{
	if (TTS_IS_BUFFERTUPLE(slot) && ((HeapTupleTableSlot *) slot)->tuple != NULL)
		return heap_attisnull(((HeapTupleTableSlot *) slot)->tuple, attnum,
							  slot->tts_tupleDescriptor);
	return slot_attisnull(slot, attnum);
}

/* Raise an error if the new row breaks what is promised of the column. */
static void
check_new_row(ZdmFiller *filler)
{
	TupleDesc	tupdesc = RelationGetDescr(filler->rel);
	ExprContext *econtext = GetPerTupleExprContext(filler->estate);
	int			member = -1;
	ListCell   *lc;

	while ((member = bms_next_member(filler->changed, member)) >= 0)
	{
		AttrNumber	attnum = member + FirstLowInvalidHeapAttributeNumber;
		Form_pg_attribute attr = TupleDescAttr(tupdesc, attnum - 1);

		if (attr->attnotnull && slot_attisnull(filler->new_slot, attnum))
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("column \"%s\" of relation \"%s\" contains null values",
							NameStr(attr->attname), RelationGetRelationName(filler->rel)),
					 errtablecol(filler->rel, attnum)));
	}

	econtext->ecxt_scantuple = filler->new_slot;
	foreach(lc, filler->checks)
	{
		ColumnCheck *check = lfirst(lc);

		if (!ExecCheck(check->expr, econtext))
			ereport(ERROR,
					(errcode(ERRCODE_CHECK_VIOLATION),
					 errmsg("check constraint \"%s\" of relation \"%s\" is violated by some row",
							check->name, RelationGetRelationName(filler->rel)),
					 errtableconstraint(filler->rel, check->name)));
	}
	if (filler->in_partition_key)
		ExecPartitionCheck(filler->result_rel, filler->new_slot, filler->estate, true);
}

/* Put the new version of the row of old_slot into new_slot. */
static void
make_new_row(ZdmFiller *filler, Datum value)
{
	TupleTableSlot *old_slot = filler->old_slot;
	TupleTableSlot *new_slot = filler->new_slot;
	int			natts = old_slot->tts_tupleDescriptor->natts;

	slot_getallattrs(old_slot);
	ExecClearTuple(new_slot);
	memcpy(new_slot->tts_values, old_slot->tts_values, sizeof(Datum) * natts);
	memcpy(new_slot->tts_isnull, old_slot->tts_isnull, sizeof(bool) * natts);
	new_slot->tts_values[filler->attnum - 1] = value;
	new_slot->tts_isnull[filler->attnum - 1] = false;
	ExecStoreVirtualTuple(new_slot);
	new_slot->tts_tableOid = RelationGetRelid(filler->rel);

	if (bms_membership(filler->changed) == BMS_MULTIPLE)
		ExecComputeStoredGenerated(filler->result_rel, filler->estate, new_slot,
								   CMD_UPDATE);
}

/* Fill the row of old_slot, which is locked.  False if its default is NULL. */
static bool
update_row(ZdmFiller *filler)
{
	EState	   *estate = filler->estate;
	ExprContext *econtext = GetPerTupleExprContext(estate);
	ItemPointerData tid = filler->old_slot->tts_tid;
	Datum		value;
	bool		is_null;
	TM_FailureData failure;
	LockTupleMode lock_mode;
	TU_UpdateIndexes update_indexes;
	TM_Result	result;
	List	   *recheck = NIL;

	value = ExecEvalExprSwitchContext(filler->value, econtext, &is_null);
	if (is_null)
		return false;
	make_new_row(filler, value);
	check_new_row(filler);

	/* the default can have run commands of its own */
	estate->es_output_cid = GetCurrentCommandId(true);
	result = compat_table_tuple_update(filler->rel, &tid, filler->new_slot,
									   estate->es_output_cid, estate->es_snapshot,
									   &failure, &lock_mode, &update_indexes);
	if (result != TM_Ok)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("row of table \"%s\" was changed by the default of its column \"%s\"",
						RelationGetRelationName(filler->rel),
						get_attname(RelationGetRelid(filler->rel), filler->attnum, false))));

	if (filler->result_rel->ri_NumIndices > 0 && update_indexes != TU_None)
		recheck = compat_insert_index_tuples(filler->result_rel, filler->new_slot,
											 estate, update_indexes == TU_Summarizing);
	if (filler->has_triggers)
		ExecARUpdateTriggers(estate, filler->result_rel, NULL, NULL, &tid, NULL,
							 filler->new_slot, recheck, NULL, false);
	list_free(recheck);
	return true;
}

/* A process that holds the row of the slot, or 0 if it is not known. */
static int
holder_of_row(TupleTableSlot *slot)
{
	HeapTupleHeader header;
	TransactionId xid;

	if (!TTS_IS_BUFFERTUPLE(slot) || ((HeapTupleTableSlot *) slot)->tuple == NULL)
		return 0;
	header = ((HeapTupleTableSlot *) slot)->tuple->t_data;
	xid = HeapTupleHeaderGetRawXmax(header);
	if (header->t_infomask & HEAP_XMAX_IS_MULTI)
	{
		MultiXactMember *members;
		int			count = GetMultiXactIdMembers(xid, &members, false,
												  HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask));

		xid = InvalidTransactionId;
		for (int i = 0; i < count; i++)
		{
			if (TransactionIdIsInProgress(members[i].xid))
				xid = members[i].xid;
		}
	}
	if (!TransactionIdIsNormal(xid) || !TransactionIdIsInProgress(xid))
		return 0;
	return BackendXidGetPid(SubTransGetTopmostTransaction(xid));
}

/*
 * Wait for a row, as long as one attempt of DDL may wait for a lock; a
 * subtransaction, for the error that ends the wait.  *tid becomes the last
 * version of the row.  False if it was not to be had.
 *
 * To look again and again is not enough for a row that many clients update
 * all the time: it takes a place in the queue to get one.  The transaction
 * holds no other row, so that nobody waits for what waits here.
 */
static bool
wait_for_row(ZdmFiller *filler, ItemPointer tid)
{
	MemoryContext oldcontext = CurrentMemoryContext;
	ResourceOwner oldowner = CurrentResourceOwner;
	int			save_timeout = LockTimeout;
	bool		locked = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(oldcontext);
	PG_TRY();
	{
		TupleTableSlot *slot = table_slot_create(filler->rel, NULL);
		TM_FailureData failure;

		if (save_timeout == 0 || save_timeout > zdm_guc_lock_timeout)
			LockTimeout = zdm_guc_lock_timeout;
		locked = table_tuple_lock(filler->rel, tid, filler->estate->es_snapshot, slot,
								  GetCurrentCommandId(true), filler->lock_mode,
								  LockWaitBlock, TUPLE_LOCK_FLAG_FIND_LAST_VERSION,
								  &failure) == TM_Ok;
		LockTimeout = save_timeout;
		if (locked)
			*tid = slot->tts_tid;
		ExecDropSingleTupleTableSlot(slot);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(oldcontext);
		CurrentResourceOwner = oldowner;
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		LockTimeout = save_timeout;
		MemoryContextSwitchTo(oldcontext);
		edata = CopyErrorData();
		if (edata->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE &&
			edata->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED &&
			edata->sqlerrcode != ERRCODE_T_R_SERIALIZATION_FAILURE)
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(oldcontext);
		CurrentResourceOwner = oldowner;
		FreeErrorData(edata);
		locked = false;
	}
	PG_END_TRY();
	return locked;
}

/*
 * Lock the row of scan_slot into old_slot.  False if it cannot be had now or
 * is no more.
 */
static bool
lock_row(ZdmFiller *filler, ZdmFillBatch *batch)
{
	ItemPointerData tid = filler->scan_slot->tts_tid;
	int			flags = 0;
	TM_FailureData failure;
	TM_Result	result;

	if (batch->wait && !TransactionIdIsValid(GetTopTransactionIdIfAny()))
	{
		batch->blocker = holder_of_row(filler->scan_slot);
		if (!wait_for_row(filler, &tid))
		{
			batch->again(batch->again_arg, ItemPointerGetBlockNumber(&tid));
			return false;
		}
	}

	/*
	 * The way to the last version raises an error where the row has moved to
	 * another partition.
	 */
	if (!filler->rel->rd_rel->relispartition)
		flags = TUPLE_LOCK_FLAG_FIND_LAST_VERSION;
	result = table_tuple_lock(filler->rel, &tid, filler->estate->es_snapshot,
							  filler->old_slot, GetCurrentCommandId(true),
							  filler->lock_mode, LockWaitSkip, flags, &failure);
	switch (result)
	{
		case TM_Ok:
			return true;
		case TM_Deleted:
			return false;
		case TM_WouldBlock:
			batch->blocker = holder_of_row(filler->scan_slot);
			batch->again(batch->again_arg,
						 ItemPointerGetBlockNumber(&filler->scan_slot->tts_tid));
			return false;
		case TM_Updated:
		case TM_SelfModified:
		case TM_Invisible:
			batch->lost_sight = true;
			return false;
		default:
			elog(ERROR, "unexpected table_tuple_lock status: %u", result);
	}
	return false;
}

/* Does somebody wait for this transaction? */
static bool
has_waiters(void)
{
	TransactionId xid = GetTopTransactionIdIfAny();
	LOCKTAG		tag;

	if (!TransactionIdIsValid(xid))
		return false;
	SET_LOCKTAG_TRANSACTION(tag, xid);
	return LockHasWaiters(&tag, ExclusiveLock, false);
}

/* Is the batch over, before the row that is next? */
static bool
is_over(ZdmFillBatch *batch, bool new_block)
{
	instr_time	elapsed;

	INSTR_TIME_SET_CURRENT(elapsed);
	INSTR_TIME_SUBTRACT(elapsed, batch->start);
	if (INSTR_TIME_GET_MILLISEC(elapsed) >= batch->budget)
		return true;
	if (new_block && batch->filled > 0 && has_waiters())
	{
		batch->disturbs = true;
		return true;
	}
	return false;
}

static void
fill_row(ZdmFiller *filler, ZdmFillBatch *batch)
{
	if (!column_is_null(filler->scan_slot, filler->attnum) ||
		!lock_row(filler, batch))
		return;
	if (column_is_null(filler->old_slot, filler->attnum))
	{
		if (update_row(filler))
			batch->filled++;
		else
			batch->yielded_null++;
	}
	ExecClearTuple(filler->new_slot);
	ExecClearTuple(filler->old_slot);
	ResetPerTupleExprContext(filler->estate);
}

bool
fill_range(ZdmFiller *filler, ZdmFillBatch *batch, ItemPointer next, BlockNumber last)
{
	TableScanDesc scan;
	ItemPointerData end;
	BlockNumber block = ItemPointerGetBlockNumber(next);
	bool		first = true;
	bool		over = false;

	ItemPointerSet(&end, last, MaxOffsetNumber);
	scan = table_beginscan_tidrange(filler->rel, filler->estate->es_snapshot, next, &end);
	while (table_scan_getnextslot_tidrange(scan, ForwardScanDirection, filler->scan_slot))
	{
		ItemPointerData tid = filler->scan_slot->tts_tid;

		CHECK_FOR_INTERRUPTS();
		if (!first && is_over(batch, ItemPointerGetBlockNumber(&tid) != block))
		{
			*next = tid;
			over = true;
			break;
		}
		first = false;
		block = ItemPointerGetBlockNumber(&tid);
		fill_row(filler, batch);
	}
	ExecClearTuple(filler->scan_slot);
	table_endscan(scan);
	return !over;
}

void
fill_find(Relation rel, AttrNumber attnum, ZdmFillAgain found, void *arg)
{
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan = table_beginscan_strat(rel, GetActiveSnapshot(), 0, NULL, true, false);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (column_is_null(slot, attnum))
			found(arg, ItemPointerGetBlockNumber(&slot->tts_tid));
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
}
