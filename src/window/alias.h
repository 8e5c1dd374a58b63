/*-------------------------------------------------------------------------
 *
 * alias.h
 *	  Views that have the name that a table gets when a window ends.
 *
 * Until then the new application version uses the view, and the old one the
 * table under the name that it has always had.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_ALIAS_H
#define ZDM_ALIAS_H

#include "zdm.h"

#include "nodes/pg_list.h"

/*
 * The relation that the view stands for, or InvalidOid if it is a view as any
 * other.  The extension exists; relid is a view.
 */
extern Oid	alias_table(Oid relid);

/* The deferred step that will give a relation the name of that view, or 0 */
extern int64 alias_step(Oid relid);

/* OIDs of the views that stand for the relation, oldest first */
extern List *alias_views(Oid relid);

#endif							/* ZDM_ALIAS_H */
