/*-------------------------------------------------------------------------
 *
 * column_text.c
 *	  The parts of the definition of a new column.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "parser/parser.h"
#include "plan/advice.h"
#include "plan/column_plan.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* The definition parsed from the text of the action alone, or NULL. */
static const ColumnDef *
parse_definition(const char *sql, const AlterTableCmd *cmd)
{
	List	   *stmts = raw_parser(sql, RAW_PARSE_DEFAULT);
	Node	   *stmt = linitial_node(RawStmt, stmts)->stmt;
	const AlterTableCmd *parsed;

	if (list_length(stmts) != 1 || !IsA(stmt, AlterTableStmt) ||
		list_length(((AlterTableStmt *) stmt)->cmds) != 1)
		return NULL;
	parsed = linitial_node(AlterTableCmd, ((AlterTableStmt *) stmt)->cmds);
	return equal(parsed, cmd) ? castNode(ColumnDef, parsed->def) : NULL;
}

/* The type below serial, smallserial and bigserial, or NULL */
static const char *
serial_type(const TypeName *typname)
{
	const char *name;

	if (!ddl_type_is_serial(typname))
		return NULL;
	name = strVal(linitial(typname->names));
	if (strcmp(name, "smallserial") == 0 || strcmp(name, "serial2") == 0)
		return "smallint";
	if (strcmp(name, "bigserial") == 0 || strcmp(name, "serial8") == 0)
		return "bigint";
	return "integer";
}

/* Has the statement the hazard of a volatile default, for this column? */
static bool
has_volatile_default(const ZdmPlan *plan, const AlterTableCmd *cmd)
{
	ListCell   *lc;

	foreach(lc, plan->ddl->hazards)
	{
		const ZdmHazard *hazard = lfirst(lc);

		if (hazard->rule == ZDM_RULE_ADD_COLUMN_VOLATILE_DEFAULT &&
			hazard->node == (const Node *) cmd)
			return true;
	}
	return false;
}

/* What the constraints say of the column */
static void
read_constraints(ZdmNewColumn *col)
{
	bool		has_default = false;
	ListCell   *lc;

	foreach(lc, col->def->constraints)
	{
		const Constraint *con = lfirst(lc);

		switch (con->contype)
		{
			case CONSTR_NULL:
				col->is_nullable_by_word = true;
				break;
			case CONSTR_NOTNULL:
				col->needs_not_null = true;
				break;
			case CONSTR_PRIMARY:
				col->needs_not_null = true;
				col->keys++;
				break;
			case CONSTR_UNIQUE:
				col->keys++;
				break;
			case CONSTR_DEFAULT:
				has_default = true;
				break;
			case CONSTR_IDENTITY:
				col->identity = con;
				break;
			default:
				break;
		}
	}
	if (col->serial_type != NULL || col->identity != NULL)
		col->needs_not_null = true;
	else if (!col->is_volatile)
		col->is_default_free = has_default ? ddl_coldef_default(col->def) != NULL :
			OidIsValid(col->typid) && get_typdefault(col->typid) != NULL;
}

bool
zdm_column_read(ZdmPlan *plan, const AlterTableCmd *cmd, ZdmNewColumn *col)
{
	ZdmDdl		scratch = *plan->ddl;
	const char *action = zdm_sql_action(plan->ddl, unconstify(Node *, (const Node *) cmd));
	int32		typmod;

	if (strcmp(action, plan->ddl->sql) == 0 || pg_strncasecmp(action, "add", 3) != 0)
		return false;
	memset(col, 0, sizeof(ZdmNewColumn));
	col->plan = plan;
	col->cmd = cmd;
	col->text = psprintf("ALTER TABLE t %s", action);
	col->def = parse_definition(col->text, cmd);
	if (col->def == NULL)
		return false;
	col->name = quote_identifier(col->def->colname);
	col->serial_type = serial_type(col->def->typeName);
	if (col->serial_type == NULL &&
		!ddl_type(&scratch, col->def->typeName, &col->typid, &typmod))
		return false;
	col->is_volatile = has_volatile_default(plan, cmd);
	read_constraints(col);
	return true;
}

/* The text from a location up to the next of a constraint, or of COLLATE. */
static char *
slice(const ZdmNewColumn *col, int start, bool with_attributes)
{
	int			end = strlen(col->text);
	ListCell   *lc;

	if (col->def->collClause != NULL && col->def->collClause->location > start)
		end = Min(end, col->def->collClause->location);
	foreach(lc, col->def->constraints)
	{
		const Constraint *con = lfirst(lc);

		if (con->location > start && !(with_attributes && zdm_column_is_attribute(con)))
			end = Min(end, con->location);
	}
	return zdm_sql_trim(pnstrdup(col->text +start, end - start));
}

char *
zdm_column_type(const ZdmNewColumn *col)
{
	char	   *type = slice(col, col->def->typeName->location, false);

	if (col->serial_type == NULL)
		return type;
	type = zdm_sql_skip(type, 1);
	return psprintf("%s%s%s", col->serial_type, *type != '\0' ? " " : "", type);
}

char *
zdm_column_collation(const ZdmNewColumn *col)
{
	return slice(col, col->def->collClause->location, false);
}

char *
zdm_column_constraint(const ZdmNewColumn *col, const Constraint *con)
{
	return slice(col, con->location, true);
}

char *
zdm_column_clause(const ZdmNewColumn *col, const Constraint *con, int count)
{
	return zdm_sql_skip(slice(col, con->location, false), count + (con->conname ? 2 : 0));
}

bool
zdm_column_is_attribute(const Constraint *con)
{
	switch (con->contype)
	{
		case CONSTR_ATTR_DEFERRABLE:
		case CONSTR_ATTR_NOT_DEFERRABLE:
		case CONSTR_ATTR_DEFERRED:
		case CONSTR_ATTR_IMMEDIATE:
			return true;
		default:
			return compat_is_enforced_attribute(con);
	}
}

/* As transformConstraintAttrs() in parse_utilcmd.c has it */
static bool
apply_attribute(Constraint *con, const Constraint *attribute)
{
	if (compat_is_enforced_attribute(attribute))
	{
		compat_apply_enforced_attribute(con, attribute);
		return con->contype == CONSTR_CHECK || con->contype == CONSTR_FOREIGN;
	}
	if (attribute->contype == CONSTR_ATTR_DEFERRABLE ||
		attribute->contype == CONSTR_ATTR_DEFERRED)
		con->deferrable = true;
	if (attribute->contype == CONSTR_ATTR_DEFERRED)
		con->initdeferred = true;
	return con->contype == CONSTR_UNIQUE || con->contype == CONSTR_PRIMARY ||
		con->contype == CONSTR_FOREIGN;
}

Constraint *
zdm_column_table_constraint(const ZdmNewColumn *col, const Constraint *con)
{
	List	   *columns = list_make1(makeString(col->def->colname));
	Constraint *copy = copyObject(unconstify(Constraint *, con));
	bool		follows = false;
	ListCell   *lc;

	if (con->contype == CONSTR_FOREIGN)
		copy->fk_attrs = columns;
	else
		copy->keys = columns;
	foreach(lc, col->def->constraints)
	{
		const Constraint *other = lfirst(lc);

		if (other == con)
			follows = true;
		else if (!zdm_column_is_attribute(other))
			follows = false;
		else if (follows && !apply_attribute(copy, other))
			return NULL;
	}
	return copy;
}
