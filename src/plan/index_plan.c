/*-------------------------------------------------------------------------
 *
 * index_plan.c
 *	  Plans of CREATE INDEX and DROP INDEX.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "parser/parse_target.h"
#include "plan/advice.h"
#include "plan/index_plan.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

static bool
is_listed(List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

/* As ChooseIndexColumnNames(): each is numbered until it is the first. */
static List *
column_names(const IndexStmt *stmt)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, list_concat_copy(stmt->indexParams, stmt->indexIncludingParams))
	{
		const IndexElem *elem = lfirst_node(IndexElem, lc);
		const char *name = elem->indexcolname ? elem->indexcolname :
			elem->name ? elem->name : FigureIndexColname(elem->expr);
		char	   *numbered;

		if (name == NULL)
			name = "expr";
		numbered = pstrdup(name);
		for (int i = 1; is_listed(result, numbered); i++)
		{
			char	   *number = psprintf("%d", i);
			int			length = pg_mbcliplen(name, strlen(name),
											  NAMEDATALEN - 1 - strlen(number));

			numbered = psprintf("%.*s%s", length, name, number);
		}
		result = lappend(result, numbered);
	}
	return result;
}

/*
 * Take a CREATE INDEX apart.  False if the text is not that of the statement,
 * as when C code handed in a parse tree that was not made from it.
 */
bool
zdm_new_index(ZdmNewIndex *made, const IndexStmt *stmt, const char *sql)
{
	if (stmt->transformed || stmt->excludeOpNames != NIL || stmt->isconstraint)
		return false;
	memset(made, 0, sizeof(ZdmNewIndex));
	made->stmt = stmt;
	made->definition = zdm_sql_index_definition(sql);
	if (made->definition[0] != '(' && pg_strncasecmp(made->definition, "using", 5) != 0)
		return false;
	made->columns = column_names(stmt);
	return true;
}

/* As ChooseIndexNameAddition() */
static char *
name_addition(List *columns)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, columns)
	{
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? "_" : "", (char *) lfirst(lc));
		if (buf.len >= NAMEDATALEN)
			break;
	}
	return buf.data;
}

/*
 * The name that PostgreSQL chooses for such an index of the relation, after
 * those that were chosen before.
 */
char *
zdm_new_index_name(ZdmNewIndex *made, const ZdmRel *rel)
{
	Oid			nspoid = get_namespace_oid(rel->nspname, true);
	char	   *addition = name_addition(made->columns);
	char		label[NAMEDATALEN] = "idx";
	char	   *name;
	char	   *qualified;

	for (int pass = 1;; pass++)
	{
		name = makeObjectName(rel->relname, addition, label);
		qualified = quote_qualified_identifier(rel->nspname, name);
		if (!OidIsValid(get_relname_relid(name, nspoid)) &&
			!is_listed(made->taken, qualified))
			break;
		snprintf(label, sizeof(label), "idx%d", pass);
	}
	made->taken = lappend(made->taken, qualified);
	return name;
}

/* options go before the index's name, only before the table's: "" or with a blank */
char *
zdm_new_index_sql(const ZdmNewIndex *made, const char *options, const char *name,
				  const char *only, const ZdmRel *rel)
{
	return psprintf("CREATE %sINDEX %s%s ON %s%s %s",
					made->stmt->unique ? "UNIQUE " : "", options,
					quote_identifier(name), only, ddl_rel_qualified(rel),
					made->definition);
}

static bool
create_index(ZdmPlan *plan, const ZdmHazard *hazard)
{
	const IndexStmt *stmt = castNode(IndexStmt, hazard->node);
	ZdmNewIndex made;
	const char *name;

	if (plan->ddl->stmt != hazard->node || stmt->concurrent ||
		!zdm_new_index(&made, stmt, plan->ddl->sql))
		return false;
	made.taken = list_copy(plan->ddl->reserved);
	zdm_plan_target(plan, hazard->rel);
	if (hazard->rel->relkind == RELKIND_PARTITIONED_TABLE)
		return zdm_plan_partitioned_index(plan, &made, hazard->rel);

	name = stmt->idxname ? stmt->idxname : zdm_new_index_name(&made, hazard->rel);
	(void) zdm_plan_step(plan, ZDM_PASS_KEY, "%s",
						 zdm_new_index_sql(&made, stmt->if_not_exists ?
										   "CONCURRENTLY IF NOT EXISTS " : "CONCURRENTLY ",
										   name, "", hazard->rel));
	return true;
}

/*
 * IF NOT EXISTS promises an index of that name, and leaves its definition to
 * what is there; so what an earlier build has left behind is rebuilt as it is.
 * If that fails it is there as before.
 */
static bool
invalid_index(ZdmPlan *plan, const ZdmHazard *hazard)
{
	const IndexStmt *stmt = castNode(IndexStmt, hazard->node);
	ZdmDdl		scratch = *plan->ddl;
	List	   *names = list_make2(makeString(unconstify(char *, hazard->rel->nspname)),
								   makeString(stmt->idxname));
	ZdmRel	   *index = ddl_rel_by_names(&scratch, names, true);
	ZdmRel	   *table;

	if (plan->ddl->stmt != hazard->node || index == NULL || !OidIsValid(index->relid))
		return false;
	table = ddl_index_table(&scratch, index);
	if (table == NULL || table->relid != hazard->rel->relid || index->is_partition)
		return false;
	zdm_plan_target(plan, table);
	zdm_plan_target(plan, index);
	if (index->relkind == RELKIND_PARTITIONED_INDEX)
		return zdm_plan_partitioned_leftover(plan, index, table);
	if (ddl_index(index->relid)->is_exclusion)
		return false;
	(void) zdm_plan_step(plan, ZDM_PASS_KEY, "REINDEX INDEX CONCURRENTLY %s",
						 ddl_rel_qualified(index));
	return true;
}

/* The names of a DROP INDEX, with their schemas where they exist. */
static char *
dropped_names(ZdmPlan *plan, const DropStmt *stmt)
{
	ZdmDdl		scratch = *plan->ddl;
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, stmt->objects)
	{
		ZdmRel	   *index = ddl_rel_by_names(&scratch, lfirst_node(List, lc), true);
		ZdmRel	   *table;

		if (buf.len > 0)
			appendStringInfoString(&buf, ", ");
		if (index == NULL)
		{
			appendStringInfoString(&buf, NameListToQuotedString(lfirst_node(List, lc)));
			continue;
		}
		appendStringInfoString(&buf, ddl_rel_qualified(index));
		zdm_plan_target(plan, index);
		table = ddl_index_table(&scratch, index);
		if (table != NULL)
			zdm_plan_target(plan, table);
	}
	return buf.data;
}

/*
 * Of several indexes all go or none, which CONCURRENTLY, one at a time, cannot
 * promise.  To drop them takes but a moment under the lock budget.  Inside a
 * transaction block the locks would last: there the advice is CONCURRENTLY.
 */
static bool
drop_index(ZdmPlan *plan, const ZdmHazard *hazard)
{
	const DropStmt *stmt = castNode(DropStmt, hazard->node);
	bool		several = list_length(stmt->objects) > 1;

	if (plan->ddl->stmt != hazard->node || stmt->concurrent ||
		stmt->behavior == DROP_CASCADE || (several && plan->ddl->in_block))
		return false;
	(void) zdm_plan_step(plan, ZDM_PASS_KEY, "DROP INDEX %s%s%s",
						 several ? "" : "CONCURRENTLY ",
						 stmt->missing_ok ? "IF EXISTS " : "",
						 dropped_names(plan, stmt));
	return true;
}

const ZdmPlanner zdm_index_planners[] = {
	{ZDM_RULE_CREATE_INDEX, create_index},
	{ZDM_RULE_INVALID_INDEX, invalid_index},
	{ZDM_RULE_DROP_INDEX, drop_index},
	{ZDM_RULE_REINDEX, zdm_plan_reindex},
	{ZDM_RULE_REFRESH_MATERIALIZED_VIEW, zdm_plan_refresh},
	{ZDM_RULE_DETACH_PARTITION, zdm_plan_detach},
	{ZDM_RULE_COUNT, NULL}
};
