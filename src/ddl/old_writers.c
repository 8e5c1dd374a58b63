/*-------------------------------------------------------------------------
 *
 * old_writers.c
 *	  Does a new constraint reject rows that old clients may still write?
 *
 * On a column that was there before it does, as far as anyone can know.  On a
 * column that the old version does not know, its INSERT leaves the default:
 * what that does to the constraint can be found out.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/heap.h"
#include "ddl/ddl.h"
#include "ddl/script.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_node.h"
#include "utils/builtins.h"
#include "utils/resowner.h"

/* What an INSERT that does not name a column leaves in it */
typedef enum OmittedValue
{
	OMITTED_NULL,
	OMITTED_CONSTANT,			/* the same value in every row */
	OMITTED_VARIES				/* volatile, identity or generated */
} OmittedValue;

static OmittedValue
omitted_value(ZdmDdl *ddl, ZdmRel *rel, const ZdmCol *col)
{
	ColumnDef  *def = ddl_added_column(ddl, col->name);
	Node	   *expr;

	if (!col->has_default)
		return OMITTED_NULL;
	if (col->identity != '\0' || col->generated != '\0')
		return OMITTED_VARIES;
	if (def != NULL)
	{
		expr = ddl_coldef_default(def);
		if (expr == NULL || ddl_expr_is_volatile(ddl, expr))
			return OMITTED_VARIES;
		return OMITTED_CONSTANT;
	}
	expr = ddl_col_stored_default(rel, col);
	if (expr != NULL && contain_volatile_functions(expr))
		return OMITTED_VARIES;
	return OMITTED_CONSTANT;
}

/* Columns and calls of a raw CHECK expression */
typedef struct CheckWalk
{
	ZdmDdl	   *ddl;
	List	   *columns;		/* String */
	List	   *qualified;		/* those of them that stand after a dot */
	bool		is_plain;		/* only column names, no whole rows */
	bool		uses_script;	/* may need what only the script has */
} CheckWalk;

static bool
check_walker(Node *node, CheckWalk *walk)
{
	if (node == NULL)
		return false;
	if (IsA(node, ColumnRef))
	{
		Node	   *last = llast(((ColumnRef *) node)->fields);

		if (IsA(last, String))
		{
			walk->columns = lappend(walk->columns, last);
			/* t.f can be f(t) */
			if (list_length(((ColumnRef *) node)->fields) > 1)
				walk->qualified = lappend(walk->qualified, last);
		}
		else
			walk->is_plain = false;
		return false;
	}
	if (IsA(node, FuncCall) || IsA(node, TypeCast))
		walk->uses_script = walk->ddl->script != NULL;
	return raw_expression_tree_walker(node, check_walker, walk);
}

/* A column whose omitted value stands for it while a CHECK is looked at */
typedef struct CheckValue
{
	ZdmDdl	   *ddl;
	ZdmRel	   *rel;
	const char *column;
	Node	   *value;
} CheckValue;

static Node *
check_column(ParseState *pstate, ColumnRef *ref)
{
	CheckValue *check = pstate->p_ref_hook_state;
	const char *name = strVal(llast(ref->fields));
	ZdmCol	   *col;

	if (strcmp(name, check->column) == 0)
		return copyObject(check->value);
	col = ddl_alter_col(check->ddl, check->rel, name, true);
	if (col == NULL)
		return NULL;
	return (Node *) makeVar(1, col->attnum != 0 ? col->attnum : MaxAttrNumber,
							col->typid, col->typmod, col->collation, 0);
}

/* The value that an omitted column gets, as an analyzed expression, or NULL. */
static Node *
omitted_expression(ZdmDdl *ddl, ZdmRel *rel, const ZdmCol *col)
{
	ColumnDef  *def = ddl_added_column(ddl, col->name);
	ParseState *pstate = ddl_parsestate(ddl);
	Node	   *expr;

	if (!col->has_default)
		return (Node *) makeNullConst(col->typid, col->typmod, col->collation);
	if (def == NULL)
		return ddl_col_stored_default(rel, col);
	expr = ddl_coldef_default(def);
	if (expr == NULL)
		return NULL;
	expr = transformExpr(pstate, copyObject(expr), EXPR_KIND_COLUMN_DEFAULT);
	return coerce_to_target_type(pstate, expr, exprType(expr), col->typid, col->typmod,
								 COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
}

/*
 * Fold constants.  NULL where a value is out of some function's domain, as in
 * 1 / 0: nothing is known then, and the statement itself may be all right.
 */
static Node *
fold_or_null(Node *expr)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	Node	   *volatile result = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		result = ddl_fold(expr);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION)
			ReThrowError(error);
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return result;
}

/*
 * Would a CHECK reject a row in which the column has its omitted value?  The
 * expression is folded as the planner does it; where other columns decide, it
 * may.
 */
static bool
check_rejects_omitted(ZdmDdl *ddl, ZdmRel *rel, Node *raw, const ZdmCol *col)
{
	ParseState *pstate = ddl_parsestate(ddl);
	CheckValue	check = {0};
	Node	   *expr;
	Const	   *result;

	check.ddl = ddl;
	check.rel = rel;
	check.column = col->name;
	check.value = omitted_expression(ddl, rel, col);
	if (check.value == NULL)
		return true;
	pstate->p_pre_columnref_hook = check_column;
	pstate->p_ref_hook_state = &check;
	expr = transformExpr(pstate, copyObject(raw), EXPR_KIND_CHECK_CONSTRAINT);
	expr = coerce_to_boolean(pstate, expr, "CHECK");
	assign_expr_collations(pstate, expr);
	expr = fold_or_null(expr);
	if (expr == NULL || !IsA(expr, Const))
		return true;
	result = (Const *) expr;
	return !result->constisnull && !DatumGetBool(result->constvalue);
}

static bool
check_rejects(ZdmDdl *ddl, ZdmRel *rel, Node *raw, const ZdmCol *col)
{
	CheckWalk	walk = {.ddl = ddl};
	ListCell   *lc;

	walk.is_plain = true;
	check_walker(raw, &walk);
	if (!walk.is_plain || walk.uses_script || !OidIsValid(col->typid))
		return col->has_default;
	foreach(lc, walk.columns)
	{
		ZdmCol	   *other = ddl_alter_col(ddl, rel, strVal(lfirst(lc)), true);

		if (other == NULL || !OidIsValid(other->typid))
			return col->has_default;
	}
	return check_rejects_omitted(ddl, rel, raw, col);
}

/* Would a CHECK reject a row that has NULL in the column? */
bool
ddl_check_rejects_null(ZdmDdl *ddl, ZdmRel *rel, Node *raw, const char *column)
{
	ZdmCol	   *col = ddl_col(ddl, rel, column, true);
	ZdmCol		without_default;

	if (col == NULL)
		return false;
	without_default = *col;
	without_default.has_default = false;
	return check_rejects(ddl, rel, raw, &without_default);
}

/* Does the constraint reject a row for what an omitted column is left with? */
static bool
rejects_omitted(ZdmDdl *ddl, ZdmRel *rel, const ZdmCol *col, ConstrType contype, Node *check)
{
	OmittedValue value = omitted_value(ddl, rel, col);

	switch (contype)
	{
		case CONSTR_NOTNULL:
			return value == OMITTED_NULL;
		case CONSTR_PRIMARY:
			return value != OMITTED_VARIES;
		case CONSTR_CHECK:
			return check_rejects(ddl, rel, check, col);
		case CONSTR_FOREIGN:
			return value != OMITTED_NULL;
		default:
			return value == OMITTED_CONSTANT;	/* UNIQUE, EXCLUDE */
	}
}

/*
 * The column whose birth in a window voids the hazard, if any does: of those
 * that do no harm when omitted, the newest.
 */
static ZdmCol *
harmless_column(ZdmDdl *ddl, ZdmRel *rel, List *columns, ConstrType contype, Node *check)
{
	ZdmCol	   *best = NULL;
	ListCell   *lc;

	foreach(lc, columns)
	{
		ZdmCol	   *col = ddl_alter_col(ddl, rel, strVal(lfirst(lc)), true);

		if (col == NULL || rejects_omitted(ddl, rel, col, contype, check))
			continue;
		if (best == NULL || (col->is_new && !best->is_new) ||
			(!best->is_new && col->attnum > best->attnum))
			best = col;
	}
	return best;
}

/* Names that a raw CHECK expression uses as those of columns */
List *
ddl_check_columns(Node *check)
{
	ZdmDdl		nobody = {0};
	CheckWalk	walk = {.ddl = &nobody};
	List	   *columns = NIL;
	ListCell   *lc;

	check_walker(check, &walk);
	foreach(lc, walk.columns)
		columns = list_append_unique(columns, lfirst(lc));
	return columns;
}

/* The columns of a CHECK; one that does not exist is noted. */
List *
ddl_existing_check_columns(ZdmDdl *ddl, ZdmRel *rel, Node *check)
{
	ZdmDdl		nobody = {0};
	CheckWalk	walk = {.ddl = &nobody};
	List	   *columns = NIL;
	ListCell   *lc;

	check_walker(check, &walk);
	foreach(lc, walk.columns)
	{
		const char *name = strVal(lfirst(lc));

		/* the table's own name stands for the whole row */
		if (!list_member(columns, lfirst(lc)) &&
			ddl_kept_col(ddl, rel, name, strcmp(name, rel->relname) == 0 ||
						 list_member(walk.qualified, lfirst(lc)) ||
						 SystemAttributeByName(name) != NULL) != NULL)
			columns = lappend(columns, lfirst(lc));
	}
	return columns;
}

void
ddl_rejects_old_writers(ZdmDdl *ddl, ZdmRel *rel, Node *node, List *columns,
						ConstrType contype, Node *check, const char *what)
{
	ZdmCol	   *harmless;
	ZdmHazard  *hazard;
	const char *column;

	if (rel->is_exempt)
		return;
	if (contype == CONSTR_CHECK && check != NULL)
		columns = ddl_existing_check_columns(ddl, rel, check);
	harmless = harmless_column(ddl, rel, columns, contype, check);
	if (harmless != NULL && harmless->is_new)
		return;					/* made with the column: old clients do not
								 * meet it */

	column = harmless != NULL ? harmless->name :
		columns != NIL ? strVal(linitial(columns)) : NULL;
	hazard = ddl_hazard(ddl, ZDM_RULE_CONSTRAINT_REJECTS_OLD_WRITERS, rel, node, column,
						"%s on %s could reject rows that old clients write",
						what, ddl_rel_describe(rel));
	if (hazard != NULL)
		hazard->rejects_writes = harmless == NULL;
}
