/*-------------------------------------------------------------------------
 *
 * redirect_view.c
 *	  Keeps a view that has a table's new name up to date with the table, and
 *	  what is stored about the table free of traces of that.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parser.h"
#include "plan/alias_view.h"
#include "redirect.h"
#include "storage/lmgr.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "window/alias.h"
#include "window/window.h"

/* What a command does to views that stand for its relation */
typedef enum Effect
{
	EFFECT_NONE,
	EFFECT_GROWS,				/* they lack a column afterwards */
	EFFECT_CHANGES				/* they would be in the way, or wrong */
} Effect;

/* A view that stands for a relation that a command changes */
typedef struct AliasView
{
	Oid			viewid;
	Oid			table;
	char	   *nspname;
	char	   *relname;
	bool		is_away;		/* taken away for the time of the command */
} AliasView;

static Effect
effect_of_action(const AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_AddColumn:
			return EFFECT_GROWS;
		case AT_DropColumn:
		case AT_AlterColumnType:
		case AT_ChangeOwner:
		case AT_EnableRowSecurity:
		case AT_DisableRowSecurity:
			return EFFECT_CHANGES;
		default:
			return EFFECT_NONE;
	}
}

/* What the command does, and to which relation */
static Effect
effect_of(Node *stmt, const RangeVar **rv)
{
	Effect		effect = EFFECT_NONE;
	ListCell   *lc;

	switch (nodeTag(stmt))
	{
		case T_AlterTableStmt:
			*rv = ((AlterTableStmt *) stmt)->relation;
			foreach(lc, ((AlterTableStmt *) stmt)->cmds)
				effect = Max(effect, effect_of_action(lfirst_node(AlterTableCmd, lc)));
			return effect;
		case T_RenameStmt:
			*rv = ((RenameStmt *) stmt)->relation;
			return ((RenameStmt *) stmt)->renameType == OBJECT_COLUMN ? EFFECT_CHANGES : EFFECT_NONE;
		case T_ViewStmt:
			*rv = ((ViewStmt *) stmt)->view;
			return ((ViewStmt *) stmt)->replace ? EFFECT_GROWS : EFFECT_NONE;
		default:
			return EFFECT_NONE;
	}
}

static void
take_away(AliasView *view)
{
	ObjectAddress object;

	ObjectAddressSet(object, RelationRelationId, view->viewid);
	performDeletion(&object, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
	CommandCounterIncrement();
	view->is_away = true;
}

/* Clients lock such a view before its table, so zdm does too. */
static AliasView *
lock_view(Oid viewid, Oid table)
{
	AliasView  *view;

	LockRelationOid(viewid, AccessExclusiveLock);
	if (alias_table(viewid) != table)
		return NULL;			/* its window has ended */
	view = palloc0(sizeof(AliasView));
	view->viewid = viewid;
	view->table = table;
	view->nspname = get_namespace_name(get_rel_namespace(viewid));
	view->relname = get_rel_name(viewid);
	return view;
}

List *
redirect_set_aside(const ZdmUtility *utility)
{
	const RangeVar *rv = NULL;
	Effect		effect = effect_of(utility->pstmt->utilityStmt, &rv);
	Oid			relid;
	List	   *tree;
	List	   *result = NIL;
	ListCell   *lc;
	ListCell   *lc2;

	if (effect == EFFECT_NONE || rv == NULL)
		return NIL;
	relid = RangeVarGetRelid(rv, NoLock, true);
	if (!OidIsValid(relid) || IsCatalogRelationOid(relid))
		return NIL;
	tree = has_subclass(relid) ? find_all_inheritors(relid, NoLock, NULL) : list_make1_oid(relid);
	foreach(lc, tree)
	{
		foreach(lc2, alias_views(lfirst_oid(lc)))
		{
			AliasView  *view = lock_view(lfirst_oid(lc2), lfirst_oid(lc));

			if (view != NULL && effect == EFFECT_CHANGES)
				take_away(view);
			if (view != NULL)
				result = lappend(result, view);
		}
	}
	return result;
}

/* Columns of a relation that are there */
static int
count_columns(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	int			natts = HeapTupleIsValid(tuple) ? ((Form_pg_class) GETSTRUCT(tuple))->relnatts : 0;
	int			count = 0;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	for (AttrNumber attnum = 1; attnum <= natts; attnum++)
	{
		/* none for one that was dropped */
		HeapTuple	attribute = SearchSysCacheAttNum(relid, attnum);

		if (!HeapTupleIsValid(attribute))
			continue;
		count++;
		ReleaseSysCache(attribute);
	}
	return count;
}

/* Run commands that belong to the client's own. */
static void
run_commands(const char *sql)
{
	ListCell   *lc;

	foreach(lc, raw_parser(sql, RAW_PARSE_DEFAULT))
	{
		RawStmt    *raw = lfirst_node(RawStmt, lc);
		ZdmUtility	utility = {0};

		utility.pstmt = makeNode(PlannedStmt);
		utility.pstmt->commandType = CMD_UTILITY;
		utility.pstmt->utilityStmt = raw->stmt;
		utility.pstmt->stmt_location = raw->stmt_location;
		utility.pstmt->stmt_len = raw->stmt_len;
		utility.query = sql;
		utility.context = PROCESS_UTILITY_SUBCOMMAND;
		utility.dest = None_Receiver;
		hook_run_utility(&utility);
		CommandCounterIncrement();
	}
}

/*
 * Whoever may alter the table has the view follow, also without a right on its
 * schema.  The names in the SQL are qualified, and it calls no function.
 */
static void
bring_up_to_date(const AliasView *view)
{
	Oid			userid;
	int			sec_context;
	BornScope	outer;

	if (get_rel_name(view->table) == NULL ||
		(!view->is_away && count_columns(view->table) == count_columns(view->viewid)))
		return;
	outer = born_start(BORN_NOTHING);
	GetUserIdAndSecContext(&userid, &sec_context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, sec_context | SECURITY_LOCAL_USERID_CHANGE);
	run_commands(view->is_away ?
				 zdm_alias_view_sql(view->table, view->nspname, view->relname) :
				 zdm_alias_view_replace_sql(view->table, view->nspname, view->relname));
	SetUserIdAndSecContext(userid, sec_context);
	born_restore(outer);
}

/* In which stored queries a table is to lose which alias */
typedef struct Strip
{
	Oid			table;
	const char *alias;
	bool		found;
} Strip;

/*
 * The table has got its new name for an alias.  Without it the query is the
 * one that plain DDL would store, with the same name for reference.
 */
static bool
strip_walker(Node *node, void *context)
{
	Strip	   *strip = context;

	if (node == NULL)
		return false;
	if (IsA(node, RangeTblEntry))
	{
		RangeTblEntry *rte = (RangeTblEntry *) node;

		if (rte->rtekind == RTE_RELATION && rte->relid == strip->table && rte->alias != NULL &&
			rte->alias->colnames == NIL && strcmp(rte->alias->aliasname, strip->alias) == 0)
		{
			rte->alias = NULL;
			strip->found = true;
		}
		return false;
	}
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, strip_walker, context, QTW_EXAMINE_RTES_BEFORE);
	return expression_tree_walker(node, strip_walker, context);
}

/* The stored query of a column without the alias; false if it has none. */
static bool
strip_column(Strip *strip, Relation rel, HeapTuple tuple, AttrNumber attnum, Datum *value)
{
	bool		isnull;
	Datum		stored = heap_getattr(tuple, attnum, RelationGetDescr(rel), &isnull);
	Node	   *node;

	if (isnull)
		return false;
	node = stringToNode(TextDatumGetCString(stored));
	strip->found = false;
	(void) strip_walker(node, strip);
	if (strip->found)
		*value = CStringGetTextDatum(nodeToString(node));
	return strip->found;
}

/* The catalogs that hold queries, and where */
static const struct
{
	Oid			classid;
	Oid			indexid;
	AttrNumber	oid_column;
	AttrNumber	columns[2];
}			query_catalogs[] = {

	{RewriteRelationId, RewriteOidIndexId, Anum_pg_rewrite_oid,
	{Anum_pg_rewrite_ev_action, Anum_pg_rewrite_ev_qual}},
	{ProcedureRelationId, ProcedureOidIndexId, Anum_pg_proc_oid,
	{Anum_pg_proc_prosqlbody}},
	{PolicyRelationId, PolicyOidIndexId, Anum_pg_policy_oid,
	{Anum_pg_policy_polqual, Anum_pg_policy_polwithcheck}},
};

/* One object, if this transaction has stored it */
static void
strip_object(Strip *strip, int catalog, Oid objid)
{
	Relation	rel = table_open(query_catalogs[catalog].classid, RowExclusiveLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, query_catalogs[catalog].oid_column, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(objid));
	scan = systable_beginscan(rel, query_catalogs[catalog].indexid, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple) &&
		TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data)))
	{
		int			natts = RelationGetNumberOfAttributes(rel);
		Datum	   *values = palloc0(natts * sizeof(Datum));
		bool	   *nulls = palloc0(natts * sizeof(bool));
		bool	   *replaces = palloc0(natts * sizeof(bool));
		bool		changed = false;

		for (int i = 0; i < lengthof(query_catalogs[catalog].columns); i++)
		{
			AttrNumber	attnum = query_catalogs[catalog].columns[i];

			if (attnum == InvalidAttrNumber)
				continue;
			replaces[attnum - 1] = strip_column(strip, rel, tuple, attnum, &values[attnum - 1]);
			changed |= replaces[attnum - 1];
		}
		if (changed)
		{
			tuple = heap_modify_tuple(tuple, RelationGetDescr(rel), values, nulls, replaces);
			CatalogTupleUpdate(rel, &tuple->t_self, tuple);
			if (query_catalogs[catalog].classid == RewriteRelationId)
				CacheInvalidateRelcacheByRelid(((Form_pg_rewrite) GETSTRUCT(tuple))->ev_class);
		}
	}
	systable_endscan(scan);
	table_close(rel, RowExclusiveLock);
}

static int
query_catalog(Oid classid)
{
	for (int i = 0; i < lengthof(query_catalogs); i++)
	{
		if (query_catalogs[i].classid == classid)
			return i;
	}
	return -1;
}

/* Addresses of what depends on the table and holds queries, each once */
static List *
dependents_of(Oid table)
{
	Relation	rel = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *result = NIL;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(table));
	scan = systable_beginscan(rel, DependReferenceIndexId, true, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		bool		known = false;
		ListCell   *lc;

		CHECK_FOR_INTERRUPTS();
		if (query_catalog(form->classid) < 0)
			continue;
		foreach(lc, result)
			known |= ((ObjectAddress *) lfirst(lc))->classId == form->classid &&
			((ObjectAddress *) lfirst(lc))->objectId == form->objid;
		if (!known)
		{
			ObjectAddress *address = palloc(sizeof(ObjectAddress));

			ObjectAddressSet(*address, form->classid, form->objid);
			result = lappend(result, address);
		}
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return result;
}

static void
strip_table(Oid table)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, alias_views(table))
	{
		Strip		strip = {table, get_rel_name(lfirst_oid(lc))};

		foreach(lc2, dependents_of(table))
		{
			const ObjectAddress *address = lfirst(lc2);

			strip_object(&strip, query_catalog(address->classId), address->objectId);
			CommandCounterIncrement();
		}
	}
}

/* Does the statement store queries? */
static bool
stores_queries(const Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_ViewStmt:
		case T_CreateTableAsStmt:
		case T_RuleStmt:
		case T_CreateFunctionStmt:
		case T_CreatePolicyStmt:
		case T_AlterPolicyStmt:
		case T_CreateSchemaStmt:
			return true;
		default:
			return false;
	}
}

void
redirect_catch_up(const ZdmUtility *utility, List *views)
{
	ListCell   *lc;

	if (views != NIL)
		CommandCounterIncrement();
	foreach(lc, views)
		bring_up_to_date(lfirst(lc));
	if (utility->redirected == NIL || !stores_queries(utility->pstmt->utilityStmt))
		return;
	CommandCounterIncrement();
	foreach(lc, utility->redirected)
		strip_table(lfirst_oid(lc));
}
