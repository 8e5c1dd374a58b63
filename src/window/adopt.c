/*-------------------------------------------------------------------------
 *
 * adopt.c
 *	  A window that a dump or clone has brought from another database becomes
 *	  one of this database: OIDs are looked up again by name.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "window/action.h"
#include "window/ledger.h"

static void
execute_on_window(const char *sql, const OpenWindow *window)
{
	static const Oid types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(window->id)};

	ledger_execute(sql, lengthof(types), types, values, NULL);
}

/*
 * The objects of one catalog that were born in the window.  Their identity
 * tells which they are; columns are in the catalog of their table.
 */
static void
find_born(const OpenWindow *window, Oid classid, const char *catalog)
{
	static const Oid types[] = {INT8OID, OIDOID};
	Datum		values[] = {Int64GetDatum(window->id), ObjectIdGetDatum(classid)};
	char	   *found;

	found = psprintf("WITH there AS MATERIALIZED ("
					 " SELECT oid AS objid, 0 AS objsubid FROM %s%s), known AS MATERIALIZED ("
					 " SELECT objid, objsubid, i.identity FROM there,"
					 "  pg_identify_object($2, objid, objsubid) AS i"
					 " WHERE i.identity IN (SELECT identity FROM zdm.object"
					 "  WHERE window_id = $1 AND classid = $2)) ",
					 catalog,
					 classid == RelationRelationId ?
					 " UNION ALL SELECT attrelid, attnum FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped" :
					 "");
	ledger_execute(psprintf("%s DELETE FROM zdm.object o WHERE window_id = $1 AND classid = $2"
							" AND NOT EXISTS (SELECT FROM known k WHERE k.identity = o.identity"
							"  AND (k.objsubid = 0) = (o.objsubid = 0))", found),
				   lengthof(types), types, values, NULL);
	ledger_execute(psprintf("%s UPDATE zdm.object o SET objid = k.objid, objsubid = k.objsubid"
							" FROM known k WHERE o.window_id = $1 AND o.classid = $2"
							" AND k.identity = o.identity AND (k.objsubid = 0) = (o.objsubid = 0)", found),
				   lengthof(types), types, values, NULL);
}

static void
find_all_born(const OpenWindow *window)
{
	static const Oid types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(window->id)};
	uint64		count;
	SPITupleTable *rows;

	/* catalogs have the same OIDs everywhere */
	count = ledger_execute("SELECT DISTINCT classid, classid::regclass FROM zdm.object"
						   " WHERE window_id = $1", lengthof(types), types, values, NULL);
	rows = SPI_tuptable;
	for (uint64 i = 0; i < count; i++)
	{
		bool		isnull;
		Oid			classid = DatumGetObjectId(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull));

		CHECK_FOR_INTERRUPTS();
		find_born(window, classid, SPI_getvalue(rows->vals[i], rows->tupdesc, 2));
	}
}

void
window_adopt(const OpenWindow *window)
{
	static const Oid types[] = {INT8OID, INT8OID, OIDOID};
	Datum		values[lengthof(types)];

	find_all_born(window);

	/* a claim on a part of a table has its OID, which the step knows by name */
	execute_on_window("UPDATE zdm.claim c SET relid = (SELECT to_regclass(t.relname)::oid"
					  "   FROM unnest(s.relids, s.relnames) AS t (relid, relname)"
					  "   WHERE t.relid = c.relid LIMIT 1)"
					  " FROM zdm.step s WHERE s.id = c.step_id AND s.window_id = $1"
					  " AND c.relid IS NOT NULL", window);
	execute_on_window("UPDATE zdm.step s SET relids = (SELECT array_agg(coalesce(to_regclass(n)::oid, 0)"
					  "   ORDER BY i) FROM unnest(s.relnames) WITH ORDINALITY AS t (n, i))"
					  " WHERE s.window_id = $1 AND s.relnames IS NOT NULL", window);

	values[0] = Int64GetDatum(window->id);
	values[1] = Int64GetDatum((int64) GetSystemIdentifier());
	values[2] = ObjectIdGetDatum(MyDatabaseId);
	ledger_execute("UPDATE zdm.step SET system_identifier = $2, database_oid = $3"
				   " WHERE window_id = $1 AND deferred", lengthof(types), types, values, NULL);
	ledger_execute("UPDATE zdm.window SET system_identifier = $2, database_oid = $3"
				   " WHERE id = $1", lengthof(types), types, values, NULL);
}
