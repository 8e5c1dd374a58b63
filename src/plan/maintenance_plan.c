/*-------------------------------------------------------------------------
 *
 * maintenance_plan.c
 *	  Plans of REINDEX, REFRESH MATERIALIZED VIEW and DETACH PARTITION.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "ddl/catalog_scan.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "plan/index_plan.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* The user's options, without CONCURRENTLY, as they stand before the object. */
static char *
reindex_options(const ReindexStmt *stmt)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, stmt->params)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, "concurrently") == 0)
			continue;
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "(",
						 strcmp(option->defname, "verbose") == 0 ? "VERBOSE" :
						 strcmp(option->defname, "tablespace") == 0 ? "TABLESPACE" :
						 quote_identifier(option->defname));
		if (option->arg != NULL)
			appendStringInfo(&buf, " %s", quote_identifier(defGetString(option)));
	}
	if (buf.len > 0)
		appendStringInfoString(&buf, ") ");
	return buf.data;
}

static void
add_reindex(ZdmPlan *plan, const ReindexStmt *stmt, const char *kind, const char *name)
{
	(void) zdm_plan_step(plan, ZDM_PASS_KEY, "REINDEX %s%s CONCURRENTLY %s",
						 reindex_options(stmt), kind, name);
}

/*
 * One index by itself.  That of an exclusion constraint can only be rebuilt
 * under a lock, so where the table is not small there is no plan.
 */
static bool
reindex_index(ZdmPlan *plan, const ReindexStmt *stmt, Oid indexoid)
{
	ZdmDdl		scratch = *plan->ddl;
	ZdmRel	   *index = ddl_rel_by_oid(&scratch, indexoid);
	ZdmIndex   *facts = ddl_index(indexoid);
	ZdmRel	   *table = index ? ddl_index_table(&scratch, index) : NULL;
	ZdmStep    *step;

	if (table == NULL || facts == NULL)
		return false;
	if (!facts->is_exclusion)
	{
		add_reindex(plan, stmt, "INDEX", ddl_rel_qualified(index));
		return true;
	}
	if (!ddl_rel_is_small(&scratch, table))
		return false;
	step = zdm_plan_step(plan, ZDM_PASS_KEY, "REINDEX %sINDEX %s", reindex_options(stmt),
						 ddl_rel_qualified(index));
	step->kind = ZDM_STEP_BRIEF;
	step->lock_mode = AccessExclusiveLock;
	return true;
}

/*
 * The indexes of a table that CONCURRENTLY leaves out: invalid ones, unless
 * they are named, and those of exclusion constraints.
 */
static bool
reindex_left_out(ZdmPlan *plan, const ReindexStmt *stmt, ZdmRel *table)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_indexes(table))
	{
		ZdmIndex   *index = lfirst(lc);

		if ((index->is_exclusion || !index->is_valid) &&
			!reindex_index(plan, stmt, index->indexoid))
			return false;
	}
	return true;
}

static bool
reindex_table(ZdmPlan *plan, const ReindexStmt *stmt, ZdmRel *table)
{
	zdm_plan_target(plan, table);
	if (!reindex_left_out(plan, stmt, table))
		return false;
	add_reindex(plan, stmt, "TABLE", ddl_rel_qualified(table));
	return true;
}

/*
 * Leaf by leaf: even CONCURRENTLY would lock all partitions against writes at
 * its beginning.
 */
static bool
reindex_partitions(ZdmPlan *plan, const ReindexStmt *stmt, ZdmRel *rel)
{
	ZdmDdl		scratch = *plan->ddl;
	ListCell   *lc;

	foreach(lc, ddl_rel_tree(&scratch, rel))
	{
		ZdmRel	   *part = lfirst(lc);

		/* the plain statement does not ask who owns the partitions */
		if (!has_privs_of_role(GetUserId(), part->owner))
			return false;
		if ((part->relkind == RELKIND_RELATION && !reindex_table(plan, stmt, part)) ||
			(part->relkind == RELKIND_INDEX && !reindex_index(plan, stmt, part->relid)))
			return false;
	}
	return true;
}

static bool
reindex_relation(ZdmPlan *plan, const ReindexStmt *stmt)
{
	ZdmDdl		scratch = *plan->ddl;
	ZdmRel	   *rel = ddl_rel(&scratch, stmt->relation, true);

	if (rel == NULL || !OidIsValid(rel->relid))
		return false;
	switch (rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_MATVIEW:
			return reindex_table(plan, stmt, ddl_rel_only(rel));
		case RELKIND_INDEX:
			zdm_plan_target(plan, rel);
			return reindex_index(plan, stmt, rel->relid);
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_PARTITIONED_INDEX:
			return reindex_partitions(plan, stmt, rel);
		default:
			return false;
	}
}

/* Indexes in the schema, or the database, that CONCURRENTLY would leave out */
static List *
left_out(Oid nspoid)
{
	List	   *result = NIL;
	ZdmCatalogScan scan;
	HeapTuple	tuple;

	catalog_scan_all(&scan, IndexRelationId);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_index form = (Form_pg_index) GETSTRUCT(tuple);

		CHECK_FOR_INTERRUPTS();
		if (form->indisvalid && !form->indisexclusion)
			continue;
		if (form->indexrelid < FirstNormalObjectId ||
			get_rel_relkind(form->indexrelid) != RELKIND_INDEX ||
			get_rel_persistence(form->indexrelid) == RELPERSISTENCE_TEMP ||
			get_rel_relkind(form->indrelid) == RELKIND_TOASTVALUE ||
			(OidIsValid(nspoid) && get_rel_namespace(form->indrelid) != nspoid))
			continue;
		result = lappend_oid(result, form->indexrelid);
	}
	catalog_scan_end(&scan);
	return result;
}

static bool
reindex_many(ZdmPlan *plan, const ReindexStmt *stmt)
{
	bool		schema = stmt->kind == REINDEX_OBJECT_SCHEMA;
	Oid			nspoid = schema ? get_namespace_oid(stmt->name, true) : InvalidOid;
	ListCell   *lc;

	if ((schema && !OidIsValid(nspoid)) || stmt->kind == REINDEX_OBJECT_SYSTEM)
		return false;
	foreach(lc, left_out(nspoid))
	{
		ZdmDdl		scratch = *plan->ddl;
		ZdmRel	   *index = ddl_rel_by_oid(&scratch, lfirst_oid(lc));

		/* who owns the schema but not the index cannot name it */
		if (index != NULL &&
			(!has_privs_of_role(GetUserId(), index->owner) ||
			 !reindex_index(plan, stmt, index->relid)))
			return false;
	}
	add_reindex(plan, stmt, schema ? "SCHEMA" : "DATABASE",
				stmt->name ? quote_identifier(stmt->name) : "");
	return true;
}

bool
zdm_plan_reindex(ZdmPlan *plan, const ZdmHazard *hazard)
{
	const ReindexStmt *stmt = castNode(ReindexStmt, hazard->node);

	return stmt->relation != NULL ? reindex_relation(plan, stmt) : reindex_many(plan, stmt);
}

/* Readers go on, if there is a unique index by which rows can be told apart. */
bool
zdm_plan_refresh(ZdmPlan *plan, const ZdmHazard *hazard)
{
	const RefreshMatViewStmt *stmt = castNode(RefreshMatViewStmt, hazard->node);
	ListCell   *lc;

	if (stmt->concurrent || stmt->skipData)
		return false;
	foreach(lc, ddl_rel_indexes(hazard->rel))
	{
		const ZdmIndex *index = lfirst(lc);

		if (index->is_unique && index->is_valid && index->amoid == BTREE_AM_OID &&
			!index->has_exprs && !index->has_predicate)
		{
			zdm_plan_target(plan, hazard->rel);
			(void) zdm_plan_step(plan, ZDM_PASS_KEY, "REFRESH MATERIALIZED VIEW CONCURRENTLY %s",
								 ddl_rel_qualified(hazard->rel));
			return true;
		}
	}
	return false;
}

/* Has an interrupted DETACH CONCURRENTLY left a partition half detached? */
static bool
has_pending_detach(const ZdmRel *parent)
{
	bool		result = false;
	ZdmCatalogScan scan;
	HeapTuple	tuple;

	catalog_scan_oid(&scan, InheritsRelationId, InheritsParentIndexId,
					 Anum_pg_inherits_inhparent, parent->relid);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
		result |= ((Form_pg_inherits) GETSTRUCT(tuple))->inhdetachpending;
	catalog_scan_end(&scan);
	return result;
}

/* Would detaching read tables with foreign keys on the parent? */
static bool
reads_referencing(const ZdmPlan *plan)
{
	ListCell   *lc;

	foreach(lc, plan->ddl->hazards)
	{
		const ZdmHazard *hazard = lfirst(lc);

		if (hazard->rule == ZDM_RULE_DETACH_PARTITION && hazard->rel->relid != plan->rel->relid)
			return true;
	}
	return false;
}

/*
 * DETACH CONCURRENTLY leaves the partition with a CHECK constraint that
 * repeats its bounds, which the plain form does not.
 */
bool
zdm_plan_detach(ZdmPlan *plan, const ZdmHazard *hazard)
{
	const PartitionCmd *cmd = castNode(PartitionCmd, castNode(AlterTableCmd, hazard->node)->def);
	ZdmDdl		scratch = *plan->ddl;
	ZdmRel	   *child = ddl_rel(&scratch, cmd->name, true);
	const char *column;

	if (child == NULL || !OidIsValid(child->relid) || cmd->concurrent ||
		reads_referencing(plan) || has_pending_detach(plan->rel) ||
		ddl_rel_parent(&scratch, child) == NULL ||
		ddl_rel_parent(&scratch, child)->relid != plan->rel->relid)
		return false;
	zdm_plan_target(plan, child);
	(void) zdm_plan_step(plan, ZDM_PASS_PARTITION, "%s DETACH PARTITION %s CONCURRENTLY",
						 zdm_plan_alter(plan), ddl_rel_qualified(child));
	if (ddl_detach_adds_check(child, &column))
		(void) zdm_plan_step(plan, ZDM_PASS_PARTITION, "ALTER TABLE %s DROP CONSTRAINT %s",
							 ddl_rel_qualified(child),
							 quote_identifier(zdm_plan_choose_name(plan, child, column, "check")));
	return true;
}
