/*-------------------------------------------------------------------------
 *
 * claims_due.c
 *	  What must not come into being beside the queue: what depends on an
 *	  object that is due for removal, and two things of one name.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "claims.h"
#include "common/hashfn.h"
#include "ddl/catalog_scan.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/varlena.h"
#include "window/alias.h"

/* in the space of advisory locks: names that are about to be queued */
#define NAME_SPACE	5

/* The object that the claim is about; false if it is not there any more */
static bool
object_of(const ZdmClaim *claim, ObjectAddress *address)
{
	Datum		name = CStringGetTextDatum(claim->name);

	ObjectAddressSet(*address, InvalidOid, InvalidOid);
	if (strcmp(claim->kind, "relation") == 0)
		ObjectAddressSet(*address, RelationRelationId, claim->relid);
	else if (strcmp(claim->kind, "column") == 0 && OidIsValid(claim->relid))
	{
		AttrNumber	attnum = get_attnum(claim->relid, claim->name);

		if (attnum != InvalidAttrNumber)
			ObjectAddressSubSet(*address, RelationRelationId, claim->relid, attnum);
	}
	else if (strcmp(claim->kind, "schema") == 0)
	{
		List	   *names = NIL;

		if (SplitIdentifierString(pstrdup(claim->name), '.', &names) && names != NIL)
			ObjectAddressSet(*address, NamespaceRelationId,
							 get_namespace_oid(linitial(names), true));
	}
	else if (strcmp(claim->kind, "type") == 0)
		ObjectAddressSet(*address, TypeRelationId,
						 DatumGetObjectId(DirectFunctionCall1(to_regtype, name)));
	else if (strcmp(claim->kind, "function") == 0 || strcmp(claim->kind, "procedure") == 0)
		ObjectAddressSet(*address, ProcedureRelationId,
						 DatumGetObjectId(DirectFunctionCall1(to_regprocedure, name)));
	return OidIsValid(address->objectId);
}

/* Does a step drop that very object, or the relation or view it belongs to? */
static bool
is_claimed(const ZdmConflict *conflict, const ObjectAddress *object)
{
	ZdmDdl		scratch = conflict->ddl;
	ZdmRel	   *rel = ddl_part_rel(&scratch, object);
	const char *kind = NULL;
	const char *identity = NULL;
	ListCell   *lc;
	ListCell   *lc2;

	if (object->classId != RelationRelationId)
	{
		kind = getObjectTypeDescription(object, true);
		identity = getObjectIdentity(object, true);
	}
	foreach(lc, conflict->pending)
	{
		foreach(lc2, ((ZdmPending *) lfirst(lc))->claims)
		{
			const ZdmClaim *claim = lfirst(lc2);
			ObjectAddress address;

			if (strcmp(claim->action, "drop") != 0)
				continue;
			if (kind != NULL && identity != NULL && strcmp(claim->kind, kind) == 0 &&
				strcmp(claim->name, identity) == 0)
				return true;
			if (strcmp(claim->kind, "constraint") == 0 &&
				object->classId == ConstraintRelationId && OidIsValid(claim->relid) &&
				get_relation_constraint_oid(claim->relid, claim->name, true) == object->objectId)
				return true;
			if (object_of(claim, &address) && address.classId == RelationRelationId &&
				((address.objectSubId == 0 && rel != NULL && rel->relid == address.objectId) ||
				 (object->classId == RelationRelationId && object->objectId == address.objectId &&
				  (address.objectSubId == 0 || address.objectSubId == object->objectSubId))))
				return true;
		}
	}
	return false;
}

/* Likewise what goes by itself with such an object, as its sequence */
static bool
goes_too(const ZdmConflict *conflict, const ObjectAddress *object)
{
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	List	   *owners = NIL;
	ListCell   *lc;

	check_stack_depth();
	if (is_claimed(conflict, object))
		return true;
	catalog_scan_depend(&scan, object, false);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		ObjectAddress *owner = palloc(sizeof(ObjectAddress));

		ObjectAddressSubSet(*owner, form->refclassid, form->refobjid, form->refobjsubid);
		if ((form->deptype == DEPENDENCY_AUTO || form->deptype == DEPENDENCY_INTERNAL) &&
			!(form->refclassid == object->classId && form->refobjid == object->objectId))
			owners = lappend(owners, owner);
	}
	catalog_scan_end(&scan);
	foreach(lc, owners)
	{
		if (goes_too(conflict, lfirst(lc)))
			return true;
	}
	return false;
}

/* Is it of a view that makes way for the table whose new name it has? */
static bool
is_of_alias_view(const ZdmConflict *conflict, const ObjectAddress *object)
{
	ZdmDdl		scratch = conflict->ddl;
	const ZdmRel *rel = ddl_part_rel(&scratch, object);

	return rel != NULL && rel->relkind == RELKIND_VIEW && OidIsValid(rel->relid) &&
		OidIsValid(alias_table(rel->relid));
}

/*
 * To its author the object is gone: nothing new can depend on it.  What did
 * before goes with it, or was in the way of the statement that drops it.
 */
static void
check_dependents(const ZdmConflict *conflict, const ZdmPending *pending, const ZdmClaim *claim,
				 const ObjectAddress *object)
{
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	List	   *dependents = NIL;
	ListCell   *lc;

	catalog_scan_depend(&scan, object, true);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		ObjectAddress *address = palloc(sizeof(ObjectAddress));

		ObjectAddressSubSet(*address, form->classid, form->objid, form->objsubid);
		if (form->deptype == DEPENDENCY_NORMAL &&
			TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data)) &&
			!(form->classid == object->classId && form->objid == object->objectId))
			dependents = lappend(dependents, address);
	}
	catalog_scan_end(&scan);
	foreach(lc, dependents)
	{
		if (!goes_too(conflict, lfirst(lc)) && !is_of_alias_view(conflict, lfirst(lc)))
			ereport(ERROR,
					(errcode(object->objectSubId != 0 ? ERRCODE_UNDEFINED_COLUMN :
							 object->classId == RelationRelationId ? ERRCODE_UNDEFINED_TABLE :
							 object->classId == NamespaceRelationId ? ERRCODE_UNDEFINED_SCHEMA :
							 object->classId == ProcedureRelationId ? ERRCODE_UNDEFINED_FUNCTION :
							 ERRCODE_UNDEFINED_OBJECT),
					 errmsg("%s \"%s\" does not exist", claim->kind, claim->name),
					 errdetail("It is due for removal, and %s would depend on it. %s",
							   getObjectDescription(lfirst(lc), false), claims_describe(pending))));
	}
}

void
claims_check_made(void)
{
	ZdmXact		xact = {0};
	ZdmConflict conflict = {.ddl = {.xact = &xact}};
	ListCell   *lc;
	ListCell   *lc2;

	conflict.pending = claims_parsed_pending();
	foreach(lc, conflict.pending)
	{
		const ZdmPending *pending = lfirst(lc);

		foreach(lc2, claims_renames(pending) ? NIL : pending->claims)
		{
			const ZdmClaim *claim = lfirst(lc2);
			ObjectAddress object;

			if (strcmp(claim->action, "drop") == 0 && object_of(claim, &object))
				check_dependents(&conflict, pending, claim, &object);
		}
	}
}

/*
 * As the unique index of pg_class has it without zdm: who comes second waits
 * for the end of the first's transaction.
 */
static void
lock_name(const ZdmClaim *claim)
{
	const char *name = psprintf("%s %u %s %s", claim->kind, claim->relid,
								claim->nspname ? claim->nspname : "", claim->name);
	uint64		hash = DatumGetUInt64(hash_any_extended((const unsigned char *) name,
														strlen(name), 0));
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (hash >> 32), (uint32) hash, NAME_SPACE);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

void
claims_reserve(List *parts)
{
	ZdmConflict conflict = {0};
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, parts)
	{
		foreach(lc2, ((ZdmPart *) lfirst(lc))->claims)
		{
			if (strcmp(((ZdmClaim *) lfirst(lc2))->action, "make") == 0)
				lock_name(lfirst(lc2));
		}
	}
	conflict.pending = claims_pending();
	foreach(lc, parts)
	{
		foreach(lc2, ((ZdmPart *) lfirst(lc))->claims)
		{
			const ZdmClaim *claim = lfirst(lc2);
			const ZdmPending *pending;
			bool		is_made = false;

			if (strcmp(claim->action, "make") != 0)
				continue;
			pending = strcmp(claim->kind, "relation") == 0 && claim->nspname != NULL ?
				claims_on_relation(&conflict, claim->nspname, claim->name, &is_made) :
				claims_on_part(&conflict, claim->kind, claim->relid, claim->name, &is_made);
			if (pending != NULL && is_made)
				ereport(ERROR,
						(errcode(strcmp(claim->kind, "relation") == 0 ? ERRCODE_DUPLICATE_TABLE :
								 ERRCODE_DUPLICATE_OBJECT),
						 strcmp(claim->kind, "relation") == 0 ?
						 errmsg("relation \"%s\" already exists", claim->name) :
						 errmsg("%s \"%s\" for relation \"%s\" already exists", claim->kind,
								claim->name, get_rel_name(claim->relid)),
						 errdetail("%s", claims_describe(pending))));
		}
	}
}
