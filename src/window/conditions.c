/*-------------------------------------------------------------------------
 *
 * conditions.c
 *	  What has to be true before a window can end: zdm_window_status().
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "window/action.h"
#include "window/ledger.h"
#include "window/verify.h"
#include "window/window.h"

PG_FUNCTION_INFO_V1(zdm_window_status);

static ZdmLastSeen ask_for_clients = NULL;

void
window_ask_for_clients(ZdmLastSeen last_seen)
{
	ask_for_clients = last_seen;
}

static Condition *
make_condition(const char *name, bool ok, const char *detail)
{
	Condition  *condition = palloc0(sizeof(Condition));

	condition->name = name;
	condition->ok = ok;
	condition->detail = detail;
	return condition;
}

/* Of a row s of zdm.step: what it does, if $2 may see it. */
#define SHOWN(text) \
	"CASE WHEN $2 = 0 OR pg_has_role($2, 'pg_read_all_stats', 'USAGE')" \
	"  OR coalesce(pg_has_role($2, r.oid, 'USAGE'), false)" \
	" THEN " text " ELSE '<insufficient privilege>' END"
#define STEPS \
	" FROM zdm.step s JOIN zdm.statement t ON t.id = s.statement_id" \
	" LEFT JOIN pg_roles r ON r.rolname = t.role WHERE s.window_id = $1"

/* The first column of a query on a window, for somebody; or NULL */
static char *
query_for(const OpenWindow *window, Oid viewer, const char *sql)
{
	static const Oid types[] = {INT8OID, OIDOID};
	Datum		values[] = {Int64GetDatum(window->id), ObjectIdGetDatum(viewer)};

	ledger_execute(sql, lengthof(types), types, values, NULL);
	return SPI_processed > 0 ? SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1) : NULL;
}

/*
 * Met if the query returns NULL; else what it returns is the detail.  In the
 * current context, as all conditions below.
 */
static Condition *
condition_on_steps(const OpenWindow *window, Oid viewer, const char *name, const char *sql,
				   const char *met)
{
	char	   *unmet = query_for(window, viewer, sql);

	return make_condition(name, unmet == NULL, unmet ? unmet : met);
}

/* The sessions of the old version, or NULL */
static char *
list_clients(const OpenWindow *window)
{
	return action_query_text("SELECT string_agg(format('pid %s, user %s, application \"%s\"',"
							 "   pid, usename, application_name), '; ' ORDER BY pid)"
							 " FROM pg_stat_activity WHERE datname = current_database()"
							 " AND backend_type = 'client backend' AND application_name LIKE $1",
							 TEXTOID, CStringGetTextDatum(window->old_clients));
}

static Condition *
condition_on_clients(const OpenWindow *window)
{
	Condition  *condition = make_condition("old clients gone", true, "the window names no old clients");
	char	   *clients;

	condition->can_be_forced = true;
	if (window->old_clients == NULL)
		return condition;
	clients = list_clients(window);
	condition->ok = clients == NULL;
	condition->detail = clients ? psprintf("sessions like \"%s\": %s", window->old_clients, clients) :
		psprintf("no session is like \"%s\"", window->old_clients);
	return condition;
}

static const char *
show_time(TimestampTz time)
{
	Datum		seconds = DirectFunctionCall2(timestamptz_scale, TimestampTzGetDatum(time),
											  Int32GetDatum(0));

	return DatumGetCString(DirectFunctionCall1(timestamptz_out, seconds));
}

/*
 * When an old client was there last, as far as is known; DT_NOBEGIN if none
 * was since the window was opened.  What is known goes to uses.
 */
static TimestampTz
find_last_client(const OpenWindow *window, TimestampTz opened_at, StringInfo uses)
{
	TimestampTz last_seen;
	TimestampTz known_since;

	if (window->old_clients == NULL)
		return DT_NOBEGIN;
	if (list_clients(window) != NULL)
	{
		appendStringInfo(uses, "; sessions like \"%s\" are connected", window->old_clients);
		return GetCurrentTimestamp();
	}
	if (ask_for_clients == NULL)
	{
		appendStringInfoString(uses, "; which sessions there were is not known, as zdm is not in shared_preload_libraries");
		return DT_NOBEGIN;
	}
	last_seen = ask_for_clients(window->old_clients, &known_since);
	if (last_seen >= known_since)
		appendStringInfo(uses, "; the last session like \"%s\" was seen at %s", window->old_clients,
						 show_time(last_seen));
	else if (known_since > opened_at)
	{
		appendStringInfo(uses, "; which sessions there were before %s is not known",
						 show_time(known_since));
		last_seen = known_since;
	}
	return last_seen;
}

/* Has the quiet period passed since? */
static bool
is_quiet_since(const OpenWindow *window, TimestampTz since)
{
	static const Oid types[] = {INT8OID, TIMESTAMPTZOID};
	Datum		values[] = {Int64GetDatum(window->id), TimestampTzGetDatum(since)};

	return ledger_execute("SELECT FROM zdm.window WHERE id = $1"
						  " AND $2 + quiet_period <= clock_timestamp()",
						  lengthof(types), types, values, NULL) > 0;
}

/*
 * The quiet period counts from the last use that zdm knows of: the last
 * statement by which something is due for removal, and the last session of the
 * old version.  In a window that does not defer, what is to be removed later is
 * not known, so all may be.
 */
static Condition *
condition_on_quiet_period(const OpenWindow *window)
{
	static const Oid types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(window->id)};
	Condition  *condition;
	StringInfoData uses;
	TimestampTz last_use = DT_NOBEGIN;
	TimestampTz opened_at;
	bool		defers;
	bool		isnull;
	Datum		sent;

	ledger_execute("SELECT w.opened_at, w.on_unsafe = 'defer', (SELECT max(t.at)"
				   "  FROM zdm.step s JOIN zdm.statement t ON t.id = s.statement_id"
				   "  WHERE s.window_id = w.id AND s.phase = 'contract'"
				   "  AND s.state IN ('queued', 'running', 'failed'))"
				   " FROM zdm.window w WHERE w.id = $1", lengthof(types), types, values, NULL);
	opened_at = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
												  &isnull));
	defers = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
	sent = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3, &isnull);

	initStringInfo(&uses);
	if (isnull)
		appendStringInfoString(&uses, "nothing is due for removal");
	else
	{
		last_use = DatumGetTimestampTz(sent);
		appendStringInfo(&uses, "the last of what is due for removal was sent at %s",
						 show_time(last_use));
	}
	if (!isnull || !defers)
	{
		TimestampTz last_client = find_last_client(window, opened_at, &uses);

		last_use = Max(last_use, last_client);
	}
	condition = make_condition("quiet period over",
							   last_use == DT_NOBEGIN || is_quiet_since(window, last_use),
							   psprintf("%s, the quiet period is %s", uses.data, window->quiet_period));
	condition->can_be_forced = true;
	return condition;
}

/* A role whose query for rows the viewer has no right to have run, or NULL */
static char *
find_foreign_author(const OpenWindow *window, Oid viewer)
{
	if (!OidIsValid(viewer))
		return NULL;
	return query_for(window, viewer, "SELECT t.role" STEPS " AND s.deferred"
					 " AND s.verify_sql IS NOT NULL AND s.phase = 'contract'"
					 " AND s.state IN ('queued', 'failed')"
					 " AND NOT coalesce(pg_has_role($2, r.oid, 'USAGE'), false)"
					 " ORDER BY s.id LIMIT 1");
}

/*
 * The queries are run with the rights of their authors, whoever asks.  So only
 * for those who have these rights, or may end the window.
 */
static Condition *
condition_on_rows(const OpenWindow *window, Oid viewer)
{
	const char *name = "no row in the way";
	char	   *author = find_foreign_author(window, viewer);
	Condition  *condition;
	List	   *steps;
	StringInfoData unmet;
	ListCell   *lc;

	if (author != NULL)
	{
		condition = make_condition(name, false,
								   psprintf("not looked at: that needs the rights of role \"%s\", or EXECUTE on zdm_end_window()",
											author));
		condition->is_unknown = true;
		return condition;
	}
	steps = verify_steps(window->id, false);
	initStringInfo(&unmet);
	foreach(lc, steps)
	{
		const VerifiedStep *step = lfirst(lc);

		if (step->problem != NULL)
			appendStringInfo(&unmet, "%s%s", unmet.len > 0 ? "; " : "", step->problem);
	}
	return make_condition(name, unmet.len == 0,
						  unmet.len > 0 ? unmet.data :
						  steps != NIL ? "no row breaks a constraint that is still to be added" :
						  "no constraint is still to be added");
}

List *
window_conditions(const OpenWindow *window, Oid viewer, MemoryContext context)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(context);
	List	   *conditions = NIL;

	conditions = lappend(conditions, condition_on_steps(window, viewer, "migrate steps done",
														"SELECT string_agg(format('step %s (%s): %s', s.id, s.state,"
														SHOWN("CASE WHEN s.is_undo THEN s.undo_sql ELSE s.sql END")
														"), '; ' ORDER BY s.id)" STEPS
														" AND s.phase <> 'contract' AND s.state IN ('queued', 'running')",
														"no step is waiting or running"));
	conditions = lappend(conditions, condition_on_steps(window, viewer, "no failed step",
														"SELECT string_agg(format('step %s (%s): %s', s.id, "
														SHOWN("CASE WHEN s.is_undo THEN s.undo_sql ELSE s.sql END") ", "
														SHOWN("s.last_error")
														"), '; ' ORDER BY s.id)" STEPS " AND s.state = 'failed'",
														"no step has failed"));
	conditions = lappend(conditions, condition_on_clients(window));
	conditions = lappend(conditions, condition_on_quiet_period(window));
	conditions = lappend(conditions, condition_on_rows(window, viewer));
	MemoryContextSwitchTo(oldcontext);
	return conditions;
}

/* May the role end windows, by the function beside this one? */
static bool
may_end_windows(Oid role, Oid function)
{
	static const Oid types[] = {OIDOID, OIDOID};
	Datum		values[] = {ObjectIdGetDatum(role), ObjectIdGetDatum(function)};

	return ledger_execute("SELECT FROM pg_proc p JOIN pg_proc f USING (pronamespace)"
						  " WHERE f.oid = $2 AND p.proname = 'zdm_end_window' AND p.prosrc = 'zdm_end_window'"
						  " AND p.probin = f.probin AND has_function_privilege($1, p.oid, 'EXECUTE')",
						  lengthof(types), types, values, NULL) > 0;
}

/* zdm_window_status(name) -> condition, ok, detail */
Datum
zdm_window_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *name = action_text_arg(fcinfo, 0);
	MemoryContext context = CurrentMemoryContext;
	LedgerScope scope;
	OpenWindow *window;
	Oid			viewer;
	List	   *conditions;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	ledger_begin(&scope);
	window = action_find_window(name, context, false);
	viewer = may_end_windows(scope.userid, fcinfo->flinfo->fn_oid) ? InvalidOid : scope.userid;
	conditions = window_conditions(window, viewer, context);
	ledger_end(&scope);

	foreach(lc, conditions)
	{
		const Condition *condition = lfirst(lc);
		Datum		values[3];
		bool		nulls[3] = {0};

		values[0] = CStringGetTextDatum(condition->name);
		values[1] = BoolGetDatum(condition->ok);
		nulls[1] = condition->is_unknown;
		values[2] = CStringGetTextDatum(condition->detail);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
