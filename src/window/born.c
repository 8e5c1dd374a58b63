/*-------------------------------------------------------------------------
 *
 * born.c
 *	  Objects that come into being while a window is open: old clients do not
 *	  know them, so nothing that happens to them can break old clients.
 *
 * object_access_hook tells of each object as it is made, however deep inside
 * a command.  It only notes addresses; they are written to zdm.object after
 * the command, where writing is safe.
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
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_am.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_conversion.h"
#include "catalog/pg_event_trigger.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_index.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "window/ledger.h"
#include "window/window.h"

/* attribute numbers of zdm.object */
enum
{
	Anum_object_window_id = 1,
	Anum_object_classid,
	Anum_object_objid,
	Anum_object_objsubid,
	Anum_object_identity,
	Anum_object_id,
	Natts_object = Anum_object_id
};

static object_access_hook_type prev_object_access_hook = NULL;

static BornScope collecting = BORN_NOTHING;

/*
 * ObjectAddress.  A command that commits in between, as CREATE INDEX
 * CONCURRENTLY does, must not lose them: so they have a context of their own,
 * emptied when the next command begins.
 */
static List *collected = NIL;
static MemoryContext collected_context = NULL;

/* Kinds of objects that a hazard can be about, or that an abort takes away. */
static bool
is_of_interest(Oid classid)
{
	switch (classid)
	{
		case AccessMethodRelationId:
		case CastRelationId:
		case CollationRelationId:
		case ConstraintRelationId:
		case ConversionRelationId:
		case EventTriggerRelationId:
		case ExtensionRelationId:
		case ForeignDataWrapperRelationId:
		case ForeignServerRelationId:
		case LanguageRelationId:
		case NamespaceRelationId:
		case OperatorClassRelationId:
		case OperatorFamilyRelationId:
		case OperatorRelationId:
		case PolicyRelationId:
		case ProcedureRelationId:
		case PublicationRelationId:
		case RelationRelationId:
		case RewriteRelationId:
		case StatisticExtRelationId:
		case TriggerRelationId:
		case TSConfigRelationId:
		case TSDictionaryRelationId:
		case TypeRelationId:
			return true;
		default:
			return false;
	}
}

/* Is the object, just made, one to be written down? */
static bool
is_in_scope(Oid classid, int subid)
{
	if (collecting == BORN_COLUMNS)
		return classid == RelationRelationId && subid != 0;
	return collecting == BORN_ALL && is_of_interest(classid);
}

static void
born_object_access(ObjectAccessType access, Oid classid, Oid objid, int subid,
				   void *arg)
{
	if (prev_object_access_hook)
		prev_object_access_hook(access, classid, objid, subid, arg);

	if (access == OAT_POST_CREATE && is_in_scope(classid, subid))
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(collected_context);
		ObjectAddress *address = palloc(sizeof(ObjectAddress));

		ObjectAddressSubSet(*address, classid, objid, subid);
		collected = lappend(collected, address);
		MemoryContextSwitchTo(oldcontext);
	}
}

void
born_init(void)
{
	prev_object_access_hook = object_access_hook;
	object_access_hook = born_object_access;
}

/* Begin to collect, or cease to, for the time of one command. */
BornScope
born_start(BornScope scope)
{
	BornScope	previous = collecting;

	if (collected_context == NULL)
		collected_context = AllocSetContextCreate(TopMemoryContext, "zdm born objects",
												  ALLOCSET_SMALL_SIZES);
	if (previous == BORN_NOTHING)
	{
		MemoryContextReset(collected_context);
		collected = NIL;
	}
	collecting = scope;
	return previous;
}

void
born_restore(BornScope scope)
{
	collecting = scope;
}

/* Is the object written down as born in the window? */
bool
born_in_window(int64 window_id, const ObjectAddress *object)
{
	Relation	rel = table_open(ledger_relid("object"), AccessShareLock);
	ScanKeyData keys[4];
	SysScanDesc scan;
	bool		found;

	ScanKeyInit(&keys[0], Anum_object_window_id, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(window_id));
	ScanKeyInit(&keys[1], Anum_object_classid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(object->classId));
	ScanKeyInit(&keys[2], Anum_object_objid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(object->objectId));
	ScanKeyInit(&keys[3], Anum_object_objsubid, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(object->objectSubId));
	scan = systable_beginscan(rel, ledger_relid("object_key"), true, NULL, 4, keys);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/*
 * The schema that the object is in, or is; InvalidOid if it is gone by now, or
 * of a kind that is in none.
 */
static Oid
namespace_of(const ObjectAddress *address)
{
	HeapTuple	tuple;
	Oid			result = InvalidOid;

	switch (address->classId)
	{
		case NamespaceRelationId:
			return address->objectId;
		case RelationRelationId:
			return get_rel_namespace(address->objectId);
		case ProcedureRelationId:
			return get_func_namespace(address->objectId);
		case ConstraintRelationId:
			tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(address->objectId));
			if (HeapTupleIsValid(tuple))
			{
				result = ((Form_pg_constraint) GETSTRUCT(tuple))->connamespace;
				ReleaseSysCache(tuple);
			}
			return result;
		default:
			return InvalidOid;
	}
}

/*
 * What is temporary is of the session alone, its schema too, which is made with
 * the first of it; TOAST tables and row types come and go with their table.
 */
static bool
is_worth_keeping(const ObjectAddress *address)
{
	Oid			nspoid = namespace_of(address);

	if (OidIsValid(nspoid) && isAnyTempNamespace(nspoid))
		return false;
	if (address->classId == TypeRelationId)
	{
		Oid			relid = get_typ_typrelid(address->objectId);

		return !OidIsValid(get_element_type(address->objectId)) &&
			(!OidIsValid(relid) || get_rel_relkind(relid) == RELKIND_COMPOSITE_TYPE);
	}
	if (address->classId != RelationRelationId)
		return true;
	return OidIsValid(nspoid) && nspoid != PG_TOAST_NAMESPACE;
}

/*
 * Write down what was collected, for the window, and forget it.  The command
 * is over and its effects are visible.  The window is not aborted before this
 * transaction has committed, or it would not know of them.
 */
void
born_flush(int64 window_id)
{
	Relation	rel;
	ListCell   *lc;

	if (collected == NIL)
		return;

	window_hold_off();
	rel = table_open(ledger_relid("object"), RowExclusiveLock);
	foreach(lc, collected)
	{
		const ObjectAddress *address = lfirst(lc);
		Datum		values[Natts_object];
		bool		nulls[Natts_object] = {0};
		char	   *identity;
		HeapTuple	tuple;

		CHECK_FOR_INTERRUPTS();
		if (!is_worth_keeping(address))
			continue;
		identity = getObjectIdentity(address, true);
		if (identity == NULL)
			continue;			/* made and dropped by the same command */

		values[Anum_object_window_id - 1] = Int64GetDatum(window_id);
		values[Anum_object_classid - 1] = ObjectIdGetDatum(address->classId);
		values[Anum_object_objid - 1] = ObjectIdGetDatum(address->objectId);
		values[Anum_object_objsubid - 1] = Int32GetDatum(address->objectSubId);
		values[Anum_object_identity - 1] = CStringGetTextDatum(identity);
		values[Anum_object_id - 1] = Int64GetDatum(ledger_new_id());
		tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
		CatalogTupleInsert(rel, tuple);
		heap_freetuple(tuple);
	}
	table_close(rel, RowExclusiveLock);
	collected = NIL;
}
