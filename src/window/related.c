/*-------------------------------------------------------------------------
 *
 * related.c
 *	  What depends on what, by pg_depend.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_depend.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "window/related.h"

/*
 * The other ends of the rows of pg_depend that have the object at one end.
 */
static List *
scan_depend(const ObjectAddress *object, bool as_dependent)
{
	Relation	rel = table_open(DependRelationId, AccessShareLock);
	bool		with_parts = !as_dependent && object->objectSubId == 0;
	List	   *result = NIL;
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], as_dependent ? Anum_pg_depend_classid : Anum_pg_depend_refclassid,
				BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(object->classId));
	ScanKeyInit(&keys[1], as_dependent ? Anum_pg_depend_objid : Anum_pg_depend_refobjid,
				BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(object->objectId));
	ScanKeyInit(&keys[2], as_dependent ? Anum_pg_depend_objsubid : Anum_pg_depend_refobjsubid,
				BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(object->objectSubId));
	scan = systable_beginscan(rel, as_dependent ? DependDependerIndexId : DependReferenceIndexId,
							  true, NULL, with_parts ? 2 : 3, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(tuple);
		Related    *related = palloc(sizeof(Related));

		CHECK_FOR_INTERRUPTS();
		related->type = depend->deptype;
		if (as_dependent)
			ObjectAddressSubSet(related->object, depend->refclassid, depend->refobjid,
								depend->refobjsubid);
		else
			ObjectAddressSubSet(related->object, depend->classid, depend->objid,
								depend->objsubid);
		result = lappend(result, related);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return result;
}

List *
related_references(const ObjectAddress *object)
{
	return scan_depend(object, true);
}

List *
related_dependents(const ObjectAddress *object)
{
	return scan_depend(object, false);
}

bool
related_is_bound(DependencyType type)
{
	return type == DEPENDENCY_INTERNAL || type == DEPENDENCY_EXTENSION ||
		type == DEPENDENCY_PARTITION_PRI || type == DEPENDENCY_PARTITION_SEC;
}

bool
related_goes_along(DependencyType type)
{
	return related_is_bound(type) || type == DEPENDENCY_AUTO;
}
