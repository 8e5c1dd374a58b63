/*-------------------------------------------------------------------------
 *
 * column_defer.c
 *	  What of a statement about columns waits for the end of the window.
 *
 * A column that is to be dropped stays for the old version.  The new one does
 * not know it: neither its NOT NULL nor a constraint of it alone may stand in
 * the way of what that version writes.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "plan/advice.h"
#include "plan/drop_defer.h"
#include "plan/undo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* What is taken from the column now, and how it is given back */
typedef struct Relaxed
{
	StringInfoData actions;		/* of ALTER TABLE */
	StringInfoData undo;
	StringInfoData names;		/* of constraints, for people */
} Relaxed;

static bool
is_in_primary_key(ZdmRel *rel, AttrNumber attnum)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_indexes(rel))
	{
		const ZdmIndex *index = lfirst(lc);

		for (int i = 0; index->is_primary && i < index->nkeyatts; i++)
		{
			if (index->attnums[i] == attnum)
				return true;
		}
	}
	return false;
}

/* Does the domain, or one that it is over, reject NULL? */
static bool
domain_rejects_null(Oid typid)
{
	while (get_typtype(typid) == TYPTYPE_DOMAIN)
	{
		HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(typid));
		Form_pg_type form;
		bool		not_null;

		if (!HeapTupleIsValid(tuple))
			return false;
		form = (Form_pg_type) GETSTRUCT(tuple);
		not_null = form->typnotnull;
		typid = form->typbasetype;
		ReleaseSysCache(tuple);
		if (not_null)
			return true;
	}
	return false;
}

static void
append_action(StringInfo buf, const char *action)
{
	appendStringInfo(buf, "%s%s", buf->len > 0 ? ", " : "", action);
}

/* Take a constraint away until it goes with the column. */
static void
relax_constraint(Relaxed *relaxed, const ZdmConstraint *con)
{
	const char *name = quote_identifier(con->name);

	append_action(&relaxed->actions, psprintf("DROP CONSTRAINT %s", name));
	append_action(&relaxed->undo, psprintf("ADD CONSTRAINT %s %s", name,
										   zdm_constraint_definition(con->oid)));
	appendStringInfo(&relaxed->names, "%s\"%s\"", relaxed->names.len > 0 ? ", " : "", con->name);
}

/*
 * Does the foreign key stand in the way of deletes in the referenced table, or
 * would it have them take rows of this one along, which the new version keeps?
 */
static bool
is_in_the_way(const ZdmConstraint *con)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(con->oid));
	Form_pg_constraint form;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	result = !OidIsValid(form->conparentid) && form->coninhcount == 0 &&
		form->confdeltype != FKCONSTR_ACTION_SETNULL &&
		form->confdeltype != FKCONSTR_ACTION_SETDEFAULT;
	ReleaseSysCache(tuple);
	return result;
}

/*
 * Constraints of this column alone; those of others too are a hazard of their
 * own.  A CHECK that keeps NULL out rejects each row of the new version.
 */
static void
relax_constraints(Relaxed *relaxed, ZdmRel *rel, const ZdmCol *col, bool rejects_null)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_constraints(rel))
	{
		const ZdmConstraint *con = lfirst(lc);

		if (con->nkeys != 1 || con->conkey[0] != col->attnum || con->is_inherited)
			continue;
		if ((con->contype == CONSTRAINT_CHECK && rejects_null) ||
			(con->contype == CONSTRAINT_FOREIGN && is_in_the_way(con)))
			relax_constraint(relaxed, con);
	}
}

/*
 * Let the new version leave the column out.  False if that cannot be: a key
 * needs its value.
 */
static bool
relax(ZdmDeferral *deferral, Relaxed *relaxed, ZdmRel *rel, const ZdmCol *col)
{
	ZdmDdl		scratch = *deferral->ddl;
	ZdmCol		nullable = *col;
	bool		fills_itself = col->has_default || get_typdefault(col->typid) != NULL;
	char	   *undo_not_null = zdm_undo_drop_not_null(rel, col->name);

	initStringInfo(&relaxed->actions);
	initStringInfo(&relaxed->undo);
	initStringInfo(&relaxed->names);
	if (!fills_itself && (is_in_primary_key(rel, col->attnum) || domain_rejects_null(col->typid)))
		return false;
	if (!fills_itself && undo_not_null != NULL)
	{
		append_action(&relaxed->actions, psprintf("ALTER COLUMN %s DROP NOT NULL",
												  quote_identifier(col->name)));
		append_action(&relaxed->undo, undo_not_null);
	}
	nullable.not_null = false;
	relax_constraints(relaxed, rel, col,
					  !fills_itself && ddl_col_rejects_null(&scratch, rel, &nullable));
	return true;
}

/* The column, in the table and in its children */
static List *
addresses_of(ZdmDeferral *deferral, ZdmRel *rel, const char *column)
{
	ZdmDdl		scratch = *deferral->ddl;
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, ddl_rel_tree(&scratch, rel))
	{
		ZdmRel	   *member = lfirst(lc);
		AttrNumber	attnum = get_attnum(member->relid, column);
		ObjectAddress *address;

		if (attnum <= 0)
			continue;
		address = palloc(sizeof(ObjectAddress));
		ObjectAddressSubSet(*address, RelationRelationId, member->relid, attnum);
		result = lappend(result, address);
	}
	return result;
}

bool
zdm_defer_drop_column(ZdmDeferral *deferral, const AlterTableCmd *cmd)
{
	ZdmDdl		scratch = *deferral->ddl;
	ZdmRel	   *rel = deferral->plan->rel;
	ZdmCol	   *col = ddl_col(&scratch, rel, cmd->name, true);
	bool		cascade = cmd->behavior == DROP_CASCADE;
	List	   *dependents;
	Relaxed		relaxed;
	ZdmPart    *part;
	char	   *also;

	if (col == NULL || col->attnum == 0 || !OidIsValid(rel->relid))
		return false;
	dependents = zdm_defer_dependents(deferral, addresses_of(deferral, rel, col->name), cascade);
	if (!relax(deferral, &relaxed, rel, col))
		return false;
	if (relaxed.actions.len > 0)
	{
		part = zdm_defer_action(deferral, ZDM_PHASE_EXPAND, "%s", relaxed.actions.data);
		part->undo_sql = psprintf("%s %s", zdm_plan_alter(deferral->plan), relaxed.undo.data);
		part->note = psprintf("Clients that do not know column \"%s\" any more can write without it%s%s%s.",
							  col->name, relaxed.names.len > 0 ? "; what would be in their way is gone: " : "",
							  relaxed.names.len > 0 ? "constraint " : "", relaxed.names.data);
	}
	part = zdm_defer_action(deferral, ZDM_PHASE_CONTRACT, "DROP COLUMN %s%s%s",
							cmd->missing_ok ? "IF EXISTS " : "", quote_identifier(col->name),
							cascade ? " CASCADE" : "");
	zdm_defer_claim(part, "drop", "column", NULL, rel->relid, pstrdup(col->name));
	also = zdm_defer_cascade(part, dependents);
	part->note = psprintf("Clients of the old version may go on using column \"%s\" until then%s%s.",
						  col->name, also ? "; CASCADE takes along " : "", also ? also : "");
	return true;
}

/* DROP COLUMN, also as what CASCADE of another statement reaches */
static bool
drop_column(ZdmDeferral *deferral, const ZdmHazard *hazard)
{
	if (IsA(hazard->node, AlterTableCmd) && deferral->plan->rel != NULL &&
		((AlterTableCmd *) hazard->node)->subtype == AT_DropColumn)
		return zdm_defer_drop_column(deferral, (AlterTableCmd *) hazard->node);
	if (IsA(hazard->node, DropStmt))
		return zdm_defer_drop(deferral, (DropStmt *) hazard->node);
	(void) zdm_defer_statement(deferral, ZDM_PHASE_CONTRACT);
	return true;
}

/* DROP DEFAULT, DROP IDENTITY, DROP EXPRESSION of a column that must have a value */
static bool
drop_default(ZdmDeferral *deferral, const ZdmHazard *hazard)
{
	const AlterTableCmd *cmd;
	ZdmPart    *part;

	if (IsA(hazard->node, DropStmt))
		return zdm_defer_drop(deferral, (DropStmt *) hazard->node);
	if (!IsA(hazard->node, AlterTableCmd) || deferral->plan->rel == NULL)
		return false;
	cmd = (const AlterTableCmd *) hazard->node;
	if (cmd->subtype == AT_DropColumn)
		return zdm_defer_drop_column(deferral, cmd);
	part = zdm_defer_action(deferral, ZDM_PHASE_CONTRACT, "%s",
							zdm_sql_action(deferral->ddl, hazard->node));
	zdm_defer_claim(part, "change", "column", NULL, deferral->plan->rel->relid,
					pstrdup(cmd->name));
	part->note = psprintf("Rows that clients of the old version insert get a value in column \"%s\" until then.",
						  cmd->name);
	return true;
}

const ZdmDeferrer zdm_column_deferrers[] = {
	{ZDM_RULE_DROP_COLUMN, drop_column},
	{ZDM_RULE_DROP_DEFAULT_ON_REQUIRED_COLUMN, drop_default},
	{ZDM_RULE_COUNT, NULL}
};
