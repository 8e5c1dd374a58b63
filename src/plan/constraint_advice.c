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
#include "plan/constraint_plan.h"
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
set_not_null(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("In statements of their own: add CHECK (... IS NOT NULL) NOT VALID for %s, VALIDATE CONSTRAINT, SET NOT NULL, and drop the CHECK.",
					zdm_hazard_subject(hazard));
}

static char *
add_check(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Add the constraint of %s with NOT VALID, and VALIDATE CONSTRAINT then, in statements of their own.",
					ddl_rel_qualified(hazard->rel));
}

/*
 * Of a table with rows that references a partitioned one there is no plan
 * before 18, since the outcome is not quite the same.
 */
static char *
add_foreign_key(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	ZdmDdl		scratch = *ddl;
	ZdmRel	   *target = ddl_fk_target(&scratch, hazard->rel, castNode(Constraint, hazard->node));

	return psprintf("Add the foreign key of %s with NOT VALID, and VALIDATE CONSTRAINT then, in statements of their own.%s",
					ddl_rel_qualified(hazard->rel),
					target != NULL && target->relkind == RELKIND_PARTITIONED_TABLE &&
					!COMPAT_NOT_NULL_HAS_CONSTRAINT ?
					" Its rows in pg_constraint for the single partitions that it references will stay NOT VALID, which does no harm." :
					"");
}

/* UNIQUE and PRIMARY KEY */
static char *
add_key(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Build the unique index of %s with CREATE UNIQUE INDEX CONCURRENTLY, of a partitioned table that of each partition, and add the constraint USING INDEX, in statements of their own.",
					ddl_rel_qualified(hazard->rel));
}

static char *
primary_key_nullable_index(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Set %s NOT NULL first, by its safe form, in a statement of its own.",
					zdm_hazard_subject(hazard));
}

static char *
add_exclusion(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("No form of EXCLUDE spares %s the lock. Give the constraint to a new table and move the rows there in batches, or add it while the application is stopped.",
					ddl_rel_qualified(hazard->rel));
}

static char *
validate_while_locked(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Validate the constraint of %s in a statement and transaction of its own.",
					ddl_rel_qualified(hazard->rel));
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
					zdm_constraint_name(hazard->rel, zdm_columns_in_name(con->fk_attrs), "idx"),
					ddl_rel_qualified(hazard->rel), zdm_columns_text(con->fk_attrs));
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
