/*-------------------------------------------------------------------------
 *
 * made.c
 *	  Writes down the indexes that a step makes, as it makes them.
 *
 * What an interrupted command has left can so be told, after a crash too,
 * from what somebody else has made under the same name.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "nodes/pg_list.h"
#include "run/made.h"
#include "utils/memutils.h"
#include "window/steps.h"

static object_access_hook_type prev_object_access_hook = NULL;

static bool watching = false;
static int64 watched_statement;
static int	watched_ordinal;

/* Oids that the current transaction has made; in TopMemoryContext */
static List *made = NIL;

void
made_forget(void)
{
	list_free(made);
	made = NIL;
}

static void
made_object_access(ObjectAccessType access, Oid classid, Oid objid, int subid, void *arg)
{
	if (prev_object_access_hook)
		prev_object_access_hook(access, classid, objid, subid, arg);

	if (watching && access == OAT_POST_CREATE && classid == RelationRelationId && subid == 0)
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(TopMemoryContext);

		made = lappend_oid(made, objid);
		MemoryContextSwitchTo(oldcontext);
	}
}

static void
made_xact_callback(XactEvent event, void *arg)
{
	if (made == NIL)
		return;
	if (event == XACT_EVENT_PRE_COMMIT)
		steps_add_made(watched_statement, watched_ordinal, made);
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		made_forget();
}

void
made_watch(int64 statement_id, int ordinal)
{
	watched_statement = statement_id;
	watched_ordinal = ordinal;
	watching = true;
}

void
made_stop(void)
{
	watching = false;
}

bool
made_suspend(void)
{
	bool		result = watching;

	watching = false;
	return result;
}

void
made_resume(void)
{
	watching = true;
}

void
made_init(void)
{
	prev_object_access_hook = object_access_hook;
	object_access_hook = made_object_access;
	RegisterXactCallback(made_xact_callback, NULL);
}
