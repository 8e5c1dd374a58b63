/*-------------------------------------------------------------------------
 *
 * action.c
 *	  What the SQL functions on windows have in common.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "window/action.h"
#include "window/ledger.h"
#include "window/window.h"

char *
action_text_arg(FunctionCallInfo fcinfo, int argno)
{
	return PG_ARGISNULL(argno) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(argno));
}

void
action_prevent_if_read_only(const char *function)
{
	PreventCommandIfReadOnly(function);
	PreventCommandDuringRecovery(function);
}

char *
action_query_text(const char *sql, Oid type, Datum value)
{
	ledger_execute(sql, 1, &type, &value, NULL);
	return SPI_processed > 0 ? SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1) : NULL;
}

/* The name of the session's window. */
static const char *
current_name(void)
{
	const char *open_windows;
	const ZdmWindow *current = window_current(&open_windows);

	if (current == NULL && open_windows == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_WINDOW_MISUSE),
				 errmsg("no window is open"),
				 errhint("Open one with zdm_begin_window().")));
	if (current == NULL)
		window_report_undecided(open_windows);
	return current->name;
}

#define FIND_WINDOW \
	"SELECT id, name, state, old_clients, quiet_period::text, paused," \
	"  system_identifier = $2 AND database_oid = $3" \
	" FROM zdm.window WHERE name = $1 AND state NOT IN ('closed', 'aborted')"

OpenWindow *
action_find_window(const char *name, MemoryContext context, bool for_update)
{
	static const Oid types[] = {TEXTOID, INT8OID, OIDOID};
	Datum		values[lengthof(types)];
	OpenWindow *window;
	MemoryContext oldcontext;
	HeapTuple	tuple;
	TupleDesc	desc;
	uint64		found;

	if (name == NULL)
		name = current_name();
	values[0] = CStringGetTextDatum(name);
	values[1] = Int64GetDatum((int64) GetSystemIdentifier());
	values[2] = ObjectIdGetDatum(MyDatabaseId);
	found = ledger_execute(for_update ? FIND_WINDOW " FOR UPDATE" : FIND_WINDOW,
						   lengthof(types), types, values, NULL);
	if (found == 0)
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_WINDOW_MISUSE),
				 errmsg("window \"%s\" is not open", name)));

	tuple = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	oldcontext = MemoryContextSwitchTo(context);
	window = palloc0(sizeof(OpenWindow));
	window->id = strtoi64(SPI_getvalue(tuple, desc, 1), NULL, 10);
	window->name = SPI_getvalue(tuple, desc, 2);
	window->state = SPI_getvalue(tuple, desc, 3);
	window->old_clients = SPI_getvalue(tuple, desc, 4);
	window->quiet_period = SPI_getvalue(tuple, desc, 5);
	window->is_native = SPI_getvalue(tuple, desc, 7)[0] == 't';
	window->paused = !window->is_native || SPI_getvalue(tuple, desc, 6)[0] == 't';
	MemoryContextSwitchTo(oldcontext);
	return window;
}

int64
window_latest_id(const char *name)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(name)};
	LedgerScope scope;
	bool		isnull;
	int64		id = 0;

	ledger_begin(&scope);
	if (ledger_execute("SELECT id FROM zdm.window WHERE name = $1 ORDER BY id DESC LIMIT 1",
					   1, types, values, NULL) > 0)
		id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	ledger_end(&scope);
	if (id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_WINDOW_MISUSE),
				 errmsg("window \"%s\" does not exist", name)));
	return id;
}

void
action_report_ending(const OpenWindow *window)
{
	const char *left;

	left = action_query_text("SELECT string_agg(format('Step %s (%s): %s%s', id, state,"
							 "   CASE WHEN is_undo THEN undo_sql ELSE sql END, ': ' || last_error),"
							 "  E'\\n' ORDER BY CASE WHEN is_undo THEN -id ELSE id END)"
							 " FROM zdm.step WHERE window_id = $1 AND state IN ('queued', 'running', 'failed')",
							 INT8OID, Int64GetDatum(window->id));
	ereport(ERROR,
			(errcode(ERRCODE_ZDM_WINDOW_MISUSE),
			 errmsg("window \"%s\" is already %s", window->name, window->state),
			 left ? errdetail("%s", left) : 0,
			 errhint("CALL zdm_wait(%s); waits for its end. SELECT zdm_retry(step); lets a failed step be tried again.",
					 quote_literal_cstr(window->name))));
}

void
action_hold_off_ddl(void)
{
	ledger_execute("LOCK TABLE zdm.window IN SHARE ROW EXCLUSIVE MODE", 0, NULL, NULL, NULL);
}

void
action_set_state(const OpenWindow *window, const char *state)
{
	static const Oid types[] = {INT8OID, TEXTOID, NAMEOID};
	Datum		values[lengthof(types)];

	values[0] = Int64GetDatum(window->id);
	values[1] = CStringGetTextDatum(state);
	values[2] = DirectFunctionCall1(namein,
									CStringGetDatum(GetUserNameFromId(GetSessionUserId(), false)));
	ledger_execute("UPDATE zdm.window SET state = $2, ended_at = clock_timestamp(), ended_by = $3"
				   " WHERE id = $1", lengthof(types), types, values, NULL);
}

void
action_start_work(const OpenWindow *window)
{
	if (window->paused)
		ereport(NOTICE,
				(errmsg("window \"%s\" is paused", window->name),
				 errhint("SELECT zdm_resume(%s); lets its steps be carried out.",
						 quote_literal_cstr(window->name))));
	else if (!window_has_workers())
		ereport(NOTICE,
				(errmsg("the steps of window \"%s\" wait for zdm_run()", window->name),
				 errdetail("There are no workers: zdm is not in shared_preload_libraries."),
				 errhint("CALL zdm_run(%s);", quote_literal_cstr(window->name))));
	else
		window_wake_workers();
}
