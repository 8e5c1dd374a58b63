/*-------------------------------------------------------------------------
 *
 * detached.c
 *	  What a table was given in a window so that it could become a partition:
 *	  indexes, keys and foreign keys like those of the partitioned table.
 *
 * While it is a partition they belong to those of the partitioned table, and
 * cannot be dropped.  When the window is given up and the table is none any
 * more, they are its own, and go by steps that come after that.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/index.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "window/ledger.h"
#include "window/taking.h"

/* Is it an index or constraint of that table? */
static bool
is_part_of(const ObjectAddress *object, Oid relid)
{
	HeapTuple	tuple;
	Form_pg_constraint con;
	bool		result;

	if (object->classId == RelationRelationId)
		return object->objectSubId == 0 && IndexGetRelation(object->objectId, true) == relid;
	if (object->classId != ConstraintRelationId)
		return false;
	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(object->objectId));
	if (!HeapTupleIsValid(tuple))
		return false;
	con = (Form_pg_constraint) GETSTRUCT(tuple);
	result = con->conrelid == relid && con->contype != 'n' && con->contype != CONSTRAINT_CHECK &&
		con->contype != CONSTRAINT_TRIGGER;
	ReleaseSysCache(tuple);
	return result;
}

static const Taking *
find_taking(List *takings, Oid classid, Oid objid)
{
	ObjectAddress object;

	ObjectAddressSet(object, classid, objid);
	return taking_find(takings, &object);
}

/* Is it taken away, and goes what it takes along, before that is undone? */
static bool
goes_before(List *takings, Oid classid, Oid objid, const Taking *detached)
{
	const Taking *taking = find_taking(takings, classid, objid);

	return taking != NULL &&
		(taking->step_id != 0 ? taking->step_id : taking->birth_id) > detached->step_id;
}

/* What it belongs to while the table is a partition; or InvalidOid */
static Oid
parent_of(const ObjectAddress *object)
{
	HeapTuple	tuple;
	Oid			result;

	if (object->classId == RelationRelationId)
		return get_rel_relispartition(object->objectId) ?
			get_partition_parent(object->objectId, true) : InvalidOid;
	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(object->objectId));
	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	result = ((Form_pg_constraint) GETSTRUCT(tuple))->conparentid;
	ReleaseSysCache(tuple);
	return result;
}

/* An index of a constraint goes with that. */
static bool
has_constraint(const ObjectAddress *object)
{
	return object->classId == RelationRelationId &&
		OidIsValid(get_index_constraint(object->objectId));
}

/* An older index of a partition of the partition would go with the one above it. */
static char *
find_older_index(List *takings, const ObjectAddress *object)
{
	Oid			index = object->classId == RelationRelationId ? object->objectId :
		get_constraint_index(object->objectId);
	ListCell   *lc;

	if (!OidIsValid(index) || get_rel_relkind(index) != RELKIND_PARTITIONED_INDEX)
		return NULL;
	foreach(lc, find_all_inheritors(index, NoLock, NULL))
	{
		if (find_taking(takings, RelationRelationId, lfirst_oid(lc)) == NULL)
			return psprintf("Index %s, made in the window, would take index %s along, which was there before.",
							get_rel_name(index), get_rel_name(lfirst_oid(lc)));
	}
	return NULL;
}

/* The free key in the count-th place before or after that of the step */
static int64
free_id(int64 step_id, int direction, int count)
{
	static const Oid types[] = {INT8OID, INT4OID, INT4OID};
	Datum		values[] = {Int64GetDatum(step_id), Int32GetDatum(direction), Int32GetDatum(count)};
	bool		isnull;

	ledger_execute("SELECT id FROM generate_series($1 + $2, $1 + $2 * 1000, $2) AS id"
				   " WHERE NOT EXISTS (SELECT FROM zdm.step s WHERE s.id = id.id)"
				   " AND NOT EXISTS (SELECT FROM zdm.object o WHERE o.id = id.id)"
				   " ORDER BY abs(id - $1) OFFSET $3 LIMIT 1", lengthof(types), types, values, NULL);
	if (SPI_processed == 0)
		elog(ERROR, "no key is left beside step " INT64_FORMAT, step_id);
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

int64
detached_id_before(int64 step_id, int count)
{
	return free_id(step_id, -1, count);
}

int64
detached_id_after(int64 step_id, int count)
{
	return free_id(step_id, 1, count);
}

static void
release_parts(List *takings, const Taking *detached)
{
	int			count = 0;
	ListCell   *lc;

	foreach(lc, takings)
	{
		Taking	   *taking = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		if (taking->birth_id == 0 || !taking->is_implied ||
			!is_part_of(&taking->object, detached->detached) || has_constraint(&taking->object) ||
			goes_before(takings, taking->object.classId, parent_of(&taking->object), detached))
			continue;
		taking->is_implied = false;
		taking->birth_id = detached_id_before(detached->step_id, count++);
		taking->obstacle = find_older_index(takings, &taking->object);
	}
}

void
detached_release(List *takings)
{
	ListCell   *lc;

	foreach(lc, takings)
	{
		const Taking *taking = lfirst(lc);

		if (OidIsValid(taking->detached) && find_taking(takings, RelationRelationId, taking->detached) == NULL &&
			!taking_stays(takings, taking))
			release_parts(takings, taking);
	}
}
