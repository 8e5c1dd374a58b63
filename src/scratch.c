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

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "commands/tablecmds.h"
#include "guc.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
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
#include "utils/syscache.h"

/* A copy, which several places of the statement may name */
typedef struct Copy
{
	Oid			relid;			/* of the table itself */
	const char *schema;
	bool		keys;
	bool		is_altered;		/* not only referenced */
	Oid			heir;			/* that is to inherit from it, or InvalidOid */
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

static char *
name_of_table(const Copy *copy)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(copy->relid)),
									  get_rel_name(copy->relid));
}

static char *
name_of_copy(const Copy *copy)
{
	return quote_qualified_identifier(copy->schema, get_rel_name(copy->relid));
}

/* CREATE TABLE of the copy; one that is only referenced is nothing but columns */
static char *
copy_command(const Copy *copy)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "CREATE %sTABLE %s (LIKE %s",
					 get_rel_persistence(copy->relid) == RELPERSISTENCE_UNLOGGED ? "UNLOGGED " : "",
					 name_of_copy(copy), name_of_table(copy));
	if (copy->is_altered)
		appendStringInfoString(&buf, " INCLUDING ALL EXCLUDING COMMENTS EXCLUDING STATISTICS EXCLUDING INDEXES");
	appendStringInfoChar(&buf, ')');
	if (copy->is_altered && get_rel_relkind(copy->relid) == RELKIND_PARTITIONED_TABLE)
		appendStringInfo(&buf, " PARTITION BY %s",
						 TextDatumGetCString(OidFunctionCall1(F_PG_GET_PARTKEYDEF,
															  ObjectIdGetDatum(copy->relid))));
	return buf.data;
}

static void
run_command(const char *command)
{
	run_quietly(linitial_node(RawStmt, raw_parser(command, RAW_PARSE_DEFAULT))->stmt, command);
}

/* The columns of a key that a foreign key could reference, or NULL */
static char *
key_columns(Form_pg_index index, HeapTuple tuple, Oid relid)
{
	StringInfoData buf;

	if (!index->indisunique || !index->indisvalid ||
		!heap_attisnull(tuple, Anum_pg_index_indexprs, NULL) ||
		!heap_attisnull(tuple, Anum_pg_index_indpred, NULL))
		return NULL;
	initStringInfo(&buf);
	for (int i = 0; i < index->indnkeyatts; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "",
						 quote_identifier(get_attname(relid, index->indkey.values[i], false)));
	return buf.data;
}

/*
 * The keys of the table, under names that the statement cannot want for its
 * own.  Nothing of them is computed: an expression would be somebody's code.
 */
static void
copy_keys(const Copy *copy)
{
	Relation	rel = relation_open(copy->relid, AccessShareLock);
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *lc;

	relation_close(rel, NoLock);
	foreach(lc, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(lc)));
		Form_pg_index index;
		char	   *columns;

		if (!HeapTupleIsValid(tuple))
			continue;
		index = (Form_pg_index) GETSTRUCT(tuple);
		columns = key_columns(index, tuple, copy->relid);
		if (columns != NULL)
			run_command(psprintf("ALTER TABLE %s ADD CONSTRAINT \"zdm scratch %u\" %s (%s)%s",
								 name_of_copy(copy), lfirst_oid(lc),
								 index->indisprimary ? "PRIMARY KEY" : "UNIQUE", columns,
								 index->indimmediate ? "" : " DEFERRABLE"));
		ReleaseSysCache(tuple);
	}
}

static Oid
owner_of(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * A table that is altered is copied with its constraints and defaults, whose
 * functions can be called on the way: so by its owner, as the server has it in
 * CREATE INDEX, and the copy is his.  Of one that is only referenced there are
 * plain columns, and the copy is the user's: whether he may reference the table
 * itself is not asked here.
 */
static void
make_copy(const Copy *copy)
{
	Oid			userid;
	int			sec_context;
	Oid			owner;

	GetUserIdAndSecContext(&userid, &sec_context);
	owner = copy->is_altered ? owner_of(copy->relid) : userid;
	(void) NamespaceCreate(copy->schema, owner, false);
	CommandCounterIncrement();
	SetUserIdAndSecContext(copy->is_altered ? owner : BOOTSTRAP_SUPERUSERID,
						   sec_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	run_command(get_rel_relkind(copy->relid) == RELKIND_VIEW ?
				copy_view_command(copy) : copy_command(copy));
	if (copy->keys)
		copy_keys(copy);
	if (!copy->is_altered && owner != GetUserId())
		ATExecChangeOwner(RangeVarGetRelid(makeRangeVar(unconstify(char *, copy->schema),
														get_rel_name(copy->relid), -1),
										   NoLock, false),
						  owner, true, AccessExclusiveLock);
	CommandCounterIncrement();
	SetUserIdAndSecContext(userid, sec_context);
}

/*
 * A copy of the heir, as its owner, who has to be the user too; what the copy
 * inherits are plain columns.
 */
static void
make_heir(const Copy *copy)
{
	char	   *schema = psprintf("%s heir", copy->schema);
	Oid			owner = owner_of(copy->heir);
	char	   *name = quote_qualified_identifier(schema, get_rel_name(copy->heir));
	Oid			userid;
	int			sec_context;

	GetUserIdAndSecContext(&userid, &sec_context);
	(void) NamespaceCreate(schema, owner, false);
	CommandCounterIncrement();
	SetUserIdAndSecContext(owner, sec_context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	run_command(psprintf("CREATE TABLE %s (LIKE %s INCLUDING CONSTRAINTS)", name,
						 quote_qualified_identifier(get_namespace_name(get_rel_namespace(copy->heir)),
													get_rel_name(copy->heir))));
	SetUserIdAndSecContext(userid, sec_context);
	run_command(psprintf("ALTER TABLE %s INHERIT %s", name, name_of_copy(copy)));
}

/* The domain under its name in that schema, with nothing but its base type */
static void
make_domain(Oid domain, const char *schema)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(domain));
	Form_pg_type form;
	char	   *command;
	Oid			owner;
	Oid			userid;
	int			sec_context;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("type with OID %u does not exist", domain)));
	form = (Form_pg_type) GETSTRUCT(tuple);
	owner = form->typowner;
	command = psprintf("CREATE DOMAIN %s AS %s",
					   quote_qualified_identifier(schema, NameStr(form->typname)),
					   format_type_extended(form->typbasetype, form->typtypmod,
											FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
	ReleaseSysCache(tuple);
	GetUserIdAndSecContext(&userid, &sec_context);
	(void) NamespaceCreate(schema, owner, false);
	CommandCounterIncrement();
	SetUserIdAndSecContext(owner, sec_context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	run_command(command);
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
		copy->is_altered |= !table->is_referenced;
		copy->heir = table->heir;
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

/* What is to be run, on what */
typedef struct Attempt
{
	Node	   *stmt;
	const char *query;
	List	   *copies;
	Oid			domain;			/* or InvalidOid */
} Attempt;

static void
make_copies(const Attempt *attempt)
{
	ListCell   *lc;

	foreach(lc, attempt->copies)
	{
		const Copy *copy = lfirst(lc);

		make_copy(copy);
		if (OidIsValid(copy->heir))
			make_heir(copy);
	}
	if (OidIsValid(attempt->domain))
	{
		char	   *schema = psprintf("zdm scratch %d", MyProcPid);

		make_domain(attempt->domain, schema);
		((AlterDomainStmt *) attempt->stmt)->typeName =
			list_make2(makeString(schema), llast(((AlterDomainStmt *) attempt->stmt)->typeName));
	}
}

/* In a subtransaction that the caller rolls back */
static void
run_on_copies(const Attempt *attempt, volatile bool *is_made)
{
	/* a lock that another session holds is no reason to wait long */
	set_quietly("lock_timeout", psprintf("%dms", zdm_guc_lock_timeout));
	set_quietly("client_min_messages", "error");
	set_quietly("log_min_messages", "error");
	set_quietly("check_function_bodies", "off");
	make_copies(attempt);
	*is_made = true;
	run_quietly(attempt->stmt, attempt->query);
}

/* Run it and roll it back; false if the copies could not be made. */
static bool
try_on_copies(const Attempt *attempt)
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
		run_on_copies(attempt, &is_made);
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
	Attempt		attempt = {stmt, query, plan_copies(tables)};

	return attempt.copies != NIL && try_on_copies(&attempt);
}

bool
scratch_run_on_domain(AlterDomainStmt *stmt, const char *query, Oid domain)
{
	Attempt		attempt = {(Node *) stmt, query, NIL, domain};

	return try_on_copies(&attempt);
}
