/*-------------------------------------------------------------------------
 *
 * turn.h
 *	  Statements in steps, and long steps, of several sessions on one table
 *	  take turns.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_TURN_H
#define ZDM_TURN_H

#include "zdm.h"

#include "nodes/pg_list.h"

/*
 * Only one statement at a time is carried out in steps on a table.  Waits
 * without a snapshot or any other lock; true if it had to wait, and the
 * transaction is another one now, with a new snapshot and context as the
 * current memory context.  At top level, outside a
 * transaction block.  Kept in the session, until it is given back.
 */
extern bool turn_take_table(Oid relid, MemoryContext context);
extern void turn_give_back_table(Oid relid);

/*
 * Wait for the lock that the command takes on its tables, and keep it in the
 * session.  Outside a transaction.  Returns what to give back after the
 * command's transaction, palloc'd in the context; after an error the abort has
 * given it back.
 */
extern List *turn_take(Node *stmt, MemoryContext context);
extern void turn_give_back(List *relids);

#endif							/* ZDM_TURN_H */
