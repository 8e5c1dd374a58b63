/*-------------------------------------------------------------------------
 *
 * security.c
 *	  Rights, row security, ownership; comments and labels.
 *
 * Taking a right away is a hazard only where there is one to take: a REVOKE
 * from someone who has been granted nothing changes nothing.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_largeobject.h"
#include "catalog/pg_largeobject_metadata.h"
#include "catalog/pg_type.h"
#include "ddl/catalog_scan.h"
#include "ddl/ddl.h"
#include "lib/stringinfo.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* The rights that REVOKE takes away. */
static AclMode
revoked_rights(const GrantStmt *stmt)
{
	static const struct
	{
		const char *name;
		AclMode		right;
	}			rights[] = {
		{"select", ACL_SELECT}, {"insert", ACL_INSERT}, {"update", ACL_UPDATE},
		{"delete", ACL_DELETE}, {"truncate", ACL_TRUNCATE},
		{"references", ACL_REFERENCES}, {"trigger", ACL_TRIGGER},
		{"maintain", COMPAT_ACL_MAINTAIN}, {"usage", ACL_USAGE},
		{"execute", ACL_EXECUTE}, {"create", ACL_CREATE},
		{"temporary", ACL_CREATE_TEMP}, {"temp", ACL_CREATE_TEMP},
		{"connect", ACL_CONNECT}
	};
	AclMode		result = ACL_NO_RIGHTS;
	ListCell   *lc;

	if (stmt->privileges == NIL)
		return ~ACL_NO_RIGHTS;
	foreach(lc, stmt->privileges)
	{
		const char *name = ((AccessPriv *) lfirst(lc))->priv_name;

		if (name == NULL)
			return ~ACL_NO_RIGHTS;
		for (int i = 0; i < lengthof(rights); i++)
		{
			if (strcmp(name, rights[i].name) == 0)
				result |= rights[i].right;
		}
	}
	return result;
}

/* Does the list of rights give one of these to any of the roles? */
static bool
acl_names(Acl *acl, List *roleids, AclMode rights)
{
	AclItem    *items = ACL_DAT(acl);

	for (int i = 0; i < ACL_NUM(acl); i++)
	{
		if (list_member_oid(roleids, items[i].ai_grantee) &&
			(ACLITEM_GET_PRIVS(items[i]) & rights) != ACL_NO_RIGHTS)
			return true;
	}
	return false;
}

/* Have any of the roles been granted a right on a column of the relation? */
static bool
column_acls_name(Oid relid, List *roleids, AclMode rights)
{
	bool		result = false;

	for (AttrNumber attnum = 1; !result; attnum++)
	{
		HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid),
											Int16GetDatum(attnum));
		Datum		acl;
		bool		isnull;

		if (!HeapTupleIsValid(tuple))
			break;
		acl = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attacl, &isnull);
		if (!isnull)
			result = acl_names(DatumGetAclP(acl), roleids, rights);
		ReleaseSysCache(tuple);
	}
	return result;
}

/* The kind of object for which the server knows default rights. */
static ObjectType
acl_kind(ObjectType type)
{
	switch (type)
	{
		case OBJECT_AGGREGATE:
		case OBJECT_PROCEDURE:
		case OBJECT_ROUTINE:
			return OBJECT_FUNCTION;
		default:
			return type;
	}
}

/* Large objects are known by the catalog of their data, which has no owners. */
static Oid
catalog_of(const ObjectAddress *address)
{
	return address->classId == LargeObjectRelationId ? LargeObjectMetadataRelationId :
		address->classId;
}

/* Have any of the roles such a right on the object, by grant or by default? */
static bool
has_granted_right(ObjectType type, const ObjectAddress *address, List *roleids,
				  AclMode rights)
{
	Oid			classid = catalog_of(address);
	AttrNumber	aclnum = get_object_attnum_acl(classid);
	Relation	catalog;
	HeapTuple	tuple;
	bool		result = false;

	if (aclnum == InvalidAttrNumber)
		return true;
	catalog = table_open(classid, AccessShareLock);
	tuple = get_catalog_object_by_oid(catalog, get_object_attnum_oid(classid),
									  address->objectId);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		datum = heap_getattr(tuple, aclnum, RelationGetDescr(catalog), &isnull);
		Acl		   *acl;

		if (!isnull)
			acl = DatumGetAclP(datum);
		else
		{
			datum = heap_getattr(tuple, get_object_attnum_owner(classid),
								 RelationGetDescr(catalog), &isnull);
			acl = acldefault(acl_kind(type), DatumGetObjectId(datum));
		}
		result = acl_names(acl, roleids, rights);
	}
	table_close(catalog, AccessShareLock);
	if (!result && address->classId == RelationRelationId)
		result = column_acls_name(address->objectId, roleids, rights);
	return result;
}

/* The rights of a GRANT or REVOKE, for a message: SELECT, UPDATE (a, b) */
static char *
privilege_names(const GrantStmt *stmt)
{
	StringInfoData buf;
	ListCell   *lc;
	ListCell   *lc2;

	if (stmt->privileges == NIL)
		return pstrdup("all rights");
	initStringInfo(&buf);
	foreach(lc, stmt->privileges)
	{
		const AccessPriv *priv = lfirst(lc);
		const char *separator = " (";

		if (buf.len > 0)
			appendStringInfoString(&buf, ", ");
		if (priv->priv_name == NULL)
			appendStringInfoString(&buf, "all rights");
		else
		{
			for (const char *p = priv->priv_name; *p; p++)
				appendStringInfoChar(&buf, pg_toupper((unsigned char) *p));
		}
		foreach(lc2, priv->cols)
		{
			appendStringInfo(&buf, "%s%s", separator, strVal(lfirst(lc2)));
			separator = ", ";
		}
		if (priv->cols != NIL)
			appendStringInfoChar(&buf, ')');
	}
	return buf.data;
}

/* The grantees' OIDs; those that do not exist are noted. */
static List *
role_oids(ZdmDdl *ddl, List *roles)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, roles)
	{
		RoleSpec   *role = lfirst(lc);
		Oid			roleid = ddl_role(ddl, role);

		if (OidIsValid(roleid) || role->roletype == ROLESPEC_PUBLIC)
			result = lappend_oid(result, roleid);
	}
	return result;
}

static void
set_revoke_cap(ZdmHazard *hazard, const GrantStmt *stmt)
{
	/* without the grant option the grantee keeps the right itself */
	if (hazard != NULL && stmt->grant_option)
		hazard->cap = ZDM_SEVERITY_NOTE;
}

static void
grant_on_relation(ZdmDdl *ddl, GrantStmt *stmt, ZdmRel *rel, List *roleids)
{
	ObjectAddress address;

	if (COMPAT_GRANT_LOCKS_RELATION)
		ddl_lock(ddl, rel, AccessShareLock);
	if (stmt->is_grant || rel->is_exempt)
		return;
	ObjectAddressSet(address, RelationRelationId, rel->relid);
	if (!has_granted_right(rel->relkind == RELKIND_SEQUENCE ? OBJECT_SEQUENCE : OBJECT_TABLE,
						   &address, roleids, revoked_rights(stmt)))
		return;
	set_revoke_cap(ddl_hazard(ddl, ZDM_RULE_SECURITY_CHANGE, rel, (Node *) stmt, NULL,
							  "revoking %s on %s from %s would break clients that rely on it",
							  privilege_names(stmt), ddl_rel_describe(rel),
							  ddl_role_names(stmt->grantees)), stmt);
}

static void
grant_on_object(ZdmDdl *ddl, GrantStmt *stmt, Node *object, List *roleids)
{
	ObjectAddress address;

	if (!ddl_object(ddl, stmt->objtype, object, false, &address))
		return;
	if (ddl->object == NULL)
		ddl->object = ddl_object_describe(&address);
	if (stmt->is_grant || !has_granted_right(stmt->objtype, &address, roleids,
											 revoked_rights(stmt)))
		return;
	set_revoke_cap(ddl_object_hazard(ddl, ZDM_RULE_SECURITY_CHANGE, &address, (Node *) stmt,
									 "revoking %s on %s from %s would break clients that rely on it",
									 privilege_names(stmt), ddl_object_describe(&address),
									 ddl_role_names(stmt->grantees)), stmt);
}

/* The relations of a schema that ALL TABLES or ALL SEQUENCES stand for. */
static List *
relations_of_schema(ZdmDdl *ddl, Oid nspoid, bool sequences)
{
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	List	   *oids = NIL;
	List	   *result = NIL;
	ListCell   *lc;

	catalog_scan_oid(&scan, RelationRelationId, InvalidOid, Anum_pg_class_relnamespace,
					 nspoid);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		if (sequences ? form->relkind == RELKIND_SEQUENCE :
			(form->relkind == RELKIND_RELATION || form->relkind == RELKIND_VIEW ||
			 form->relkind == RELKIND_MATVIEW || form->relkind == RELKIND_FOREIGN_TABLE ||
			 form->relkind == RELKIND_PARTITIONED_TABLE))
			oids = lappend_oid(oids, form->oid);
	}
	catalog_scan_end(&scan);

	foreach(lc, oids)
	{
		ZdmRel	   *rel = ddl_rel_by_oid(ddl, lfirst_oid(lc));

		if (rel != NULL)
			result = lappend(result, rel);
	}
	return result;
}

static void
grant_in_schema(ZdmDdl *ddl, GrantStmt *stmt, Node *schema, List *roleids)
{
	ObjectAddress address;
	ListCell   *lc;

	if (!ddl_object(ddl, OBJECT_SCHEMA, schema, false, &address))
		return;
	if (ddl->object == NULL)
		ddl->object = ddl_object_describe(&address);
	if (stmt->objtype == OBJECT_TABLE || stmt->objtype == OBJECT_SEQUENCE)
	{
		foreach(lc, relations_of_schema(ddl, address.objectId,
										stmt->objtype == OBJECT_SEQUENCE))
			grant_on_relation(ddl, stmt, lfirst(lc), roleids);
	}
	else if (!stmt->is_grant)
		set_revoke_cap(ddl_object_hazard(ddl, ZDM_RULE_SECURITY_CHANGE, &address,
										 (Node *) stmt,
										 "revoking %s on all functions of %s from %s would break clients that rely on it",
										 privilege_names(stmt), ddl_object_describe(&address),
										 ddl_role_names(stmt->grantees)), stmt);
}

/* GRANT, REVOKE on objects */
void
ddl_grant(ZdmDdl *ddl, Node *node)
{
	GrantStmt  *stmt = (GrantStmt *) node;
	List	   *roleids = role_oids(ddl, stmt->grantees);
	ListCell   *lc;

	if (stmt->targtype == ACL_TARGET_DEFAULTS || stmt->objtype == OBJECT_PARAMETER_ACL)
		return;					/* objects to come; settings of the server */
	foreach(lc, stmt->objects)
	{
		Node	   *object = lfirst(lc);

		if (stmt->targtype == ACL_TARGET_ALL_IN_SCHEMA)
			grant_in_schema(ddl, stmt, object, roleids);
		else if (IsA(object, RangeVar))
		{
			ZdmRel	   *rel = ddl_rel_listed(ddl, (RangeVar *) object);

			if (rel != NULL)
				grant_on_relation(ddl, stmt, rel, roleids);
		}
		else
			grant_on_object(ddl, stmt, object, roleids);
	}
}

/* GRANT role TO role, REVOKE role FROM role */
void
ddl_grant_role(ZdmDdl *ddl, Node *node)
{
	GrantRoleStmt *stmt = (GrantRoleStmt *) node;
	ListCell   *lc;
	ListCell   *lc2;

	ddl->object = ddl_role_names(stmt->grantee_roles);
	foreach(lc, stmt->granted_roles)
	{
		const char *name = ((AccessPriv *) lfirst(lc))->priv_name;
		ObjectAddress granted;

		if (name == NULL ||		/* ALL PRIVILEGES, which the server refuses */
			!ddl_object(ddl, OBJECT_ROLE, (Node *) makeString(pstrdup(name)), false, &granted))
			continue;
		foreach(lc2, stmt->grantee_roles)
		{
			Oid			member = ddl_role(ddl, lfirst(lc2));

			if (stmt->is_grant || compat_revokes_admin_option_only(stmt) ||
				!OidIsValid(member) ||
				!is_member_of_role_nosuper(member, granted.objectId))
				continue;
			(void) ddl_hazard(ddl, ZDM_RULE_SECURITY_CHANGE, NULL, node, NULL,
							  "revoking role \"%s\" from %s would break clients that rely on its rights",
							  name, ddl_role_names(list_make1(lfirst(lc2))));
		}
	}
}

/* Is row level security switched on for the relation? */
bool
ddl_rel_has_row_security(ZdmRel *rel)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(rel->relid));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_class) GETSTRUCT(tuple))->relrowsecurity;
	ReleaseSysCache(tuple);
	return result;
}

/* CREATE POLICY, ALTER POLICY */
void
ddl_policy(ZdmDdl *ddl, Node *node)
{
	bool		create = IsA(node, CreatePolicyStmt);
	RangeVar   *table = create ? ((CreatePolicyStmt *) node)->table :
		((AlterPolicyStmt *) node)->table;
	const char *name = create ? ((CreatePolicyStmt *) node)->policy_name :
		((AlterPolicyStmt *) node)->policy_name;
	ZdmRel	   *rel = ddl_rel(ddl, table, false);
	ZdmHazard  *hazard;

	if (rel == NULL)
		return;
	ddl->object = ddl_rel_describe(rel);
	ddl_lock(ddl, rel, AccessExclusiveLock);
	if (!create && OidIsValid(rel->relid))
	{
		ObjectAddress address;
		List	   *names = list_make3(makeString(pstrdup(rel->nspname)),
									   makeString(pstrdup(rel->relname)),
									   makeString(pstrdup(name)));

		if (!ddl_object(ddl, OBJECT_POLICY, (Node *) names, false, &address))
			return;
	}

	hazard = ddl_hazard(ddl, ZDM_RULE_SECURITY_CHANGE, rel, node, NULL,
						"policy \"%s\" on %s would change which rows clients see and may write",
						name, ddl_rel_describe(rel));
	if (hazard == NULL)
		return;
	hazard->name = name;
	if (!ddl_rel_has_row_security(rel))
		hazard->cap = ZDM_SEVERITY_NOTE;	/* it has no effect yet */
	else if (create && ((CreatePolicyStmt *) node)->permissive)
		hazard->cap = ZDM_SEVERITY_WARN;	/* rows come, none go */
}

Oid
ddl_object_owner(const ObjectAddress *address)
{
	AttrNumber	attnum;
	Relation	catalog;
	HeapTuple	tuple;
	Oid			owner = InvalidOid;

	if (!is_objectclass_supported(address->classId))
		return InvalidOid;
	attnum = get_object_attnum_owner(address->classId);
	if (attnum == InvalidAttrNumber)
		return InvalidOid;
	catalog = table_open(address->classId, AccessShareLock);
	tuple = get_catalog_object_by_oid(catalog, get_object_attnum_oid(address->classId),
									  address->objectId);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;

		owner = DatumGetObjectId(heap_getattr(tuple, attnum, RelationGetDescr(catalog),
											  &isnull));
	}
	table_close(catalog, AccessShareLock);
	return owner;
}

/* ALTER ... OWNER TO of all but relations, which ALTER TABLE looks after */
void
ddl_owner(ZdmDdl *ddl, Node *node)
{
	AlterOwnerStmt *stmt = (AlterOwnerStmt *) node;
	Oid			newowner = ddl_role(ddl, stmt->newowner);
	ObjectAddress address;
	ZdmHazard  *hazard;

	if (!ddl_object(ddl, stmt->objectType, stmt->object, false, &address) ||
		!OidIsValid(newowner))
		return;
	ddl->object = ddl_object_describe(&address);
	if (address.classId == TypeRelationId)
	{
		Oid			relid = get_typ_typrelid(address.objectId);

		if (OidIsValid(relid))
			ddl_lock(ddl, ddl_rel_by_oid(ddl, relid), AccessExclusiveLock);
	}
	if (ddl_object_owner(&address) == newowner)
		return;

	hazard = ddl_object_hazard(ddl, ZDM_RULE_SECURITY_CHANGE, &address, node,
							   "the owner of %s would lose the rights that go with it",
							   ddl->object);
	if (hazard == NULL)
		return;
	switch (stmt->objectType)
	{
		case OBJECT_AGGREGATE:
		case OBJECT_DATABASE:
		case OBJECT_FUNCTION:
		case OBJECT_LARGEOBJECT:
		case OBJECT_PROCEDURE:
		case OBJECT_ROUTINE:
		case OBJECT_SCHEMA:
			break;
		default:
			/* of these the owner's rights are those to change and to drop */
			hazard->cap = ZDM_SEVERITY_NOTE;
			break;
	}
}

/* REASSIGN OWNED BY role TO role */
void
ddl_reassign_owned(ZdmDdl *ddl, Node *node)
{
	ReassignOwnedStmt *stmt = (ReassignOwnedStmt *) node;
	List	   *owned;
	List	   *granted;
	ListCell   *lc;

	ddl->object = ddl_role_names(stmt->roles);
	(void) ddl_role(ddl, stmt->newrole);
	ddl_role_objects(ddl, stmt->roles, &owned, &granted);
	foreach(lc, owned)
	{
		const ObjectAddress *address = lfirst(lc);

		if (address->classId == RelationRelationId)
			ddl_lock(ddl, ddl_rel_by_oid(ddl, address->objectId), AccessExclusiveLock);
	}
	if (owned != NIL)
		(void) ddl_hazard(ddl, ZDM_RULE_SECURITY_CHANGE, NULL, node, NULL,
						  "%s would lose the rights of an owner on %s", ddl->object,
						  ddl_list_objects(owned));
}

/* A column's comment locks its relation as the relation's own does. */
static void
comment_on_column(ZdmDdl *ddl, List *names)
{
	ZdmRel	   *rel = ddl_object_rel(ddl, (Node *) names, false);

	if (rel == NULL)
		return;
	ddl->object = ddl_rel_describe(rel);
	ddl_lock(ddl, rel, ShareUpdateExclusiveLock);
	(void) ddl_col(ddl, rel, strVal(llast(names)), false);
}

/* COMMENT ON, SECURITY LABEL: no hazard, but a lock */
void
ddl_comment(ZdmDdl *ddl, Node *node)
{
	bool		comment = IsA(node, CommentStmt);
	ObjectType	type = comment ? ((CommentStmt *) node)->objtype : ((SecLabelStmt *) node)->objtype;
	Node	   *object = comment ? ((CommentStmt *) node)->object : ((SecLabelStmt *) node)->object;
	ObjectAddress address;
	ZdmRel	   *rel;

	switch (type)
	{
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_SEQUENCE:
		case OBJECT_INDEX:
		case OBJECT_FOREIGN_TABLE:
			rel = ddl_rel_by_names(ddl, (List *) object, false);
			if (rel == NULL)
				break;
			ddl->object = ddl_rel_describe(rel);
			ddl_lock(ddl, rel, ShareUpdateExclusiveLock);
			break;
		case OBJECT_COLUMN:
			comment_on_column(ddl, (List *) object);
			break;
		case OBJECT_TABCONSTRAINT:
		case OBJECT_TRIGGER:
		case OBJECT_RULE:
		case OBJECT_POLICY:
			rel = ddl_object_rel(ddl, object, false);
			if (rel == NULL)
				break;
			ddl->object = ddl_rel_describe(rel);
			ddl_lock(ddl, rel, AccessShareLock);
			if (type != OBJECT_TABCONSTRAINT || rel->script == NULL)
				(void) ddl_object(ddl, type, object, false, &address);
			break;
		default:
			if (ddl_object(ddl, type, object, false, &address))
				ddl->object = ddl_object_describe(&address);
			break;
	}
}
