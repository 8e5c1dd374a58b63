/*-------------------------------------------------------------------------
 *
 * partitioned_constraint_plan.c
 *	  Keys and foreign keys of partitioned tables.
 *
 * They are made for the partitions that hold rows, one after the other; the
 * partitioned table then adopts those, reading nothing, and chooses the names
 * of what it makes for partitioned partitions.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_partitioned_table.h"
#include "compat.h"
#include "miscadmin.h"
#include "plan/constraint_plan.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* What a partition has for a constraint of the partitioned table */
typedef enum OwnConstraint
{
	OWN_NONE,
	OWN_ADOPTED,				/* PostgreSQL will take it, with all below it */
	OWN_IN_THE_WAY
} OwnConstraint;

/* Does the attribute number of the relation stand for that column? */
static bool
is_column(const ZdmRel *rel, AttrNumber attnum, const ListCell *name)
{
	return attnum != InvalidAttrNumber && attnum == get_attnum(rel->relid, strVal(lfirst(name)));
}

/* How many of the index's columns, from the first on, are those of the list? */
static int
common_columns(const ZdmRel *rel, const ZdmIndex *index, List *columns)
{
	int			count = 0;
	ListCell   *lc;

	foreach(lc, columns)
	{
		if (count >= index->natts || !is_column(rel, index->attnums[count], lc))
			break;
		count++;
	}
	return count;
}

static bool
has_parent(Oid constraint)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = OidIsValid(((Form_pg_constraint) GETSTRUCT(tuple))->conparentid);
	ReleaseSysCache(tuple);
	return result;
}

/* A key of the partition on the same columns, or a primary key */
static OwnConstraint
own_key(const ZdmRel *rel, const ZdmIndex *index, const Constraint *con)
{
	List	   *columns = list_concat_copy(con->keys, con->including);
	bool		primary = con->contype == CONSTR_PRIMARY;
	bool		same = common_columns(rel, index, columns) == list_length(columns) &&
		index->natts == list_length(columns) && index->nkeyatts == list_length(con->keys);

	if (!OidIsValid(index->constraint) || has_parent(index->constraint))
		return primary && index->is_primary ? OWN_IN_THE_WAY : OWN_NONE;
	if (same && index->is_valid && index->is_primary == primary &&
		index->nulls_not_distinct == con->nulls_not_distinct && !index->is_exclusion)
		return OWN_ADOPTED;
	return same || (primary && index->is_primary) ? OWN_IN_THE_WAY : OWN_NONE;
}

static OwnConstraint
own_keys(ZdmRel *rel, const Constraint *con)
{
	OwnConstraint result = OWN_NONE;
	ListCell   *lc;

	foreach(lc, ddl_rel_indexes(rel))
	{
		OwnConstraint own = own_key(rel, lfirst(lc), con);

		/* of two it is not known here which is taken */
		if (own == OWN_IN_THE_WAY || (own == OWN_ADOPTED && result == OWN_ADOPTED))
			return OWN_IN_THE_WAY;
		if (own == OWN_ADOPTED)
			result = OWN_ADOPTED;
	}
	return result;
}

/* Are the columns of a foreign key those of the statement's? */
static bool
same_foreign_key_columns(const ZdmRel *rel, const ZdmRel *target, const ZdmConstraint *fk,
						 const Constraint *con, List *referenced)
{
	ListCell   *lc;
	ListCell   *lc2;
	int			i = 0;

	if (fk->confrelid != target->relid || fk->nkeys != list_length(con->fk_attrs) ||
		list_length(referenced) != fk->nkeys)
		return false;
	forboth(lc, con->fk_attrs, lc2, referenced)
	{
		if (!is_column(rel, fk->conkey[i], lc) || !is_column(target, fk->confkey[i], lc2))
			return false;
		i++;
	}
	return true;
}

/* As tryAttachPartitionForeignKey() in tablecmds.c looks at it */
static bool
is_adopted(const ZdmConstraint *fk, const Constraint *con)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(fk->oid));
	Form_pg_constraint form;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	result = !OidIsValid(form->conparentid) && form->convalidated &&
		form->condeferrable == con->deferrable && form->condeferred == con->initdeferred &&
		form->confupdtype == con->fk_upd_action && form->confdeltype == con->fk_del_action &&
		form->confmatchtype == con->fk_matchtype;
	ReleaseSysCache(tuple);
	return result;
}

/* A foreign key of the partition that is adopted, or the parent's name in use */
static OwnConstraint
own_foreign_keys(ZdmRel *rel, ZdmRel *target, const Constraint *con, const char *name)
{
	List	   *referenced = con->pk_attrs;
	OwnConstraint result = OWN_NONE;
	ListCell   *lc;

	foreach(lc, referenced == NIL ? ddl_rel_indexes(target) : NIL)
	{
		const ZdmIndex *index = lfirst(lc);

		for (int i = 0; index->is_primary && i < index->nkeyatts; i++)
			referenced = lappend(referenced,
								 makeString(unconstify(char *, ddl_attname(target, index->attnums[i]))));
	}
	foreach(lc, ddl_rel_constraints(rel))
	{
		const ZdmConstraint *fk = lfirst(lc);

		if (fk->contype == CONSTRAINT_FOREIGN && is_adopted(fk, con) &&
			same_foreign_key_columns(rel, target, fk, con, referenced))
			return OWN_ADOPTED;
		if (strcmp(fk->name, name) == 0)
			result = OWN_IN_THE_WAY;
	}
	return result;
}

bool
zdm_plan_is_owned(const ZdmRel *rel)
{
	return object_ownercheck(RelationRelationId, rel->relid, GetUserId());
}

/* Note all of a subtree as cared for. */
static List *
skip_tree(const ZdmPlan *plan, List *skipped, ZdmRel *rel)
{
	ZdmDdl		scratch = *plan->ddl;
	ListCell   *lc;

	foreach(lc, ddl_rel_tree(&scratch, rel))
		skipped = lappend_oid(skipped, ((ZdmRel *) lfirst(lc))->relid);
	return skipped;
}

/* Does PostgreSQL refuse the key, because it lacks a column of the partition key? */
bool
zdm_plan_lacks_partition_key(const ZdmRel *rel, const Constraint *con)
{
	HeapTuple	tuple = SearchSysCache1(PARTRELID, ObjectIdGetDatum(rel->relid));
	Form_pg_partitioned_table form;
	bool		lacks = false;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_partitioned_table) GETSTRUCT(tuple);
	for (int i = 0; i < form->partnatts && !lacks; i++)
	{
		bool		found = false;
		ListCell   *lc;

		foreach(lc, con->keys)
			found |= is_column(rel, form->partattrs.values[i], lc);
		lacks = !found;
	}
	ReleaseSysCache(tuple);
	return lacks;
}

/*
 * Build the indexes of the partitions and make them constraints, the latter in
 * the last step, so that the NOT NULL of a primary key need not be undone.
 */
bool
zdm_plan_partition_keys(ZdmPlan *plan, const Constraint *con)
{
	Constraint	unnamed = *con;
	List	   *skipped = NIL;
	ListCell   *lc;

	unnamed.conname = NULL;
	foreach(lc, zdm_plan_tree(plan))
	{
		ZdmRel	   *rel = lfirst(lc);
		OwnConstraint own;
		char	   *name;

		if (rel->relid == plan->rel->relid || list_member_oid(skipped, rel->relid))
			continue;
		own = own_keys(rel, con);
		if (own == OWN_IN_THE_WAY || rel->relkind == RELKIND_FOREIGN_TABLE)
			return false;
		if (own == OWN_ADOPTED)
			skipped = skip_tree(plan, skipped, rel);
		else if (rel->relkind != RELKIND_PARTITIONED_TABLE)
		{
			if (!zdm_plan_is_owned(rel))
				return false;
			name = zdm_plan_name_constraint(plan, rel, &unnamed);
			zdm_plan_target(plan, rel);
			(void) zdm_plan_build_key(plan, rel, name, con);
			zdm_plan_before_final(plan, "ALTER TABLE %s %s", ddl_rel_qualified(rel),
								  zdm_using_index_text(con, name, name));
		}
	}
	return true;
}

/*
 * Before 18 a partitioned table takes no foreign key that is NOT VALID.  Those
 * of the partitions have the name that they would get from it.
 */
bool
zdm_plan_partition_foreign_keys(ZdmPlan *plan, const Constraint *con, ZdmRel *target,
								const char *name, const char *definition)
{
	List	   *skipped = NIL;
	ListCell   *lc;

	foreach(lc, zdm_plan_tree(plan))
	{
		ZdmRel	   *rel = lfirst(lc);
		OwnConstraint own;

		if (rel->relid == plan->rel->relid || list_member_oid(skipped, rel->relid))
			continue;
		own = own_foreign_keys(rel, target, con, name);
		if (own == OWN_ADOPTED)
			skipped = skip_tree(plan, skipped, rel);
		else if (rel->relkind != RELKIND_PARTITIONED_TABLE)
		{
			if (rel->relkind != RELKIND_RELATION || !zdm_plan_is_owned(rel))
				return false;
			zdm_plan_target(plan, rel);
			(void) zdm_plan_validated(plan, ZDM_PASS_FOREIGN_KEY,
									  psprintf("ALTER TABLE %s", ddl_rel_qualified(rel)),
									  own == OWN_NONE ? name :
									  zdm_plan_choose_name(plan, rel, zdm_columns_in_name(con->fk_attrs),
														   "fkey"),
									  definition);
		}
	}
	zdm_plan_step(plan, ZDM_PASS_FOREIGN_KEY, "%s ADD CONSTRAINT %s %s",
				  zdm_plan_alter(plan), quote_identifier(name), definition);
	return true;
}
