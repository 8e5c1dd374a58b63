/*-------------------------------------------------------------------------
 *
 * rehearse_drop.c
 *	  The errors that a DROP which is put off would raise at once.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_rewrite.h"
#include "claims.h"
#include "ddl/catalog_scan.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "rehearse.h"
#include "utils/lsyscache.h"
#include "window/alias.h"

/* Is the object, or its relation, one of them? */
static ObjectAddress *
find_object(List *objects, const ObjectAddress *object)
{
	ListCell   *lc;

	foreach(lc, objects)
	{
		ObjectAddress *other = lfirst(lc);

		if (other->classId == object->classId && other->objectId == object->objectId &&
			(other->objectSubId == 0 || other->objectSubId == object->objectSubId))
			return other;
	}
	return NULL;
}

/*
 * What the object, or its rule or other part, depends on of what goes; that
 * may be a part, as a table's row type, of what the statement names.
 */
static const ObjectAddress *
reason_of(const ObjectAddress *object, const ObjectAddress *whole, List *targets, List *others)
{
	ObjectAddress *result = NULL;
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	List	   *parts = NIL;
	ListCell   *lc;

	catalog_scan_depend(&scan, object, false);
	while (result == NULL && HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		ObjectAddress reference;

		ObjectAddressSubSet(reference, form->refclassid, form->refobjid, form->refobjsubid);
		if (form->deptype == DEPENDENCY_NORMAL)
			result = find_object(targets, &reference);
		if (result == NULL && form->deptype == DEPENDENCY_NORMAL)
			result = find_object(others, &reference);
		if (result == whole)
			result = NULL;		/* as a rule of its view */
	}
	catalog_scan_end(&scan);
	if (result != NULL || object != whole)
		return result;

	catalog_scan_depend(&scan, object, true);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		ObjectAddress *part = palloc(sizeof(ObjectAddress));

		ObjectAddressSubSet(*part, form->classid, form->objid, form->objsubid);
		if (form->deptype == DEPENDENCY_INTERNAL)
			parts = lappend(parts, part);
	}
	catalog_scan_end(&scan);
	foreach(lc, parts)
	{
		const ObjectAddress *reason = reason_of(lfirst(lc), whole, targets, others);

		if (reason != NULL)
			return reason;
	}
	return linitial(targets);
}

/* Is it a view that makes way for the table whose new name it has? */
static bool
is_alias_view(const ObjectAddress *object)
{
	return object->classId == RelationRelationId &&
		get_rel_relkind(object->objectId) == RELKIND_VIEW &&
		OidIsValid(alias_table(object->objectId));
}

/* The objects without the rules of views, which are among them, and those that go before */
static List *
not_due(List *objects)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, objects)
	{
		const ObjectAddress *object = lfirst(lc);

		if (object->classId != RewriteRelationId && !is_alias_view(object) &&
			!(object->classId == RelationRelationId && object->objectSubId == 0 &&
			  claims_relation_is_due(object->objectId)))
			result = lappend(result, lfirst(lc));
	}
	return result;
}

/*
 * An object can be part of another one, as the index of a constraint, and goes
 * with that alone.
 */
static void
check_owners(List *targets)
{
	ListCell   *lc;

	foreach(lc, targets)
	{
		const ObjectAddress *target = lfirst(lc);
		ZdmCatalogScan scan;
		HeapTuple	tuple;
		ObjectAddress owner = {0};

		catalog_scan_depend(&scan, target, false);
		while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
		{
			Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

			if (form->objsubid == 0 && target->objectSubId == 0 &&
				(form->deptype == DEPENDENCY_INTERNAL || form->deptype == DEPENDENCY_EXTENSION ||
				 form->deptype == DEPENDENCY_PARTITION_PRI))
				ObjectAddressSet(owner, form->refclassid, form->refobjid);
		}
		catalog_scan_end(&scan);
		if (OidIsValid(owner.objectId) && find_object(targets, &owner) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
					 errmsg("cannot drop %s because %s requires it",
							getObjectDescription(target, false), getObjectDescription(&owner, false)),
					 errhint("You can drop %s instead.", getObjectDescription(&owner, false))));
	}
}

/* What RESTRICT objects to, as the server's reportDependentObjects() has it. */
void
rehearse_check_dependents(const ZdmDdl *ddl, List *targets, DropBehavior behavior)
{
	ZdmDdl		scratch = *ddl;
	StringInfoData detail;
	List	   *others;
	ListCell   *lc;

	if (behavior == DROP_CASCADE || targets == NIL)
		return;
	others = not_due(ddl_sort_objects(ddl_drop_reach(&scratch, targets, true)));
	if (others == NIL)
		return;
	initStringInfo(&detail);
	foreach(lc, others)
	{
		const ObjectAddress *other = lfirst(lc);

		appendStringInfo(&detail, "%s%s depends on %s", detail.len > 0 ? "\n" : "",
						 getObjectDescription(other, false),
						 getObjectDescription(reason_of(other, other, targets, others), false));
	}
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 list_length(targets) == 1 ?
			 errmsg("cannot drop %s because other objects depend on it",
					getObjectDescription(linitial(targets), false)) :
			 errmsg("cannot drop desired object(s) because other objects depend on them"),
			 errdetail("%s", detail.data),
			 errhint("Use DROP ... CASCADE to drop the dependent objects too.")));
}

/* What DROP says of a relation of another kind: "x" is not a table */
static void
check_kind(ObjectType type, Oid relid)
{
	char		relkind = get_rel_relkind(relid);

	if ((type == OBJECT_TABLE && (relkind == RELKIND_RELATION || relkind == RELKIND_PARTITIONED_TABLE)) ||
		(type == OBJECT_INDEX && (relkind == RELKIND_INDEX || relkind == RELKIND_PARTITIONED_INDEX)) ||
		(type == OBJECT_VIEW && relkind == RELKIND_VIEW) ||
		(type == OBJECT_MATVIEW && relkind == RELKIND_MATVIEW) ||
		(type == OBJECT_SEQUENCE && relkind == RELKIND_SEQUENCE) ||
		(type == OBJECT_FOREIGN_TABLE && relkind == RELKIND_FOREIGN_TABLE))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("\"%s\" is not %s %s", get_rel_name(relid),
					type == OBJECT_INDEX ? "an" : "a",
					type == OBJECT_TABLE ? "table" : type == OBJECT_INDEX ? "index" :
					type == OBJECT_VIEW ? "view" : type == OBJECT_SEQUENCE ? "sequence" :
					type == OBJECT_MATVIEW ? "materialized view" : "foreign table")));
}

/* DROP asks for ownership of the relation or of its schema. */
static ObjectAddress *
check_dropped_relation(ObjectType type, List *names)
{
	Oid			relid = RangeVarGetRelid(makeRangeVarFromNameList(names), NoLock, true);
	ObjectAddress *address = palloc(sizeof(ObjectAddress));

	if (!OidIsValid(relid))
		return NULL;
	check_kind(type, relid);
	if (!object_ownercheck(NamespaceRelationId, get_rel_namespace(relid), GetUserId()))
		rehearse_check_owner(relid);
	ObjectAddressSet(*address, RelationRelationId, relid);
	return address;
}

void
rehearse_drop(const ZdmDdl *ddl)
{
	const DropStmt *stmt = castNode(DropStmt, ddl->stmt);
	List	   *targets = NIL;
	ListCell   *lc;

	foreach(lc, stmt->objects)
	{
		ZdmDdl		scratch = *ddl;
		ObjectAddress *address = NULL;

		switch (stmt->removeType)
		{
			case OBJECT_TABLE:
			case OBJECT_INDEX:
			case OBJECT_SEQUENCE:
			case OBJECT_VIEW:
			case OBJECT_MATVIEW:
			case OBJECT_FOREIGN_TABLE:
				address = check_dropped_relation(stmt->removeType, lfirst(lc));
				break;
			case OBJECT_TRIGGER:
			case OBJECT_RULE:
			case OBJECT_POLICY:
				continue;		/* nothing can depend on it */
			default:
				address = palloc(sizeof(ObjectAddress));
				if (!ddl_object(&scratch, stmt->removeType, lfirst(lc), true, address))
					address = NULL;
				break;
		}
		if (address != NULL)
			targets = lappend(targets, address);
	}
	check_owners(targets);
	rehearse_check_dependents(ddl, targets, stmt->behavior);
}
