/*-------------------------------------------------------------------------
 *
 * due.c
 *	  Which session users have deferred steps that can run now.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "window/due.h"
#include "window/ledger.h"
#include "window/queue.h"
#include "window/queue_sql.h"

/*
 * One row a session user.  A candidate needs nothing but its turn, its time,
 * or the end of the session that runs it.
 */
static const char due_sql[] =
QUEUE_OPEN
", live AS MATERIALIZED ("
" SELECT classid::bigint << 32 | objid::bigint AS id FROM pg_locks"
" WHERE locktype = 'advisory' AND objsubid = 3 AND granted AND database = $4),"
" candidate AS ("
" SELECT o.id, o.retry_at, t.session_role,"
"  " QUEUE_IS_DUE " AND " QUEUE_HAS_TURN " AND o.id NOT IN (SELECT id FROM live) AS is_due"
" FROM open o JOIN zdm.statement t ON t.id = o.statement_id"
" WHERE o.state <> 'failed' AND CASE o.window_state WHEN 'aborting' THEN o.is_undo"
"  WHEN 'open' THEN o.phase <> 'contract' ELSE true END)"
" SELECT c.session_role, r.oid, bool_or(c.is_due),"
"  min(c.retry_at) FILTER (WHERE c.retry_at > clock_timestamp()),"
"  CASE WHEN r.oid IS NULL THEN 'the role does not exist'"
"   WHEN NOT r.rolcanlogin AND $2 THEN 'the role is not permitted to log in'"
"   WHEN NOT has_database_privilege(r.oid, $4, 'CONNECT')"
"   THEN format('the role has no CONNECT privilege on database \"%s\"', current_database())"
"  END,"
"  array_agg(c.id) FILTER (WHERE c.is_due)"
" FROM candidate c LEFT JOIN pg_roles r ON r.rolname = c.session_role"
" GROUP BY c.session_role, r.oid, r.rolcanlogin ORDER BY min(c.id)";

/*
 * Say on the steps why no worker does them, and what helps.  zdm_run() takes
 * them as they are: see QUEUE_NEEDS_SESSION.
 */
static void
fail_steps(Datum role, Datum reason, Datum ids)
{
	Oid			types[] = {NAMEOID, TEXTOID, INT8ARRAYOID};
	Datum		values[] = {role, reason, ids};

	ledger_execute("UPDATE zdm.step SET state = 'failed', retry_at = 'infinity', last_error ="
				   "  format('no worker can act for role \"%s\", which had sent the statement: %s;"
				   " put that right and SELECT zdm_retry(%s), or CALL zdm_run() as a role that may do it', $1, $2, id)"
				   " WHERE id = ANY ($3) AND state IN ('queued', 'running')",
				   lengthof(types), types, values, NULL);
}

/* Take in one row of the query. */
static void
add_role(ZdmDue *due, HeapTuple tuple, TupleDesc desc)
{
	Oid			role;
	bool		is_due;
	Datum		name;
	Datum		retry_at;
	Datum		reason;
	Datum		ids;
	bool		isnull;
	bool		is_fit;

	due->has_work = true;
	retry_at = SPI_getbinval(tuple, desc, 4, &isnull);
	if (!isnull && (due->next_at == 0 || DatumGetTimestampTz(retry_at) < due->next_at))
		due->next_at = DatumGetTimestampTz(retry_at);

	is_due = DatumGetBool(SPI_getbinval(tuple, desc, 3, &isnull));
	if (!is_due)
		return;
	name = SPI_getbinval(tuple, desc, 1, &isnull);
	role = DatumGetObjectId(SPI_getbinval(tuple, desc, 2, &isnull));
	ids = SPI_getbinval(tuple, desc, 6, &isnull);
	reason = SPI_getbinval(tuple, desc, 5, &is_fit);
	if (!is_fit)
		fail_steps(name, reason, ids);
	else if (due->role_count < DUE_MAX_ROLES)
		due->roles[due->role_count++] = role;
}

/*
 * A window whose last step was given up, or was done by a session that did not
 * live to say so, is over.  Looked for first: who opens a window keeps others
 * from writing that table until he commits.
 */
static void
finish_windows(void)
{
	if (ledger_execute("SELECT FROM zdm.window w WHERE w.state IN ('closing', 'aborting')"
					   " AND NOT EXISTS (SELECT FROM zdm.step s WHERE s.window_id = w.id AND s.deferred"
					   "  AND s.state IN ('queued', 'running', 'failed')) LIMIT 1",
					   0, NULL, NULL, NULL) > 0)
		(void) queue_finish_windows();
}

void
due_find(ZdmDue *due)
{
	static const Oid types[] = {INT8OID, BOOLOID, INT8OID, OIDOID};
	Datum		values[lengthof(types)];
	LedgerScope scope;
	SPITupleTable *rows;
	uint64		count;

	memset(due, 0, sizeof(ZdmDue));
	if (!ledger_exists())
		return;
	values[0] = Int64GetDatum(0);
	values[1] = BoolGetDatum(COMPAT_WORKER_NEEDS_LOGIN);
	values[2] = Int64GetDatum((int64) GetSystemIdentifier());
	values[3] = ObjectIdGetDatum(MyDatabaseId);
	ledger_begin(&scope);
	count = ledger_execute(due_sql, lengthof(types), types, values, NULL);
	rows = SPI_tuptable;
	for (uint64 i = 0; i < count; i++)
		add_role(due, rows->vals[i], rows->tupdesc);
	finish_windows();
	ledger_end(&scope);
}
