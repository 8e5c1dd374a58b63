/*-------------------------------------------------------------------------
 *
 * undo_grant.c
 *	  What takes back a GRANT: exactly the rights that were not there before.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_auth_members.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "ddl/catalog_scan.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "plan/undo.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

static const struct
{
	const char *name;
	AclMode		right;
}			right_names[] = {
	{"SELECT", ACL_SELECT}, {"INSERT", ACL_INSERT}, {"UPDATE", ACL_UPDATE},
	{"DELETE", ACL_DELETE}, {"TRUNCATE", ACL_TRUNCATE}, {"REFERENCES", ACL_REFERENCES},
	{"TRIGGER", ACL_TRIGGER}, {"MAINTAIN", COMPAT_ACL_MAINTAIN}, {"USAGE", ACL_USAGE},
	{"EXECUTE", ACL_EXECUTE}, {"CREATE", ACL_CREATE}
};

/* A GRANT while it is looked through */
typedef struct Grant
{
	const GrantStmt *stmt;
	const ZdmPolicy *policy;
	List	   *roles;			/* Oids */
	StringInfoData undo;
} Grant;

/* What rights are granted on: an object, or a column of a relation */
typedef struct Granted
{
	const char *kind;			/* "TABLE" */
	const char *name;			/* for SQL */
	const char *column;			/* for SQL, or NULL */
	Oid			owner;
	const Acl  *acl;
} Granted;

const char *
zdm_right_name(AclMode right)
{
	for (int i = 0; i < lengthof(right_names); i++)
	{
		if (right_names[i].right == right)
			return right_names[i].name;
	}
	elog(ERROR, "unrecognized right: %u", (uint32) right);
}

static AclMode
right_of(const char *name)
{
	for (int i = 0; i < lengthof(right_names); i++)
	{
		if (pg_strcasecmp(right_names[i].name, name) == 0)
			return right_names[i].right;
	}
	return ACL_NO_RIGHTS;
}

static char *
rights_text(AclMode rights, const char *column)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < lengthof(right_names); i++)
	{
		if ((rights & right_names[i].right) == ACL_NO_RIGHTS)
			continue;
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", right_names[i].name);
		if (column != NULL)
			appendStringInfo(&buf, " (%s)", column);
	}
	return buf.data;
}

static const char *
role_text(Oid role)
{
	return role == ACL_ID_PUBLIC ? "PUBLIC" : quote_identifier(GetUserNameFromId(role, false));
}

/* What the grantor has given to the role already, as ai_privs has it */
static AclMode
given_before(const Acl *acl, Oid role, Oid grantor)
{
	for (int i = 0; i < ACL_NUM(acl); i++)
	{
		if (ACL_DAT(acl)[i].ai_grantee == role && ACL_DAT(acl)[i].ai_grantor == grantor)
			return ACL_DAT(acl)[i].ai_privs;
	}
	return ACL_NO_RIGHTS;
}

static void
append_command(StringInfo buf, const char *sql)
{
	appendStringInfo(buf, "%s%s", buf->len > 0 ? "; " : "", sql);
}

/* Take back those of the rights that the roles get on it now; they are returned. */
static AclMode
undo_rights(Grant *grant, const Granted *granted, AclMode rights, Oid *grantor)
{
	AclMode		grantable;
	AclMode		all_new = ACL_NO_RIGHTS;
	ListCell   *lc;

	select_best_grantor(GetUserId(), rights, granted->acl, granted->owner, grantor, &grantable);
	grantable = ACL_OPTION_TO_PRIVS(grantable);
	foreach(lc, grant->roles)
	{
		AclMode		before = given_before(granted->acl, lfirst_oid(lc), *grantor);
		AclMode		new_rights = rights & grantable & ~before;
		AclMode		new_options = !grant->stmt->grant_option ? ACL_NO_RIGHTS :
			rights & grantable & before & ~ACL_OPTION_TO_PRIVS(before);

		if (new_rights != ACL_NO_RIGHTS)
			append_command(&grant->undo,
						   psprintf("REVOKE %s ON %s %s FROM %s",
									rights_text(new_rights, granted->column), granted->kind,
									granted->name, role_text(lfirst_oid(lc))));
		if (new_options != ACL_NO_RIGHTS)
			append_command(&grant->undo,
						   psprintf("REVOKE GRANT OPTION FOR %s ON %s %s FROM %s",
									rights_text(new_options, granted->column), granted->kind,
									granted->name, role_text(lfirst_oid(lc))));
		all_new |= new_rights;
	}
	return all_new;
}

/* To revoke a right on a table revokes it on its columns: give that back. */
static void
regrant_columns(Grant *grant, Oid relid, const char *name, AclMode rights, Oid grantor)
{
	ListCell   *lc;

	for (AttrNumber attnum = 1; rights != ACL_NO_RIGHTS; attnum++)
	{
		HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum(attnum));
		bool		isnull;
		Datum		datum;
		const Acl  *acl;

		if (!HeapTupleIsValid(tuple))
			return;
		datum = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attacl, &isnull);
		acl = isnull ? NULL : DatumGetAclPCopy(datum);
		ReleaseSysCache(tuple);
		foreach(lc, acl ? grant->roles : NIL)
		{
			AclMode		lost = given_before(acl, lfirst_oid(lc), grantor) & (rights | ACL_GRANT_OPTION_FOR(rights));
			AclMode		options = ACL_OPTION_TO_PRIVS(lost);
			AclMode		plain = lost & ACL_ALL_RIGHTS_RELATION & ~options;
			const char *column = quote_identifier(get_attname(relid, attnum, false));

			if (plain != ACL_NO_RIGHTS)
				append_command(&grant->undo, psprintf("GRANT %s ON TABLE %s TO %s", rights_text(plain, column),
													  name, role_text(lfirst_oid(lc))));
			if (options != ACL_NO_RIGHTS)
				append_command(&grant->undo, psprintf("GRANT %s ON TABLE %s TO %s WITH GRANT OPTION",
													  rights_text(options, column), name,
													  role_text(lfirst_oid(lc))));
		}
	}
}

/* The ACL of an object, also if it is the one by default, and its owner */
static const Acl *
acl_of(const ObjectAddress *object, ObjectType type, Oid *owner)
{
	Relation	catalog = table_open(object->classId, AccessShareLock);
	HeapTuple	tuple = get_catalog_object_by_oid(catalog, get_object_attnum_oid(object->classId),
												  object->objectId);
	const Acl  *result = NULL;

	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		datum = heap_getattr(tuple, get_object_attnum_owner(object->classId),
										 RelationGetDescr(catalog), &isnull);

		*owner = DatumGetObjectId(datum);
		datum = heap_getattr(tuple, get_object_attnum_acl(object->classId),
							 RelationGetDescr(catalog), &isnull);
		result = isnull ? acldefault(type, *owner) : DatumGetAclPCopy(datum);
	}
	table_close(catalog, AccessShareLock);
	return result;
}

/* The rights that are granted as a whole; ALL: those of the kind of object */
static AclMode
whole_rights(const GrantStmt *stmt, AclMode all)
{
	AclMode		result = ACL_NO_RIGHTS;
	ListCell   *lc;

	if (stmt->privileges == NIL)
		return all;
	foreach(lc, stmt->privileges)
	{
		const AccessPriv *priv = lfirst(lc);

		if (priv->cols == NIL)
			result |= right_of(priv->priv_name) & all;
	}
	return result;
}

static void
undo_on_columns(Grant *grant, const ZdmRel *rel, Granted granted, const AccessPriv *priv)
{
	AclMode		rights = priv->priv_name ? right_of(priv->priv_name) : ACL_ALL_RIGHTS_COLUMN;
	ListCell   *lc;

	foreach(lc, priv->cols)
	{
		HeapTuple	tuple = SearchSysCacheAttName(rel->relid, strVal(lfirst(lc)));
		bool		isnull;
		Datum		datum;
		Oid			grantor;

		if (!HeapTupleIsValid(tuple))
			continue;
		datum = SysCacheGetAttr(ATTNAME, tuple, Anum_pg_attribute_attacl, &isnull);
		granted.acl = isnull ? acldefault(OBJECT_COLUMN, rel->owner) : DatumGetAclPCopy(datum);
		ReleaseSysCache(tuple);
		granted.column = quote_identifier(strVal(lfirst(lc)));
		(void) undo_rights(grant, &granted, rights, &grantor);
	}
}

static void
undo_on_relation(Grant *grant, const ZdmRel *rel)
{
	bool		is_sequence = rel->relkind == RELKIND_SEQUENCE;
	Granted		granted = {is_sequence ? "SEQUENCE" : "TABLE", ddl_rel_qualified(rel)};
	ObjectAddress object;
	AclMode		rights;
	Oid			grantor;
	ListCell   *lc;

	ObjectAddressSet(object, RelationRelationId, rel->relid);
	if (rel->is_exempt || zdm_undo_goes_itself(grant->policy, &object))
		return;
	granted.acl = acl_of(&object, is_sequence ? OBJECT_SEQUENCE : OBJECT_TABLE, &granted.owner);
	if (granted.acl == NULL)
		return;
	rights = whole_rights(grant->stmt, is_sequence ? ACL_ALL_RIGHTS_SEQUENCE : ACL_ALL_RIGHTS_RELATION);
	if (rights != ACL_NO_RIGHTS)
	{
		rights = undo_rights(grant, &granted, rights, &grantor);
		regrant_columns(grant, rel->relid, granted.name, rights, grantor);
	}
	foreach(lc, grant->stmt->privileges)
		undo_on_columns(grant, rel, granted, lfirst(lc));
}

/* A function, schema or type; false if it is of another kind */
static bool
undo_on_object(Grant *grant, const ObjectAddress *object)
{
	Granted		granted = {NULL};
	ObjectType	type;
	AclMode		all;
	Oid			grantor;

	switch (object->classId)
	{
		case ProcedureRelationId:
			granted.kind = "ROUTINE";
			type = OBJECT_FUNCTION;
			all = ACL_ALL_RIGHTS_FUNCTION;
			break;
		case NamespaceRelationId:
			granted.kind = "SCHEMA";
			type = OBJECT_SCHEMA;
			all = ACL_ALL_RIGHTS_SCHEMA;
			break;
		case TypeRelationId:
			granted.kind = "TYPE";
			type = OBJECT_TYPE;
			all = ACL_ALL_RIGHTS_TYPE;
			break;
		default:
			return false;
	}
	if (ddl_object_is_exempt(object) || zdm_undo_goes_itself(grant->policy, object))
		return true;
	granted.name = getObjectIdentity(object, false);
	granted.acl = acl_of(object, type, &granted.owner);
	if (granted.acl != NULL)
		(void) undo_rights(grant, &granted, whole_rights(grant->stmt, all), &grantor);
	return true;
}

/* Is a row of pg_class or pg_proc what ALL ... IN SCHEMA names? */
static bool
is_among_all(ObjectType type, const HeapTuple tuple, Oid *oid)
{
	char		kind;

	if (type == OBJECT_TABLE || type == OBJECT_SEQUENCE)
	{
		kind = ((Form_pg_class) GETSTRUCT(tuple))->relkind;
		*oid = ((Form_pg_class) GETSTRUCT(tuple))->oid;
		return type == OBJECT_SEQUENCE ? kind == RELKIND_SEQUENCE :
			kind == RELKIND_RELATION || kind == RELKIND_VIEW || kind == RELKIND_MATVIEW ||
			kind == RELKIND_FOREIGN_TABLE || kind == RELKIND_PARTITIONED_TABLE;
	}
	kind = ((Form_pg_proc) GETSTRUCT(tuple))->prokind;
	*oid = ((Form_pg_proc) GETSTRUCT(tuple))->oid;
	return type == OBJECT_ROUTINE || (type == OBJECT_PROCEDURE) == (kind == PROKIND_PROCEDURE);
}

List *
zdm_all_in_schema(ObjectType type, Oid nspoid)
{
	bool		relations = type == OBJECT_TABLE || type == OBJECT_SEQUENCE;
	Oid			catalog = relations ? RelationRelationId : ProcedureRelationId;
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	List	   *result = NIL;

	catalog_scan_oid(&scan, catalog, InvalidOid, relations ? Anum_pg_class_relnamespace :
					 Anum_pg_proc_pronamespace, nspoid);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		ObjectAddress *object = palloc(sizeof(ObjectAddress));

		object->classId = catalog;
		object->objectSubId = 0;
		if (is_among_all(type, tuple, &object->objectId))
			result = lappend(result, object);
	}
	catalog_scan_end(&scan);
	return result;
}

/* One of the objects that the statement lists; false if it is of another kind */
static bool
undo_on_listed(Grant *grant, ZdmDdl *ddl, Node *node)
{
	const GrantStmt *stmt = grant->stmt;
	ObjectAddress object;
	ZdmRel	   *rel;
	ListCell   *lc;

	if (IsA(node, RangeVar))
	{
		rel = ddl_rel(ddl, (RangeVar *) node, true);
		if (rel != NULL && OidIsValid(rel->relid))
			undo_on_relation(grant, rel);
		return true;
	}
	if (!ddl_object(ddl, stmt->targtype == ACL_TARGET_ALL_IN_SCHEMA ? OBJECT_SCHEMA : stmt->objtype,
					node, true, &object))
		return true;
	if (stmt->targtype != ACL_TARGET_ALL_IN_SCHEMA)
		return undo_on_object(grant, &object);
	foreach(lc, zdm_all_in_schema(stmt->objtype, object.objectId))
	{
		ObjectAddress *one = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		rel = one->classId == RelationRelationId ? ddl_rel_by_oid(ddl, one->objectId) : NULL;
		if (rel != NULL)
			undo_on_relation(grant, rel);
		else if (one->classId != RelationRelationId)
			(void) undo_on_object(grant, one);
	}
	return true;
}

/* The roles (Oids); those that do not exist are the server's error. */
static List *
role_oids(List *roles)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, roles)
	{
		const RoleSpec *role = lfirst_node(RoleSpec, lc);
		Oid			roleid = role->roletype == ROLESPEC_PUBLIC ? ACL_ID_PUBLIC :
			get_rolespec_oid(role, true);

		if (role->roletype == ROLESPEC_PUBLIC || OidIsValid(roleid))
			result = lappend_oid(result, roleid);
	}
	return result;
}

void
zdm_undo_grant(const ZdmPolicy *policy, const ZdmDdl *ddl, const GrantStmt *stmt, ZdmUndo *undo)
{
	ZdmDdl		scratch = *ddl;
	Grant		grant = {stmt, policy, role_oids(stmt->grantees)};
	ListCell   *lc;

	if (!stmt->is_grant || stmt->targtype == ACL_TARGET_DEFAULTS)
		return;
	initStringInfo(&grant.undo);
	foreach(lc, stmt->objects)
	{
		if (stmt->objtype == OBJECT_PARAMETER_ACL || !undo_on_listed(&grant, &scratch, lfirst(lc)))
			undo->loss = "rights on that kind of object are not taken back";
	}
	if (grant.undo.len > 0)
		undo->sql = grant.undo.data;
}

/* Is one role a member of the other by itself? */
static bool
is_direct_member(Oid member, Oid role)
{
	CatCList   *members = SearchSysCacheList1(AUTHMEMROLEMEM, ObjectIdGetDatum(role));
	bool		result = false;

	for (int i = 0; i < members->n_members; i++)
	{
		HeapTuple	tuple = &members->members[i]->tuple;

		result |= ((Form_pg_auth_members) GETSTRUCT(tuple))->member == member;
	}
	ReleaseSysCacheList(members);
	return result;
}

void
zdm_undo_grant_role(const ZdmDdl *ddl, const GrantRoleStmt *stmt, ZdmUndo *undo)
{
	StringInfoData buf;
	ListCell   *lc;
	ListCell   *lc2;

	initStringInfo(&buf);
	foreach(lc, stmt->is_grant ? stmt->granted_roles : NIL)
	{
		Oid			role = get_role_oid(((AccessPriv *) lfirst(lc))->priv_name, true);

		foreach(lc2, role_oids(stmt->grantee_roles))
		{
			Oid			member = lfirst_oid(lc2);

			if (!OidIsValid(role) || !OidIsValid(member))
				continue;
			if (!is_direct_member(member, role))
				append_command(&buf, psprintf("REVOKE %s FROM %s", role_text(role), role_text(member)));
			else if (compat_grant_role_has_options(stmt))
				undo->loss = psprintf("role %s was a member of %s before, with other options",
									  role_text(member), role_text(role));
		}
	}
	if (buf.len > 0)
		undo->sql = buf.data;
}
