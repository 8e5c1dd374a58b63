/*-------------------------------------------------------------------------
 *
 * going.c
 *	  Objects that deferred steps will drop: for what follows in the same
 *	  migration they are gone.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "window/ledger.h"
#include "window/queue.h"

static ZdmClaim *
read_claim(uint64 row)
{
	HeapTuple	tuple = SPI_tuptable->vals[row];
	TupleDesc	desc = SPI_tuptable->tupdesc;
	ZdmClaim   *claim = palloc0(sizeof(ZdmClaim));
	bool		isnull;
	Datum		relid = SPI_getbinval(tuple, desc, 2, &isnull);

	claim->action = "drop";
	claim->kind = SPI_getvalue(tuple, desc, 1);
	claim->relid = isnull ? InvalidOid : DatumGetObjectId(relid);
	claim->name = SPI_getvalue(tuple, desc, 3);
	return claim;
}

/* Not those of a restored copy: the OIDs are of other objects there. */
List *
queue_going(void)
{
	static const Oid types[] = {INT8OID, OIDOID};
	MemoryContext context = CurrentMemoryContext;
	List	   *result = NIL;
	Datum		values[lengthof(types)];
	LedgerScope scope;
	uint64		count;

	if (!queue_any())
		return NIL;
	values[0] = Int64GetDatum((int64) GetSystemIdentifier());
	values[1] = ObjectIdGetDatum(MyDatabaseId);
	ledger_begin(&scope);
	count = ledger_execute("SELECT c.kind, c.relid, c.name "
						   "FROM zdm.claim c JOIN zdm.step s ON s.id = c.step_id "
						   "WHERE c.action = 'drop' AND s.deferred AND NOT s.is_undo "
						   "AND s.state IN ('queued', 'running', 'failed') "
						   "AND s.system_identifier = $1 AND s.database_oid = $2",
						   lengthof(types), types, values, NULL);
	for (uint64 i = 0; i < count; i++)
	{
		MemoryContext oldcontext;

		CHECK_FOR_INTERRUPTS();
		oldcontext = MemoryContextSwitchTo(context);
		result = lappend(result, read_claim(i));
		MemoryContextSwitchTo(oldcontext);
	}
	ledger_end(&scope);
	return result;
}
