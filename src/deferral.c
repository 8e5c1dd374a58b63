/*-------------------------------------------------------------------------
 *
 * deferral.c
 *	  A statement sent within a window that defers: what can run now does, the
 *	  rest is written to the ledger, in the caller's own transaction.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "claims.h"
#include "hook.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "plan/defer.h"
#include "tcop/dest.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "window/queue.h"
#include "window/window.h"

static bool
can_log_in(Oid roleid)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(roleid));
	bool		result = HeapTupleIsValid(tuple) &&
		((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return result;
}

/*
 * A worker connects as the session user and does SET ROLE.  Where it could not
 * do that the statement is refused now, not lost later.
 */
static void
check_author(const ZdmDdl *ddl)
{
	Oid			session = GetSessionUserId();
	const char *reason = NULL;

	if (GetUserId() != session && !compat_can_set_role(session, GetUserId()))
		reason = psprintf("Role \"%s\" acts here by a SECURITY DEFINER function, and session user \"%s\" cannot SET ROLE to it.",
						  GetUserNameFromId(GetUserId(), false), GetUserNameFromId(session, false));
	else if (COMPAT_WORKER_NEEDS_LOGIN && !can_log_in(session))
		reason = psprintf("The session user \"%s\" may not log in, and PostgreSQL before 17 lets no background worker act for such a role.",
						  GetUserNameFromId(session, false));
	if (reason != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_UNSAFE_DDL),
				 errmsg("%s refused: no worker could carry it out later", ddl->command),
				 errdetail("%s", reason),
				 errhint("Send the statement as a role that can log in and that owns the object or is a member of its owner.")));
}

/*
 * What takes zdm's own tables away cannot wait for the end of the window: that
 * is in them.
 */
static void
check_spares_ledger(const ZdmDeferral *deferral)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, deferral->parts)
	{
		foreach(lc2, ((const ZdmPart *) lfirst(lc))->claims)
		{
			const ZdmClaim *claim = lfirst(lc2);

			if (strcmp(claim->action, "drop") == 0 &&
				((strcmp(claim->kind, "extension") == 0 && strcmp(claim->name, "zdm") == 0) ||
				 (claim->nspname != NULL && strcmp(claim->nspname, ZDM_SCHEMA) == 0)))
				protect_check_no_window();
		}
	}
}

/* Run the commands of a part as a client's of their own. */
static void
run_expand(const ZdmUtility *utility, const ZdmDeferral *deferral, const ZdmPart *part)
{
	ListCell   *lc;

	foreach(lc, raw_parser(part->sql, RAW_PARSE_DEFAULT))
	{
		RawStmt    *raw = lfirst_node(RawStmt, lc);
		PlannedStmt *pstmt = makeNode(PlannedStmt);
		ZdmUtility	command = *utility;

		pstmt->commandType = CMD_UTILITY;
		pstmt->utilityStmt = raw->stmt;
		pstmt->stmt_location = raw->stmt_location;
		pstmt->stmt_len = raw->stmt_len;
		command.pstmt = pstmt;
		command.query = part->sql;
		command.read_only_tree = false;
		command.context = utility->context == PROCESS_UTILITY_TOPLEVEL ?
			PROCESS_UTILITY_QUERY : utility->context;
		command.dest = None_Receiver;
		command.qc = NULL;
		guard_run_command(&command, deferral->policy, deferral->ddl, false);
		CommandCounterIncrement();
		born_flush(deferral->policy->window_id);
	}
}

/* Say in one line each what waits, and for what. */
static void
report_part(const ZdmDeferral *deferral, const ZdmPart *part)
{
	if (part->phase == ZDM_PHASE_EXPAND)
		ereport(NOTICE,
				(errmsg("%s, for now: %s", deferral->ddl->command, part->sql),
				 part->note ? errdetail("%s", part->note) : 0));
	else if (part->phase == ZDM_PHASE_MIGRATE)
		ereport(NOTICE,
				(errmsg("%s is queued, and carried out after commit while reads and writes go on: %s",
						deferral->ddl->command, part->sql),
				 part->note ? errdetail("%s", part->note) : 0));
	else
		ereport(NOTICE,
				(errmsg("%s is deferred until window \"%s\" ends: %s",
						deferral->ddl->command, deferral->policy->window_name, part->sql),
				 part->note ? errdetail("%s", part->note) : 0));
}

bool
deferral_blocks(const struct ZdmDeferral *deferral)
{
	ListCell   *lc;

	foreach(lc, deferral->parts)
	{
		const ZdmPart *part = lfirst(lc);

		if (part->phase == ZDM_PHASE_EXPAND && part->lock_mode >= ShareLock)
			return true;
	}
	return false;
}

/*
 * A table that the statement named by the name it is to get is called
 * otherwise until then, and so perhaps when the part runs.
 */
static void
target_redirected(const ZdmUtility *utility, List *parts)
{
	ListCell   *lc;
	ListCell   *lc2;
	ListCell   *lc3;

	foreach(lc, utility->redirected)
	{
		Oid			relid = lfirst_oid(lc);

		foreach(lc2, parts)
		{
			ZdmPart    *part = lfirst(lc2);
			ZdmPlanTarget *target;
			bool		known = false;

			foreach(lc3, part->targets)
				known |= ((ZdmPlanTarget *) lfirst(lc3))->relid == relid;
			if (known)
				continue;
			target = palloc(sizeof(ZdmPlanTarget));
			target->relid = relid;
			target->nspname = get_namespace_name(get_rel_namespace(relid));
			target->relname = get_rel_name(relid);
			part->targets = lappend(part->targets, target);
		}
	}
}

void
deferral_run(const ZdmUtility *utility, const struct ZdmDeferral *deferral)
{
	int64		statement_id;
	ListCell   *lc;

	PreventCommandIfReadOnly(deferral->ddl->command);
	check_author(deferral->ddl);
	check_spares_ledger(deferral);
	rehearse(deferral->ddl, deferral->parts);
	claims_reserve(deferral->parts);
	target_redirected(utility, deferral->parts);
	foreach(lc, deferral->parts)
	{
		const ZdmPart *part = lfirst(lc);

		if (part->phase == ZDM_PHASE_EXPAND)
			run_expand(utility, deferral, part);
	}
	statement_id = guard_record(deferral->policy, deferral->ddl, deferral->judgements);
	queue_add(statement_id, deferral->policy->window_id, deferral->parts);
	foreach(lc, deferral->parts)
		report_part(deferral, lfirst(lc));
	CommandCounterIncrement();
	window_wake_workers();
}
