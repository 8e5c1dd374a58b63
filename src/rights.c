/*-------------------------------------------------------------------------
 *
 * rights.c
 *	  Who may run a statement at all?
 *
 * Where the server itself would refuse the statement for want of rights, it
 * shall say so, rather than zdm tell a stranger about the object.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "rights.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* Whose are the objects that a statement names? */
typedef enum Target
{
	TARGET_UNKNOWN,				/* hazards tell, each by itself */
	TARGET_OWN,
	TARGET_STRANGERS
} Target;

/* May the user pass on a right on the relation or one of its columns? */
static bool
has_grant_option(Oid relid)
{
	return pg_class_aclmask(relid, GetUserId(),
							ACL_GRANT_OPTION_FOR(ACL_ALL_RIGHTS_RELATION), ACLMASK_ANY) != 0 ||
		pg_attribute_aclcheck_all(relid, GetUserId(),
								  ACL_GRANT_OPTION_FOR(ACL_ALL_RIGHTS_COLUMN),
								  ACLMASK_ANY) == ACLCHECK_OK;
}

/* Has the user no right on the relation that lets him run DDL on it? */
static bool
is_strangers_table(const Node *stmt, const ZdmRel *rel)
{
	Oid			nspoid;

	if (!OidIsValid(rel->relid) || has_privs_of_role(GetUserId(), rel->owner))
		return false;
	nspoid = get_rel_namespace(rel->relid);
	if (OidIsValid(nspoid) &&
		object_ownercheck(NamespaceRelationId, nspoid, GetUserId()))
		return false;
	if (IsA(stmt, GrantStmt))
		return !has_grant_option(rel->relid);
	if ((IsA(stmt, VacuumStmt) || IsA(stmt, ReindexStmt)) &&
		object_ownercheck(DatabaseRelationId, MyDatabaseId, GetUserId()))
		return false;
	return pg_class_aclmask(rel->relid, GetUserId(),
							ACL_TRUNCATE | ACL_TRIGGER | COMPAT_ACL_MAINTAIN,
							ACLMASK_ANY) == 0;
}

/* The owner of an object that is no relation, or InvalidOid. */
static Oid
object_owner(const ObjectAddress *address)
{
	AttrNumber	attnum;
	int			cache;
	HeapTuple	tuple;
	bool		isnull = true;
	Datum		owner = (Datum) 0;

	if (!is_objectclass_supported(address->classId))
		return InvalidOid;
	attnum = get_object_attnum_owner(address->classId);
	cache = get_object_catcache_oid(address->classId);
	if (attnum == InvalidAttrNumber || cache < 0)
		return InvalidOid;
	tuple = SearchSysCache1(cache, ObjectIdGetDatum(address->objectId));
	if (HeapTupleIsValid(tuple))
	{
		owner = SysCacheGetAttr(cache, tuple, attnum, &isnull);
		ReleaseSysCache(tuple);
	}
	return isnull ? InvalidOid : DatumGetObjectId(owner);
}

/* Is the object another's, in a schema of another? */
static bool
is_strangers_object(const ObjectAddress *address)
{
	Oid			owner = object_owner(address);
	Oid			nspoid;

	if (!OidIsValid(owner) || has_privs_of_role(GetUserId(), owner))
		return false;
	if (get_object_attnum_namespace(address->classId) == InvalidAttrNumber)
		return true;
	nspoid = get_object_namespace(address);
	return !(OidIsValid(nspoid) &&
			 object_ownercheck(NamespaceRelationId, nspoid, GetUserId()));
}

/* DROP OWNED, REASSIGN OWNED of roles that the user does not belong to */
static bool
is_in_stranger(List *roles)
{
	ListCell   *lc;

	foreach(lc, roles)
	{
		Oid			roleid = get_rolespec_oid(lfirst_node(RoleSpec, lc), true);

		if (OidIsValid(roleid) && !has_privs_of_role(GetUserId(), roleid))
			return true;
	}
	return false;
}

static Target
target_of_rel(ZdmDdl *ddl, const ZdmRel *rel)
{
	if (rel == NULL)
		return TARGET_UNKNOWN;
	return is_strangers_table(ddl->stmt, rel) ? TARGET_STRANGERS : TARGET_OWN;
}

/* One object of a DROP, also the relation that a trigger or policy is on */
static Target
target_of_drop(ZdmDdl *ddl, ObjectType type, Node *object)
{
	ObjectAddress address;

	switch (type)
	{
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_SEQUENCE:
		case OBJECT_INDEX:
		case OBJECT_FOREIGN_TABLE:
			return target_of_rel(ddl, ddl_rel_by_names(ddl, (List *) object, true));
		case OBJECT_TRIGGER:
		case OBJECT_RULE:
		case OBJECT_POLICY:
			return target_of_rel(ddl, ddl_object_rel(ddl, object, true));
		default:
			break;
	}
	if (!ddl_object(ddl, type, object, true, &address))
		return TARGET_UNKNOWN;
	return is_strangers_object(&address) ? TARGET_STRANGERS : TARGET_OWN;
}

/* The server asks for rights on all of them. */
static Target
target_of_list(ZdmDdl *ddl, Target (*target_of) (ZdmDdl *, ObjectType, Node *),
			   ObjectType type, List *objects)
{
	Target		target = TARGET_UNKNOWN;
	ListCell   *lc;

	foreach(lc, objects)
		target = Max(target, target_of(ddl, type, lfirst(lc)));
	return target;
}

/* A table that a new one inherits from, or is a partition of */
static Target
target_of_parent(ZdmDdl *ddl, ObjectType type, Node *parent)
{
	return target_of_rel(ddl, ddl_rel(ddl, castNode(RangeVar, parent), true));
}

/*
 * Of statements that reach further than the objects they name (to a default
 * partition, to the tables that use a domain, to what CASCADE takes along),
 * the server asks for rights on those named alone.
 */
static Target
statement_target(const ZdmDdl *ddl)
{
	ZdmDdl		scratch = *ddl;

	switch (nodeTag(ddl->stmt))
	{
		case T_AlterTableStmt:
			return target_of_rel(&scratch,
								 ddl_rel(&scratch, ((AlterTableStmt *) ddl->stmt)->relation,
										 true));
		case T_CreateStmt:
		case T_CreateForeignTableStmt:	/* starts with a CreateStmt */
			return target_of_list(&scratch, target_of_parent, OBJECT_TABLE,
								  ((CreateStmt *) ddl->stmt)->inhRelations);
		case T_DropStmt:
			return target_of_list(&scratch, target_of_drop,
								  ((DropStmt *) ddl->stmt)->removeType,
								  ((DropStmt *) ddl->stmt)->objects);
		case T_AlterDomainStmt:
			return target_of_drop(&scratch, OBJECT_DOMAIN,
								  (Node *) makeTypeNameFromNameList(((AlterDomainStmt *) ddl->stmt)->typeName));
		default:
			return TARGET_UNKNOWN;
	}
}

/* Is this hazard, by itself, of an object of a stranger? */
static bool
is_strangers(const Node *stmt, const ZdmHazard *hazard)
{
	if (hazard->rel != NULL)
		return is_strangers_table(stmt, hazard->rel);
	if (IsA(stmt, DropOwnedStmt))
		return is_in_stranger(((const DropOwnedStmt *) stmt)->roles);
	if (IsA(stmt, ReassignOwnedStmt))
		return is_in_stranger(((const ReassignOwnedStmt *) stmt)->roles);
	if (IsA(stmt, GrantStmt) || !OidIsValid(hazard->subject.objectId))
		return false;
	return is_strangers_object(&hazard->subject);
}

/* The hazards of which the user may hear. */
List *
rights_filter(const ZdmDdl *ddl)
{
	List	   *result = NIL;
	ListCell   *lc;

	if (ddl->hazards == NIL)
		return NIL;
	switch (statement_target(ddl))
	{
		case TARGET_OWN:
			return ddl->hazards;
		case TARGET_STRANGERS:
			return NIL;
		case TARGET_UNKNOWN:
			break;
	}
	foreach(lc, ddl->hazards)
	{
		if (!is_strangers(ddl->stmt, lfirst(lc)))
			result = lappend(result, lfirst(lc));
	}
	return result;
}
