/*-------------------------------------------------------------------------
 *
 * partition_proof.c
 *	  What has to be proven of the rows of a partition, and whether it is.
 *
 * Whether rows have to be read is decided with the server's own functions:
 * they want relation cache entries, which can be had without a lock.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "commands/tablecmds.h"
#include "ddl/ddl.h"
#include "ddl/script.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_node.h"
#include "parser/parse_utilcmd.h"
#include "parser/parser.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

/*
 * The constraint that the rows of an attached relation have to meet beyond
 * its bounds: those of the parent itself, in the parent's attribute numbers.
 * RelationGetPartitionQual() would lock the grandparent.
 */
static List *
own_partition_quals(Relation rel)
{
	Relation	parent;
	HeapTuple	tuple;
	Datum		bound;
	bool		isnull;
	List	   *quals;

	check_stack_depth();
	if (!rel->rd_rel->relispartition)
		return NIL;
	parent = RelationIdGetRelation(get_partition_parent(RelationGetRelid(rel), true));
	if (!RelationIsValid(parent))
		return NIL;

	quals = own_partition_quals(parent);
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(RelationGetRelid(rel)));
	if (HeapTupleIsValid(tuple))
	{
		bound = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relpartbound, &isnull);
		if (!isnull)
			quals = list_concat(quals,
								get_qual_from_partbound(parent,
														stringToNode(TextDatumGetCString(bound))));
		ReleaseSysCache(tuple);
	}
	quals = map_partition_varattnos(quals, 1, rel, parent);
	RelationClose(parent);
	return quals;
}

/* Does a raw expression call a function, which nothing here may execute? */
static bool
calls_function(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, FuncCall) || IsA(node, SQLValueFunction) || IsA(node, SubLink))
		return true;
	return raw_expression_tree_walker(node, calls_function, context);
}

/* A column in a CHECK that the script adds, without opening the relation. */
static Node *
column_of_check(ParseState *pstate, ColumnRef *ref)
{
	ZdmRel	   *rel = pstate->p_ref_hook_state;
	HeapTuple	tuple;
	Form_pg_attribute att;
	Node	   *result = NULL;

	if (list_length(ref->fields) != 1 || !IsA(linitial(ref->fields), String))
		return NULL;
	tuple = SearchSysCacheAttName(rel->relid, strVal(linitial(ref->fields)));
	if (!HeapTupleIsValid(tuple))
		return NULL;
	att = (Form_pg_attribute) GETSTRUCT(tuple);
	result = (Node *) makeVar(1, att->attnum, att->atttypid, att->atttypmod,
							  att->attcollation, 0);
	ReleaseSysCache(tuple);
	return result;
}

/* What a raw CHECK says, with constants folded by the function, as a list of ANDs. */
static List *
known_by_check(ZdmRel *zrel, Node *check, Node *(*fold) (Node *))
{
	ParseState *pstate = make_parsestate(NULL);

	pstate->p_pre_columnref_hook = column_of_check;
	pstate->p_ref_hook_state = zrel;
	check = transformExpr(pstate, copyObject(check), EXPR_KIND_CHECK_CONSTRAINT);
	check = coerce_to_boolean(pstate, check, "CHECK");
	assign_expr_collations(pstate, check);
	free_parsestate(pstate);
	check = (Node *) canonicalize_qual((Expr *) fold(check), true);
	return make_ands_implicit((Expr *) check);
}

/* Does what is known, with NOT NULL, imply the constraint? */
static bool
is_implied_by(List *known, ZdmRel *zrel, Relation rel, List *constraint)
{
	for (int i = 0; i < RelationGetDescr(rel)->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), i);
		NullTest   *test;

		if (!att->attnotnull || att->attisdropped ||
			!compat_not_null_is_valid(zrel->relid, i + 1))
			continue;
		test = makeNode(NullTest);
		test->arg = (Expr *) makeVar(1, i + 1, att->atttypid, att->atttypmod,
									 att->attcollation, 0);
		test->nulltesttype = IS_NOT_NULL;
		test->location = -1;
		known = lappend(known, test);
	}
	return predicate_implied_by(constraint, known, true);
}

static Node *
fold_constants(Node *expr)
{
	return eval_const_expressions(NULL, expr);
}

/*
 * Do the CHECK constraints that the script has added before imply the
 * constraint?  As ConstraintImpliedByRelConstraint() has it.
 */
static bool
is_implied_in_script(ZdmRel *zrel, Relation rel, List *constraint)
{
	List	   *known = NIL;
	List	   *checks = ddl_script_checks(zrel);
	ListCell   *lc;

	if (checks == NIL)
		return false;
	foreach(lc, checks)
	{
		if (!calls_function(lfirst(lc), NULL))
			known = list_concat(known, known_by_check(zrel, lfirst(lc), fold_constants));
	}
	return is_implied_by(known, zrel, rel, constraint);
}

/* Would any table of the tree be read to prove the constraint? */
static bool
is_read_for(ZdmDdl *ddl, ZdmRel *zrel, Relation rel, List *constraint)
{
	PartitionDesc partdesc;
	bool		result = false;

	check_stack_depth();
	if (constraint == NIL || PartConstraintImpliedByRelConstraint(rel, constraint) ||
		is_implied_in_script(zrel, rel, constraint))
		return false;
	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return rel->rd_rel->relkind == RELKIND_RELATION;

	partdesc = RelationGetPartitionDesc(rel, true);
	for (int i = 0; i < partdesc->nparts && !result; i++)
	{
		ZdmRel	   *zpart = ddl_rel_by_oid(ddl, partdesc->oids[i]);
		Relation	part;

		CHECK_FOR_INTERRUPTS();
		if (zpart == NULL)
			continue;
		part = RelationIdGetRelation(zpart->relid);
		if (!RelationIsValid(part))
			continue;
		result = is_read_for(ddl, zpart, part,
							 map_partition_varattnos(constraint, 1, part, rel));
		RelationClose(part);
	}
	return result;
}

/* Such a bound is not evaluated, so nothing is known of what it says. */
bool
ddl_bound_calls_function(PartitionBoundSpec *bound)
{
	return calls_function((Node *) bound->listdatums, NULL) ||
		calls_function((Node *) bound->lowerdatums, NULL) ||
		calls_function((Node *) bound->upperdatums, NULL);
}

/*
 * The constraint of the bounds, in the parent's attribute numbers; false if
 * it cannot be told.  Raises what the statement itself would raise of bounds
 * that do not fit the partition key.
 */
static bool
constraint_of_bounds(ZdmDdl *ddl, Relation parent, PartitionBoundSpec *bound, List **quals)
{
	ParseState *pstate;

	if (parent->rd_rel->relkind != RELKIND_PARTITIONED_TABLE ||
		ddl_bound_calls_function(bound))
		return false;
	pstate = ddl_parsestate(ddl);
	bound = transformPartitionBound(pstate, parent, copyObject(bound));
	free_parsestate(pstate);
	*quals = get_qual_from_partbound(parent, bound);
	return true;
}

/*
 * Has the relation each column of the parent, and no other?  The server's
 * functions that map them raise errors that the statement itself would not.
 */
static bool
columns_fit(Relation rel, Relation parent)
{
	TupleDesc	desc = RelationGetDescr(parent);
	int			columns = 0;

	for (int i = 0; i < RelationGetDescr(rel)->natts; i++)
		columns += TupleDescAttr(RelationGetDescr(rel), i)->attisdropped ? 0 : 1;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute wanted = TupleDescAttr(desc, i);
		Form_pg_attribute found;
		HeapTuple	tuple;
		bool		fits;

		if (wanted->attisdropped)
			continue;
		tuple = SearchSysCacheAttName(RelationGetRelid(rel), NameStr(wanted->attname));
		if (!HeapTupleIsValid(tuple))
			return false;
		found = (Form_pg_attribute) GETSTRUCT(tuple);
		fits = found->atttypid == wanted->atttypid &&
			found->atttypmod == wanted->atttypmod &&
			found->attcollation == wanted->attcollation &&
			(found->attnotnull || !wanted->attnotnull);
		ReleaseSysCache(tuple);
		if (!fits)
			return false;
		columns--;
	}
	return columns == 0;
}

/* Has the relation a CHECK constraint of the name of each of the parent's, as valid? */
static bool
checks_fit(ZdmRel *rel, ZdmRel *parent)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_constraints(parent))
	{
		ZdmConstraint *wanted = lfirst(lc);
		ZdmConstraint *found;

		if (wanted->contype != CONSTRAINT_CHECK)
			continue;
		found = ddl_constraint(rel, wanted->name);
		if (found == NULL || found->contype != CONSTRAINT_CHECK ||
			(wanted->is_valid && !found->is_valid))
			return false;
	}
	return true;
}

/* Has it its place in a tree that ATTACH does not take it from? */
static bool
place_fits(ZdmRel *rel, ZdmRel *parent)
{
	if (has_superclass(rel->relid))
		return false;
	if (rel->relkind == RELKIND_RELATION)
		return find_inheritance_children(rel->relid, NoLock) == NIL;
	if (rel->relkind == RELKIND_PARTITIONED_TABLE)
		return !list_member_oid(find_all_inheritors(rel->relid, NoLock, NULL), parent->relid);
	return rel->relkind == RELKIND_FOREIGN_TABLE;
}

/*
 * Can the relation become a partition of the parent, as far as its place,
 * columns and constraints go?  If not, ATTACH fails before it reads or builds
 * anything.
 */
bool
ddl_fits_as_partition(ZdmRel *rel, ZdmRel *parent)
{
	Relation	parentrel = RelationIdGetRelation(parent->relid);
	Relation	childrel = RelationIdGetRelation(rel->relid);
	bool		fits;

	fits = RelationIsValid(parentrel) && RelationIsValid(childrel) &&
		place_fits(rel, parent) && columns_fit(childrel, parentrel) && checks_fit(rel, parent);
	if (RelationIsValid(childrel))
		RelationClose(childrel);
	if (RelationIsValid(parentrel))
		RelationClose(parentrel);
	return fits;
}

/*
 * What has to hold for the rows of rel, in its attribute numbers: that they
 * are within the bounds if it is to be attached to parent, or outside of them
 * if it is the default partition.  NIL: nothing.  False: it cannot be told.
 */
static bool
constraint_of_rows(ZdmDdl *ddl, Relation parent, Relation rel, PartitionBoundSpec *bound,
				   bool is_default, List **constraint)
{
	List	   *quals;

	if (!columns_fit(rel, parent) || !constraint_of_bounds(ddl, parent, bound, &quals))
		return false;
	if (is_default)
		quals = get_proposed_default_constraint(quals);
	else
	{
		quals = list_concat(quals, own_partition_quals(parent));
		if (quals != NIL)
			quals = list_make1(make_ands_explicit((List *) ddl_fold((Node *) quals)));
	}
	*constraint = quals == NIL ? NIL : map_partition_varattnos(quals, 1, rel, parent);
	return true;
}

/*
 * Would rel be read to prove that its rows fit?  The caller has seen to it
 * that its columns do.
 */
bool
ddl_is_read_for_bounds(ZdmDdl *ddl, ZdmRel *parent, ZdmRel *zrel, PartitionBoundSpec *bound,
					   bool is_default)
{
	Relation	parentrel = RelationIdGetRelation(parent->relid);
	Relation	rel = RelationIdGetRelation(zrel->relid);
	List	   *constraint;
	bool		result = true;

	if (RelationIsValid(parentrel) && RelationIsValid(rel) &&
		constraint_of_rows(ddl, parentrel, rel, bound, is_default, &constraint))
		result = is_read_for(ddl, zrel, rel, constraint);
	if (RelationIsValid(rel))
		RelationClose(rel);
	if (RelationIsValid(parentrel))
		RelationClose(parentrel);
	return result;
}

/*
 * Raise the server's error if the bounds overlap those of a partition, which
 * is there at once and not after all rows have been read.
 */
void
ddl_check_overlap(ZdmDdl *ddl, ZdmRel *parent, const char *name, PartitionBoundSpec *bound)
{
	Relation	rel = RelationIdGetRelation(parent->relid);
	ParseState *pstate;

	if (!RelationIsValid(rel))
		return;
	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE && !ddl_bound_calls_function(bound))
	{
		pstate = ddl_parsestate(ddl);
		check_new_partition_bound(pstrdup(name), rel,
								  transformPartitionBound(pstate, rel, copyObject(bound)),
								  pstate);
		free_parsestate(pstate);
	}
	RelationClose(rel);
}

static bool
has_whole_row(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
		return ((Var *) node)->varattno == InvalidAttrNumber;
	return expression_tree_walker(node, has_whole_row, context);
}

/*
 * The text of an expression of a relation's columns, or NULL if it names the
 * row as a whole.  deparse_context_for() would lock the relation: it looks like
 * a list of VALUES here.
 */
char *
ddl_expression_text(Relation rel, Node *expr)
{
	PlannedStmt *stmt = makeNode(PlannedStmt);
	RangeTblEntry *rte = makeNode(RangeTblEntry);
	List	   *names = NIL;

	if (has_whole_row(expr, NULL))
		return NULL;
	for (int i = 0; i < RelationGetDescr(rel)->natts; i++)
		names = lappend(names,
						makeString(pstrdup(NameStr(TupleDescAttr(RelationGetDescr(rel), i)->attname))));
	rte->rtekind = RTE_VALUES;
	rte->eref = makeAlias(RelationGetRelationName(rel), names);
	stmt->rtable = list_make1(rte);
	return deparse_expression(expr,
							  deparse_context_for_plan_tree(stmt,
															list_make1(rte->eref->aliasname)),
							  false, false);
}

/* The expression of CHECK (text), as the server's grammar reads it. */
static Node *
parse_condition(const char *condition)
{
	List	   *parsed = raw_parser(psprintf("ALTER TABLE t ADD CHECK (%s)", condition),
									RAW_PARSE_DEFAULT);
	AlterTableStmt *alter = castNode(AlterTableStmt, linitial_node(RawStmt, parsed)->stmt);

	return castNode(Constraint, linitial_node(AlterTableCmd, alter->cmds)->def)->raw_expr;
}

/*
 * The condition of a CHECK constraint that spares rel the reading, or NULL if
 * there is none: what the server reads out of the text may not be what it
 * looks for, as where a key's collation is not that of its column.
 */
char *
ddl_bounds_condition(ZdmDdl *ddl, ZdmRel *parent, ZdmRel *zrel, PartitionBoundSpec *bound,
					 bool is_default)
{
	Relation	parentrel = RelationIdGetRelation(parent->relid);
	Relation	rel = RelationIdGetRelation(zrel->relid);
	List	   *constraint = NIL;
	char	   *sql = NULL;

	if (RelationIsValid(parentrel) && RelationIsValid(rel) &&
		constraint_of_rows(ddl, parentrel, rel, bound, is_default, &constraint) &&
		constraint != NIL)
		sql = ddl_expression_text(rel, (Node *) make_ands_explicit(constraint));
	if (sql != NULL &&
		!is_implied_by(known_by_check(zrel, parse_condition(sql), ddl_fold), zrel, rel,
					   constraint))
		sql = NULL;
	if (RelationIsValid(rel))
		RelationClose(rel);
	if (RelationIsValid(parentrel))
		RelationClose(parentrel);
	return sql;
}

/*
 * Would DETACH ... CONCURRENTLY give the partition a CHECK constraint that
 * repeats its bounds?  column: the only column in it, or NULL; it goes into
 * the constraint's name.
 */
bool
ddl_detach_adds_check(ZdmRel *child, const char **column)
{
	Relation	rel = RelationIdGetRelation(child->relid);
	Relation	parent = RelationIdGetRelation(get_partition_parent(child->relid, true));
	List	   *vars;
	List	   *quals;
	bool		result = false;

	*column = NULL;
	if (RelationIsValid(rel) && RelationIsValid(parent) &&
		RelationGetPartitionKey(parent)->strategy != PARTITION_STRATEGY_HASH)
	{
		quals = (List *) ddl_fold((Node *) own_partition_quals(rel));
		vars = list_union(NIL, pull_var_clause((Node *) quals, 0));
		if (list_length(vars) == 1)
			*column = ddl_attname(child, linitial_node(Var, vars)->varattno);
		result = !PartConstraintImpliedByRelConstraint(rel, quals);
	}
	if (RelationIsValid(parent))
		RelationClose(parent);
	if (RelationIsValid(rel))
		RelationClose(rel);
	return result;
}
