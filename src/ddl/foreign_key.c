/*-------------------------------------------------------------------------
 *
 * foreign_key.c
 *	  Foreign keys: added by ALTER TABLE, with a column, or with a table.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "ddl/ddl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* The referenced table; a new table may reference itself. */
ZdmRel *
ddl_fk_target(ZdmDdl *ddl, ZdmRel *rel, const Constraint *con)
{
	const RangeVar *target = con->pktable;

	if (rel->is_new && strcmp(target->relname, rel->relname) == 0 &&
		(target->schemaname == NULL || strcmp(target->schemaname, rel->nspname) == 0))
		return rel;
	return ddl_rel(ddl, target, false);
}

/*
 * PostgreSQL does not check a foreign key that comes with a new column,
 * because the column is NULL, unless it has a default, be it NULL; see
 * transformAlterTableStmt() in parse_utilcmd.c.
 */
bool
ddl_inline_foreign_key_scans(const ColumnDef *def, const Constraint *con)
{
	ListCell   *lc;

	if (con->skip_validation || !compat_constraint_node_is_enforced(con))
		return false;
	foreach(lc, def->constraints)
	{
		ConstrType	contype = ((Constraint *) lfirst(lc))->contype;

		if (contype == CONSTR_DEFAULT || contype == CONSTR_GENERATED)
			return true;
	}
	return ddl_coldef_is_auto_increment(def);
}

/* Several referenced tables whose writes one transaction blocks */
static void
note_multiple(ZdmDdl *ddl, ZdmRel *rel, ZdmRel *target, Constraint *con)
{
	List	   *earlier;

	if (target->is_exempt || !OidIsValid(target->relid))
		return;
	earlier = list_concat_unique_oid(list_copy(ddl->xact->fk_targets), ddl->fk_targets);
	if (earlier != NIL && !list_member_oid(earlier, target->relid))
		ddl_hazard(ddl, ZDM_RULE_MULTIPLE_FOREIGN_KEYS, target, (Node *) con, NULL,
				   "writes to %s would be blocked together with those to another referenced table",
				   ddl_rel_describe(target));
	ddl->fk_targets = list_append_unique_oid(ddl->fk_targets, target->relid);
}

/* Do the key columns of an index begin with just these columns? */
static bool
index_begins_with(ZdmDdl *ddl, ZdmRel *rel, const ZdmIndex *index, List *columns)
{
	int			count = list_length(columns);
	Bitmapset  *wanted = NULL;
	ListCell   *lc;

	if (!index->is_valid || index->has_predicate || index->nkeyatts < count)
		return false;
	foreach(lc, columns)
	{
		ZdmCol	   *col = ddl_col(ddl, rel, strVal(lfirst(lc)), true);

		if (col == NULL || col->attnum == 0)
			return false;
		wanted = bms_add_member(wanted, col->attnum);
	}
	for (int i = 0; i < count; i++)
	{
		if (!bms_is_member(index->attnums[i], wanted))
			return false;
	}
	return true;
}

static void
note_missing_index(ZdmDdl *ddl, ZdmRel *rel, Constraint *con)
{
	ListCell   *lc;

	if (rel->is_exempt || con->fk_attrs == NIL)
		return;
	foreach(lc, ddl_rel_indexes(rel))
	{
		if (index_begins_with(ddl, rel, lfirst(lc), con->fk_attrs))
			return;
	}
	ddl_hazard(ddl, ZDM_RULE_FOREIGN_KEY_WITHOUT_INDEX, rel, (Node *) con,
			   strVal(linitial(con->fk_attrs)),
			   "each delete in the referenced table would read all of %s: no index begins with column \"%s\"",
			   ddl_rel_describe(rel), strVal(linitial(con->fk_attrs)));
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
		ZdmIndex   *index = lfirst(lc);

		if (!index->is_primary)
			continue;
		for (int i = 0; i < index->nkeyatts; i++)
			columns = lappend(columns,
							  makeString(unconstify(char *,
													ddl_attname(target, index->attnums[i]))));
	}
	return columns;
}

/* Can the referencing type not hold all that the referenced one can? */
static bool
is_narrower(Oid referencing, Oid referenced)
{
	char		category;
	bool		preferred;

	referencing = getBaseType(referencing);
	referenced = getBaseType(referenced);
	if (referencing == referenced)
		return false;
	if ((referencing == INT2OID || referencing == INT4OID || referencing == INT8OID) &&
		(referenced == INT2OID || referenced == INT4OID || referenced == INT8OID))
		return get_typlen(referencing) < get_typlen(referenced);
	get_type_category_preferred(referencing, &category, &preferred);
	return category == TYPCATEGORY_NUMERIC;
}

static void
note_types(ZdmDdl *ddl, ZdmRel *rel, ZdmRel *target, Constraint *con)
{
	ListCell   *lc;
	ListCell   *lc2;

	if (target == rel)
		return;
	forboth(lc, con->fk_attrs, lc2, referenced_columns(target, con))
	{
		ZdmCol	   *from = ddl_alter_col(ddl, rel, strVal(lfirst(lc)), rel->is_new);
		ZdmCol	   *to = ddl_col(ddl, target, strVal(lfirst(lc2)), target->is_new);

		if (from == NULL || to == NULL || !OidIsValid(from->typid) ||
			!OidIsValid(to->typid) || !is_narrower(from->typid, to->typid))
			continue;
		ddl_hazard(ddl, ZDM_RULE_MISMATCHED_FOREIGN_KEY_TYPE, rel, (Node *) con, from->name,
				   "column \"%s\" of %s has a narrower type than column \"%s\" of %s, which it references",
				   from->name, ddl_rel_describe(rel), to->name, ddl_rel_describe(target));
	}
}

/* Does the constraint have the action, match type and timing that con asks for? */
static bool
has_properties(Oid conoid, const Constraint *con)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(conoid));
	Form_pg_constraint form;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	result = form->confupdtype == con->fk_upd_action &&
		form->confdeltype == con->fk_del_action &&
		form->confmatchtype == con->fk_matchtype &&
		form->condeferrable == con->deferrable &&
		form->condeferred == con->initdeferred;
	ReleaseSysCache(tuple);
	return result;
}

/* Do the names stand for the attribute numbers? */
static bool
are_columns(ZdmRel *rel, List *names, const AttrNumber *attnums, int count)
{
	ListCell   *lc;

	if (list_length(names) != count)
		return false;
	foreach(lc, names)
	{
		const char *name = ddl_attname(rel, attnums[foreach_current_index(lc)]);

		if (name == NULL || strcmp(name, strVal(lfirst(lc))) != 0)
			return false;
	}
	return true;
}

/* Has the partition a valid foreign key of its own that is equal? */
static bool
has_equal_foreign_key(ZdmRel *partition, ZdmRel *target, const Constraint *con)
{
	List	   *referenced = referenced_columns(target, con);
	ListCell   *lc;

	foreach(lc, ddl_rel_constraints(partition))
	{
		const ZdmConstraint *own = lfirst(lc);

		if (own->contype == CONSTRAINT_FOREIGN && own->is_valid &&
			own->confrelid == target->relid && !OidIsValid(own->conparentid) &&
			are_columns(partition, con->fk_attrs, own->conkey, own->nkeys) &&
			are_columns(target, referenced, own->confkey, own->nkeys) &&
			has_properties(own->oid, con))
			return true;
	}
	return false;
}

/*
 * A partitioned table adopts the foreign keys of its partitions, and reads no
 * row of a partition that has one.
 */
static bool
is_adopted(ZdmDdl *ddl, ZdmRel *rel, ZdmRel *target, const Constraint *con)
{
	ListCell   *lc;

	if (rel->relkind != RELKIND_PARTITIONED_TABLE || !OidIsValid(target->relid))
		return false;
	foreach(lc, ddl_rel_tree(ddl, rel))
	{
		ZdmRel	   *member = lfirst(lc);

		if (member->relkind == RELKIND_RELATION && !ddl_rel_is_small(ddl, ddl_rel_only(member)) &&
			!has_equal_foreign_key(member, target, con))
			return false;
	}
	return true;
}

/*
 * A foreign key of rel, which may be new.  scans: PostgreSQL checks the rows
 * that are there.
 */
void
ddl_foreign_key(ZdmDdl *ddl, ZdmRel *rel, Constraint *con, bool scans)
{
	ZdmRel	   *target = ddl_fk_target(ddl, rel, con);
	const char *name = con->conname;

	if (target == NULL)
		return;
	if (target->relkind == RELKIND_PARTITIONED_TABLE)
		ddl_lock_tree(ddl, target, ShareRowExclusiveLock);
	else
		ddl_lock(ddl, target, ShareRowExclusiveLock);

	if (scans && !is_adopted(ddl, rel, target, con))
	{
		ddl_scan(ddl, rel);
		ddl_scan(ddl, target);
		ddl_lock_hazard(ddl, ZDM_RULE_ADD_FOREIGN_KEY, rel, (Node *) con,
						con->fk_attrs != NIL ? strVal(linitial(con->fk_attrs)) : NULL,
						"adding foreign key%s%s%s would read all of %s and block writes to it and to %s",
						name ? " \"" : "", name ? name : "", name ? "\"" : "",
						ddl_rel_describe(rel), ddl_rel_describe(target));
	}
	if (compat_constraint_node_is_enforced(con))
		ddl_rejects_old_writers(ddl, rel, (Node *) con, con->fk_attrs, CONSTR_FOREIGN, NULL,
								name ? psprintf("foreign key \"%s\"", name) : "a foreign key");
	note_types(ddl, rel, target, con);
	note_missing_index(ddl, rel, con);
	note_multiple(ddl, rel, target, con);
}
