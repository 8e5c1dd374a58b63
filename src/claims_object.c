/*-------------------------------------------------------------------------
 *
 * claims_object.c
 *	  What statements on whole objects have to do with deferred steps: DROP,
 *	  COMMENT, and what makes anew what is due for removal.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "claims.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/analyze.h"
#include "parser/parse_type.h"
#include "plan/advice.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/*
 * The schema of an index or other relation that is not there, but that a step
 * will make; NULL if there is no such step.
 */
const char *
claims_index_schema(const ZdmConflict *conflict, const RangeVar *rv)
{
	ListCell   *lc;
	bool		is_made;

	if (OidIsValid(RangeVarGetRelid(rv, NoLock, true)))
		return NULL;
	if (rv->schemaname != NULL)
		return claims_on_relation(conflict, rv->schemaname, rv->relname, &is_made) != NULL &&
			is_made ? rv->schemaname : NULL;
	foreach(lc, fetch_search_path(false))
	{
		const char *nspname = get_namespace_name(lfirst_oid(lc));

		if (nspname != NULL &&
			claims_on_relation(conflict, nspname, rv->relname, &is_made) != NULL && is_made)
			return nspname;
	}
	return NULL;
}

/* As DropErrorMsgNonExistent() calls them */
static const char *
kind_name(ObjectType type)
{
	switch (type)
	{
		case OBJECT_INDEX:
			return "index";
		case OBJECT_VIEW:
			return "view";
		case OBJECT_MATVIEW:
			return "materialized view";
		case OBJECT_SEQUENCE:
			return "sequence";
		case OBJECT_FOREIGN_TABLE:
			return "foreign table";
		default:
			return "table";
	}
}

static void
report_dropped(const DropStmt *stmt, const char *kind, const char *name, int sqlerrcode,
			   const ZdmPending *pending)
{
	ereport(stmt->missing_ok ? NOTICE : ERROR,
			(errcode(sqlerrcode),
			 stmt->missing_ok ?
			 errmsg("%s \"%s\" does not exist, skipping", kind, name) :
			 errmsg("%s \"%s\" does not exist", kind, name),
			 errdetail("It is due for removal. %s", claims_describe(pending))));
}

/* Is the index that of a queued constraint?  Then it goes with that alone. */
static void
check_no_constraint(const ZdmPending *pending, const RangeVar *rv)
{
	ListCell   *lc;

	foreach(lc, pending->claims)
	{
		const ZdmClaim *claim = lfirst(lc);

		if (strcmp(claim->action, "make") == 0 && strcmp(claim->kind, "constraint") == 0 &&
			strcmp(claim->name, rv->relname) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
					 errmsg("cannot drop index %s because constraint %s on table %s requires it",
							rv->relname, rv->relname, get_rel_name(claim->relid)),
					 errdetail("%s", claims_describe(pending)),
					 errhint("You can drop constraint %s on table %s instead.",
							 rv->relname, get_rel_name(claim->relid))));
	}
}

/* Likewise one that is there, and is to become that of a constraint */
static void
check_not_used(const ZdmConflict *conflict, Oid relid)
{
	const ZdmPending *pending = claims_use_of_index(conflict, relid);

	if (pending != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop index %s because a constraint requires it",
						get_rel_name(relid)),
				 errdetail("%s", claims_describe(pending)),
				 errhint("You can drop the constraint instead.")));
}

/* One relation of a DROP; false if that is all that was to be done about it */
static bool
meet_dropped_relation(ZdmConflict *conflict, const DropStmt *stmt, List *names)
{
	RangeVar   *rv = makeRangeVarFromNameList(names);
	Oid			relid = RangeVarGetRelid(rv, NoLock, true);
	const char *nspname = OidIsValid(relid) ? get_namespace_name(get_rel_namespace(relid)) :
		claims_index_schema(conflict, rv);
	const ZdmPending *pending;
	bool		is_made;

	if (nspname == NULL)
		return true;
	if (stmt->removeType == OBJECT_INDEX && OidIsValid(relid))
		check_not_used(conflict, relid);
	pending = claims_on_relation(conflict, nspname, rv->relname, &is_made);
	if (pending != NULL && is_made && pending->is_running)
		claims_report(pending, psprintf("%s \"%s\" is being made", kind_name(stmt->removeType),
										rv->relname));
	if (pending == NULL || (is_made && OidIsValid(relid)))
		return true;
	if (!is_made && claims_renames(pending) && list_member_oid(conflict->redirected, relid))
		return true;			/* after that */
	if (!is_made && claims_renames(pending))
		claims_report(pending, psprintf("%s \"%s\" cannot be dropped before it is renamed",
										kind_name(stmt->removeType), rv->relname));
	if (!is_made)
	{
		report_dropped(stmt, kind_name(stmt->removeType), rv->relname,
					   stmt->removeType == OBJECT_INDEX ? ERRCODE_UNDEFINED_OBJECT :
					   ERRCODE_UNDEFINED_TABLE, pending);
		return false;
	}
	if (stmt->removeType == OBJECT_INDEX)
		check_no_constraint(pending, rv);
	claims_cancel_made(conflict, pending, stmt->behavior);
	return false;
}

/* The step that drops an object that is no relation; NULL if it is made anew */
const ZdmPending *
claims_on_object(const ZdmConflict *conflict, const char *kind, const char *identity)
{
	const ZdmPending *result = NULL;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, conflict->pending)
	{
		const ZdmPending *pending = lfirst(lc);

		foreach(lc2, list_member_ptr(conflict->cancels, pending) ? NIL : pending->claims)
		{
			const ZdmClaim *claim = lfirst(lc2);

			if (strcmp(claim->kind, kind) != 0 || strcmp(claim->name, identity) != 0)
				continue;
			if (strcmp(claim->action, "drop") == 0)
				result = pending;
			else if (strcmp(claim->action, "make") == 0)
				result = NULL;
		}
	}
	return result;
}

/* The step is to drop that no more. */
void
claims_keep(ZdmConflict *conflict, const ZdmPending *pending, const char *kind,
			const char *name, const char *sql)
{
	ListCell   *lc;

	foreach(lc, pending->claims)
	{
		const ZdmClaim *claim = lfirst(lc);
		ZdmKept    *kept;

		if (strcmp(claim->action, "drop") != 0 || strcmp(claim->kind, kind) != 0 ||
			strcmp(claim->name, name) != 0)
			continue;
		kept = palloc(sizeof(ZdmKept));
		kept->pending = pending;
		kept->claim = claim;
		kept->sql = sql;
		conflict->kept = lappend(conflict->kept, kept);
		return;
	}
}

/* As the server has it of what is part of a relation */
static void
report_dropped_part(const DropStmt *stmt, const char *kind, List *names, const ZdmPending *pending)
{
	const char *relname = strVal(list_nth(names, list_length(names) - 2));
	const char *name = strVal(llast(names));

	ereport(stmt->missing_ok ? NOTICE : ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 stmt->missing_ok ?
			 errmsg("%s \"%s\" for relation \"%s\" does not exist, skipping", kind, name, relname) :
			 stmt->removeType == OBJECT_RULE ?
			 errmsg("%s \"%s\" for relation \"%s\" does not exist", kind, name, relname) :
			 errmsg("%s \"%s\" for table \"%s\" does not exist", kind, name, relname),
			 errdetail("It is due for removal. %s", claims_describe(pending))));
}

static bool
meet_dropped_object(const ZdmConflict *conflict, const DropStmt *stmt, Node *object)
{
	ZdmDdl		scratch = conflict->ddl;
	ObjectAddress address;
	const ZdmPending *pending;
	const char *kind;

	if (!ddl_object(&scratch, stmt->removeType, object, true, &address))
		return true;
	kind = getObjectTypeDescription(&address, true);
	if (kind == NULL)
		return true;
	pending = claims_on_object(conflict, kind, getObjectIdentity(&address, true));
	if (pending == NULL)
		return true;
	if (stmt->removeType == OBJECT_POLICY || stmt->removeType == OBJECT_TRIGGER ||
		stmt->removeType == OBJECT_RULE)
	{
		report_dropped_part(stmt, kind, castNode(List, object), pending);
		return false;
	}
	report_dropped(stmt, kind, getObjectIdentity(&address, true),
				   stmt->removeType == OBJECT_SCHEMA ? ERRCODE_UNDEFINED_SCHEMA :
				   IsA(object, ObjectWithArgs) ? ERRCODE_UNDEFINED_FUNCTION :
				   ERRCODE_UNDEFINED_OBJECT, pending);
	return false;
}

static bool
is_relation_type(ObjectType type)
{
	return type == OBJECT_TABLE || type == OBJECT_INDEX || type == OBJECT_VIEW ||
		type == OBJECT_MATVIEW || type == OBJECT_SEQUENCE || type == OBJECT_FOREIGN_TABLE;
}

/* The DROP of these relations, which is left of the statement */
static char *
drop_text(const DropStmt *stmt, List *objects)
{
	StringInfoData buf;
	ListCell   *lc;
	ListCell   *lc2;

	initStringInfo(&buf);
	appendStringInfo(&buf, "DROP %s %s%s",
					 stmt->removeType == OBJECT_INDEX ? "INDEX" :
					 stmt->removeType == OBJECT_VIEW ? "VIEW" :
					 stmt->removeType == OBJECT_MATVIEW ? "MATERIALIZED VIEW" :
					 stmt->removeType == OBJECT_SEQUENCE ? "SEQUENCE" :
					 stmt->removeType == OBJECT_FOREIGN_TABLE ? "FOREIGN TABLE" : "TABLE",
					 stmt->concurrent ? "CONCURRENTLY " : "",
					 stmt->missing_ok ? "IF EXISTS " : "");
	foreach(lc, objects)
	{
		appendStringInfoString(&buf, lc == list_head(objects) ? "" : ", ");
		foreach(lc2, lfirst_node(List, lc))
			appendStringInfo(&buf, "%s%s", lc2 == list_head(lfirst_node(List, lc)) ? "" : ".",
							 quote_identifier(strVal(lfirst(lc2))));
	}
	if (stmt->behavior == DROP_CASCADE)
		appendStringInfoString(&buf, " CASCADE");
	return buf.data;
}

void
claims_meet_drop(ZdmConflict *conflict, const DropStmt *stmt)
{
	List	   *kept = NIL;
	ListCell   *lc;

	foreach(lc, stmt->objects)
	{
		if (is_relation_type(stmt->removeType) ?
			meet_dropped_relation(conflict, stmt, lfirst(lc)) :
			meet_dropped_object(conflict, stmt, lfirst(lc)))
			kept = lappend(kept, lfirst(lc));
	}
	if (list_length(kept) == list_length(stmt->objects))
		return;
	if (kept == NIL)
		conflict->left = "";
	else if (is_relation_type(stmt->removeType))
		conflict->left = drop_text(stmt, kept);
}

/* The step drops that alone, so that it can be given up. */
static bool
drops_nothing_else(const ZdmPending *pending)
{
	const Node *stmt = list_length(pending->stmts) == 1 ?
		linitial_node(RawStmt, pending->stmts)->stmt : NULL;

	return stmt != NULL && IsA(stmt, DropStmt) && !pending->is_running &&
		list_length(((const DropStmt *) stmt)->objects) == 1 &&
		((const DropStmt *) stmt)->behavior == DROP_RESTRICT;
}

/*
 * The SQL of a step that drops that and others, without it; NULL if it is not
 * such a one.  Without CASCADE the claims of its kind are the objects that it
 * names.
 */
static char *
drop_without(const ZdmPending *pending, const ZdmClaim *kept)
{
	const DropStmt *stmt = list_length(pending->stmts) == 1 ?
		(const DropStmt *) linitial_node(RawStmt, pending->stmts)->stmt : NULL;
	StringInfoData buf;
	int			count = 0;
	ListCell   *lc;

	if (stmt == NULL || !IsA(stmt, DropStmt) || pending->is_running ||
		stmt->behavior != DROP_RESTRICT)
		return NULL;
	initStringInfo(&buf);
	appendStringInfo(&buf, "DROP %s %s", stmt->removeType == OBJECT_VIEW ? "VIEW" :
					 stmt->removeType == OBJECT_PROCEDURE ? "PROCEDURE" :
					 stmt->removeType == OBJECT_ROUTINE ? "ROUTINE" : "FUNCTION",
					 stmt->missing_ok ? "IF EXISTS " : "");
	foreach(lc, pending->claims)
	{
		const ZdmClaim *claim = lfirst(lc);

		if (claim == kept || strcmp(claim->kind, kept->kind) != 0)
			continue;
		appendStringInfo(&buf, "%s%s", count++ > 0 ? ", " : "", claim->nspname == NULL ?
						 claim->name : quote_qualified_identifier(claim->nspname, claim->name));
	}
	return count > 0 && count + 1 == list_length(stmt->objects) ? buf.data : NULL;
}

/* A step drops what is made anew: it, or what is left of it, is all that waits. */
static void
take_from_drop(ZdmConflict *conflict, const ZdmPending *pending, const ZdmClaim *claim)
{
	char	   *rest = drop_without(pending, claim);

	if (rest == NULL)
		claims_cancel_made(conflict, pending, DROP_RESTRICT);
	else
		claims_keep(conflict, pending, claim->kind, claim->name, rest);
}

static const ZdmClaim *
drop_claim_on(const ZdmPending *pending, Oid relid)
{
	ListCell   *lc;

	foreach(lc, pending->claims)
	{
		const ZdmClaim *claim = lfirst(lc);

		if (strcmp(claim->action, "drop") == 0 && strcmp(claim->kind, "relation") == 0 &&
			claim->relid == relid)
			return claim;
	}
	return NULL;
}

/* The name of the n-th column of the new view */
static const char *
view_column(const ViewStmt *stmt, const TargetEntry *entry, int n)
{
	return n < list_length(stmt->aliases) ? strVal(list_nth(stmt->aliases, n)) : entry->resname;
}

/* Could CREATE OR REPLACE VIEW do it?  As checkViewColumns() */
static bool
fits_view(const ZdmConflict *conflict, const ViewStmt *stmt, Oid relid)
{
	RawStmt    *raw = makeNode(RawStmt);
	Query	   *query;
	Relation	rel;
	int			natts;
	int			n = 0;
	bool		fits = true;
	ListCell   *lc;

	raw->stmt = copyObject(stmt->query);
	query = parse_analyze_fixedparams(raw, conflict->ddl.query, NULL, 0, NULL);
	rel = relation_open(relid, AccessShareLock);
	natts = RelationGetNumberOfAttributes(rel);
	foreach(lc, query->targetList)
	{
		const TargetEntry *entry = lfirst_node(TargetEntry, lc);
		Form_pg_attribute attr;

		if (entry->resjunk)
			continue;
		if (n < natts)
		{
			attr = TupleDescAttr(RelationGetDescr(rel), n);
			fits &= strcmp(NameStr(attr->attname), view_column(stmt, entry, n)) == 0 &&
				attr->atttypid == exprType((Node *) entry->expr) &&
				attr->atttypmod == exprTypmod((Node *) entry->expr) &&
				attr->attcollation == exprCollation((Node *) entry->expr);
		}
		n++;
	}
	relation_close(rel, AccessShareLock);
	return fits && n >= natts;
}

/* The tables that the view's query names; a CTE can have such a name too. */
static bool
check_view_sources(Node *node, void *arg)
{
	const ZdmConflict *conflict = arg;

	if (node == NULL)
		return false;
	if (IsA(node, RangeVar))
	{
		claims_check_relation(conflict, RangeVarGetRelid((RangeVar *) node, NoLock, true),
							  ((RangeVar *) node)->relname);
		return false;
	}
	return raw_expression_tree_walker(node, check_view_sources, arg);
}

/* Does the view's query name the relation? */
static bool
names_relation(Node *node, void *arg)
{
	if (node == NULL)
		return false;
	if (IsA(node, RangeVar))
		return RangeVarGetRelid((RangeVar *) node, NoLock, true) == *(const Oid *) arg;
	return raw_expression_tree_walker(node, names_relation, arg);
}

void
claims_meet_view(ZdmConflict *conflict, const ViewStmt *stmt)
{
	List	   *path = fetch_search_path(false);
	const char *nspname = stmt->view->schemaname ? stmt->view->schemaname :
		path != NIL ? get_namespace_name(linitial_oid(path)) : NULL;
	const ZdmPending *pending;
	const ZdmClaim *claim;
	Oid			relid;
	bool		is_made;

	if (stmt->view->relpersistence == RELPERSISTENCE_TEMP || nspname == NULL)
		return;
	(void) check_view_sources(stmt->query, conflict);
	pending = claims_on_relation(conflict, nspname, stmt->view->relname, &is_made);
	if (pending == NULL)
		return;
	relid = get_relname_relid(stmt->view->relname, get_namespace_oid(nspname, false));
	if (!is_made && list_member_oid(conflict->redirected, relid) && stmt->replace &&
		(get_rel_relkind(relid) == RELKIND_VIEW || !names_relation(stmt->query, &relid)))
		return;					/* by the name that it is to get */
	if (is_made || claims_renames(pending) || get_rel_relkind(relid) != RELKIND_VIEW)
	{
		(void) claims_check_new_relation(conflict, nspname, stmt->view->relname, false);
		return;
	}
	if (!fits_view(conflict, stmt, relid))
		claims_report(pending, psprintf("view \"%s\" cannot be made anew with other columns before the old one is dropped",
										stmt->view->relname));
	claim = drop_claim_on(pending, relid);
	if (claim == NULL || (!drops_nothing_else(pending) && drop_without(pending, claim) == NULL))
		claims_report(pending, psprintf("view \"%s\" cannot be made anew before the old one is dropped along with others",
										stmt->view->relname));
	take_from_drop(conflict, pending, claim);
	claims_remake_view(conflict, pending, relid);
	if (!stmt->replace)
		conflict->left = zdm_sql_insert_after(conflict->ddl.sql, "create", "OR REPLACE");
}

/* Are these the types of the function's input parameters? */
static bool
has_parameters(const CreateFunctionStmt *stmt, Form_pg_proc proc)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, stmt->parameters)
	{
		const FunctionParameter *parameter = lfirst_node(FunctionParameter, lc);
		Oid			typid;

		if (parameter->mode == FUNC_PARAM_OUT || parameter->mode == FUNC_PARAM_TABLE)
			continue;
		typid = LookupTypeNameOid(NULL, parameter->argType, true);
		if (n >= proc->pronargs || typid != proc->proargtypes.values[n])
			return false;
		n++;
	}
	return n == proc->pronargs;
}

/* Could CREATE OR REPLACE FUNCTION do it?  Of the simple ones, surely. */
static bool
fits_function(const CreateFunctionStmt *stmt, HeapTuple tuple)
{
	Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(tuple);
	bool		isnull;
	Datum		names = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proargnames, &isnull);
	Datum	   *elements = NULL;
	bool	   *nulls;
	int			count = 0;
	int			n = 0;
	ListCell   *lc;

	if (stmt->is_procedure != (proc->prokind == PROKIND_PROCEDURE) ||
		(proc->prokind != PROKIND_PROCEDURE && proc->prokind != PROKIND_FUNCTION))
		return false;
	if (!isnull)
		deconstruct_array(DatumGetArrayTypeP(names), TEXTOID, -1, false, TYPALIGN_INT,
						  &elements, &nulls, &count);
	(void) SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proallargtypes, &isnull);
	if (!isnull)
		return false;			/* OUT parameters make a row type */
	foreach(lc, stmt->parameters)
	{
		const FunctionParameter *parameter = lfirst_node(FunctionParameter, lc);

		if (parameter->mode == FUNC_PARAM_OUT || parameter->mode == FUNC_PARAM_INOUT ||
			parameter->mode == FUNC_PARAM_TABLE)
			return false;
		if (n < count && *TextDatumGetCString(elements[n]) != '\0' &&
			(parameter->name == NULL ||
			 strcmp(parameter->name, TextDatumGetCString(elements[n])) != 0))
			return false;
		if (n >= proc->pronargs - proc->pronargdefaults && parameter->defexpr == NULL)
			return false;
		n++;
	}
	return stmt->is_procedure ||
		(stmt->returnType != NULL && stmt->returnType->setof == proc->proretset &&
		 LookupTypeNameOid(NULL, stmt->returnType, true) == proc->prorettype);
}

/* The function that a step drops, if the statement makes one in its place */
static HeapTuple
dropped_function(const ZdmClaim *claim, const CreateFunctionStmt *stmt)
{
	RangeVar   *name = makeRangeVarFromNameList(stmt->funcname);
	List	   *path = fetch_search_path(false);
	Oid			nspoid = name->schemaname ? get_namespace_oid(name->schemaname, true) :
		path != NIL ? linitial_oid(path) : InvalidOid;
	HeapTuple	tuple;
	Form_pg_proc proc;

	if (strcmp(claim->action, "drop") != 0 ||
		(strcmp(claim->kind, "function") != 0 && strcmp(claim->kind, "procedure") != 0))
		return NULL;
	tuple = SearchSysCache1(PROCOID, DirectFunctionCall1(to_regprocedure,
														 CStringGetTextDatum(claim->name)));
	if (!HeapTupleIsValid(tuple))
		return NULL;
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	if (proc->pronamespace == nspoid && strcmp(NameStr(proc->proname), name->relname) == 0 &&
		has_parameters(stmt, proc))
		return tuple;
	ReleaseSysCache(tuple);
	return NULL;
}

static void
meet_dropped_function(ZdmConflict *conflict, const CreateFunctionStmt *stmt,
					  const ZdmPending *pending, const ZdmClaim *claim, HeapTuple tuple)
{
	bool		fits = fits_function(stmt, tuple);
	Oid			function = ((Form_pg_proc) GETSTRUCT(tuple))->oid;

	ReleaseSysCache(tuple);
	if (fits && !drops_nothing_else(pending) && drop_without(pending, claim) == NULL)
		claims_report(pending, psprintf("function \"%s\" cannot be made anew before the old one is dropped along with others",
										NameListToString(stmt->funcname)));
	if (!fits)
		claims_report(pending, psprintf("function \"%s\" cannot be made anew with another result or other parameters before the old one is dropped",
										NameListToString(stmt->funcname)));
	take_from_drop(conflict, pending, claim);
	claims_remake_function(conflict, pending, function);
	if (!stmt->replace)
		conflict->left = zdm_sql_insert_after(conflict->ddl.sql, "create", "OR REPLACE");
}

void
claims_meet_function(ZdmConflict *conflict, const CreateFunctionStmt *stmt)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, conflict->pending)
	{
		ZdmPending *pending = lfirst(lc);

		foreach(lc2, pending->claims)
		{
			HeapTuple	tuple = dropped_function(lfirst(lc2), stmt);

			if (tuple != NULL)
			{
				meet_dropped_function(conflict, stmt, pending, lfirst(lc2), tuple);
				return;
			}
		}
	}
}

/* An object of another kind, which a step drops, is made anew. */
void
claims_meet_object(ZdmConflict *conflict, const char *kind, const char *identity)
{
	const ZdmPending *pending = claims_on_object(conflict, kind, identity);

	if (pending != NULL)
		claims_report(pending, psprintf("%s %s cannot be made anew before the old one is dropped",
										kind, identity));
}

static void
line_up_comment(ZdmConflict *conflict, const ZdmPending *pending, const CommentStmt *stmt,
				const char *object, const char *kind, const char *nspname, Oid relid,
				const char *name)
{
	ZdmPart    *part;

	claims_check_owner(pending);
	part = claims_line_up(conflict, pending, pending->phase,
						  psprintf("COMMENT ON %s IS %s", object,
								   stmt->comment ? quote_literal_cstr(stmt->comment) : "NULL"));
	claims_claim(part, "change", kind, nspname, relid, name);
	conflict->left = "";
}

/* That of one which a step drops and makes anew comes after it. */
static void
comment_on_policy(ZdmConflict *conflict, const CommentStmt *stmt)
{
	List	   *names = castNode(List, stmt->object);
	Oid			relid = RangeVarGetRelid(makeRangeVarFromNameList(list_truncate(list_copy(names),
																				list_length(names) - 1)),
										 NoLock, true);
	const ZdmPending *maker = NULL;
	char	   *identity;
	ListCell   *lc;
	ListCell   *lc2;

	if (!OidIsValid(relid))
		return;
	identity = claims_part_identity(relid, strVal(llast(names)));
	foreach(lc, conflict->pending)
	{
		foreach(lc2, ((ZdmPending *) lfirst(lc))->claims)
		{
			const ZdmClaim *claim = lfirst(lc2);

			if (strcmp(claim->kind, "policy") == 0 && strcmp(claim->name, identity) == 0 &&
				strcmp(claim->action, "make") == 0)
				maker = lfirst(lc);
		}
	}
	if (maker != NULL && claims_on_object(conflict, "policy", identity) == NULL)
		line_up_comment(conflict, maker, stmt, psprintf("POLICY %s", identity), "policy", NULL,
						InvalidOid, identity);
}

void
claims_meet_comment(ZdmConflict *conflict, const CommentStmt *stmt)
{
	const ZdmPending *pending;
	const char *nspname;
	const char *name;
	RangeVar   *rv;
	Oid			relid;
	bool		is_made;

	claims_meet_left_comment(conflict, stmt);
	if (stmt->objtype == OBJECT_INDEX)
	{
		rv = makeRangeVarFromNameList(castNode(List, stmt->object));
		nspname = claims_index_schema(conflict, rv);
		if (nspname == NULL)
			return;
		pending = claims_on_relation(conflict, nspname, rv->relname, &is_made);
		line_up_comment(conflict, pending, stmt,
						psprintf("INDEX %s", quote_qualified_identifier(nspname, rv->relname)),
						"relation", nspname, InvalidOid, rv->relname);
	}
	else if (stmt->objtype == OBJECT_TABCONSTRAINT)
	{
		List	   *names = castNode(List, stmt->object);

		name = strVal(llast(names));
		rv = makeRangeVarFromNameList(list_truncate(list_copy(names), list_length(names) - 1));
		relid = RangeVarGetRelid(rv, NoLock, true);
		if (!OidIsValid(relid))
			return;
		pending = claims_on_part(conflict, "constraint", relid, name, &is_made);
		if (pending != NULL && is_made)
			line_up_comment(conflict, pending, stmt,
							psprintf("CONSTRAINT %s ON %s", quote_identifier(name),
									 quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
																get_rel_name(relid))),
							"constraint", NULL, relid, name);
	}
	else if (stmt->objtype == OBJECT_POLICY)
		comment_on_policy(conflict, stmt);
}
