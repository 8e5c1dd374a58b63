/*-------------------------------------------------------------------------
 *
 * key_plan.c
 *	  Plans for UNIQUE and PRIMARY KEY.
 *
 * The index is built first, without a lock that blocks.  A partitioned table
 * adopts what its partitions have, so there it is built for each that holds
 * rows.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "commands/defrem.h"
#include "plan/constraint_plan.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* WITH (...), or "" */
static char *
options_text(List *options)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, options)
	{
		DefElem    *option = lfirst(lc);

		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : " WITH (",
						 quote_qualified_identifier(option->defnamespace, option->defname));
		if (option->arg != NULL)
			appendStringInfo(&buf, " = %s", quote_literal_cstr(defGetString(option)));
	}
	if (buf.len > 0)
		appendStringInfoChar(&buf, ')');
	return buf.data;
}

/* What follows the table's name in CREATE UNIQUE INDEX */
static char *
index_text(const Constraint *con)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "(%s)", zdm_columns_text(con->keys));
	if (con->including != NIL)
		appendStringInfo(&buf, " INCLUDE (%s)", zdm_columns_text(con->including));
	if (con->nulls_not_distinct)
		appendStringInfoString(&buf, " NULLS NOT DISTINCT");
	appendStringInfoString(&buf, options_text(con->options));
	if (con->indexspace != NULL)
		appendStringInfo(&buf, " TABLESPACE %s", quote_identifier(con->indexspace));
	return buf.data;
}

/* The same as ADD UNIQUE and PRIMARY KEY have it */
static char *
key_text(const Constraint *con)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, con->contype == CONSTR_PRIMARY ? "PRIMARY KEY" : "UNIQUE");
	if (con->nulls_not_distinct)
		appendStringInfoString(&buf, " NULLS NOT DISTINCT");
	appendStringInfo(&buf, " (%s)", zdm_columns_text(con->keys));
	if (con->including != NIL)
		appendStringInfo(&buf, " INCLUDE (%s)", zdm_columns_text(con->including));
	appendStringInfoString(&buf, options_text(con->options));
	if (con->indexspace != NULL)
		appendStringInfo(&buf, " USING INDEX TABLESPACE %s", quote_identifier(con->indexspace));
	appendStringInfoString(&buf, zdm_deferrable_text(con));
	return buf.data;
}

char *
zdm_using_index_text(const Constraint *con, const char *name, const char *index)
{
	return psprintf("ADD CONSTRAINT %s %s USING INDEX %s%s", quote_identifier(name),
					con->contype == CONSTR_PRIMARY ? "PRIMARY KEY" : "UNIQUE",
					quote_identifier(index), zdm_deferrable_text(con));
}

ZdmStep *
zdm_plan_build_key(ZdmPlan *plan, const ZdmRel *rel, const char *name, const Constraint *con)
{
	return zdm_plan_step(plan, ZDM_PASS_KEY, "CREATE UNIQUE INDEX CONCURRENTLY %s ON %s %s",
						 quote_identifier(name), ddl_rel_qualified(rel), index_text(con));
}

/*
 * The columns of a primary key are NOT NULL, also those of children.  Where a
 * new column's definition says so itself, it comes with that.
 */
static bool
set_not_null(ZdmPlan *plan, ZdmPass pass, List *columns)
{
	ZdmDdl		scratch = *plan->ddl;
	ListCell   *lc;

	scratch.alter = castNode(AlterTableStmt, plan->ddl->stmt);
	foreach(lc, columns)
	{
		const char *column = strVal(lfirst(lc));
		ZdmCol	   *col = ddl_alter_col(&scratch, plan->rel, column, true);

		if (col != NULL && !col->not_null && !zdm_plan_not_null_in(plan, pass, column))
			return false;
	}
	return true;
}

/* Does the statement add a foreign key that references its own table? */
static bool
references_itself(const ZdmPlan *plan)
{
	ZdmDdl		scratch = *plan->ddl;
	ListCell   *lc;

	foreach(lc, castNode(AlterTableStmt, plan->ddl->stmt)->cmds)
	{
		const AlterTableCmd *cmd = lfirst(lc);
		List	   *constraints = NIL;
		ListCell   *lcon;

		if (cmd->subtype == AT_AddConstraint)
			constraints = list_make1(cmd->def);
		else if (cmd->subtype == AT_AddColumn)
			constraints = castNode(ColumnDef, cmd->def)->constraints;
		foreach(lcon, constraints)
		{
			const Constraint *con = lfirst_node(Constraint, lcon);
			ZdmRel	   *target = NULL;

			if (con->contype == CONSTR_FOREIGN)
				target = ddl_fk_target(&scratch, plan->rel, con);
			if (target != NULL && target->relid == plan->rel->relid)
				return true;
		}
	}
	return false;
}

/*
 * A key that a foreign key of the same statement can need is a step of its
 * own.  To take it back, what it made NOT NULL has to be known.
 */
static bool
use_index_now(ZdmPlan *plan, const Constraint *con, const char *name)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, con->contype == CONSTR_PRIMARY && !COMPAT_NOT_NULL_HAS_CONSTRAINT ?
			plan->not_null : NIL)
	{
		if (plan->rel->has_children)
			return false;		/* some may be NOT NULL already */
		appendStringInfo(&buf, "%s ALTER COLUMN %s SET NOT NULL; ", zdm_plan_alter(plan),
						 quote_identifier(lfirst(lc)));
	}
	zdm_plan_step(plan, ZDM_PASS_KEY, "%s%s %s", buf.data, zdm_plan_alter(plan),
				  zdm_using_index_text(con, name, name));
	return true;
}

/* As the statement has it */
static bool
add_plainly(ZdmPlan *plan, const Constraint *con, const char *name)
{
	zdm_plan_final(plan, "ADD CONSTRAINT %s %s", quote_identifier(name), key_text(con));
	return true;
}

/*
 * Does PostgreSQL refuse the primary key before it builds an index?  There is
 * one, or a NOT NULL is not valid.
 */
static bool
fails_at_once(const ZdmPlan *plan, List *columns)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		if (zdm_unvalidated_not_null(plan->rel, strVal(lfirst(lc))) != NULL)
			return true;
	}

	foreach(lc, ddl_rel_constraints(plan->rel))
	{
		const ZdmConstraint *con = lfirst(lc);

		if (con->contype == CONSTRAINT_PRIMARY && !zdm_plan_replaces(plan, con->name))
			return true;
	}
	return false;
}

/*
 * Has the table a constraint of the given name, which the statement does not
 * drop?  USING INDEX would find that out too late, and in other words.
 */
static bool
name_is_taken(const ZdmPlan *plan, const char *name)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_constraints(plan->rel))
	{
		if (strcmp(((const ZdmConstraint *) lfirst(lc))->name, name) == 0)
			return !zdm_plan_replaces(plan, name);
	}
	return false;
}

/*
 * From 18 on a primary key of a partition of its own makes the partition's
 * not-null constraints local, which they are not with that of the parent; and
 * ONLY a parent it has them inherit, though a step of their own could not.
 */
static bool
marks_not_null_local(const ZdmPlan *plan)
{
	if (!COMPAT_NOT_NULL_HAS_CONSTRAINT)
		return false;
	return plan->rel->relkind == RELKIND_PARTITIONED_TABLE || plan->rel->is_partition ||
		(plan->rel->has_children &&
		 !castNode(AlterTableStmt, plan->ddl->stmt)->relation->inh);
}

/*
 * Does PostgreSQL refuse the key of a partitioned table only when it comes to
 * a partition that is partitioned itself?  It may have built indexes by then:
 * so that partition is tried first.  False if it is another's.
 */
static bool
try_partitioned_partition(ZdmPlan *plan, const Constraint *con, bool *fails)
{
	Constraint	unnamed = *con;
	ListCell   *lc;

	unnamed.conname = NULL;
	foreach(lc, zdm_plan_tree(plan))
	{
		const ZdmRel *rel = lfirst(lc);

		if (!zdm_plan_lacks_partition_key(rel, con))
			continue;
		if (!zdm_plan_is_owned(rel))
			return false;
		*fails = true;
		zdm_plan_target(plan, rel);
		zdm_plan_after_columns(plan, "ALTER TABLE %s ADD CONSTRAINT %s %s", ddl_rel_qualified(rel),
							   quote_identifier(zdm_plan_name_constraint(plan, rel, &unnamed)),
							   key_text(con));
		break;
	}
	return true;
}

bool
zdm_plan_key(ZdmPlan *plan, const Constraint *con)
{
	bool		needed = references_itself(plan);
	const char *name = zdm_plan_name_constraint(plan, plan->rel, con);
	const char *made_as = name;
	bool		fails = false;

	if (compat_is_temporal_key(con) ||
		!zdm_plan_keeps_columns(plan, list_concat_copy(con->keys, con->including)))
		return false;
	if (plan->plain)
		return zdm_plan_plain_constraint(plan, ZDM_PASS_KEY, name, key_text(con));
	if ((con->contype == CONSTR_PRIMARY && fails_at_once(plan, con->keys)) ||
		(con->conname != NULL && name_is_taken(plan, con->conname)) ||
		zdm_plan_lacks_partition_key(plan->rel, con))
		return add_plainly(plan, con, name);
	if (!try_partitioned_partition(plan, con, &fails))
		return false;
	if (fails)
		return add_plainly(plan, con, name);
	if (con->contype == CONSTR_PRIMARY && marks_not_null_local(plan))
		return false;
	if (plan->rel->relkind == RELKIND_PARTITIONED_TABLE)
		return !needed &&
			(con->contype != CONSTR_PRIMARY || set_not_null(plan, ZDM_PASS_CHECK, con->keys)) &&
			zdm_plan_partition_keys(plan, con) && add_plainly(plan, con, name);

	if (zdm_plan_replaces(plan, name))
		made_as = zdm_plan_spare_name(plan, name, "new");
	if (needed && made_as != name)
		return false;
	zdm_plan_made_for(zdm_plan_build_key(plan, plan->rel, made_as, con), made_as, name);
	/* PostgreSQL finds duplicates first, NULLs then */
	if (con->contype == CONSTR_PRIMARY && !set_not_null(plan, ZDM_PASS_KEY, con->keys))
		return false;
	if (needed)
		return use_index_now(plan, con, name);
	zdm_plan_final(plan, "%s", zdm_using_index_text(con, name, made_as));
	return true;
}

/* ADD UNIQUE, ADD PRIMARY KEY */
bool
zdm_plan_add_key(ZdmPlan *plan, const ZdmHazard *hazard)
{
	return zdm_plan_key(plan, castNode(Constraint, hazard->node));
}

/* ADD PRIMARY KEY USING INDEX, on columns that are nullable */
bool
zdm_plan_primary_key_index(ZdmPlan *plan, const ZdmHazard *hazard)
{
	const Constraint *con = castNode(Constraint, hazard->node);
	ZdmDdl		scratch = *plan->ddl;
	RangeVar	rv = {.type = T_RangeVar};
	ZdmRel	   *index;
	List	   *columns;

	rv.schemaname = unconstify(char *, plan->rel->nspname);
	rv.relname = con->indexname;
	index = ddl_rel(&scratch, &rv, true);
	if (index == NULL)
		return false;
	columns = ddl_index_columns(plan->rel, index);
	if (!fails_at_once(plan, columns) && !set_not_null(plan, ZDM_PASS_CHECK, columns))
		return false;
	zdm_plan_final(plan, "%s", zdm_using_index_text(con, zdm_plan_name_constraint(plan, plan->rel, con),
													con->indexname));
	return true;
}
