/*-------------------------------------------------------------------------
 *
 * catalog_scan.h
 *	  Reading the rows of a catalog that belong to one object.
 *
 * A scan holds AccessShareLock on the catalog from its begin to
 * catalog_scan_end(), which must be called unless an error is thrown.  A
 * tuple is valid until the next call of catalog_scan_next().
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_CATALOG_SCAN_H
#define ZDM_CATALOG_SCAN_H

#include "postgres.h"

#include "access/htup.h"
#include "access/skey.h"
#include "catalog/objectaddress.h"
#include "utils/relcache.h"

typedef struct ZdmCatalogScan
{
	Relation	catalog;
	struct SysScanDescData *scan;
} ZdmCatalogScan;

/* All rows. */
extern void catalog_scan_all(ZdmCatalogScan *scan, Oid catalog);

/*
 * The rows whose column attnum is value; index begins with that column, or is
 * InvalidOid.
 */
extern void catalog_scan_oid(ZdmCatalogScan *scan, Oid catalog, Oid index,
							 AttrNumber attnum, Oid value);

/* Likewise with any keys, in the order of the index. */
extern void catalog_scan_keys(ZdmCatalogScan *scan, Oid catalog, Oid index,
							  int nkeys, ScanKey keys);

/*
 * The rows of pg_depend of what depends on the object, or of what it depends
 * on.  Without objectSubId those of its parts are among them.
 */
extern void catalog_scan_depend(ZdmCatalogScan *scan, const ObjectAddress *object,
								bool dependents);

extern HeapTuple catalog_scan_next(ZdmCatalogScan *scan);	/* NULL at the end */
extern Datum catalog_scan_attr(const ZdmCatalogScan *scan, HeapTuple tuple,
							   AttrNumber attnum, bool *isnull);
extern void catalog_scan_end(ZdmCatalogScan *scan);

#endif							/* ZDM_CATALOG_SCAN_H */
