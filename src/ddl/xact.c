/*-------------------------------------------------------------------------
 *
 * xact.c
 *	  Rules that need to know what the transaction has done before.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ddl/xact.h"
#include "storage/lock.h"

LOCKMODE
ddl_xact_lock_on(const ZdmXact *xact, Oid relid)
{
	ListCell   *lc;

	foreach(lc, xact->locks)
	{
		const ZdmRelLock *lock = lfirst(lc);

		if (lock->rel->relid == relid)
			return lock->mode;
	}
	return NoLock;
}

ZdmXact *
ddl_xact_copy(const ZdmXact *xact)
{
	ZdmXact    *copy = palloc(sizeof(ZdmXact));
	ListCell   *lc;

	*copy = *xact;
	copy->fk_targets = list_copy(xact->fk_targets);
	copy->scanned = list_copy(xact->scanned);
	copy->dropped_tables = list_copy(xact->dropped_tables);
	copy->dropped_indexes = list_copy(xact->dropped_indexes);
	copy->locks = NIL;
	foreach(lc, xact->locks)
	{
		ZdmRelLock *lock = palloc(sizeof(ZdmRelLock));

		*lock = *(ZdmRelLock *) lfirst(lc);
		copy->locks = lappend(copy->locks, lock);
	}
	return copy;
}

/* A relation whose reads the transaction already blocks, or NULL. */
static const ZdmRel *
read_blocked(const ZdmXact *xact, Oid except)
{
	ListCell   *lc;

	foreach(lc, xact->locks)
	{
		const ZdmRelLock *lock = lfirst(lc);

		if (lock->mode == AccessExclusiveLock && lock->rel->relid != except &&
			lock->rel->relkind != RELKIND_INDEX &&
			lock->rel->relkind != RELKIND_PARTITIONED_INDEX)
			return lock->rel;
	}
	return NULL;
}

/*
 * A second table's reads are blocked by one transaction: longer for the
 * first, and a deadlock with a client that takes them the other way round.
 * Partitions and indexes of a table come along with it.
 */
static void
wide_lock_window(ZdmDdl *ddl)
{
	ListCell   *lc;

	foreach(lc, ddl->locks)
	{
		const ZdmRelLock *lock = lfirst(lc);
		const ZdmRel *held;

		if (lock->mode != AccessExclusiveLock || lock->rel->is_partition ||
			lock->rel->relkind == RELKIND_INDEX ||
			lock->rel->relkind == RELKIND_PARTITIONED_INDEX ||
			ddl_xact_lock_on(ddl->xact, lock->rel->relid) == AccessExclusiveLock)
			continue;
		held = read_blocked(ddl->xact, lock->rel->relid);
		if (held == NULL)
			continue;
		(void) ddl_hazard(ddl, ZDM_RULE_WIDE_LOCK_WINDOW, lock->rel, NULL, NULL,
						  "reads of %s and of %s would be blocked until the transaction ends",
						  ddl_rel_describe(held), ddl_rel_describe(lock->rel));
		return;
	}
}

/* Whatever runs on while reads are blocked makes them wait that much longer. */
static void
statement_after_access_exclusive(ZdmDdl *ddl)
{
	const ZdmRel *held = read_blocked(ddl->xact, InvalidOid);
	bool		unbounded;

	unbounded = ddl->scans || ddl->rewrites ||
		IsA(ddl->stmt, UpdateStmt) || IsA(ddl->stmt, DeleteStmt) ||
		(IsA(ddl->stmt, InsertStmt) &&
		 ((InsertStmt *) ddl->stmt)->selectStmt != NULL &&
		 ((SelectStmt *) ((InsertStmt *) ddl->stmt)->selectStmt)->valuesLists == NIL);
	if (held == NULL || !unbounded)
		return;
	(void) ddl_hazard(ddl, ZDM_RULE_STATEMENT_AFTER_ACCESS_EXCLUSIVE,
					  unconstify(ZdmRel *, held), NULL, NULL,
					  "reads of %s would be blocked while the statement runs",
					  ddl_rel_describe(held));
}

/* The same table is read or rewritten once more. */
static void
multiple_alter_table(ZdmDdl *ddl)
{
	ListCell   *lc;

	if (!IsA(ddl->stmt, AlterTableStmt) || !(ddl->scans || ddl->rewrites))
		return;
	foreach(lc, ddl->locks)
	{
		ZdmRel	   *rel = ((ZdmRelLock *) lfirst(lc))->rel;

		if (!list_member_oid(ddl->xact->scanned, rel->relid))
			continue;
		(void) ddl_lock_hazard(ddl, ZDM_RULE_MULTIPLE_ALTER_TABLE, rel, NULL, NULL,
							   "%s would be read once more by a second ALTER TABLE",
							   ddl_rel_describe(rel));
		return;
	}
}

void
ddl_xact_rules(ZdmDdl *ddl)
{
	if (ddl->xact->locks != NIL)
	{
		statement_after_access_exclusive(ddl);
		wide_lock_window(ddl);
	}
	if (ddl->xact->scanned != NIL)
		multiple_alter_table(ddl);
}

static ZdmRelLock *
copy_lock(const ZdmRelLock *lock)
{
	ZdmRelLock *copy = palloc(sizeof(ZdmRelLock));

	copy->mode = lock->mode;
	copy->rel = palloc0(sizeof(ZdmRel));
	copy->rel->relid = lock->rel->relid;
	copy->rel->relkind = lock->rel->relkind;
	copy->rel->is_partition = lock->rel->is_partition;
	copy->rel->size = -1;
	copy->rel->nspname = pstrdup(lock->rel->nspname);
	copy->rel->relname = pstrdup(lock->rel->relname);
	return copy;
}

static void
note_lock(ZdmXact *xact, const ZdmRelLock *lock)
{
	ListCell   *lc;

	foreach(lc, xact->locks)
	{
		ZdmRelLock *held = lfirst(lc);

		if (held->rel->relid == lock->rel->relid)
		{
			held->mode = Max(held->mode, lock->mode);
			return;
		}
	}
	xact->locks = lappend(xact->locks, copy_lock(lock));
}

/* What the statement's handler found for the rules of later statements. */
static void
note_found(ZdmXact *xact, const ZdmDdl *ddl)
{
	ListCell   *lc;

	xact->dropped_indexes = list_concat_unique_oid(xact->dropped_indexes,
												   ddl->dropped_indexes);
	foreach(lc, ddl->dropped_tables)
		xact->dropped_tables = lappend(xact->dropped_tables,
									   copyObject(lfirst(lc)));
}

void
ddl_xact_note(ZdmDdl *ddl, MemoryContext context)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(context);
	ListCell   *lc;

	if (ddl_is_guarded(nodeTag(ddl->stmt)) &&
		!IsA(ddl->stmt, UpdateStmt) && !IsA(ddl->stmt, DeleteStmt) &&
		!IsA(ddl->stmt, SelectStmt))
		ddl->xact->has_ddl = true;

	note_found(ddl->xact, ddl);

	ddl->xact->fk_targets = list_concat_unique_oid(ddl->xact->fk_targets, ddl->fk_targets);
	foreach(lc, ddl->locks)
	{
		const ZdmRelLock *lock = lfirst(lc);

		if (lock->mode >= ShareLock)
			note_lock(ddl->xact, lock);
		if (IsA(ddl->stmt, AlterTableStmt) && (ddl->scans || ddl->rewrites))
			ddl->xact->scanned = list_append_unique_oid(ddl->xact->scanned,
														lock->rel->relid);
	}
	MemoryContextSwitchTo(oldcontext);
}
