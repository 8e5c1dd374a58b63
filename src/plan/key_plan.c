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
#include "commands/defrem.h"
#include "plan/constraint_plan.h"
#include "utils/builtins.h"

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

static char *
using_index_text(const Constraint *con, const char *name, const char *index)
{
	return psprintf("ADD CONSTRAINT %s %s USING INDEX %s%s", quote_identifier(name),
					con->contype == CONSTR_PRIMARY ? "PRIMARY KEY" : "UNIQUE",
					quote_identifier(index), zdm_deferrable_text(con));
}

/* The name that PostgreSQL would choose */
static char *
key_name(ZdmPlan *plan, const ZdmRel *rel, const Constraint *con)
{
	if (con->contype == CONSTR_PRIMARY)
		return zdm_plan_choose_name(plan, rel, NULL, "pkey");
	return zdm_plan_choose_name(plan, rel,
								zdm_columns_in_name(list_concat_copy(con->keys, con->including)),
								"key");
}

static void
build_index(ZdmPlan *plan, const ZdmRel *rel, const char *name, const Constraint *con)
{
	zdm_plan_step(plan, ZDM_PASS_KEY, "CREATE UNIQUE INDEX CONCURRENTLY %s ON %s %s",
				  quote_identifier(name), ddl_rel_qualified(rel), index_text(con));
}

/* Does another command see to it that the column is NOT NULL? */
static bool
is_set_not_null_elsewhere(const ZdmPlan *plan, const char *column)
{
	ListCell   *lc;

	foreach(lc, castNode(AlterTableStmt, plan->ddl->stmt)->cmds)
	{
		const AlterTableCmd *cmd = lfirst(lc);

		if (cmd->subtype == AT_SetNotNull && strcmp(cmd->name, column) == 0)
			return true;
	}
	return false;
}

/* The columns of a primary key are NOT NULL, also those of children. */
static bool
set_not_null(ZdmPlan *plan, List *columns)
{
	ZdmDdl		scratch = *plan->ddl;
	ListCell   *lc;

	foreach(lc, columns)
	{
		const char *column = strVal(lfirst(lc));
		ZdmCol	   *col = ddl_col(&scratch, plan->rel, column, true);

		if (col != NULL && !col->not_null && !is_set_not_null_elsewhere(plan, column) &&
			!zdm_plan_not_null(plan, column))
			return false;
	}
	return true;
}

/* Indexes of the partitions, which the key of the partitioned table adopts */
static bool
add_partitioned_key(ZdmPlan *plan, const Constraint *con)
{
	ListCell   *lc;

	foreach(lc, zdm_plan_tree(plan))
	{
		ZdmRel	   *leaf = lfirst(lc);
		char	   *name;

		if (leaf->relkind == RELKIND_PARTITIONED_TABLE)
			continue;
		if (leaf->relkind == RELKIND_FOREIGN_TABLE)
			return false;		/* has no keys; let PostgreSQL say so */
		name = key_name(plan, leaf, con);
		zdm_plan_target(plan, leaf);
		build_index(plan, leaf, name, con);
		zdm_plan_before_final(plan, "ALTER TABLE %s %s", ddl_rel_qualified(leaf),
							  using_index_text(con, name, name));
	}
	if (con->conname != NULL)
		zdm_plan_final(plan, "ADD CONSTRAINT %s %s", quote_identifier(con->conname),
					   key_text(con));
	else
		zdm_plan_final(plan, "ADD %s", key_text(con));
	return true;
}

bool
zdm_plan_key(ZdmPlan *plan, const Constraint *con)
{
	const char *name = con->conname;
	const char *made_as;

	if (!zdm_plan_keeps_columns(plan, list_concat_copy(con->keys, con->including)))
		return false;
	if (con->contype == CONSTR_PRIMARY && !set_not_null(plan, con->keys))
		return false;
	if (plan->rel->relkind == RELKIND_PARTITIONED_TABLE)
		return add_partitioned_key(plan, con);

	if (name == NULL)
		name = key_name(plan, plan->rel, con);
	(void) zdm_plan_replaces(plan, name, NULL, "key", &made_as);
	build_index(plan, plan->rel, made_as, con);
	zdm_plan_final(plan, "%s", using_index_text(con, name, made_as));
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

	rv.schemaname = unconstify(char *, plan->rel->nspname);
	rv.relname = con->indexname;
	index = ddl_rel(&scratch, &rv, true);
	if (index == NULL || !set_not_null(plan, ddl_index_columns(plan->rel, index)))
		return false;
	zdm_plan_final(plan, "%s", using_index_text(con, con->conname ? con->conname : con->indexname,
												con->indexname));
	return true;
}
