/*-------------------------------------------------------------------------
 *
 * worker.c
 *	  Background processes in a database: the probe, which finds for whom
 *	  there is something to do, and the worker, which does it.
 *
 * A worker is connected as the session user who has sent the statements, and
 * so can do what that user could do now, no more.  The probe writes nothing
 * but the ledger.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "run/launcher.h"
#include "run/slots.h"
#include "run/worker.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

/*
 * A worker that has nothing to do waits for more, so that a migration that
 * sends one statement after the other needs one process; but not for long: a
 * session keeps its database from being renamed.  Milliseconds.
 */
#define IDLE_MAX	1000
#define IDLE_LOOK	100

/*
 * What the role or database may have set for clients and is not meant for a
 * worker.  A deferred step brings along the settings that it depends on.
 */
static const char *const own_settings[][2] = {
	{"application_name", "zdm worker"},
	{"default_transaction_deferrable", "off"},
	{"default_transaction_isolation", "read committed"},
	{"default_transaction_read_only", "off"},
	{"idle_in_transaction_session_timeout", "0"},
	{"idle_session_timeout", "0"},
	{"lock_timeout", "0"},
	{"statement_timeout", "0"},
	{"transaction_timeout", "0"},
};

static ZdmRunNext run_next = NULL;
static bool is_worker = false;

void
worker_init(ZdmRunNext function)
{
	run_next = function;
}

void
worker_report(const char *sql, int earlier_attempts)
{
	if (!is_worker)
		return;
	slots_report_begun(earlier_attempts);
	SetCurrentStatementStartTimestamp();
	pgstat_report_activity(STATE_RUNNING, sql);
}

static void
override_settings(void)
{
	for (int i = 0; i < lengthof(own_settings); i++)
	{
		/* not every version has all of them */
		if (GetConfigOption(own_settings[i][0], true, false) != NULL)
			SetConfigOption(own_settings[i][0], own_settings[i][1], PGC_SUSET, PGC_S_OVERRIDE);
	}
}

/* Who holds one of zdm's tables for long must not hold up other databases. */
static void
probe(void)
{
	ZdmDue		due;

	SetConfigOption("lock_timeout", "1s", PGC_SUSET, PGC_S_OVERRIDE);
	pgstat_report_activity(STATE_RUNNING, "looking for deferred steps");
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	due_find(&due);
	PopActiveSnapshot();
	CommitTransactionCommand();
	slots_report_due(&due);
}

/*
 * Steps are carried out as in a client's command, which has a portal.  Made
 * outside a transaction, it belongs to none; active, it is nobody's to drop.
 */
static void
make_portal(void)
{
	Portal		portal = CreatePortal("", true, true);

	ResourceOwnerDelete(portal->resowner);
	portal->resowner = NULL;
	portal->visible = false;
	portal->status = PORTAL_ACTIVE;
	ActivePortal = portal;
	PortalContext = portal->portalContext;
}

/* Carry one step out, if there is one. */
static bool
work_once(const char *session_role)
{
	bool		result;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	result = run_next(0, session_role);
	CommitTransactionCommand();
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextReset(PortalContext);
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
	return result;
}

static void
wait_a_little(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, IDLE_LOOK,
					 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	QueryCancelPending = false; /* there is nothing to cancel */
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

static void
work(Oid role)
{
	const char *session_role;
	TimestampTz idle_since = GetCurrentTimestamp();
	bool		unannounced = false;

	StartTransactionCommand();
	session_role = MemoryContextStrdup(TopMemoryContext, GetUserNameFromId(role, false));
	CommitTransactionCommand();
	make_portal();
	is_worker = true;
	while (!TimestampDifferenceExceeds(idle_since, GetCurrentTimestamp(), IDLE_MAX))
	{
		if (work_once(session_role))
		{
			idle_since = GetCurrentTimestamp();
			if (!unannounced)
				slots_report_worked();
			unannounced = true;
			continue;
		}
		/* what this one has done may be what another user's step waits for */
		if (unannounced)
			launcher_wake();
		unannounced = false;
		wait_a_little();
	}
}

void
zdm_worker_main(Datum main_arg)
{
	ZdmAssignment assignment;

	memcpy(&assignment, MyBgworkerEntry->bgw_extra, sizeof(assignment));
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();

	if (!slots_attach(&assignment))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(assignment.database, assignment.role,
											  COMPAT_WORKER_FLAGS);
	override_settings();
	if (OidIsValid(assignment.role))
		work(assignment.role);
	else
		probe();
	proc_exit(0);
}
