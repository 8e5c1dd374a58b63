/*-------------------------------------------------------------------------
 *
 * taking.h
 *	  What the abort of a window takes away, and what must not be.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_TAKING_H
#define ZDM_TAKING_H

#include "zdm.h"

#include "catalog/objectaddress.h"
#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"

typedef struct Taking
{
	int64		step_id;		/* the step whose undo_sql does it, or 0 */
	int64		birth_id;		/* else it was made directly: its row in
								 * zdm.object */
	ObjectAddress object;		/* what is taken away, if anything is */
	Oid			detached;		/* the table that is no partition any more
								 * then, or InvalidOid */
	bool		is_replaced;	/* the step makes the object anew */
	ObjectAddress changed;		/* a column that the step alters: if that was
								 * made in the window and stays, it stays as
								 * it is */
	bool		is_implied;		/* goes by itself, with another one */
	bool		goes_first;		/* though that, it has a step of its own: it
								 * refers to something else that goes */
	char	   *sql;			/* of what was made directly: takes it away */
	char	   *obstacle;		/* a sentence why it has to stay, or NULL */
} Taking;

/*
 * Add what the undo_sql of a step does, to a list of Taking.  False if all of
 * it is to drop what is gone: there is nothing to undo then.  relids are the
 * relations that relnames (char *, qualified and quoted) stand for.
 */
extern bool taking_add_undo(List **takings, int64 step_id, const char *undo_sql,
							List *relids, List *relnames);

/* The step cannot be undone: a sentence why. */
extern void taking_add_blocked(List **takings, int64 step_id, char *obstacle);

/* Add an object that was made directly. */
extern void taking_add_born(List **takings, int64 birth_id, const ObjectAddress *object);

/* Find out what goes by itself.  After all have been added. */
extern void taking_mark_implied(List *takings);

/*
 * Set the obstacle of what is used by something that stays.  After those of
 * loss.c.
 */
extern void taking_find_users(List *takings);

/*
 * detached.c: what a table was given in the window to become a partition does
 * not go by itself if that is taken back: it gets a step of its own, after it.
 * Between ledger_begin() and ledger_end().
 */
extern void detached_release(List *takings);

/*
 * former.c: the undo_sql of the first step that has changed what this one
 * changes back; that itself if it is the first.  known: what the calls for the
 * steps before it have come to know, NIL for the first of all.
 */
extern const char *former_undo(List **known, const char *undo_sql);

/*
 * order.c: see to it that what was made directly goes after its users.  When
 * all obstacles are known; between ledger_begin() and ledger_end().
 */
extern void order_takings(List *takings);

/* for the files of this: the taking of exactly this object, or NULL */
extern Taking *taking_find(List *takings, const ObjectAddress *object);

/* can it not be dropped by itself? */
extern bool taking_is_bound(const ObjectAddress *object);
extern bool taking_list_has(List *objects, const ObjectAddress *object);

/* a free key in the count-th place before, or after, that of the step */
extern int64 detached_id_before(int64 step_id, int count);
extern int64 detached_id_after(int64 step_id, int count);

/* Does it stay, because of itself or of what its step takes besides? */
extern bool taking_stays(List *takings, const Taking *taking);

/*
 * loss.c: set the obstacle of what holds data that nothing else does.  Between
 * ledger_begin() and ledger_end().
 */
extern void loss_find(List *takings);

/*
 * The statement is about to undo something: is there data now that it would
 * take away?  Takes its lock first.  A column is looked through only if its
 * table, in bytes, is small: that blocks everybody.  Raises an error.
 */
extern void loss_recheck(const Node *stmt, int64 small_table);

#endif							/* ZDM_TAKING_H */
