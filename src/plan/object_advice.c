/*-------------------------------------------------------------------------
 *
 * object_advice.c
 *	  The safe form of what drops, renames, takes rights away, or changes
 *	  types.
 *
 * Most of these wait for the end of a window.  What can be done until then is
 * said here; how to end the window is added by whoever reports the hazard.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "lib/stringinfo.h"
#include "plan/advice.h"
#include "utils/builtins.h"

/* The column of the hazard as the statement meets it, or NULL. */
static ZdmCol *
hazard_column(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	ZdmDdl		scratch = *ddl;

	if (hazard->rel == NULL || hazard->column == NULL)
		return NULL;
	return ddl_col(&scratch, hazard->rel, hazard->column, true);
}

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

/*
 * Until the column goes, the new version has to be able to leave it out of
 * its INSERT.
 */
static char *
advise_drop_column(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	ZdmCol	   *col = hazard_column(ddl, hazard);

	if (col == NULL || hazard->rel->relkind == RELKIND_COMPOSITE_TYPE ||
		!col->not_null || col->has_default || is_in_primary_key(hazard->rel, col->attnum))
		return pstrdup("Leave it in place while the old version runs: the new version need not use it.");
	return psprintf("Let the new version leave it out: ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL;",
					ddl_rel_qualified(hazard->rel), quote_identifier(col->name));
}

static char *
advise_drop_column_drops_index(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	ZdmCol	   *col = hazard_column(ddl, hazard);
	char	   *drops = NULL;

	if (col != NULL)
		drops = ddl_shared_parts(ddl, hazard->rel, col->attnum, true);
	if (drops == NULL)
		return pstrdup("Drop or replace them by name first.");
	return psprintf("Make what is to replace them, then drop them by name: %sALTER TABLE %s DROP COLUMN %s;",
					drops, ddl_rel_qualified(hazard->rel), quote_identifier(col->name));
}

static void
append_drop_of_keys(StringInfo buf, const ZdmDdl *ddl, List *constraints)
{
	ListCell   *lc;

	foreach(lc, constraints)
	{
		const ZdmConstraint *con = lfirst(lc);
		ZdmRel	   *owner;

		if (con->contype != CONSTRAINT_FOREIGN || OidIsValid(con->conparentid))
			continue;
		owner = ddl_rel_by_oid(unconstify(ZdmDdl *, ddl), con->conrelid);
		if (owner != NULL)
			appendStringInfo(buf, " ALTER TABLE %s DROP CONSTRAINT %s;",
							 ddl_rel_qualified(owner), quote_identifier(con->name));
	}
}

/*
 * Each foreign key, of the table or on it, locks two tables: one at a time
 * holds fewer locks.
 */
static char *
advise_drop_table(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	StringInfoData keys;

	initStringInfo(&keys);
	if (hazard->rel != NULL)
	{
		append_drop_of_keys(&keys, ddl, ddl_rel_constraints(hazard->rel));
		append_drop_of_keys(&keys, ddl, ddl_rel_referencing(hazard->rel));
	}
	if (keys.len == 0)
		return pstrdup("Leave it in place while the old version runs: the new version need not use it.");
	return psprintf("Leave it in place while the old version runs. Before it is dropped, drop its foreign keys, one transaction each:%s",
					keys.data);
}

static char *
advise_drop_object(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Leave %s in place while the old version runs: the new version need not use it.",
					hazard->rel != NULL && hazard->name == NULL ?
					ddl_rel_describe(hazard->rel) : "it");
}

static char *
advise_drop_schema(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return pstrdup("Leave it in place while the old version runs; then drop its tables one by one, so that each is locked for a moment only.");
}

static const RenameStmt *
rename_of(const ZdmHazard *hazard)
{
	return hazard->node != NULL && IsA(hazard->node, RenameStmt) ?
		(const RenameStmt *) hazard->node : NULL;
}

static char *
advise_rename_column(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	const RenameStmt *stmt = rename_of(hazard);
	ZdmCol	   *col = hazard_column(ddl, hazard);

	if (stmt == NULL || col == NULL || !OidIsValid(col->typid) ||
		(hazard->rel->relkind != RELKIND_RELATION &&
		 hazard->rel->relkind != RELKIND_PARTITIONED_TABLE))
		return pstrdup("Let both versions use the old name until the old one is gone.");
	return psprintf("Add the new name beside the old one, and let a trigger keep the two equal: ALTER TABLE %s ADD COLUMN %s %s; before the statement runs in the end: ALTER TABLE %s DROP COLUMN %s;",
					ddl_rel_qualified(hazard->rel), quote_identifier(stmt->newname),
					format_type_with_typemod(col->typid, col->typmod),
					ddl_rel_qualified(hazard->rel), quote_identifier(stmt->newname));
}

/* An updatable view has the new name until the table takes it. */
static char *
view_under_new_name(const ZdmRel *rel, const char *nspname, const char *relname)
{
	return psprintf("Give the new version a view under the new name: CREATE VIEW %s AS SELECT * FROM %s; before the statement runs in the end: DROP VIEW %s;",
					quote_qualified_identifier(nspname, relname), ddl_rel_qualified(rel),
					quote_qualified_identifier(nspname, relname));
}

static char *
advise_rename_table(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	const RenameStmt *stmt = rename_of(hazard);

	if (stmt == NULL || hazard->rel == NULL)
		return pstrdup("Let both versions use the old name until the old one is gone.");
	return view_under_new_name(hazard->rel, hazard->rel->nspname, stmt->newname);
}

static char *
advise_rename_schema(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	if (hazard->rel != NULL && hazard->rel->relkind != RELKIND_SEQUENCE &&
		hazard->node != NULL && IsA(hazard->node, AlterObjectSchemaStmt))
		return view_under_new_name(hazard->rel,
								   ((AlterObjectSchemaStmt *) hazard->node)->newschema,
								   hazard->rel->relname);
	return pstrdup("Let both versions use the old name until the old one is gone, or put both schemas into the search_path of the new version.");
}

static char *
advise_rename_enum_value(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	const AlterEnumStmt *stmt;

	if (hazard->node == NULL || !IsA(hazard->node, AlterEnumStmt))
		return pstrdup("Add a new value, and move the rows to it.");
	stmt = (const AlterEnumStmt *) hazard->node;
	return psprintf("Add the new value, and move the rows to it in small batches when the old version is gone: ALTER TYPE %s ADD VALUE %s AFTER %s;",
					NameListToQuotedString(stmt->typeName),
					quote_literal_cstr(stmt->newVal), quote_literal_cstr(stmt->oldVal));
}

static char *
advise_rename_object(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	const RenameStmt *stmt = rename_of(hazard);

	if (stmt != NULL)
	{
		switch (stmt->renameType)
		{
			case OBJECT_AGGREGATE:
			case OBJECT_FUNCTION:
			case OBJECT_PROCEDURE:
			case OBJECT_ROUTINE:
				return psprintf("Create it once more as %s, and drop the old one when the old version is gone.",
								quote_identifier(stmt->newname));
			case OBJECT_TABCONSTRAINT:
			case OBJECT_INDEX:
				return pstrdup("Let both versions use the old name until the old one is gone; ON CONFLICT with the columns in place of the name works with both.");
			default:
				break;
		}
	}
	return pstrdup("Let both versions use the old name until the old one is gone.");
}

static char *
advise_security_change(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return pstrdup("Give the new version its rights now, and take them from the old one when it is gone.");
}

/*
 * The NOT VALID form checks new rows at once and reads no table.  To prove the
 * old ones the server reads all tables while writes to them are blocked,
 * whatever their own constraints say.
 */
static char *
advise_domain_constraint(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	const AlterDomainStmt *stmt;
	const char *domain;

	if (hazard->node == NULL || !IsA(hazard->node, AlterDomainStmt))
		return pstrdup("Add the constraint as NOT VALID.");
	stmt = (const AlterDomainStmt *) hazard->node;
	domain = NameListToQuotedString(stmt->typeName);
	switch (stmt->subtype)
	{
		case 'C':
			if (((Constraint *) stmt->def)->contype == CONSTR_CHECK)
				return psprintf("The rows that there are cannot be proven while writes go on; new ones are checked, and none is read, with: %s NOT VALID;",
								zdm_sql_trim(ddl->sql));
			/* FALLTHROUGH */
		case 'O':
			return psprintf("The rows that there are cannot be proven while writes go on; new ones are checked, and none is read, with: ALTER DOMAIN %s ADD CHECK (VALUE IS NOT NULL) NOT VALID;",
							domain);
		default:
			return psprintf("Domain %s has no form of this that lets writes through: leave the constraint NOT VALID, which checks new rows, or validate a CHECK of each table in its place.",
							domain);
	}
}

static char *
advise_enum_value_same_transaction(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return pstrdup("Commit before the first use of the value.");
}

static char *
advise_add_enum_value(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return pstrdup("Write the value only when the old version is gone, or teach the old version to read it first.");
}

static char *
advise_noop(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return pstrdup("Leave the statement out: it changes nothing here.");
}

const ZdmAdvice zdm_object_advice[] = {
	{ZDM_RULE_DROP_COLUMN, advise_drop_column},
	{ZDM_RULE_DROP_COLUMN_DROPS_INDEX, advise_drop_column_drops_index},
	{ZDM_RULE_DROP_TABLE, advise_drop_table},
	{ZDM_RULE_DROP_OBJECT_IN_USE, advise_drop_object},
	{ZDM_RULE_DROP_SCHEMA_DATABASE, advise_drop_schema},
	{ZDM_RULE_RENAME_COLUMN, advise_rename_column},
	{ZDM_RULE_RENAME_TABLE, advise_rename_table},
	{ZDM_RULE_RENAME_SCHEMA, advise_rename_schema},
	{ZDM_RULE_RENAME_ENUM_VALUE, advise_rename_enum_value},
	{ZDM_RULE_RENAME_OBJECT, advise_rename_object},
	{ZDM_RULE_SECURITY_CHANGE, advise_security_change},
	{ZDM_RULE_DOMAIN_CONSTRAINT, advise_domain_constraint},
	{ZDM_RULE_ENUM_VALUE_SAME_TRANSACTION, advise_enum_value_same_transaction},
	{ZDM_RULE_ADD_ENUM_VALUE, advise_add_enum_value},
	{ZDM_RULE_NOOP_DDL_TAKES_LOCK, advise_noop},
	{0, NULL}
};
