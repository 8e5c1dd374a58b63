/*-------------------------------------------------------------------------
 *
 * recover.c
 *	  Undoes or completes statements that were not carried out to the end.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parser.h"
#include "run/lock_budget.h"
#include "run/restart.h"
#include "run/runner.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "window/ledger.h"
#include "window/steps.h"

/* One statement that is recovered; lives in its context. */
typedef struct Recovery
{
	int64		statement_id;
	Oid			role;			/* with whose rights, or InvalidOid: as we are */
	const ZdmRunnerOps *ops;
	void	   *arg;
	const ZdmStepRow *row;		/* the current step */
	List	   *stmts;			/* RawStmt, for the current attempt */
	const char *sql;
	MemoryContext context;		/* survives transactions */
} Recovery;

bool
recover_lock(int64 statement_id)
{
	return ledger_lock(statement_id);
}

void
recover_unlock(int64 statement_id)
{
	ledger_unlock(statement_id);
}

/*
 * Run the commands with the rights of the statement's role.  After an error
 * the abort of the transaction restores the user.
 */
static void
run_as_role(Recovery *recovery)
{
	Oid			userid;
	int			sec_context;

	GetUserIdAndSecContext(&userid, &sec_context);
	if (OidIsValid(recovery->role))
		SetUserIdAndSecContext(recovery->role, sec_context | SECURITY_LOCAL_USERID_CHANGE);
	runner_run_commands(recovery->stmts, recovery->sql, recovery->ops, recovery->arg);
	SetUserIdAndSecContext(userid, sec_context);
}

static Form_pg_index
fetch_index(Oid indexoid, HeapTuple *tuple)
{
	*tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexoid));
	return HeapTupleIsValid(*tuple) ? (Form_pg_index) GETSTRUCT(*tuple) : NULL;
}

/* Is the index there, and can queries not rely on it? */
static bool
is_invalid(Oid indexoid)
{
	HeapTuple	tuple;
	Form_pg_index index = fetch_index(indexoid, &tuple);
	bool		result = index != NULL && !index->indisvalid;

	if (index != NULL)
		ReleaseSysCache(tuple);
	return result;
}

static RawStmt *
raw_statement(Node *stmt)
{
	RawStmt    *raw = makeNode(RawStmt);

	raw->stmt = stmt;
	return raw;
}

/* Keep others from renaming or dropping the relation, if it is there. */
static void
hold_relation(Oid relid)
{
	if (OidIsValid(relid))
		LockRelationOid(relid, AccessShareLock);
}

/*
 * DROP of an index, sequence or table by the name that it has now; NIL if it
 * is gone.
 */
static List *
drop_of(Oid relid, ObjectType type)
{
	DropStmt   *drop = makeNode(DropStmt);

	hold_relation(type == OBJECT_INDEX ? IndexGetRelation(relid, true) : relid);
	if (get_rel_name(relid) == NULL)
		return NIL;
	drop->removeType = type;
	drop->behavior = DROP_RESTRICT;
	drop->missing_ok = true;	/* it can go with what is dropped before it */
	drop->objects = list_make1(list_make2(makeString(get_namespace_name(get_rel_namespace(relid))),
										  makeString(get_rel_name(relid))));
	return list_make1(raw_statement((Node *) drop));
}

/*
 * Indexes of the table that REINDEX CONCURRENTLY has put aside and not
 * dropped: their names end in _ccold, with a number where that was taken.
 */
static List *
put_aside(Oid indexoid)
{
	Oid			relid = IndexGetRelation(indexoid, true);
	Relation	rel = OidIsValid(relid) ? try_relation_open(relid, AccessShareLock) : NULL;
	List	   *result = NIL;
	ListCell   *lc;

	if (rel == NULL)
		return NIL;
	foreach(lc, RelationGetIndexList(rel))
	{
		char	   *name = get_rel_name(lfirst_oid(lc));

		if (name != NULL && strstr(name, "_ccold") != NULL && is_invalid(lfirst_oid(lc)))
			result = lappend_oid(result, lfirst_oid(lc));
	}
	relation_close(rel, AccessShareLock);
	return result;
}

/*
 * What is left of an interrupted REINDEX CONCURRENTLY: new indexes that were
 * not finished, old ones that were not dropped.
 */
static List *
reindex_leftovers(const ZdmStepRow *row)
{
	List	   *leftovers = NIL;
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, row->made)
	{
		if (is_invalid(lfirst_oid(lc)))
			leftovers = list_append_unique_oid(leftovers, lfirst_oid(lc));
		leftovers = list_concat_unique_oid(leftovers, put_aside(lfirst_oid(lc)));
	}
	foreach(lc, leftovers)
		result = list_concat(result, drop_of(lfirst_oid(lc), OBJECT_INDEX));
	return result;
}

/* Is it a relation of the kind that DROP of this type takes? */
static bool
is_of_type(Oid relid, ObjectType type)
{
	switch (get_rel_relkind(relid))
	{
		case RELKIND_INDEX:
		case RELKIND_PARTITIONED_INDEX:
			return type == OBJECT_INDEX;
		case RELKIND_SEQUENCE:
			return type == OBJECT_SEQUENCE;
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			return type == OBJECT_TABLE;
		default:
			return false;
	}
}

/* What the step has made of this type, and is still there. */
static List *
drops_of_made(const ZdmStepRow *row, ObjectType type)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, row->made)
	{
		if (is_of_type(lfirst_oid(lc), type))
			result = list_concat(result, drop_of(lfirst_oid(lc), type));
	}
	return result;
}

/* Alter the table by the name that it has now; false if it is gone. */
static bool
follow_rename(AlterTableStmt *stmt, Oid relid)
{
	if (!OidIsValid(relid))
		return true;
	hold_relation(relid);
	if (get_rel_name(relid) == NULL)
		return false;
	stmt->relation->schemaname = get_namespace_name(get_rel_namespace(relid));
	stmt->relation->relname = get_rel_name(relid);
	return true;
}

/*
 * The commands (RawStmt) of a step that follows one that cannot be taken back.
 * They follow renames too, and what they take away may be gone by now.
 */
static List *
complete_commands(const ZdmStepRow *row)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, raw_parser(row->sql, RAW_PARSE_DEFAULT))
	{
		RawStmt    *raw = lfirst_node(RawStmt, lc);

		if (IsA(raw->stmt, AlterTableStmt))
		{
			AlterTableStmt *alter = (AlterTableStmt *) raw->stmt;
			ListCell   *lc2;

			if (!follow_rename(alter, row->relid))
				continue;
			alter->missing_ok = true;
			foreach(lc2, alter->cmds)
			{
				AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc2);

				if (cmd->subtype == AT_DropConstraint)
					cmd->missing_ok = true;
			}
		}
		result = lappend(result, raw);
	}
	return result;
}

static void
attempt_complete(void *arg)
{
	Recovery   *recovery = arg;

	if (!recovery->row->forward)
		recovery->stmts = complete_commands(recovery->row);
	run_as_role(recovery);
	steps_set_state(recovery->statement_id, recovery->row->ordinal, ZDM_STEP_DONE);
}

/*
 * The commands (RawStmt) that take away what the step made; NIL: nothing.
 * They follow renames, and drop only what the ledger says the step has made.
 * Where a dump of an unfinished statement was restored there are only names.
 */
static List *
undo_commands(const ZdmStepRow *row)
{
	List	   *result = NIL;
	bool		dropped[OBJECT_VIEW + 1] = {0};
	ListCell   *lc;

	if (row->undo_sql == NULL)
		return row->state == ZDM_STEP_RUNNING ? reindex_leftovers(row) : NIL;

	foreach(lc, raw_parser(row->undo_sql, RAW_PARSE_DEFAULT))
	{
		RawStmt    *raw = lfirst_node(RawStmt, lc);

		if (row->is_native && IsA(raw->stmt, DropStmt))
		{
			ObjectType	type = ((DropStmt *) raw->stmt)->removeType;

			if (!dropped[type])
				result = list_concat(result, drops_of_made(row, type));
			dropped[type] = true;
		}
		else if (!IsA(raw->stmt, AlterTableStmt) ||
				 follow_rename((AlterTableStmt *) raw->stmt, row->relid))
			result = lappend(result, raw);
	}
	return result;
}

/*
 * The names are looked up in each attempt, under a lock that keeps them: who
 * waited for the failed step may have renamed or dropped the table since.
 */
static void
attempt_undo(void *arg)
{
	Recovery   *recovery = arg;

	recovery->stmts = undo_commands(recovery->row);
	run_as_role(recovery);
	steps_set_state(recovery->statement_id, recovery->row->ordinal, ZDM_STEP_QUEUED);
}

/* Undo one step, in attempts. */
static void
undo_row(Recovery *recovery, const ZdmStepRow *row)
{
	restart_begin_step(recovery->context);
	recovery->row = row;
	recovery->sql = row->undo_sql ? row->undo_sql : row->sql;
	lock_budget_run(attempt_undo, recovery, NIL, true, false, false);
	restart_commit();
}

/*
 * The same; false if what the step made belongs by now to what an earlier one
 * made, as the indexes of partitions to their parent's.
 */
static bool
undo_row_if_free(Recovery *recovery, const ZdmStepRow *row)
{
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		undo_row(recovery, row);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(recovery->context);
		error = CopyErrorData();
		if (error->sqlerrcode != ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST &&
			error->sqlerrcode != ERRCODE_INVALID_TABLE_DEFINITION)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();

	if (error == NULL)
		return true;
	restart_abort();
	MemoryContextSwitchTo(recovery->context);
	return false;
}

/* Undo the steps, the last one first, and forget the statement. */
static void
undo_all(Recovery *recovery, List *rows)
{
	List	   *attached = NIL;
	ListCell   *lc;

	for (int i = list_length(rows) - 1; i >= 0; i--)
	{
		ZdmStepRow *row = list_nth(rows, i);

		if (row->state != ZDM_STEP_QUEUED && !undo_row_if_free(recovery, row))
			attached = lappend(attached, row);
	}
	foreach(lc, attached)
		undo_row(recovery, lfirst(lc));

	restart_begin_step(recovery->context);
	steps_forget(recovery->statement_id);
	restart_commit();
}

/* The indexes that a DROP INDEX names: how many are left, is one invalid? */
static int
indexes_left(const DropStmt *stmt, bool *invalid)
{
	int			result = 0;
	ListCell   *lc;

	*invalid = false;
	foreach(lc, stmt->objects)
	{
		Oid			relid = RangeVarGetRelid(makeRangeVarFromNameList(lfirst(lc)), NoLock, true);

		if (OidIsValid(relid))
			result++;
		*invalid |= is_invalid(relid);
	}
	return result;
}

/* The partition that a DETACH names: is it attached, and waits to be not? */
static bool
is_attached(const AlterTableStmt *stmt, bool *pending)
{
	PartitionCmd *cmd = castNode(PartitionCmd, linitial_node(AlterTableCmd, stmt->cmds)->def);
	Oid			parent = RangeVarGetRelid(stmt->relation, NoLock, true);
	Oid			child = RangeVarGetRelid(cmd->name, NoLock, true);

	*pending = false;
	if (!OidIsValid(parent) || !OidIsValid(child) ||
		!list_member_oid(find_inheritance_children_extended(parent, false, NoLock, NULL, NULL), child))
		return false;
	*pending = PartitionHasPendingDetach(child);
	return true;
}

/*
 * What a step of the kind that only goes forward has come to when its session
 * went: nothing yet, all of it, or the commands that end it.
 */
typedef enum Progress
{
	NOT_BEGUN,
	HALF_DONE,
	ALL_DONE
} Progress;

static Progress
progress_of(const ZdmStepRow *row, List **rest)
{
	Node	   *stmt = linitial_node(RawStmt, raw_parser(row->sql, RAW_PARSE_DEFAULT))->stmt;
	bool		half;

	*rest = NIL;
	if (row->state != ZDM_STEP_RUNNING)
		return row->state == ZDM_STEP_DONE ? ALL_DONE : NOT_BEGUN;
	if (IsA(stmt, DropStmt))
	{
		DropStmt   *drop = (DropStmt *) stmt;

		if (indexes_left(drop, &half) == 0)
			return ALL_DONE;
		drop->concurrent = false;
		drop->missing_ok = true;
	}
	else
	{
		AlterTableStmt *alter = castNode(AlterTableStmt, stmt);

		if (!is_attached(alter, &half))
			return ALL_DONE;
		linitial_node(AlterTableCmd, alter->cmds)->subtype = AT_DetachPartitionFinalize;
	}
	*rest = list_make1(raw_statement(stmt));
	return half ? HALF_DONE : NOT_BEGUN;
}

/* Is there a step that cannot be taken back any more? */
static bool
must_complete(List *rows)
{
	ListCell   *lc;

	foreach(lc, rows)
	{
		List	   *rest;

		if (((ZdmStepRow *) lfirst(lc))->forward &&
			progress_of(lfirst(lc), &rest) != NOT_BEGUN)
			return true;
	}
	return false;
}

/*
 * The lock that DETACH PARTITION ... FINALIZE will wait for.  It takes it before
 * it waits for those with older snapshots, so they are waited for here.
 */
static List *
prepare_finalize(const Recovery *recovery)
{
	Node	   *stmt = linitial_node(RawStmt, recovery->stmts)->stmt;
	AlterTableCmd *cmd;
	ZdmNeededLock *lock;
	RangeVar   *name;
	TransactionId limit;

	if (!IsA(stmt, AlterTableStmt))
		return NIL;
	cmd = linitial_node(AlterTableCmd, ((AlterTableStmt *) stmt)->cmds);
	if (cmd->subtype != AT_DetachPartitionFinalize)
		return NIL;
	name = castNode(PartitionCmd, cmd->def)->name;
	lock = palloc(sizeof(ZdmNeededLock));
	lock->relid = RangeVarGetRelid(name, NoLock, false);
	lock->mode = AccessExclusiveLock;
	lock->name = psprintf("relation \"%s.%s\"",
						  get_namespace_name(get_rel_namespace(lock->relid)),
						  get_rel_name(lock->relid));

	limit = GetActiveSnapshot()->xmin;
	PopActiveSnapshot();
	WaitForOlderSnapshots(limit, false);
	PushActiveSnapshot(GetTransactionSnapshot());
	return list_make1(lock);
}

/* Do what is left of a step. */
static void
complete_row(Recovery *recovery, const ZdmStepRow *row)
{
	Progress	progress = NOT_BEGUN;
	List	   *rest = NIL;
	List	   *locks;

	restart_begin_step(recovery->context);
	recovery->row = row;
	recovery->sql = row->sql;
	recovery->stmts = raw_parser(row->sql, RAW_PARSE_DEFAULT);
	if (row->forward)
		progress = progress_of(row, &rest);
	if (row->forward && progress == NOT_BEGUN)
	{
		restart_commit();
		if (!runner_run_alone(recovery->statement_id, row->ordinal, recovery->stmts, row->sql,
							  recovery->context, recovery->ops, recovery->arg))
			recover_step(recovery->statement_id, row->ordinal, recovery->context,
						 recovery->ops, recovery->arg);
		return;
	}
	if (row->forward)
		recovery->stmts = rest;
	locks = prepare_finalize(recovery);
	lock_budget_run(attempt_complete, recovery, locks, true, false, false);
	restart_commit();
}

static void
complete_all(Recovery *recovery, List *rows)
{
	ListCell   *lc;

	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("the statement was too far on to be undone, and is completed")));
	foreach(lc, rows)
	{
		if (((ZdmStepRow *) lfirst(lc))->state != ZDM_STEP_DONE)
			complete_row(recovery, lfirst(lc));
	}
}

/*
 * Is there anything left to do or undo?  Between the look for unfinished
 * statements and the lock on this one its session may have carried it out, or
 * another one recovered it.
 */
static bool
is_unfinished(List *rows)
{
	ListCell   *lc;

	foreach(lc, rows)
	{
		if (((ZdmStepRow *) lfirst(lc))->state != ZDM_STEP_DONE)
			return true;
	}
	return false;
}

/* False if there was nothing to do. */
static bool
recover(Recovery *recovery)
{
	List	   *rows;
	bool		unfinished;
	bool		complete;

	restart_begin_step(recovery->context);
	rows = steps_of(recovery->statement_id);
	unfinished = is_unfinished(rows);
	complete = unfinished && must_complete(rows);
	restart_commit();
	if (complete)
		complete_all(recovery, rows);
	else if (unfinished)
		undo_all(recovery, rows);
	return unfinished;
}

static Recovery
recovery_of(int64 statement_id, MemoryContext context, const ZdmRunnerOps *ops, void *arg)
{
	Recovery	recovery = {0};

	recovery.statement_id = statement_id;
	recovery.ops = ops;
	recovery.arg = arg;
	recovery.context = context;
	return recovery;
}

void
recover_statement(int64 statement_id, MemoryContext context, const ZdmRunnerOps *ops, void *arg)
{
	Recovery	recovery = recovery_of(statement_id, context, ops, arg);

	(void) recover(&recovery);
}

void
recover_step(int64 statement_id, int ordinal, MemoryContext context, const ZdmRunnerOps *ops,
			 void *arg)
{
	Recovery	recovery = recovery_of(statement_id, context, ops, arg);
	List	   *rows;
	ListCell   *lc;

	restart_begin_step(context);
	rows = steps_of(statement_id);
	restart_commit();
	foreach(lc, rows)
	{
		const ZdmStepRow *row = lfirst(lc);

		if (row->ordinal == ordinal)
			complete_row(&recovery, row);
	}
}

/*
 * The role that the statement is recovered as; needs a transaction.  A
 * superuser acts as himself: the author may have lost the right since, or be
 * gone, and what a statement has made must not stay for that.
 */
static Oid
role_of(const ZdmUnfinished *statement)
{
	Oid			role;

	if (superuser())
		return InvalidOid;
	role = get_role_oid(statement->role, true);
	if (!OidIsValid(role) || !is_member_of_role(GetUserId(), role))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to end the unfinished %s of role \"%s\"",
						statement->command, statement->role),
				 errhint("Call zdm_run() as that role, a member of it, or a superuser.")));
	return role;
}

/* Recover a statement, unless its session is alive. */
static void
recover_if_dead(Recovery *recovery, const ZdmUnfinished *statement)
{
	volatile bool recovered = false;

	if (!recover_lock(statement->statement_id))
		return;
	PG_TRY();
	{
		restart_begin_step(recovery->context);
		recovery->statement_id = statement->statement_id;
		recovery->role = role_of(statement);
		restart_commit();
		recovered = recover(recovery);
	}
	PG_CATCH();
	{
		recover_unlock(statement->statement_id);
		PG_RE_THROW();
	}
	PG_END_TRY();
	recover_unlock(statement->statement_id);
	if (recovered)
		ereport(NOTICE,
				(errmsg("ended what a lost session had left of: %s", statement->sql)));
}

/*
 * The same; returns the error of one that failed, so that it does not keep
 * the others from being recovered.
 */
static ErrorData *
try_to_recover(Recovery *recovery, const ZdmUnfinished *statement)
{
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		recover_if_dead(recovery, statement);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(recovery->context);
		error = CopyErrorData();
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();

	if (error != NULL)
	{
		restart_abort();
		MemoryContextSwitchTo(recovery->context);
	}
	return error;
}

/* Say that a statement is in the way of nothing yet, but still unfinished. */
static void
warn_of_failure(const ErrorData *error)
{
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("what a lost session had left half done is not undone yet: %s",
					error->message),
			 error->detail ? errdetail("%s", error->detail) : 0,
			 errhint("CALL zdm_run(); undoes it.")));
}

bool
recover_all(int64 window_id, const char *role, bool must_succeed, const ZdmRunnerOps *ops,
			void *arg)
{
	MemoryContext oldcontext = CurrentMemoryContext;
	Recovery	recovery = {0};
	List	   *statements;
	List	   *errors = NIL;
	ListCell   *lc;

	recovery.ops = ops;
	recovery.arg = arg;
	recovery.context = AllocSetContextCreate(PortalContext, "zdm recovery", ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(recovery.context);
	statements = steps_unfinished(window_id, role);
	if (statements != NIL)
	{
		restart_commit();
		foreach(lc, statements)
		{
			ErrorData  *error = try_to_recover(&recovery, lfirst(lc));

			if (error != NULL)
				errors = lappend(errors, error);
		}
		restart_bare();

		/* so that what follows in a pipeline does not join this transaction */
		PreventInTransactionBlock(true, "recovery");
	}
	if (errors != NIL && must_succeed)
		ReThrowError(linitial(errors));
	else if (errors != NIL)
		warn_of_failure(linitial(errors));
	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(recovery.context);
	return statements != NIL;
}
