/*-------------------------------------------------------------------------
 *
 * constraint.c
 *	  Adding constraints to a table that exists.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "ddl/ddl.h"

static bool
is_foreign(const ZdmRel *rel)
{
	return rel->relkind == RELKIND_FOREIGN_TABLE || rel->relkind == RELKIND_VIEW;
}

/* For people: the kind of constraint, with its name if it has one. */
static const char *
describe(const Constraint *con)
{
	const char *kind;

	switch (con->contype)
	{
		case CONSTR_CHECK:
			kind = "CHECK constraint";
			break;
		case CONSTR_UNIQUE:
			kind = "UNIQUE constraint";
			break;
		case CONSTR_EXCLUSION:
			kind = "EXCLUDE constraint";
			break;
		default:
			kind = "PRIMARY KEY";
			break;
	}
	if (con->conname != NULL)
		return psprintf("%s \"%s\"", kind, con->conname);
	return psprintf("%s %s", con->contype == CONSTR_EXCLUSION ? "an" : "a", kind);
}

/* Does this statement drop a CHECK of the column?  Dropping comes first. */
static bool
drops_check_of(ZdmDdl *ddl, ZdmRel *rel, const ZdmCol *col)
{
	ListCell   *lc;

	if (ddl->alter == NULL)
		return false;
	foreach(lc, ddl->alter->cmds)
	{
		AlterTableCmd *cmd = lfirst(lc);
		ZdmConstraint *con;

		if (cmd->subtype != AT_DropConstraint)
			continue;
		con = ddl_constraint(rel, cmd->name);
		if (con != NULL && con->contype == CONSTRAINT_CHECK &&
			bms_is_member(col->attnum, ddl_constraint_columns(con)))
			return true;
	}
	return false;
}

/* Would SET NOT NULL have to read the relation or one of its children? */
static bool
not_null_is_unproven(ZdmDdl *ddl, ZdmRel *rel, const char *column)
{
	ListCell   *lc;

	if (ddl_added_column(ddl, column) != NULL)
		return true;
	foreach(lc, ddl_alter_recurses(ddl) ? ddl_rel_tree(ddl, rel) : list_make1(rel))
	{
		ZdmRel	   *member = lfirst(lc);
		ZdmCol	   *col;

		if (is_foreign(member) || member->relkind == RELKIND_PARTITIONED_TABLE)
			continue;
		col = ddl_alter_col(ddl, member, column, true);
		if (col != NULL && !col->not_null &&
			(!ddl_col_proven_not_null(ddl, member, col) || drops_check_of(ddl, member, col)))
			return true;
	}
	return false;
}

/* Does the relation, with all its children, reject NULL in the column now? */
static bool
null_is_rejected(ZdmDdl *ddl, ZdmRel *rel, const char *column)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_tree(ddl, rel))
	{
		ZdmRel	   *member = lfirst(lc);
		ZdmCol	   *col = ddl_col(ddl, member, column, true);

		if (member->relkind == RELKIND_PARTITIONED_TABLE)
			continue;
		if (col == NULL || !ddl_col_rejects_null(ddl, member, col) ||
			drops_check_of(ddl, member, col))
			return false;
	}
	return true;
}

/* ALTER COLUMN ... SET NOT NULL, and the NOT NULL constraints of 18 */
void
ddl_set_not_null(ZdmDdl *ddl, ZdmRel *rel, Node *node, const char *column)
{
	ZdmCol	   *col = ddl_alter_col(ddl, rel, column, false);
	bool		unchecked = IsA(node, Constraint) && ((Constraint *) node)->skip_validation;

	if (col == NULL || (col->not_null && ddl_added_column(ddl, column) == NULL))
		return;
	if (!unchecked && !is_foreign(rel) && not_null_is_unproven(ddl, rel, column))
	{
		ddl_scan(ddl, rel);
		ddl_lock_hazard(ddl, ZDM_RULE_SET_NOT_NULL, rel, node, column,
						"setting column \"%s\" NOT NULL would read all of %s",
						column, ddl_rel_describe(rel));
	}
	if (null_is_rejected(ddl, rel, column))
		return;
	ddl_rejects_old_writers(ddl, rel, node, list_make1(makeString(unconstify(char *, column))),
							CONSTR_NOTNULL, NULL,
							psprintf("NOT NULL of column \"%s\"", column));
}

/* ADD CHECK */
static void
add_check(ZdmDdl *ddl, ZdmRel *rel, Constraint *con)
{
	if (!compat_constraint_node_is_enforced(con))
		return;
	if (!con->skip_validation && !is_foreign(rel))
	{
		ddl_scan(ddl, rel);
		ddl_lock_hazard(ddl, ZDM_RULE_ADD_CHECK_CONSTRAINT, rel, (Node *) con, NULL,
						"adding %s would read all of %s",
						describe(con), ddl_rel_describe(rel));
	}
	ddl_rejects_old_writers(ddl, rel, (Node *) con, NIL, CONSTR_CHECK, con->raw_expr,
							describe(con));
}

/* Is a key column nullable, so that PRIMARY KEY sets it NOT NULL? */
static bool
has_nullable(ZdmDdl *ddl, ZdmRel *rel, List *columns)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		ZdmCol	   *col = ddl_alter_col(ddl, rel, strVal(lfirst(lc)), false);

		if (col != NULL && !col->not_null)
			return true;
	}
	return false;
}

/* Locks on partitions, and on the children of a column that gets NOT NULL */
static void
lock_children_of_key(ZdmDdl *ddl, ZdmRel *rel, Constraint *con)
{
	if (!rel->has_children || !ddl_alter_recurses(ddl))
		return;
	if (rel->relkind == RELKIND_PARTITIONED_TABLE)
		ddl_lock_tree(ddl, rel, COMPAT_INDEX_CONSTRAINT_PARTITION_LOCK);
	if (con->contype == CONSTR_PRIMARY && has_nullable(ddl, rel, con->keys))
		ddl_lock_tree(ddl, rel, AccessExclusiveLock);
}

/* Has the partition a key of its own that is equal? */
static bool
has_equal_key(ZdmRel *partition, const Constraint *con)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_indexes(partition))
	{
		const ZdmIndex *index = lfirst(lc);
		bool		equal = index->is_valid && OidIsValid(index->constraint) &&
			index->is_unique && !index->has_exprs && !index->has_predicate &&
			index->is_primary == (con->contype == CONSTR_PRIMARY) &&
			index->nulls_not_distinct == con->nulls_not_distinct &&
			index->nkeyatts == list_length(con->keys) &&
			index->natts == list_length(con->keys) + list_length(con->including);

		for (int i = 0; equal && i < index->natts; i++)
		{
			List	   *names = i < index->nkeyatts ? con->keys : con->including;
			int			position = i < index->nkeyatts ? i : i - index->nkeyatts;

			equal = index->attnums[i] > 0 &&
				strcmp(ddl_attname(partition, index->attnums[i]),
					   strVal(list_nth(names, position))) == 0;
		}
		if (equal)
			return true;
	}
	return false;
}

/*
 * A partitioned table adopts the keys of its partitions, and builds no index
 * where one has a key.
 */
static bool
is_adopted(ZdmDdl *ddl, ZdmRel *rel, const Constraint *con)
{
	ListCell   *lc;

	if (rel->relkind != RELKIND_PARTITIONED_TABLE)
		return false;
	foreach(lc, ddl_rel_tree(ddl, rel))
	{
		ZdmRel	   *member = lfirst(lc);

		if (member->relkind == RELKIND_RELATION && !ddl_rel_is_small(ddl, ddl_rel_only(member)) &&
			!has_equal_key(member, con))
			return false;
	}
	return true;
}

/* ADD UNIQUE, ADD PRIMARY KEY: builds the index under the statement's lock */
static void
add_key(ZdmDdl *ddl, ZdmRel *rel, Constraint *con)
{
	bool		primary = con->contype == CONSTR_PRIMARY;
	const char *what = describe(con);
	ListCell   *lc;

	foreach(lc, list_concat_copy(con->keys, con->including))
		(void) ddl_kept_col(ddl, rel, strVal(lfirst(lc)), false);

	lock_children_of_key(ddl, rel, con);
	/* ONLY a partitioned table: the index has no storage and stays invalid */
	if ((rel->relkind != RELKIND_PARTITIONED_TABLE || ddl_alter_recurses(ddl)) &&
		!is_adopted(ddl, rel, con))
	{
		ddl_scan(ddl, rel);
		ddl_lock_hazard(ddl, primary ? ZDM_RULE_ADD_PRIMARY_KEY : ZDM_RULE_ADD_UNIQUE_CONSTRAINT,
						rel, (Node *) con, NULL,
						"adding %s would build its index while reads and writes of %s are blocked",
						what, ddl_rel_describe(rel));
	}
	ddl_rejects_old_writers(ddl, rel, (Node *) con, con->keys, con->contype, NULL, what);
}

/* Nullable columns of an index that is to become the primary key */
static List *
nullable_columns(ZdmDdl *ddl, ZdmRel *rel, ZdmRel *indexrel)
{
	List	   *columns = NIL;
	ListCell   *lc;

	foreach(lc, ddl_index_columns(rel, indexrel))
	{
		ZdmCol	   *col = ddl_alter_col(ddl, rel, strVal(lfirst(lc)), true);

		if (col != NULL && !col->not_null)
			columns = lappend(columns, lfirst(lc));
	}
	return columns;
}

/* ADD UNIQUE / PRIMARY KEY USING INDEX; the index rejects duplicates already */
static void
use_index(ZdmDdl *ddl, ZdmRel *rel, Constraint *con)
{
	RangeVar	rv = {.type = T_RangeVar};
	ZdmRel	   *indexrel;
	List	   *columns;
	List	   *rejected = NIL;
	ListCell   *lc;

	rv.schemaname = unconstify(char *, rel->nspname);
	rv.relname = con->indexname;
	indexrel = ddl_rel(ddl, &rv, false);
	if (indexrel == NULL || con->contype != CONSTR_PRIMARY)
		return;
	columns = nullable_columns(ddl, rel, indexrel);
	if (columns == NIL)
		return;

	if (rel->has_children && ddl_alter_recurses(ddl))
		ddl_lock_tree(ddl, rel, AccessExclusiveLock);
	foreach(lc, columns)
	{
		const char *column = strVal(lfirst(lc));

		if (!null_is_rejected(ddl, rel, column))
			rejected = lappend(rejected, lfirst(lc));
	}
	foreach(lc, columns)
	{
		const char *column = strVal(lfirst(lc));

		if (!not_null_is_unproven(ddl, rel, column))
			continue;
		ddl_scan(ddl, rel);
		ddl_lock_hazard(ddl, ZDM_RULE_PRIMARY_KEY_NULLABLE_INDEX, rel, (Node *) con, column,
						"PRIMARY KEY USING INDEX \"%s\" would read all of %s, because column \"%s\" is nullable",
						con->indexname, ddl_rel_describe(rel), column);
		break;
	}
	if (rejected != NIL)
		ddl_rejects_old_writers(ddl, rel, (Node *) con, rejected, CONSTR_NOTNULL, NULL,
								describe(con));
}

/* ADD EXCLUDE */
static void
add_exclusion(ZdmDdl *ddl, ZdmRel *rel, Constraint *con)
{
	List	   *columns = NIL;
	ListCell   *lc;

	foreach(lc, con->exclusions)
	{
		IndexElem  *elem = linitial_node(IndexElem, lfirst(lc));

		if (elem->name != NULL)
			columns = lappend(columns, makeString(elem->name));
	}
	if (rel->relkind == RELKIND_PARTITIONED_TABLE && ddl_alter_recurses(ddl))
		ddl_lock_tree(ddl, rel, COMPAT_INDEX_CONSTRAINT_PARTITION_LOCK);
	ddl_scan(ddl, rel);
	ddl_lock_hazard(ddl, ZDM_RULE_ADD_EXCLUSION_CONSTRAINT, rel, (Node *) con, NULL,
					"adding %s would build its index while reads and writes of %s are blocked",
					describe(con), ddl_rel_describe(rel));
	ddl_rejects_old_writers(ddl, rel, (Node *) con, columns, CONSTR_EXCLUSION, NULL,
							describe(con));
}

/* A primary key that is due for removal is there until then. */
static void
wait_for_old_key(ZdmDdl *ddl, ZdmRel *rel, Constraint *con)
{
	const ZdmConstraint *old = ddl_going_primary_key(ddl, rel);

	if (old != NULL)
		ddl_hazard(ddl, ZDM_RULE_CONSTRAINT_REJECTS_OLD_WRITERS, rel, (Node *) con, NULL,
				   "%s of %s cannot be added before constraint \"%s\", which is due for removal, is gone",
				   describe(con), ddl_rel_describe(rel), old->name);
}

/*
 * ADD CONSTRAINT; also UNIQUE and PRIMARY KEY of an added column, with keys
 * set.
 */
void
ddl_add_constraint(ZdmDdl *ddl, ZdmRel *rel, Constraint *con)
{
	switch (con->contype)
	{
		case CONSTR_CHECK:
			add_check(ddl, rel, con);
			break;
		case CONSTR_FOREIGN:
			ddl_foreign_key(ddl, rel, con,
							!con->skip_validation && compat_constraint_node_is_enforced(con));
			break;
		case CONSTR_UNIQUE:
		case CONSTR_PRIMARY:
			if (con->indexname != NULL)
				use_index(ddl, rel, con);
			else
				add_key(ddl, rel, con);
			if (con->contype == CONSTR_PRIMARY)
				wait_for_old_key(ddl, rel, con);
			break;
		case CONSTR_EXCLUSION:
			add_exclusion(ddl, rel, con);
			break;
		case CONSTR_NOTNULL:	/* a table constraint from 18 on */
			if (con->keys != NIL)
				ddl_set_not_null(ddl, rel, (Node *) con, strVal(linitial(con->keys)));
			break;
		default:
			break;				/* not a constraint of a table */
	}
}
