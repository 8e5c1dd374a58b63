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
#include "lib/stringinfo.h"
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

/* What is to be said of each thing that is done to the queue */
static char *
aside_message(const ZdmAside *aside)
{
	return psprintf("\"%s\", which is due for removal, is called \"%s\" from now on",
					aside->from, aside->to);
}

static char *
cancel_message(const ZdmConflict *conflict, const ZdmPending *pending)
{
	return psprintf("%s takes a step out of the queue: %s", conflict->ddl.command, pending->sql);
}

static char *
kept_message(const ZdmConflict *conflict, const ZdmKept *kept)
{
	return psprintf("%s takes %s %s out of a step of the queue: %s", conflict->ddl.command,
					kept->claim->kind, kept->claim->name, kept->pending->sql);
}

static char *
behind_message(const ZdmConflict *conflict, const ZdmPart *part)
{
	if (list_member_ptr(conflict->leftovers, part))
		return psprintf("What the dropped one had stays until the window ends, then: %s", part->sql);
	return psprintf("%s is queued behind what it needs: %s", conflict->ddl.command, part->sql);
}

static char *
copied_message(const ZdmConflict *conflict)
{
	return psprintf("%s takes table \"%s\" as it is before its queued changes",
					conflict->ddl.command, conflict->copied_name);
}

static char *
copied_detail(const ZdmConflict *conflict)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, conflict->copied)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? "\n" : "", claims_describe(lfirst(lc)));
	return buf.data;
}

/* Does the command add a primary key, be it with a column? */
static bool
adds_primary_key(const AlterTableCmd *cmd)
{
	List	   *constraints = cmd->subtype == AT_AddConstraint ? list_make1(cmd->def) :
		cmd->subtype == AT_AddColumn ? castNode(ColumnDef, cmd->def)->constraints : NIL;
	ListCell   *lc;

	foreach(lc, constraints)
	{
		if (lfirst_node(Constraint, lc)->contype == CONSTR_PRIMARY)
			return true;
	}
	return false;
}

/* Does the primary key that the statement adds wait for the end of the window? */
static bool
key_waits(const ZdmDeferral *deferral)
{
	ListCell   *lc;
	ListCell   *lc2;
	ListCell   *lc3;

	if (deferral == NULL)
		return false;
	foreach(lc, deferral->parts)
	{
		const ZdmPart *part = lfirst(lc);

		if (part->phase == ZDM_PHASE_CONTRACT)
			continue;
		foreach(lc2, raw_parser(part->sql, RAW_PARSE_DEFAULT))
		{
			Node	   *stmt = lfirst_node(RawStmt, lc2)->stmt;

			foreach(lc3, IsA(stmt, AlterTableStmt) ? ((AlterTableStmt *) stmt)->cmds : NIL)
			{
				if (adds_primary_key(lfirst(lc3)))
					return false;
			}
		}
	}
	return true;
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
			(errmsg("%s", aside_message(aside))));
}

static List *
add_effect(List *effects, ZdmVerdict verdict, const char *phase, const char *sql, char *message)
{
	ZdmQueueEffect *effect = palloc(sizeof(ZdmQueueEffect));

	effect->verdict = verdict;
	effect->phase = phase;
	effect->sql = sql;
	effect->message = message;
	return lappend(effects, effect);
}

List *
claims_effects(const ZdmConflict *conflict, const struct ZdmDeferral *deferral)
{
	List	   *effects = NIL;
	ListCell   *lc;

	foreach(lc, claims_are_all(conflict) ? NIL : conflict->asides)
	{
		const ZdmAside *aside = lfirst(lc);

		if (!comes_after(deferral, aside->pending))
			effects = add_effect(effects, ZDM_VERDICT_RUN, zdm_phase_name(ZDM_PHASE_EXPAND),
								 aside->rename_sql, aside_message(aside));
	}
	foreach(lc, conflict->kept)
		effects = add_effect(effects, ZDM_VERDICT_RUN, NULL, ((ZdmKept *) lfirst(lc))->sql,
							 kept_message(conflict, lfirst(lc)));
	foreach(lc, conflict->cancels)
	{
		const ZdmPending *pending = lfirst(lc);

		effects = add_effect(effects, ZDM_VERDICT_RUN, NULL, pending->sql,
							 cancel_message(conflict, pending));
	}
	foreach(lc, conflict->behind)
	{
		const ZdmPart *part = lfirst(lc);

		effects = add_effect(effects, part->phase == ZDM_PHASE_CONTRACT ?
							 ZDM_VERDICT_DEFER : ZDM_VERDICT_QUEUE, zdm_phase_name(part->phase),
							 part->sql, behind_message(conflict, part));
	}
	if (conflict->copied != NIL)
		effects = add_effect(effects, ZDM_VERDICT_WARN, NULL, NULL,
							 psprintf("%s: %s", copied_message(conflict), copied_detail(conflict)));
	return effects;
}

void
claims_check_order(const ZdmConflict *conflict, const struct ZdmDeferral *deferral)
{
	if (!claims_are_all(conflict) && conflict->not_before != NULL &&
		!comes_after(deferral, conflict->not_before))
		claims_report(conflict->not_before, conflict->not_before_what);
	if (!claims_are_all(conflict) && conflict->old_key != NULL && !key_waits(deferral))
		claims_report(conflict->old_key,
					  "a primary key cannot be added before the old one is dropped");
}

void
claims_apply(const ZdmConflict *conflict, const struct ZdmDeferral *deferral)
{
	ListCell   *lc;

	claims_check_order(conflict, deferral);
	if (!claims_are_all(conflict))
	{
		foreach(lc, conflict->asides)
		{
			const ZdmAside *aside = lfirst(lc);

			if (!comes_after(deferral, aside->pending))
				run_aside(aside);
		}
	}
	foreach(lc, conflict->kept)
	{
		const ZdmKept *kept = lfirst(lc);

		claims_forget(kept->pending, kept->claim, kept->sql);
		ereport(NOTICE,
				(errmsg("%s", kept_message(conflict, kept))));
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
				(errmsg("%s", cancel_message(conflict, pending))));
	}
	if (conflict->behind != NIL)
	{
		int64		statement_id = history_record(conflict->window_id, conflict->ddl.command,
												  conflict->ddl.sql, "queue", NIL, 0);

		queue_add(statement_id, conflict->window_id, conflict->behind);
		foreach(lc, conflict->behind)
			ereport(NOTICE,
					(errmsg("%s", behind_message(conflict, lfirst(lc)))));
	}
	if (conflict->copied != NIL)
		ereport(WARNING,
				(errmsg("%s", copied_message(conflict)),
				 errdetail("%s", copied_detail(conflict)),
				 errhint("Send these changes for the new table too, or make it when they are done.")));
	CommandCounterIncrement();
}
