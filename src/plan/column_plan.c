/*-------------------------------------------------------------------------
 *
 * column_plan.c
 *	  Plans for adding columns.
 *
 * The column comes first, with what costs nothing.  A default that has to be
 * computed for each row is set beside it, for new rows, and fills the old
 * ones in batches.  NOT NULL and other constraints follow by their own plans.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "plan/advice.h"
#include "plan/column_plan.h"
#include "plan/constraint_plan.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

static void
set_default(const ZdmNewColumn *col, const char *expression)
{
	zdm_plan_column(col->plan, "ALTER COLUMN %s SET DEFAULT %s", col->name, expression);
}

static char *
nextval_text(const char *sequence)
{
	return psprintf("pg_catalog.nextval(%s::pg_catalog.regclass)",
					quote_literal_cstr(sequence));
}

/* Fill the rows that are there. */
static ZdmStep *
fill(const ZdmNewColumn *col)
{
	return zdm_plan_step(col->plan, ZDM_PASS_BACKFILL, "UPDATE %s SET %s = DEFAULT WHERE %s IS NULL",
						 ddl_rel_qualified(col->plan->rel), col->name, col->name);
}

/*
 * Number the rows, old and new, by a sequence of the plan's own, until there
 * is that of the given name; returns its own name.  Who may insert rows has no right on a sequence that comes to be with
 * the column, be it that an identity needs none, or that it is granted when
 * the statement is done: until then his INSERT has to go on.
 */
static const char *
number_rows(const ZdmNewColumn *col, const char *type, const char *options, const char *name)
{
	ZdmPlan    *plan = col->plan;
	const char *made_as = zdm_plan_spare_name(plan, col->def->colname, "fill_seq");
	const char *sequence = quote_qualified_identifier(plan->rel->nspname, made_as);

	zdm_plan_before_columns(plan, "CREATE SEQUENCE %s AS %s%s", sequence, type, options);
	zdm_plan_before_columns(plan, "GRANT USAGE ON SEQUENCE %s TO PUBLIC", sequence);
	set_default(col, nextval_text(sequence));
	zdm_plan_made_for(fill(col), made_as, name);
	return sequence;
}

/*
 * In the last step the column's own sequence, a regclass, goes on.  It gives
 * the last number once more, for lastval(); but not where a session takes
 * several at once.
 */
static void
hand_over_numbers(ZdmPlan *plan, const char *from, const char *regclass, bool takes_one)
{
	zdm_plan_before_final(plan, "SELECT pg_catalog.setval(%s::pg_catalog.regclass, last_value, %s) FROM %s",
						  regclass, takes_one ? "false" : "is_called", from);
	if (takes_one)
		zdm_plan_before_final(plan, "SELECT pg_catalog.nextval(%s::pg_catalog.regclass) FROM %s WHERE is_called",
							  regclass, from);
	zdm_plan_before_final(plan, "DROP SEQUENCE %s", from);
}

static void
plan_serial(const ZdmNewColumn *col)
{
	ZdmPlan    *plan = col->plan;
	const ZdmRel *rel = plan->rel;
	const char *name = zdm_plan_choose_name(plan, rel, col->def->colname, "seq");
	const char *sequence = quote_qualified_identifier(rel->nspname, name);
	const char *filling;

	zdm_plan_before_columns(plan, "CREATE %sSEQUENCE %s AS %s",
							rel->persistence == RELPERSISTENCE_UNLOGGED ? "UNLOGGED " : "",
							sequence, col->serial_type);
	if (rel->owner != GetUserId())
		zdm_plan_before_columns(plan, "ALTER SEQUENCE %s OWNER TO %s", sequence,
								quote_identifier(GetUserNameFromId(rel->owner, false)));
	zdm_plan_after_columns(plan, "ALTER SEQUENCE %s OWNED BY %s.%s", sequence,
						   ddl_rel_qualified(rel), col->name);
	filling = number_rows(col, col->serial_type, "", name);
	zdm_plan_before_final(plan, "%s ALTER COLUMN %s SET DEFAULT %s",
						  zdm_plan_alter(plan), col->name, nextval_text(sequence));
	hand_over_numbers(plan, filling, quote_literal_cstr(sequence), true);
}

static const DefElem *
identity_option(const ZdmNewColumn *col, const char *name)
{
	ListCell   *lc;

	foreach(lc, col->identity->options)
	{
		if (strcmp(((DefElem *) lfirst(lc))->defname, name) == 0)
			return lfirst(lc);
	}
	return NULL;
}

/* " START 10 CACHE 5", the options of an identity's sequence but its name */
static char *
identity_options(const ZdmNewColumn *col)
{
	List	   *options = col->identity->options;
	char	   *inside = zdm_sql_parenthesis(zdm_column_clause(col, col->identity, 0), "identity");
	const char *at = inside ? strstr(col->text +col->identity->location, inside) : NULL;
	StringInfoData buf;
	ListCell   *lc;

	if (at == NULL && options != NIL)
		return NULL;
	initStringInfo(&buf);
	foreach(lc, options)
	{
		const DefElem *option = lfirst(lc);
		const char *start = col->text +option->location;
		const char *end = at + strlen(inside) - 1;

		if (lnext(options, lc) != NULL)
			end = col->text +((DefElem *) lfirst(lnext(options, lc)))->location;
		if (strcmp(option->defname, "sequence_name") != 0)
			appendStringInfo(&buf, "%s%s", buf.len == 0 ? " " : "", pnstrdup(start, end - start));
	}
	return buf.data;
}

/* The name of the sequence of an identity */
static const char *
identity_sequence(const ZdmNewColumn *col)
{
	const DefElem *option = identity_option(col, "sequence_name");

	if (option != NULL)
		return strVal(llast(castNode(List, option->arg)));
	return zdm_plan_choose_name(col->plan, col->plan->rel, col->def->colname, "seq");
}

/* It can be added when the column is NOT NULL and has no default. */
static bool
plan_identity(const ZdmNewColumn *col)
{
	ZdmPlan    *plan = col->plan;
	const char *options = identity_options(col);
	const char *sequence;

	if (options == NULL)
		return false;
	sequence = number_rows(col, format_type_be(col->typid), options, identity_sequence(col));
	zdm_plan_before_final(plan, "%s ALTER COLUMN %s DROP DEFAULT, ALTER COLUMN %s ADD %s",
						  zdm_plan_alter(plan), col->name, col->name,
						  zdm_column_clause(col, col->identity, 0));
	hand_over_numbers(plan, sequence,
					  psprintf("pg_catalog.pg_get_serial_sequence(%s, %s)",
							   quote_literal_cstr(ddl_rel_qualified(plan->rel)),
							   quote_literal_cstr(col->def->colname)),
					  identity_option(col, "cache") == NULL);
	return true;
}

/* The default of the column, or of its type, which is a domain */
static void
plan_volatile_default(const ZdmNewColumn *col)
{
	ListCell   *lc;

	foreach(lc, col->def->constraints)
	{
		const Constraint *con = lfirst(lc);

		if (con->contype == CONSTR_DEFAULT)
			set_default(col, zdm_column_clause(col, con, 1));
	}
	if (ddl_coldef_default(col->def) == NULL)
		zdm_plan_after_columns(col->plan, "%s ALTER COLUMN %s DROP DEFAULT",
							   zdm_plan_alter(col->plan), col->name);
	fill(col);
}

/* Does the constraint come with the column, as it costs nothing there? */
static bool
comes_with_column(const ZdmNewColumn *col, const Constraint *con)
{
	switch (con->contype)
	{
		case CONSTR_NULL:
		case CONSTR_GENERATED:
			return true;
		case CONSTR_DEFAULT:
			return !col->is_volatile;
		case CONSTR_NOTNULL:
			return col->is_default_free;
		case CONSTR_CHECK:
			return !compat_constraint_node_is_enforced(con);
		case CONSTR_FOREIGN:
			return !ddl_inline_foreign_key_scans(col->def, con);
		default:
			return false;
	}
}

/*
 * PostgreSQL names such a constraint, and the plan names others after that.
 * Where some are enforced and some are not, these are named before their turn.
 */
static char *
constraint_with_column(const ZdmNewColumn *col, const Constraint *con)
{
	ZdmPlan    *plan = col->plan;
	char	   *definition = zdm_column_constraint(col, con);
	ZdmDdl		scratch = *plan->ddl;
	char	   *name;

	if (con->contype != CONSTR_FOREIGN && con->contype != CONSTR_CHECK &&
		!(con->contype == CONSTR_NOTNULL && COMPAT_NOT_NULL_HAS_CONSTRAINT))
		return definition;
	if (con->contype == CONSTR_FOREIGN)
	{
		ZdmRel	   *target = ddl_fk_target(&scratch, plan->rel, con);

		if (target != NULL)
			zdm_plan_target(plan, target);
	}
	name = zdm_plan_name_constraint(plan, plan->rel, con);
	if (con->conname != NULL || compat_constraint_node_is_enforced(con) ||
		con->contype == CONSTR_NOTNULL)
		return definition;
	return psprintf("CONSTRAINT %s %s", quote_identifier(name), definition);
}

/* From 18 on NOT NULL can have a name. */
static bool
plan_not_null(const ZdmNewColumn *col)
{
	const char *alter = zdm_plan_alter(col->plan);
	const char *name = NULL;
	ListCell   *lc;

	if (col->plan->plain)
	{
		Constraint	not_null = {.type = T_Constraint,.contype = CONSTR_NOTNULL};

		col->plan->phase = col->plan->phase_of(col->plan->phase_arg, &not_null);
	}
	foreach(lc, col->def->constraints)
	{
		const Constraint *con = lfirst(lc);

		if (con->contype == CONSTR_NOTNULL && COMPAT_NOT_NULL_HAS_CONSTRAINT)
		{
			if (con->is_no_inherit)
				return false;
			name = con->conname;
		}
	}
	if (name == NULL)
		return zdm_plan_not_null(col->plan, col->def->colname);
	if (col->plan->plain)
		return zdm_plan_plain_constraint(col->plan, ZDM_PASS_CHECK, name,
										 psprintf("NOT NULL %s", col->name));
	zdm_plan_step(col->plan, ZDM_PASS_CHECK, "%s ADD CONSTRAINT %s NOT NULL %s NOT VALID",
				  alter, quote_identifier(name), col->name);
	zdm_plan_step(col->plan, ZDM_PASS_CHECK, "%s VALIDATE CONSTRAINT %s",
				  alter, quote_identifier(name));
	return true;
}

/* A constraint of the table on the new column */
static bool
plan_constraint(const ZdmNewColumn *col, const Constraint *con)
{
	char	   *expression;

	if (col->plan->plain)
		col->plan->phase = col->plan->phase_of(col->plan->phase_arg, con);
	switch (con->contype)
	{
		case CONSTR_UNIQUE:
		case CONSTR_PRIMARY:
			return zdm_plan_key(col->plan, con);
		case CONSTR_FOREIGN:
			return zdm_plan_foreign_key(col->plan, con);
		case CONSTR_CHECK:
			expression = zdm_sql_parenthesis(zdm_column_clause(col, con, 0), "check");
			return expression != NULL && zdm_plan_check(col->plan, con, expression);
		case CONSTR_NOTNULL:
		case CONSTR_DEFAULT:
		case CONSTR_IDENTITY:
			return true;		/* planned already */
		default:
			return false;
	}
}

/* The column itself, and a step or more for each constraint that follows */
static bool
plan_definition(const ZdmNewColumn *col)
{
	bool		says_not_null = false;
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfo(&buf, "ADD COLUMN %s %s", col->name, zdm_column_type(col));
	if (col->def->collClause != NULL)
		appendStringInfo(&buf, " %s", zdm_column_collation(col));
	if (col->is_volatile && ddl_coldef_default(col->def) == NULL)
		appendStringInfoString(&buf, " DEFAULT NULL");	/* not the domain's */
	foreach(lc, col->def->constraints)
	{
		const Constraint *con;

		if (zdm_column_is_attribute(lfirst(lc)))
			continue;
		con = zdm_column_table_constraint(col, lfirst(lc));
		if (con == NULL)
			return false;
		if (comes_with_column(col, con))
			appendStringInfo(&buf, " %s", constraint_with_column(col, con));
		else if (!plan_constraint(col, con))
			return false;
		says_not_null |= con->contype == CONSTR_NOTNULL;
	}
	if (col->needs_not_null && col->is_default_free && !says_not_null)
		appendStringInfoString(&buf, " NOT NULL");
	zdm_plan_column(col->plan, "%s", buf.data);
	return true;
}

/* Are all options those of a plain sequence, or its name? */
static bool
has_plain_options(const Constraint *identity)
{
	static const char *const names[] = {
		"start", "increment", "cache", "cycle", "maxvalue", "minvalue", "sequence_name"
	};
	ListCell   *lc;

	foreach(lc, identity->options)
	{
		bool		found = false;

		for (int i = 0; i < lengthof(names); i++)
			found |= strcmp(((DefElem *) lfirst(lc))->defname, names[i]) == 0;
		if (!found)
			return false;
	}
	return true;
}

/* PostgreSQL cannot give a column an identity in children, or in a partition. */
static bool
identity_reaches_children(const ZdmNewColumn *col)
{
	return list_length(zdm_plan_tree(col->plan)) > 1 &&
		!(COMPAT_IDENTITY_RECURSES &&
		  col->plan->rel->relkind == RELKIND_PARTITIONED_TABLE);
}

/* Has the table a primary key that the statement does not drop? */
static bool
keeps_primary_key(const ZdmPlan *plan)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_constraints(plan->rel))
	{
		const ZdmConstraint *con = lfirst(lc);
		ListCell   *lcmd;
		bool		dropped = false;

		foreach(lcmd, plan->dropped)
			dropped |= ((const ZdmConstraint *) lfirst(lcmd))->oid == con->oid;
		if (con->contype == CONSTRAINT_PRIMARY && !dropped)
			return true;
	}
	return false;
}

/*
 * Does PostgreSQL find fault with the definition before it touches a row?
 * Then it is to say so itself.
 */
static bool
is_faulty(const ZdmNewColumn *col)
{
	bool		fills_itself = col->serial_type != NULL || col->identity != NULL;
	ListCell   *lc;

	if (col->identity != NULL &&
		((col->typid != INT2OID && col->typid != INT4OID && col->typid != INT8OID) ||
		 col->serial_type != NULL || identity_reaches_children(col)))
		return true;
	foreach(lc, col->def->constraints)
	{
		switch (((const Constraint *) lfirst(lc))->contype)
		{
			case CONSTR_DEFAULT:
			case CONSTR_NULL:
				if (fills_itself)
					return true;
				break;
			case CONSTR_PRIMARY:
				if (keeps_primary_key(col->plan))
					return true;
				break;
			default:
				break;
		}
	}
	return false;
}

/* A foreign table cannot be filled from here. */
static bool
can_fill(const ZdmNewColumn *col)
{
	ListCell   *lc;

	foreach(lc, zdm_plan_tree(col->plan))
	{
		ZdmRel	   *member = lfirst(lc);

		if (member->relkind == RELKIND_FOREIGN_TABLE)
			return false;
	}
	return true;
}

/* Does the statement take the default away that it gives? */
static bool
drops_default(const ZdmNewColumn *col)
{
	ListCell   *lc;

	foreach(lc, castNode(AlterTableStmt, col->plan->ddl->stmt)->cmds)
	{
		const AlterTableCmd *cmd = lfirst(lc);

		if (cmd->subtype == AT_ColumnDefault && cmd->def == NULL &&
			strcmp(cmd->name, col->def->colname) == 0)
			return true;
	}
	return false;
}

/* A child that has such a column keeps its own default and values. */
static bool
merges_with_child(const ZdmNewColumn *col)
{
	ZdmDdl		scratch = *col->plan->ddl;
	ListCell   *lc;

	foreach(lc, zdm_plan_tree(col->plan))
	{
		if (ddl_col(&scratch, lfirst(lc), col->def->colname, true) != NULL)
			return true;
	}
	return false;
}

static bool
can_plan(const ZdmNewColumn *col)
{
	bool		is_filled = col->is_volatile || col->serial_type != NULL || col->identity != NULL;
	ListCell   *lc;

	foreach(lc, col->def->constraints)
	{
		const Constraint *con = lfirst(lc);

		if (con->contype == CONSTR_GENERATED &&
			compat_generated_kind(con) == ATTRIBUTE_GENERATED_STORED)
			return false;
	}
	/* one index would do for both keys; PostgreSQL sees to that */
	if (col->keys > 1 || merges_with_child(col) || drops_default(col) ||
		!zdm_plan_keeps_columns(col->plan, list_make1(makeString(col->def->colname))))
		return false;
	if (col->needs_not_null && col->is_nullable_by_word)
		return false;
	if (is_filled && !can_fill(col))
		return false;
	if (col->identity != NULL && !has_plain_options(col->identity))
		return false;
	/* PostgreSQL does not give the sequence to another owner in time */
	if ((col->identity != NULL || col->serial_type != NULL) &&
		zdm_plan_has_command(col->plan, AT_ChangeOwner))
		return false;
	return !ddl_domain_has_constraints(col->typid);
}

/* What an existing column of that name, or one before it, comes to */
static bool
take_over(ZdmPlan *plan, const AlterTableCmd *cmd, bool in_last_step)
{
	const char *action = zdm_sql_action(plan->ddl, unconstify(Node *, (const Node *) cmd));

	if (strcmp(action, plan->ddl->sql) == 0)
		return false;
	if (in_last_step)
		zdm_plan_final(plan, "%s", action);
	else
		zdm_plan_column(plan, "%s", action);
	return true;
}

/* Does the statement drop a column of that name? */
static bool
drops_column(const ZdmPlan *plan, const char *name)
{
	ListCell   *lc;

	foreach(lc, castNode(AlterTableStmt, plan->ddl->stmt)->cmds)
	{
		const AlterTableCmd *cmd = lfirst(lc);

		if (cmd->subtype == AT_DropColumn && strcmp(cmd->name, name) == 0)
			return true;
	}
	return false;
}

bool
zdm_plan_add_column(ZdmPlan *plan, const AlterTableCmd *cmd, bool is_hazardous)
{
	const char *name = castNode(ColumnDef, cmd->def)->colname;
	ZdmDdl		scratch = *plan->ddl;
	ZdmNewColumn col;

	if (castNode(AlterTableStmt, plan->ddl->stmt)->objtype == OBJECT_TYPE)
		return false;			/* ADD ATTRIBUTE */
	if (ddl_col(&scratch, plan->rel, name, true) != NULL)
	{
		plan->columns_are_final |= drops_column(plan, name);
		if (!plan->columns_are_final)
			return take_over(plan, cmd, cmd->missing_ok);	/* skipped, or an error */
	}
	if (plan->columns_are_final)
		return !is_hazardous && take_over(plan, cmd, true);

	if (!zdm_column_read(plan, cmd, &col))
		return false;
	if (is_faulty(&col))
		return take_over(plan, cmd, false);
	if (!can_plan(&col))
		return false;
	if (col.needs_not_null && !col.is_default_free && !plan_not_null(&col))
		return false;
	if (!plan_definition(&col))
		return false;
	plan->phase = ZDM_PHASE_MIGRATE;
	if (col.serial_type != NULL)
		plan_serial(&col);
	else if (col.identity != NULL)
		return plan_identity(&col);
	else if (col.is_volatile)
		plan_volatile_default(&col);
	return true;
}

/* All hazards of a new column together, as plan.c has them planned too */
static bool
add_column(ZdmPlan *plan, const ZdmHazard *hazard)
{
	return zdm_plan_add_column(plan, castNode(AlterTableCmd, hazard->node), true);
}

const ZdmPlanner zdm_column_planners[] = {
	{ZDM_RULE_ADD_COLUMN_VOLATILE_DEFAULT, add_column},
	{ZDM_RULE_ADD_COLUMN_AUTO_INCREMENT, add_column},
	{ZDM_RULE_ADD_COLUMN_INLINE_CHECK, add_column},
	{ZDM_RULE_COUNT, NULL}
};
