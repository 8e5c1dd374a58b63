/*-------------------------------------------------------------------------
 *
 * catalog_scan.c
 *	  Reading the rows of a catalog that belong to one object.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_depend.h"
#include "ddl/catalog_scan.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

void
catalog_scan_keys(ZdmCatalogScan *scan, Oid catalog, Oid index, int nkeys, ScanKey keys)
{
	scan->catalog = table_open(catalog, AccessShareLock);
	scan->scan = systable_beginscan(scan->catalog, index, OidIsValid(index), NULL,
									nkeys, keys);
}

void
catalog_scan_all(ZdmCatalogScan *scan, Oid catalog)
{
	catalog_scan_keys(scan, catalog, InvalidOid, 0, NULL);
}

void
catalog_scan_oid(ZdmCatalogScan *scan, Oid catalog, Oid index, AttrNumber attnum,
				 Oid value)
{
	ScanKeyData key;

	ScanKeyInit(&key, attnum, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(value));
	catalog_scan_keys(scan, catalog, index, 1, &key);
}

void
catalog_scan_depend(ZdmCatalogScan *scan, const ObjectAddress *object, bool dependents)
{
	ScanKeyData keys[3];

	ScanKeyInit(&keys[0],
				dependents ? Anum_pg_depend_refclassid : Anum_pg_depend_classid,
				BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(object->classId));
	ScanKeyInit(&keys[1],
				dependents ? Anum_pg_depend_refobjid : Anum_pg_depend_objid,
				BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(object->objectId));
	ScanKeyInit(&keys[2],
				dependents ? Anum_pg_depend_refobjsubid : Anum_pg_depend_objsubid,
				BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(object->objectSubId));
	catalog_scan_keys(scan, DependRelationId,
					  dependents ? DependReferenceIndexId : DependDependerIndexId,
					  object->objectSubId != 0 ? 3 : 2, keys);
}

HeapTuple
catalog_scan_next(ZdmCatalogScan *scan)
{
	return systable_getnext(scan->scan);
}

Datum
catalog_scan_attr(const ZdmCatalogScan *scan, HeapTuple tuple, AttrNumber attnum,
				  bool *isnull)
{
	return heap_getattr(tuple, attnum, RelationGetDescr(scan->catalog), isnull);
}

void
catalog_scan_end(ZdmCatalogScan *scan)
{
	systable_endscan(scan->scan);
	table_close(scan->catalog, AccessShareLock);
}
