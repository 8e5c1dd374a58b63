/*-------------------------------------------------------------------------
 *
 * protect.c
 *	  Keeps the ledger from being dropped while a window is open: what the
 *	  window stands for would be forgotten without a word.
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
#include "window/window.h"

static object_access_hook_type prev_object_access_hook = NULL;

/* Is this zdm.window?  Asked for each relation dropped, so no error if not. */
static bool
is_window_table(Oid relid)
{
	Oid			nspoid = get_rel_namespace(relid);
	char	   *relname;

	if (!OidIsValid(nspoid) || nspoid != get_namespace_oid(ZDM_SCHEMA, true))
		return false;
	relname = get_rel_name(relid);
	return relname != NULL && strcmp(relname, "window") == 0;
}

static void
protect_object_access(ObjectAccessType access, Oid classid, Oid objid, int subid,
					  void *arg)
{
	const char *open_windows;

	if (prev_object_access_hook)
		prev_object_access_hook(access, classid, objid, subid, arg);

	if (access != OAT_DROP || classid != RelationRelationId || subid != 0 ||
		zdm_guc_mode == ZDM_MODE_OFF || IsBinaryUpgrade || !is_window_table(objid))
		return;

	open_windows = window_open_names();
	if (open_windows != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_WINDOW_MISUSE),
				 errmsg("cannot drop extension \"zdm\" while a window is open"),
				 errdetail("Open windows: %s.", open_windows),
				 errhint("End them with zdm_end_window() or zdm_abort_window() first.")));
}

void
protect_init(void)
{
	prev_object_access_hook = object_access_hook;
	object_access_hook = protect_object_access;
}
