/*-------------------------------------------------------------------------
 *
 * check_queue.c
 *	  What a statement that is only looked at has to do with the queue.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "check_queue.h"
#include "guc.h"
#include "nodes/makefuncs.h"
#include "utils/guc.h"
#include "window/queue.h"

/* Does the guard look at the queue at all? */
static bool
is_queue_met(void)
{
	return zdm_guc_mode != ZDM_MODE_OFF && queue_any();
}

static bool
is_cancelled(const ZdmPending *pending, List *cancelled)
{
	ListCell   *lc;

	foreach(lc, cancelled)
	{
		if (*(const int64 *) lfirst(lc) == pending->id)
			return true;
	}
	return false;
}

ZdmConflict *
check_queue(ZdmDdl *ddl, List *cancelled)
{
	PlannedStmt *pstmt = makeNode(PlannedStmt);
	ZdmUtility	utility = {0};
	List	   *pending = NIL;
	ZdmConflict *conflict;
	int			guc_level;
	ListCell   *lc;

	if (!is_queue_met())
		return NULL;
	foreach(lc, claims_parsed_pending())
	{
		if (!is_cancelled(lfirst(lc), cancelled))
			pending = lappend(pending, lfirst(lc));
	}
	pstmt->commandType = CMD_UTILITY;
	pstmt->utilityStmt = ddl->stmt;
	utility.pstmt = pstmt;
	utility.query = ddl->sql;
	utility.context = PROCESS_UTILITY_TOPLEVEL;

	/* "already exists, skipping" is for those who send it */
	guc_level = NewGUCNestLevel();
	(void) set_config_option("client_min_messages", "error", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	conflict = claims_find_among(&utility, pending);
	AtEOXact_GUC(true, guc_level);
	if (conflict != NULL && !claims_are_all(conflict))
	{
		ddl->stmt = utility.pstmt->utilityStmt;
		ddl->sql = utility.query;
	}
	return conflict;
}

List *
check_queue_reserved(void)
{
	return is_queue_met() ? claims_reserved() : NIL;
}
