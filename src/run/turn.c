/*-------------------------------------------------------------------------
 *
 * turn.c
 *	  Statements in steps, and long steps, of several sessions on one table
 *	  take turns.
 *
 * A plan rests on what is there when it is made.  Of two on one table the
 * second would choose a name that the first is about to use, or add what the
 * first has added; so it is made when the first is done.
 *
 * A command that waits for SHARE UPDATE EXCLUSIVE on the table does so with a
 * snapshot.  CREATE INDEX CONCURRENTLY, which holds that lock, waits in the end
 * for whoever has an older snapshot: two of them on one table are a deadlock,
 * and mostly the one that has worked longer dies.  So a step waits for the
 * lock before it has a snapshot.
 *
 * The lock is kept until the step's last transaction has committed, which is
 * also when the ledger knows of it: who waited to drop the table must not come
 * before that.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "run/restart.h"
#include "run/turn.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

/* in the space of advisory locks; recover.c uses 3 */
#define TABLE_SPACE	4

static void
set_table_tag(LOCKTAG *tag, Oid relid)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, 0, relid, TABLE_SPACE);
}

bool
turn_take_table(Oid relid, MemoryContext context)
{
	LOCKTAG		tag;

	set_table_tag(&tag, relid);
	if (LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL)
		return false;

	ereport(NOTICE,
			(errmsg("waiting for another statement that is carried out in steps on relation \"%s\"",
					get_rel_name(relid))));
	restart_commit();
	restart_bare();
	(void) LockAcquire(&tag, ExclusiveLock, true, false);
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(context);

	/* so that what follows in a pipeline does not join this transaction */
	PreventInTransactionBlock(true, "waiting");
	return true;
}

void
turn_give_back_table(Oid relid)
{
	LOCKTAG		tag;

	set_table_tag(&tag, relid);
	LockRelease(&tag, ExclusiveLock, true);
}

/* The table of an index, by the index's name; InvalidOid if there is none. */
static Oid
table_of_index(const RangeVar *index)
{
	Oid			indexoid = RangeVarGetRelid(index, NoLock, true);

	return OidIsValid(indexoid) ? IndexGetRelation(indexoid, true) : InvalidOid;
}

/* Tables on which the command will take SHARE UPDATE EXCLUSIVE */
static List *
tables_of(Node *stmt)
{
	Oid			relid = InvalidOid;

	if (IsA(stmt, IndexStmt))
		relid = RangeVarGetRelid(((IndexStmt *) stmt)->relation, NoLock, true);
	else if (IsA(stmt, AlterTableStmt))
	{
		AlterTableStmt *alter = (AlterTableStmt *) stmt;

		relid = RangeVarGetRelid(alter->relation, NoLock, true);
		if (OidIsValid(relid) && alter->relation->inh &&
			linitial_node(AlterTableCmd, alter->cmds)->subtype == AT_ValidateConstraint)
			return find_all_inheritors(relid, NoLock, NULL);
	}
	else if (IsA(stmt, DropStmt))
		relid = table_of_index(makeRangeVarFromNameList(linitial(((DropStmt *) stmt)->objects)));
	else if (IsA(stmt, ReindexStmt) && ((ReindexStmt *) stmt)->relation != NULL)
	{
		ReindexStmt *reindex = (ReindexStmt *) stmt;

		relid = reindex->kind == REINDEX_OBJECT_INDEX ? table_of_index(reindex->relation) :
			RangeVarGetRelid(reindex->relation, NoLock, true);
	}
	return OidIsValid(relid) ? list_make1_oid(relid) : NIL;
}

static LockRelId
lock_id(Oid relid)
{
	LockRelId	id = {relid, MyDatabaseId};

	return id;
}

/* Without lock_timeout: it blocks no reader or writer. */
static void
lock_patiently(List *relids)
{
	int			lock_timeout = LockTimeout;
	ListCell   *lc;

	PG_TRY();
	{
		LockTimeout = 0;
		foreach(lc, relids)
		{
			LockRelId	id = lock_id(lfirst_oid(lc));

			LockRelationIdForSession(&id, ShareUpdateExclusiveLock);
		}
	}
	PG_FINALLY();
	{
		LockTimeout = lock_timeout;
	}
	PG_END_TRY();
}

List *
turn_take(Node *stmt, MemoryContext context)
{
	List	   *relids;

	restart_begin_step(context);
	relids = tables_of(stmt);
	restart_commit();

	/* nothing is looked up in this one, so it has no snapshot */
	StartTransactionCommand();
	lock_patiently(relids);
	CommitTransactionCommand();
	return relids;
}

void
turn_give_back(List *relids)
{
	ListCell   *lc;

	foreach(lc, relids)
	{
		LockRelId	id = lock_id(lfirst_oid(lc));

		UnlockRelationIdForSession(&id, ShareUpdateExclusiveLock);
	}
}
