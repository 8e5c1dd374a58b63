/*-------------------------------------------------------------------------
 *
 * verify.c
 *	  Rows that are in the way of deferred steps.
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
#include "utils/acl.h"
#include "utils/builtins.h"
#include "window/action.h"
#include "window/ledger.h"
#include "window/probe.h"
#include "window/queue.h"
#include "window/stored_sql.h"
#include "window/verify.h"

/* A step with a query for the rows in its way. */
typedef struct Verification
{
	int64		id;
	const char *step;			/* for people */
	const char *role;
	const char *sql;			/* that the rows are in the way of */
	const char *query;
	List	   *settings;		/* char *: name=value */
} Verification;

static char *(*query_now) (const char *sql, Oid role) = NULL;

void
verify_init(char *(*query) (const char *sql, Oid role))
{
	query_now = query;
}

static char *
result_text(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

/* Verification of each step */
static List *
find_steps(int64 window_id, bool undo)
{
	static const Oid types[] = {INT8OID, BOOLOID, INT8OID, OIDOID};
	Datum		values[] = {Int64GetDatum(window_id), BoolGetDatum(undo),
		Int64GetDatum((int64) GetSystemIdentifier()),
	ObjectIdGetDatum(MyDatabaseId)};
	List	   *result = NIL;
	uint64		count;

	count = ledger_execute("SELECT s.id, format('step %s (%s)', s.id, CASE WHEN $2 THEN s.undo_sql ELSE s.sql END),"
						   "  t.role, s.verify_sql, s.settings, s.relids, s.relnames,"
						   "  s.system_identifier = $3 AND s.database_oid = $4,"
						   "  CASE WHEN $2 THEN s.undo_sql ELSE s.sql END"
						   " FROM zdm.step s JOIN zdm.statement t ON t.id = s.statement_id"
						   " WHERE s.window_id = $1 AND s.deferred AND s.verify_sql IS NOT NULL"
						   " AND CASE WHEN $2 THEN s.phase = 'expand' AND s.state = 'done'"
						   "   AND s.undo_sql IS NOT NULL"
						   "  ELSE s.phase = 'contract' AND s.state IN ('queued', 'failed') END"
						   " ORDER BY s.id", lengthof(types), types, values, NULL);
	for (uint64 i = 0; i < count; i++)
	{
		Verification *verification = palloc(sizeof(Verification));

		verification->id = strtoi64(result_text(i, 1), NULL, 10);
		verification->step = result_text(i, 2);
		verification->role = result_text(i, 3);
		verification->query = result_text(i, 4);
		verification->settings = ledger_result_texts(i, 5);
		verification->sql = result_text(i, 9);
		if (result_text(i, 8)[0] == 't')
			verification->query = stored_sql_now(verification->query, queue_result_targets(i, 6, 7));
		result = lappend(result, verification);
	}
	return result;
}

/* What is in the way of the step, with the query that finds it; or NULL. */
static char *
verify(const Verification *verification)
{
	Oid			role = get_role_oid(verification->role, true);
	const char *query = verification->query;
	char	   *current;
	char	   *error;
	char	   *count;

	if (!OidIsValid(role))
		return psprintf("%s: its role \"%s\" does not exist", verification->step, verification->role);
	current = query_now(verification->sql, role);
	if (current != NULL)
		query = current;
	count = probe_query(psprintf("SELECT count(*) FROM (%s) AS found", query),
						role, verification->settings, CurrentMemoryContext, &error);
	if (error != NULL)
		return psprintf("%s: the query for rows in its way failed: %s: %s",
						verification->step, error, query);
	if (strcmp(count, "0") == 0)
		return NULL;
	return psprintf("%s: rows in its way: %s, found by: %s",
					verification->step, count, query);
}

List *
verify_steps(int64 window_id, bool undo)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, find_steps(window_id, undo))
	{
		const Verification *verification = lfirst(lc);
		VerifiedStep *step = palloc(sizeof(VerifiedStep));

		CHECK_FOR_INTERRUPTS();
		step->id = verification->id;
		step->problem = verify(verification);
		result = lappend(result, step);
	}
	return result;
}
