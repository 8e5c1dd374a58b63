/*-------------------------------------------------------------------------
 *
 * constraint_defer.c
 *	  What of a statement that drops a constraint or an index, or detaches a
 *	  partition, waits for the end of the window.
 *
 * Constraints that are added wait as they are; verify.c tells the rows in
 * their way.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "parser/parser.h"
#include "plan/advice.h"
#include "plan/drop_defer.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/*
 * A key that clients name in ON CONFLICT, or plan with, stays until the end.
 * Its name is not free before that.
 */
static bool
drop_constraint(ZdmDeferral *deferral, const ZdmHazard *hazard)
{
	ZdmRel	   *rel = deferral->plan->rel;
	const AlterTableCmd *cmd;
	const ZdmConstraint *con;
	ObjectAddress address;
	List	   *dependents;
	ZdmPart    *part;
	char	   *also;

	if (rel == NULL || !IsA(hazard->node, AlterTableCmd))
		return false;
	cmd = (const AlterTableCmd *) hazard->node;
	con = ddl_constraint(rel, cmd->name);
	if (con == NULL)
		return false;
	ObjectAddressSet(address, ConstraintRelationId, con->oid);
	dependents = zdm_defer_dependents(deferral, list_make1(&address),
									  cmd->behavior == DROP_CASCADE);

	part = zdm_defer_action(deferral, ZDM_PHASE_CONTRACT, "DROP CONSTRAINT %s%s%s",
							cmd->missing_ok ? "IF EXISTS " : "", quote_identifier(con->name),
							cmd->behavior == DROP_CASCADE ? " CASCADE" : "");
	zdm_defer_claim(part, "drop", "constraint", NULL, rel->relid, con->name);
	if (OidIsValid(con->conindid))
		zdm_defer_claim(part, "drop", "relation", rel->nspname, con->conindid,
						get_rel_name(con->conindid));
	also = zdm_defer_cascade(part, dependents);
	part->note = psprintf("Clients of the old version may rely on it; until then it holds for what the new version writes, too%s%s.",
						  also ? "; CASCADE takes along " : "", also ? also : "");
	return true;
}

/* Is a constraint that the statement adds deferred? */
static bool
adds_later(const ZdmDeferral *deferral)
{
	ListCell   *lc;

	foreach(lc, deferral->judgements)
	{
		const ZdmJudgement *judgement = lfirst(lc);

		if (judgement->verdict == ZDM_VERDICT_DEFER && judgement->hazard->node != NULL &&
			IsA(judgement->hazard->node, Constraint))
			return true;
	}
	return false;
}

void
zdm_defer_note_going(ZdmDeferral *deferral)
{
	ZdmPlan    *plan = deferral->plan;
	ListCell   *lc;

	foreach(lc, adds_later(deferral) ? ddl_rel_constraints(plan->rel) : NIL)
	{
		if (ddl_constraint_is_going(deferral->ddl, lfirst(lc)))
			plan->dropped = list_append_unique_ptr(plan->dropped, lfirst(lc));
	}
}

/* Does the statement drop it, or a column of it, when the window ends? */
static bool
is_dropped_later(const ZdmDeferral *deferral, const ZdmConstraint *con)
{
	ListCell   *lc;

	foreach(lc, deferral->judgements)
	{
		const ZdmJudgement *judgement = lfirst(lc);
		const AlterTableCmd *cmd = (const AlterTableCmd *) judgement->hazard->node;

		if (judgement->verdict != ZDM_VERDICT_DEFER || cmd == NULL || !IsA(cmd, AlterTableCmd))
			continue;
		if (cmd->subtype == AT_DropConstraint && strcmp(cmd->name, con->name) == 0)
			return true;
		if (cmd->subtype == AT_DropColumn &&
			bms_is_member(get_attnum(con->conrelid, cmd->name), ddl_constraint_columns(con)))
			return true;
	}
	return false;
}

/* A table has one primary key, and no two constraints of a name. */
bool
zdm_defer_awaits_drop(const ZdmDeferral *deferral, const Constraint *con)
{
	const ZdmConstraint *going = ddl_going_primary_key(deferral->ddl, deferral->plan->rel);
	ListCell   *lc;

	if (going != NULL && con->contype == CONSTR_PRIMARY)
		return true;
	foreach(lc, deferral->plan->dropped)
	{
		const ZdmConstraint *old = lfirst(lc);

		if (old->conrelid != deferral->plan->rel->relid || !is_dropped_later(deferral, old))
			continue;
		if ((old->contype == CONSTRAINT_PRIMARY && con->contype == CONSTR_PRIMARY) ||
			(con->conname != NULL && strcmp(con->conname, old->name) == 0))
			return true;
	}
	return false;
}

/* A name that no relation in the index's schema has */
static char *
spare_name(const ZdmRel *index)
{
	Oid			nspoid = get_namespace_oid(index->nspname, false);
	char		label[NAMEDATALEN] = "dropped";
	char	   *name;

	for (int pass = 1;; pass++)
	{
		CHECK_FOR_INTERRUPTS();
		name = makeObjectName(index->relname, NULL, label);
		if (!OidIsValid(get_relname_relid(name, nspoid)))
			return name;
		snprintf(label, sizeof(label), "dropped%d", pass);
	}
}

/* DROP INDEX may name one twice. */
static bool
is_listed(List *objects, Oid relid)
{
	ListCell   *lc;

	foreach(lc, objects)
	{
		if (((const ObjectAddress *) lfirst(lc))->objectId == relid)
			return true;
	}
	return false;
}

/* Give the index another name, which is returned. */
static char *
put_aside(ZdmDeferral *deferral, const ZdmRel *index)
{
	char	   *name = spare_name(index);
	ZdmPart    *part;

	part = zdm_defer_part(deferral, ZDM_PHASE_EXPAND, "ALTER INDEX %s RENAME TO %s",
						  ddl_rel_qualified(index), quote_identifier(name));
	part->undo_sql = psprintf("ALTER INDEX IF EXISTS %s RENAME TO %s",
							  quote_qualified_identifier(index->nspname, name),
							  quote_identifier(index->relname));
	part->note = "The index stays in use; its name is free.";
	return name;
}

/*
 * DROP INDEX: queries use an index whatever its name is, so that a migration
 * which makes one anew finds the name free.
 */
bool
zdm_defer_drop_index(ZdmDeferral *deferral, ZdmPhase phase)
{
	const DropStmt *stmt = castNode(DropStmt, deferral->ddl->stmt);
	ZdmDdl		scratch = *deferral->ddl;
	List	   *objects = NIL;
	List	   *indexes = NIL;
	List	   *aside = NIL;
	List	   *dependents;
	StringInfoData names;
	ZdmPart    *part;
	char	   *also;
	ListCell   *lc;

	foreach(lc, stmt->objects)
	{
		ZdmRel	   *index = ddl_rel_by_names(&scratch, lfirst_node(List, lc), true);
		ObjectAddress *address = palloc(sizeof(ObjectAddress));

		if (index == NULL ||	/* IF EXISTS */
			is_listed(objects, index->relid))
			continue;
		ObjectAddressSet(*address, RelationRelationId, index->relid);
		objects = lappend(objects, address);
		indexes = lappend(indexes, index);
	}
	dependents = zdm_defer_dependents(deferral, objects, stmt->behavior == DROP_CASCADE);

	initStringInfo(&names);
	foreach(lc, indexes)
	{
		ZdmRel	   *index = lfirst(lc);
		char	   *name = put_aside(deferral, index);

		if (deferral->plan->rel == NULL)
			deferral->plan->rel = ddl_index_table(&scratch, index);
		aside = lappend(aside, name);
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
						 quote_qualified_identifier(index->nspname, name));
	}
	if (indexes == NIL)
		return false;
	part = zdm_defer_part(deferral, phase, "DROP INDEX %s%s%s%s",
						  stmt->concurrent ? "CONCURRENTLY " : "",
						  stmt->missing_ok ? "IF EXISTS " : "", names.data,
						  stmt->behavior == DROP_CASCADE ? " CASCADE" : "");
	foreach(lc, indexes)
	{
		const ZdmRel *index = lfirst(lc);

		zdm_defer_claim(part, "drop", "relation", index->nspname, index->relid,
						list_nth(aside, foreach_current_index(lc)));
	}
	also = zdm_defer_cascade(part, dependents);
	if (phase == ZDM_PHASE_CONTRACT)
		part->note = psprintf("Clients of the old version may rely on it until then%s%s.",
							  also ? "; CASCADE takes along " : "", also ? also : "");
	return true;
}

static bool
drop_index(ZdmDeferral *deferral, const ZdmHazard *hazard)
{
	return zdm_defer_drop_index(deferral, ZDM_PHASE_CONTRACT);
}

/* DETACH PARTITION and NO INHERIT, whose other table is named with its schema */
static bool
detach(ZdmDeferral *deferral, const ZdmHazard *hazard)
{
	ZdmDdl		scratch = *deferral->ddl;
	const AlterTableCmd *cmd;
	ZdmRel	   *other;
	ZdmPart    *part;

	if (deferral->plan->rel == NULL || !IsA(hazard->node, AlterTableCmd))
		return false;
	cmd = (const AlterTableCmd *) hazard->node;
	if (cmd->subtype == AT_DropInherit)
	{
		other = ddl_rel(&scratch, (RangeVar *) cmd->def, true);
		if (other == NULL)
			return false;
		zdm_plan_target(deferral->plan, other);
		part = zdm_defer_action(deferral, ZDM_PHASE_CONTRACT, "NO INHERIT %s",
								ddl_rel_qualified(other));
		other = deferral->plan->rel;
	}
	else
	{
		other = ddl_rel(&scratch, castNode(PartitionCmd, cmd->def)->name, true);
		if (other == NULL)
			return false;
		zdm_plan_target(deferral->plan, other);
		part = zdm_defer_action(deferral, ZDM_PHASE_CONTRACT, "DETACH PARTITION %s%s",
								ddl_rel_qualified(other),
								castNode(PartitionCmd, cmd->def)->concurrent ? " CONCURRENTLY" : "");
	}
	zdm_defer_claim(part, "change", "relation", other->nspname, other->relid, other->relname);
	part->note = psprintf("Clients of both versions find the rows of %s in its parent until then.",
						  ddl_rel_describe(other));
	return true;
}

/* The partition is named with its schema, and has to be that one by then. */
bool
zdm_defer_attach(ZdmDeferral *deferral, const AlterTableCmd *cmd, const char *action)
{
	ZdmDdl		scratch = *deferral->ddl;
	ZdmRel	   *partition = ddl_rel(&scratch, castNode(PartitionCmd, cmd->def)->name, true);
	char	   *sql = psprintf("%s %s", zdm_plan_alter(deferral->plan), action);
	const AlterTableStmt *stmt = castNode(AlterTableStmt,
										  linitial_node(RawStmt, raw_parser(sql, RAW_PARSE_DEFAULT))->stmt);
	const RangeVar *rv = castNode(PartitionCmd, linitial_node(AlterTableCmd, stmt->cmds)->def)->name;

	if (partition == NULL)
		return false;
	zdm_plan_target(deferral->plan, partition);
	if (rv->schemaname == NULL)
		sql = psprintf("%.*s%s.%s", rv->location, sql, quote_identifier(partition->nspname),
					   sql + rv->location);
	(void) zdm_defer_part(deferral, ZDM_PHASE_MIGRATE, "%s", sql);
	return true;
}

const ZdmDeferrer zdm_constraint_deferrers[] = {
	{ZDM_RULE_DROP_CONSTRAINT, drop_constraint},
	{ZDM_RULE_DROP_INDEX_IN_WINDOW, drop_index},
	{ZDM_RULE_DETACH_PARTITION_IN_WINDOW, detach},
	{ZDM_RULE_COUNT, NULL}
};
