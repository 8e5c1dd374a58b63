/*-------------------------------------------------------------------------
 *
 * launcher.c
 *	  The background process that starts workers where there is something to
 *	  do.
 *
 * It is connected to no database.  Whether there is something to do in one is
 * found by a probe, a short-lived process in it; for each session user that
 * the probe names, a worker is started.  A database is probed when the server
 * starts, when a session says so, when a worker in it has ended, and every ten
 * seconds as long as it has steps that may become due by themselves.
 *
 * What is known of databases is lost with the process, and found again by the
 * probes of its successor.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_database.h"
#include "guc.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "run/clients.h"
#include "run/launcher.h"
#include "run/slots.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

/* milliseconds */
#define POLL_INTERVAL	10000
#define PROBE_PAUSE		100		/* between two probes of one database */
#define LOSS_PAUSE		1000	/* after a worker that was ended at its work */
#define FAILURE_MAX		300000	/* between two that fail */

StaticAssertDecl(sizeof(ZdmAssignment) <= BGW_EXTRALEN,
				 "an assignment goes to the process in bgw_extra");

/* A database that has, or may have, something to do. */
typedef struct Database
{
	Oid			oid;
	TimestampTz probe_at;		/* DT_NOEND: when somebody wants it */
	TimestampTz probed_at;
	int			failures;		/* of probes, one after the other */
	List	   *roles;			/* oids: they wait for a worker */
} Database;

static List *databases = NIL;	/* Database */

/* by slot: of the process that the launcher has registered, or NULL */
static BackgroundWorkerHandle **handles;

static bool wake_at_commit = false;
static object_access_hook_type prev_object_access_hook = NULL;

/* in sessions */

bool
launcher_is_loaded(void)
{
	return slots_exist();
}

void
launcher_wake(void)
{
	slots_want(MyDatabaseId);
}

void
launcher_wake_at_commit(void)
{
	wake_at_commit = true;
}

/*
 * What a prepared transaction has done is not there before COMMIT PREPARED,
 * which is another transaction's matter.
 */
static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			if (wake_at_commit)
				launcher_wake();
			wake_at_commit = false;
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			wake_at_commit = false;
			break;
		default:
			break;
	}
}

/*
 * DROP DATABASE waits for the sessions in it to end.  It has checked the right
 * to drop it, and lets no new one in.
 */
static void
make_way(ObjectAccessType access, Oid classid, Oid objid, int subid, void *arg)
{
	if (prev_object_access_hook)
		prev_object_access_hook(access, classid, objid, subid, arg);
	if (access == OAT_DROP && classid == DatabaseRelationId)
		slots_terminate(objid);
}

void
launcher_init(ZdmRunNext run_next)
{
	BackgroundWorker worker = {0};

	RegisterXactCallback(at_transaction_end, NULL);
	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	slots_init();
	clients_init();
	worker_init(run_next);
	prev_object_access_hook = object_access_hook;
	object_access_hook = make_way;

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 1;
	strlcpy(worker.bgw_library_name, "zdm", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "zdm_launcher_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "zdm launcher", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "zdm launcher", sizeof(worker.bgw_type));
	RegisterBackgroundWorker(&worker);
}

/* in the launcher */

static Database *
find_database(Oid oid)
{
	Database   *database;
	ListCell   *lc;

	foreach(lc, databases)
	{
		database = lfirst(lc);
		if (database->oid == oid)
			return database;
	}
	database = palloc0(sizeof(Database));
	database->oid = oid;
	database->probe_at = DT_NOEND;
	databases = lappend(databases, database);
	return database;
}

static void
forget_database(Database *database)
{
	databases = list_delete_ptr(databases, database);
	list_free(database->roles);
	pfree(database);
}

/* The databases that a process can be in. */
static List *
list_databases(void)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *result = NIL;
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext oldcontext;

		/* -2 stands for one whose DROP was interrupted */
		if (!form->datallowconn || form->datconnlimit < -1)
			continue;
		oldcontext = MemoryContextSwitchTo(context);
		result = lappend_oid(result, form->oid);
		MemoryContextSwitchTo(oldcontext);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	pgstat_report_stat(true);
	MemoryContextSwitchTo(context);
	return result;
}

static void
want_probe(Oid oid, TimestampTz at)
{
	Database   *database = find_database(oid);

	if (at < database->probe_at)
		database->probe_at = at;
}

static void
want_all(void)
{
	List	   *oids = list_databases();
	ListCell   *lc;

	foreach(lc, oids)
		want_probe(lfirst_oid(lc), GetCurrentTimestamp());
	list_free(oids);
}

static void
note_wanted(void)
{
	bool		all;
	List	   *oids = slots_take_wanted(&all);
	ListCell   *lc;

	if (all)
		want_all();
	foreach(lc, oids)
		want_probe(lfirst_oid(lc), GetCurrentTimestamp());
	list_free(oids);
}

/*
 * Register the process of a slot.  Without room for it nothing is lost: the
 * caller tries again later.
 */
static bool
register_process(const ZdmAssignment *assignment)
{
	BackgroundWorker worker = {0};
	const char *type = OidIsValid(assignment->role) ? "zdm worker" : "zdm probe";
	ZdmAssignment unused;
	ZdmOutcome	outcome;
	bool		registered;

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "zdm", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "zdm_worker_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, type, sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, type, sizeof(worker.bgw_type));
	memcpy(worker.bgw_extra, assignment, sizeof(ZdmAssignment));
	worker.bgw_notify_pid = MyProcPid;

	registered = RegisterDynamicBackgroundWorker(&worker, &handles[assignment->slot]);
	if (!registered)
	{
		handles[assignment->slot] = NULL;
		(void) slots_reap(assignment->slot, true, &unused, &outcome);
	}
	if (!registered && !slots_starved())
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no background process is left for the deferred steps of zdm"),
				 errhint("Raise max_worker_processes, and restart the server.")));
	if (registered == slots_starved())
		slots_set_starved(!registered);
	return registered;
}

static void
start_probes(TimestampTz now)
{
	ListCell   *lc;

	foreach(lc, databases)
	{
		Database   *database = lfirst(lc);
		ZdmAssignment assignment;

		if (database->probe_at > now || slots_is_assigned(database->oid, InvalidOid) ||
			!TimestampDifferenceExceeds(database->probed_at, now, PROBE_PAUSE))
			continue;
		if (!slots_assign(0, SLOTS_PROBES - 1, database->oid, InvalidOid, &assignment))
			return;
		database->probed_at = now;
		database->probe_at = register_process(&assignment) ? DT_NOEND :
			TimestampTzPlusMilliseconds(now, POLL_INTERVAL);
	}
}

/* One for each role that waits for one, as far as there are slots. */
static void
start_workers_in(Database *database)
{
	while (database->roles != NIL)
	{
		Oid			role = linitial_oid(database->roles);
		ZdmAssignment assignment;

		if (!slots_is_assigned(database->oid, role))
		{
			if (!slots_assign(SLOTS_PROBES, slots_count() - 1, database->oid, role, &assignment))
				return;
			if (!register_process(&assignment))
				want_probe(database->oid, TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
																	  POLL_INTERVAL));
		}
		database->roles = list_delete_first(database->roles);
	}
}

static void
start_workers(void)
{
	ListCell   *lc;

	foreach(lc, databases)
		start_workers_in(lfirst(lc));
}

/* A probe that has not got to its end: the database may be gone. */
static void
note_failed_probe(Database *database)
{
	List	   *oids = list_databases();
	int			delay = POLL_INTERVAL << Min(database->failures, 5);

	if (list_member_oid(oids, database->oid))
	{
		database->failures++;
		want_probe(database->oid, TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
															  Min(delay, FAILURE_MAX)));
	}
	else
		forget_database(database);
	list_free(oids);
}

static void
note_probe(Database *database, const ZdmDue *due)
{
	TimestampTz at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), POLL_INTERVAL);

	database->failures = 0;
	list_free(database->roles);
	database->roles = NIL;
	for (int i = 0; i < due->role_count; i++)
		database->roles = lappend_oid(database->roles, due->roles[i]);
	if (due->next_at != 0 && due->next_at < at)
		at = due->next_at;
	if (due->has_work)
		want_probe(database->oid, at);
	else if (database->probe_at == DT_NOEND)
		forget_database(database);
}

/*
 * A worker that has done nothing is not followed by another probe, lest the
 * two start each other again and again.
 */
static void
note_end(const ZdmAssignment *assignment, const ZdmOutcome *outcome)
{
	TimestampTz now = GetCurrentTimestamp();

	if (!OidIsValid(assignment->role))
	{
		Database   *database = find_database(assignment->database);

		if (outcome->has_due)
			note_probe(database, &outcome->due);
		else
			note_failed_probe(database);
	}
	else
	{
		int			delay = outcome->has_worked ? 0 : outcome->has_begun ? LOSS_PAUSE : POLL_INTERVAL;

		want_probe(assignment->database, TimestampTzPlusMilliseconds(now, delay));
	}
}

static void
reap(void)
{
	for (int i = 0; i < slots_count(); i++)
	{
		ZdmAssignment assignment;
		ZdmOutcome	outcome;
		pid_t		pid;
		bool		is_gone = handles[i] != NULL &&
			GetBackgroundWorkerPid(handles[i], &pid) == BGWH_STOPPED;

		if (!slots_reap(i, is_gone, &assignment, &outcome))
			continue;
		if (handles[i] != NULL)
			pfree(handles[i]);
		handles[i] = NULL;
		note_end(&assignment, &outcome);
	}
}

/* Milliseconds until a database is to be probed; -1: until somebody wants it. */
static long
time_to_wait(TimestampTz now)
{
	long		result = -1;
	ListCell   *lc;

	foreach(lc, databases)
	{
		const Database *database = lfirst(lc);
		long		wait;

		if (database->probe_at == DT_NOEND)
			continue;
		wait = TimestampDifferenceMilliseconds(now, database->probe_at);
		if (!TimestampDifferenceExceeds(database->probed_at, now, PROBE_PAUSE))
			wait = Max(wait, PROBE_PAUSE);
		/* one that is due waits for a slot, whose process wakes us */
		wait = Max(wait, PROBE_PAUSE);
		if (result < 0 || wait < result)
			result = wait;
	}
	return result;
}

static void
wait_for_something(void)
{
	long		timeout = time_to_wait(GetCurrentTimestamp());

	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (timeout >= 0 ? WL_TIMEOUT : 0),
					 timeout, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

/*
 * An exit code other than 0 has the postmaster start it again, unless the
 * server shuts down.
 */
void
zdm_launcher_main(Datum main_arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	pqsignal(SIGINT, SIG_IGN);
	BackgroundWorkerUnblockSignals();

	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	CurrentMemoryContext = AllocSetContextCreate(TopMemoryContext, "zdm launcher",
												 ALLOCSET_DEFAULT_SIZES);
	handles = palloc0(sizeof(BackgroundWorkerHandle *) * slots_count());
	slots_attach_launcher();
	want_all();
	while (!ShutdownRequestPending)
	{
		note_wanted();
		reap();
		start_probes(GetCurrentTimestamp());
		start_workers();
		wait_for_something();
	}
	proc_exit(1);
}
