/*-------------------------------------------------------------------------
 *
 * partition.c
 *	  ATTACH PARTITION, DETACH PARTITION, CREATE TABLE ... PARTITION OF.
 *
 * What is there already is compared with the server's own functions: they want
 * relation cache entries, which can be had without a lock.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/attmap.h"
#include "access/htup_details.h"
#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "ddl/ddl.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

/* As AttachPartitionEnsureIndexes() in tablecmds.c looks for it. */
static Oid
find_index_like(Relation child, Relation parentrel, Relation parentidx, List *taken)
{
	AttrMap    *attmap = compat_attrmap_by_name(RelationGetDescr(child),
												RelationGetDescr(parentrel));
	IndexInfo  *parentinfo = BuildIndexInfo(parentidx);
	bool		is_constraint = OidIsValid(get_index_constraint(RelationGetRelid(parentidx)));
	Oid			found = InvalidOid;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(child))
	{
		Relation	index = RelationIdGetRelation(lfirst_oid(lc));

		if (!RelationIsValid(index))
			continue;
		if (!index->rd_rel->relispartition && index->rd_index->indisvalid &&
			!list_member_oid(taken, lfirst_oid(lc)) &&
			CompareIndexInfo(BuildIndexInfo(index), parentinfo,
							 index->rd_indcollation, parentidx->rd_indcollation,
							 index->rd_opfamily, parentidx->rd_opfamily, attmap) &&
			(!is_constraint || OidIsValid(get_index_constraint(lfirst_oid(lc)))))
			found = lfirst_oid(lc);
		RelationClose(index);
		if (OidIsValid(found))
			break;
	}
	return found;
}

/*
 * The index of the relation that ATTACH takes for that of the parent, or
 * InvalidOid; none of those that stand for other indexes already.
 */
Oid
ddl_index_like(ZdmRel *rel, ZdmRel *parent, Oid parentindex, List *taken)
{
	Relation	parentrel = RelationIdGetRelation(parent->relid);
	Relation	parentidx = RelationIdGetRelation(parentindex);
	Relation	childrel = RelationIdGetRelation(rel->relid);
	Oid			found = InvalidOid;

	if (RelationIsValid(parentrel) && RelationIsValid(parentidx) && RelationIsValid(childrel))
		found = find_index_like(childrel, parentrel, parentidx, taken);
	if (RelationIsValid(childrel))
		RelationClose(childrel);
	if (RelationIsValid(parentidx))
		RelationClose(parentidx);
	if (RelationIsValid(parentrel))
		RelationClose(parentrel);
	return found;
}

/* The indexes of a partitioned table, in the order in which ATTACH takes them. */
List *
ddl_partitioned_indexes(ZdmRel *parent)
{
	Relation	rel = RelationIdGetRelation(parent->relid);
	List	   *result = NIL;
	ListCell   *lc;

	if (!RelationIsValid(rel))
		return NIL;
	foreach(lc, RelationGetIndexList(rel))
	{
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_PARTITIONED_INDEX)
			result = lappend_oid(result, lfirst_oid(lc));
	}
	RelationClose(rel);
	return result;
}

/* A parent's index that ATTACH would build on the relation, or InvalidOid. */
static Oid
missing_index(ZdmRel *parent, ZdmRel *child)
{
	List	   *taken = NIL;
	ListCell   *lc;

	foreach(lc, ddl_partitioned_indexes(parent))
	{
		Oid			found = ddl_index_like(child, parent, lfirst_oid(lc), taken);

		if (!OidIsValid(found))
			return lfirst_oid(lc);
		taken = lappend_oid(taken, found);
	}
	return InvalidOid;
}

/* Do two foreign keys agree in what is not about columns? */
static bool
same_actions(Oid a, Oid b)
{
	HeapTuple	tuple_a = SearchSysCache1(CONSTROID, ObjectIdGetDatum(a));
	HeapTuple	tuple_b = SearchSysCache1(CONSTROID, ObjectIdGetDatum(b));
	bool		same = false;

	if (HeapTupleIsValid(tuple_a) && HeapTupleIsValid(tuple_b))
	{
		Form_pg_constraint form_a = (Form_pg_constraint) GETSTRUCT(tuple_a);
		Form_pg_constraint form_b = (Form_pg_constraint) GETSTRUCT(tuple_b);

		same = form_a->condeferrable == form_b->condeferrable &&
			form_a->condeferred == form_b->condeferred &&
			form_a->confupdtype == form_b->confupdtype &&
			form_a->confdeltype == form_b->confdeltype &&
			form_a->confmatchtype == form_b->confmatchtype;
	}
	if (HeapTupleIsValid(tuple_b))
		ReleaseSysCache(tuple_b);
	if (HeapTupleIsValid(tuple_a))
		ReleaseSysCache(tuple_a);
	return same;
}

/* Has the relation a valid foreign key that ATTACH takes for that of the parent? */
bool
ddl_has_foreign_key_like(ZdmRel *child, ZdmRel *parent, const ZdmConstraint *wanted)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_constraints(child))
	{
		ZdmConstraint *con = lfirst(lc);
		bool		same;

		same = con->contype == CONSTRAINT_FOREIGN && con->is_valid &&
			!OidIsValid(con->conparentid) &&
			con->confrelid == wanted->confrelid && con->nkeys == wanted->nkeys;
		for (int i = 0; same && i < con->nkeys; i++)
			same = con->confkey[i] == wanted->confkey[i] &&
				strcmp(ddl_attname(child, con->conkey[i]),
					   ddl_attname(parent, wanted->conkey[i])) == 0;
		if (same && same_actions(con->oid, wanted->oid))
			return true;
	}
	return false;
}

/*
 * The foreign keys of a partitioned table, without the rows that repeat one
 * of them for each partition of the referenced table.
 */
List *
ddl_own_foreign_keys(ZdmRel *rel)
{
	List	   *constraints = ddl_rel_constraints(rel);
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, constraints)
	{
		ZdmConstraint *con = lfirst(lc);
		bool		repeats = false;
		ListCell   *lc2;

		if (con->contype != CONSTRAINT_FOREIGN)
			continue;
		foreach(lc2, constraints)
			repeats |= ((ZdmConstraint *) lfirst(lc2))->oid == con->conparentid;
		if (!repeats)
			result = lappend(result, con);
	}
	return result;
}

/*
 * The other sides of the parent's foreign keys, in both directions, get
 * triggers for a new partition and lose them with an old one.
 */
static void
lock_foreign_keys(ZdmDdl *ddl, ZdmRel *parent, LOCKMODE referencing_mode)
{
	ListCell   *lc;

	foreach(lc, ddl_own_foreign_keys(parent))
		ddl_lock_tree(ddl, ddl_rel_by_oid(ddl, ((ZdmConstraint *) lfirst(lc))->confrelid),
					  ShareRowExclusiveLock);
	foreach(lc, ddl_rel_referencing(parent))
		ddl_lock(ddl, ddl_rel_by_oid(ddl, ((ZdmConstraint *) lfirst(lc))->conrelid),
				 referencing_mode);
}

/* Partition maintenance is often a scheduled function: see ZdmHazard. */
static void
set_maintenance(ZdmDdl *ddl, ZdmHazard *hazard, const ZdmRel *name)
{
	if (hazard == NULL)
		return;
	hazard->warn_outside_window = ddl->in_function;
	hazard->name = ddl_rel_qualified(name);
}

/* The default partition, if there is one and its rows are read. */
static void
check_default(ZdmDdl *ddl, ZdmRuleId rule, ZdmRel *parent, ZdmRel *dflt, Node *node,
			  PartitionBoundSpec *bound)
{
	if (dflt == NULL || bound->is_default || !ddl_is_read_for_bounds(ddl, parent, dflt, bound, true))
		return;
	ddl_scan(ddl, dflt);
	set_maintenance(ddl,
					ddl_lock_hazard(ddl, rule, dflt, node, NULL,
									"the new partition of %s would have the default %s read while both are locked",
									ddl_rel_describe(parent), ddl_rel_describe(dflt)),
					parent);
}

static ZdmHazard *
child_hazard(ZdmDdl *ddl, ZdmRel *parent, ZdmRel *child, Node *node, const char *why)
{
	ZdmHazard  *hazard;

	ddl_scan(ddl, child);
	hazard = ddl_lock_hazard(ddl, ZDM_RULE_ATTACH_PARTITION, child, node, NULL,
							 "attaching %s to %s would %s while it is locked",
							 ddl_rel_describe(child), ddl_rel_describe(parent), why);
	set_maintenance(ddl, hazard, parent);
	return hazard;
}

/*
 * What is read of the relation that is attached.  The subject says what for:
 * the relation itself for its bounds, or an index or foreign key of the parent.
 */
static void
check_child(ZdmDdl *ddl, ZdmRel *parent, ZdmRel *child, Node *node,
			PartitionBoundSpec *bound)
{
	Oid			indexoid = InvalidOid;
	ZdmHazard  *hazard;
	ListCell   *lc;

	if (ddl_is_read_for_bounds(ddl, parent, child, bound, false))
		(void) child_hazard(ddl, parent, child, node,
							"read all of it to check the partition bounds");
	if (ddl_fits_as_partition(child, parent))
		indexoid = missing_index(parent, child);
	if (OidIsValid(indexoid))
	{
		hazard = child_hazard(ddl, parent, child, node,
							  psprintf("build its part of index \"%s\"",
									   get_rel_name(indexoid)));
		if (hazard != NULL)
			ObjectAddressSet(hazard->subject, RelationRelationId, indexoid);
	}
	foreach(lc, ddl_own_foreign_keys(parent))
	{
		ZdmConstraint *con = lfirst(lc);

		if (ddl_has_foreign_key_like(child, parent, con))
			continue;
		hazard = child_hazard(ddl, parent, child, node,
							  psprintf("check all of it against foreign key \"%s\"",
									   con->name));
		if (hazard != NULL)
			ObjectAddressSet(hazard->subject, ConstraintRelationId, con->oid);
	}
}

/* ALTER TABLE ... ATTACH PARTITION; the caller has locked the parent. */
void
ddl_attach_partition(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	PartitionCmd *attach = castNode(PartitionCmd, cmd->def);
	ZdmRel	   *child = ddl_rel(ddl, attach->name, false);
	ZdmRel	   *dflt = ddl_default_partition(ddl, rel);

	if (child == NULL)
		return;
	ddl_lock_tree(ddl, child, AccessExclusiveLock);
	if (dflt != NULL)
		ddl_lock_tree(ddl, dflt, AccessExclusiveLock);
	lock_foreign_keys(ddl, rel, ShareRowExclusiveLock);
	if (rel->relkind != RELKIND_PARTITIONED_TABLE || child->is_partition ||
		(rel->script == NULL && child->script == NULL && OidIsValid(child->relid) &&
		 OidIsValid(rel->relid) && !ddl_fits_as_partition(child, rel)))
		return;					/* the server's error */

	if (OidIsValid(child->relid) && !child->is_exempt)
	{
		if (OidIsValid(rel->relid))
			check_child(ddl, rel, child, (Node *) cmd, attach->bound);
		else
			ddl_scan(ddl, child);
	}
	check_default(ddl, ZDM_RULE_ATTACH_PARTITION, rel, dflt, (Node *) cmd, attach->bound);
}

/*
 * A foreign key on the partitioned table: no referencing row may be left
 * without its partition, so all of them are read.
 */
static void
check_referencing(ZdmDdl *ddl, ZdmRel *child, Node *node)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_referencing(child))
	{
		ZdmConstraint *con = lfirst(lc);
		ZdmRel	   *referencing = ddl_rel_by_oid(ddl, con->conrelid);

		if (referencing == NULL || !OidIsValid(con->conparentid))
			continue;			/* of the partition itself: it stays */
		ddl_scan(ddl, referencing);
		set_maintenance(ddl,
						ddl_lock_hazard(ddl, ZDM_RULE_DETACH_PARTITION, referencing, node, NULL,
										"detaching %s would read all of %s for rows that reference it",
										ddl_rel_describe(child), ddl_rel_describe(referencing)),
						child);
	}
}

static void
detach_concurrently(ZdmDdl *ddl, ZdmRel *parent, ZdmRel *child, ZdmRel *dflt, Node *node)
{
	ZdmHazard  *hazard = NULL;

	ddl->runs_alone = true;
	if (dflt != NULL)
		hazard = ddl_hazard(ddl, ZDM_RULE_CONCURRENTLY_UNSUPPORTED, parent, node, NULL,
							"a partition of %s cannot be detached concurrently while it has a default partition",
							ddl_rel_describe(parent));
	else if (ddl->in_block)
		hazard = ddl_hazard(ddl, ZDM_RULE_CONCURRENTLY_IN_TRANSACTION, parent, node, NULL,
							"DETACH PARTITION CONCURRENTLY of %s would fail inside a transaction block",
							ddl_rel_describe(child));
	if (hazard != NULL)
		hazard->name = ddl_rel_qualified(child);
}

static void
detach_plainly(ZdmDdl *ddl, ZdmRel *parent, ZdmRel *child, ZdmRel *dflt, Node *node)
{
	ZdmHazard  *hazard;

	hazard = ddl_lock_hazard(ddl, ZDM_RULE_DETACH_PARTITION, parent, node, NULL,
							 "detaching %s would block reads and writes of %s while it waits for running queries",
							 ddl_rel_describe(child), ddl_rel_describe(parent));
	set_maintenance(ddl, hazard, child);

	/* a default partition leaves no other form: brief, under the budget */
	if (hazard != NULL && dflt != NULL)
		hazard->cap = ZDM_SEVERITY_NOTE;
}

/* Is the table, which exists, no partition of that one? */
static bool
is_other_tables(ZdmDdl *ddl, const ZdmRel *rel, ZdmRel *child)
{
	const ZdmRel *parent = ddl_rel_parent(ddl, child);

	if (!child->is_partition && OidIsValid(child->relid))
		return true;
	return child->script == NULL && parent != NULL && parent->relid != rel->relid;
}

/* ALTER TABLE ... DETACH PARTITION [CONCURRENTLY | FINALIZE] */
void
ddl_detach_partition(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	PartitionCmd *detach = castNode(PartitionCmd, cmd->def);
	ZdmRel	   *child = ddl_rel(ddl, detach->name, false);
	ZdmRel	   *dflt = ddl_default_partition(ddl, rel);
	ZdmHazard  *hazard;

	if (child == NULL)
		return;
	ddl_lock_tree(ddl, child, AccessExclusiveLock);
	if (cmd->subtype == AT_DetachPartitionFinalize ||
		is_other_tables(ddl, rel, child))
		return;					/* or the server's error */

	if (!detach->concurrent)
	{
		if (dflt != NULL)
			ddl_lock_tree(ddl, dflt, AccessExclusiveLock);
		lock_foreign_keys(ddl, rel, AccessExclusiveLock);
	}
	if (OidIsValid(child->relid))
		check_referencing(ddl, child, (Node *) cmd);
	if (detach->concurrent)
		detach_concurrently(ddl, rel, child, dflt, (Node *) cmd);
	else
		detach_plainly(ddl, rel, child, dflt, (Node *) cmd);

	if (child->is_exempt)
		return;
	hazard = ddl_hazard(ddl, ZDM_RULE_DETACH_PARTITION_IN_WINDOW, rel, (Node *) cmd, NULL,
						"the rows of %s would vanish from %s for clients that still read them",
						ddl_rel_describe(child), ddl_rel_describe(rel));
	if (hazard != NULL)
	{
		hazard->name = ddl_rel_qualified(child);
		ObjectAddressSet(hazard->subject, RelationRelationId, child->relid);
	}
}

/* CREATE TABLE ... PARTITION OF; if the table exists it fails, but locks first */
void
ddl_create_partition_of(ZdmDdl *ddl, CreateStmt *stmt, bool exists)
{
	ZdmRel	   *parent = ddl_rel(ddl, linitial_node(RangeVar, stmt->inhRelations), false);
	ZdmRel	   *dflt;
	int			hazards = list_length(ddl->hazards);

	if (parent == NULL)
		return;
	dflt = ddl_default_partition(ddl, parent);
	ddl_lock(ddl, parent, AccessExclusiveLock);
	if (dflt != NULL)
		ddl_lock_tree(ddl, dflt, AccessExclusiveLock);
	lock_foreign_keys(ddl, parent, ShareRowExclusiveLock);
	if (exists || parent->relkind != RELKIND_PARTITIONED_TABLE)
		return;					/* the server's error */

	check_default(ddl, ZDM_RULE_CREATE_PARTITION_OF, parent, dflt, (Node *) stmt,
				  stmt->partbound);
	if (list_length(ddl->hazards) == hazards)
	{
		ZdmHazard  *hazard;

		hazard = ddl_lock_hazard(ddl, ZDM_RULE_CREATE_PARTITION_OF, parent, (Node *) stmt, NULL,
								 "creating a partition of %s would block its reads and writes for a moment",
								 ddl_rel_describe(parent));
		set_maintenance(ddl, hazard, parent);
		if (hazard != NULL)
			hazard->cap = ZDM_SEVERITY_NOTE;
	}
}
