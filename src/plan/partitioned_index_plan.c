/*-------------------------------------------------------------------------
 *
 * partitioned_index_plan.c
 *	  Plans of CREATE INDEX on a partitioned table.
 *
 * The indexes of the partitioned tables are catalog rows only: they are made
 * first, invalid, so that an index that cannot be is refused before anything
 * is built.  Then each leaf's is built concurrently.  Nothing is attached
 * before all of them are there, since there is no way to detach an index: in
 * the last step, which makes all valid at once.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_clause.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parser.h"
#include "partitioning/partdesc.h"
#include "plan/index_plan.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

/* A walk over the partitions, and what it has found to be done. */
typedef struct Walk
{
	ZdmPlan    *plan;
	ZdmDdl		scratch;
	ZdmNewIndex *made;
	Oid			amoid;
	bool		has_foreign;	/* foreign tables among the partitions */
	StringInfoData parents;		/* commands that make catalog rows only */
	List	   *builds;			/* char *: a command for each leaf */
	StringInfoData attach;		/* commands of the last step */
} Walk;

/* What the vectors of pg_index say of an index; palloc'd. */
typedef struct StoredIndex
{
	oidvector  *opclasses;
	oidvector  *collations;
	List	   *expressions;
	Node	   *predicate;		/* or NULL */
} StoredIndex;

static bool
read_stored_index(Oid indexoid, StoredIndex *stored)
{
	HeapTuple	tuple = SearchSysCacheCopy1(INDEXRELID, ObjectIdGetDatum(indexoid));
	Datum		datum;
	bool		isnull;

	if (!HeapTupleIsValid(tuple))
		return false;
	memset(stored, 0, sizeof(StoredIndex));
	datum = SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indclass, &isnull);
	stored->opclasses = (oidvector *) DatumGetPointer(datum);
	datum = SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indcollation, &isnull);
	stored->collations = (oidvector *) DatumGetPointer(datum);
	datum = SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indexprs, &isnull);
	if (!isnull)
		stored->expressions = stringToNode(TextDatumGetCString(datum));
	datum = SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indpred, &isnull);
	if (!isnull)
		stored->predicate = stringToNode(TextDatumGetCString(datum));
	return true;
}

/* A column in an expression of the index, without opening the relation. */
static Node *
column_of_rel(ParseState *pstate, ColumnRef *ref)
{
	const ZdmRel *rel = pstate->p_ref_hook_state;
	AttrNumber	attnum;
	Oid			typid;
	int32		typmod;
	Oid			collation;

	if (list_length(ref->fields) != 1 || !IsA(linitial(ref->fields), String))
		return NULL;
	attnum = get_attnum(rel->relid, strVal(linitial(ref->fields)));
	if (attnum <= 0)
		return NULL;
	get_atttypetypmodcoll(rel->relid, attnum, &typid, &typmod, &collation);
	return (Node *) makeVar(1, attnum, typid, typmod, collation, 0);
}

static ParseState *
parsestate_for(const Walk *walk, ZdmRel *rel)
{
	ParseState *pstate = ddl_parsestate(walk->plan->ddl);

	pstate->p_pre_columnref_hook = column_of_rel;
	pstate->p_ref_hook_state = rel;
	return pstate;
}

/* An expression of the statement, as it would be for the relation. */
static Node *
analyze_expression(const Walk *walk, ZdmRel *rel, Node *expr)
{
	ParseState *pstate = parsestate_for(walk, rel);

	expr = transformExpr(pstate, copyObject(expr), EXPR_KIND_INDEX_EXPRESSION);
	assign_expr_collations(pstate, expr);
	free_parsestate(pstate);
	return expr;
}

/* A condition in the form in which the server compares those of two indexes. */
static List *
normal_condition(Node *condition)
{
	return make_ands_implicit(canonicalize_qual((Expr *) ddl_fold(condition), false));
}

static bool
same_predicate(const Walk *walk, ZdmRel *rel, const StoredIndex *stored)
{
	Node	   *where = walk->made->stmt->whereClause;
	ParseState *pstate;

	if ((where != NULL) != (stored->predicate != NULL))
		return false;
	if (where == NULL)
		return true;
	pstate = parsestate_for(walk, rel);
	where = transformWhereClause(pstate, copyObject(where), EXPR_KIND_INDEX_PREDICATE, "WHERE");
	assign_expr_collations(pstate, where);
	free_parsestate(pstate);
	return equal(normal_condition(where), normal_condition(stored->predicate));
}

/* One key or INCLUDE column of the statement, resolved for the relation. */
typedef struct Key
{
	AttrNumber	attnum;			/* 0: an expression */
	Node	   *expr;
	Oid			typid;
	Oid			collation;
} Key;

static bool
resolve_key(const Walk *walk, ZdmRel *rel, const IndexElem *elem, Key *key)
{
	int32		typmod;

	memset(key, 0, sizeof(Key));
	if (elem->name != NULL)
	{
		key->attnum = get_attnum(rel->relid, elem->name);
		if (key->attnum <= 0)
			return false;
		get_atttypetypmodcoll(rel->relid, key->attnum, &key->typid, &typmod, &key->collation);
	}
	else
	{
		key->expr = analyze_expression(walk, rel, elem->expr);
		key->typid = exprType(key->expr);
		key->collation = exprCollation(key->expr);
		while (IsA(key->expr, CollateExpr))
			key->expr = (Node *) ((CollateExpr *) key->expr)->arg;
		if (IsA(key->expr, Var))
			key->attnum = ((Var *) key->expr)->varattno;
	}
	if (elem->collation != NIL)
		key->collation = get_collation_oid(elem->collation, true);
	return true;
}

/* The family of the operator class that the statement means, or InvalidOid. */
static Oid
opfamily_of(const Walk *walk, const IndexElem *elem, const Key *key)
{
	Oid			opclass = elem->opclass != NIL ?
		get_opclass_oid(walk->amoid, elem->opclass, true) :
		GetDefaultOpClass(key->typid, walk->amoid);

	return OidIsValid(opclass) ? get_opclass_family(opclass) : InvalidOid;
}

static bool
same_columns(const Walk *walk, ZdmRel *rel, const ZdmIndex *index, const StoredIndex *stored)
{
	const IndexStmt *stmt = walk->made->stmt;
	List	   *elems = list_concat_copy(stmt->indexParams, stmt->indexIncludingParams);
	int			expressions = 0;

	for (int i = 0; i < index->natts; i++)
	{
		const IndexElem *elem = list_nth_node(IndexElem, elems, i);
		Key			key;

		/* spares the analysis of expressions that are compared with columns */
		if ((elem->name != NULL && index->attnums[i] == 0) ||
			!resolve_key(walk, rel, elem, &key) || key.attnum != index->attnums[i])
			return false;
		if (key.attnum == 0 &&
			!equal(ddl_fold(key.expr),
				   ddl_fold(list_nth(stored->expressions, expressions++))))
			return false;
		if (i < index->nkeyatts &&
			(key.collation != stored->collations->values[i] ||
			 opfamily_of(walk, elem, &key) != get_opclass_family(stored->opclasses->values[i])))
			return false;
	}
	return true;
}

/* As CompareIndexInfo(): may the index be the relation's part of the new one? */
static bool
is_match(const Walk *walk, ZdmRel *rel, const ZdmIndex *index)
{
	const IndexStmt *stmt = walk->made->stmt;
	int			nkeys = list_length(stmt->indexParams);
	StoredIndex stored;

	if (index->amoid != walk->amoid || index->is_unique != stmt->unique ||
		index->nulls_not_distinct != stmt->nulls_not_distinct || index->is_exclusion ||
		index->nkeyatts != nkeys ||
		index->natts != nkeys + list_length(stmt->indexIncludingParams) ||
		get_rel_relispartition(index->indexoid))
		return false;
	return read_stored_index(index->indexoid, &stored) &&
		same_columns(walk, rel, index, &stored) && same_predicate(walk, rel, &stored);
}

/* The index that PostgreSQL would take as the relation's part, or NULL. */
static ZdmIndex *
find_match(const Walk *walk, ZdmRel *rel)
{
	ZdmIndex   *found = NULL;
	ListCell   *lc;

	foreach(lc, ddl_rel_indexes(rel))
	{
		ZdmIndex   *index = lfirst(lc);

		/* the first in the order of OIDs */
		if ((found == NULL || index->indexoid < found->indexoid) &&
			is_match(walk, rel, index))
			found = index;
	}
	return found;
}

/* The relation's part of an index that is there, or NULL. */
static ZdmIndex *
find_attached(ZdmRel *rel, Oid parent)
{
	ListCell   *lc;

	if (!OidIsValid(parent))
		return NULL;
	foreach(lc, ddl_rel_indexes(rel))
	{
		ZdmIndex   *index = lfirst(lc);

		if (get_rel_relispartition(index->indexoid) &&
			get_partition_parent(index->indexoid, true) == parent)
			return index;
	}
	return NULL;
}

/* Partitions, in the order in which the server names their indexes. */
static List *
partitions_of(ZdmDdl *ddl, const ZdmRel *parent)
{
	Relation	rel = RelationIdGetRelation(parent->relid);
	List	   *result = NIL;
	PartitionDesc partdesc;

	if (!RelationIsValid(rel))
		return NIL;
	partdesc = RelationGetPartitionDesc(rel, true);
	for (int i = 0; i < partdesc->nparts; i++)
	{
		ZdmRel	   *part = ddl_rel_by_oid(ddl, partdesc->oids[i]);

		if (part != NULL)
			result = lappend(result, part);
	}
	RelationClose(rel);
	return result;
}

static void
append_command(StringInfo buf, const char *sql)
{
	appendStringInfo(buf, "%s%s", buf->len > 0 ? "; " : "", sql);
}

static void
append_attach(Walk *walk, const char *parent, const char *index)
{
	append_command(&walk->attach,
				   psprintf("ALTER INDEX %s ATTACH PARTITION %s", parent, index));
}

static bool walk_partitions(Walk *walk, ZdmRel *parent, const char *parent_index,
							Oid parent_indexoid);

/* A partition whose index is to be made. */
static bool
make_partition_index(Walk *walk, ZdmRel *part, const char *parent_index)
{
	char	   *name = zdm_new_index_name(walk->made, part);
	const char *qualified = quote_qualified_identifier(part->nspname, name);

	append_attach(walk, parent_index, qualified);
	if (part->relkind == RELKIND_PARTITIONED_TABLE)
	{
		append_command(&walk->parents, zdm_new_index_sql(walk->made, "", name, "ONLY ", part));
		return walk_partitions(walk, part, qualified, InvalidOid);
	}
	walk->builds = lappend(walk->builds,
						   zdm_new_index_sql(walk->made, "CONCURRENTLY ", name, "", part));
	return true;
}

/*
 * A partition with an index that only needs to be attached.  If an earlier
 * build has left it invalid, it is completed first.  To attach once more what
 * is attached makes the parent's valid, if all parts are by then.
 */
static bool
take_partition_index(Walk *walk, ZdmRel *part, const ZdmIndex *facts, const char *parent_index)
{
	ZdmRel	   *index = ddl_rel_by_oid(&walk->scratch, facts->indexoid);

	if (index == NULL)
		return false;
	append_attach(walk, parent_index, ddl_rel_qualified(index));
	if (facts->is_valid)
		zdm_plan_target(walk->plan, index);
	else if (part->relkind == RELKIND_PARTITIONED_TABLE)
		return walk_partitions(walk, part, ddl_rel_qualified(index), index->relid);
	else
		walk->builds = lappend(walk->builds, psprintf("REINDEX INDEX CONCURRENTLY %s",
													  ddl_rel_qualified(index)));
	return true;
}

static bool
walk_partitions(Walk *walk, ZdmRel *parent, const char *parent_index, Oid parent_indexoid)
{
	ListCell   *lc;

	check_stack_depth();
	foreach(lc, partitions_of(&walk->scratch, parent))
	{
		ZdmRel	   *part = lfirst(lc);
		ZdmIndex   *index;
		bool		done;

		CHECK_FOR_INTERRUPTS();
		if (part->relkind == RELKIND_FOREIGN_TABLE)
		{
			walk->has_foreign = true;
			continue;
		}

		/*
		 * of partitions the plain statement asks for no right, CONCURRENTLY
		 * does
		 */
		if (!has_privs_of_role(GetUserId(), part->owner))
			return false;
		zdm_plan_target(walk->plan, part);
		index = find_attached(part, parent_indexoid);
		if (index == NULL)
			index = find_match(walk, part);
		done = index != NULL ? take_partition_index(walk, part, index, parent_index) :
			make_partition_index(walk, part, parent_index);
		if (!done)
			return false;
	}
	return true;
}

/*
 * Does an expression name a column in a way that does not mean the same in
 * the definition of a partition's index?
 */
static bool
names_table_walker(Node *node, ZdmRel *rel)
{
	if (node == NULL)
		return false;
	if (IsA(node, ColumnRef))
	{
		const ColumnRef *ref = (ColumnRef *) node;

		return list_length(ref->fields) != 1 || !IsA(linitial(ref->fields), String) ||
			(strcmp(strVal(linitial(ref->fields)), rel->relname) == 0 &&
			 get_attnum(rel->relid, rel->relname) == InvalidAttrNumber);
	}
	return raw_expression_tree_walker(node, names_table_walker, rel);
}

static bool
walk_begin(Walk *walk, ZdmPlan *plan, ZdmNewIndex *made, ZdmRel *rel)
{
	memset(walk, 0, sizeof(Walk));
	walk->plan = plan;
	walk->scratch = *plan->ddl;
	walk->made = made;
	walk->amoid = get_index_am_oid(made->stmt->accessMethod, true);
	initStringInfo(&walk->parents);
	initStringInfo(&walk->attach);
	return !names_table_walker((Node *) made->stmt->indexParams, rel) &&
		!names_table_walker(made->stmt->whereClause, rel);
}

/* The steps in which the leaves' indexes are built. */
static void
add_builds(Walk *walk)
{
	ListCell   *lc;

	foreach(lc, walk->builds)
		(void) zdm_plan_step(walk->plan, ZDM_PASS_KEY, "%s", (char *) lfirst(lc));
}

/* The last step; it locks the indexes that it attaches. */
static void
add_attach(Walk *walk)
{
	ZdmStep    *step;

	if (walk->attach.len == 0)
		return;
	step = zdm_plan_step(walk->plan, ZDM_PASS_PARTITION, "%s", walk->attach.data);
	step->lock_mode = AccessExclusiveLock;
}

/*
 * With ATTACH an index becomes valid when each partition has its part, so
 * never where one is a foreign table.  The plain statement leaves those out,
 * and builds nothing that is there.
 */
static void
add_plain(Walk *walk, const char *name, ZdmRel *rel)
{
	(void) zdm_plan_step(walk->plan, ZDM_PASS_PARTITION, "%s",
						 zdm_new_index_sql(walk->made, "", name, "", rel));
}

bool
zdm_plan_partitioned_index(ZdmPlan *plan, ZdmNewIndex *made, ZdmRel *rel)
{
	const char *name = made->stmt->idxname ? made->stmt->idxname :
		zdm_new_index_name(made, rel);
	char	   *qualified = quote_qualified_identifier(rel->nspname, name);
	Walk		walk;

	made->taken = lappend(made->taken, qualified);
	if (!walk_begin(&walk, plan, made, rel))
		return false;
	append_command(&walk.parents, zdm_new_index_sql(made, "", name, "ONLY ", rel));
	if (!walk_partitions(&walk, rel, qualified, InvalidOid) ||
		(walk.has_foreign && made->stmt->unique))
		return false;

	if (!walk.has_foreign)
		(void) zdm_plan_step(plan, ZDM_PASS_KEY, "%s", walk.parents.data);
	add_builds(&walk);
	if (walk.has_foreign)
		add_plain(&walk, name, rel);
	else
		add_attach(&walk);
	return true;
}

/*
 * An index of a partitioned table that was left invalid: whatever part of it
 * is missing is built after its own definition.
 */
bool
zdm_plan_partitioned_leftover(ZdmPlan *plan, ZdmRel *index, ZdmRel *rel)
{
	char	   *sql = pg_get_indexdef_string(index->relid);
	RawStmt    *raw = linitial_node(RawStmt, raw_parser(sql, RAW_PARSE_DEFAULT));
	ZdmNewIndex made;
	Walk		walk;

	if (!zdm_new_index(&made, castNode(IndexStmt, raw->stmt), sql) ||
		!walk_begin(&walk, plan, &made, rel) ||
		!walk_partitions(&walk, rel, ddl_rel_qualified(index), index->relid) ||
		walk.has_foreign)
		return false;
	if (walk.parents.len > 0)
		(void) zdm_plan_step(plan, ZDM_PASS_KEY, "%s", walk.parents.data);
	add_builds(&walk);
	add_attach(&walk);
	return true;
}
