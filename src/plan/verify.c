/*-------------------------------------------------------------------------
 *
 * verify.c
 *	  The query for the rows that are in the way of a deferred part, or of
 *	  what undoes one: those that break a constraint still to be added.
 *
 * It is made of that very SQL, so it tells what that will meet.  NULL is
 * a NULL of the column as the server's constraints see it, not a row of NULLs.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "parser/parse_type.h"
#include "plan/advice.h"
#include "plan/constraint_plan.h"
#include "plan/defer.h"
#include "plan/domain_verify.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* One constraint and the table that it is of */
typedef struct Verify
{
	ZdmDdl	   *ddl;			/* of the part's statement */
	ZdmRel	   *rel;
	bool		inh;			/* not ONLY the table */
} Verify;

/* What to read: constraints that children do not inherit concern one table. */
static char *
from_text(const Verify *verify, bool inherited)
{
	bool		tree = verify->rel->relkind == RELKIND_PARTITIONED_TABLE ||
		(inherited && verify->inh);

	return psprintf("%s%s", tree || !verify->rel->has_children ? "" : "ONLY ",
					ddl_rel_qualified(verify->rel));
}

/* "a IS NULL AND b IS NULL", of columns (String) after a prefix */
static char *
null_tests(List *columns, const char *prefix, const char *test, const char *conjunction)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, columns)
		appendStringInfo(&buf, "%s%s%s %s", buf.len > 0 ? conjunction : "", prefix,
						 quote_identifier(strVal(lfirst(lc))), test);
	return buf.data;
}

/* Of a composite type IS NULL looks into the value. */
static bool
is_composite(const Verify *verify, const char *column)
{
	ZdmCol	   *col = ddl_col(verify->ddl, verify->rel, column, true);

	return col != NULL && OidIsValid(col->typid) && type_is_rowtype(col->typid);
}

static char *
verify_not_null(const Verify *verify, const char *column)
{
	return psprintf("SELECT * FROM %s WHERE %s %s", from_text(verify, true),
					quote_identifier(column),
					is_composite(verify, column) ? "IS NOT DISTINCT FROM NULL" : "IS NULL");
}

static char *
verify_check(const Verify *verify, const Constraint *con, Node *cmd)
{
	char	   *expression = zdm_sql_parenthesis(zdm_sql_action(verify->ddl, cmd), "check");

	if (expression == NULL)
		return NULL;
	return psprintf("SELECT * FROM %s WHERE NOT %s", from_text(verify, !con->is_no_inherit),
					expression);
}

/* Keys that come more than once, and for a primary key those with a NULL */
static char *
verify_key(const Verify *verify, const Constraint *con)
{
	char	   *columns = zdm_columns_text(con->keys);
	char	   *from = from_text(verify, false);

	if (con->keys == NIL || compat_is_temporal_key(con))
		return NULL;
	if (con->contype == CONSTR_PRIMARY)
		return psprintf("SELECT %s, pg_catalog.count(*) FROM %s GROUP BY %s HAVING pg_catalog.count(*) > 1 OR %s",
						columns, from, columns,
						null_tests(con->keys, "", "IS NULL", " OR "));
	return psprintf("SELECT %s, pg_catalog.count(*) FROM %s%s%s GROUP BY %s HAVING pg_catalog.count(*) > 1",
					columns, from, con->nulls_not_distinct ? "" : " WHERE ",
					con->nulls_not_distinct ? "" : null_tests(con->keys, "", "IS NOT NULL", " AND "),
					columns);
}

/* Columns of the referenced key: those named, else the primary key */
static List *
referenced_columns(ZdmRel *target, const Constraint *con)
{
	List	   *columns = NIL;
	ListCell   *lc;

	if (con->pk_attrs != NIL)
		return con->pk_attrs;
	foreach(lc, ddl_rel_indexes(target))
	{
		const ZdmIndex *index = lfirst(lc);

		for (int i = 0; index->is_primary && i < index->nkeyatts; i++)
			columns = lappend(columns, makeString(pstrdup(ddl_attname(target, index->attnums[i]))));
	}
	return columns;
}

/* Rows that reference nothing; with MATCH FULL also those that are half NULL */
static char *
verify_foreign_key(const Verify *verify, const Constraint *con)
{
	ZdmRel	   *target = ddl_fk_target(verify->ddl, verify->rel, con);
	List	   *referenced = target ? referenced_columns(target, con) : NIL;
	StringInfoData join;
	ListCell   *lc;

	if (compat_is_temporal_key(con) || list_length(referenced) != list_length(con->fk_attrs))
		return NULL;
	initStringInfo(&join);
	foreach(lc, con->fk_attrs)
		appendStringInfo(&join, "%sk.%s = r.%s", join.len > 0 ? " AND " : "",
						 quote_identifier(strVal(list_nth(referenced, foreach_current_index(lc)))),
						 quote_identifier(strVal(lfirst(lc))));
	return psprintf("SELECT * FROM %s AS r WHERE (%s) AND NOT EXISTS (SELECT FROM %s%s AS k WHERE %s)",
					from_text(verify, false),
					null_tests(con->fk_attrs, "r.", "IS NOT NULL",
							   con->fk_matchtype == FKCONSTR_MATCH_FULL ? " OR " : " AND "),
					target->has_children && target->relkind != RELKIND_PARTITIONED_TABLE ? "ONLY " : "",
					ddl_rel_qualified(target), join.data);
}

/* a = b, or a OPERATOR(public.=) b */
static char *
operator_text(List *name)
{
	if (list_length(name) == 1)
		return strVal(linitial(name));
	return psprintf("OPERATOR(%s.%s)", quote_identifier(strVal(linitial(name))),
					strVal(llast(name)));
}

/* "excluded 1": a name for an expression that is a key of an EXCLUDE constraint */
static const char *
excluded_name(int position)
{
	return quote_identifier(psprintf("excluded %d", position + 1));
}

/* Rows that another one conflicts with; each expression becomes a column of them */
static char *
verify_exclusion(const Verify *verify, const Constraint *con, Node *cmd)
{
	const char *action = zdm_sql_action(verify->ddl, cmd);
	char	   *condition = con->where_clause == NULL ? NULL : zdm_sql_parenthesis(action, "where");
	List	   *keys = zdm_sql_index_keys(action);
	char	   *rows;
	StringInfoData expressions;
	StringInfoData join;
	ListCell   *lc;

	if ((con->where_clause != NULL && condition == NULL) ||
		list_length(keys) != list_length(con->exclusions))
		return NULL;
	initStringInfo(&expressions);
	initStringInfo(&join);
	foreach(lc, con->exclusions)
	{
		int			i = foreach_current_index(lc);
		const IndexElem *elem = linitial_node(IndexElem, lfirst(lc));
		const char *column = elem->name ? quote_identifier(elem->name) : excluded_name(i);

		if (elem->name == NULL)
			appendStringInfo(&expressions, ", %s AS %s", (char *) list_nth(keys, i), column);
		appendStringInfo(&join, " AND r.%s %s o.%s", column,
						 operator_text(lsecond_node(List, lfirst(lc))), column);
	}
	rows = psprintf("(SELECT tableoid, ctid, *%s FROM %s%s%s)", expressions.data,
					from_text(verify, false), condition ? " WHERE " : "", condition ? condition : "");
	return psprintf("SELECT * FROM %s AS r WHERE EXISTS (SELECT FROM %s AS o WHERE (o.tableoid, o.ctid) <> (r.tableoid, r.ctid)%s)",
					rows, rows, join.data);
}

static char *
verify_constraint(const Verify *verify, const Constraint *con, Node *cmd)
{
	bool		can_be_unenforced = con->contype == CONSTR_CHECK || con->contype == CONSTR_FOREIGN;

	if (con->skip_validation || (can_be_unenforced && !compat_constraint_node_is_enforced(con)))
		return NULL;
	switch (con->contype)
	{
		case CONSTR_CHECK:
			return verify_check(verify, con, cmd);
		case CONSTR_NOTNULL:
			return verify_not_null(verify, strVal(linitial(con->keys)));
		case CONSTR_UNIQUE:
		case CONSTR_PRIMARY:
			return verify_key(verify, con);
		case CONSTR_FOREIGN:
			return verify_foreign_key(verify, con);
		case CONSTR_EXCLUSION:
			return verify_exclusion(verify, con, cmd);
		default:
			return NULL;
	}
}

static char *
verify_action(const Verify *verify, AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_SetNotNull:
			return verify_not_null(verify, cmd->name);
		case AT_AddConstraint:
			return verify_constraint(verify, castNode(Constraint, cmd->def), (Node *) cmd);
		default:
			return NULL;
	}
}

/* Of several actions those with rows in their way, by their numbers */
static char *
verify_alter_table(ZdmDdl *ddl, const AlterTableStmt *stmt)
{
	Verify		verify = {ddl, ddl_rel(ddl, stmt->relation, true), stmt->relation->inh};
	StringInfoData buf;
	char	   *query = NULL;
	int			count = 0;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, verify.rel ? stmt->cmds : NIL)
	{
		char	   *next = verify_action(&verify, lfirst(lc));

		if (next == NULL)
			continue;
		query = next;
		appendStringInfo(&buf, "%sSELECT %d AS action FROM (%s) AS found",
						 count++ > 0 ? " UNION ALL " : "", foreach_current_index(lc) + 1, query);
	}
	return count > 1 ? buf.data : query;
}

/* CREATE UNIQUE INDEX: keys can be expressions, and rows left out */
static char *
verify_index(ZdmDdl *ddl, const IndexStmt *stmt)
{
	ZdmRel	   *rel = ddl_rel(ddl, stmt->relation, true);
	Verify		verify = {ddl, rel, stmt->relation->inh};
	char	   *condition;
	StringInfoData keys;
	StringInfoData filled;
	ListCell   *lc;

	if (rel == NULL || !stmt->unique || compat_index_is_without_overlaps(stmt))
		return NULL;
	initStringInfo(&keys);
	initStringInfo(&filled);
	foreach(lc, zdm_sql_index_keys(zdm_sql_index_definition(ddl->sql)))
	{
		const char *key = lfirst(lc);

		appendStringInfo(&keys, "%s%s", keys.len > 0 ? ", " : "", key);
		appendStringInfo(&filled, "%s%s IS NOT NULL", filled.len > 0 ? " AND " : "", key);
	}
	condition = stmt->whereClause != NULL ? zdm_sql_condition(ddl->sql) : NULL;
	if (keys.len == 0 || (stmt->whereClause != NULL && condition == NULL))
		return NULL;
	if (stmt->nulls_not_distinct)
		resetStringInfo(&filled);
	if (condition != NULL)
		appendStringInfo(&filled, "%s(%s)", filled.len > 0 ? " AND " : "", condition);
	return psprintf("SELECT %s, pg_catalog.count(*) FROM %s%s%s GROUP BY %s HAVING pg_catalog.count(*) > 1",
					keys.data, from_text(&verify, false), filled.len > 0 ? " WHERE " : "",
					filled.data, keys.data);
}

/* Of what runs at once: rows in the way of its undoing */
void
zdm_defer_add_verify(const ZdmDeferral *deferral, ZdmPart *part)
{
	const char *sql = part->phase == ZDM_PHASE_CONTRACT ? part->sql : part->undo_sql;
	List	   *stmts = sql ? raw_parser(sql, RAW_PARSE_DEFAULT) : NIL;
	ZdmXact		xact = {0};
	ZdmDdl		ddl = {0};

	if (list_length(stmts) != 1)
		return;
	ddl.stmt = linitial_node(RawStmt, stmts)->stmt;
	ddl.sql = ddl.query = sql;
	ddl.script = deferral->ddl->script;
	ddl.xact = &xact;
	if (IsA(ddl.stmt, AlterTableStmt))
		part->verify_sql = verify_alter_table(&ddl, (const AlterTableStmt *) ddl.stmt);
	else if (IsA(ddl.stmt, IndexStmt))
		part->verify_sql = verify_index(&ddl, (const IndexStmt *) ddl.stmt);
	else if (IsA(ddl.stmt, AlterDomainStmt))
		part->verify_sql = zdm_verify_domain(&ddl, (const AlterDomainStmt *) ddl.stmt, GetUserId());
}

/* A domain can have come to be used elsewhere since. */
char *
zdm_verify_now(const char *sql, Oid role)
{
	List	   *stmts = raw_parser(sql, RAW_PARSE_DEFAULT);
	ZdmXact		xact = {0};
	ZdmDdl		ddl = {0};

	if (list_length(stmts) != 1 || !IsA(linitial_node(RawStmt, stmts)->stmt, AlterDomainStmt))
		return NULL;
	ddl.stmt = linitial_node(RawStmt, stmts)->stmt;
	ddl.sql = ddl.query = sql;
	ddl.xact = &xact;
	return zdm_verify_domain(&ddl, (const AlterDomainStmt *) ddl.stmt, role);
}
