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
#include "catalog/pg_am.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_shdepend.h"
#include "catalog/pg_trigger.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/syscache.h"
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

/* An index has none recorded but its table's. */
static Oid
relation_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			result = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		result = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
	}
	return result;
}

/* The owner by pg_shdepend, which knows those that are not pinned. */
static Oid
recorded_owner(const ObjectAddress *object)
{
	Relation	rel = table_open(SharedDependRelationId, AccessShareLock);
	Oid			result = InvalidOid;
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_shdepend_dbid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(MyDatabaseId));
	ScanKeyInit(&keys[1], Anum_pg_shdepend_classid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(object->classId));
	ScanKeyInit(&keys[2], Anum_pg_shdepend_objid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(object->objectId));
	scan = systable_beginscan(rel, SharedDependDependerIndexId, true, NULL, 3, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_shdepend depend = (Form_pg_shdepend) GETSTRUCT(tuple);

		if (depend->deptype == SHARED_DEPENDENCY_OWNER)
			result = depend->refobjid;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return result;
}

Oid
related_owner(const ObjectAddress *object)
{
	ListCell   *lc;

	switch (object->classId)
	{
		case CastRelationId:
		case AccessMethodRelationId:
			return InvalidOid;
		case ConstraintRelationId:
		case PolicyRelationId:
		case RewriteRelationId:
		case TriggerRelationId:
			foreach(lc, related_references(object))
			{
				const Related *related = lfirst(lc);

				if (related_goes_along(related->type))
					return related_owner(&related->object);
			}
			return InvalidOid;
		default:
			{
				Oid			owner = object->classId == RelationRelationId ?
					relation_owner(object->objectId) : recorded_owner(object);

				return OidIsValid(owner) ? owner : BOOTSTRAP_SUPERUSERID;
			}
	}
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
