/*-------------------------------------------------------------------------
 *
 * begin.c
 *	  zdm_begin_window()
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "window/action.h"
#include "window/ledger.h"
#include "window/window.h"

PG_FUNCTION_INFO_V1(zdm_begin_window);

/* A text argument that must be there. */
static char *
required_text(FunctionCallInfo fcinfo, int argno, const char *what)
{
	if (PG_ARGISNULL(argno))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", what)));
	return action_text_arg(fcinfo, argno);
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
	bool		defers = strcmp(on_unsafe, "defer") == 0;

	if (!defers && strcmp(on_unsafe, "refuse") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized value for on_unsafe: \"%s\"", on_unsafe),
				 errhint("The values are 'refuse' and 'defer'.")));

	/* else a session that has not loaded the library would run DDL unguarded */
	if (defers && !window_has_workers())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("on_unsafe => 'defer' needs zdm in shared_preload_libraries"),
				 errdetail("Deferred steps are carried out by background workers, and rely on every session being guarded."),
				 errhint("Add zdm to shared_preload_libraries and restart the server, or use on_unsafe => 'refuse'.")));
}

/* Else it would be an error of LIKE each time that clients are looked for. */
static void
check_old_clients(const char *pattern)
{
	int			escapes = 0;

	for (const char *c = pattern + strlen(pattern); c > pattern && c[-1] == '\\'; c--)
		escapes++;
	if (escapes % 2 != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_ESCAPE_SEQUENCE),
				 errmsg("LIKE pattern old_clients must not end with escape character")));
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

/* Between ledger_begin() and ledger_end(). */
static void
check_not_open(const char *name)
{
	const char *state = action_query_text("SELECT state FROM zdm.window WHERE name = $1"
										  " AND state NOT IN ('closed', 'aborted')",
										  TEXTOID, CStringGetTextDatum(name));

	if (state == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_ZDM_WINDOW_MISUSE),
			 errmsg("window \"%s\" is already %s", name, state),
			 strcmp(state, "open") == 0 ?
			 errhint("End it with zdm_end_window() first, or choose another name.") :
			 errhint("CALL zdm_wait(%s); waits for its end. Or choose another name.",
					 quote_literal_cstr(name))));
}

/* zdm_begin_window(name, on_unsafe, old_clients, quiet_period) -> window id */
Datum
zdm_begin_window(PG_FUNCTION_ARGS)
{
	char	   *name = required_text(fcinfo, 0, "window name");
	char	   *on_unsafe = required_text(fcinfo, 1, "on_unsafe");
	static const Oid types[] = {TEXTOID, TEXTOID, TEXTOID, INTERVALOID, NAMEOID, INT8OID, OIDOID};
	Datum		values[lengthof(types)];
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
	if (!PG_ARGISNULL(2))
		check_old_clients(action_text_arg(fcinfo, 2));
	check_quiet_period(PG_GETARG_INTERVAL_P(3));
	action_prevent_if_read_only("zdm_begin_window()");

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
	action_hold_off_ddl();
	check_not_open(name);
	ledger_execute("INSERT INTO zdm.window (name, on_unsafe, old_clients, quiet_period,"
				   " opened_by, system_identifier, database_oid)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
				   lengthof(types), types, values, nulls);
	id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	ledger_end(&scope);
	PG_RETURN_INT64(id);
}
