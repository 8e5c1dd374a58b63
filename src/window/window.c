/*-------------------------------------------------------------------------
 *
 * window.c
 *	  Which window the session's DDL belongs to.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xlog.h"
#include "guc.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "window/ledger.h"
#include "window/window.h"

/* attribute numbers of zdm.window */
enum
{
	Anum_window_id = 1,
	Anum_window_name,
	Anum_window_state,
	Anum_window_on_unsafe,
	Anum_window_old_clients,
	Anum_window_quiet_period,
	Anum_window_opened_at,
	Anum_window_opened_by,
	Anum_window_ended_at,
	Anum_window_ended_by,
	Anum_window_system_identifier,
	Anum_window_database_oid,
	Anum_window_paused
};

static const ZdmWindowOps *window_ops = NULL;

void
window_init(const ZdmWindowOps *ops)
{
	window_ops = ops;
}

bool
window_has_workers(void)
{
	return window_ops->has_workers();
}

void
window_wake_workers(void)
{
	window_ops->wake_workers();
}

char *
window_undo_refusal(const char *sql)
{
	return window_ops->undo_refusal(sql);
}

static ZdmWindow *
window_from_tuple(HeapTuple tuple, TupleDesc desc)
{
	ZdmWindow  *window = palloc(sizeof(ZdmWindow));
	bool		isnull;
	uint64		system_identifier;
	Oid			database;
	const char *on_unsafe;

	window->id = DatumGetInt64(heap_getattr(tuple, Anum_window_id, desc, &isnull));
	window->name = TextDatumGetCString(heap_getattr(tuple, Anum_window_name, desc, &isnull));
	system_identifier = (uint64) DatumGetInt64(heap_getattr(tuple, Anum_window_system_identifier,
															desc, &isnull));
	database = DatumGetObjectId(heap_getattr(tuple, Anum_window_database_oid, desc, &isnull));
	window->is_native = system_identifier == GetSystemIdentifier() &&
		database == MyDatabaseId;
	window->state = TextDatumGetCString(heap_getattr(tuple, Anum_window_state, desc, &isnull));
	on_unsafe = TextDatumGetCString(heap_getattr(tuple, Anum_window_on_unsafe, desc, &isnull));
	window->defers = strcmp(on_unsafe, "defer") == 0 && strcmp(window->state, "open") == 0;
	window->paused = !window->is_native ||
		DatumGetBool(heap_getattr(tuple, Anum_window_paused, desc, &isnull));
	return window;
}

/* Append the open windows in one state to a list of ZdmWindow. */
static List *
windows_in_state(List *windows, const char *state)
{
	Relation	rel = table_open(ledger_relid("window"), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_window_state, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(state));
	scan = systable_beginscan(rel, ledger_relid("window_state"), true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		windows = lappend(windows, window_from_tuple(tuple, RelationGetDescr(rel)));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return windows;
}

static char *
window_names(List *windows)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, windows)
		appendStringInfo(&buf, "%s\"%s\"", buf.len > 0 ? ", " : "",
						 ((ZdmWindow *) lfirst(lc))->name);
	return buf.data;
}

/* The only one of a list, or NULL. */
static const ZdmWindow *
only_window(List *windows)
{
	return list_length(windows) == 1 ? linitial(windows) : NULL;
}

const ZdmWindow *
window_current(const char **open_windows)
{
	List	   *open = windows_in_state(NIL, "open");
	List	   *ending = windows_in_state(windows_in_state(NIL, "closing"), "aborting");
	List	   *windows = list_concat_copy(open, ending);
	const ZdmWindow *window = NULL;
	ListCell   *lc;

	*open_windows = NULL;
	if (windows == NIL)
		return NULL;
	if (zdm_guc_window == NULL || zdm_guc_window[0] == '\0')
		window = only_window(open != NIL ? open : ending);
	else
	{
		foreach(lc, windows)
		{
			if (strcmp(((ZdmWindow *) lfirst(lc))->name, zdm_guc_window) == 0)
				window = lfirst(lc);
		}
	}
	if (window == NULL)
		*open_windows = window_names(windows);
	return window;
}

void
window_report_ending(const char *name, const char *state)
{
	ereport(ERROR,
			(errcode(ERRCODE_ZDM_WINDOW_MISUSE),
			 errmsg("window \"%s\" is already %s", name, state),
			 errdetail("Its last steps are being carried out; what they make and drop is settled when they are done."),
			 errhint("CALL zdm_wait(%s); then send the statement again.",
					 quote_literal_cstr(name))));
}

const char *
window_open_names(void)
{
	Relation	rel = table_open(ledger_relid("window"), AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	List	   *windows = NIL;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		char	   *state = TextDatumGetCString(heap_getattr(tuple, Anum_window_state,
															 RelationGetDescr(rel), &isnull));

		if (strcmp(state, "closed") != 0 && strcmp(state, "aborted") != 0)
			windows = lappend(windows, window_from_tuple(tuple, RelationGetDescr(rel)));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return windows != NIL ? window_names(windows) : NULL;
}

/* Raise the error of a window that cannot be decided. */
void
window_report_undecided(const char *open_windows)
{
	if (zdm_guc_window != NULL && zdm_guc_window[0] != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_WINDOW_MISUSE),
				 errmsg("window \"%s\" is not open", zdm_guc_window),
				 errdetail("The setting zdm.window names it. Open windows: %s.", open_windows),
				 errhint("Choose another one with SET zdm.\"window\".")));
	ereport(ERROR,
			(errcode(ERRCODE_ZDM_WINDOW_MISUSE),
			 errmsg("several windows are open and none is chosen"),
			 errdetail("Open windows: %s.", open_windows),
			 errhint("Choose one with SET zdm.\"window\".")));
}

/*
 * action_hold_off_ddl() takes the mode that conflicts with this one.  The caller
 * may hold locks that others wait for, so it does not wait long itself.
 */
void
window_hold_off(void)
{
	Oid			relid = ledger_relid("window");
	TimestampTz give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													  zdm_guc_lock_timeout);

	while (!ConditionalLockRelationOid(relid, RowExclusiveLock))
	{
		if (GetCurrentTimestamp() > give_up)
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("another transaction is opening or ending a window"),
					 errhint("Try again when it has committed.")));
		CHECK_FOR_INTERRUPTS();
		pg_usleep(5000L);
	}
}
