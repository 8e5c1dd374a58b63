/*-------------------------------------------------------------------------
 *
 * index.c
 *	  CREATE INDEX, DROP INDEX and REINDEX.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "ddl/ddl.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/*
 * Does the default of an existing column give every row a value of its own?
 * Of a column that the script made it is not known: no.
 */
static bool
col_default_is_volatile(const ZdmRel *rel, const ZdmCol *col)
{
	Node	   *expr;

	if (col->identity != '\0')
		return true;
	if (!col->has_default)
		return false;
	expr = ddl_col_stored_default(rel, col);
	return expr != NULL && contain_volatile_functions(expr);
}

/* The index as a message names it; it may have no name yet. */
static const char *
describe_new_index(const IndexStmt *stmt)
{
	return stmt->idxname ? psprintf("index \"%s\"", stmt->idxname) : "an index";
}

/* Note the columns that the index names and the table lacks. */
static void
check_index_columns(ZdmDdl *ddl, ZdmRel *rel, const IndexStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, list_concat_copy(stmt->indexParams, stmt->indexIncludingParams))
	{
		IndexElem  *elem = lfirst_node(IndexElem, lc);

		if (elem->name != NULL)
			(void) ddl_col(ddl, rel, elem->name, false);
	}
}

/*
 * Can an INSERT that does not name the column repeat a key?  NULLs never
 * collide unless the index says so, and a volatile default (a sequence, a
 * random UUID) is taken to give another value each time.
 */
static bool
default_may_collide(const ZdmRel *rel, const ZdmCol *col, bool nulls_not_distinct)
{
	if (!col->has_default)
		return nulls_not_distinct;
	return !col_default_is_volatile(rel, col);
}

/*
 * A unique index rejects what the old version may still write.  On a column
 * born in the window that is so only if the column's default repeats; of
 * several columns one whose default never repeats is enough to tell rows of
 * old writers apart.
 */
static void
check_unique(ZdmDdl *ddl, ZdmRel *rel, IndexStmt *stmt)
{
	const char *column = NULL;
	bool		may_collide = true;
	AttrNumber	youngest = InvalidAttrNumber;
	ZdmHazard  *hazard;
	ListCell   *lc;

	foreach(lc, stmt->indexParams)
	{
		IndexElem  *elem = lfirst_node(IndexElem, lc);
		ZdmCol	   *col;
		bool		collides;

		if (elem->name == NULL)
			continue;
		col = ddl_col(ddl, rel, elem->name, true);
		if (col == NULL)
			continue;
		collides = default_may_collide(rel, col, stmt->nulls_not_distinct);
		if (column == NULL || (may_collide && !collides) ||
			(may_collide == collides && col->attnum > youngest))
		{
			column = elem->name;
			may_collide = collides;
			youngest = col->attnum;
		}
	}

	hazard = ddl_hazard(ddl, ZDM_RULE_CONSTRAINT_REJECTS_OLD_WRITERS, rel,
						(Node *) stmt, column,
						"%s would reject rows that clients may still write to %s",
						stmt->idxname ?
						psprintf("unique index \"%s\"", stmt->idxname) :
						"a unique index",
						ddl_rel_describe(rel));
	if (hazard != NULL)
	{
		hazard->name = stmt->idxname;
		hazard->rejects_writes = may_collide;
	}
}

/* IF NOT EXISTS, and the name is taken: nothing is built. */
static void
found_existing_index(ZdmDdl *ddl, ZdmRel *rel, IndexStmt *stmt, ZdmRel *existing)
{
	ZdmIndex   *index = NULL;
	ZdmHazard  *hazard;

	if (OidIsValid(existing->relid) &&
		(existing->relkind == RELKIND_INDEX ||
		 existing->relkind == RELKIND_PARTITIONED_INDEX))
		index = ddl_index(existing->relid);

	if (index != NULL && !index->is_valid)
		hazard = ddl_hazard(ddl, ZDM_RULE_INVALID_INDEX, rel, (Node *) stmt, NULL,
							"IF NOT EXISTS would leave the invalid index \"%s\" of %s as it is",
							stmt->idxname, ddl_rel_describe(rel));
	else
		hazard = ddl_hazard(ddl, ZDM_RULE_NOOP_DDL_TAKES_LOCK, rel, (Node *) stmt, NULL,
							"relation \"%s\" exists, but the statement locks %s all the same",
							stmt->idxname, ddl_rel_describe(rel));
	if (hazard != NULL)
		hazard->name = quote_qualified_identifier(existing->nspname,
												  existing->relname);
}

/* CONCURRENTLY: no hazard but where PostgreSQL refuses it. */
static void
create_concurrently(ZdmDdl *ddl, ZdmRel *rel, IndexStmt *stmt)
{
	ZdmHazard  *hazard;

	ddl->runs_alone = true;
	if (rel->relkind == RELKIND_PARTITIONED_TABLE)
		hazard = ddl_hazard(ddl, ZDM_RULE_CONCURRENTLY_UNSUPPORTED, rel,
							(Node *) stmt, NULL,
							"an index on partitioned %s cannot be built concurrently",
							ddl_rel_describe(rel));
	else if (ddl->in_block)
		hazard = ddl_hazard(ddl, ZDM_RULE_CONCURRENTLY_IN_TRANSACTION, rel,
							(Node *) stmt, NULL,
							"CREATE INDEX CONCURRENTLY on %s would fail inside a transaction block",
							ddl_rel_describe(rel));
	else
		return;
	if (hazard != NULL)
		hazard->name = stmt->idxname;
}

/* Is an index of the default operator classes and the columns' collations? */
static bool
has_default_opclasses(const ZdmRel *rel, const ZdmIndex *index)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index->indexoid));
	oidvector  *opclasses;
	oidvector  *collations;
	bool		isnull;
	bool		result = true;

	if (!HeapTupleIsValid(tuple))
		return false;
	opclasses = (oidvector *) DatumGetPointer(SysCacheGetAttr(INDEXRELID, tuple,
															  Anum_pg_index_indclass, &isnull));
	collations = (oidvector *) DatumGetPointer(SysCacheGetAttr(INDEXRELID, tuple,
															   Anum_pg_index_indcollation, &isnull));
	for (int i = 0; i < index->nkeyatts && result; i++)
	{
		Oid			typid;
		int32		typmod;
		Oid			collation;

		get_atttypetypmodcoll(rel->relid, index->attnums[i], &typid, &typmod, &collation);
		result = opclasses->values[i] == GetDefaultOpClass(typid, index->amoid) &&
			collations->values[i] == collation;
	}
	ReleaseSysCache(tuple);
	return result;
}

/* Is the index one that CREATE INDEX on the parent would take as its part? */
static bool
index_fits(ZdmRel *rel, const ZdmIndex *index, const IndexStmt *stmt, Oid amoid)
{
	List	   *elems = list_concat_copy(stmt->indexParams, stmt->indexIncludingParams);

	if (!index->is_valid || index->has_exprs || index->has_predicate ||
		index->is_exclusion || index->amoid != amoid ||
		index->is_unique != stmt->unique ||
		index->nulls_not_distinct != stmt->nulls_not_distinct ||
		index->natts != list_length(elems) ||
		index->nkeyatts != list_length(stmt->indexParams) ||
		get_rel_relispartition(index->indexoid))
		return false;
	for (int i = 0; i < index->natts; i++)
	{
		IndexElem  *elem = list_nth_node(IndexElem, elems, i);

		if (elem->name == NULL || elem->opclass != NIL || elem->collation != NIL ||
			strcmp(elem->name, ddl_attname(rel, index->attnums[i])) != 0)
			return false;
	}
	return has_default_opclasses(rel, index);
}

/*
 * Has every partition an index already that the new one only has to take in,
 * so that nothing is built?  Only simple definitions are compared.
 */
static bool
partitions_have_index(ZdmDdl *ddl, ZdmRel *rel, const IndexStmt *stmt)
{
	Oid			amoid = get_index_am_oid(stmt->accessMethod, true);
	ListCell   *lc;

	if (stmt->whereClause != NULL || !OidIsValid(amoid))
		return false;
	foreach(lc, ddl_rel_tree(ddl, rel))
	{
		ZdmRel	   *leaf = lfirst(lc);
		bool		found = false;
		ListCell   *lc2;

		if (leaf->relkind != RELKIND_RELATION)
			continue;
		foreach(lc2, ddl_rel_indexes(leaf))
			found |= index_fits(leaf, lfirst(lc2), stmt, amoid);
		if (!found)
			return false;
	}
	return true;
}

static bool
has_foreign_partition(ZdmDdl *ddl, ZdmRel *rel)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_tree(ddl, rel))
	{
		if (((ZdmRel *) lfirst(lc))->relkind == RELKIND_FOREIGN_TABLE)
			return true;
	}
	return false;
}

/* The plain form: a build under SHARE, on each partition in turn. */
static void
create_plainly(ZdmDdl *ddl, ZdmRel *rel, IndexStmt *stmt)
{
	bool		partitioned = rel->relkind == RELKIND_PARTITIONED_TABLE;
	ZdmHazard  *hazard;

	if (partitioned && !(stmt->relation->inh && rel->has_children))
		return;					/* catalog rows only */
	if (partitioned && partitions_have_index(ddl, rel, stmt))
		return;
	if (partitioned && stmt->unique && has_foreign_partition(ddl, rel))
		return;					/* the server's error */

	ddl_scan(ddl, rel);
	hazard = ddl_lock_hazard(ddl, ZDM_RULE_CREATE_INDEX,
							 partitioned ? rel : ddl_rel_only(rel),
							 (Node *) stmt, NULL,
							 "building %s would block writes to %s",
							 describe_new_index(stmt), ddl_rel_describe(rel));
	if (hazard != NULL)
		hazard->name = stmt->idxname;
}

void
ddl_create_index(ZdmDdl *ddl, Node *node)
{
	IndexStmt  *stmt = castNode(IndexStmt, node);
	ZdmRel	   *rel = ddl_rel(ddl, stmt->relation, false);
	ZdmRel	   *existing = NULL;
	LOCKMODE	mode = stmt->concurrent ? ShareUpdateExclusiveLock : ShareLock;

	if (rel == NULL)
		return;
	ddl->object = ddl_rel_describe(rel);
	check_index_columns(ddl, rel, stmt);
	if (ddl->undefined != NULL)
	{
		ddl_lock(ddl, rel, mode);
		return;					/* the server's error, found before a build */
	}

	if (stmt->idxname != NULL)
	{
		RangeVar   *name = makeRangeVar((char *) rel->nspname, stmt->idxname, -1);

		existing = ddl_rel(ddl, name, true);
	}
	if (existing != NULL)
	{
		/* a duplicate name is an error of the server's, found before a build */
		ddl_lock(ddl, rel, mode);
		ddl->runs_alone = stmt->concurrent;
		if (stmt->if_not_exists)
			found_existing_index(ddl, rel, stmt, existing);
		return;
	}

	if (rel->relkind == RELKIND_PARTITIONED_TABLE && stmt->relation->inh &&
		!stmt->concurrent)
		ddl_lock_tree(ddl, rel, mode);
	else
		ddl_lock(ddl, rel, mode);

	if (stmt->concurrent)
	{
		if (rel->relkind != RELKIND_PARTITIONED_TABLE)
			ddl_scan(ddl, rel);
		create_concurrently(ddl, rel, stmt);
	}
	else
		create_plainly(ddl, rel, stmt);
	if (stmt->unique)
		check_unique(ddl, rel, stmt);

	if (list_member_oid(ddl->xact->dropped_indexes, rel->relid))
		(void) ddl_hazard(ddl, ZDM_RULE_REPLACE_INDEX, rel, (Node *) stmt, NULL,
						  "queries on %s have neither the dropped index nor its replacement until the build ends",
						  ddl_rel_describe(rel));
}

/* What CASCADE drops with a unique index: the foreign keys that rely on it. */
static void
lock_cascaded_foreign_keys(ZdmDdl *ddl, ZdmRel *table, Oid indexoid)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_referencing(table))
	{
		ZdmConstraint *con = lfirst(lc);

		if (con->conindid == indexoid)
			ddl_lock_tree(ddl, ddl_rel_by_oid(ddl, con->conrelid),
						  AccessExclusiveLock);
	}
}

/* Why CONCURRENTLY cannot be used for this DROP INDEX, or NULL. */
static const char *
drop_not_concurrent(const DropStmt *stmt, const ZdmRel *index)
{
	if (index->relkind == RELKIND_PARTITIONED_INDEX)
		return "a partitioned index cannot be dropped concurrently";
	if (stmt->behavior == DROP_CASCADE)
		return "DROP INDEX CONCURRENTLY does not support CASCADE";
	return NULL;
}

static void
drop_concurrently(ZdmDdl *ddl, DropStmt *stmt, ZdmRel *table, ZdmRel *index)
{
	const char *reason = drop_not_concurrent(stmt, index);
	ZdmHazard  *hazard = NULL;

	ddl->runs_alone = true;
	if (reason == NULL && list_length(stmt->objects) > 1)
		reason = "DROP INDEX CONCURRENTLY takes one index at a time";
	if (reason != NULL)
		hazard = ddl_hazard(ddl, ZDM_RULE_CONCURRENTLY_UNSUPPORTED, table,
							(Node *) stmt, NULL, "%s: \"%s\"", reason,
							index->relname);
	else if (ddl->in_block)
		hazard = ddl_hazard(ddl, ZDM_RULE_CONCURRENTLY_IN_TRANSACTION, table,
							(Node *) stmt, NULL,
							"DROP INDEX CONCURRENTLY of \"%s\" would fail inside a transaction block",
							index->relname);
	if (hazard != NULL)
		hazard->name = ddl_rel_qualified(index);
}

static void
drop_plainly(ZdmDdl *ddl, DropStmt *stmt, ZdmRel *table, ZdmRel *index)
{
	ZdmHazard  *hazard;

	if (stmt->behavior == DROP_CASCADE)
		lock_cascaded_foreign_keys(ddl, table, index->relid);

	hazard = ddl_lock_hazard(ddl, ZDM_RULE_DROP_INDEX,
							 index->relkind == RELKIND_PARTITIONED_INDEX ?
							 table : ddl_rel_only(table),
							 (Node *) stmt, NULL,
							 "dropping index \"%s\" would block reads and writes of %s while it waits for running queries",
							 index->relname, ddl_rel_describe(table));
	if (hazard != NULL)
	{
		hazard->name = ddl_rel_qualified(index);

		/* there is no better form: brief under the lock budget */
		if (drop_not_concurrent(stmt, index) != NULL)
			hazard->cap = ZDM_SEVERITY_NOTE;
	}
}

static void
drop_one_index(ZdmDdl *ddl, DropStmt *stmt, ZdmRel *index)
{
	ZdmRel	   *table = ddl_index_table(ddl, index);
	ZdmIndex   *facts;
	bool		concurrent;
	LOCKMODE	mode;
	ZdmHazard  *hazard;

	if (table == NULL)
		return;
	/* of a temporary table an index is always dropped plainly */
	concurrent = stmt->concurrent &&
		table->persistence != RELPERSISTENCE_TEMP;
	mode = concurrent ? ShareUpdateExclusiveLock : AccessExclusiveLock;
	if (index->relkind == RELKIND_PARTITIONED_INDEX)
		ddl_lock_tree(ddl, table, mode);
	else
		ddl_lock(ddl, table, mode);

	/* the server refuses to drop what a constraint or a parent index needs */
	facts = ddl_index(index->relid);
	if (facts == NULL || OidIsValid(facts->constraint) || index->is_partition)
		return;

	if (concurrent)
		drop_concurrently(ddl, stmt, table, index);
	else
		drop_plainly(ddl, stmt, table, index);

	if (!table->is_exempt)
		ddl->dropped_indexes = list_append_unique_oid(ddl->dropped_indexes,
													  table->relid);
	if (index->is_new)
		return;
	hazard = ddl_hazard(ddl, ZDM_RULE_DROP_INDEX_IN_WINDOW, table, (Node *) stmt, NULL,
						"dropping index \"%s\" of %s would take it from clients that still rely on it",
						index->relname, ddl_rel_describe(table));
	if (hazard != NULL)
	{
		hazard->name = ddl_rel_qualified(index);
		ObjectAddressSet(hazard->subject, RelationRelationId, index->relid);
	}
}

void
ddl_drop_index(ZdmDdl *ddl, DropStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->objects)
	{
		ZdmRel	   *index = ddl_rel_by_names(ddl, lfirst_node(List, lc),
											 stmt->missing_ok);

		if (index == NULL)
			continue;
		if (ddl->object == NULL)
			ddl->object = ddl_rel_describe(index);
		if (OidIsValid(index->relid) &&
			(index->relkind == RELKIND_INDEX ||
			 index->relkind == RELKIND_PARTITIONED_INDEX))
			drop_one_index(ddl, stmt, index);
	}
}

/* The index locks and scans of a plain REINDEX of one table. */
static void
reindex_locks(ZdmDdl *ddl, ZdmRel *table, Oid only_index)
{
	ListCell   *lc;

	ddl_lock(ddl, table, ShareLock);
	foreach(lc, ddl_rel_indexes(table))
	{
		ZdmIndex   *index = lfirst(lc);

		if (OidIsValid(only_index) && index->indexoid != only_index)
			continue;

		/* planning any query on the table waits for the index */
		ddl_lock(ddl, ddl_rel_by_oid(ddl, index->indexoid), AccessExclusiveLock);
		ddl_scan(ddl, table);
	}
}

static ZdmHazard *
reindex_hazard(ZdmDdl *ddl, ReindexStmt *stmt, ZdmRel *table, const char *what)
{
	ZdmHazard  *hazard;

	hazard = ddl_lock_hazard(ddl, ZDM_RULE_REINDEX, table, (Node *) stmt, NULL,
							 "reindexing %s would block writes to %s, and reads of it that look at its indexes",
							 what, ddl_rel_describe(table));

	/* a refused maintenance job would be an outage of its own */
	if (hazard != NULL)
		hazard->warn_outside_window = ddl->in_function;
	return hazard;
}

/* Each leaf of a partition tree, whose own indexes are locked in their turn. */
static void
reindex_leaves(ZdmDdl *ddl, ZdmRel *table, bool concurrent)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_tree(ddl, table))
	{
		ZdmRel	   *leaf = lfirst(lc);

		if (leaf->relkind != RELKIND_RELATION)
			continue;
		if (concurrent)
			ddl_scan(ddl, leaf);
		else
			reindex_locks(ddl, ddl_rel_only(leaf), InvalidOid);
	}
}

/*
 * A partitioned table or index is reindexed partition by partition, each in
 * its own transaction; but even CONCURRENTLY takes SHARE on all of them first.
 */
static void
reindex_partitioned(ZdmDdl *ddl, ReindexStmt *stmt, ZdmRel *rel, ZdmRel *table,
					bool concurrent)
{
	ZdmHazard  *hazard;

	ddl->runs_alone = true;
	ddl->commits = !concurrent;
	ddl_lock_tree(ddl, table, ShareLock);
	reindex_leaves(ddl, table, concurrent);

	if (concurrent && ddl->in_block)
		hazard = ddl_hazard(ddl, ZDM_RULE_CONCURRENTLY_IN_TRANSACTION, table,
							(Node *) stmt, NULL,
							"REINDEX CONCURRENTLY of %s would fail inside a transaction block",
							ddl_rel_describe(rel));
	else
		hazard = reindex_hazard(ddl, stmt, table, ddl_rel_describe(rel));
	if (hazard != NULL)
		hazard->name = ddl_rel_qualified(rel);
}

/* REINDEX INDEX, REINDEX TABLE */
static void
reindex_relation(ZdmDdl *ddl, ReindexStmt *stmt, bool concurrent)
{
	ZdmRel	   *rel = ddl_rel(ddl, stmt->relation, false);
	ZdmRel	   *table = rel;
	ZdmHazard  *hazard = NULL;
	bool		is_index;

	if (rel == NULL)
		return;
	ddl->object = ddl_rel_describe(rel);
	if (!OidIsValid(rel->relid))
		return;
	is_index = rel->relkind == RELKIND_INDEX ||
		rel->relkind == RELKIND_PARTITIONED_INDEX;
	if (is_index != (stmt->kind == REINDEX_OBJECT_INDEX))
		return;					/* the server's error */
	if (is_index)
		table = ddl_index_table(ddl, rel);
	if (table == NULL)
		return;

	if (rel->relkind == RELKIND_PARTITIONED_TABLE ||
		rel->relkind == RELKIND_PARTITIONED_INDEX)
	{
		reindex_partitioned(ddl, stmt, rel, table, concurrent);
		return;
	}
	table = ddl_rel_only(table);

	if (!concurrent || table->persistence == RELPERSISTENCE_TEMP)
	{
		reindex_locks(ddl, table, is_index ? rel->relid : InvalidOid);
		if (is_index || ddl_rel_indexes(table) != NIL)
			hazard = reindex_hazard(ddl, stmt, table, ddl_rel_describe(rel));
	}
	else
	{
		ddl->runs_alone = true;
		ddl_lock(ddl, table, ShareUpdateExclusiveLock);
		if (is_index || ddl_rel_indexes(table) != NIL)
			ddl_scan(ddl, table);
		if (ddl->in_block)
			hazard = ddl_hazard(ddl, ZDM_RULE_CONCURRENTLY_IN_TRANSACTION, table,
								(Node *) stmt, NULL,
								"REINDEX CONCURRENTLY of %s would fail inside a transaction block",
								ddl_rel_describe(rel));
	}
	if (hazard != NULL)
		hazard->name = ddl_rel_qualified(rel);
}

/*
 * REINDEX SCHEMA, DATABASE: each table in its own transaction.  The largest
 * of them stands for all in the hazard.
 */
static void
reindex_many(ZdmDdl *ddl, ReindexStmt *stmt, bool concurrent)
{
	const char *name = stmt->name;
	Oid			nspoid = InvalidOid;
	ZdmRel	   *largest;
	ZdmHazard  *hazard;

	ddl->runs_alone = true;
	ddl->commits = !concurrent;
	if (stmt->kind == REINDEX_OBJECT_SCHEMA)
	{
		ddl->object = psprintf("schema \"%s\"", name);
		nspoid = get_namespace_oid(name, true);
		if (!OidIsValid(nspoid))
		{
			ddl_undefined(ddl, "schema \"%s\" does not exist", name);
			return;
		}
	}
	else
	{
		if (name == NULL)
			name = get_database_name(MyDatabaseId);
		ddl->object = psprintf("database \"%s\"", name);
		if (stmt->kind == REINDEX_OBJECT_SYSTEM)
			return;				/* system catalogs only */
	}

	largest = ddl_lock_all(ddl, nspoid,
						   concurrent ? ShareUpdateExclusiveLock : ShareLock);
	if (largest == NULL)
		return;
	if (concurrent)
		ddl_scan(ddl, largest);
	else
		reindex_locks(ddl, largest, InvalidOid);
	if (concurrent && ddl->in_block)
		(void) ddl_hazard(ddl, ZDM_RULE_CONCURRENTLY_IN_TRANSACTION, NULL,
						  (Node *) stmt, NULL,
						  "REINDEX CONCURRENTLY of %s would fail inside a transaction block",
						  ddl->object);
	else if (!concurrent)
	{
		hazard = reindex_hazard(ddl, stmt, largest, ddl->object);
		if (hazard != NULL)
			hazard->name = quote_identifier(name);
	}
}

void
ddl_reindex(ZdmDdl *ddl, Node *node)
{
	ReindexStmt *stmt = castNode(ReindexStmt, node);
	bool		concurrent = ddl_option_is_on(stmt->params, "concurrently", false);

	ddl->replaces = true;
	if (stmt->relation != NULL)
		reindex_relation(ddl, stmt, concurrent);
	else
		reindex_many(ddl, stmt, concurrent);
}
