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
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"
#include "window/action.h"
#include "window/ledger.h"
#include "window/verify.h"
#include "window/window.h"

PG_FUNCTION_INFO_V1(zdm_window_status);

static Condition *
make_condition(const char *name, bool ok, const char *detail)
{
	Condition  *condition = palloc0(sizeof(Condition));

	condition->name = name;
	condition->ok = ok;
	condition->detail = detail;
	return condition;
}

/*
 * Met if the query returns NULL; else what it returns is the detail.  $1 is
 * the window's id.  In the current context, as all conditions below.
 */
static Condition *
condition_on_steps(const OpenWindow *window, const char *name, const char *sql, const char *met)
{
	char	   *unmet = action_query_text(sql, INT8OID, Int64GetDatum(window->id));

	return make_condition(name, unmet == NULL, unmet ? unmet : met);
}

static Condition *
condition_on_clients(const OpenWindow *window)
{
	Condition  *condition = make_condition("old clients gone", true, "the window names no old clients");
	char	   *clients;

	condition->can_be_forced = true;
	if (window->old_clients == NULL)
		return condition;
	clients = action_query_text("SELECT string_agg(format('pid %s, user %s, application \"%s\"',"
								"   pid, usename, application_name), '; ' ORDER BY pid)"
								" FROM pg_stat_activity WHERE datname = current_database()"
								" AND backend_type = 'client backend' AND application_name LIKE $1",
								TEXTOID, CStringGetTextDatum(window->old_clients));
	condition->ok = clients == NULL;
	condition->detail = clients ? psprintf("sessions like \"%s\": %s", window->old_clients, clients) :
		psprintf("no session is like \"%s\"", window->old_clients);
	return condition;
}

/*
 * The quiet period counts from the moment when the last of what is due for
 * removal was sent: who uses it since is not known.
 */
static Condition *
condition_on_quiet_period(const OpenWindow *window)
{
	Condition  *condition = make_condition("quiet period over", true,
										   psprintf("nothing is due for removal (quiet period %s)",
													window->quiet_period));
	char	   *since;
	char	   *over;

	condition->can_be_forced = true;
	since = action_query_text("SELECT max(t.at)::timestamptz(0)::text"
							  " FROM zdm.step s JOIN zdm.statement t ON t.id = s.statement_id"
							  " WHERE s.window_id = $1 AND s.phase = 'contract'"
							  " AND s.state IN ('queued', 'running', 'failed')",
							  INT8OID, Int64GetDatum(window->id));
	if (since == NULL)
		return condition;
	over = action_query_text("SELECT (max(t.at) + w.quiet_period <= clock_timestamp())::text"
							 " FROM zdm.step s JOIN zdm.statement t ON t.id = s.statement_id"
							 " JOIN zdm.window w ON w.id = s.window_id"
							 " WHERE s.window_id = $1 AND s.phase = 'contract'"
							 " AND s.state IN ('queued', 'running', 'failed') GROUP BY w.id",
							 INT8OID, Int64GetDatum(window->id));
	condition->ok = strcmp(over, "true") == 0;
	condition->detail = psprintf("the last of what is due for removal was sent at %s, the quiet period is %s; whether it was used since is not recorded",
								 since, window->quiet_period);
	return condition;
}

static Condition *
condition_on_rows(const OpenWindow *window)
{
	List	   *steps = verify_steps(window->id, false);
	StringInfoData unmet;
	ListCell   *lc;

	initStringInfo(&unmet);
	foreach(lc, steps)
	{
		const VerifiedStep *step = lfirst(lc);

		if (step->problem != NULL)
			appendStringInfo(&unmet, "%s%s", unmet.len > 0 ? "; " : "", step->problem);
	}
	return make_condition("no row in the way", unmet.len == 0,
						  unmet.len > 0 ? unmet.data :
						  steps != NIL ? "no row breaks a constraint that is still to be added" :
						  "no constraint is still to be added");
}

List *
window_conditions(const OpenWindow *window, MemoryContext context)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(context);
	List	   *conditions = NIL;

	conditions = lappend(conditions, condition_on_steps(window, "migrate steps done",
														"SELECT string_agg(format('step %s (%s): %s', id, state, sql), '; ' ORDER BY id)"
														" FROM zdm.step WHERE window_id = $1 AND phase <> 'contract'"
														" AND state IN ('queued', 'running')",
														"no step is waiting or running"));
	conditions = lappend(conditions, condition_on_steps(window, "no failed step",
														"SELECT string_agg(format('step %s (%s): %s', id, sql, last_error), '; ' ORDER BY id)"
														" FROM zdm.step WHERE window_id = $1 AND state = 'failed'",
														"no step has failed"));
	conditions = lappend(conditions, condition_on_clients(window));
	conditions = lappend(conditions, condition_on_quiet_period(window));
	conditions = lappend(conditions, condition_on_rows(window));
	MemoryContextSwitchTo(oldcontext);
	return conditions;
}

/* zdm_window_status(name) -> condition, ok, detail */
Datum
zdm_window_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *name = action_text_arg(fcinfo, 0);
	MemoryContext context = CurrentMemoryContext;
	LedgerScope scope;
	List	   *conditions;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	ledger_begin(&scope);
	conditions = window_conditions(action_find_window(name, context, false), context);
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
