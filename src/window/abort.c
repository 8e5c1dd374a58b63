/*-------------------------------------------------------------------------
 *
 * abort.c
 *	  zdm_abort_window()
 *
 * What waits is cancelled.  What steps have done, and what was made directly,
 * becomes steps that undo it; they are carried out in the reverse order of all
 * that happened in the window.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_type.h"
#include "parser/parser.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "window/action.h"
#include "window/ledger.h"
#include "window/queue.h"
#include "window/related.h"
#include "window/stored_sql.h"
#include "window/taking.h"
#include "window/verify.h"
#include "window/window.h"

PG_FUNCTION_INFO_V1(zdm_abort_window);

/* A step that is undone by other SQL than was thought when it ran */
typedef struct ChangedUndo
{
	int64		step_id;
	const char *undo_sql;
} ChangedUndo;

/* An abort on its way; lives in the caller's context. */
typedef struct Abort
{
	OpenWindow *window;
	MemoryContext context;
	List	   *takings;		/* Taking */
	List	   *void_steps;		/* int64 *: their undo has nothing to do */
	List	   *changed;		/* ChangedUndo */
	List	   *obstacles;		/* char *, sentences */
	int64		undone;			/* steps queued */
} Abort;

static Datum
id_array(List *ids)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(list_length(ids), 1));
	ListCell   *lc;

	foreach(lc, ids)
		elements[foreach_current_index(lc)] = Int64GetDatum(*(int64 *) lfirst(lc));
	return PointerGetDatum(construct_array(elements, list_length(ids), INT8OID, 8,
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* What is running is not taken away under itself. */
static void
check_nothing_runs(const OpenWindow *window)
{
	char	   *running = action_query_text("SELECT string_agg(CASE WHEN deferred THEN"
											"   format('Step %s is running: %s', id, sql)"
											"  ELSE format('A statement is carried out in steps: %s', sql) END,"
											"  E'\\n' ORDER BY id)"
											" FROM zdm.step WHERE window_id = $1 AND (state = 'running'"
											"  OR NOT deferred AND state IN ('queued', 'failed'))",
											INT8OID, Int64GetDatum(window->id));

	if (running != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_WINDOW_NOT_READY),
				 errmsg("window \"%s\" cannot be aborted while steps are running", window->name),
				 errdetail("%s", running),
				 errhint("CALL zdm_wait(%s); waits for them, and SELECT zdm_cancel(step); cancels one.  CALL zdm_run(%s); ends what a lost session has left.",
						 quote_literal_cstr(window->name), quote_literal_cstr(window->name))));
}

static int64 *
result_id(uint64 row, int column)
{
	int64	   *id = palloc(sizeof(int64));

	*id = strtoi64(SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column), NULL, 10);
	return id;
}

static void
change_undo(Abort *undoing, int64 step_id, const char *undo_sql)
{
	ChangedUndo *changed = palloc(sizeof(ChangedUndo));

	changed->step_id = step_id;
	changed->undo_sql = undo_sql;
	undoing->changed = lappend(undoing->changed, changed);
}

/* What undoing the steps that are done takes away. */
static void
find_undo(Abort *undoing)
{
	static const Oid types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(undoing->window->id)};
	SPITupleTable *rows;
	List	   *known = NIL;
	uint64		count;

	count = ledger_execute("SELECT id, undo_sql, relids, relnames FROM zdm.step"
						   " WHERE window_id = $1 AND deferred AND state = 'done'"
						   " AND undo_sql IS NOT NULL ORDER BY id",
						   lengthof(types), types, values, NULL);
	rows = SPI_tuptable;
	for (uint64 i = 0; i < count; i++)
	{
		const char *stored = SPI_getvalue(rows->vals[i], rows->tupdesc, 2);
		const char *undo_sql = former_undo(&known, stored);
		int64	   *id;

		SPI_tuptable = rows;
		id = result_id(i, 1);
		if (undo_sql != stored)
			change_undo(undoing, *id, undo_sql);
		if (!taking_add_undo(&undoing->takings, *id, undo_sql,
							 ledger_result_oids(i, 3), ledger_result_texts(i, 4)))
			undoing->void_steps = lappend(undoing->void_steps, id);
	}
}

/* undo_sql, to be asked for whether it could be carried out */
typedef struct RefusedUndo
{
	int64		id;				/* of the step */
	const char *sql;
} RefusedUndo;

static bool
is_void(const Abort *undoing, int64 step_id)
{
	ListCell   *lc;

	foreach(lc, undoing->void_steps)
	{
		if (*(int64 *) lfirst(lc) == step_id)
			return true;
	}
	return false;
}

/*
 * What was made directly.  REINDEX CONCURRENTLY has put another index in the
 * place of one, under its name.
 */
static void
find_born(Abort *undoing)
{
	static const Oid types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(undoing->window->id)};
	uint64		count;

	count = ledger_execute("SELECT id, classid, CASE WHEN classid = 'pg_class'::regclass AND objsubid = 0"
						   "  AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = objid)"
						   "  THEN coalesce((SELECT c.oid FROM pg_class c WHERE c.oid = to_regclass(identity)"
						   "   AND c.relkind IN ('i', 'I')), objid) ELSE objid END, objsubid"
						   " FROM zdm.object WHERE window_id = $1 ORDER BY id",
						   lengthof(types), types, values, NULL);
	for (uint64 i = 0; i < count; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		ObjectAddress object;
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		ObjectAddressSubSet(object, DatumGetObjectId(SPI_getbinval(tuple, desc, 2, &isnull)),
							DatumGetObjectId(SPI_getbinval(tuple, desc, 3, &isnull)),
							DatumGetInt32(SPI_getbinval(tuple, desc, 4, &isnull)));
		taking_add_born(&undoing->takings, *result_id(i, 1), &object);
	}
}

/* Is the type to which a statement has added a value taken away itself? */
static bool
takes_enum(const Abort *undoing, const char *sql)
{
	Node	   *stmt = linitial_node(RawStmt, raw_parser(sql, RAW_PARSE_DEFAULT))->stmt;
	Oid			typoid;
	ListCell   *lc;

	if (!IsA(stmt, AlterEnumStmt))
		return false;
	typoid = LookupTypeNameOid(NULL, makeTypeNameFromNameList(((AlterEnumStmt *) stmt)->typeName),
							   true);
	foreach(lc, undoing->takings)
	{
		const Taking *taking = lfirst(lc);

		if (taking->object.classId == TypeRelationId && taking->object.objectId == typoid &&
			taking->obstacle == NULL)
			return true;
	}
	return false;
}

/* What no command takes back. */
static void
find_irreversible(Abort *undoing)
{
	static const Oid types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(undoing->window->id)};
	List	   *statements = NIL;
	char	   *removed;
	uint64		count;
	ListCell   *lc;

	removed = action_query_text("SELECT string_agg(format('Step %s has been carried out at the end of the window: %s.',"
								"  id, sql), E'\\n' ORDER BY id) FROM zdm.step"
								" WHERE window_id = $1 AND deferred AND phase = 'contract'"
								" AND state = 'done' AND undo_sql IS NULL",
								INT8OID, values[0]);
	if (removed != NULL)
		undoing->obstacles = lappend(undoing->obstacles, removed);

	removed = action_query_text("SELECT string_agg(format('Step %s is not undone (%s): %s.', id, sql, loss),"
								"  E'\\n' ORDER BY id) FROM zdm.step"
								" WHERE window_id = $1 AND deferred AND state = 'done' AND loss IS NOT NULL"
								" AND (relids = '{}' OR EXISTS (SELECT FROM pg_class WHERE oid = ANY (relids)))",
								INT8OID, values[0]);
	if (removed != NULL)
		undoing->obstacles = lappend(undoing->obstacles, removed);

	count = ledger_execute("SELECT sql FROM zdm.statement WHERE window_id = $1"
						   " AND 'add_enum_value' = ANY (rules) ORDER BY id",
						   lengthof(types), types, values, NULL);
	for (uint64 i = 0; i < count; i++)
		statements = lappend(statements, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
	foreach(lc, statements)
	{
		if (!takes_enum(undoing, lfirst(lc)))
			undoing->obstacles = lappend(undoing->obstacles,
										 psprintf("An enum value cannot be removed: %s.",
												  (char *) lfirst(lc)));
	}
}

/* What is undone only by work that would be refused, as it blocks others long */
static void
find_refused(Abort *undoing)
{
	static const Oid types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(undoing->window->id)};
	List	   *steps = NIL;
	uint64		count;
	ListCell   *lc;

	count = ledger_execute("SELECT id, undo_sql, relids, relnames FROM zdm.step"
						   " WHERE window_id = $1 AND deferred AND state = 'done'"
						   " AND undo_sql IS NOT NULL ORDER BY id",
						   lengthof(types), types, values, NULL);
	for (uint64 i = 0; i < count; i++)
	{
		RefusedUndo *step = palloc(sizeof(RefusedUndo));

		step->id = *result_id(i, 1);
		step->sql = stored_sql_now(SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2),
								   queue_result_targets(i, 3, 4));
		steps = lappend(steps, step);
	}
	foreach(lc, steps)
	{
		const RefusedUndo *step = lfirst(lc);
		char	   *reason = is_void(undoing, step->id) ? NULL : window_undo_refusal(step->sql);

		CHECK_FOR_INTERRUPTS();
		if (reason != NULL)
			taking_add_blocked(&undoing->takings, step->id,
							   psprintf("The undo of step " INT64_FORMAT " (%s): %s.",
										step->id, step->sql, reason));
	}
}

/* Rows that are in the way of undoing a step: NULLs where NOT NULL comes back. */
static void
find_rows(Abort *undoing)
{
	ListCell   *lc;

	foreach(lc, verify_steps(undoing->window->id, true))
	{
		const VerifiedStep *step = lfirst(lc);

		if (step->problem != NULL)
			taking_add_blocked(&undoing->takings, step->id,
							   psprintf("The undo of %s.", step->problem));
	}
}

static void
find_takings(Abort *undoing)
{
	ListCell   *lc;

	find_undo(undoing);
	find_rows(undoing);
	find_refused(undoing);
	find_born(undoing);
	taking_mark_implied(undoing->takings);
	detached_release(undoing->takings);
	loss_find(undoing->takings);
	taking_find_users(undoing->takings);
	foreach(lc, undoing->takings)
	{
		Taking	   *taking = lfirst(lc);

		if (taking->obstacle != NULL)
			undoing->obstacles = lappend(undoing->obstacles, taking->obstacle);
	}
	order_takings(undoing->takings);
	find_irreversible(undoing);
}

/* Is it for a step of its own to take it away? */
static bool
needs_step(const Abort *undoing, const Taking *taking)
{
	return taking->step_id == 0 && (!taking->is_implied || taking->goes_first) &&
		!taking_stays(undoing->takings, taking);
}

/*
 * What was made directly is taken away with the rights of who aborts the
 * window.  Better to say now what that is not enough for.
 */
static void
check_rights(const Abort *undoing, Oid role)
{
	StringInfoData missing;
	ListCell   *lc;

	initStringInfo(&missing);
	foreach(lc, undoing->takings)
	{
		const Taking *taking = lfirst(lc);
		Oid			owner = needs_step(undoing, taking) ? related_owner(&taking->object) : InvalidOid;

		if (OidIsValid(owner) && !has_privs_of_role(role, owner))
			appendStringInfo(&missing, "%sRole \"%s\" owns %s.", missing.len > 0 ? "\n" : "",
							 GetUserNameFromId(owner, false),
							 getObjectDescription(&taking->object, false));
	}
	if (missing.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to take away what was made in window \"%s\"",
						undoing->window->name),
				 errdetail("%s", missing.data),
				 errhint("Call zdm_abort_window() as a member of these roles, or as a superuser.")));
}

/* List what cannot be undone: an error, or a warning if forced. */
static void
report_obstacles(const Abort *undoing, bool force)
{
	const char *name = undoing->window->name;
	StringInfoData detail;
	ListCell   *lc;

	if (undoing->obstacles == NIL)
		return;
	initStringInfo(&detail);
	foreach(lc, undoing->obstacles)
		appendStringInfo(&detail, "%s%s", detail.len > 0 ? "\n" : "", (char *) lfirst(lc));
	if (!force)
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_WINDOW_NOT_READY),
				 errmsg("window \"%s\" cannot be aborted without losing data", name),
				 errdetail("%s", detail.data),
				 errhint("Remove these objects or rows yourself, or SELECT zdm_abort_window(%s, force => true); leaves them in place.",
						 quote_literal_cstr(name))));
	ereport(WARNING,
			(errcode(ERRCODE_ZDM_WINDOW_NOT_READY),
			 errmsg("the abort of window \"%s\" leaves in place what cannot be undone without losing data", name),
			 errdetail("%s", detail.data)));
}

static void
execute_on_ids(const char *sql, List *ids)
{
	static const Oid types[] = {INT8ARRAYOID};
	Datum		values[] = {id_array(ids)};

	ledger_execute(sql, lengthof(types), types, values, NULL);
}

static void
store_changed_undo(const Abort *undoing)
{
	static const Oid types[] = {INT8OID, TEXTOID};
	ListCell   *lc;

	foreach(lc, undoing->changed)
	{
		const ChangedUndo *changed = lfirst(lc);
		Datum		values[] = {
			Int64GetDatum(changed->step_id), CStringGetTextDatum(changed->undo_sql)
		};

		ledger_execute("UPDATE zdm.step SET undo_sql = $2 WHERE id = $1", lengthof(types), types,
					   values, NULL);
	}
}

/* Steps that are done are queued to be undone, the others are given up. */
static void
turn_steps(Abort *undoing)
{
	static const Oid types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(undoing->window->id)};
	List	   *kept = NIL;
	ListCell   *lc;

	foreach(lc, undoing->takings)
	{
		Taking	   *taking = lfirst(lc);

		if (taking->step_id != 0 && taking_stays(undoing->takings, taking))
			kept = lappend(kept, &taking->step_id);
	}
	store_changed_undo(undoing);
	ledger_execute("UPDATE zdm.step SET state = 'cancelled', finished_at = clock_timestamp()"
				   " WHERE window_id = $1 AND deferred AND state IN ('queued', 'failed')",
				   lengthof(types), types, values, NULL);
	execute_on_ids("UPDATE zdm.step SET state = 'undone', is_undo = true WHERE id = ANY ($1)",
				   undoing->void_steps);
	execute_on_ids("UPDATE zdm.step SET state = 'cancelled', is_undo = true WHERE id = ANY ($1)",
				   kept);
	undoing->undone += ledger_execute("UPDATE zdm.step SET state = 'queued', is_undo = true, attempts = 0,"
									  "  last_error = NULL, retry_at = NULL, finished_at = NULL,"
									  "  position = NULL"
									  " WHERE window_id = $1 AND deferred AND state = 'done'"
									  " AND undo_sql IS NOT NULL",
									  lengthof(types), types, values, NULL);
}

static void
add_undo_step(Abort *undoing, int64 statement_id, int ordinal, const Taking *taking)
{
	static const Oid types[] = {INT8OID, INT8OID, INT8OID, INT4OID, TEXTOID, TEXTOID, INT8OID,
	OIDOID};
	Datum		values[lengthof(types)];

	values[0] = Int64GetDatum(taking->birth_id);
	values[1] = Int64GetDatum(statement_id);
	values[2] = Int64GetDatum(undoing->window->id);
	values[3] = Int32GetDatum(ordinal);
	values[4] = CStringGetTextDatum(psprintf("-- made directly: %s",
											 getObjectDescription(&taking->object, false)));
	values[5] = CStringGetTextDatum(taking->sql);
	values[6] = Int64GetDatum((int64) GetSystemIdentifier());
	values[7] = ObjectIdGetDatum(MyDatabaseId);
	ledger_execute("INSERT INTO zdm.step (id, statement_id, window_id, ordinal, phase, sql, undo_sql,"
				   "  system_identifier, database_oid, deferred, is_undo)"
				   " VALUES ($1, $2, $3, $4, 'expand', $5, $6, $7, $8, true, true)",
				   lengthof(types), types, values, NULL);
	undoing->undone++;
}

/*
 * Steps that undo what was made directly, with the ids of the births: so they
 * come at their place among the others.
 */
static void
add_undo_steps(Abort *undoing, int64 statement_id)
{
	int			ordinal = 1;
	ListCell   *lc;

	foreach(lc, undoing->takings)
	{
		const Taking *taking = lfirst(lc);

		if (needs_step(undoing, taking))
			add_undo_step(undoing, statement_id, ordinal++, taking);
	}
}

/* The steps that undo what was made directly are of a statement too. */
static int64
record_abort(const OpenWindow *window)
{
	return history_record(window->id, "SELECT",
						  psprintf("SELECT zdm_abort_window(%s)", quote_literal_cstr(window->name)),
						  "abort", NIL, 0);
}

/* A window of a restored copy does not know what was born in it. */
static void
check_can_abort(const OpenWindow *window)
{
	if (strcmp(window->state, "aborting") == 0)
		action_report_ending(window);
	if (!window->is_native)
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_WINDOW_MISUSE),
				 errmsg("window \"%s\" was restored from another database", window->name),
				 errhint("SELECT zdm_resume(%s); makes it one of this database.",
						 quote_literal_cstr(window->name))));
}

/* Find out what there is to do, and whether it can be done. */
static void
prepare_abort(Abort *undoing, const char *name, bool force)
{
	LedgerScope scope;

	ledger_begin(&scope);
	MemoryContextSwitchTo(undoing->context);
	undoing->window = action_find_window(name, undoing->context, false);
	check_can_abort(undoing->window);
	check_nothing_runs(undoing->window);

	/* who ends a step takes the locks in this order too */
	action_hold_off_ddl();
	undoing->window = action_find_window(undoing->window->name, undoing->context, true);
	check_can_abort(undoing->window);
	check_nothing_runs(undoing->window);
	find_takings(undoing);
	check_rights(undoing, scope.userid);
	report_obstacles(undoing, force);
	ledger_end(&scope);
}

/* zdm_abort_window(name, force) -> undo steps queued */
Datum
zdm_abort_window(PG_FUNCTION_ARGS)
{
	char	   *name = action_text_arg(fcinfo, 0);
	bool		force = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	Abort		undoing = {0};
	LedgerScope scope;
	int64		statement_id;

	action_prevent_if_read_only("zdm_abort_window()");
	undoing.context = CurrentMemoryContext;
	prepare_abort(&undoing, name, force);
	statement_id = record_abort(undoing.window);
	ledger_begin(&scope);
	turn_steps(&undoing);
	add_undo_steps(&undoing, statement_id);
	action_set_state(undoing.window, undoing.undone > 0 ? "aborting" : "aborted");
	ledger_end(&scope);
	if (undoing.undone > 0)
		action_start_work(undoing.window);
	PG_RETURN_INT64(undoing.undone);
}
