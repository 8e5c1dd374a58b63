/*-------------------------------------------------------------------------
 *
 * ledger.c
 *	  Access to zdm's own tables, in schema zdm.
 *
 * What is written for every hazardous statement goes in by heap inserts, so
 * that neither pgaudit nor pg_stat_statements sees statements that no client
 * sent; the rare commands on windows use SPI.
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
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "window/ledger.h"

/* in the space of advisory locks, where pg_advisory_lock() uses 1 and 2 */
#define LOCK_SPACE	3

/* how deep the session is between ledger_begin() and ledger_end() */
static int	depth = 0;

bool
ledger_is_at_work(void)
{
	return depth > 0;
}

/* An error leaves the scope by the abort of the transaction it was entered in. */
static void
at_transaction_end(XactEvent event, void *arg)
{
	depth = 0;
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId subid,
					  SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		depth = 0;
}

void
ledger_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}

bool
ledger_exists(void)
{
	return OidIsValid(get_extension_oid("zdm", true));
}

Oid
ledger_relid(const char *name)
{
	Oid			nspoid = get_namespace_oid(ZDM_SCHEMA, true);
	Oid			relid = OidIsValid(nspoid) ? get_relname_relid(name, nspoid) : InvalidOid;

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s.%s\" of extension \"zdm\" does not exist",
						ZDM_SCHEMA, name),
				 errhint("Drop the extension and create it again.")));
	return relid;
}

/* Who owns the extension, and so its tables. */
static Oid
extension_owner(void)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			owner = InvalidOid;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum("zdm"));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		owner = ((Form_pg_extension) GETSTRUCT(tuple))->extowner;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);

	if (!OidIsValid(owner))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"zdm\" does not exist")));
	return owner;
}

void
ledger_begin(LedgerScope *scope)
{
	GetUserIdAndSecContext(&scope->userid, &scope->sec_context);
	SetUserIdAndSecContext(extension_owner(),
						   scope->sec_context | SECURITY_LOCAL_USERID_CHANGE);
	scope->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	depth++;
}

void
ledger_end(LedgerScope *scope)
{
	depth--;
	SPI_finish();
	AtEOXact_GUC(false, scope->guc_level);
	SetUserIdAndSecContext(scope->userid, scope->sec_context);
}

uint64
ledger_execute(const char *sql, int nargs, const Oid *types, const Datum *values,
			   const char *nulls)
{
	MemoryContext oldcontext = CurrentMemoryContext;
	int			result = SPI_execute_with_args(sql, nargs, unconstify(Oid *, types),
											   unconstify(Datum *, values), nulls,
											   false, 0);

	MemoryContextSwitchTo(oldcontext);	/* SPI leaves its own */
	if (result < 0)
		elog(ERROR, "SPI_execute_with_args failed: %s", SPI_result_code_string(result));
	return SPI_processed;
}

/*
 * A number that no other row has, greater than those before.  Not from a
 * sequence: nextval() would change what lastval() tells the client.  It is
 * the time in microseconds, followed by twelve bits of the process's number.
 */
int64
ledger_new_id(void)
{
	static int64 last = 0;
	int64		id = GetCurrentTimestamp() * 4096 + (MyProcPid & 4095);

	while (id <= last)
		id += 4096;
	last = id;
	return id;
}

/* Elements of an array in a column of the current result; 0 for NULL. */
static int
result_elements(uint64 row, int column, Oid type, int16 length, bool by_value,
				Datum **elements, bool **nulls)
{
	bool		isnull;
	Datum		array = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);
	int			count = 0;

	if (!isnull)
		deconstruct_array(DatumGetArrayTypeP(array), type, length, by_value, TYPALIGN_INT,
						  elements, nulls, &count);
	return count;
}

List *
ledger_result_texts(uint64 row, int column)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count = result_elements(row, column, TEXTOID, -1, false, &elements, &nulls);
	List	   *result = NIL;

	for (int i = 0; i < count; i++)
		result = lappend(result, TextDatumGetCString(elements[i]));
	return result;
}

List *
ledger_result_oids(uint64 row, int column)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count = result_elements(row, column, OIDOID, sizeof(Oid), true, &elements, &nulls);
	List	   *result = NIL;

	for (int i = 0; i < count; i++)
		result = lappend_oid(result, nulls[i] ? InvalidOid : DatumGetObjectId(elements[i]));
	return result;
}

static void
set_tag(LOCKTAG *tag, int64 id)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, (uint32) (id >> 32), (uint32) id, LOCK_SPACE);
}

bool
ledger_lock(int64 id)
{
	LOCKTAG		tag;

	set_tag(&tag, id);
	return LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

void
ledger_unlock(int64 id)
{
	LOCKTAG		tag;

	set_tag(&tag, id);
	LockRelease(&tag, ExclusiveLock, true);
}
