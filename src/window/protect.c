/*-------------------------------------------------------------------------
 *
 * protect.c
 *	  Keeps the ledger from being dropped while a window is open, or while a
 *	  statement is carried out or has left something to clean up: what they
 *	  stand for would be forgotten without a word.
 *
 * DROP EXTENSION is one way of many to it (DROP SCHEMA ... CASCADE, DROP
 * OWNED), so the drop of the table itself is what is watched.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "guc.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "window/ledger.h"
#include "window/steps.h"
#include "window/window.h"

static object_access_hook_type prev_object_access_hook = NULL;

/*
 * The name of a table in the schema zdm, or NULL.  Asked for each relation
 * dropped, so no error if it is none.
 */
static const char *
ledger_table(Oid relid)
{
	Oid			nspoid = get_rel_namespace(relid);

	if (!OidIsValid(nspoid) || nspoid != get_namespace_oid(ZDM_SCHEMA, true) ||
		get_rel_relkind(relid) != RELKIND_RELATION)
		return NULL;
	return get_rel_name(relid);
}

void
protect_check_no_window(void)
{
	const char *open_windows = window_open_names();

	if (open_windows != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_WINDOW_MISUSE),
				 errmsg("cannot drop extension \"zdm\" while a window is open"),
				 errdetail("Open windows: %s.", open_windows),
				 errhint("End them with zdm_end_window() or zdm_abort_window() first, and CALL zdm_wait() for their steps.")));
}

static void
check_nothing_unfinished(void)
{
	if (steps_any_unfinished())
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_WINDOW_MISUSE),
				 errmsg("cannot drop extension \"zdm\" while a statement is carried out in steps"),
				 errdetail("Without zdm.step, what it has made so far could not be undone."),
				 errhint("Wait for its end; if its session is gone, CALL zdm_run() first.")));
}

static void
protect_object_access(ObjectAccessType access, Oid classid, Oid objid, int subid,
					  void *arg)
{
	const char *table;

	if (prev_object_access_hook)
		prev_object_access_hook(access, classid, objid, subid, arg);

	if (access != OAT_DROP || classid != RelationRelationId || subid != 0 ||
		zdm_guc_mode == ZDM_MODE_OFF || IsBinaryUpgrade)
		return;

	table = ledger_table(objid);
	if (table == NULL)
		return;
	if (strcmp(table, "window") == 0)
		protect_check_no_window();
	else if (strcmp(table, "step") == 0)
		check_nothing_unfinished();
}

void
protect_init(void)
{
	prev_object_access_hook = object_access_hook;
	object_access_hook = protect_object_access;
}
