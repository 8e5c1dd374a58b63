/*-------------------------------------------------------------------------
 *
 * redirect_walk.c
 *	  Where a utility statement names relations.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "redirect_walk.h"

static void walk_query(ZdmNameVisitor *visitor, Node *query);

static void
walk_relation(ZdmNameVisitor *visitor, const RangeVar *rv, ZdmNameUse use)
{
	if (rv != NULL)
		visitor->relation(visitor->arg, rv, use);
}

/* of RangeVar */
static void
walk_relations(ZdmNameVisitor *visitor, List *relations, ZdmNameUse use)
{
	ListCell   *lc;

	foreach(lc, relations)
	{
		if (IsA(lfirst(lc), RangeVar))
			walk_relation(visitor, lfirst(lc), use);
	}
}

static void
walk_type(ZdmNameVisitor *visitor, const TypeName *type)
{
	if (type != NULL && !type->pct_type)
		visitor->type(visitor->arg, type);
}

/* A name without a schema may be that of a WITH query. */
static bool
is_cte(const ZdmNameVisitor *visitor, const RangeVar *rv)
{
	ListCell   *lc;

	foreach(lc, rv->schemaname == NULL ? visitor->ctes : NIL)
	{
		if (strcmp(lfirst(lc), rv->relname) == 0)
			return true;
	}
	return false;
}

/* A statement with its WITH queries, each of which sees those before it */
static bool
walk_with(Node *stmt, const WithClause *with, bool (*walker) (Node *, void *), void *arg)
{
	ZdmNameVisitor *visitor = arg;
	int			outer = list_length(visitor->ctes);
	ListCell   *lc;

	visitor->depth++;
	foreach(lc, with && with->recursive ? with->ctes : NIL)
		visitor->ctes = lappend(visitor->ctes, ((CommonTableExpr *) lfirst(lc))->ctename);
	foreach(lc, with ? with->ctes : NIL)
	{
		(void) walker(((CommonTableExpr *) lfirst(lc))->ctequery, arg);
		if (!with->recursive)
			visitor->ctes = lappend(visitor->ctes, ((CommonTableExpr *) lfirst(lc))->ctename);
	}
	(void) raw_expression_tree_walker(stmt, walker, arg);
	visitor->ctes = list_truncate(visitor->ctes, outer);
	visitor->depth--;
	return false;
}

/* Expressions and queries as the grammar makes them */
static bool
query_walker(Node *node, void *arg)
{
	ZdmNameVisitor *visitor = arg;

	if (node == NULL)
		return false;
	CHECK_FOR_INTERRUPTS();
	check_stack_depth();
	switch (nodeTag(node))
	{
		case T_RangeVar:
			if (!is_cte(visitor, (RangeVar *) node))
				walk_relation(visitor, (RangeVar *) node, ZDM_NAME_QUERY);
			return false;
		case T_TypeName:
			walk_type(visitor, (TypeName *) node);
			return false;
		case T_ColumnRef:
			visitor->column(visitor->arg, (ColumnRef *) node, visitor->depth > 0);
			return false;
		case T_LockingClause:	/* names aliases */
		case T_IntoClause:
		case T_WithClause:		/* done with its statement */
			return false;
		case T_SelectStmt:
			return walk_with(node, ((SelectStmt *) node)->withClause, query_walker, arg);
		case T_InsertStmt:
			return walk_with(node, ((InsertStmt *) node)->withClause, query_walker, arg);
		case T_UpdateStmt:
			return walk_with(node, ((UpdateStmt *) node)->withClause, query_walker, arg);
		case T_DeleteStmt:
			return walk_with(node, ((DeleteStmt *) node)->withClause, query_walker, arg);
		case T_MergeStmt:
			return walk_with(node, ((MergeStmt *) node)->withClause, query_walker, arg);
		case T_ReturnStmt:		/* not known to the server's walker */
			return query_walker(((ReturnStmt *) node)->returnval, arg);
		default:
			return raw_expression_tree_walker(node, query_walker, arg);
	}
}

/* A query, or the lists of them that a function or rule is made of */
static void
walk_query(ZdmNameVisitor *visitor, Node *query)
{
	ListCell   *lc;

	if (query == NULL)
		return;
	switch (nodeTag(query))
	{
		case T_List:
			foreach(lc, (List *) query)
				walk_query(visitor, lfirst(lc));
			break;
		case T_SelectStmt:
		case T_InsertStmt:
		case T_UpdateStmt:
		case T_DeleteStmt:
		case T_MergeStmt:
			(void) query_walker(query, visitor);
			break;
		case T_ReturnStmt:
			(void) query_walker(((ReturnStmt *) query)->returnval, visitor);
			break;
		default:				/* the server rejects it */
			break;
	}
}

static void
walk_expression(ZdmNameVisitor *visitor, Node *expr)
{
	(void) query_walker(expr, visitor);
}

static void
walk_constraint(ZdmNameVisitor *visitor, const Constraint *con)
{
	walk_relation(visitor, con->pktable, ZDM_NAME_TARGET);
	walk_expression(visitor, con->raw_expr);
}

/* A column, constraint or partition of a table's definition, or its parent */
static void
walk_element(ZdmNameVisitor *visitor, Node *element)
{
	ListCell   *lc;

	if (element == NULL)
		return;
	switch (nodeTag(element))
	{
		case T_ColumnDef:
			walk_type(visitor, ((ColumnDef *) element)->typeName);
			walk_expression(visitor, ((ColumnDef *) element)->raw_default);
			foreach(lc, ((ColumnDef *) element)->constraints)
				walk_element(visitor, lfirst(lc));
			break;
		case T_Constraint:
			walk_constraint(visitor, (Constraint *) element);
			break;
		case T_TableLikeClause:
			walk_relation(visitor, ((TableLikeClause *) element)->relation, ZDM_NAME_TARGET);
			break;
		case T_PartitionCmd:
			walk_relation(visitor, ((PartitionCmd *) element)->name, ZDM_NAME_TARGET);
			break;
		case T_RangeVar:
			walk_relation(visitor, (RangeVar *) element, ZDM_NAME_TARGET);
			break;
		case T_TypeName:
			walk_type(visitor, (TypeName *) element);
			break;
		default:
			break;
	}
}

static void
walk_elements(ZdmNameVisitor *visitor, List *elements)
{
	ListCell   *lc;

	foreach(lc, elements)
		walk_element(visitor, lfirst(lc));
}

static void
walk_alter_table(ZdmNameVisitor *visitor, const AlterTableStmt *stmt)
{
	ListCell   *lc;

	walk_relation(visitor, stmt->relation, ZDM_NAME_TARGET);
	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_ColumnDefault)
			walk_expression(visitor, cmd->def);
		else
			walk_element(visitor, cmd->def);
	}
}

static void
walk_create_table(ZdmNameVisitor *visitor, const CreateStmt *stmt)
{
	walk_elements(visitor, stmt->tableElts);
	walk_elements(visitor, stmt->constraints);
	walk_relations(visitor, stmt->inhRelations, ZDM_NAME_TARGET);
	walk_type(visitor, stmt->ofTypename);
}

/* The argument types of a function */
static void
walk_function_name(ZdmNameVisitor *visitor, Node *object)
{
	ListCell   *lc;

	if (object == NULL || !IsA(object, ObjectWithArgs))
		return;
	foreach(lc, ((ObjectWithArgs *) object)->objargs)
		walk_type(visitor, lfirst(lc));
}

static void
walk_function(ZdmNameVisitor *visitor, const CreateFunctionStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->parameters)
	{
		const FunctionParameter *parameter = lfirst(lc);

		walk_type(visitor, parameter->argType);
		walk_expression(visitor, parameter->defexpr);
	}
	walk_type(visitor, stmt->returnType);
	walk_query(visitor, stmt->sql_body);
}

/* CREATE AGGREGATE, OPERATOR and their like */
static void
walk_define(ZdmNameVisitor *visitor, const DefineStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->definition)
	{
		const DefElem *element = lfirst(lc);

		if (element->arg != NULL && IsA(element->arg, TypeName))
			walk_type(visitor, (TypeName *) element->arg);
	}
	if (stmt->kind != OBJECT_AGGREGATE || stmt->oldstyle || stmt->args == NIL)
		return;
	foreach(lc, (List *) linitial(stmt->args))
		walk_type(visitor, lfirst_node(FunctionParameter, lc)->argType);
}

/* What DROP, COMMENT and their like name */
static void
walk_object(ZdmNameVisitor *visitor, ObjectType type, Node *object)
{
	switch (type)
	{
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_FOREIGN_TABLE:
			visitor->names(visitor->arg, castNode(List, object), false, false);
			break;
		case OBJECT_COLUMN:
			visitor->names(visitor->arg, castNode(List, object), true, true);
			break;
		case OBJECT_TRIGGER:
		case OBJECT_RULE:
		case OBJECT_POLICY:
		case OBJECT_TABCONSTRAINT:
			visitor->names(visitor->arg, castNode(List, object), true, false);
			break;
		default:
			walk_function_name(visitor, object);
			break;
	}
}

/* OWNED BY table.column; of NONE there is nothing to say */
static void
walk_sequence_options(ZdmNameVisitor *visitor, List *options)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		const DefElem *option = lfirst(lc);

		if (strcmp(option->defname, "owned_by") == 0 && option->arg != NULL &&
			list_length(castNode(List, option->arg)) > 1)
			visitor->names(visitor->arg, castNode(List, option->arg), true, true);
	}
}

static void
walk_grant(ZdmNameVisitor *visitor, const GrantStmt *stmt)
{
	ListCell   *lc;

	if (stmt->targtype != ACL_TARGET_OBJECT)
		return;
	if (stmt->objtype == OBJECT_TABLE)
		walk_relations(visitor, stmt->objects, ZDM_NAME_GRANT);
	foreach(lc, stmt->objects)
		walk_function_name(visitor, lfirst(lc));
}

static void
walk_vacuum(ZdmNameVisitor *visitor, const VacuumStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->rels)
		walk_relation(visitor, ((VacuumRelation *) lfirst(lc))->relation, ZDM_NAME_TARGET);
}

static void
walk_publication(ZdmNameVisitor *visitor, List *objects)
{
	ListCell   *lc;

	foreach(lc, objects)
	{
		const PublicationObjSpec *object = lfirst(lc);

		if (object->pubtable != NULL)
			walk_relation(visitor, object->pubtable->relation, ZDM_NAME_TARGET);
	}
}

/* Statements whose names are all in one relation, or one relation and an object */
static bool
walk_simple(ZdmNameVisitor *visitor, Node *stmt)
{
	const RangeVar *relation;
	Node	   *object = NULL;

	switch (nodeTag(stmt))
	{
		case T_CopyStmt:
			relation = ((CopyStmt *) stmt)->relation;
			break;
		case T_ClusterStmt:
			relation = ((ClusterStmt *) stmt)->relation;
			break;
		case T_ReindexStmt:
			relation = ((ReindexStmt *) stmt)->kind == REINDEX_OBJECT_TABLE ?
				((ReindexStmt *) stmt)->relation : NULL;
			break;
		case T_RefreshMatViewStmt:
			relation = ((RefreshMatViewStmt *) stmt)->relation;
			break;
		case T_RenameStmt:
			relation = ((RenameStmt *) stmt)->relation;
			object = ((RenameStmt *) stmt)->object;
			break;
		case T_AlterObjectSchemaStmt:
			relation = ((AlterObjectSchemaStmt *) stmt)->relation;
			object = ((AlterObjectSchemaStmt *) stmt)->object;
			break;
		case T_AlterOwnerStmt:
			relation = ((AlterOwnerStmt *) stmt)->relation;
			object = ((AlterOwnerStmt *) stmt)->object;
			break;
		case T_AlterObjectDependsStmt:
			relation = ((AlterObjectDependsStmt *) stmt)->relation;
			object = ((AlterObjectDependsStmt *) stmt)->object;
			break;
		case T_AlterFunctionStmt:
			relation = NULL;
			object = (Node *) ((AlterFunctionStmt *) stmt)->func;
			break;
		default:
			return false;
	}
	walk_relation(visitor, relation, ZDM_NAME_TARGET);
	walk_function_name(visitor, object);
	return true;
}

/* Statements on what belongs to a relation, or is made of a query */
static bool
walk_part(ZdmNameVisitor *visitor, Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_CreateTrigStmt:
			walk_relation(visitor, ((CreateTrigStmt *) stmt)->relation, ZDM_NAME_TARGET);
			walk_relation(visitor, ((CreateTrigStmt *) stmt)->constrrel, ZDM_NAME_TARGET);
			return true;
		case T_RuleStmt:
			walk_relation(visitor, ((RuleStmt *) stmt)->relation, ZDM_NAME_TARGET);
			walk_expression(visitor, ((RuleStmt *) stmt)->whereClause);
			walk_query(visitor, (Node *) ((RuleStmt *) stmt)->actions);
			return true;
		case T_CreatePolicyStmt:
			walk_relation(visitor, ((CreatePolicyStmt *) stmt)->table, ZDM_NAME_TARGET);
			walk_expression(visitor, ((CreatePolicyStmt *) stmt)->qual);
			walk_expression(visitor, ((CreatePolicyStmt *) stmt)->with_check);
			return true;
		case T_AlterPolicyStmt:
			walk_relation(visitor, ((AlterPolicyStmt *) stmt)->table, ZDM_NAME_TARGET);
			walk_expression(visitor, ((AlterPolicyStmt *) stmt)->qual);
			walk_expression(visitor, ((AlterPolicyStmt *) stmt)->with_check);
			return true;
		case T_ViewStmt:
			if (((ViewStmt *) stmt)->replace)
				walk_relation(visitor, ((ViewStmt *) stmt)->view, ZDM_NAME_TARGET);
			walk_query(visitor, ((ViewStmt *) stmt)->query);
			return true;
		case T_CreateTableAsStmt:
			if (((CreateTableAsStmt *) stmt)->objtype == OBJECT_MATVIEW)
				walk_query(visitor, ((CreateTableAsStmt *) stmt)->query);
			return true;
		case T_CreateFunctionStmt:
			walk_function(visitor, (CreateFunctionStmt *) stmt);
			return true;
		case T_IndexStmt:
			walk_relation(visitor, ((IndexStmt *) stmt)->relation, ZDM_NAME_TARGET);
			walk_expression(visitor, (Node *) ((IndexStmt *) stmt)->indexParams);
			walk_expression(visitor, ((IndexStmt *) stmt)->whereClause);
			return true;
		case T_CreateDomainStmt:
			walk_type(visitor, ((CreateDomainStmt *) stmt)->typeName);
			return true;
		case T_CreateCastStmt:
			walk_type(visitor, ((CreateCastStmt *) stmt)->sourcetype);
			walk_type(visitor, ((CreateCastStmt *) stmt)->targettype);
			walk_function_name(visitor, (Node *) ((CreateCastStmt *) stmt)->func);
			return true;
		case T_DefineStmt:
			walk_define(visitor, (DefineStmt *) stmt);
			return true;
		case T_CreateStatsStmt:
			walk_relations(visitor, ((CreateStatsStmt *) stmt)->relations, ZDM_NAME_TARGET);
			return true;
		default:
			return false;
	}
}

/* Statements that name several objects */
static void
walk_several(ZdmNameVisitor *visitor, Node *stmt)
{
	ListCell   *lc;

	switch (nodeTag(stmt))
	{
		case T_TruncateStmt:
			walk_relations(visitor, ((TruncateStmt *) stmt)->relations, ZDM_NAME_TARGET);
			break;
		case T_LockStmt:
			walk_relations(visitor, ((LockStmt *) stmt)->relations, ZDM_NAME_TARGET);
			break;
		case T_VacuumStmt:
			walk_vacuum(visitor, (VacuumStmt *) stmt);
			break;
		case T_GrantStmt:
			walk_grant(visitor, (GrantStmt *) stmt);
			break;
		case T_DropStmt:
			foreach(lc, ((DropStmt *) stmt)->objects)
				walk_object(visitor, ((DropStmt *) stmt)->removeType, lfirst(lc));
			break;
		case T_CommentStmt:
			walk_object(visitor, ((CommentStmt *) stmt)->objtype, ((CommentStmt *) stmt)->object);
			break;
		case T_SecLabelStmt:
			walk_object(visitor, ((SecLabelStmt *) stmt)->objtype, ((SecLabelStmt *) stmt)->object);
			break;
		case T_CreateSeqStmt:
			walk_sequence_options(visitor, ((CreateSeqStmt *) stmt)->options);
			break;
		case T_AlterSeqStmt:
			walk_sequence_options(visitor, ((AlterSeqStmt *) stmt)->options);
			break;
		case T_CreatePublicationStmt:
			walk_publication(visitor, ((CreatePublicationStmt *) stmt)->pubobjects);
			break;
		case T_AlterPublicationStmt:
			walk_publication(visitor, ((AlterPublicationStmt *) stmt)->pubobjects);
			break;
		default:
			break;
	}
}

void
redirect_walk(ZdmNameVisitor *visitor, Node *stmt)
{
	ListCell   *lc;

	switch (nodeTag(stmt))
	{
		case T_AlterTableStmt:
			walk_alter_table(visitor, (AlterTableStmt *) stmt);
			break;
		case T_CreateStmt:
		case T_CreateForeignTableStmt:	/* starts with a CreateStmt */
			walk_create_table(visitor, (CreateStmt *) stmt);
			break;
		case T_CompositeTypeStmt:
			walk_elements(visitor, ((CompositeTypeStmt *) stmt)->coldeflist);
			break;
		case T_CreateSchemaStmt:
			foreach(lc, ((CreateSchemaStmt *) stmt)->schemaElts)
				redirect_walk(visitor, lfirst(lc));
			break;
		default:
			if (!walk_simple(visitor, stmt) && !walk_part(visitor, stmt))
				walk_several(visitor, stmt);
			break;
	}
}
