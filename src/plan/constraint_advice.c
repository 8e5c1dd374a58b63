/*-------------------------------------------------------------------------
 *
 * constraint_advice.c
 *	  How to add and change constraints safely.
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
#include "plan/advice.h"
#include "utils/builtins.h"

/*
 * The quoted name that PostgreSQL would choose for a constraint ("check",
 * "fkey", "not_null") or for an index and its constraint ("key", "pkey",
 * "idx") that the user has not named.
 */
char *
zdm_constraint_name(const ZdmRel *rel, const char *column, const char *label)
{
	Oid			nspoid = get_namespace_oid(rel->nspname, true);
	bool		is_plain_index = strcmp(label, "idx") == 0;
	char	   *name;

	if (!OidIsValid(nspoid))	/* made in the script */
		name = makeObjectName(rel->relname, column, label);
	else if (is_plain_index || strcmp(label, "key") == 0 || strcmp(label, "pkey") == 0)
		name = ChooseRelationName(rel->relname, column, label, nspoid, !is_plain_index);
	else
		name = ChooseConstraintName(rel->relname, column, label, nspoid, NIL);
	return pstrdup(quote_identifier(name));
}

/*
 * What a hazard is about, for people: a column with its table, or the object.
 * Rules about columns are also used of domains, types and sequences.
 */
const char *
zdm_hazard_subject(const ZdmHazard *hazard)
{
	if (hazard->column != NULL && hazard->rel != NULL)
		return psprintf("column %s of %s", quote_identifier(hazard->column),
						ddl_rel_qualified(hazard->rel));
	return hazard->object != NULL ? hazard->object : "the object";
}

static char *
columns_text(List *columns)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, columns)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "",
						 quote_identifier(strVal(lfirst(lc))));
	return buf.data;
}

/* The columns joined as in names that PostgreSQL chooses; see ChooseIndexName() */
static char *
columns_in_name(List *columns)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, columns)
	{
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? "_" : "", strVal(lfirst(lc)));
		if (buf.len >= NAMEDATALEN)
			break;
	}
	return buf.data;
}

/* A NOT NULL constraint of the column that waits to be validated, or NULL */
static const char *
unvalidated_not_null(const ZdmRel *rel, const char *column)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_constraints(unconstify(ZdmRel *, rel)))
	{
		ZdmConstraint *con = lfirst(lc);

		if (con->contype == CONSTRAINT_NOTNULL && !con->is_valid && con->nkeys == 1 &&
			strcmp(ddl_attname(unconstify(ZdmRel *, rel), con->conkey[0]), column) == 0)
			return con->name;
	}
	return NULL;
}

/* Make a column NOT NULL without reading the table under a strong lock. */
void
zdm_append_set_not_null(StringInfo buf, const ZdmRel *rel, const char *column)
{
	const char *table = ddl_rel_qualified(rel);
	const char *name = zdm_constraint_name(rel, column, "not_null");
	const char *quoted = quote_identifier(column);
	const char *waiting = unvalidated_not_null(rel, column);

	if (waiting != NULL)
		appendStringInfo(buf, "ALTER TABLE %s VALIDATE CONSTRAINT %s; ",
						 table, quote_identifier(waiting));
	else if (COMPAT_NOT_NULL_HAS_CONSTRAINT)
		appendStringInfo(buf,
						 "ALTER TABLE %s ADD CONSTRAINT %s NOT NULL %s NOT VALID; "
						 "ALTER TABLE %s VALIDATE CONSTRAINT %s; ",
						 table, name, quoted, table, name);
	else
		appendStringInfo(buf,
						 "ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s IS NOT NULL) NOT VALID; "
						 "ALTER TABLE %s VALIDATE CONSTRAINT %s; "
						 "ALTER TABLE %s ALTER COLUMN %s SET NOT NULL; "
						 "ALTER TABLE %s DROP CONSTRAINT %s; ",
						 table, name, quoted, table, name, table, quoted, table, name);
}

static char *
trimmed(StringInfo buf)
{
	while (buf->len > 0 && buf->data[buf->len - 1] == ' ')
		buf->data[--buf->len] = '\0';
	return buf->data;
}

static char *
set_not_null(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	StringInfoData buf;

	if (hazard->column == NULL)
		return pstrdup("Set the column NOT NULL in each child first, by a constraint that is NOT VALID and validated later.");
	initStringInfo(&buf);
	zdm_append_set_not_null(&buf, hazard->rel, hazard->column);
	return trimmed(&buf);
}

/* The commands of the ALTER TABLE, or NIL. */
static List *
commands_of(const ZdmDdl *ddl)
{
	Node	   *stmt = ddl->stmt;

	if (stmt != NULL && IsA(stmt, RawStmt))
		stmt = ((RawStmt *) stmt)->stmt;
	if (stmt == NULL || !IsA(stmt, AlterTableStmt))
		return NIL;
	return ((AlterTableStmt *) stmt)->cmds;
}

/* The command of the ALTER TABLE that a constraint stands in, or NULL. */
static AlterTableCmd *
command_of(const ZdmDdl *ddl, const Node *con)
{
	ListCell   *lc;

	foreach(lc, commands_of(ddl))
	{
		AlterTableCmd *cmd = lfirst(lc);

		if (cmd->def == con)
			return cmd;
	}
	return NULL;
}

/* A constraint in the definition of a column: the column without it, first. */
static void
append_column_of(StringInfo buf, const ZdmDdl *ddl, const ZdmHazard *hazard, List *columns)
{
	ListCell   *lc;

	if (command_of(ddl, hazard->node) != NULL || columns == NIL)
		return;
	foreach(lc, commands_of(ddl))
	{
		AlterTableCmd *cmd = lfirst(lc);

		if (cmd->subtype == AT_AddColumn &&
			strcmp(((ColumnDef *) cmd->def)->colname, strVal(linitial(columns))) == 0)
			zdm_append_plain_column(buf, ddl, hazard->rel, cmd);
	}
}

static char *
add_check(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	Constraint *con = castNode(Constraint, hazard->node);
	AlterTableCmd *cmd = command_of(ddl, hazard->node);
	const char *table = ddl_rel_qualified(hazard->rel);
	List	   *columns;
	const char *name;
	char	   *action;

	columns = ddl_check_columns(con->raw_expr);
	name = con->conname ? quote_identifier(con->conname) :
		zdm_constraint_name(hazard->rel, list_length(columns) == 1 ?
							strVal(linitial(columns)) : NULL, "check");
	action = cmd != NULL ? zdm_sql_action(ddl, (Node *) cmd) : pstrdup("ADD CHECK (...)");
	if (con->conname == NULL)
		action = zdm_sql_insert_after(action, "add", psprintf("CONSTRAINT %s", name));
	return psprintf("ALTER TABLE %s %s NOT VALID; ALTER TABLE %s VALIDATE CONSTRAINT %s;",
					table, action, table, name);
}

static void
append_fk_action(StringInfo buf, const char *event, char action, List *columns)
{
	const char *verb;

	switch (action)
	{
		case FKCONSTR_ACTION_RESTRICT:
			verb = "RESTRICT";
			break;
		case FKCONSTR_ACTION_CASCADE:
			verb = "CASCADE";
			break;
		case FKCONSTR_ACTION_SETNULL:
			verb = "SET NULL";
			break;
		case FKCONSTR_ACTION_SETDEFAULT:
			verb = "SET DEFAULT";
			break;
		default:
			return;
	}
	appendStringInfo(buf, " ON %s %s", event, verb);
	if (columns != NIL)
		appendStringInfo(buf, " (%s)", columns_text(columns));
}

static void
append_deferrable(StringInfo buf, const Constraint *con)
{
	if (con->deferrable)
		appendStringInfoString(buf, " DEFERRABLE");
	if (con->initdeferred)
		appendStringInfoString(buf, " INITIALLY DEFERRED");
}

/* FOREIGN KEY (a) REFERENCES u (id) ..., from its parse tree */
static char *
foreign_key_text(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	const Constraint *con = castNode(Constraint, hazard->node);
	ZdmDdl		scratch = *ddl;
	ZdmRel	   *target = ddl_fk_target(&scratch, hazard->rel, con);
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "FOREIGN KEY (%s) REFERENCES %s",
					 columns_text(con->fk_attrs),
					 target != NULL ? ddl_rel_qualified(target) :
					 quote_qualified_identifier(con->pktable->schemaname,
												con->pktable->relname));
	if (con->pk_attrs != NIL)
		appendStringInfo(&buf, " (%s)", columns_text(con->pk_attrs));
	if (con->fk_matchtype == FKCONSTR_MATCH_FULL)
		appendStringInfoString(&buf, " MATCH FULL");
	append_fk_action(&buf, "UPDATE", con->fk_upd_action, NIL);
	append_fk_action(&buf, "DELETE", con->fk_del_action, con->fk_del_set_cols);
	append_deferrable(&buf, con);
	return buf.data;
}

/* Partitions that hold rows themselves; false where some are deeper down. */
static bool
direct_leaves(const ZdmDdl *ddl, const ZdmRel *rel, List **leaves)
{
	ZdmDdl		scratch = *ddl;
	ListCell   *lc;

	*leaves = NIL;
	foreach(lc, ddl_rel_tree(&scratch, unconstify(ZdmRel *, rel)))
	{
		ZdmRel	   *member = lfirst(lc);

		if (member->relid == rel->relid)
			continue;
		if (member->relkind == RELKIND_PARTITIONED_TABLE)
			return false;
		*leaves = lappend(*leaves, member);
	}
	return true;
}

/*
 * Before 18 a partitioned table takes no foreign key that is NOT VALID; but
 * it adopts what its partitions have.
 */
static void
append_partitioned_fk(StringInfo buf, const ZdmDdl *ddl, const ZdmHazard *hazard,
					  const char *name, const char *clause)
{
	List	   *leaves;
	ListCell   *lc;

	(void) direct_leaves(ddl, hazard->rel, &leaves);
	foreach(lc, leaves)
	{
		const char *leaf = ddl_rel_qualified(lfirst(lc));

		appendStringInfo(buf,
						 "ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID; "
						 "ALTER TABLE %s VALIDATE CONSTRAINT %s; ",
						 leaf, name, clause, leaf, name);
	}
	appendStringInfo(buf, "ALTER TABLE %s ADD CONSTRAINT %s %s;",
					 ddl_rel_qualified(hazard->rel), name, clause);
}

static char *
add_foreign_key(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	Constraint *con = castNode(Constraint, hazard->node);
	const char *table = ddl_rel_qualified(hazard->rel);
	const char *clause = foreign_key_text(ddl, hazard);
	const char *name;
	StringInfoData buf;

	name = con->conname ? quote_identifier(con->conname) :
		zdm_constraint_name(hazard->rel, columns_in_name(con->fk_attrs), "fkey");
	initStringInfo(&buf);
	append_column_of(&buf, ddl, hazard, con->fk_attrs);
	if (hazard->rel->relkind == RELKIND_PARTITIONED_TABLE && !COMPAT_NOT_NULL_HAS_CONSTRAINT)
		append_partitioned_fk(&buf, ddl, hazard, name, clause);
	else
		appendStringInfo(&buf,
						 "ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID; "
						 "ALTER TABLE %s VALIDATE CONSTRAINT %s;",
						 table, name, clause, table, name);
	return buf.data;
}

/* Indexes of the partitions of a key, each built without blocking writes */
static char *
partitioned_key(const ZdmDdl *ddl, const ZdmHazard *hazard, const char *name,
				const char *what, const char *columns)
{
	Constraint *con = castNode(Constraint, hazard->node);
	const char *table = ddl_rel_qualified(hazard->rel);
	StringInfoData buf;
	List	   *leaves;
	ListCell   *lc;

	if (!direct_leaves(ddl, hazard->rel, &leaves))
		return psprintf("ALTER TABLE ONLY %s ADD CONSTRAINT %s %s %s; then the same ONLY for each partitioned partition, CREATE UNIQUE INDEX CONCURRENTLY and ADD CONSTRAINT ... USING INDEX on each partition with rows, and ALTER INDEX ... ATTACH PARTITION from the bottom up.",
						table, name, what, columns);
	initStringInfo(&buf);
	appendStringInfo(&buf, "ALTER TABLE ONLY %s ADD CONSTRAINT %s %s %s",
					 table, name, what, columns);
	append_deferrable(&buf, con);
	appendStringInfoString(&buf, "; ");
	foreach(lc, leaves)
	{
		ZdmRel	   *leaf = lfirst(lc);
		bool		primary = con->contype == CONSTR_PRIMARY;
		char	   *index = primary ? zdm_constraint_name(leaf, NULL, "pkey") :
			zdm_constraint_name(leaf, columns_in_name(list_concat_copy(con->keys, con->including)),
								"key");

		appendStringInfo(&buf,
						 "CREATE UNIQUE INDEX CONCURRENTLY %s ON %s %s%s; "
						 "ALTER TABLE %s ADD CONSTRAINT %s %s USING INDEX %s",
						 index, ddl_rel_qualified(leaf), columns,
						 con->nulls_not_distinct ? " NULLS NOT DISTINCT" : "",
						 ddl_rel_qualified(leaf), index,
						 primary ? "PRIMARY KEY" : "UNIQUE", index);
		append_deferrable(&buf, con);
		appendStringInfo(&buf, "; ALTER INDEX %s.%s ATTACH PARTITION %s.%s; ",
						 quote_identifier(hazard->rel->nspname), name,
						 quote_identifier(leaf->nspname), index);
	}
	return trimmed(&buf);
}

/* UNIQUE and PRIMARY KEY: the index first, without blocking writes */
static char *
add_key(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	Constraint *con = castNode(Constraint, hazard->node);
	ZdmDdl		scratch = *ddl;
	bool		primary = con->contype == CONSTR_PRIMARY;
	const char *what = primary ? "PRIMARY KEY" :
		con->nulls_not_distinct ? "UNIQUE NULLS NOT DISTINCT" : "UNIQUE";
	const char *name;
	StringInfoData columns;
	StringInfoData buf;
	ListCell   *lc;

	name = con->conname ? quote_identifier(con->conname) :
		primary ? zdm_constraint_name(hazard->rel, NULL, "pkey") :
		zdm_constraint_name(hazard->rel,
							columns_in_name(list_concat_copy(con->keys, con->including)),
							"key");
	initStringInfo(&columns);
	appendStringInfo(&columns, "(%s)", columns_text(con->keys));
	if (con->including != NIL)
		appendStringInfo(&columns, " INCLUDE (%s)", columns_text(con->including));

	initStringInfo(&buf);
	append_column_of(&buf, ddl, hazard, con->keys);
	foreach(lc, primary ? con->keys : NIL)
	{
		ZdmCol	   *col = ddl_col(&scratch, hazard->rel, strVal(lfirst(lc)), true);

		if (col != NULL && !col->not_null)
			zdm_append_set_not_null(&buf, hazard->rel, col->name);
	}
	if (hazard->rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		appendStringInfoString(&buf, partitioned_key(ddl, hazard, name, what, columns.data));
		return buf.data;
	}
	appendStringInfo(&buf, "CREATE UNIQUE INDEX CONCURRENTLY %s ON %s %s%s; ",
					 name, ddl_rel_qualified(hazard->rel), columns.data,
					 con->nulls_not_distinct ? " NULLS NOT DISTINCT" : "");
	appendStringInfo(&buf, "ALTER TABLE %s ADD CONSTRAINT %s %s USING INDEX %s",
					 ddl_rel_qualified(hazard->rel), name,
					 primary ? "PRIMARY KEY" : "UNIQUE", name);
	append_deferrable(&buf, con);
	appendStringInfoChar(&buf, ';');
	return buf.data;
}

static char *
primary_key_nullable_index(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	Constraint *con = castNode(Constraint, hazard->node);
	const char *name = con->conname ? con->conname : con->indexname;
	StringInfoData buf;

	initStringInfo(&buf);
	zdm_append_set_not_null(&buf, hazard->rel, hazard->column);
	appendStringInfo(&buf, "ALTER TABLE %s ADD CONSTRAINT %s PRIMARY KEY USING INDEX %s",
					 ddl_rel_qualified(hazard->rel), quote_identifier(name),
					 quote_identifier(con->indexname));
	append_deferrable(&buf, con);
	appendStringInfoChar(&buf, ';');
	return buf.data;
}

static char *
add_exclusion(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("No form of EXCLUDE spares %s the lock. Give the constraint to a new table and move the rows there in batches, or add it while the application is stopped.",
					ddl_rel_qualified(hazard->rel));
}

/* What the ALTER TABLE does beside validating, as a statement; or "" */
static char *
without_validation(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	if (!IsA(ddl->stmt, AlterTableStmt))
		return buf.data;
	foreach(lc, ((AlterTableStmt *) ddl->stmt)->cmds)
	{
		AlterTableCmd *cmd = lfirst(lc);

		if (cmd->subtype == AT_ValidateConstraint)
			continue;
		if (buf.len == 0)
			appendStringInfo(&buf, "ALTER TABLE %s ", ddl_rel_qualified(hazard->rel));
		else
			appendStringInfoString(&buf, ", ");
		appendStringInfoString(&buf, zdm_sql_action(ddl, (Node *) cmd));
	}
	if (buf.len > 0)
		appendStringInfoString(&buf, "; ");
	return buf.data;
}

static char *
validate_while_locked(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	AlterTableCmd *cmd = castNode(AlterTableCmd, hazard->node);
	char	   *rest = without_validation(ddl, hazard);

	return psprintf("%s%sALTER TABLE %s VALIDATE CONSTRAINT %s;",
					*rest == '\0' ? "Commit first, then, alone: " :
					ddl->in_block ? "Each in a transaction of its own: " : "",
					rest, ddl_rel_qualified(hazard->rel), quote_identifier(cmd->name));
}

static char *
enforce_constraint(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Drop the constraint of %s and add it again with NOT VALID, then VALIDATE CONSTRAINT in a transaction of its own.",
					ddl_rel_qualified(hazard->rel));
}

static char *
rejects_old_writers(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Let the new version write %s as the constraint demands, and add the constraint when no client of the old version is left.",
					zdm_hazard_subject(hazard));
}

static char *
foreign_key_without_index(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	Constraint *con = castNode(Constraint, hazard->node);

	return psprintf("CREATE INDEX CONCURRENTLY %s ON %s (%s);",
					zdm_constraint_name(hazard->rel, columns_in_name(con->fk_attrs), "idx"),
					ddl_rel_qualified(hazard->rel), columns_text(con->fk_attrs));
}

static char *
mismatched_foreign_key_type(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Give column %s of %s the type of the column that it references.",
					quote_identifier(hazard->column), ddl_rel_qualified(hazard->rel));
}

static char *
multiple_foreign_keys(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return pstrdup("Add each foreign key in a transaction of its own.");
}

static char *
drop_constraint(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Drop constraint%s%s of %s when no client of the old version is left.",
					hazard->name ? " " : "", hazard->name ? quote_identifier(hazard->name) : "",
					hazard->rel ? ddl_rel_qualified(hazard->rel) : zdm_hazard_subject(hazard));
}

const ZdmAdvice zdm_constraint_advice[] = {
	{ZDM_RULE_SET_NOT_NULL, set_not_null},
	{ZDM_RULE_ADD_CHECK_CONSTRAINT, add_check},
	{ZDM_RULE_ADD_FOREIGN_KEY, add_foreign_key},
	{ZDM_RULE_ADD_UNIQUE_CONSTRAINT, add_key},
	{ZDM_RULE_ADD_PRIMARY_KEY, add_key},
	{ZDM_RULE_PRIMARY_KEY_NULLABLE_INDEX, primary_key_nullable_index},
	{ZDM_RULE_ADD_EXCLUSION_CONSTRAINT, add_exclusion},
	{ZDM_RULE_VALIDATE_WHILE_LOCKED, validate_while_locked},
	{ZDM_RULE_ENFORCE_CONSTRAINT, enforce_constraint},
	{ZDM_RULE_CONSTRAINT_REJECTS_OLD_WRITERS, rejects_old_writers},
	{ZDM_RULE_FOREIGN_KEY_WITHOUT_INDEX, foreign_key_without_index},
	{ZDM_RULE_MISMATCHED_FOREIGN_KEY_TYPE, mismatched_foreign_key_type},
	{ZDM_RULE_MULTIPLE_FOREIGN_KEYS, multiple_foreign_keys},
	{ZDM_RULE_DROP_CONSTRAINT, drop_constraint},
	{0, NULL},
};
