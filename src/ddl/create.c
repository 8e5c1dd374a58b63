/*-------------------------------------------------------------------------
 *
 * create.c
 *	  CREATE TABLE, VIEW, TRIGGER, RULE, FUNCTION, SCHEMA, STATISTICS,
 *	  EXTENSION.
 *
 * A new object harms nobody; what counts is what is there already: the other
 * side of a foreign key, a parent, a table that gets a trigger, a view or
 * function that is replaced.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "ddl/ddl.h"
#include "ddl/script.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_func.h"
#include "parser/parse_type.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

/* Schema in which an unqualified name is made, or NULL if there is none. */
static const char *
creation_schema(ZdmDdl *ddl, const RangeVar *rv)
{
	ListCell   *lc;

	if (rv->relpersistence == RELPERSISTENCE_TEMP)
		return "pg_temp";
	if (rv->schemaname != NULL)
		return rv->schemaname;
	if (ddl->script != NULL)
		return ddl_script_creation_schema(ddl->script);
	foreach(lc, fetch_search_path(false))
	{
		const char *name = get_namespace_name(lfirst_oid(lc));

		if (name != NULL)
			return name;
	}
	return NULL;
}

/* The relation that stands where rv is to be made, or NULL. */
static ZdmRel *
relation_in_the_way(ZdmDdl *ddl, const RangeVar *rv)
{
	const char *nspname = creation_schema(ddl, rv);

	if (nspname == NULL)
		return NULL;
	return ddl_rel(ddl, makeRangeVar(unconstify(char *, nspname), rv->relname, -1),
				   true);
}

/* The relation to be made, for those who look at its constraints. */
static ZdmRel *
relation_to_be(ZdmDdl *ddl, const RangeVar *rv, char relkind)
{
	ZdmRel	   *rel = palloc0(sizeof(ZdmRel));

	rel->nspname = creation_schema(ddl, rv);
	if (rel->nspname == NULL)
		rel->nspname = "?";
	rel->relname = rv->relname;
	rel->relkind = relkind;
	rel->persistence = rv->relpersistence;
	rel->is_new = true;
	rel->is_exempt = true;
	return rel;
}

/* The name that an element of CREATE SCHEMA makes, or NULL. */
static const char *
made_by_element(const Node *element)
{
	switch (nodeTag(element))
	{
		case T_CreateStmt:
			return ((const CreateStmt *) element)->relation->relname;
		case T_ViewStmt:
			return ((const ViewStmt *) element)->view->relname;
		default:
			return NULL;
	}
}

/* Does the statement under analysis make the relation itself? */
static bool
is_made_by_statement(ZdmDdl *ddl, const RangeVar *rv, const RangeVar *made)
{
	ListCell   *lc;

	if (made != NULL && strcmp(made->relname, rv->relname) == 0 &&
		(rv->schemaname == NULL || made->schemaname == NULL ||
		 strcmp(rv->schemaname, made->schemaname) == 0))
		return true;
	if (!IsA(ddl->stmt, CreateSchemaStmt))
		return false;
	foreach(lc, ((CreateSchemaStmt *) ddl->stmt)->schemaElts)
	{
		const char *name = made_by_element(lfirst(lc));

		if (name != NULL && strcmp(name, rv->relname) == 0)
			return true;
	}
	return false;
}

/* The relations that a query reads. */
typedef struct QueryWalk
{
	ZdmDdl	   *ddl;
	List	   *ctes;			/* char *: names that are no relations */
} QueryWalk;

static bool
cte_walker(Node *node, void *context)
{
	QueryWalk  *walk = context;

	if (node == NULL)
		return false;
	if (IsA(node, CommonTableExpr))
		walk->ctes = lappend(walk->ctes, ((CommonTableExpr *) node)->ctename);
	return raw_expression_tree_walker(node, cte_walker, context);
}

static bool
is_cte(const QueryWalk *walk, const RangeVar *rv)
{
	ListCell   *lc;

	if (rv->schemaname != NULL)
		return false;
	foreach(lc, walk->ctes)
	{
		if (strcmp(lfirst(lc), rv->relname) == 0)
			return true;
	}
	return false;
}

static bool
relation_walker(Node *node, void *context)
{
	QueryWalk  *walk = context;

	if (node == NULL || IsA(node, IntoClause))
		return false;
	if (IsA(node, RangeVar))
	{
		RangeVar   *rv = (RangeVar *) node;

		if (!is_cte(walk, rv) && !is_made_by_statement(walk->ddl, rv, NULL))
			ddl_lock(walk->ddl, ddl_rel(walk->ddl, rv, false), AccessShareLock);
		return false;
	}
	return raw_expression_tree_walker(node, relation_walker, context);
}

static bool
analyzed_walker(Node *node, void *context)
{
	ZdmDdl	   *ddl = context;

	if (node == NULL)
		return false;
	if (IsA(node, RangeTblEntry))
	{
		RangeTblEntry *rte = (RangeTblEntry *) node;

		if (rte->rtekind == RTE_RELATION)
			ddl_lock(ddl, ddl_rel_by_oid(ddl, rte->relid), AccessShareLock);
		return false;
	}
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, analyzed_walker, context,
								 QTW_EXAMINE_RTES_BEFORE);
	return expression_tree_walker(node, analyzed_walker, context);
}

/*
 * Note what a query reads.  CREATE TABLE AS comes to the hook with its query
 * analyzed, and from a script with a raw one.
 */
static void
lock_query(ZdmDdl *ddl, Node *query)
{
	QueryWalk	walk = {.ddl = ddl};

	if (query == NULL)
		return;
	if (IsA(query, Query))
		(void) analyzed_walker(query, ddl);
	else if (IsA(query, SelectStmt))
	{
		(void) cte_walker(query, &walk);
		(void) relation_walker(query, &walk);
	}
}

/* A table of this name was dropped a moment ago: its rows are gone. */
static void
check_recreated(ZdmDdl *ddl, ZdmRel *rel, Node *stmt)
{
	ListCell   *lc;

	foreach(lc, ddl->xact->dropped_tables)
	{
		ZdmHazard  *hazard;

		if (strcmp(strVal(lfirst(lc)), ddl_rel_qualified(rel)) != 0)
			continue;
		hazard = ddl_hazard(ddl, ZDM_RULE_RECREATE_TABLE, NULL, stmt, NULL,
							"dropping and creating %s again would lose all of its rows",
							ddl_rel_describe(rel));
		hazard->name = ddl_rel_qualified(rel);
		return;
	}
}

static void
table_foreign_key(ZdmDdl *ddl, ZdmRel *rel, const RangeVar *made, Constraint *con,
				  const char *column)
{
	if (con->contype != CONSTR_FOREIGN ||
		is_made_by_statement(ddl, con->pktable, made))
		return;
	if (column != NULL)
	{
		/* as parse analysis turns a column's constraint into the table's */
		con = copyObject(con);
		con->fk_attrs = list_make1(makeString(pstrdup(column)));
	}
	ddl_foreign_key(ddl, rel, con, false);
}

static void
table_element(ZdmDdl *ddl, ZdmRel *rel, const RangeVar *made, Node *element)
{
	ListCell   *lc;

	if (IsA(element, ColumnDef))
	{
		ColumnDef  *def = (ColumnDef *) element;
		Oid			typid;
		int32		typmod;

		if (def->typeName != NULL && !ddl_type_is_serial(def->typeName))
			(void) ddl_type(ddl, def->typeName, &typid, &typmod);
		foreach(lc, def->constraints)
			table_foreign_key(ddl, rel, made, lfirst_node(Constraint, lc), def->colname);
	}
	else if (IsA(element, Constraint))
		table_foreign_key(ddl, rel, made, (Constraint *) element, NULL);
	else if (IsA(element, TableLikeClause))
		ddl_lock(ddl, ddl_rel(ddl, ((TableLikeClause *) element)->relation, false),
				 AccessShareLock);
}

static void
create_table(ZdmDdl *ddl, CreateStmt *stmt, char relkind)
{
	ZdmRel	   *rel = relation_to_be(ddl, stmt->relation, relkind);
	ListCell   *lc;

	ddl->object = ddl_rel_describe(rel);
	if (stmt->if_not_exists && relation_in_the_way(ddl, stmt->relation) != NULL)
		return;					/* before anything is locked */

	check_recreated(ddl, rel, (Node *) stmt);
	if (stmt->partbound != NULL)
		ddl_create_partition_of(ddl, stmt, relation_in_the_way(ddl, stmt->relation) != NULL);
	else
	{
		foreach(lc, stmt->inhRelations)
			ddl_lock(ddl, ddl_rel(ddl, lfirst_node(RangeVar, lc), false),
					 ShareUpdateExclusiveLock);
	}
	if (stmt->ofTypename != NULL)
	{
		Oid			typid;
		int32		typmod;

		(void) ddl_type(ddl, stmt->ofTypename, &typid, &typmod);
	}
	foreach(lc, stmt->tableElts)
		table_element(ddl, rel, stmt->relation, lfirst(lc));
}

static void
create_table_as(ZdmDdl *ddl, RangeVar *target, Node *stmt, Node *query, char relkind,
				bool if_not_exists)
{
	ZdmRel	   *rel = relation_to_be(ddl, target, relkind);

	ddl->object = ddl_rel_describe(rel);
	lock_query(ddl, query);
	if (!if_not_exists || relation_in_the_way(ddl, target) == NULL)
		check_recreated(ddl, rel, stmt);
}

/*
 * CREATE [FOREIGN] TABLE, CREATE TABLE AS, CREATE MATERIALIZED VIEW, SELECT
 * INTO; a SELECT without INTO is no DDL.
 */
void
ddl_create_table(ZdmDdl *ddl, Node *node)
{
	if (IsA(node, CreateStmt))
	{
		CreateStmt *stmt = (CreateStmt *) node;

		create_table(ddl, stmt, stmt->partspec != NULL ? RELKIND_PARTITIONED_TABLE :
					 RELKIND_RELATION);
	}
	else if (IsA(node, CreateForeignTableStmt))
		create_table(ddl, &((CreateForeignTableStmt *) node)->base,
					 RELKIND_FOREIGN_TABLE);
	else if (IsA(node, CreateTableAsStmt))
	{
		CreateTableAsStmt *stmt = (CreateTableAsStmt *) node;

		create_table_as(ddl, stmt->into->rel, node, stmt->query,
						stmt->objtype == OBJECT_MATVIEW ? RELKIND_MATVIEW :
						RELKIND_RELATION, stmt->if_not_exists);
	}
	else if (IsA(node, SelectStmt))
	{
		SelectStmt *stmt = (SelectStmt *) node;

		/* in a UNION the leftmost SELECT carries INTO */
		while (stmt->larg != NULL)
			stmt = stmt->larg;
		if (stmt->intoClause != NULL)
			create_table_as(ddl, stmt->intoClause->rel, node, node, RELKIND_RELATION,
							false);
	}
}

void
ddl_create_view(ZdmDdl *ddl, Node *node)
{
	ViewStmt   *stmt = castNode(ViewStmt, node);
	ZdmRel	   *existing = relation_in_the_way(ddl, stmt->view);

	ddl->object = ddl_rel_describe(existing ? existing :
								   relation_to_be(ddl, stmt->view, RELKIND_VIEW));
	lock_query(ddl, stmt->query);
	if (existing == NULL || !stmt->replace || existing->relkind != RELKIND_VIEW)
		return;
	ddl_lock(ddl, existing, AccessExclusiveLock);
	(void) ddl_hazard(ddl, ZDM_RULE_CREATE_OR_REPLACE_VIEW, existing, node, NULL,
					  "clients would read the new definition of %s at once",
					  ddl_rel_describe(existing));
}

/* Note a function that does not exist, neither here nor in the script. */
static void
check_function_exists(ZdmDdl *ddl, List *funcname)
{
	bool		is_volatile;

	if (ddl->script != NULL &&
		ddl_script_has_function(ddl->script, strVal(llast(funcname)), &is_volatile))
		return;
	if (FuncnameGetCandidates(funcname, -1, NIL, false, false, false, true) == NULL)
		ddl_undefined(ddl, "function %s does not exist", NameListToString(funcname));
}

void
ddl_create_trigger(ZdmDdl *ddl, Node *node)
{
	CreateTrigStmt *stmt = castNode(CreateTrigStmt, node);
	ZdmRel	   *rel = ddl_rel(ddl, stmt->relation, false);
	ListCell   *lc;

	if (rel == NULL)
		return;
	ddl->object = psprintf("trigger \"%s\" on %s", stmt->trigname, ddl_rel_describe(rel));
	foreach(lc, stmt->columns)
		(void) ddl_col(ddl, rel, strVal(lfirst(lc)), false);
	check_function_exists(ddl, stmt->funcname);
	ddl->replaces = stmt->replace &&
		OidIsValid(ddl_rel_part_oid(rel, OBJECT_TRIGGER, stmt->trigname));

	if (stmt->row && rel->relkind == RELKIND_PARTITIONED_TABLE)
		ddl_lock_tree(ddl, rel, ShareRowExclusiveLock);
	else
		ddl_lock(ddl, rel, ShareRowExclusiveLock);
	if (stmt->constrrel != NULL)
		ddl_lock(ddl, ddl_rel(ddl, stmt->constrrel, false), AccessShareLock);

	(void) ddl_hazard(ddl, ZDM_RULE_TRIGGER_CHANGE, rel, node, NULL,
					  "writes of running clients to %s would begin to fire trigger \"%s\"",
					  ddl_rel_describe(rel), stmt->trigname);
}

void
ddl_create_rule(ZdmDdl *ddl, Node *node)
{
	RuleStmt   *stmt = castNode(RuleStmt, node);
	ZdmRel	   *rel = ddl_rel(ddl, stmt->relation, false);

	if (rel == NULL)
		return;
	ddl->object = psprintf("rule \"%s\" on %s", stmt->rulename, ddl_rel_describe(rel));
	ddl->replaces = stmt->replace &&
		OidIsValid(ddl_rel_part_oid(rel, OBJECT_RULE, stmt->rulename));
	ddl_lock(ddl, rel, AccessExclusiveLock);
	(void) ddl_hazard(ddl, ZDM_RULE_TRIGGER_CHANGE, rel, node, NULL,
					  "statements of running clients on %s would be rewritten by rule \"%s\"",
					  ddl_rel_describe(rel), stmt->rulename);
}

/* The function that CREATE OR REPLACE meets, or InvalidOid. */
static Oid
function_to_replace(ZdmDdl *ddl, CreateFunctionStmt *stmt)
{
	RangeVar	rv = {.type = T_RangeVar};
	Oid			argtypes[FUNC_MAX_ARGS];
	int			nargs = 0;
	const char *nspname;
	Oid			nspoid;
	HeapTuple	tuple;
	Oid			result = InvalidOid;
	ListCell   *lc;

	if (list_length(stmt->funcname) > 1)
		rv.schemaname = strVal(list_nth(stmt->funcname, list_length(stmt->funcname) - 2));
	nspname = creation_schema(ddl, &rv);
	nspoid = nspname ? LookupNamespaceNoError(nspname) : InvalidOid;
	if (!OidIsValid(nspoid))
		return InvalidOid;

	foreach(lc, stmt->parameters)
	{
		FunctionParameter *parameter = lfirst_node(FunctionParameter, lc);
		int32		typmod;
		Type		type;

		if (parameter->mode == FUNC_PARAM_OUT || parameter->mode == FUNC_PARAM_TABLE)
			continue;
		if (parameter->argType->pct_type && nargs < FUNC_MAX_ARGS)
		{
			if (!ddl_type(ddl, parameter->argType, &argtypes[nargs++], &typmod))
				return InvalidOid;
			continue;
		}
		type = LookupTypeName(NULL, parameter->argType, NULL, true);
		if (type == NULL || nargs >= FUNC_MAX_ARGS)
		{
			if (type != NULL)
				ReleaseSysCache(type);
			return InvalidOid;
		}
		argtypes[nargs++] = typeTypeId(type);
		ReleaseSysCache(type);
	}

	tuple = SearchSysCache3(PROCNAMEARGSNSP,
							CStringGetDatum(strVal(llast(stmt->funcname))),
							PointerGetDatum(buildoidvector(argtypes, nargs)),
							ObjectIdGetDatum(nspoid));
	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	/* one that this transaction wrote is known to no other session */
	if (!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data)))
		result = ((Form_pg_proc) GETSTRUCT(tuple))->oid;
	ReleaseSysCache(tuple);
	return result;
}

/* CREATE [OR REPLACE] FUNCTION, PROCEDURE; ALTER FUNCTION */
void
ddl_create_function(ZdmDdl *ddl, Node *node)
{
	List	   *funcname;
	Oid			funcoid;
	ObjectAddress address;
	ZdmHazard  *hazard;

	if (IsA(node, AlterFunctionStmt))
	{
		AlterFunctionStmt *stmt = (AlterFunctionStmt *) node;

		funcname = stmt->func->objname;
		funcoid = LookupFuncWithArgs(stmt->objtype, stmt->func, true);
		if (!OidIsValid(funcoid))
			check_function_exists(ddl, funcname);
	}
	else
	{
		CreateFunctionStmt *stmt = castNode(CreateFunctionStmt, node);

		funcname = stmt->funcname;
		funcoid = stmt->replace ? function_to_replace(ddl, stmt) : InvalidOid;
	}
	ddl->object = psprintf("function \"%s\"", NameListToString(funcname));
	if (!OidIsValid(funcoid))
		return;

	ddl->replaces = true;
	ObjectAddressSet(address, ProcedureRelationId, funcoid);
	hazard = ddl_object_hazard(ddl, ZDM_RULE_CREATE_OR_REPLACE_FUNCTION, &address, node,
							   "clients would call the new definition of function %s at once",
							   format_procedure(funcoid));
	if (hazard != NULL)
	{
		hazard->object = ddl->object;
		hazard->name = format_procedure(funcoid);
	}
}

/* Give an element of CREATE SCHEMA the schema that it is made in. */
static void
set_schema(RangeVar *rv, const char *nspname)
{
	if (rv != NULL && rv->schemaname == NULL && nspname != NULL)
		rv->schemaname = pstrdup(nspname);
}

/*
 * Each element runs through the hook by itself, too, but the statement as a
 * whole is judged before the first one has run.
 */
void
ddl_create_schema(ZdmDdl *ddl, Node *node)
{
	CreateSchemaStmt *stmt = castNode(CreateSchemaStmt, node);
	const char *nspname = stmt->schemaname;
	ListCell   *lc;

	if (nspname == NULL && stmt->authrole != NULL)
	{
		if (stmt->authrole->roletype == ROLESPEC_CSTRING)
			nspname = stmt->authrole->rolename;
		else
			nspname = GetUserNameFromId(GetUserId(), true);
	}

	foreach(lc, stmt->schemaElts)
	{
		Node	   *element = copyObject(lfirst(lc));

		CHECK_FOR_INTERRUPTS();
		switch (nodeTag(element))
		{
			case T_CreateStmt:
				set_schema(((CreateStmt *) element)->relation, nspname);
				break;
			case T_ViewStmt:
				set_schema(((ViewStmt *) element)->view, nspname);
				break;
			default:
				continue;		/* on what the statement itself makes */
		}
		ddl_analyze_node(ddl, element);
	}
	if (nspname != NULL)
		ddl->object = psprintf("schema \"%s\"", nspname);
}

void
ddl_create_statistics(ZdmDdl *ddl, Node *node)
{
	CreateStatsStmt *stmt = castNode(CreateStatsStmt, node);
	ListCell   *lc;

	foreach(lc, stmt->relations)
	{
		ZdmRel	   *rel;
		ListCell   *lc2;

		if (!IsA(lfirst(lc), RangeVar))
			continue;			/* the server's error */
		rel = ddl_rel_listed(ddl, lfirst(lc));
		if (rel == NULL)
			continue;
		ddl_lock(ddl, rel, ShareUpdateExclusiveLock);
		foreach(lc2, stmt->exprs)
		{
			StatsElem  *elem = lfirst(lc2);

			if (IsA(elem, StatsElem) && elem->name != NULL)
				(void) ddl_col(ddl, rel, elem->name, false);
		}
	}
}

/* CREATE EXTENSION, ALTER EXTENSION ... UPDATE: the script runs unchecked. */
void
ddl_create_extension(ZdmDdl *ddl, Node *node)
{
	bool		is_create = IsA(node, CreateExtensionStmt);
	const char *extname = is_create ? ((CreateExtensionStmt *) node)->extname :
		castNode(AlterExtensionStmt, node)->extname;
	bool		exists = OidIsValid(get_extension_oid(extname, true));

	ddl->object = psprintf("extension \"%s\"", extname);
	if (is_create ? exists : !exists)
	{
		if (!is_create)
			ddl_undefined(ddl, "extension \"%s\" does not exist", extname);
		return;
	}
	(void) ddl_hazard(ddl, ZDM_RULE_CREATE_EXTENSION, NULL, node, NULL,
					  "the script of extension \"%s\" would run with whatever locks it takes",
					  extname);
}
