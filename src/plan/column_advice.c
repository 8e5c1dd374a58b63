/*-------------------------------------------------------------------------
 *
 * column_advice.c
 *	  How to add and change columns safely.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "parser/parse_type.h"
#include "plan/advice.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

static const char *
table_of(const ZdmHazard *hazard)
{
	return ddl_rel_qualified(hazard->rel);
}

static const char *
column_of(const ZdmHazard *hazard)
{
	return quote_identifier(hazard->column);
}

static ColumnDef *
definition_of(const ZdmHazard *hazard)
{
	return castNode(ColumnDef, castNode(AlterTableCmd, hazard->node)->def);
}

/* The type of a column definition as SQL */
static char *
type_text(const ZdmDdl *ddl, const TypeName *typname)
{
	ZdmDdl		scratch = *ddl;
	Oid			typid;
	int32		typmod;

	scratch.undefined = NULL;
	if (ddl_type(&scratch, typname, &typid, &typmod) && OidIsValid(typid))
		return format_type_extended(typid, typmod, FORMAT_TYPE_TYPEMOD_GIVEN);
	return TypeNameToString(typname);
}

/* The text of a new column's default, or NULL */
static char *
default_text(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	if (ddl_coldef_default(definition_of(hazard)) == NULL)
		return NULL;
	return zdm_sql_default(zdm_sql_action(ddl, hazard->node));
}

static char *
finish(StringInfo buf)
{
	while (buf->len > 0 && buf->data[buf->len - 1] == ' ')
		buf->data[--buf->len] = '\0';
	return buf->data;
}

static char *
volatile_default(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Add column %s to %s without a default, set its default then, and fill old rows in small batches.",
					column_of(hazard), table_of(hazard));
}

static char *
auto_increment(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Add column %s to %s as a plain integer, set nextval() of a sequence as its default then, fill old rows in small batches, and set NOT NULL.",
					column_of(hazard), table_of(hazard));
}

static char *
generated_stored(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("ALTER TABLE %s ADD COLUMN %s %s; fill it by a BEFORE INSERT OR UPDATE trigger, and old rows in small batches%s.",
					table_of(hazard), column_of(hazard),
					type_text(ddl, definition_of(hazard)->typeName),
					COMPAT_NOT_NULL_HAS_CONSTRAINT ?
					"; or make it VIRTUAL, which rewrites nothing" : "");
}

/* A constraint of a domain's base type, checked in the table instead */
static char *
constrained_domain(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	ZdmDdl		scratch = *ddl;
	char	   *expr = default_text(ddl, hazard);
	const char *name = zdm_constraint_name(hazard->rel, hazard->column, "check");
	Oid			typid;
	int32		typmod;

	if (!ddl_type(&scratch, definition_of(hazard)->typeName, &typid, &typmod))
		return pstrdup("Add the column with the domain's base type.");
	typid = getBaseTypeAndTypmod(typid, &typmod);
	return psprintf("ALTER TABLE %s ADD COLUMN %s %s%s%s; ALTER TABLE %s ADD CONSTRAINT %s CHECK (...) NOT VALID, with the domain's condition on %s; ALTER TABLE %s VALIDATE CONSTRAINT %s;",
					table_of(hazard), column_of(hazard),
					format_type_extended(typid, typmod, FORMAT_TYPE_TYPEMOD_GIVEN),
					expr ? " DEFAULT " : "", expr ? expr : "",
					table_of(hazard), name, column_of(hazard), table_of(hazard), name);
}

static char *
inline_check(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Add column %s to %s without the constraint, then the constraint with NOT VALID, and validate it in a transaction of its own.",
					column_of(hazard), table_of(hazard));
}

static char *
required_column(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	StringInfoData buf;

	if (!IsA(hazard->node, AlterTableCmd) ||
		((AlterTableCmd *) hazard->node)->subtype != AT_AddColumn)
		return psprintf("Leave column %s of %s nullable, or with a default, while the old version runs.",
						column_of(hazard), table_of(hazard));
	initStringInfo(&buf);
	appendStringInfo(&buf, "ALTER TABLE %s ADD COLUMN %s %s; /* when every row has a value and no client of the old version is left: */ ",
					 table_of(hazard), column_of(hazard),
					 type_text(ddl, definition_of(hazard)->typeName));
	zdm_append_set_not_null(&buf, hazard->rel, hazard->column);
	return finish(&buf);
}

static char *
keep_default(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Keep the default of column %s of %s while the old version runs, or let it be omitted: ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL;",
					column_of(hazard), table_of(hazard), table_of(hazard), column_of(hazard));
}

static char *
use_jsonb(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("ALTER TABLE %s ADD COLUMN %s jsonb;", table_of(hazard), column_of(hazard));
}

static char *
name_columns(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return pstrdup("Let clients name the columns that they select, or retry once.");
}

static char *
new_type_text(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return type_text(ddl, definition_of(hazard)->typeName);
}

static char *
new_column(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	const char *name = quote_identifier(makeObjectName(hazard->column, NULL, "new"));

	return psprintf("ALTER TABLE %s ADD COLUMN %s %s; /* keep it equal to %s by a trigger, fill old rows in small batches, build its indexes CONCURRENTLY, then in one transaction: */ ALTER TABLE %s DROP COLUMN %s; ALTER TABLE %s RENAME COLUMN %s TO %s;",
					table_of(hazard), name, new_type_text(ddl, hazard), column_of(hazard),
					table_of(hazard), column_of(hazard),
					table_of(hazard), name, column_of(hazard));
}

/* Drop the index, change the type, build the index again without a lock. */
static char *
index_rebuild(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	Oid			nspoid = get_namespace_oid(hazard->rel->nspname, true);
	Oid			indexoid = OidIsValid(nspoid) ? get_relname_relid(hazard->name, nspoid) : InvalidOid;
	ZdmIndex   *index = OidIsValid(indexoid) ? ddl_index(indexoid) : NULL;
	char	   *definition;

	if (index == NULL || OidIsValid(index->constraint))
		return new_column(ddl, hazard);
	definition = TextDatumGetCString(OidFunctionCall1(F_PG_GET_INDEXDEF_OID,
													  ObjectIdGetDatum(indexoid)));
	return psprintf("DROP INDEX CONCURRENTLY %s; ALTER TABLE %s %s; %s;",
					quote_qualified_identifier(hazard->rel->nspname, hazard->name),
					table_of(hazard), zdm_sql_action(ddl, hazard->node),
					zdm_sql_insert_after(definition, "index", "CONCURRENTLY"));
}

/* The table that the statement alters: a foreign key can be of another one. */
static ZdmRel *
altered_table(const ZdmDdl *ddl)
{
	ZdmDdl		scratch = *ddl;
	Node	   *stmt = ddl->stmt;

	if (IsA(stmt, RawStmt))
		stmt = ((RawStmt *) stmt)->stmt;
	if (!IsA(stmt, AlterTableStmt))
		return NULL;
	return ddl_rel(&scratch, ((AlterTableStmt *) stmt)->relation, true);
}

/* Drop the constraint and add it unchecked with the change, validate later. */
static char *
recheck(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	ZdmConstraint *con = ddl_constraint(hazard->rel, hazard->name);
	ZdmRel	   *altered = altered_table(ddl);
	const char *name = quote_identifier(hazard->name);
	const char *action = zdm_sql_action(ddl, hazard->node);
	char	   *definition;

	if (con == NULL || altered == NULL)
		return psprintf("Drop constraint %s first, and add it again with NOT VALID afterwards; then VALIDATE CONSTRAINT.",
						name);
	definition = TextDatumGetCString(OidFunctionCall1(F_PG_GET_CONSTRAINTDEF_OID,
													  ObjectIdGetDatum(con->oid)));
	if (altered->relid == hazard->rel->relid)
		return psprintf("ALTER TABLE %s DROP CONSTRAINT %s, %s, ADD CONSTRAINT %s %s NOT VALID; ALTER TABLE %s VALIDATE CONSTRAINT %s;",
						table_of(hazard), name, action, name, definition,
						table_of(hazard), name);
	return psprintf("ALTER TABLE %s DROP CONSTRAINT %s; ALTER TABLE %s %s; ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID; ALTER TABLE %s VALIDATE CONSTRAINT %s;",
					table_of(hazard), name, ddl_rel_qualified(altered), action,
					table_of(hazard), name, definition, table_of(hazard), name);
}

static char *
type_in_window(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Change the type when no client of the old version is left; until then let the new version work with the old type of %s.",
					zdm_hazard_subject(hazard));
}

static char *
generated_expression(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("No form of SET EXPRESSION spares %s the lock. Add a plain column, fill it by a trigger and old rows in small batches, then drop column %s and rename the new one.",
					table_of(hazard), column_of(hazard));
}

static char *
expect_nulls(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Let no client write NULL to %s while the old version runs.",
					zdm_hazard_subject(hazard));
}

static char *
name_value(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Let the new version write %s by itself, and change the default when no client of the old version is left.",
					zdm_hazard_subject(hazard));
}

const ZdmAdvice zdm_column_advice[] = {
	{ZDM_RULE_ADD_COLUMN_VOLATILE_DEFAULT, volatile_default},
	{ZDM_RULE_ADD_COLUMN_AUTO_INCREMENT, auto_increment},
	{ZDM_RULE_ADD_COLUMN_GENERATED_STORED, generated_stored},
	{ZDM_RULE_ADD_COLUMN_CONSTRAINED_DOMAIN, constrained_domain},
	{ZDM_RULE_ADD_COLUMN_INLINE_CHECK, inline_check},
	{ZDM_RULE_ADD_REQUIRED_COLUMN, required_column},
	{ZDM_RULE_DROP_DEFAULT_ON_REQUIRED_COLUMN, keep_default},
	{ZDM_RULE_ADD_COLUMN_JSON, use_jsonb},
	{ZDM_RULE_PREPARED_PLAN_INVALIDATION, name_columns},
	{ZDM_RULE_ALTER_COLUMN_TYPE, new_column},
	{ZDM_RULE_ALTER_COLUMN_TYPE_INDEX_REBUILD, index_rebuild},
	{ZDM_RULE_ALTER_COLUMN_TYPE_RECHECK, recheck},
	{ZDM_RULE_ALTER_COLUMN_TYPE_IN_WINDOW, type_in_window},
	{ZDM_RULE_SET_GENERATED_EXPRESSION, generated_expression},
	{ZDM_RULE_DROP_NOT_NULL, expect_nulls},
	{ZDM_RULE_CHANGE_COLUMN_DEFAULT, name_value},
	{0, NULL},
};
