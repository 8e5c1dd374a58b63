/*-------------------------------------------------------------------------
 *
 * add_column.c
 *	  ALTER TABLE ... ADD COLUMN: when is it more than a line in a catalog?
 *
 * A constant or STABLE default costs nothing: PostgreSQL keeps it beside the
 * table.  What has to be computed for each row rewrites the table, and what
 * has to be proven for each row reads it.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "ddl/ddl.h"
#include "utils/lsyscache.h"

/* What the definition of a new column says, by its constraints */
typedef struct NewColumn
{
	ColumnDef  *def;
	Oid			typid;			/* InvalidOid: a type made in the script */
	Node	   *default_expr;	/* NULL if there is none, or it is NULL */
	bool		not_null;
	bool		serial;
	bool		identity;
	char		generated;		/* as attgenerated */
	bool		is_volatile;	/* of default_expr */
	bool		fills_itself;	/* an INSERT that omits it gets a value */
} NewColumn;

/* The definition of a column that the ALTER TABLE under analysis adds. */
ColumnDef *
ddl_added_column(const ZdmDdl *ddl, const char *name)
{
	ListCell   *lc;

	if (ddl->alter == NULL || name == NULL)
		return NULL;
	foreach(lc, ddl->alter->cmds)
	{
		AlterTableCmd *cmd = lfirst(lc);

		if (cmd->subtype == AT_AddColumn &&
			strcmp(((ColumnDef *) cmd->def)->colname, name) == 0)
			return (ColumnDef *) cmd->def;
	}
	return NULL;
}

/* The DEFAULT of a column definition, or NULL where it is none or is NULL. */
Node *
ddl_coldef_default(const ColumnDef *def)
{
	ListCell   *lc;

	foreach(lc, def->constraints)
	{
		Constraint *con = lfirst(lc);

		if (con->contype == CONSTR_DEFAULT)
			return ddl_expr_is_null_constant(con->raw_expr) ? NULL : con->raw_expr;
	}
	return NULL;
}

static bool
has_constraint(const ColumnDef *def, ConstrType contype)
{
	ListCell   *lc;

	foreach(lc, def->constraints)
	{
		if (((Constraint *) lfirst(lc))->contype == contype)
			return true;
	}
	return false;
}

/* serial or GENERATED ... AS IDENTITY? */
bool
ddl_coldef_is_auto_increment(const ColumnDef *def)
{
	return ddl_type_is_serial(def->typeName) || has_constraint(def, CONSTR_IDENTITY);
}

/* Is it NOT NULL, by word or because something else makes it so? */
static bool
is_not_null(const ColumnDef *def)
{
	return has_constraint(def, CONSTR_NOTNULL) || has_constraint(def, CONSTR_PRIMARY) ||
		ddl_coldef_is_auto_increment(def);
}

static void
resolve_type(ZdmDdl *ddl, const TypeName *typname, Oid *typid, int32 *typmod)
{
	*typid = INT8OID;
	*typmod = -1;
	if (!ddl_type_is_serial(typname))
		(void) ddl_type(ddl, typname, typid, typmod);
}

static char
generated_kind(const ColumnDef *def)
{
	ListCell   *lc;

	foreach(lc, def->constraints)
	{
		Constraint *con = lfirst(lc);

		if (con->contype == CONSTR_GENERATED)
			return compat_generated_kind(con);
	}
	return '\0';
}

/* Has the ALTER TABLE under analysis such a command for the column? */
static bool
has_command(const ZdmDdl *ddl, AlterTableType subtype, const char *name)
{
	ListCell   *lc;

	if (ddl->alter == NULL)
		return false;
	foreach(lc, ddl->alter->cmds)
	{
		AlterTableCmd *cmd = lfirst(lc);

		if (cmd->subtype == subtype && strcmp(cmd->name, name) == 0)
			return true;
	}
	return false;
}

/* The column as the commands of this ALTER TABLE find it: DROP comes first. */
ZdmCol *
ddl_alter_col(ZdmDdl *ddl, ZdmRel *rel, const char *name, bool missing_ok)
{
	ColumnDef  *def = ddl_added_column(ddl, name);
	ZdmCol	   *col;

	if (def == NULL)
	{
		ZdmCol	   *before = ddl_col(ddl, rel, name, missing_ok);

		if (before == NULL || !before->not_null || !has_command(ddl, AT_DropNotNull, name))
			return before;
		col = palloc(sizeof(ZdmCol));
		*col = *before;
		col->not_null = false;
		return col;
	}

	col = palloc0(sizeof(ZdmCol));
	col->name = name;
	resolve_type(ddl, def->typeName, &col->typid, &col->typmod);
	col->collation = get_typcollation(col->typid);
	col->not_null = is_not_null(def);
	col->generated = generated_kind(def);
	col->has_default = ddl_coldef_default(def) != NULL || col->generated != '\0' ||
		ddl_coldef_is_auto_increment(def);
	col->is_new = true;
	return col;
}

/* Likewise, as those find it that come after what the statement drops */
ZdmCol *
ddl_kept_col(ZdmDdl *ddl, ZdmRel *rel, const char *name, bool missing_ok)
{
	if (!has_command(ddl, AT_DropColumn, name) || ddl_added_column(ddl, name) != NULL)
		return ddl_alter_col(ddl, rel, name, missing_ok);
	if (!missing_ok)
		ddl_undefined(ddl, "column \"%s\" of relation \"%s\" does not exist",
					  name, rel->relname);
	return NULL;
}

static void
read_definition(ZdmDdl *ddl, ColumnDef *def, NewColumn *col)
{
	int32		typmod;

	memset(col, 0, sizeof(NewColumn));
	col->def = def;
	resolve_type(ddl, def->typeName, &col->typid, &typmod);
	col->serial = ddl_type_is_serial(def->typeName);
	col->identity = has_constraint(def, CONSTR_IDENTITY);
	col->generated = generated_kind(def);
	col->not_null = is_not_null(def);
	col->default_expr = ddl_coldef_default(def);

	/* a domain can bring a default of its own */
	if (col->default_expr == NULL && OidIsValid(col->typid) &&
		!has_constraint(def, CONSTR_DEFAULT))
	{
		col->default_expr = get_typdefault(col->typid);
		col->is_volatile = col->default_expr != NULL &&
			ddl_is_volatile(col->default_expr);
	}
	else if (col->default_expr != NULL)
		col->is_volatile = ddl_expr_is_volatile(ddl, col->default_expr);
	col->fills_itself = col->default_expr != NULL || col->generated != '\0' ||
		col->serial || col->identity;
}

/* Values that have to be computed for each row. */
static void
find_rewrite(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd, NewColumn *col)
{
	const char *table = ddl_rel_describe(rel);
	const char *name = col->def->colname;

	if (col->serial || col->identity)
		ddl_lock_hazard(ddl, ZDM_RULE_ADD_COLUMN_AUTO_INCREMENT, rel, (Node *) cmd, name,
						"adding %s column \"%s\" would rewrite %s",
						col->serial ? "serial" : "identity", name, table);
	else if (col->generated == ATTRIBUTE_GENERATED_STORED)
		ddl_lock_hazard(ddl, ZDM_RULE_ADD_COLUMN_GENERATED_STORED, rel, (Node *) cmd, name,
						"adding stored generated column \"%s\" would rewrite %s", name, table);
	else if (col->is_volatile)
		ddl_lock_hazard(ddl, ZDM_RULE_ADD_COLUMN_VOLATILE_DEFAULT, rel, (Node *) cmd, name,
						"adding column \"%s\" with a volatile default would rewrite %s",
						name, table);
	else if (col->generated == '\0' && ddl_domain_has_constraints(col->typid))
		ddl_lock_hazard(ddl, ZDM_RULE_ADD_COLUMN_CONSTRAINED_DOMAIN, rel, (Node *) cmd, name,
						"adding column \"%s\" of a domain with constraints would rewrite %s",
						name, table);
	else
		return;
	ddl_rewrite(ddl, rel);
}

/* A CHECK or NOT NULL that PostgreSQL proves by reading every row. */
static void
find_scan(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd, NewColumn *col)
{
	const char *what = NULL;
	ListCell   *lc;

	foreach(lc, col->def->constraints)
	{
		Constraint *con = lfirst(lc);

		if (con->contype == CONSTR_CHECK && compat_constraint_node_is_enforced(con))
			what = "a CHECK constraint";
	}
	if (what == NULL && col->not_null && col->generated == ATTRIBUTE_GENERATED_VIRTUAL)
		what = "NOT NULL";
	if (what != NULL)
	{
		ddl_scan(ddl, rel);
		ddl_lock_hazard(ddl, ZDM_RULE_ADD_COLUMN_INLINE_CHECK, rel, (Node *) cmd,
						col->def->colname,
						"%s on new column \"%s\" would read all of %s",
						what, col->def->colname, ddl_rel_describe(rel));
	}
	else if (col->not_null && !col->fills_itself)
		ddl_scan(ddl, rel);		/* ends in an error at the first row */
}

/* What a client that does not know the column notices of it. */
static void
find_compat(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd, NewColumn *col)
{
	const char *name = col->def->colname;
	ZdmHazard  *hazard;

	if (col->not_null && !col->fills_itself)
	{
		hazard = ddl_hazard(ddl, ZDM_RULE_ADD_REQUIRED_COLUMN, rel, (Node *) cmd, name,
							"NOT NULL column \"%s\" without a default would make each INSERT of old clients into %s fail",
							name, ddl_rel_describe(rel));
		if (hazard != NULL)
			hazard->rejects_writes = true;
	}
	if (col->typid == JSONOID)
		ddl_hazard(ddl, ZDM_RULE_ADD_COLUMN_JSON, rel, (Node *) cmd, name,
				   "column \"%s\" of type json would make SELECT DISTINCT of whole rows of %s fail",
				   name, ddl_rel_describe(rel));
	ddl_hazard(ddl, ZDM_RULE_PREPARED_PLAN_INVALIDATION, rel, (Node *) cmd, name,
			   "prepared statements that select all columns of %s would fail once",
			   ddl_rel_describe(rel));
}

/* Constraints of the definition that have a family of their own. */
static void
find_inline_constraints(ZdmDdl *ddl, ZdmRel *rel, NewColumn *col)
{
	ListCell   *lc;

	foreach(lc, col->def->constraints)
	{
		Constraint *con = lfirst(lc);

		switch (con->contype)
		{
			case CONSTR_UNIQUE:
			case CONSTR_PRIMARY:
				con = copyObject(con);
				con->keys = list_make1(makeString(col->def->colname));
				ddl_add_constraint(ddl, rel, con);
				break;
			case CONSTR_FOREIGN:
				con = copyObject(con);
				con->fk_attrs = list_make1(makeString(col->def->colname));
				ddl_foreign_key(ddl, rel, con, ddl_inline_foreign_key_scans(col->def, con));
				break;
			case CONSTR_CHECK:
				(void) ddl_existing_check_columns(ddl, rel, con->raw_expr);
				break;
			default:
				break;			/* seen above, or nothing to see */
		}
	}
}

/* ADD COLUMN */
void
ddl_add_column(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	ColumnDef  *def = (ColumnDef *) cmd->def;
	bool		has_rows = rel->relkind == RELKIND_RELATION ||
		rel->relkind == RELKIND_PARTITIONED_TABLE;
	NewColumn	col;

	if (cmd->missing_ok && ddl_col(ddl, rel, def->colname, true) != NULL)
	{
		ddl_hazard(ddl, ZDM_RULE_NOOP_DDL_TAKES_LOCK, rel, (Node *) cmd, def->colname,
				   "column \"%s\" of %s exists already: nothing would change, but reads and writes would be blocked for a moment",
				   def->colname, ddl_rel_describe(rel));
		return;
	}

	read_definition(ddl, def, &col);
	if (has_rows)
	{
		find_rewrite(ddl, rel, cmd, &col);
		find_scan(ddl, rel, cmd, &col);
	}
	find_compat(ddl, rel, cmd, &col);
	find_inline_constraints(ddl, rel, &col);
}
