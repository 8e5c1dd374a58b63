/*-------------------------------------------------------------------------
 *
 * scratch.c
 *	  Runs a statement on empty copies of the tables that it names, and
 *	  leaves nothing of it.
 *
 * What a statement raises an error for is known to the server alone, and it
 * tells only by running it.  To run it on the tables themselves would lock
 * them and read their rows.  So it runs on copies, which have the names of the
 * tables, as messages contain these, and each a schema of its own, that no
 * search_path contains.  All happens in a subtransaction that is rolled back.
 * No hook, event trigger or log hears of it.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "commands/event_trigger.h"
#include "commands/tablecmds.h"
#include "guc.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "scratch.h"
#include "tcop/dest.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

/* A copy, which several places of the statement may name */
typedef struct Copy
{
	Oid			relid;			/* of the table itself */
	const char *schema;
	bool		keys;
} Copy;

/*
 * The server's own function, and not by way of the hooks: this is no
 * statement that anybody sent.  As part of another one, it fires no event
 * trigger.
 */
static void
run_quietly(Node *stmt, const char *query)
{
	PlannedStmt *pstmt = makeNode(PlannedStmt);

	pstmt->commandType = CMD_UTILITY;
	pstmt->utilityStmt = stmt;
	standard_ProcessUtility(pstmt, query, false, PROCESS_UTILITY_SUBCOMMAND, NULL, NULL,
							None_Receiver, NULL);
	CommandCounterIncrement();
}

static void
set_quietly(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
}

/* CREATE VIEW of the copy: what ALTER TABLE does to columns of a view */
static char *
copy_view_command(const Copy *copy)
{
	Relation	rel = relation_open(copy->relid, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "CREATE VIEW %s AS SELECT",
					 quote_qualified_identifier(copy->schema, RelationGetRelationName(rel)));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);

		appendStringInfo(&buf, "%s NULL::%s AS %s", i > 0 ? "," : "",
						 format_type_extended(attr->atttypid, attr->atttypmod,
											  FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY),
						 quote_identifier(NameStr(attr->attname)));
	}
	relation_close(rel, NoLock);
	return buf.data;
}

/* CREATE TABLE of the copy */
static char *
copy_command(const Copy *copy)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "CREATE %sTABLE %s (LIKE %s INCLUDING ALL EXCLUDING COMMENTS EXCLUDING STATISTICS%s)",
					 get_rel_persistence(copy->relid) == RELPERSISTENCE_UNLOGGED ? "UNLOGGED " : "",
					 quote_qualified_identifier(copy->schema, get_rel_name(copy->relid)),
					 quote_qualified_identifier(get_namespace_name(get_rel_namespace(copy->relid)),
												get_rel_name(copy->relid)),
					 copy->keys ? "" : " EXCLUDING INDEXES");
	if (get_rel_relkind(copy->relid) == RELKIND_PARTITIONED_TABLE)
		appendStringInfo(&buf, " PARTITION BY %s",
						 TextDatumGetCString(OidFunctionCall1(F_PG_GET_PARTKEYDEF,
															  ObjectIdGetDatum(copy->relid))));
	return buf.data;
}

/*
 * The indexes of the copy have names chosen for it, which the statement may
 * want for its own.
 */
static void
rename_indexes(Oid relid)
{
	Relation	rel = relation_open(relid, AccessExclusiveLock);
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *lc;

	relation_close(rel, NoLock);
	foreach(lc, indexes)
	{
		RenameRelationInternal(lfirst_oid(lc), psprintf("zdm scratch %u", lfirst_oid(lc)),
							   true, true);
		CommandCounterIncrement();
	}
}

static void
make_copy(const Copy *copy, Oid owner)
{
	char	   *command = get_rel_relkind(copy->relid) == RELKIND_VIEW ?
		copy_view_command(copy) : copy_command(copy);
	RawStmt    *raw = linitial_node(RawStmt, raw_parser(command, RAW_PARSE_DEFAULT));
	Oid			nspoid = NamespaceCreate(copy->schema, owner, false);
	Oid			relid;

	CommandCounterIncrement();
	run_quietly(raw->stmt, command);
	relid = get_relname_relid(get_rel_name(copy->relid), nspoid);
	if (owner != GetUserId())
		ATExecChangeOwner(relid, owner, true, AccessExclusiveLock);
	CommandCounterIncrement();
	if (copy->keys)
		rename_indexes(relid);
}

/*
 * Copy the tables and have the statement name the copies.  Nothing of the
 * owner's rights on them, or on what they are made of, matters here.
 */
static void
make_copies(List *copies, Oid owner)
{
	Oid			userid;
	int			sec_context;
	ListCell   *lc;

	GetUserIdAndSecContext(&userid, &sec_context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, sec_context | SECURITY_LOCAL_USERID_CHANGE);
	foreach(lc, copies)
		make_copy(lfirst(lc), owner);
	SetUserIdAndSecContext(userid, sec_context);
}

/* Which tables are to be copied; NIL if any of them cannot be. */
static List *
plan_copies(List *tables)
{
	List	   *copies = NIL;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, tables)
	{
		ScratchTable *table = lfirst(lc);
		Oid			relid = RangeVarGetRelid(table->place, NoLock, true);
		Copy	   *copy = NULL;

		if (!OidIsValid(relid) ||
			strchr("rpfmv", get_rel_relkind(relid)) == NULL)
			return NIL;
		foreach(lc2, copies)
		{
			if (((Copy *) lfirst(lc2))->relid == relid)
				copy = lfirst(lc2);
		}
		if (copy == NULL)
		{
			copy = palloc0(sizeof(Copy));
			copy->relid = relid;
			copy->schema = psprintf("zdm scratch %d %d", MyProcPid, list_length(copies));
			copies = lappend(copies, copy);
		}
		copy->keys |= table->keys;
		table->place->catalogname = NULL;
		table->place->schemaname = unconstify(char *, copy->schema);
		table->place->relname = get_rel_name(relid);
	}
	return copies;
}

/* Is it not for this code to say what becomes of the error? */
static bool
ends_everything(int sqlerrcode)
{
	return sqlerrcode == ERRCODE_QUERY_CANCELED ||
		ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_INSUFFICIENT_RESOURCES ||
		ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION;
}

/* In a subtransaction that the caller rolls back */
static void
run_on_copies(Node *stmt, const char *query, List *copies, volatile bool *is_made)
{
	/* a lock that another session holds is no reason to wait long */
	set_quietly("lock_timeout", psprintf("%dms", zdm_guc_lock_timeout));
	set_quietly("client_min_messages", "error");
	set_quietly("log_min_messages", "error");
	set_quietly("check_function_bodies", "off");
	make_copies(copies, GetUserId());
	*is_made = true;
	run_quietly(stmt, query);
}

/* Run it and roll it back; false if the copies could not be made. */
static bool
try_on_copies(Node *stmt, const char *query, List *copies)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	object_access_hook_type hook = object_access_hook;
	volatile bool is_made = false;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	object_access_hook = NULL;
	EventTriggerInhibitCommandCollection();
	PG_TRY();
	{
		run_on_copies(stmt, query, copies, &is_made);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	EventTriggerUndoInhibitCommandCollection();
	object_access_hook = hook;
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;

	if (error != NULL && (is_made || ends_everything(error->sqlerrcode)))
		ReThrowError(error);
	return is_made;
}

bool
scratch_run(Node *stmt, const char *query, List *tables)
{
	List	   *copies = plan_copies(tables);

	return copies != NIL && try_on_copies(stmt, query, copies);
}
