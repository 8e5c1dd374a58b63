/*-------------------------------------------------------------------------
 *
 * hook.h
 *	  Entry points from the server's hooks.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_HOOK_H
#define ZDM_HOOK_H

#include "zdm.h"

#include "nodes/plannodes.h"
#include "plan/verdict.h"
#include "tcop/utility.h"

struct ZdmQueued;

/* The arguments of ProcessUtility(). */
typedef struct ZdmUtility
{
	PlannedStmt *pstmt;
	const char *query;			/* the whole string that the client sent */
	bool		read_only_tree;
	ProcessUtilityContext context;
	ParamListInfo params;
	QueryEnvironment *query_env;
	DestReceiver *dest;
	QueryCompletion *qc;
	List	   *redirected;		/* Oids of tables that it named by the name
								 * that they get when their window ends */
} ZdmUtility;

/* hook.c */
extern void hook_init(void);

/* call the previous hook, or the server's own code */
extern void hook_run_utility(const ZdmUtility *utility);

/* guard.c */
extern void guard_utility(const ZdmUtility *utility);
extern void guard_policy(ZdmPolicy *policy);
extern char *guard_statement_text(const PlannedStmt *pstmt, const char *query);
extern int64 guard_record(const ZdmPolicy *policy, const ZdmDdl *ddl, List *judgements);
extern void guard_run_command(const ZdmUtility *utility, const ZdmPolicy *policy,
							  const ZdmDdl *ddl, bool waits_long);


/*
 * The same for a deferred step, whose SQL the statement is: what it waited for
 * is over.  Outside a transaction block, in a portal.  It is done, in the
 * ledger, when the transaction that this leaves is committed.
 */
extern void guard_carry_out(const ZdmUtility *utility, const struct ZdmQueued *queued);

/* Likewise SQL that is a step as it is: several commands, or a backfill. */
extern void guard_carry_out_sql(const char *sql, const struct ZdmQueued *queued, List *targets);

/* deferral.c: run what of the statement can run now, and queue the rest */
extern void deferral_run(const ZdmUtility *utility, const struct ZdmDeferral *deferral);

/* Does that take locks that block reads or writes? */
extern bool deferral_blocks(const struct ZdmDeferral *deferral);

/*
 * rehearse.c: raise the errors that the statement, of which those parts wait,
 * would raise at once
 */
extern void rehearse(const ZdmDdl *ddl, List *parts);

/*
 * queue_run.c: carry out one deferred step, of one window if window_id is not
 * 0, of one session user if session_role is not NULL; false if none can run
 * now.  At top level, outside a transaction block, in a portal.  Ends the
 * current transaction, and returns in a fresh one without a snapshot.  Failures
 * go to the ledger; only what ends the session or command is raised.
 */
extern bool queue_run_next(int64 window_id, const char *session_role);

/*
 * Likewise all that can run, once each; raises in the end what failed first, be
 * it before.
 */
extern void queue_run_all(int64 window_id);

/* wait.c: raise the error of a step that has failed, of one window or all */
extern void wait_check_failed(int64 window_id);

/*
 * rewrite.c.  undo: what an abort of the window gives back of it, for the
 * ledger; or NULL
 */
extern void rewrite_run(const ZdmUtility *utility, const ZdmPolicy *policy,
						const ZdmDdl *ddl, List *judgements, ZdmPlan *plan, ZdmPart *undo);
extern bool rewrite_recover(bool must_succeed);

/* the same for SQL of a deferred step that is no statement to be planned for */
extern void rewrite_run_sql(const char *sql, const ZdmPolicy *policy, List *targets);

/* dml.c */
extern void dml_check(const PlannedStmt *pstmt, const char *query);

#endif							/* ZDM_HOOK_H */
