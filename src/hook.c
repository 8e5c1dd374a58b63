/*-------------------------------------------------------------------------
 *
 * hook.c
 *	  Where the server's hooks come in: which statements zdm looks at.
 *
 * A statement takes this way: hook.c lets the exempt ones pass; guard.c has
 * ddl/ find out what the statement does and plan/ decide what happens to it;
 * run/ carries it out.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "commands/extension.h"
#include "executor/executor.h"
#include "guc.h"
#include "hook.h"
#include "miscadmin.h"
#include "postmaster/autovacuum.h"
#include "redirect.h"
#include "replication/logicalworker.h"
#include "run/clients.h"
#include "run/launcher.h"
#include "run/made.h"
#include "run/transaction.h"
#include "utils/guc.h"
#include "window/ledger.h"
#include "window/queue.h"

static ProcessUtility_hook_type prev_ProcessUtility = NULL;
static ExecutorStart_hook_type prev_ExecutorStart = NULL;

/*
 * Statements that are no DDL, by kind.  Some of them must work in a failed
 * transaction, where no catalog can be read, and all of them are frequent.
 */
static bool
is_control(NodeTag tag)
{
	switch (tag)
	{
		case T_TransactionStmt:
		case T_PrepareStmt:
		case T_ExecuteStmt:
		case T_DeallocateStmt:
		case T_DeclareCursorStmt:
		case T_ClosePortalStmt:
		case T_FetchStmt:
		case T_VariableSetStmt:
		case T_VariableShowStmt:
		case T_ConstraintsSetStmt:
		case T_DiscardStmt:
		case T_ListenStmt:
		case T_UnlistenStmt:
		case T_NotifyStmt:
		case T_CopyStmt:
		case T_ExplainStmt:
		case T_CallStmt:
		case T_DoStmt:
		case T_LoadStmt:
		case T_CheckPointStmt:
		case T_AlterSystemStmt:
			return true;
		default:
			return false;
	}
}

/*
 * Is this session one whose statements zdm looks at?  Not those of extension
 * scripts, upgrades, restores, replication, autovacuum or parallel workers,
 * nor anything on a standby, in single-user mode, or in a database without
 * the extension.
 */
static bool
is_active(void)
{
	return zdm_guc_mode != ZDM_MODE_OFF &&
		!creating_extension &&
		!IsBinaryUpgrade &&
		IsUnderPostmaster &&
		IsTransactionState() &&
		!IsParallelWorker() &&
		!compat_is_autovacuum_worker() &&
		!IsLogicalWorker() &&
		!ledger_is_at_work() &&
		!RecoveryInProgress() &&
		(application_name == NULL || strcmp(application_name, "pg_restore") != 0) &&
		ledger_exists();
}

static void
run_previous(const ZdmUtility *utility)
{
	if (prev_ProcessUtility)
		prev_ProcessUtility(utility->pstmt, utility->query, utility->read_only_tree,
							utility->context, utility->params, utility->query_env,
							utility->dest, utility->qc);
	else
		standard_ProcessUtility(utility->pstmt, utility->query, utility->read_only_tree,
								utility->context, utility->params, utility->query_env,
								utility->dest, utility->qc);
}

void
hook_run_utility(const ZdmUtility *utility)
{
	List	   *views = redirect_set_aside(utility);

	run_previous(utility);
	redirect_catch_up(utility, views);
}

/* What a prepared transaction has deferred can be carried out now. */
static void
note_commit_prepared(void)
{
	if (launcher_is_loaded() && !RecoveryInProgress() && ledger_exists() && queue_any())
		launcher_wake_at_commit();
}

static bool
is_commit_prepared(const Node *stmt)
{
	return IsA(stmt, TransactionStmt) &&
		((const TransactionStmt *) stmt)->kind == TRANS_STMT_COMMIT_PREPARED;
}

/*
 * Can the statement name what is only to be renamed?  On a standby too a table
 * can be copied from under the name to come.
 */
static bool
may_redirect(const Node *stmt)
{
	bool		looks;

	if (is_control(nodeTag(stmt)) && !IsA(stmt, CopyStmt))
		return false;
	if (IsA(stmt, CopyStmt) && RecoveryInProgress())
		looks = zdm_guc_mode != ZDM_MODE_OFF && IsTransactionState() && ledger_exists();
	else
		looks = is_active();
	return looks && queue_any();
}

static void
look_at_utility(const ZdmUtility *utility)
{
	/* asked before: the command may end the transaction that the tree is in */
	bool		commits_prepared = is_commit_prepared(utility->pstmt->utilityStmt);
	const ZdmUtility *redirected = NULL;

	/* the parts of a command that was looked at as a whole come as such */
	if (utility->context == PROCESS_UTILITY_SUBCOMMAND)
	{
		run_previous(utility);
		return;
	}
	clients_note_change(utility->pstmt->utilityStmt);
	if (may_redirect(utility->pstmt->utilityStmt) &&
		redirect_may_concern(utility->pstmt->utilityStmt))
		redirected = redirect_utility(utility);
	if (redirected != NULL)
		utility = redirected;
	if (is_control(nodeTag(utility->pstmt->utilityStmt)) || !is_active())
		run_previous(utility);
	else
		guard_utility(utility);
	if (commits_prepared)
		note_commit_prepared();
}

static void
zdm_ProcessUtility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
				   ProcessUtilityContext context, ParamListInfo params,
				   QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	ZdmUtility	utility = {pstmt, queryString, readOnlyTree, context, params,
	queryEnv, dest, qc};

	if (context == PROCESS_UTILITY_SUBCOMMAND || !made_suspend())
	{
		look_at_utility(&utility);
		return;
	}

	/* an event trigger or function sends it: what it makes is not the step's */
	PG_TRY();
	{
		look_at_utility(&utility);
	}
	PG_FINALLY();
	{
		made_resume();
	}
	PG_END_TRY();
}

static void
zdm_ExecutorStart(QueryDesc *queryDesc, int eflags)
{
	if (transaction_has_ddl() && (eflags & EXEC_FLAG_EXPLAIN_ONLY) == 0 &&
		zdm_guc_max_dml_rows > 0 && is_active())
		dml_check(queryDesc->plannedstmt, queryDesc->sourceText);

	if (prev_ExecutorStart)
		prev_ExecutorStart(queryDesc, eflags);
	else
		standard_ExecutorStart(queryDesc, eflags);
}

void
hook_init(void)
{
	prev_ProcessUtility = ProcessUtility_hook;
	ProcessUtility_hook = zdm_ProcessUtility;
	prev_ExecutorStart = ExecutorStart_hook;
	ExecutorStart_hook = zdm_ExecutorStart;
}
