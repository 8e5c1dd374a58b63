/*-------------------------------------------------------------------------
 *
 * object_defer.c
 *	  What of a statement about objects other than columns and constraints
 *	  waits for the end of the window.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "plan/advice.h"
#include "plan/drop_defer.h"

static bool
is_drop_column(const ZdmDeferral *deferral, const Node *node)
{
	return deferral->plan->rel != NULL && IsA(node, AlterTableCmd) &&
		((const AlterTableCmd *) node)->subtype == AT_DropColumn;
}

/*
 * DROP of whole objects, or what DROP COLUMN takes along.  What DROP OWNED
 * takes away by then is not what it would take away now: it is to be sent when
 * the window has ended.
 */
static bool
drop_object(ZdmDeferral *deferral, const ZdmHazard *hazard)
{
	if (is_drop_column(deferral, hazard->node))
		return zdm_defer_drop_column(deferral, (AlterTableCmd *) hazard->node);
	if (IsA(deferral->ddl->stmt, DropStmt))
		return zdm_defer_drop(deferral, (DropStmt *) deferral->ddl->stmt);
	if (IsA(deferral->ddl->stmt, DropOwnedStmt))
		return false;
	(void) zdm_defer_statement(deferral, ZDM_PHASE_CONTRACT);
	return true;
}

/* REVOKE, policies, row security, owners; what a DROP takes away of these */
static bool
change_security(ZdmDeferral *deferral, const ZdmHazard *hazard)
{
	const char *note = "Clients of the old version keep what they may see and do until then.";
	ZdmPart    *part;

	if (IsA(deferral->ddl->stmt, DropStmt) || IsA(deferral->ddl->stmt, DropOwnedStmt) ||
		is_drop_column(deferral, hazard->node))
		return drop_object(deferral, hazard);
	if (IsA(deferral->ddl->stmt, ReassignOwnedStmt))
		return false;
	if (IsA(deferral->ddl->stmt, GrantStmt) &&
		((const GrantStmt *) deferral->ddl->stmt)->targtype == ACL_TARGET_ALL_IN_SCHEMA)
	{
		zdm_defer_revoke_in_schema(deferral, (const GrantStmt *) deferral->ddl->stmt,
								   note);
		return true;
	}
	if (deferral->plan->rel != NULL && IsA(hazard->node, AlterTableCmd))
		part = zdm_defer_action(deferral, ZDM_PHASE_CONTRACT, "%s",
								zdm_sql_action(deferral->ddl, hazard->node));
	else
		part = zdm_defer_statement(deferral, ZDM_PHASE_CONTRACT);
	part->note = note;
	return true;
}

const ZdmDeferrer zdm_object_deferrers[] = {
	{ZDM_RULE_DROP_TABLE, drop_object},
	{ZDM_RULE_DROP_SCHEMA_DATABASE, drop_object},
	{ZDM_RULE_DROP_OBJECT_IN_USE, drop_object},
	{ZDM_RULE_SECURITY_CHANGE, change_security},
	{ZDM_RULE_COUNT, NULL}
};
