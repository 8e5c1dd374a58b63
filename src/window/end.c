/*-------------------------------------------------------------------------
 *
 * end.c
 *	  zdm_end_window()
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "window/action.h"
#include "window/ledger.h"

PG_FUNCTION_INFO_V1(zdm_end_window);

/* Raise ZDM03 with every condition that stands in the way. */
static void
check_conditions(const OpenWindow *window, List *conditions, bool force)
{
	StringInfoData detail;
	ListCell   *lc;

	initStringInfo(&detail);
	foreach(lc, conditions)
	{
		const Condition *condition = lfirst(lc);

		if (condition->ok || (force && condition->can_be_forced))
			continue;
		appendStringInfo(&detail, "%sUnmet condition \"%s\": %s.",
						 detail.len > 0 ? "\n" : "", condition->name, condition->detail);
	}
	if (detail.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_WINDOW_NOT_READY),
				 errmsg("window \"%s\" cannot be ended yet", window->name),
				 errdetail("%s", detail.data),
				 errhint("SELECT * FROM zdm_window_status(%s) shows the conditions; force => true skips those on clients and on the quiet period.",
						 quote_literal_cstr(window->name))));
}

/* Which steps the window has. */
static char *
list_steps(const OpenWindow *window)
{
	return action_query_text("SELECT string_agg(id || state, ' ' ORDER BY id) FROM zdm.step"
							 " WHERE window_id = $1", INT8OID, Int64GetDatum(window->id));
}

static OpenWindow *
find_open_window(const char *name, MemoryContext context, bool for_update)
{
	OpenWindow *window = action_find_window(name, context, for_update);

	if (strcmp(window->state, "open") != 0)
		action_report_ending(window);
	return window;
}

/*
 * Reading tables through can take long, so DDL is held off only afterwards; if
 * some has added to the window meanwhile, all is checked again.
 */
static OpenWindow *
find_ready_window(const char *name, bool force, MemoryContext context)
{
	OpenWindow *window = find_open_window(name, context, false);
	OpenWindow *locked;
	char	   *before = list_steps(window);
	char	   *after;

	check_conditions(window, window_conditions(window, InvalidOid, context), force);
	action_hold_off_ddl();
	locked = find_open_window(window->name, context, true);
	after = list_steps(locked);
	if (locked->id != window->id ||
		(before == NULL ? after != NULL : after == NULL || strcmp(before, after) != 0))
		check_conditions(locked, window_conditions(locked, InvalidOid, context), force);
	return locked;
}

/* zdm_end_window(name, force) -> contract steps queued */
Datum
zdm_end_window(PG_FUNCTION_ARGS)
{
	char	   *name = action_text_arg(fcinfo, 0);
	bool		force = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	MemoryContext context = CurrentMemoryContext;
	static const Oid types[] = {INT8OID};
	Datum		values[lengthof(types)];
	LedgerScope scope;
	OpenWindow *window;
	uint64		queued;

	action_prevent_if_read_only("zdm_end_window()");
	ledger_begin(&scope);
	window = find_ready_window(name, force, context);
	values[0] = Int64GetDatum(window->id);
	queued = ledger_execute("SELECT FROM zdm.step WHERE window_id = $1 AND phase = 'contract'"
							" AND state = 'queued'", lengthof(types), types, values, NULL);
	action_set_state(window, queued > 0 ? "closing" : "closed");
	ledger_end(&scope);
	if (queued > 0)
		action_start_work(window);
	PG_RETURN_INT64((int64) queued);
}
