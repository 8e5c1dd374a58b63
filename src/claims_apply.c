/*-------------------------------------------------------------------------
 *
 * claims_apply.c
 *	  What a statement does to the queue of deferred steps.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "claims.h"
#include "parser/parser.h"
#include "plan/defer.h"
#include "tcop/dest.h"
#include "window/queue.h"
#include "window/window.h"

/* When the first of the statement runs */
static ZdmPhase
earliest_phase(const ZdmDeferral *deferral)
{
	ZdmPhase	result = ZDM_PHASE_CONTRACT;
	ListCell   *lc;

	if (deferral == NULL)
		return ZDM_PHASE_EXPAND;
	foreach(lc, deferral->parts)
		result = Min(result, ((ZdmPart *) lfirst(lc))->phase);
	return result;
}

/* Does the queue itself have the statement come after the step? */
static bool
comes_after(const ZdmDeferral *deferral, const ZdmPending *pending)
{
	ZdmPhase	phase = earliest_phase(deferral);
	ListCell   *lc;
	ListCell   *lc2;

	if (phase == ZDM_PHASE_EXPAND || phase < pending->phase)
		return false;
	if (phase == ZDM_PHASE_CONTRACT)
		return true;
	foreach(lc, deferral->parts)
	{
		foreach(lc2, ((ZdmPart *) lfirst(lc))->targets)
		{
			const ZdmPlanTarget *target = lfirst(lc2);
			ListCell   *lc3;

			foreach(lc3, pending->targets)
			{
				if (((ZdmPlanTarget *) lfirst(lc3))->relid == target->relid)
					return true;
			}
		}
	}
	return false;
}

static void
run_aside(const ZdmAside *aside)
{
	RawStmt    *raw = linitial_node(RawStmt, raw_parser(aside->rename_sql, RAW_PARSE_DEFAULT));
	PlannedStmt *pstmt = makeNode(PlannedStmt);
	ZdmUtility	utility = {0};

	pstmt->commandType = CMD_UTILITY;
	pstmt->utilityStmt = raw->stmt;
	utility.pstmt = pstmt;
	utility.query = aside->rename_sql;
	utility.context = PROCESS_UTILITY_QUERY;
	utility.dest = None_Receiver;
	hook_run_utility(&utility);
	CommandCounterIncrement();
	claims_rename(aside->pending, aside->sql, aside->from, aside->to, aside->rename_sql,
				  aside->undo_sql);
	ereport(NOTICE,
			(errmsg("\"%s\", which is due for removal, is called \"%s\" from now on",
					aside->from, aside->to)));
}

void
claims_apply(const ZdmConflict *conflict, const struct ZdmDeferral *deferral)
{
	ListCell   *lc;

	if (!claims_are_all(conflict))
	{
		if (conflict->not_before != NULL && !comes_after(deferral, conflict->not_before))
			claims_report(conflict->not_before, conflict->not_before_what);
		foreach(lc, conflict->asides)
		{
			const ZdmAside *aside = lfirst(lc);

			if (!comes_after(deferral, aside->pending))
				run_aside(aside);
		}
	}
	foreach(lc, conflict->cancels)
	{
		const ZdmPending *pending = lfirst(lc);

		if (!claims_cancel(pending->id))
			ereport(ERROR,
					(errcode(ERRCODE_ZDM_QUEUED_WORK),
					 errmsg("another session has begun or cancelled a step meanwhile"),
					 errdetail("%s", claims_describe(pending)),
					 errhint("Send the statement again.")));
		ereport(NOTICE,
				(errmsg("%s takes a step out of the queue: %s", conflict->ddl.command,
						pending->sql)));
	}
	if (conflict->behind != NIL)
	{
		int64		statement_id = history_record(conflict->window_id, conflict->ddl.command,
												  conflict->ddl.sql, "queue", NIL, 0);

		queue_add(statement_id, conflict->window_id, conflict->behind);
		foreach(lc, conflict->behind)
			ereport(NOTICE,
					(errmsg("%s is queued behind what it needs: %s", conflict->ddl.command,
							((ZdmPart *) lfirst(lc))->sql)));
	}
	CommandCounterIncrement();
}
