/*-------------------------------------------------------------------------
 *
 * taking.c
 *	  What the abort of a window takes away, and what must not be.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "parser/parse_type.h"
#include "parser/parser.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "window/related.h"
#include "window/taking.h"

/* undo_sql of a step while it is looked through */
typedef struct Undo
{
	int64		step_id;
	List	   *relids;
	List	   *relnames;
	List	  **takings;
	bool		replaces;		/* makes anew what it drops */
	bool		does_anything;	/* or might */
} Undo;

static bool
is_same(const ObjectAddress *a, const ObjectAddress *b)
{
	return a->classId == b->classId && a->objectId == b->objectId &&
		a->objectSubId == b->objectSubId;
}

Taking *
taking_find(List *takings, const ObjectAddress *object)
{
	ListCell   *lc;

	foreach(lc, takings)
	{
		Taking	   *taking = lfirst(lc);

		if (is_same(&taking->object, object))
			return taking;
	}
	return NULL;
}

static void
add_undo(Undo *undo, const ObjectAddress *object)
{
	Taking	   *taking = palloc0(sizeof(Taking));

	taking->step_id = undo->step_id;
	taking->object = *object;
	taking->is_replaced = undo->replaces;
	*undo->takings = lappend(*undo->takings, taking);
	undo->does_anything = true;
}

static void
look_through_drop(Undo *undo, const DropStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->objects)
	{
		Relation	rel = NULL;
		ObjectAddress object = get_object_address(stmt->removeType, lfirst(lc), &rel,
												  AccessShareLock, true);

		if (rel != NULL)
			relation_close(rel, NoLock);
		if (OidIsValid(object.objectId))
			add_undo(undo, &object);
	}
}

/* The relation of that name, under whatever name it is by now. */
static Oid
lookup_relation(const Undo *undo, const RangeVar *relation)
{
	ListCell   *lc,
			   *lc2;

	if (relation->schemaname != NULL)
	{
		char	   *name = quote_qualified_identifier(relation->schemaname, relation->relname);

		forboth(lc, undo->relnames, lc2, undo->relids)
		{
			if (strcmp(lfirst(lc), name) == 0 && get_rel_name(lfirst_oid(lc2)) != NULL)
				return lfirst_oid(lc2);
		}
	}
	return RangeVarGetRelid(relation, NoLock, true);
}

static bool
is_not_null_of(HeapTuple tuple, TupleDesc desc, AttrNumber attnum)
{
	bool		isnull;
	Datum		conkey;

	if (((Form_pg_constraint) GETSTRUCT(tuple))->contype != 'n')
		return false;
	conkey = heap_getattr(tuple, Anum_pg_constraint_conkey, desc, &isnull);
	return !isnull && ((int16 *) ARR_DATA_PTR(DatumGetArrayTypeP(conkey)))[0] == attnum;
}

/* From 18 on NOT NULL is a constraint, which comes into being with it. */
static Oid
not_null_constraint(Oid relid, AttrNumber attnum)
{
	Relation	rel = table_open(ConstraintRelationId, AccessShareLock);
	Oid			result = InvalidOid;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, ConstraintRelidTypidNameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		if (is_not_null_of(tuple, RelationGetDescr(rel), attnum))
			result = ((Form_pg_constraint) GETSTRUCT(tuple))->oid;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return result;
}

/* Is the action on the column of its name? */
static bool
is_of_column(const AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_ColumnDefault:
		case AT_DropNotNull:
		case AT_SetNotNull:
		case AT_SetStatistics:
		case AT_SetOptions:
		case AT_ResetOptions:
		case AT_SetStorage:
		case AT_SetCompression:
		case AT_AddIdentity:
		case AT_SetIdentity:
		case AT_DropIdentity:
		case AT_DropColumn:
		case AT_AlterColumnType:
			return cmd->name != NULL;
		default:
			return false;
	}
}

/* Has the column the type that it is to get, as somebody has given it back? */
static bool
has_type(Oid relid, AttrNumber attnum, const ColumnDef *def)
{
	Oid			typid;
	int32		typmod;
	Oid			typid_now;
	int32		typmod_now;
	Oid			collation;
	Type		type = LookupTypeName(NULL, def->typeName, &typmod, true);

	if (type == NULL)
		return false;			/* its step will say so */
	typid = typeTypeId(type);
	ReleaseSysCache(type);
	get_atttypetypmodcoll(relid, attnum, &typid_now, &typmod_now, &collation);
	return typid == typid_now && typmod == typmod_now;
}

/* DETACH PARTITION: the table goes on by itself, if it is one still. */
static void
look_through_detach(Undo *undo, Oid relid, const RangeVar *partition)
{
	Oid			child = RangeVarGetRelid(partition, NoLock, true);
	Taking	   *taking;

	undo->does_anything |= !OidIsValid(child);
	if (!OidIsValid(child) || !get_rel_relispartition(child) ||
		get_partition_parent(child, true) != relid)
		return;
	taking = palloc0(sizeof(Taking));
	taking->step_id = undo->step_id;
	taking->detached = child;
	*undo->takings = lappend(*undo->takings, taking);
	undo->does_anything = true;
}

static void
add_change(Undo *undo, Oid relid, AttrNumber attnum)
{
	Taking	   *taking = palloc0(sizeof(Taking));

	taking->step_id = undo->step_id;
	ObjectAddressSubSet(taking->changed, RelationRelationId, relid, attnum);
	*undo->takings = lappend(*undo->takings, taking);
}

static void
look_through_action(Undo *undo, Oid relid, const AlterTableCmd *cmd)
{
	AttrNumber	attnum = cmd->name ? get_attnum(relid, cmd->name) : InvalidAttrNumber;
	ObjectAddress object;
	Oid			conoid;

	if (is_of_column(cmd) && attnum == InvalidAttrNumber)
		return;					/* it has been dropped meanwhile */
	if (is_of_column(cmd) && cmd->subtype != AT_DropColumn)
		add_change(undo, relid, attnum);
	switch (cmd->subtype)
	{
		case AT_DropColumn:
			ObjectAddressSubSet(object, RelationRelationId, relid, attnum);
			add_undo(undo, &object);
			break;
		case AT_DropConstraint:
			conoid = get_relation_constraint_oid(relid, cmd->name, true);
			if (!OidIsValid(conoid))
				return;
			ObjectAddressSet(object, ConstraintRelationId, conoid);
			add_undo(undo, &object);
			break;
		case AT_DropNotNull:
			undo->does_anything = true;
			conoid = not_null_constraint(relid, attnum);
			if (!OidIsValid(conoid))
				return;
			ObjectAddressSet(object, ConstraintRelationId, conoid);
			add_undo(undo, &object);
			break;
		case AT_ColumnDefault:
			undo->does_anything = true;
			ObjectAddressSet(object, AttrDefaultRelationId, GetAttrDefaultOid(relid, attnum));
			if (OidIsValid(object.objectId))
				add_undo(undo, &object);
			break;
		case AT_AlterColumnType:
			undo->does_anything |= !has_type(relid, attnum, castNode(ColumnDef, cmd->def));
			break;
		case AT_DetachPartition:
			look_through_detach(undo, relid, castNode(PartitionCmd, cmd->def)->name);
			break;
		default:
			undo->does_anything = true;
			break;
	}
}

static void
look_through_alter_table(Undo *undo, const AlterTableStmt *stmt)
{
	Oid			relid = lookup_relation(undo, stmt->relation);
	ListCell   *lc;

	if (!OidIsValid(relid))
		return;
	foreach(lc, stmt->cmds)
		look_through_action(undo, relid, lfirst_node(AlterTableCmd, lc));
}

bool
taking_add_undo(List **takings, int64 step_id, const char *undo_sql, List *relids,
				List *relnames)
{
	Undo		undo = {step_id, relids, relnames, takings};
	List	   *stmts = raw_parser(undo_sql, RAW_PARSE_DEFAULT);
	ListCell   *lc;

	foreach(lc, stmts)
		undo.replaces |= IsA(lfirst_node(RawStmt, lc)->stmt, ViewStmt);
	foreach(lc, stmts)
	{
		Node	   *stmt = lfirst_node(RawStmt, lc)->stmt;

		if (IsA(stmt, DropStmt))
			look_through_drop(&undo, (DropStmt *) stmt);
		else if (IsA(stmt, AlterTableStmt))
			look_through_alter_table(&undo, (AlterTableStmt *) stmt);
		else
			undo.does_anything = true;
	}
	return undo.does_anything;
}

void
taking_add_blocked(List **takings, int64 step_id, char *obstacle)
{
	Taking	   *taking = palloc0(sizeof(Taking));

	taking->step_id = step_id;
	taking->obstacle = obstacle;
	*takings = lappend(*takings, taking);
}

/* Is the column or constraint there because a parent's is? */
static bool
is_inherited(const ObjectAddress *object)
{
	HeapTuple	tuple = NULL;
	bool		result = false;

	if (object->classId == RelationRelationId && object->objectSubId != 0)
		tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(object->objectId),
								Int16GetDatum(object->objectSubId));
	else if (object->classId == ConstraintRelationId)
		tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(object->objectId));
	if (!HeapTupleIsValid(tuple))
		return false;
	if (object->classId == ConstraintRelationId)
		result = ((Form_pg_constraint) GETSTRUCT(tuple))->coninhcount > 0;
	else
		result = ((Form_pg_attribute) GETSTRUCT(tuple))->attinhcount > 0;
	ReleaseSysCache(tuple);
	return result;
}

bool
taking_is_bound(const ObjectAddress *object)
{
	ListCell   *lc;

	if (is_inherited(object))
		return true;
	foreach(lc, related_references(object))
	{
		const Related *related = lfirst(lc);

		if (related_is_bound(related->type))
			return true;
	}
	return false;
}

static char *
relation_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

/* NULL if its relation is of a kind that keeps its columns */
static char *
sql_to_drop_column(const ObjectAddress *object)
{
	const char *column = quote_identifier(get_attname(object->objectId, object->objectSubId, false));
	const char *name = relation_name(object->objectId);

	switch (get_rel_relkind(object->objectId))
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			return psprintf("ALTER TABLE %s DROP COLUMN %s", name, column);
		case RELKIND_FOREIGN_TABLE:
			return psprintf("ALTER FOREIGN TABLE %s DROP COLUMN %s", name, column);
		case RELKIND_COMPOSITE_TYPE:
			return psprintf("ALTER TYPE %s DROP ATTRIBUTE %s", name, column);
		default:
			return NULL;
	}
}

static char *
sql_to_drop_constraint(const ObjectAddress *object)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(object->objectId));
	Form_pg_constraint con;
	char	   *result;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for constraint %u", object->objectId);
	con = (Form_pg_constraint) GETSTRUCT(tuple);
	if (OidIsValid(con->conrelid))
		result = psprintf("ALTER TABLE %s DROP CONSTRAINT %s", relation_name(con->conrelid),
						  quote_identifier(NameStr(con->conname)));
	else
		result = psprintf("ALTER DOMAIN %s DROP CONSTRAINT %s",
						  format_type_be_qualified(con->contypid),
						  quote_identifier(NameStr(con->conname)));
	ReleaseSysCache(tuple);
	return result;
}

static char *
sql_to_drop(const ObjectAddress *object)
{
	char	   *identity = getObjectIdentity(object, false);
	char	   *type = getObjectTypeDescription(object, false);

	if (object->classId == RelationRelationId && object->objectSubId != 0)
		return sql_to_drop_column(object);
	if (object->classId == ConstraintRelationId)
		return sql_to_drop_constraint(object);
	if (object->classId == ProcedureRelationId)
		return psprintf("DROP ROUTINE %s", identity);
	if (strcmp(type, "statistics object") == 0)
		return psprintf("DROP STATISTICS %s", identity);
	if (strcmp(type, "foreign-data wrapper") == 0)
		return psprintf("DROP FOREIGN DATA WRAPPER %s", identity);
	for (char *c = type; *c != '\0'; c++)
		*c = pg_toupper((unsigned char) *c);
	return psprintf("DROP %s %s", type, identity);
}

static bool
is_there(const ObjectAddress *object)
{
	HeapTuple	tuple;

	if (object->classId != RelationRelationId || object->objectSubId == 0)
		return getObjectIdentity(object, true) != NULL;
	tuple = SearchSysCacheAttNum(object->objectId, object->objectSubId);
	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return HeapTupleIsValid(tuple);
}

void
taking_add_born(List **takings, int64 birth_id, const ObjectAddress *object)
{
	Taking	   *taking;
	char	   *sql;

	if (!is_there(object) || taking_find(*takings, object) != NULL)
		return;
	sql = sql_to_drop(object);
	if (sql == NULL)
		return;
	taking = palloc0(sizeof(Taking));
	taking->birth_id = birth_id;
	taking->object = *object;
	taking->sql = sql;
	*takings = lappend(*takings, taking);
}

bool
taking_list_has(List *objects, const ObjectAddress *object)
{
	ListCell   *lc;

	foreach(lc, objects)
	{
		if (is_same(lfirst(lc), object))
			return true;
	}
	return false;
}

/* Has it an obstacle, or what its step takes besides? */
static bool
is_in_the_way(List *takings, const Taking *taking)
{
	ListCell   *lc;

	if (taking->obstacle != NULL)
		return true;
	foreach(lc, taking->step_id != 0 ? takings : NIL)
	{
		const Taking *other = lfirst(lc);

		if (other->step_id == taking->step_id && other->obstacle != NULL)
			return true;
	}
	return false;
}

/* Does its step alter a column that was made in the window and stays? */
static bool
changes_what_stays(List *takings, const Taking *taking)
{
	ListCell   *lc;

	foreach(lc, taking->step_id != 0 ? takings : NIL)
	{
		const Taking *other = lfirst(lc);
		const Taking *column = other->step_id == taking->step_id &&
			OidIsValid(other->changed.classId) ? taking_find(takings, &other->changed) : NULL;

		if (column != NULL && is_in_the_way(takings, column))
			return true;
	}
	return false;
}

bool
taking_stays(List *takings, const Taking *taking)
{
	return is_in_the_way(takings, taking) || changes_what_stays(takings, taking);
}

static bool goes(List *takings, const ObjectAddress *object, List **seen);

/* Does it go because something else does? */
static bool
goes_along(List *takings, const ObjectAddress *object, List **seen)
{
	ListCell   *lc;

	if (object->objectSubId != 0)
	{
		ObjectAddress *whole = palloc(sizeof(ObjectAddress));

		*whole = *object;
		whole->objectSubId = 0;
		if (goes(takings, whole, seen))
			return true;
	}
	foreach(lc, related_references(object))
	{
		const Related *related = lfirst(lc);

		if (related_goes_along(related->type) && goes(takings, &related->object, seen))
			return true;
	}
	return false;
}

/*
 * Is the object gone after the abort?  seen: the objects asked for on the way
 * here, since dependencies can be circular.
 */
static bool
goes(List *takings, const ObjectAddress *object, List **seen)
{
	const Taking *taking = taking_find(takings, object);

	check_stack_depth();
	if (taking != NULL && !taking->is_implied)
		return !taking_stays(takings, taking);
	if (taking_list_has(*seen, object))
		return false;
	*seen = lappend(*seen, unconstify(ObjectAddress *, object));
	return goes_along(takings, object, seen);
}

void
taking_mark_implied(List *takings)
{
	ListCell   *lc;

	foreach(lc, takings)
	{
		Taking	   *taking = lfirst(lc);
		List	   *seen = list_make1(&taking->object);

		CHECK_FOR_INTERRUPTS();
		taking->is_implied = taking->step_id == 0 &&
			(taking_is_bound(&taking->object) || goes_along(takings, &taking->object, &seen));
	}
}

/* Is the index's table to be no partition any more, before the index is dropped? */
static bool
is_detached_first(List *takings, Oid index)
{
	Oid			relid = IndexGetRelation(index, true);
	ObjectAddress parent;
	const Taking *above;
	ListCell   *lc;

	ObjectAddressSet(parent, RelationRelationId, get_partition_parent(index, true));
	above = taking_find(takings, &parent);
	foreach(lc, takings)
	{
		const Taking *taking = lfirst(lc);

		if (taking->detached == relid && OidIsValid(relid) && above != NULL &&
			taking->step_id > above->birth_id && !taking_stays(takings, taking))
			return true;
	}
	return false;
}

/*
 * Must the object, which would go along with another one, stay?  As what holds
 * data, as a table that was there before and has become a partition, and as
 * an index that was there before and has become one of a partitioned index.
 */
static bool
is_to_be_kept(List *takings, const ObjectAddress *object)
{
	const Taking *taking = taking_find(takings, object);

	if (taking != NULL)
		return taking->obstacle != NULL;
	if (object->classId != RelationRelationId || object->objectSubId != 0)
		return false;
	switch (get_rel_relkind(object->objectId))
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_FOREIGN_TABLE:
			return true;
		case RELKIND_INDEX:
		case RELKIND_PARTITIONED_INDEX:
			return get_rel_relispartition(object->objectId) &&
				!is_detached_first(takings, object->objectId);
		default:
			return false;
	}
}

/* An object that stays and uses the one that would go, or its parts; or NULL. */
static const ObjectAddress *
find_user(List *takings, const ObjectAddress *object, List **seen)
{
	ListCell   *lc;

	check_stack_depth();
	if (taking_list_has(*seen, object))
		return NULL;
	*seen = lappend(*seen, unconstify(ObjectAddress *, object));
	foreach(lc, related_dependents(object))
	{
		const Related *related = lfirst(lc);
		List	   *asked = NIL;
		const ObjectAddress *user = NULL;

		if (related_goes_along(related->type))
			user = is_to_be_kept(takings, &related->object) ? &related->object :
				find_user(takings, &related->object, seen);
		else if (!goes(takings, &related->object, &asked))
			user = &related->object;
		if (user != NULL)
			return user;
	}
	return NULL;
}

/* Is one used that has had no obstacle?  Then it has one now. */
static bool
find_new_user(List *takings)
{
	bool		found = false;
	ListCell   *lc;

	foreach(lc, takings)
	{
		Taking	   *taking = lfirst(lc);
		const ObjectAddress *user;
		List	   *seen = NIL;

		CHECK_FOR_INTERRUPTS();
		if (!OidIsValid(taking->object.classId) || taking->is_implied || taking_stays(takings, taking))
			continue;
		user = find_user(takings, &taking->object, &seen);
		if (user == NULL)
			continue;
		taking->obstacle = psprintf("%s in the window, %s is used by %s, which stays.",
									taking->is_replaced ? "Replaced" : "Made",
									getObjectDescription(&taking->object, false),
									getObjectDescription(user, false));
		found = true;
	}
	return found;
}

void
taking_find_users(List *takings)
{
	while (find_new_user(takings))
		CHECK_FOR_INTERRUPTS();
}
