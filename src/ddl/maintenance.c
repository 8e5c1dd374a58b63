/*-------------------------------------------------------------------------
 *
 * maintenance.c
 *	  VACUUM, ANALYZE, CLUSTER, REFRESH, TRUNCATE, LOCK, and UPDATE and DELETE
 *	  in a script.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/catalog.h"
#include "catalog/indexing.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_index.h"
#include "catalog/pg_rewrite.h"
#include "commands/dbcommands.h"
#include "ddl/catalog_scan.h"
#include "ddl/ddl.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/*
 * Is an option of a parenthesized list on?  As defGetBoolean(), but what is
 * not understood counts as the preset: the server will complain.
 */
bool
ddl_option_is_on(List *options, const char *name, bool preset)
{
	bool		result = preset;
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, name) != 0)
			continue;
		if (option->arg == NULL)
			result = true;
		else if (IsA(option->arg, Integer))
			result = intVal(option->arg) != 0;
		else if (IsA(option->arg, Boolean))
			result = boolVal(option->arg);
		else if (IsA(option->arg, String) &&
				 !parse_bool(strVal(option->arg), &result))
			result = preset;
	}
	return result;
}

/*
 * Note a lock on each table and materialized view of a schema, or of the
 * whole database if nspoid is InvalidOid.  Returns the largest of them, which
 * is the hazard's example, or NULL if there is none.
 */
ZdmRel *
ddl_lock_all(ZdmDdl *ddl, Oid nspoid, LOCKMODE mode)
{
	ZdmRel	   *largest = NULL;
	ZdmCatalogScan scan;
	HeapTuple	tuple;

	catalog_scan_all(&scan, RelationRelationId);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);
		ZdmRelLock *lock;
		ZdmRel	   *rel;

		CHECK_FOR_INTERRUPTS();
		if ((form->relkind != RELKIND_RELATION && form->relkind != RELKIND_MATVIEW) ||
			(OidIsValid(nspoid) && form->relnamespace != nspoid) ||
			form->relpersistence == RELPERSISTENCE_TEMP ||
			form->oid < FirstNormalObjectId)
			continue;
		rel = ddl_rel_by_oid(ddl, form->oid);
		if (rel == NULL || rel->is_exempt)
			continue;
		rel = ddl_rel_only(rel);

		/* each relation comes once: no need to look for an earlier lock */
		lock = palloc(sizeof(ZdmRelLock));
		lock->rel = rel;
		lock->mode = mode;
		ddl->locks = lappend(ddl->locks, lock);
		if (largest == NULL || ddl_rel_size(ddl, rel) > ddl_rel_size(ddl, largest))
			largest = rel;
	}
	catalog_scan_end(&scan);
	return largest;
}

static void
full_rewrite_hazard(ZdmDdl *ddl, Node *stmt, ZdmRel *rel, const char *what)
{
	ddl_rewrite(ddl, rel);
	ddl_scan(ddl, rel);
	(void) ddl_lock_hazard(ddl, ZDM_RULE_VACUUM_FULL_CLUSTER, rel, stmt, NULL,
						   "%s would rewrite %s and block reads and writes of it",
						   what, ddl_rel_describe(rel));
}

static void
vacuum_one(ZdmDdl *ddl, VacuumStmt *stmt, const VacuumRelation *target, bool full)
{
	ZdmRel	   *rel;

	if (target->relation == NULL)
		return;					/* an OID: autovacuum's own */
	rel = ddl_rel_listed(ddl, target->relation);
	if (rel == NULL)
		return;
	if (!compat_vacuum_descends(rel->relkind, target->relation->inh))
		rel = ddl_rel_only(rel);

	if (full)
	{
		ddl_lock_tree(ddl, rel, AccessExclusiveLock);
		full_rewrite_hazard(ddl, (Node *) stmt, rel, "VACUUM FULL");
	}
	else
	{
		ddl_lock_tree(ddl, rel, ShareUpdateExclusiveLock);
		if (stmt->is_vacuumcmd)
			ddl_scan(ddl, rel);
	}
}

void
ddl_vacuum(ZdmDdl *ddl, Node *node)
{
	VacuumStmt *stmt = castNode(VacuumStmt, node);
	bool		full = stmt->is_vacuumcmd &&
		ddl_option_is_on(stmt->options, "full", false);
	ListCell   *lc;

	/* a transaction for each table, or long under a weak lock */
	ddl->runs_alone = true;
	ddl->commits = full;

	foreach(lc, stmt->rels)
		vacuum_one(ddl, stmt, lfirst_node(VacuumRelation, lc), full);

	if (stmt->rels == NIL)
	{
		ddl->object = psprintf("database \"%s\"", get_database_name(MyDatabaseId));
		if (full)
		{
			ZdmRel	   *largest = ddl_lock_all(ddl, InvalidOid, AccessExclusiveLock);

			if (largest != NULL)
				full_rewrite_hazard(ddl, node, largest, "VACUUM FULL");
		}
	}
}

/* CLUSTER without a name: each table that was clustered before. */
static void
cluster_all(ZdmDdl *ddl, Node *stmt)
{
	List	   *relids = NIL;
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	ListCell   *lc;

	catalog_scan_all(&scan, IndexRelationId);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		if (((Form_pg_index) GETSTRUCT(tuple))->indisclustered)
			relids = lappend_oid(relids, ((Form_pg_index) GETSTRUCT(tuple))->indrelid);
	}
	catalog_scan_end(&scan);

	ddl->object = psprintf("database \"%s\"", get_database_name(MyDatabaseId));
	ddl->runs_alone = true;
	ddl->commits = true;
	foreach(lc, relids)
	{
		ZdmRel	   *rel = ddl_rel_by_oid(ddl, lfirst_oid(lc));

		if (rel == NULL)
			continue;
		ddl_lock(ddl, rel, AccessExclusiveLock);
		full_rewrite_hazard(ddl, stmt, ddl_rel_only(rel), "CLUSTER");
	}
}

void
ddl_cluster(ZdmDdl *ddl, Node *node)
{
	ClusterStmt *stmt = castNode(ClusterStmt, node);
	ZdmRel	   *rel;

	if (stmt->relation == NULL)
	{
		cluster_all(ddl, node);
		return;
	}
	rel = ddl_rel(ddl, stmt->relation, false);
	if (rel == NULL)
		return;
	ddl->object = ddl_rel_describe(rel);
	if (rel->relkind == RELKIND_PARTITIONED_TABLE)
		ddl->runs_alone = ddl->commits = true;
	else
		rel = ddl_rel_only(rel);
	ddl_lock_tree(ddl, rel, AccessExclusiveLock);
	full_rewrite_hazard(ddl, node, rel, "CLUSTER");
}

/* Oids of the relations that a view or materialized view reads. */
static List *
relations_of_view(Oid viewoid)
{
	List	   *rules = NIL;
	List	   *result = NIL;
	ObjectAddress rule;
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	ListCell   *lc;

	catalog_scan_oid(&scan, RewriteRelationId, RewriteRelRulenameIndexId,
					 Anum_pg_rewrite_ev_class, viewoid);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		if (((Form_pg_rewrite) GETSTRUCT(tuple))->ev_type == '1')	/* SELECT */
			rules = lappend_oid(rules, ((Form_pg_rewrite) GETSTRUCT(tuple))->oid);
	}
	catalog_scan_end(&scan);

	foreach(lc, rules)
	{
		ObjectAddressSet(rule, RewriteRelationId, lfirst_oid(lc));
		catalog_scan_depend(&scan, &rule, false);
		while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
		{
			Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

			if (form->refclassid == RelationRelationId && form->refobjid != viewoid)
				result = list_append_unique_oid(result, form->refobjid);
		}
		catalog_scan_end(&scan);
	}
	return result;
}

/*
 * The relations, views seen through, whose size decides how long the query of
 * a view runs.
 */
static List *
tables_behind_view(ZdmDdl *ddl, ZdmRel *view)
{
	List	   *todo = relations_of_view(view->relid);
	List	   *result = NIL;

	/* todo grows while it is read */
	for (int i = 0; i < list_length(todo); i++)
	{
		ZdmRel	   *rel = ddl_rel_by_oid(ddl, list_nth_oid(todo, i));

		CHECK_FOR_INTERRUPTS();
		if (rel == NULL)
			continue;
		if (rel->relkind == RELKIND_VIEW)
			todo = list_concat_unique_oid(todo, relations_of_view(rel->relid));
		else
			result = lappend(result, rel);
	}
	return result;
}

static bool
is_populated(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		result = HeapTupleIsValid(tuple) &&
		((Form_pg_class) GETSTRUCT(tuple))->relispopulated;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return result;
}

/* Is there an index that REFRESH CONCURRENTLY can use? */
static bool
has_refresh_index(ZdmRel *rel)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_indexes(rel))
	{
		ZdmIndex   *index = lfirst(lc);

		if (index->is_unique && index->is_valid && index->amoid == BTREE_AM_OID &&
			!index->has_exprs && !index->has_predicate)
			return true;
	}
	return false;
}

/* The plain form holds ACCESS EXCLUSIVE for as long as the query runs. */
static void
refresh_plainly(ZdmDdl *ddl, Node *stmt, ZdmRel *rel)
{
	bool		is_small = ddl_rel_is_small(ddl, rel);
	ZdmHazard  *hazard;
	ListCell   *lc;

	ddl_rewrite(ddl, rel);
	if (!is_populated(rel->relid))
		return;					/* nobody can read it yet */

	foreach(lc, tables_behind_view(ddl, rel))
	{
		if (!is_small)
			break;
		/* how large a foreign table is, only its server knows */
		is_small = ((ZdmRel *) lfirst(lc))->relkind != RELKIND_FOREIGN_TABLE &&
			ddl_rel_is_small(ddl, lfirst(lc));
	}
	if (is_small)
		return;
	hazard = ddl_hazard(ddl, ZDM_RULE_REFRESH_MATERIALIZED_VIEW, rel, stmt, NULL,
						"refreshing %s would block reads of it while its query runs",
						ddl_rel_describe(rel));
	if (hazard != NULL)
		hazard->warn_outside_window = ddl->in_function && !has_refresh_index(rel);
}

void
ddl_refresh(ZdmDdl *ddl, Node *node)
{
	RefreshMatViewStmt *stmt = castNode(RefreshMatViewStmt, node);
	ZdmRel	   *rel = ddl_rel(ddl, stmt->relation, false);

	if (rel == NULL)
		return;
	ddl->object = ddl_rel_describe(rel);
	if (rel->relkind != RELKIND_MATVIEW || !OidIsValid(rel->relid))
		return;

	if (stmt->concurrent)
	{
		/* EXCLUSIVE lets readers through, and a view has no writers */
		ddl->runs_alone = true;
		ddl_lock(ddl, rel, ExclusiveLock);
		ddl_scan(ddl, rel);
		if (!has_refresh_index(rel))
			(void) ddl_hazard(ddl, ZDM_RULE_CONCURRENTLY_UNSUPPORTED, rel, node, NULL,
							  "%s has no unique index that REFRESH CONCURRENTLY needs",
							  ddl_rel_describe(rel));
		return;
	}

	ddl_lock(ddl, rel, AccessExclusiveLock);
	if (!stmt->skipData)
		refresh_plainly(ddl, node, rel);
	else
	{
		ddl_rewrite(ddl, rel);
		if (is_populated(rel->relid))
			(void) ddl_hazard(ddl, ZDM_RULE_TRUNCATE, rel, node, NULL,
							  "%s would lose its rows and be unreadable until the next refresh",
							  ddl_rel_describe(rel));
	}
}

/* Add the tables that reference one of the set by a foreign key, and so on. */
static List *
add_referencing(ZdmDdl *ddl, List *rels)
{
	List	   *relids = NIL;
	ListCell   *lc;

	foreach(lc, rels)
		relids = lappend_oid(relids, ((ZdmRel *) lfirst(lc))->relid);

	/* rels grows while it is read */
	for (int i = 0; i < list_length(rels); i++)
	{
		CHECK_FOR_INTERRUPTS();
		foreach(lc, ddl_rel_referencing(list_nth(rels, i)))
		{
			ZdmRel	   *rel = ddl_rel_by_oid(ddl, ((ZdmConstraint *) lfirst(lc))->conrelid);
			ListCell   *lc2;

			if (rel == NULL)
				continue;
			foreach(lc2, ddl_rel_tree(ddl, rel))
			{
				ZdmRel	   *member = lfirst(lc2);

				if (list_member_oid(relids, member->relid))
					continue;
				relids = lappend_oid(relids, member->relid);
				rels = lappend(rels, member);
			}
		}
	}
	return rels;
}

/* Partitions are named by their root: say only what the user's names reach. */
static void
truncate_hazard(ZdmDdl *ddl, Node *stmt, ZdmRel *rel, bool cascaded)
{
	if (rel->is_exempt || ddl_rel_size(ddl, rel) == 0)
		return;
	(void) ddl_hazard(ddl, ZDM_RULE_TRUNCATE, rel, stmt, NULL,
					  cascaded ?
					  "TRUNCATE CASCADE would also remove all rows of %s" :
					  "TRUNCATE would remove all rows of %s",
					  ddl_rel_describe(rel));
}

void
ddl_truncate(ZdmDdl *ddl, Node *node)
{
	TruncateStmt *stmt = castNode(TruncateStmt, node);
	List	   *rels = NIL;
	ListCell   *lc;
	int			named;

	foreach(lc, stmt->relations)
	{
		RangeVar   *rv = lfirst_node(RangeVar, lc);
		ZdmRel	   *rel = ddl_rel_listed(ddl, rv);

		if (rel == NULL)
			continue;
		if (!rv->inh && rel->relkind != RELKIND_PARTITIONED_TABLE)
			rel = ddl_rel_only(rel);
		truncate_hazard(ddl, node, rel, false);
		if (OidIsValid(rel->relid))
			rels = list_concat(rels, ddl_rel_tree(ddl, rel));
	}

	named = list_length(rels);
	if (stmt->behavior == DROP_CASCADE)
		rels = add_referencing(ddl, rels);

	foreach(lc, rels)
	{
		ZdmRel	   *rel = lfirst(lc);

		ddl_lock(ddl, rel, AccessExclusiveLock);
		if (stmt->restart_seqs)
			ddl_lock_owned_sequences(ddl, rel);
		if (foreach_current_index(lc) >= named)
			truncate_hazard(ddl, node, ddl_rel_only(rel), true);
	}
}

/* LOCK of a view locks what it reads, too. */
static void
lock_one(ZdmDdl *ddl, ZdmRel *rel, LOCKMODE mode)
{
	ddl_lock_tree(ddl, rel, mode);
	if (rel->relkind == RELKIND_VIEW)
	{
		List	   *todo = list_make1_oid(rel->relid);

		for (int i = 0; i < list_length(todo); i++)
		{
			ZdmRel	   *member = ddl_rel_by_oid(ddl, list_nth_oid(todo, i));

			CHECK_FOR_INTERRUPTS();
			if (member == NULL)
				continue;
			if (member->relkind == RELKIND_VIEW ||
				member->relkind == RELKIND_RELATION ||
				member->relkind == RELKIND_PARTITIONED_TABLE)
				ddl_lock_tree(ddl, member, mode);
			if (member->relkind == RELKIND_VIEW)
				todo = list_concat_unique_oid(todo, relations_of_view(member->relid));
		}
	}
}

void
ddl_lock_table(ZdmDdl *ddl, Node *node)
{
	LockStmt   *stmt = castNode(LockStmt, node);
	ListCell   *lc;

	foreach(lc, stmt->relations)
	{
		RangeVar   *rv = lfirst_node(RangeVar, lc);
		ZdmRel	   *rel = ddl_rel_listed(ddl, rv);

		if (rel == NULL)
			continue;
		lock_one(ddl, rv->inh ? rel : ddl_rel_only(rel), stmt->mode);
		if (stmt->mode >= ShareLock)
			(void) ddl_hazard(ddl, ZDM_RULE_EXPLICIT_LOCK, rel, node, NULL,
							  "LOCK TABLE would block %s %s until the transaction ends",
							  stmt->mode == AccessExclusiveLock ?
							  "reads and writes of" : "writes to",
							  ddl_rel_describe(rel));
	}
}

/* Is a raw condition true for every row, by what it says? */
static bool
is_always_true(Node *expr)
{
	ListCell   *lc;

	while (expr != NULL && IsA(expr, TypeCast))
		expr = ((TypeCast *) expr)->arg;
	if (expr == NULL)
		return true;
	if (IsA(expr, A_Const))
		return !((A_Const *) expr)->isnull && IsA(&((A_Const *) expr)->val, Boolean) &&
			boolVal(&((A_Const *) expr)->val);
	if (IsA(expr, A_Expr))
	{
		A_Expr	   *op = (A_Expr *) expr;

		/* 1 = 1 and the like */
		return op->kind == AEXPR_OP && list_length(op->name) == 1 &&
			strcmp(strVal(linitial(op->name)), "=") == 0 &&
			op->lexpr != NULL && IsA(op->lexpr, A_Const) &&
			!((A_Const *) op->lexpr)->isnull && equal(op->lexpr, op->rexpr);
	}
	if (IsA(expr, BoolExpr) && ((BoolExpr *) expr)->boolop != NOT_EXPR)
	{
		bool		is_or = ((BoolExpr *) expr)->boolop == OR_EXPR;

		foreach(lc, ((BoolExpr *) expr)->args)
		{
			if (is_always_true(lfirst(lc)) == is_or)
				return is_or;
		}
		return !is_or;
	}
	return false;
}

/*
 * UPDATE and DELETE as a script has them, judged without planning.  A session
 * that has run no DDL in its transaction is taken for an application's.
 */
void
ddl_dml(ZdmDdl *ddl, Node *node)
{
	bool		is_update = IsA(node, UpdateStmt);
	RangeVar   *rv;
	Node	   *where;
	ZdmRel	   *rel;

	if (is_update)
	{
		rv = ((UpdateStmt *) node)->relation;
		where = ((UpdateStmt *) node)->whereClause;
	}
	else
	{
		rv = castNode(DeleteStmt, node)->relation;
		where = ((DeleteStmt *) node)->whereClause;
	}
	rel = ddl_rel(ddl, rv, false);
	if (rel == NULL)
		return;
	ddl->object = ddl_rel_describe(rel);
	if (!rv->inh)
		rel = ddl_rel_only(rel);
	ddl_lock_tree(ddl, rel, RowExclusiveLock);
	if (!is_always_true(where) || rel->relkind == RELKIND_VIEW)
		return;

	ddl_scan(ddl, rel);
	if (ddl->xact->has_ddl && !ddl_rel_is_small(ddl, rel))
		(void) ddl_hazard(ddl, ZDM_RULE_BULK_DML, rel, node, NULL,
						  "%s every row of %s in one transaction would hold their locks to its end",
						  is_update ? "updating" : "deleting",
						  ddl_rel_describe(rel));
}
