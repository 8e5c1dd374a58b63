/*-------------------------------------------------------------------------
 *
 * turn.h
 *	  Long steps of several sessions on one table take turns.
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
 * Wait for the lock that the command takes on its tables, and keep it in the
 * session.  Outside a transaction.  Returns what to give back after the
 * command's transaction, palloc'd in the context; after an error the abort has
 * given it back.
 */
extern List *turn_take(Node *stmt, MemoryContext context);
extern void turn_give_back(List *relids);

#endif							/* ZDM_TURN_H */
