/*-------------------------------------------------------------------------
 *
 * column.c
 *	  Columns, types and default expressions as a statement meets them.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "ddl/catalog_scan.h"
#include "ddl/ddl.h"
#include "ddl/script.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_node.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* Is a NOT NULL column free of NULLs, not merely marked for new rows? */
static bool
not_null_is_valid(Oid relid, const FormData_pg_attribute *att)
{
	return att->attnotnull && compat_not_null_is_valid(relid, att->attnum);
}

static ZdmCol *
catalog_col(Oid relid, const char *name)
{
	HeapTuple	tuple = SearchSysCacheAttName(relid, name);
	Form_pg_attribute att;
	ZdmCol	   *col;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	att = (Form_pg_attribute) GETSTRUCT(tuple);
	if (att->attnum <= 0)
	{
		ReleaseSysCache(tuple);
		return NULL;
	}

	col = palloc0(sizeof(ZdmCol));
	col->name = pstrdup(name);
	col->attnum = att->attnum;
	col->typid = att->atttypid;
	col->typmod = att->atttypmod;
	col->collation = att->attcollation;
	col->not_null = not_null_is_valid(relid, att);
	col->has_default = att->atthasdef || att->attidentity != '\0';
	col->identity = att->attidentity;
	col->generated = att->attgenerated;
	ReleaseSysCache(tuple);
	return col;
}

/* The column of that name; a missing one is noted unless missing_ok. */
ZdmCol *
ddl_col(ZdmDdl *ddl, ZdmRel *rel, const char *name, bool missing_ok)
{
	ZdmCol	   *col = NULL;

	if (rel->script == NULL || !ddl_script_lookup_col(rel, name, &col))
	{
		if (OidIsValid(rel->relid))
			col = catalog_col(rel->relid, name);
	}

	if (col == NULL && !missing_ok)
		ddl_undefined(ddl, "column \"%s\" of relation \"%s\" does not exist",
					  name, rel->relname);
	return col;
}

/*
 * The expression that the catalog holds as a column's default, or NULL: the
 * script's own columns have none.
 */
Node *
ddl_col_stored_default(const ZdmRel *rel, const ZdmCol *col)
{
	ZdmCatalogScan scan;
	ScanKeyData keys[2];
	HeapTuple	tuple;
	Node	   *expr = NULL;

	if (!OidIsValid(rel->relid) || col->attnum == 0)
		return NULL;
	ScanKeyInit(&keys[0], Anum_pg_attrdef_adrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(rel->relid));
	ScanKeyInit(&keys[1], Anum_pg_attrdef_adnum, BTEqualStrategyNumber, F_INT2EQ,
				Int16GetDatum(col->attnum));
	catalog_scan_keys(&scan, AttrDefaultRelationId, AttrDefaultIndexId, 2, keys);
	tuple = catalog_scan_next(&scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		adbin = catalog_scan_attr(&scan, tuple, Anum_pg_attrdef_adbin, &isnull);

		if (!isnull)
			expr = stringToNode(TextDatumGetCString(adbin));
	}
	catalog_scan_end(&scan);
	return expr;
}

const char *
ddl_attname(ZdmRel *rel, AttrNumber attnum)
{
	char	   *name = get_attname(rel->relid, attnum, true);

	return name != NULL ? name : "?";
}

/* A function that did not come with the server. */
static bool
is_users_function(Oid funcid, void *context)
{
	return funcid >= FirstNormalObjectId;
}

static bool
has_users_function(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (check_functions_in_node(node, is_users_function, context))
		return true;
	return expression_tree_walker(node, has_users_function, context);
}

/*
 * Fold constants as the planner does, unless that could call a function that
 * some user has written: looking at a statement runs nobody's code, least of
 * all with the rights of whoever looks.
 */
Node *
ddl_fold(Node *expr)
{
	if (has_users_function(expr, NULL))
		return expr;
	return eval_const_expressions(NULL, expr);
}

/*
 * Does the expression of a valid CHECK prove that the column holds no NULL?
 * As ConstraintImpliedByRelConstraint() in tablecmds.c decides it, which
 * needs an open relation.
 */
static bool
check_proves_not_null(const char *conbin, NullTest *test)
{
	Node	   *expr = stringToNode(conbin);

	expr = ddl_fold(expr);
	expr = (Node *) canonicalize_qual((Expr *) expr, true);
	return predicate_implied_by(list_make1(test), make_ands_implicit((Expr *) expr),
								true);
}

/* Does an enforced CHECK constraint keep NULL out?  valid: of all rows. */
static bool
check_keeps_null_out(ZdmRel *rel, const ZdmCol *col, bool valid)
{
	NullTest   *test;
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	bool		proven = false;

	if (col->attnum == 0 || !OidIsValid(rel->relid))
		return false;

	test = makeNode(NullTest);
	test->arg = (Expr *) makeVar(1, col->attnum, col->typid, col->typmod,
								 col->collation, 0);
	test->nulltesttype = IS_NOT_NULL;
	test->argisrow = false;
	test->location = -1;

	catalog_scan_oid(&scan, ConstraintRelationId, ConstraintRelidTypidNameIndexId,
					 Anum_pg_constraint_conrelid, rel->relid);
	while (!proven && HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_constraint con = (Form_pg_constraint) GETSTRUCT(tuple);
		Datum		conbin;
		bool		isnull;

		if (con->contype != CONSTRAINT_CHECK || (valid && !con->convalidated) ||
			!compat_constraint_is_enforced(con))
			continue;
		if (rel->script != NULL)
		{
			bool		dropped = false;

			if (ddl_script_has_constraint(rel, NameStr(con->conname), &dropped) && dropped)
				continue;
		}
		conbin = catalog_scan_attr(&scan, tuple, Anum_pg_constraint_conbin, &isnull);
		if (!isnull)
			proven = check_proves_not_null(TextDatumGetCString(conbin), test);
	}
	catalog_scan_end(&scan);
	return proven;
}

/* Does a valid CHECK constraint spare SET NOT NULL its scan? */
bool
ddl_col_proven_not_null(ZdmDdl *ddl, ZdmRel *rel, const ZdmCol *col)
{
	if (rel->script != NULL && ddl_script_proves_not_null(rel, col->name))
		return true;
	return check_keeps_null_out(rel, col, true);
}

/*
 * Is NULL rejected already in each row that is written, so that NOT NULL
 * takes nothing from any client?
 */
bool
ddl_col_rejects_null(ZdmDdl *ddl, ZdmRel *rel, const ZdmCol *col)
{
	return col->not_null || ddl_col_proven_not_null(ddl, rel, col) ||
		check_keeps_null_out(rel, col, false);
}

/* t.c%TYPE, of which the server tells the client when it looks it up. */
static bool
type_of_column(ZdmDdl *ddl, const TypeName *typname, Oid *typid)
{
	ZdmRel	   *rel = NULL;
	ZdmCol	   *col = NULL;

	if (list_length(typname->names) > 1)
		rel = ddl_rel_by_names(ddl, list_truncate(list_copy(typname->names),
												  list_length(typname->names) - 1), false);
	if (rel != NULL)
		col = ddl_col(ddl, rel, strVal(llast(typname->names)), false);
	if (col != NULL)
		*typid = col->typid;
	return col != NULL;
}

/*
 * Look up a type.  False, with the name noted, if there is none; a type that
 * the script makes is true with *typid InvalidOid.
 */
bool
ddl_type(ZdmDdl *ddl, const TypeName *typname, Oid *typid, int32 *typmod)
{
	Type		type;

	*typid = InvalidOid;
	*typmod = -1;

	if (typname->pct_type)
		return type_of_column(ddl, typname, typid);
	type = LookupTypeName(ddl_parsestate(ddl), typname, typmod, true);
	if (type != NULL)
	{
		*typid = typeTypeId(type);
		ReleaseSysCache(type);
		return true;
	}
	if (ddl->script != NULL && typname->names != NIL &&
		ddl_script_has_type(ddl->script,
							list_length(typname->names) >= 2 ?
							strVal(list_nth(typname->names, list_length(typname->names) - 2)) : NULL,
							strVal(llast(typname->names))))
		return true;

	ddl_undefined(ddl, "type \"%s\" does not exist", TypeNameToString(typname));
	return false;
}

/* As transformColumnDefinition() in parse_utilcmd.c has it; NULL is none. */
bool
ddl_type_is_serial(const TypeName *typname)
{
	static const char *const names[] = {
		"smallserial", "serial2", "serial", "serial4", "bigserial", "serial8"
	};
	const char *name;

	if (typname == NULL || list_length(typname->names) != 1 ||
		typname->pct_type || typname->arrayBounds != NIL)
		return false;
	name = strVal(linitial(typname->names));
	for (int i = 0; i < lengthof(names); i++)
	{
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

bool
ddl_domain_has_constraints(Oid typid)
{
	return OidIsValid(typid) && get_typtype(typid) == TYPTYPE_DOMAIN &&
		DomainHasConstraints(typid);
}

/* A state for parse analysis whose errors point into the client's text. */
ParseState *
ddl_parsestate(const ZdmDdl *ddl)
{
	ParseState *pstate = make_parsestate(NULL);

	pstate->p_sourcetext = ddl->query;
	return pstate;
}

/* Names of functions that a raw expression calls, and one of the script's? */
typedef struct ScriptCall
{
	ZdmScript  *script;
	bool		found;
	bool		is_volatile;
} ScriptCall;

static bool
script_call_walker(Node *node, ScriptCall *call)
{
	if (node == NULL)
		return false;
	if (IsA(node, FuncCall))
	{
		bool		is_volatile = false;

		if (ddl_script_has_function(call->script,
									strVal(llast(((FuncCall *) node)->funcname)),
									&is_volatile))
		{
			call->found = true;
			call->is_volatile |= is_volatile;
		}
	}
	return raw_expression_tree_walker(node, script_call_walker, call);
}

/* A function of someone whom the current user need not trust. */
static bool
is_strangers_function(Oid funcid, void *context)
{
	HeapTuple	tuple;
	Oid			owner = InvalidOid;

	if (funcid < FirstNormalObjectId)
		return false;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(funcid));
	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
		ReleaseSysCache(tuple);
	}
	return owner != GetUserId() && !superuser_arg(owner);
}

static bool
has_strangers_function(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (check_functions_in_node(node, is_strangers_function, context))
		return true;
	return expression_tree_walker(node, has_strangers_function, context);
}

/*
 * Is an analyzed expression volatile?  As the planner sees it, to which a
 * VOLATILE function in SQL can turn out to be a constant; but planning runs
 * IMMUTABLE functions, so those of a stranger are taken at their word.
 */
bool
ddl_is_volatile(Node *expr)
{
	if (has_strangers_function(expr, NULL))
		return contain_volatile_functions(expr);
	return contain_volatile_functions_after_planning((Expr *) expr);
}

/*
 * Would a default of this raw expression be evaluated anew for every row, so
 * that ADD COLUMN has to rewrite the table?  Raises what parse analysis
 * raises (an undefined function, say).
 */
bool
ddl_expr_is_volatile(ZdmDdl *ddl, Node *expr)
{
	ParseState *pstate;
	Node	   *node;

	while (expr != NULL && IsA(expr, TypeCast))
		expr = ((TypeCast *) expr)->arg;
	if (expr == NULL || IsA(expr, A_Const))
		return false;

	if (ddl->script != NULL)
	{
		ScriptCall	call = {.script = ddl->script};

		script_call_walker(expr, &call);
		if (call.found)
			return call.is_volatile;
	}

	pstate = ddl_parsestate(ddl);
	node = transformExpr(pstate, copyObject(expr), EXPR_KIND_COLUMN_DEFAULT);
	assign_expr_collations(pstate, node);
	free_parsestate(pstate);
	return ddl_is_volatile(node);
}

/* Is a raw default nothing but NULL, perhaps with a cast? */
bool
ddl_expr_is_null_constant(Node *expr)
{
	while (expr != NULL && IsA(expr, TypeCast))
		expr = ((TypeCast *) expr)->arg;
	return expr == NULL || (IsA(expr, A_Const) && ((A_Const *) expr)->isnull);
}
