/*-------------------------------------------------------------------------
 *
 * sql.c
 *	  The SQL functions on windows: begin, end, abort, status.
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
#include "fmgr.h"
#include "funcapi.h"
#include "guc.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "window/ledger.h"
#include "window/window.h"

PG_FUNCTION_INFO_V1(zdm_begin_window);
PG_FUNCTION_INFO_V1(zdm_end_window);
PG_FUNCTION_INFO_V1(zdm_abort_window);
PG_FUNCTION_INFO_V1(zdm_window_status);

/* One of the conditions of ending a window. */
typedef struct Condition
{
	const char *name;
	bool		ok;
	bool		can_be_forced;	/* force => true skips it */
	const char *detail;
} Condition;

/* A window as the functions work on it. */
typedef struct OpenWindow
{
	int64		id;
	const char *name;
	const char *old_clients;	/* NULL: none */
	const char *quiet_period;
} OpenWindow;

/* A text argument that must be there. */
static char *
required_text(FunctionCallInfo fcinfo, int argno, const char *what)
{
	if (PG_ARGISNULL(argno))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", what)));
	return text_to_cstring(PG_GETARG_TEXT_PP(argno));
}

static void
check_name(const char *name)
{
	if (name[strspn(name, " \t\r\n")] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("window name must not be empty")));
	if (strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("window name must be shorter than %d bytes", NAMEDATALEN)));
}

static void
check_on_unsafe(const char *on_unsafe)
{
	if (strcmp(on_unsafe, "defer") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("on_unsafe => 'defer' is not supported"),
				 errhint("Use on_unsafe => 'refuse'.")));
	if (strcmp(on_unsafe, "refuse") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized value for on_unsafe: \"%s\"", on_unsafe),
				 errhint("The value is 'refuse'.")));
}

static void
check_quiet_period(const Interval *interval)
{
	Interval	zero = {0};

	if (DatumGetInt32(DirectFunctionCall2(interval_cmp, IntervalPGetDatum(interval),
										  IntervalPGetDatum(&zero))) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("quiet_period must not be negative")));
}

static void
prevent_if_read_only(const char *function)
{
	PreventCommandIfReadOnly(function);
	PreventCommandDuringRecovery(function);
}

/* Between ledger_begin() and ledger_end(). */
static bool
is_open(const char *name)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(name)};

	return ledger_execute("SELECT FROM zdm.window WHERE name = $1"
						  " AND state NOT IN ('closed', 'aborted')",
						  1, types, values, NULL) > 0;
}

/* zdm_begin_window(name, on_unsafe, old_clients, quiet_period) -> window id */
Datum
zdm_begin_window(PG_FUNCTION_ARGS)
{
	char	   *name = required_text(fcinfo, 0, "window name");
	char	   *on_unsafe = required_text(fcinfo, 1, "on_unsafe");
	Oid			types[] = {TEXTOID, TEXTOID, TEXTOID, INTERVALOID, NAMEOID, INT8OID, OIDOID};
	Datum		values[7];
	char		nulls[] = "       ";
	LedgerScope scope;
	bool		isnull;
	int64		id;

	if (PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("quiet_period must not be null")));
	check_name(name);
	check_on_unsafe(on_unsafe);
	check_quiet_period(PG_GETARG_INTERVAL_P(3));
	prevent_if_read_only("zdm_begin_window()");

	values[0] = CStringGetTextDatum(name);
	values[1] = CStringGetTextDatum(on_unsafe);
	values[2] = PG_ARGISNULL(2) ? (Datum) 0 : PG_GETARG_DATUM(2);
	nulls[2] = PG_ARGISNULL(2) ? 'n' : ' ';
	values[3] = PG_GETARG_DATUM(3);
	values[4] = DirectFunctionCall1(namein,
									CStringGetDatum(GetUserNameFromId(GetSessionUserId(), false)));
	values[5] = Int64GetDatum((int64) GetSystemIdentifier());
	values[6] = ObjectIdGetDatum(MyDatabaseId);

	ledger_begin(&scope);
	/* wait for DDL that was judged without a window: see window_hold_off() */
	ledger_execute("LOCK TABLE zdm.window IN SHARE ROW EXCLUSIVE MODE", 0, NULL, NULL, NULL);
	if (is_open(name))
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_WINDOW_MISUSE),
				 errmsg("window \"%s\" is already open", name),
				 errhint("End it with zdm_end_window() first, or choose another name.")));
	ledger_execute("INSERT INTO zdm.window (name, on_unsafe, old_clients, quiet_period,"
				   " opened_by, system_identifier, database_oid)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
				   7, types, values, nulls);
	id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	ledger_end(&scope);
	PG_RETURN_INT64(id);
}

static void
report_no_window(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_ZDM_WINDOW_MISUSE),
			 errmsg("no window is open"),
			 errhint("Open one with zdm_begin_window().")));
}

/*
 * The open window of that name, or the session's if name is NULL, its row
 * locked so that nobody else ends it meanwhile.  Between ledger_begin() and
 * ledger_end(); the result is in the context given.
 */
static OpenWindow *
find_window(const char *name, MemoryContext context, bool for_update)
{
	Oid			types[] = {TEXTOID};
	Datum		values[1];
	OpenWindow *window;
	MemoryContext oldcontext;
	HeapTuple	tuple;
	TupleDesc	desc;
	uint64		found;

	if (name == NULL)
	{
		const char *open_windows;
		const ZdmWindow *current = window_current(&open_windows);

		if (current == NULL && open_windows == NULL)
			report_no_window();
		if (current == NULL)
			window_report_undecided(open_windows);
		name = current->name;
	}

	values[0] = CStringGetTextDatum(name);
	found = ledger_execute(for_update ?
						   "SELECT id, name, old_clients, quiet_period::text FROM zdm.window"
						   " WHERE name = $1 AND state NOT IN ('closed', 'aborted') FOR UPDATE" :
						   "SELECT id, name, old_clients, quiet_period::text FROM zdm.window"
						   " WHERE name = $1 AND state NOT IN ('closed', 'aborted')",
						   1, types, values, NULL);
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
	window->old_clients = SPI_getvalue(tuple, desc, 3);
	window->quiet_period = SPI_getvalue(tuple, desc, 4);
	MemoryContextSwitchTo(oldcontext);
	return window;
}

int64
window_open_id(const char *name)
{
	LedgerScope scope;
	int64		id;

	ledger_begin(&scope);
	id = find_window(name, CurrentMemoryContext, false)->id;
	ledger_end(&scope);
	return id;
}

static List *
add_condition(List *conditions, const char *name, bool ok, bool can_be_forced,
			  const char *detail)
{
	Condition  *condition = palloc(sizeof(Condition));

	condition->name = name;
	condition->ok = ok;
	condition->can_be_forced = can_be_forced;
	condition->detail = detail;
	return lappend(conditions, condition);
}

/* First column of the first row of a query with the window's id or pattern. */
static char *
query_text(const char *sql, Oid type, Datum value)
{
	ledger_execute(sql, 1, &type, &value, NULL);
	return SPI_processed > 0 ? SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1) : NULL;
}

/*
 * What has to be true before the window can end.  Between ledger_begin() and
 * ledger_end(); the result is in the context given.
 */
static List *
window_conditions(const OpenWindow *window, MemoryContext context)
{
	List	   *conditions = NIL;
	char	   *unfinished;
	char	   *failed;
	char	   *clients = NULL;
	MemoryContext oldcontext;

	unfinished = query_text("SELECT string_agg(format('step %s (%s): %s', id, state, sql), '; ' ORDER BY id)"
							" FROM zdm.step WHERE window_id = $1 AND phase <> 'contract'"
							" AND state IN ('queued', 'running')",
							INT8OID, Int64GetDatum(window->id));
	failed = query_text("SELECT string_agg(format('step %s: %s', id, last_error), '; ' ORDER BY id)"
						" FROM zdm.step WHERE window_id = $1 AND state = 'failed'",
						INT8OID, Int64GetDatum(window->id));
	if (window->old_clients != NULL)
		clients = query_text("SELECT string_agg(format('pid %s, user %s, application \"%s\"', pid, usename, application_name), '; ' ORDER BY pid)"
							 " FROM pg_stat_activity WHERE datname = current_database()"
							 " AND backend_type = 'client backend' AND application_name LIKE $1",
							 TEXTOID, CStringGetTextDatum(window->old_clients));

	oldcontext = MemoryContextSwitchTo(context);
	conditions = add_condition(conditions, "migrate steps done", unfinished == NULL, false,
							   unfinished ? pstrdup(unfinished) : "no step is waiting or running");
	conditions = add_condition(conditions, "no failed step", failed == NULL, false,
							   failed ? pstrdup(failed) : "no step has failed");
	conditions = add_condition(conditions, "old clients gone", clients == NULL, true,
							   clients ? psprintf("sessions like \"%s\": %s", window->old_clients, clients) :
							   window->old_clients ?
							   psprintf("no session is like \"%s\"", window->old_clients) :
							   "the window names no old clients");
	conditions = add_condition(conditions, "quiet period over", true, true,
							   psprintf("nothing is due for removal (quiet period %s)",
										window->quiet_period));
	MemoryContextSwitchTo(oldcontext);
	return conditions;
}

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

static void
set_state(const OpenWindow *window, const char *state)
{
	Oid			types[] = {INT8OID, TEXTOID, NAMEOID};
	Datum		values[3];

	values[0] = Int64GetDatum(window->id);
	values[1] = CStringGetTextDatum(state);
	values[2] = DirectFunctionCall1(namein,
									CStringGetDatum(GetUserNameFromId(GetSessionUserId(), false)));
	ledger_execute("UPDATE zdm.window SET state = $2, ended_at = clock_timestamp(), ended_by = $3"
				   " WHERE id = $1", 3, types, values, NULL);
}

/* zdm_end_window(name, force) -> contract steps queued */
Datum
zdm_end_window(PG_FUNCTION_ARGS)
{
	char	   *name = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool		force = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	MemoryContext context = CurrentMemoryContext;
	LedgerScope scope;
	OpenWindow *window;
	uint64		queued;
	Oid			types[] = {INT8OID};
	Datum		values[1];

	prevent_if_read_only("zdm_end_window()");
	ledger_begin(&scope);
	window = find_window(name, context, true);
	check_conditions(window, window_conditions(window, context), force);
	values[0] = Int64GetDatum(window->id);
	queued = ledger_execute("SELECT FROM zdm.step WHERE window_id = $1 AND phase = 'contract'"
							" AND state = 'queued'", 1, types, values, NULL);
	set_state(window, queued > 0 ? "closing" : "closed");
	ledger_end(&scope);
	PG_RETURN_INT64((int64) queued);
}

/*
 * What came into being in the window, holds data, and would be lost with it.
 * One line an object, or NULL.  Between ledger_begin() and ledger_end().
 */
static char *
lasting_objects(const OpenWindow *window)
{
	return query_text("SELECT string_agg(line, E'\\n' ORDER BY line) FROM ("
					  " SELECT format(CASE WHEN o.objsubid = 0 THEN 'Table %s (%s) was made in the window.'"
					  "   ELSE 'Column %s was added in the window to a table with rows (%s).' END,"
					  "   (pg_identify_object(o.classid, o.objid, o.objsubid)).identity,"
					  "   pg_size_pretty(pg_relation_size(c.oid))) AS line"
					  " FROM zdm.object o JOIN pg_class c ON c.oid = o.objid"
					  " JOIN zdm.window w ON w.id = o.window_id"
					  " WHERE o.window_id = $1 AND o.classid = 'pg_class'::regclass"
					  "  AND w.database_oid = (SELECT oid FROM pg_database WHERE datname = current_database())"
					  "  AND c.relkind IN ('r', 'm') AND pg_relation_size(c.oid) > 0"
					  "  AND (o.objsubid = 0 OR EXISTS (SELECT FROM pg_attribute a"
					  "   WHERE a.attrelid = o.objid AND a.attnum = o.objsubid AND NOT a.attisdropped))"
					  ") AS objects",
					  INT8OID, Int64GetDatum(window->id));
}

/* zdm_abort_window(name, force) -> undo steps queued */
Datum
zdm_abort_window(PG_FUNCTION_ARGS)
{
	char	   *name = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool		force = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	LedgerScope scope;
	OpenWindow *window;
	char	   *lasting;

	prevent_if_read_only("zdm_abort_window()");
	ledger_begin(&scope);
	window = find_window(name, CurrentMemoryContext, true);
	lasting = lasting_objects(window);
	if (lasting != NULL && !force)
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_WINDOW_NOT_READY),
				 errmsg("window \"%s\" cannot be aborted without losing data", window->name),
				 errdetail("%s", lasting),
				 errhint("Remove these objects yourself, or use force => true to leave them in place.")));
	if (lasting != NULL)
		ereport(WARNING,
				(errcode(ERRCODE_ZDM_WINDOW_NOT_READY),
				 errmsg("aborting window \"%s\" leaves objects in place", window->name),
				 errdetail("%s", lasting)));
	set_state(window, "aborted");
	ledger_end(&scope);
	PG_RETURN_INT64(0);
}

/* zdm_window_status(name) -> condition, ok, detail */
Datum
zdm_window_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *name = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	MemoryContext context = CurrentMemoryContext;
	LedgerScope scope;
	List	   *conditions;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	ledger_begin(&scope);
	conditions = window_conditions(find_window(name, context, false), context);
	ledger_end(&scope);

	foreach(lc, conditions)
	{
		const Condition *condition = lfirst(lc);
		Datum		values[3];
		bool		nulls[3] = {0};

		values[0] = CStringGetTextDatum(condition->name);
		values[1] = BoolGetDatum(condition->ok);
		values[2] = CStringGetTextDatum(condition->detail);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
