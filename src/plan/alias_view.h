/*-------------------------------------------------------------------------
 *
 * alias_view.h
 *	  The view that has a relation's new name until the window ends.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_ALIAS_VIEW_H
#define ZDM_ALIAS_VIEW_H

#include "zdm.h"

/*
 * Can a view of that relation serve its clients?  It has columns, and either
 * no row security of its own or no rights on single columns.
 */
extern bool zdm_alias_view_serves(Oid relid);

/*
 * The SQL that makes it, with the relation's owner and the rights on it.  As
 * the current user would run it: he gives away what he has made.
 */
extern char *zdm_alias_view_sql(Oid relid, const char *nspname, const char *relname);

/* The same for one that is there and lacks the columns added last */
extern char *zdm_alias_view_replace_sql(Oid relid, const char *nspname, const char *relname);

/* What new clients cannot do with it, or NULL if it is as good as the relation */
extern char *zdm_alias_view_note(Oid relid);

#endif							/* ZDM_ALIAS_VIEW_H */
