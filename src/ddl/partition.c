/*-------------------------------------------------------------------------
 *
 * partition.c
 *	  ATTACH PARTITION, DETACH PARTITION, CREATE TABLE ... PARTITION OF.
 *
 * Whether rows have to be read is decided with the server's own functions:
 * they want relation cache entries, which can be had without a lock.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/attmap.h"
#include "access/htup_details.h"
#include "catalog/index.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
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

/*
 * Do the CHECK constraints that the script has added before, with NOT NULL,
 * imply the constraint?  As ConstraintImpliedByRelConstraint() has it.
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
		ParseState *pstate;
		Node	   *check;

		if (calls_function(lfirst(lc), NULL))
			continue;
		pstate = make_parsestate(NULL);
		pstate->p_pre_columnref_hook = column_of_check;
		pstate->p_ref_hook_state = zrel;
		check = transformExpr(pstate, copyObject(lfirst(lc)), EXPR_KIND_CHECK_CONSTRAINT);
		check = coerce_to_boolean(pstate, check, "CHECK");
		assign_expr_collations(pstate, check);
		free_parsestate(pstate);
		check = eval_const_expressions(NULL, check);
		check = (Node *) canonicalize_qual((Expr *) check, true);
		known = list_concat(known, make_ands_implicit((Expr *) check));
	}
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

static bool
bound_calls_function(PartitionBoundSpec *bound)
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
		bound_calls_function(bound))
		return false;
	pstate = ddl_parsestate(ddl);
	bound = transformPartitionBound(pstate, parent, copyObject(bound));
	free_parsestate(pstate);
	*quals = get_qual_from_partbound(parent, bound);
	return true;
}

/* A bound's value as a literal. */
static char *
literal(const Const *value)
{
	Oid			typoutput;
	bool		is_varlena;

	getTypeOutputInfo(value->consttype, &typoutput, &is_varlena);
	return quote_literal_cstr(OidOutputFunctionCall(typoutput, value->constvalue));
}

/* k >= a, or k < b; nothing for MINVALUE and MAXVALUE */
static void
append_range_bound(StringInfo buf, const char *column, const char *operator,
				   List *datums)
{
	PartitionRangeDatum *datum = linitial_node(PartitionRangeDatum, datums);

	if (datum->kind == PARTITION_RANGE_DATUM_VALUE)
		appendStringInfo(buf, " AND %s %s %s", column, operator,
						 literal(castNode(Const, datum->value)));
}

static void
append_list_bound(StringInfo buf, const char *column, List *datums)
{
	bool		has_null = false;
	const char *separator = "";
	ListCell   *lc;

	appendStringInfo(buf, "%s IN (", column);
	foreach(lc, datums)
	{
		Const	   *value = lfirst_node(Const, lc);

		if (value->constisnull)
		{
			has_null = true;
			continue;
		}
		appendStringInfo(buf, "%s%s", separator, literal(value));
		separator = ", ";
	}
	appendStringInfoChar(buf, ')');
	if (has_null)
		appendStringInfo(buf, " OR %s IS NULL", column);
	else
		appendStringInfo(buf, " AND %s IS NOT NULL", column);
}

/*
 * The bounds as a condition for a CHECK constraint, and as they stand after
 * FOR VALUES; false where they are not simple: several key columns,
 * expressions, hash.  Of a list of NULL alone nothing is said either.
 */
bool
ddl_partition_condition(ZdmRel *parent, PartitionBoundSpec *bound, char **condition,
						char **values)
{
	Relation	rel = RelationIdGetRelation(parent->relid);
	PartitionKey key;
	StringInfoData buf;
	const char *column;
	bool		result = false;

	if (!RelationIsValid(rel))
		return false;
	key = RelationGetPartitionKey(rel);
	initStringInfo(&buf);
	if (key != NULL && key->partnatts == 1 && key->partattrs[0] > 0 &&
		!bound->is_default && !bound_calls_function(bound))
	{
		column = quote_identifier(ddl_attname(parent, key->partattrs[0]));
		bound = transformPartitionBound(make_parsestate(NULL), rel, copyObject(bound));
		if (bound->strategy == PARTITION_STRATEGY_RANGE)
		{
			appendStringInfo(&buf, "%s IS NOT NULL", column);
			append_range_bound(&buf, column, ">=", bound->lowerdatums);
			append_range_bound(&buf, column, "<", bound->upperdatums);
			*values = psprintf("FROM %s TO %s",
							   get_range_partbound_string(bound->lowerdatums),
							   get_range_partbound_string(bound->upperdatums));
			result = true;
		}
		else if (bound->strategy == PARTITION_STRATEGY_LIST &&
				 !castNode(Const, linitial(bound->listdatums))->constisnull)
		{
			const char *separator = "";
			StringInfoData list;
			ListCell   *lc;

			append_list_bound(&buf, column, bound->listdatums);
			initStringInfo(&list);
			foreach(lc, bound->listdatums)
			{
				Const	   *value = lfirst_node(Const, lc);

				appendStringInfo(&list, "%s%s", separator,
								 value->constisnull ? "NULL" : literal(value));
				separator = ", ";
			}
			*values = psprintf("IN (%s)", list.data);
			result = true;
		}
	}
	*condition = buf.data;
	RelationClose(rel);
	return result;
}

/*
 * Has the relation each column of the parent?  The server's functions that map
 * them raise errors that the statement itself would not.
 */
static bool
columns_fit(Relation rel, Relation parent)
{
	TupleDesc	desc = RelationGetDescr(parent);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute wanted = TupleDescAttr(desc, i);
		HeapTuple	tuple;
		bool		fits;

		if (wanted->attisdropped)
			continue;
		tuple = SearchSysCacheAttName(RelationGetRelid(rel), NameStr(wanted->attname));
		if (!HeapTupleIsValid(tuple))
			return false;
		fits = ((Form_pg_attribute) GETSTRUCT(tuple))->atttypid == wanted->atttypid &&
			((Form_pg_attribute) GETSTRUCT(tuple))->atttypmod == wanted->atttypmod;
		ReleaseSysCache(tuple);
		if (!fits)
			return false;
	}
	return true;
}

/*
 * Would rel be read to prove that its rows fit: into the bounds if it is to be
 * attached to parent, or outside of them if it is the default partition?
 */
static bool
is_read_for_bounds(ZdmDdl *ddl, ZdmRel *parent, ZdmRel *zrel, PartitionBoundSpec *bound,
				   bool is_default)
{
	Relation	parentrel = RelationIdGetRelation(parent->relid);
	Relation	rel = RelationIdGetRelation(zrel->relid);
	List	   *quals = NIL;
	bool		result = true;

	if (RelationIsValid(parentrel) && RelationIsValid(rel) &&
		!columns_fit(rel, parentrel))
		result = ddl->script != NULL;	/* which may have made them fit */
	else if (RelationIsValid(parentrel) && RelationIsValid(rel) &&
			 constraint_of_bounds(ddl, parentrel, bound, &quals))
	{
		if (is_default)
			quals = get_proposed_default_constraint(quals);
		else
		{
			quals = list_concat(quals, own_partition_quals(parentrel));
			if (quals != NIL)
			{
				quals = (List *) ddl_fold((Node *) quals);
				quals = list_make1(make_ands_explicit(quals));
			}
		}
		result = quals != NIL &&
			is_read_for(ddl, zrel, rel, map_partition_varattnos(quals, 1, rel, parentrel));
	}
	if (RelationIsValid(rel))
		RelationClose(rel);
	if (RelationIsValid(parentrel))
		RelationClose(parentrel);
	return result;
}

/* Has the relation an index that ATTACH takes for that of the parent? */
static bool
has_matching_index(Relation child, Relation parentrel, Relation parentidx)
{
	AttrMap    *attmap = compat_attrmap_by_name(RelationGetDescr(child),
												RelationGetDescr(parentrel));
	IndexInfo  *parentinfo;
	bool		found = false;
	ListCell   *lc;

	parentinfo = BuildIndexInfo(parentidx);
	foreach(lc, RelationGetIndexList(child))
	{
		Relation	index = RelationIdGetRelation(lfirst_oid(lc));

		if (!RelationIsValid(index))
			continue;
		found = !index->rd_rel->relispartition && index->rd_index->indisvalid &&
			CompareIndexInfo(BuildIndexInfo(index), parentinfo,
							 index->rd_indcollation, parentidx->rd_indcollation,
							 index->rd_opfamily, parentidx->rd_opfamily, attmap) &&
			(!OidIsValid(get_index_constraint(RelationGetRelid(parentidx))) ||
			 OidIsValid(get_index_constraint(RelationGetRelid(index))));
		RelationClose(index);
		if (found)
			break;
	}
	return found;
}

/* A parent's index that ATTACH would build on the relation, or InvalidOid. */
static Oid
missing_index(ZdmRel *parent, ZdmRel *child)
{
	Relation	parentrel = RelationIdGetRelation(parent->relid);
	Relation	childrel = RelationIdGetRelation(child->relid);
	Oid			result = InvalidOid;

	if (RelationIsValid(parentrel) && RelationIsValid(childrel) &&
		columns_fit(childrel, parentrel))
	{
		ListCell   *lc;

		foreach(lc, RelationGetIndexList(parentrel))
		{
			Relation	index = RelationIdGetRelation(lfirst_oid(lc));

			if (!RelationIsValid(index))
				continue;
			if (!has_matching_index(childrel, parentrel, index))
				result = RelationGetRelid(index);
			RelationClose(index);
			if (OidIsValid(result))
				break;
		}
	}
	if (RelationIsValid(childrel))
		RelationClose(childrel);
	if (RelationIsValid(parentrel))
		RelationClose(parentrel);
	return result;
}

/* Has the relation a valid foreign key like that of the parent? */
static bool
has_matching_foreign_key(ZdmRel *parent, ZdmRel *child, const ZdmConstraint *wanted)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_constraints(child))
	{
		ZdmConstraint *con = lfirst(lc);
		bool		same;

		same = con->contype == CONSTRAINT_FOREIGN && con->is_valid &&
			con->confrelid == wanted->confrelid && con->nkeys == wanted->nkeys;
		for (int i = 0; same && i < con->nkeys; i++)
			same = con->confkey[i] == wanted->confkey[i] &&
				strcmp(ddl_attname(child, con->conkey[i]),
					   ddl_attname(parent, wanted->conkey[i])) == 0;
		if (same)
			return true;
	}
	return false;
}

/*
 * The foreign keys of a partitioned table, without the rows that repeat one
 * of them for each partition of the referenced table.
 */
static List *
foreign_keys(ZdmRel *rel)
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

	foreach(lc, foreign_keys(parent))
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
	if (dflt == NULL || bound->is_default || !is_read_for_bounds(ddl, parent, dflt, bound, true))
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
	Oid			indexoid = missing_index(parent, child);
	ZdmHazard  *hazard;
	ListCell   *lc;

	if (is_read_for_bounds(ddl, parent, child, bound, false))
		(void) child_hazard(ddl, parent, child, node,
							"read all of it to check the partition bounds");
	if (OidIsValid(indexoid))
	{
		hazard = child_hazard(ddl, parent, child, node,
							  psprintf("build its part of index \"%s\"",
									   get_rel_name(indexoid)));
		if (hazard != NULL)
			ObjectAddressSet(hazard->subject, RelationRelationId, indexoid);
	}
	foreach(lc, foreign_keys(parent))
	{
		ZdmConstraint *con = lfirst(lc);

		if (has_matching_foreign_key(parent, child, con))
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
	if (rel->relkind != RELKIND_PARTITIONED_TABLE || child->is_partition)
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
		(!child->is_partition && OidIsValid(child->relid)))
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

/* CREATE TABLE ... PARTITION OF */
void
ddl_create_partition_of(ZdmDdl *ddl, CreateStmt *stmt)
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
	if (parent->relkind != RELKIND_PARTITIONED_TABLE)
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
