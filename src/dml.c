/*-------------------------------------------------------------------------
 *
 * dml.c
 *	  An UPDATE or DELETE of very many rows in a transaction that has run DDL:
 *	  the data part of a migration, which holds its row locks to the end.
 *
 * The plan tells, not the text: how many rows the planner expects to touch,
 * and whether it reads a large table without an index.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "ddl/ddl.h"
#include "guc.h"
#include "hook.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/plannodes.h"
#include "parser/parsetree.h"
#include "plan/verdict.h"
#include "run/transaction.h"
#include "utils/syscache.h"
#include "window/window.h"

static double
table_rows(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	double		rows;

	if (!HeapTupleIsValid(tuple))
		return 0;
	rows = ((Form_pg_class) GETSTRUCT(tuple))->reltuples;
	ReleaseSysCache(tuple);
	return rows;
}

static Oid	find_large_table(const PlannedStmt *pstmt, const Plan *plan);

static Oid
find_large_table_in(const PlannedStmt *pstmt, List *plans)
{
	Oid			result = InvalidOid;
	ListCell   *lc;

	foreach(lc, plans)
	{
		result = find_large_table(pstmt, lfirst(lc));
		if (OidIsValid(result))
			break;
	}
	return result;
}

/*
 * A table with more rows than the limit that the plan reads from end to end,
 * or InvalidOid.
 */
static Oid
find_large_table(const PlannedStmt *pstmt, const Plan *plan)
{
	Oid			result;

	if (plan == NULL)
		return InvalidOid;
	check_stack_depth();

	switch (nodeTag(plan))
	{
		case T_SeqScan:
			result = rt_fetch(((const SeqScan *) plan)->scan.scanrelid,
							  pstmt->rtable)->relid;
			return table_rows(result) > zdm_guc_max_dml_rows ? result : InvalidOid;
		case T_Append:
			return find_large_table_in(pstmt, ((const Append *) plan)->appendplans);
		case T_MergeAppend:
			return find_large_table_in(pstmt, ((const MergeAppend *) plan)->mergeplans);
		case T_SubqueryScan:
			return find_large_table(pstmt, ((const SubqueryScan *) plan)->subplan);
		default:
			result = find_large_table(pstmt, plan->lefttree);
			return OidIsValid(result) ? result : find_large_table(pstmt, plan->righttree);
	}
}

static bool
touches_many(const ModifyTable *modify)
{
	return modify->plan.lefttree->plan_rows > zdm_guc_max_dml_rows;
}

/* Is this a change of very many rows, or one that has to look at as many? */
static bool
is_bulk(const PlannedStmt *pstmt, const ModifyTable *modify)
{
	if (modify->operation != CMD_UPDATE && modify->operation != CMD_DELETE)
		return false;
	return touches_many(modify) ||
		OidIsValid(find_large_table(pstmt, modify->plan.lefttree));
}

/* The first bulk change in the statement or in one of its CTEs, or NULL. */
static const ModifyTable *
find_bulk(const PlannedStmt *pstmt)
{
	ListCell   *lc;

	if (IsA(pstmt->planTree, ModifyTable) &&
		is_bulk(pstmt, (const ModifyTable *) pstmt->planTree))
		return (const ModifyTable *) pstmt->planTree;
	foreach(lc, pstmt->subplans)
	{
		const Plan *plan = lfirst(lc);

		if (plan != NULL && IsA(plan, ModifyTable) &&
			is_bulk(pstmt, (const ModifyTable *) plan))
			return (const ModifyTable *) plan;
	}
	return NULL;
}

static void
note_bulk(ZdmDdl *ddl, const PlannedStmt *pstmt, const ModifyTable *bulk, ZdmRel *rel)
{
	ZdmRel	   *read;

	if (touches_many(bulk))
	{
		(void) ddl_hazard(ddl, ZDM_RULE_BULK_DML, rel, NULL, NULL,
						  "an expected %.0f rows of %s would stay locked until the transaction ends",
						  bulk->plan.lefttree->plan_rows, ddl_rel_describe(rel));
		return;
	}
	read = ddl_rel_by_oid(ddl, find_large_table(pstmt, bulk->plan.lefttree));
	if (read != NULL)
		(void) ddl_hazard(ddl, ZDM_RULE_BULK_DML, rel, NULL, NULL,
						  "changing rows of %s would read all of %s without an index while the transaction holds its locks",
						  ddl_rel_describe(rel), ddl_rel_describe(read));
}

/*
 * Look at a plan that is about to run in a transaction that has run DDL.
 * Raises the refusal or warning.
 */
void
dml_check(const PlannedStmt *pstmt, const char *query)
{
	const ModifyTable *bulk = find_bulk(pstmt);
	ZdmPolicy	policy = {0};
	ZdmDdl		ddl = {0};
	ZdmRel	   *rel;
	List	   *judgements;
	ZdmPlan    *plan;
	struct ZdmDeferral *deferral;

	if (bulk == NULL)
		return;

	ddl.sql = guard_statement_text(pstmt, query);
	ddl.stmt = bulk->operation == CMD_UPDATE ?
		(Node *) makeNode(UpdateStmt) : (Node *) makeNode(DeleteStmt);
	ddl.command = bulk->operation == CMD_UPDATE ? "UPDATE" : "DELETE";
	ddl.xact = transaction_state();
	ddl.small_table = (int64) zdm_guc_small_table * 1024;
	ddl.in_block = true;
	rel = ddl_rel_by_oid(&ddl, rt_fetch(bulk->nominalRelation, pstmt->rtable)->relid);
	if (rel == NULL || rel->is_exempt || ddl_rel_is_small(&ddl, rel))
		return;
	note_bulk(&ddl, pstmt, bulk, rel);

	guard_policy(&policy);
	judgements = zdm_judge(&policy, &ddl, &plan, &deferral);
	if (zdm_strictest(judgements) == ZDM_VERDICT_REFUSE)
		zdm_report_refusal(&policy, &ddl, judgements);
	zdm_report_warnings(&policy, &ddl, judgements);
	guard_record(&policy, &ddl, judgements);
}
