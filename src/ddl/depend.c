/*-------------------------------------------------------------------------
 *
 * depend.c
 *	  What goes when an object is dropped, and the locks that takes.
 *
 * The walk follows pg_depend as the server's deletion does, without its
 * locks, and notes the locks that the server would take: on each relation
 * that it meets at once, on the relations of triggers, constraints, defaults,
 * rules and policies only when these really go, that is, not where RESTRICT
 * makes the statement fail.
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
#include "catalog/pg_policy.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "ddl/catalog_scan.h"
#include "ddl/ddl.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"

/* so many dependent objects are named in a message, the others counted */
#define NAMED_OBJECTS 5

typedef struct ReachEntry
{
	ObjectAddress object;		/* must be first: the key */
	bool		only_cascade;	/* reached by normal dependencies only */
} ReachEntry;

typedef struct NamedObject
{
	ObjectAddress *address;
	char	   *name;			/* with its kind, for people */
} NamedObject;

typedef struct Reach
{
	ZdmDdl	   *ddl;
	HTAB	   *seen;
	List	   *found;			/* ReachEntry, in the order of finding */
	bool		parts_only;		/* not what only CASCADE takes along */
} Reach;

/* A catalog of parts of relations: dropping one locks its relation. */
typedef struct PartCatalog
{
	Oid			class;
	Oid			index;
	AttrNumber	oid;
	AttrNumber	relid;
	LOCKMODE	mode;
} PartCatalog;

static const PartCatalog part_catalogs[] = {
	{TriggerRelationId, TriggerOidIndexId, Anum_pg_trigger_oid,
	Anum_pg_trigger_tgrelid, AccessExclusiveLock},
	{ConstraintRelationId, ConstraintOidIndexId, Anum_pg_constraint_oid,
	Anum_pg_constraint_conrelid, AccessExclusiveLock},
	{AttrDefaultRelationId, AttrDefaultOidIndexId, Anum_pg_attrdef_oid,
	Anum_pg_attrdef_adrelid, AccessExclusiveLock},
	{RewriteRelationId, RewriteOidIndexId, Anum_pg_rewrite_oid,
	Anum_pg_rewrite_ev_class, AccessExclusiveLock},
	{PolicyRelationId, PolicyOidIndexId, Anum_pg_policy_oid,
	Anum_pg_policy_polrelid, AccessExclusiveLock},
	{StatisticExtRelationId, StatisticExtOidIndexId, Anum_pg_statistic_ext_oid,
	Anum_pg_statistic_ext_stxrelid, ShareUpdateExclusiveLock}
};

/* One edge of the graph. */
typedef struct Edge
{
	ObjectAddress object;		/* at the other end */
	char		deptype;
} Edge;

/* What the object depends on, or what depends on it; the scan ends here. */
static List *
edges(const ObjectAddress *object, bool dependents)
{
	List	   *result = NIL;
	ZdmCatalogScan scan;
	HeapTuple	tuple;

	catalog_scan_depend(&scan, object, dependents);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		Edge	   *edge = palloc(sizeof(Edge));

		if (dependents)
			ObjectAddressSubSet(edge->object, form->classid, form->objid, form->objsubid);
		else
			ObjectAddressSubSet(edge->object, form->refclassid, form->refobjid,
								form->refobjsubid);
		edge->deptype = form->deptype;
		result = lappend(result, edge);
	}
	catalog_scan_end(&scan);
	return result;
}

/* Is the relation that the column belongs to among what goes? */
static ReachEntry *
reach_find_whole(Reach *reach, const ObjectAddress *object)
{
	ObjectAddress whole = *object;

	whole.objectSubId = 0;
	return hash_search(reach->seen, &whole, HASH_FIND, NULL);
}

/* Is the object already among what goes, itself or as part of its relation? */
static ReachEntry *
reach_find(Reach *reach, const ObjectAddress *object)
{
	ReachEntry *entry = hash_search(reach->seen, object, HASH_FIND, NULL);

	if (entry == NULL && object->objectSubId != 0)
		entry = reach_find_whole(reach, object);
	return entry;
}

/* The lock that the server takes as soon as its walk meets the object. */
static void
lock_met(ZdmDdl *ddl, const ObjectAddress *object)
{
	char		relkind;

	if (object->classId != RelationRelationId)
		return;
	relkind = get_rel_relkind(object->objectId);
	if (relkind != RELKIND_INDEX && relkind != RELKIND_PARTITIONED_INDEX &&
		relkind != RELKIND_TOASTVALUE)
		ddl_lock(ddl, ddl_rel_by_oid(ddl, object->objectId), AccessExclusiveLock);
}

static void reach_object(Reach *reach, const ObjectAddress *object, bool only_cascade,
						 bool is_target);

/*
 * Whatever owns a part that goes, goes: a rule takes its view with it.  An
 * owner that was found before was perhaps what led to its part.
 */
static void
reach_owners(Reach *reach, const ObjectAddress *object, bool only_cascade)
{
	ListCell   *lc;

	foreach(lc, edges(object, false))
	{
		Edge	   *edge = lfirst(lc);

		if ((edge->deptype == DEPENDENCY_INTERNAL || edge->deptype == DEPENDENCY_EXTENSION) &&
			reach_find(reach, &edge->object) == NULL)
			reach_object(reach, &edge->object, only_cascade, false);
	}
}

static void
reach_object(Reach *reach, const ObjectAddress *object, bool only_cascade,
			 bool is_target)
{
	ReachEntry *entry = reach_find(reach, object);
	ListCell   *lc;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();

	if (entry != NULL)
	{
		entry->only_cascade &= only_cascade;
		return;
	}
	entry = hash_search(reach->seen, object, HASH_ENTER, NULL);
	entry->only_cascade = only_cascade;
	reach->found = lappend(reach->found, entry);
	lock_met(reach->ddl, object);

	if (!is_target && !reach->parts_only)
		reach_owners(reach, object, only_cascade);
	foreach(lc, edges(object, true))
	{
		Edge	   *edge = lfirst(lc);

		if (object->objectSubId == 0 && edge->object.classId == object->classId &&
			edge->object.objectId == object->objectId)
			continue;			/* a part of the object itself */
		if (reach->parts_only && edge->deptype == DEPENDENCY_NORMAL)
			continue;
		if (ddl_is_going(reach->ddl, &edge->object) ||
			ddl_is_leaving(reach->ddl, &edge->object, object))
		{
			reach->ddl->awaits_going |= edge->deptype == DEPENDENCY_NORMAL;
			continue;
		}
		reach_object(reach, &edge->object, edge->deptype == DEPENDENCY_NORMAL, false);
	}
}

/* The relation that a row of a catalog of parts belongs to. */
static Oid
part_relation(const PartCatalog *parts, Oid objectid)
{
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	Oid			result = InvalidOid;

	catalog_scan_oid(&scan, parts->class, parts->index, parts->oid, objectid);
	tuple = catalog_scan_next(&scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;

		result = DatumGetObjectId(catalog_scan_attr(&scan, tuple, parts->relid, &isnull));
	}
	catalog_scan_end(&scan);
	return result;
}

/*
 * The relation that a trigger, default, rule, policy or the like is part of;
 * NULL if the object is no part of one.
 */
ZdmRel *
ddl_part_rel(ZdmDdl *ddl, const ObjectAddress *address)
{
	for (int i = 0; i < lengthof(part_catalogs); i++)
	{
		Oid			relid;

		if (part_catalogs[i].class != address->classId)
			continue;
		relid = part_relation(&part_catalogs[i], address->objectId);
		return OidIsValid(relid) ? ddl_rel_by_oid(ddl, relid) : NULL;
	}
	return NULL;
}

/* The locks that the server takes when it really drops the object. */
static void
lock_dropped(ZdmDdl *ddl, const ObjectAddress *object)
{
	ZdmRel	   *rel;

	for (int i = 0; i < lengthof(part_catalogs); i++)
	{
		Oid			relid;

		if (part_catalogs[i].class != object->classId)
			continue;
		relid = part_relation(&part_catalogs[i], object->objectId);
		if (OidIsValid(relid))	/* a domain's constraint has none */
			ddl_lock(ddl, ddl_rel_by_oid(ddl, relid), part_catalogs[i].mode);
		return;
	}

	if (object->classId != RelationRelationId || object->objectSubId != 0)
		return;
	rel = ddl_rel_by_oid(ddl, object->objectId);
	if (rel == NULL)
		return;
	if (rel->relkind == RELKIND_INDEX || rel->relkind == RELKIND_PARTITIONED_INDEX)
		ddl_lock(ddl, ddl_index_table(ddl, rel), AccessExclusiveLock);
	else if (rel->is_partition)
	{
		ZdmRel	   *parent = ddl_rel_parent(ddl, rel);

		if (parent == NULL)
			return;
		ddl_lock(ddl, parent, AccessExclusiveLock);
		ddl_lock(ddl, ddl_default_partition(ddl, parent), AccessExclusiveLock);
	}
}

static void
reach_targets(Reach *reach, ZdmDdl *ddl, List *targets)
{
	HASHCTL		ctl = {0};
	ListCell   *lc;

	reach->ddl = ddl;
	ctl.keysize = sizeof(ObjectAddress);
	ctl.entrysize = sizeof(ReachEntry);
	ctl.hcxt = CurrentMemoryContext;
	reach->seen = hash_create("zdm dropped objects", 64, &ctl,
							  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	foreach(lc, targets)
		reach_object(reach, lfirst(lc), false, true);
	foreach(lc, targets)
	{
		ReachEntry *entry = reach_find(reach, lfirst(lc));

		entry->only_cascade = false;
	}
}

/*
 * Walk from the objects to be dropped (ObjectAddress) to all that goes with
 * them, and note the locks.  Returns those objects (ObjectAddress) that only
 * CASCADE drops; none without cascade, where their existence makes the
 * statement fail.
 */
List *
ddl_drop_reach(ZdmDdl *ddl, List *targets, bool cascade)
{
	Reach		reach = {0};
	List	   *result = NIL;
	ListCell   *lc;

	reach_targets(&reach, ddl, targets);
	foreach(lc, reach.found)
	{
		ReachEntry *entry = lfirst(lc);

		/* a column may have been met before its table */
		if (entry->only_cascade &&
			(entry->object.objectSubId == 0 ||
			 reach_find_whole(&reach, &entry->object) == NULL))
			result = lappend(result, &entry->object);
	}
	if (result != NIL && !cascade)
		return NIL;

	foreach(lc, reach.found)
		lock_dropped(ddl, &((ReachEntry *) lfirst(lc))->object);
	return result;
}

/*
 * What goes with the objects (ObjectAddress) without CASCADE, without these:
 * parts, and what belongs to them.
 */
List *
ddl_drop_parts(ZdmDdl *ddl, List *targets)
{
	Reach		reach = {.parts_only = true};
	List	   *result = NIL;
	ListCell   *lc;

	reach_targets(&reach, ddl, targets);
	foreach(lc, reach.found)
	{
		ReachEntry *entry = lfirst(lc);
		bool		is_target = false;
		ListCell   *lc2;

		foreach(lc2, targets)
			is_target |= memcmp(&entry->object, lfirst(lc2), sizeof(ObjectAddress)) == 0;
		if (!is_target)
			result = lappend(result, &entry->object);
	}
	return result;
}

static int
compare_named(const ListCell *a, const ListCell *b)
{
	return strcmp(((const NamedObject *) lfirst(a))->name,
				  ((const NamedObject *) lfirst(b))->name);
}

/* NamedObjects, sorted: the catalogs give them in whatever order rows lie. */
static List *
named_objects(List *addresses)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, addresses)
	{
		NamedObject *named = palloc(sizeof(NamedObject));

		named->address = lfirst(lc);
		named->name = ddl_object_describe(named->address);
		result = lappend(result, named);
	}
	list_sort(result, compare_named);
	return result;
}

/* The objects (ObjectAddress) in the order of their kinds and names. */
List *
ddl_sort_objects(List *addresses)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, named_objects(addresses))
		result = lappend(result, ((NamedObject *) lfirst(lc))->address);
	return result;
}

/* Some objects by name and the number of the others, for a message. */
char *
ddl_list_objects(List *addresses)
{
	StringInfoData buf;
	List	   *names = named_objects(addresses);
	int			count = 0;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, names)
	{
		if (count == NAMED_OBJECTS && list_length(names) > NAMED_OBJECTS + 1)
		{
			appendStringInfo(&buf, " and %d more", list_length(names) - count);
			break;
		}
		appendStringInfo(&buf, "%s%s", count > 0 ? ", " : "",
						 ((NamedObject *) lfirst(lc))->name);
		count++;
	}
	return buf.data;
}
