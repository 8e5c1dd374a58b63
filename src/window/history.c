/*-------------------------------------------------------------------------
 *
 * history.c
 *	  The record of statements with a hazard, zdm.statement.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "window/ledger.h"
#include "window/window.h"

/* attribute numbers of zdm.statement */
enum
{
	Anum_statement_id = 1,
	Anum_statement_window_id,
	Anum_statement_at,
	Anum_statement_role,
	Anum_statement_session_role,
	Anum_statement_application,
	Anum_statement_command,
	Anum_statement_decision,
	Anum_statement_rules,
	Anum_statement_sql,
	Anum_statement_part_of,
	Natts_statement = Anum_statement_part_of
};

static Datum
text_array(List *strings)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(list_length(strings), 1));
	int			count = 0;
	ListCell   *lc;

	foreach(lc, strings)
		elements[count++] = CStringGetTextDatum(lfirst(lc));
	return PointerGetDatum(construct_array(elements, count, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

static Datum
role_name(Oid roleid)
{
	return DirectFunctionCall1(namein,
							   CStringGetDatum(GetUserNameFromId(roleid, false)));
}

/*
 * Record a statement that ran, in its own transaction.  rules is a list of
 * char *; window_id 0 means none; part_of is the deferred step that it carries
 * out, or 0.  Returns the key of its row.
 */
int64
history_record(int64 window_id, const char *command, const char *sql,
			   const char *decision, List *rules, int64 part_of)
{
	Relation	rel = table_open(ledger_relid("statement"), RowExclusiveLock);
	Datum		values[Natts_statement];
	bool		nulls[Natts_statement] = {0};
	HeapTuple	tuple;
	int64		id = ledger_new_id();

	values[Anum_statement_id - 1] = Int64GetDatum(id);
	values[Anum_statement_window_id - 1] = Int64GetDatum(window_id);
	nulls[Anum_statement_window_id - 1] = window_id == 0;
	values[Anum_statement_at - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[Anum_statement_role - 1] = role_name(GetUserId());
	values[Anum_statement_session_role - 1] = role_name(GetSessionUserId());
	values[Anum_statement_application - 1] =
		CStringGetTextDatum(application_name ? application_name : "");
	values[Anum_statement_command - 1] = CStringGetTextDatum(command);
	values[Anum_statement_decision - 1] = CStringGetTextDatum(decision);
	values[Anum_statement_rules - 1] = text_array(rules);
	values[Anum_statement_sql - 1] = CStringGetTextDatum(sql);
	values[Anum_statement_part_of - 1] = Int64GetDatum(part_of);
	nulls[Anum_statement_part_of - 1] = part_of == 0;

	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	CatalogTupleInsert(rel, tuple);
	heap_freetuple(tuple);
	table_close(rel, RowExclusiveLock);
	return id;
}
