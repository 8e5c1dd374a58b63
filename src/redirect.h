/*-------------------------------------------------------------------------
 *
 * redirect.h
 *	  Statements that name a table by the name that it gets when a window
 *	  ends, while a view has that name.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_REDIRECT_H
#define ZDM_REDIRECT_H

#include "hook.h"

/*
 * redirect.c.  Could the statement name such a view?  Cheap, false where it
 * names no view and grants nothing; true says nothing yet.
 */
extern bool redirect_may_concern(Node *stmt);

/*
 * The statement with tables in the place of such views; NULL if it names none.
 * palloc'd, as a whole.
 */
extern ZdmUtility *redirect_utility(const ZdmUtility *utility);

/* The same for the text of one statement */
extern char *redirect_sql(const char *sql);

/*
 * redirect_view.c.  Before a command that changes what such a view is made of:
 * lock it, in the order in which clients do, or take it away.  After it: bring
 * it up to date, and see to it that what the command has stored is what it
 * would be if the table had its new name.
 */
extern List *redirect_set_aside(const ZdmUtility *utility);
extern void redirect_catch_up(const ZdmUtility *utility, List *views);

#endif							/* ZDM_REDIRECT_H */
