/*-------------------------------------------------------------------------
 *
 * going.c
 *	  Objects that wait to be dropped, and what will go with them.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_namespace.h"
#include "ddl/catalog_scan.h"
#include "ddl/ddl.h"
#include "miscadmin.h"
#include "step.h"
#include "utils/lsyscache.h"

static bool
is_relation(const ZdmClaim *claim, Oid relid)
{
	return OidIsValid(relid) && claim->relid == relid && strcmp(claim->kind, "relation") == 0;
}

/* relid and name are those of the column or constraint, or of the relation */
static bool
is_part(const ZdmClaim *claim, const char *kind, Oid relid, const char *name)
{
	return OidIsValid(relid) && claim->relid == relid && name != NULL &&
		strcmp(claim->kind, kind) == 0 && strcmp(claim->name, name) == 0;
}

/* The relation itself, or that of which the object is a part; or InvalidOid */
static Oid
relation_of(ZdmDdl *ddl, const ObjectAddress *object)
{
	ZdmRel	   *rel;

	if (object->classId == RelationRelationId)
		return object->objectId;
	rel = ddl_part_rel(ddl, object);
	return rel != NULL ? rel->relid : InvalidOid;
}

static bool
is_identity(const ZdmClaim *claim, const ObjectAddress *object)
{
	const char *kind = getObjectTypeDescription(object, true);
	const char *identity = getObjectIdentity(object, true);

	return !OidIsValid(claim->relid) && kind != NULL && identity != NULL &&
		strcmp(claim->kind, kind) == 0 && strcmp(claim->name, identity) == 0;
}

/* The column that has the default, of which the claim says that it goes */
static bool
is_default(const ZdmClaim *claim, const ObjectAddress *column)
{
	return is_part(claim, "default", column->objectId,
				   get_attname(column->objectId, column->objectSubId, true));
}

/* Does a step say that the object, or its relation, goes? */
static bool
is_claimed(const ZdmDdl *ddl, const ObjectAddress *object)
{
	ZdmDdl		scratch = *ddl;
	Oid			relid = relation_of(&scratch, object);
	ObjectAddress defaulted = {0};
	const char *column = NULL;
	const char *constraint = NULL;
	ListCell   *lc;

	if (object->classId == RelationRelationId && object->objectSubId != 0)
		column = get_attname(object->objectId, object->objectSubId, true);
	if (object->classId == ConstraintRelationId)
		constraint = get_constraint_name(object->objectId);
	if (object->classId == AttrDefaultRelationId)
		defaulted = GetAttrDefaultColumnAddress(object->objectId);
	foreach(lc, ddl->going)
	{
		const ZdmClaim *claim = lfirst(lc);

		if (is_relation(claim, relid) || is_part(claim, "column", relid, column) ||
			is_part(claim, "constraint", relid, constraint) ||
			(OidIsValid(defaulted.objectId) && is_default(claim, &defaulted)) ||
			is_identity(claim, object))
			return true;
	}
	return false;
}

/* What the object goes with, without CASCADE (ObjectAddress) */
static List *
owners_of(const ObjectAddress *object)
{
	List	   *result = NIL;
	ZdmCatalogScan scan;
	HeapTuple	tuple;

	if (object->objectSubId != 0)
	{
		ObjectAddress *whole = palloc(sizeof(ObjectAddress));

		ObjectAddressSet(*whole, object->classId, object->objectId);
		result = lappend(result, whole);
	}
	catalog_scan_depend(&scan, object, false);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		ObjectAddress *owner = palloc(sizeof(ObjectAddress));

		ObjectAddressSubSet(*owner, form->refclassid, form->refobjid, form->refobjsubid);
		if (form->deptype != DEPENDENCY_NORMAL &&
			!(owner->classId == object->classId && owner->objectId == object->objectId))
			result = lappend(result, owner);
	}
	catalog_scan_end(&scan);
	return result;
}

bool
ddl_is_going(const ZdmDdl *ddl, const ObjectAddress *object)
{
	ListCell   *lc;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (ddl->going == NIL)
		return false;
	if (is_claimed(ddl, object))
		return true;
	foreach(lc, owners_of(object))
	{
		if (ddl_is_going(ddl, lfirst(lc)))
			return true;
	}
	return false;
}

bool
ddl_constraint_is_going(const ZdmDdl *ddl, const ZdmConstraint *con)
{
	ObjectAddress object;

	ObjectAddressSet(object, ConstraintRelationId, con->oid);
	if (ddl_is_going(ddl, &object))
		return true;
	for (int i = 0; i < con->nkeys; i++)
	{
		ObjectAddressSubSet(object, RelationRelationId, con->conrelid, con->conkey[i]);
		if (ddl_is_going(ddl, &object))
			return true;
	}
	return false;
}

ZdmConstraint *
ddl_going_primary_key(const ZdmDdl *ddl, ZdmRel *rel)
{
	ListCell   *lc;

	foreach(lc, ddl->going != NIL ? ddl_rel_constraints(rel) : NIL)
	{
		ZdmConstraint *con = lfirst(lc);

		if (con->contype == CONSTRAINT_PRIMARY && ddl_constraint_is_going(ddl, con))
			return con;
	}
	return NULL;
}

/* Does a step take the relation, or that which the object goes with, away from that? */
static bool
leaves(const ZdmDdl *ddl, const ObjectAddress *object, const char *kind, const char *name)
{
	ListCell   *lc;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	foreach(lc, object->classId == RelationRelationId ? ddl->going : NIL)
	{
		if (is_part(lfirst(lc), kind, object->objectId, name))
			return true;
	}
	foreach(lc, owners_of(object))
	{
		if (leaves(ddl, lfirst(lc), kind, name))
			return true;
	}
	return false;
}

bool
ddl_is_leaving(const ZdmDdl *ddl, const ObjectAddress *object, const ObjectAddress *owner)
{
	if (ddl->going == NIL)
		return false;
	if (owner->classId == NamespaceRelationId)
		return leaves(ddl, object, "schema", get_namespace_name(owner->objectId));
	return owner->classId == RelationRelationId && object->classId == RelationRelationId &&
		leaves(ddl, object, "parent", getObjectIdentity(owner, true));
}
