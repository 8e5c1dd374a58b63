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

/* rewrite.c */
extern void rewrite_run(const ZdmUtility *utility, const ZdmPolicy *policy,
						const ZdmDdl *ddl, List *judgements, ZdmPlan *plan);
extern bool rewrite_recover(bool must_succeed);

/* dml.c */
extern void dml_check(const PlannedStmt *pstmt, const char *query);

#endif							/* ZDM_HOOK_H */
