/*-------------------------------------------------------------------------
 *
 * names.c
 *	  The names that PostgreSQL would choose, known ahead.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "commands/defrem.h"
#include "ddl/catalog_scan.h"
#include "mb/pg_wchar.h"
#include "plan/constraint_plan.h"
#include "plan/plan.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

/* Is the name, of something in the schema, one of those that the plan makes? */
static bool
is_taken(const ZdmPlan *plan, const char *nspname, const char *name)
{
	const char *qualified = quote_qualified_identifier(nspname, name);
	ListCell   *lc;

	foreach(lc, plan->names)
	{
		if (strcmp(lfirst(lc), qualified) == 0)
			return true;
	}
	foreach(lc, plan->ddl->reserved)
	{
		if (strcmp(lfirst(lc), qualified) == 0)
			return true;
	}
	return false;
}

void
zdm_plan_take_name(ZdmPlan *plan, const ZdmRel *rel, const char *name)
{
	plan->names = lappend(plan->names, quote_qualified_identifier(rel->nspname, name));
}

/* Does the statement drop the constraint with that OID or that index? */
static bool
is_dropped(const ZdmPlan *plan, Oid constraint, Oid index)
{
	ListCell   *lc;

	foreach(lc, plan->dropped)
	{
		const ZdmConstraint *con = lfirst(lc);

		if (con->oid == constraint ||
			(OidIsValid(index) && con->conindid == index && con->contype != CONSTRAINT_FOREIGN))
			return true;
	}
	return false;
}

/* Will a relation have the name when the plan makes something? */
static bool
is_relation(const ZdmPlan *plan, Oid nspoid, const char *name)
{
	Oid			relid = get_relname_relid(name, nspoid);

	return OidIsValid(relid) && !is_dropped(plan, InvalidOid, relid);
}

/* Likewise a constraint, of whatever table or domain in the schema */
static bool
is_constraint(const ZdmPlan *plan, Oid nspoid, const char *name)
{
	ScanKeyData keys[2];
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&keys[0], Anum_pg_constraint_conname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum(name));
	ScanKeyInit(&keys[1], Anum_pg_constraint_connamespace, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(nspoid));
	catalog_scan_keys(&scan, ConstraintRelationId, ConstraintNameNspIndexId, 2, keys);
	while (!found && HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
		found = !is_dropped(plan, ((Form_pg_constraint) GETSTRUCT(tuple))->oid, InvalidOid);
	catalog_scan_end(&scan);
	return found;
}

/* Does PostgreSQL see to it that a name with this label is no relation's? */
static bool
names_relation(const char *label)
{
	return strcmp(label, "idx") == 0 || strcmp(label, "key") == 0 ||
		strcmp(label, "pkey") == 0 || strcmp(label, "excl") == 0 ||
		strcmp(label, "seq") == 0;
}

/*
 * As ChooseRelationName() and ChooseConstraintName(), which number the label
 * until the name is free.
 */
char *
zdm_plan_choose_name(ZdmPlan *plan, const ZdmRel *rel, const char *column, const char *label)
{
	Oid			nspoid = get_namespace_oid(rel->nspname, true);
	bool		as_relation = names_relation(label);
	bool		as_constraint = strcmp(label, "idx") != 0 && strcmp(label, "seq") != 0;
	char		numbered[NAMEDATALEN];
	char	   *name;

	strlcpy(numbered, label, sizeof(numbered));
	for (int pass = 1;; pass++)
	{
		CHECK_FOR_INTERRUPTS();
		name = makeObjectName(rel->relname, column, numbered);
		if (!is_taken(plan, rel->nspname, name) &&
			!(as_relation && OidIsValid(nspoid) && is_relation(plan, nspoid, name)) &&
			!(as_constraint && OidIsValid(nspoid) && is_constraint(plan, nspoid, name)))
			break;
		snprintf(numbered, sizeof(numbered), "%s%d", label, pass);
	}
	zdm_plan_take_name(plan, rel, name);
	return name;
}

/* Has anything that name now, where the plan's table or its children are? */
static bool
is_in_use(const ZdmPlan *plan, const char *name)
{
	ListCell   *lc;

	foreach(lc, zdm_plan_tree(plan))
	{
		ZdmRel	   *rel = lfirst(lc);
		Oid			nspoid = get_namespace_oid(rel->nspname, true);

		if (OidIsValid(nspoid) &&
			(OidIsValid(get_relname_relid(name, nspoid)) || ConstraintNameExists(name, nspoid)))
			return true;
	}
	return false;
}

char *
zdm_plan_spare_name(ZdmPlan *plan, const char *column, const char *label)
{
	char	   *name;

	do
		name = zdm_plan_choose_name(plan, plan->rel, column, label);
	while (is_in_use(plan, name));
	return name;
}

/* Does the command take the constraint away, with the column or by name? */
static bool
drops(const AlterTableCmd *cmd, ZdmRel *rel, const ZdmConstraint *con)
{
	AttrNumber	attnum;

	if (cmd->subtype == AT_DropConstraint)
		return strcmp(cmd->name, con->name) == 0;
	if (cmd->subtype != AT_DropColumn)
		return false;
	attnum = get_attnum(rel->relid, cmd->name);
	return attnum != InvalidAttrNumber && bms_is_member(attnum, ddl_constraint_columns(con));
}

void
zdm_plan_note_dropped(ZdmPlan *plan)
{
	ListCell   *lc;
	ListCell   *lcon;
	ListCell   *lcmd;

	foreach(lc, zdm_plan_tree(plan))
	{
		ZdmRel	   *rel = lfirst(lc);

		foreach(lcon, ddl_rel_constraints(rel))
		{
			ZdmConstraint *con = lfirst(lcon);

			foreach(lcmd, castNode(AlterTableStmt, plan->ddl->stmt)->cmds)
			{
				if (drops(lfirst(lcmd), rel, con))
				{
					plan->dropped = lappend(plan->dropped, con);
					break;
				}
			}
		}
	}
}

/* The column in the name of a CHECK, if it has just one */
static const char *
check_column(const Constraint *con)
{
	List	   *columns = ddl_check_columns(con->raw_expr);

	return list_length(columns) == 1 ? strVal(linitial(columns)) : NULL;
}

/*
 * The columns of an index in its name: as ChooseIndexColumnNames(), which
 * numbers a name that comes again.
 */
static const char *
key_columns(const Constraint *con)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, list_concat_copy(con->keys, con->including))
	{
		const char *column = strVal(lfirst(lc));
		char	   *name = pstrdup(column);

		for (int i = 1; list_member(names, makeString(name)); i++)
		{
			char		number[12];

			snprintf(number, sizeof(number), "%d", i);
			name = psprintf("%.*s%s",
							pg_mbcliplen(column, strlen(column), NAMEDATALEN - 1 - (int) strlen(number)),
							column, number);
		}
		names = lappend(names, makeString(name));
	}
	return zdm_columns_in_name(names);
}

/* The label of the constraint, and what stands before it */
static const char *
label_of(const Constraint *con, const char **column)
{
	*column = NULL;
	switch (con->contype)
	{
		case CONSTR_PRIMARY:
			return "pkey";
		case CONSTR_UNIQUE:
			*column = key_columns(con);
			return "key";
		case CONSTR_FOREIGN:
			*column = zdm_columns_in_name(con->fk_attrs);
			return "fkey";
		case CONSTR_NOTNULL:
			*column = zdm_columns_in_name(con->keys);
			return "not_null";
		case CONSTR_CHECK:
			*column = check_column(con);
			return "check";
		default:
			return NULL;
	}
}

/* The name of a constraint of rel: what it says, or what PostgreSQL chooses */
char *
zdm_plan_name_constraint(ZdmPlan *plan, const ZdmRel *rel, const Constraint *con)
{
	const char *column;
	const char *label = label_of(con, &column);

	if (con->conname == NULL && con->indexname == NULL)
		return label != NULL ? zdm_plan_choose_name(plan, rel, column, label) : NULL;
	zdm_plan_take_name(plan, rel, con->conname ? con->conname : con->indexname);
	return con->conname ? con->conname : con->indexname;
}
