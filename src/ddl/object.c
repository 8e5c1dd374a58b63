/*-------------------------------------------------------------------------
 *
 * object.c
 *	  Objects that are no relations: finding them by name.
 *
 * The server's get_object_address() locks what it finds, and some of its
 * look-ups raise errors even when asked not to.  A check must neither wait
 * nor fail, so names are looked up here one kind at a time, after a test that
 * the schema is there and open to the user.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_conversion.h"
#include "catalog/pg_database.h"
#include "catalog/pg_event_trigger.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_language.h"
#include "catalog/pg_largeobject.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_subscription.h"
#include "catalog/pg_tablespace.h"
#include "catalog/pg_transform.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_ts_parser.h"
#include "catalog/pg_ts_template.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "commands/policy.h"
#include "commands/proclang.h"
#include "commands/tablespace.h"
#include "commands/trigger.h"
#include "ddl/ddl.h"
#include "ddl/script.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "parser/parse_oper.h"
#include "parser/parse_type.h"
#include "rewrite/rewriteSupport.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* Would a look-up of the name come to its end without an error? */
static bool
name_is_usable(List *names)
{
	int			len = list_length(names);
	char	   *database;
	Oid			nspoid;

	if (len < 1 || len > 3)
		return false;
	if (len == 1)
		return true;
	if (len == 3)
	{
		database = get_database_name(MyDatabaseId);
		if (database == NULL || strcmp(strVal(linitial(names)), database) != 0)
			return false;
	}
	nspoid = LookupNamespaceNoError(strVal(list_nth(names, len - 2)));
	return OidIsValid(nspoid) && compat_schema_is_open(nspoid);
}

/* As ddl_type(), but a missing type is not noted. */
static Oid
type_oid(ZdmDdl *ddl, Node *object)
{
	const TypeName *typname = (const TypeName *) object;
	const char *undefined = ddl->undefined;
	Oid			typid = InvalidOid;
	int32		typmod;

	/* "name%TYPE" ends with a column */
	if (typname->names != NIL &&
		!name_is_usable(typname->pct_type ?
						list_truncate(list_copy(typname->names),
									  list_length(typname->names) - 1) :
						typname->names))
		return InvalidOid;
	(void) ddl_type(ddl, typname, &typid, &typmod);
	ddl->undefined = undefined;
	return typid;
}

static bool
types_exist(ZdmDdl *ddl, List *types)
{
	ListCell   *lc;

	foreach(lc, types)
	{
		/* a missing operand of a prefix operator has no type */
		if (lfirst(lc) != NULL && !OidIsValid(type_oid(ddl, lfirst(lc))))
			return false;
	}
	return true;
}

/* A function, procedure or aggregate; InvalidOid too where several fit. */
static Oid
function_oid(ZdmDdl *ddl, ObjectType type, ObjectWithArgs *func)
{
	if (!name_is_usable(func->objname) || !types_exist(ddl, func->objargs))
		return InvalidOid;
	if (func->args_unspecified)
	{
		FuncCandidateList found = FuncnameGetCandidates(func->objname, -1, NIL,
														false, false, false, true);

		if (found != NULL && found->next != NULL)
			ddl_undefined(ddl, "function name \"%s\" is not unique",
						  NameListToString(func->objname));
		return found != NULL && found->next == NULL ? found->oid : InvalidOid;
	}
	return LookupFuncWithArgs(type, func, true);
}

static Oid
operator_oid(ZdmDdl *ddl, ObjectWithArgs *oper)
{
	if (!name_is_usable(oper->objname) || !types_exist(ddl, oper->objargs))
		return InvalidOid;
	return LookupOperWithArgs(oper, true);
}

/* The access method comes first in the names of operator classes and families. */
static Oid
operator_class_oid(ObjectType type, List *names)
{
	Oid			amoid = get_am_oid(strVal(linitial(names)), true);
	List	   *rest = list_copy_tail(names, 1);

	if (!OidIsValid(amoid) || !name_is_usable(rest))
		return InvalidOid;
	return type == OBJECT_OPCLASS ? get_opclass_oid(amoid, rest, true) :
		get_opfamily_oid(amoid, rest, true);
}

static Oid
pair_oid(ZdmDdl *ddl, ObjectType type, List *pair)
{
	Oid			first = type_oid(ddl, linitial(pair));
	Oid			second;

	if (type == OBJECT_CAST)
	{
		second = type_oid(ddl, lsecond(pair));
		return OidIsValid(first) && OidIsValid(second) ?
			get_cast_oid(first, second, true) : InvalidOid;
	}
	if (type == OBJECT_DOMCONSTRAINT)
		return OidIsValid(first) ?
			get_domain_constraint_oid(first, strVal(lsecond(pair)), true) : InvalidOid;

	/* OBJECT_TRANSFORM */
	second = get_language_oid(strVal(lsecond(pair)), true);
	return OidIsValid(first) && OidIsValid(second) ?
		get_transform_oid(first, second, true) : InvalidOid;
}

/* The relation that a trigger, rule, policy or constraint belongs to. */
ZdmRel *
ddl_object_rel(ZdmDdl *ddl, Node *object, bool missing_ok)
{
	List	   *names = (List *) object;

	return ddl_rel_by_names(ddl, list_truncate(list_copy(names), list_length(names) - 1),
							missing_ok);
}

/* The part of a relation; InvalidOid if there is none. */
Oid
ddl_rel_part_oid(ZdmRel *rel, ObjectType type, const char *name)
{
	if (rel == NULL || !OidIsValid(rel->relid))
		return InvalidOid;
	switch (type)
	{
		case OBJECT_RULE:
			return get_rewrite_oid(rel->relid, name, true);
		case OBJECT_TRIGGER:
			return get_trigger_oid(rel->relid, name, true);
		case OBJECT_POLICY:
			return get_relation_policy_oid(rel->relid, name, true);
		case OBJECT_TABCONSTRAINT:
			return get_relation_constraint_oid(rel->relid, name, true);
		default:
			return InvalidOid;
	}
}

/* Objects named by one string. */
static Oid
plain_name_oid(ObjectType type, const char *name, Oid *class)
{
	switch (type)
	{
		case OBJECT_ACCESS_METHOD:
			*class = AccessMethodRelationId;
			return get_am_oid(name, true);
		case OBJECT_DATABASE:
			*class = DatabaseRelationId;
			return get_database_oid(name, true);
		case OBJECT_EVENT_TRIGGER:
			*class = EventTriggerRelationId;
			return get_event_trigger_oid(name, true);
		case OBJECT_EXTENSION:
			*class = ExtensionRelationId;
			return get_extension_oid(name, true);
		case OBJECT_FDW:
			*class = ForeignDataWrapperRelationId;
			return get_foreign_data_wrapper_oid(name, true);
		case OBJECT_FOREIGN_SERVER:
			*class = ForeignServerRelationId;
			return get_foreign_server_oid(name, true);
		case OBJECT_LANGUAGE:
			*class = LanguageRelationId;
			return get_language_oid(name, true);
		case OBJECT_PUBLICATION:
			*class = PublicationRelationId;
			return get_publication_oid(name, true);
		case OBJECT_ROLE:
			*class = AuthIdRelationId;
			return get_role_oid(name, true);
		case OBJECT_SCHEMA:
			*class = NamespaceRelationId;
			return LookupNamespaceNoError(name);
		case OBJECT_SUBSCRIPTION:
			*class = SubscriptionRelationId;
			return get_subscription_oid(name, true);
		case OBJECT_TABLESPACE:
			*class = TableSpaceRelationId;
			return get_tablespace_oid(name, true);
		default:
			return InvalidOid;
	}
}

/* Objects with a qualified name and nothing else. */
static Oid
qualified_name_oid(ObjectType type, List *names, Oid *class)
{
	if (!name_is_usable(names))
		return InvalidOid;
	switch (type)
	{
		case OBJECT_COLLATION:
			*class = CollationRelationId;
			return get_collation_oid(names, true);
		case OBJECT_CONVERSION:
			*class = ConversionRelationId;
			return get_conversion_oid(names, true);
		case OBJECT_STATISTIC_EXT:
			*class = StatisticExtRelationId;
			return get_statistics_object_oid(names, true);
		case OBJECT_TSCONFIGURATION:
			*class = TSConfigRelationId;
			return get_ts_config_oid(names, true);
		case OBJECT_TSDICTIONARY:
			*class = TSDictionaryRelationId;
			return get_ts_dict_oid(names, true);
		case OBJECT_TSPARSER:
			*class = TSParserRelationId;
			return get_ts_parser_oid(names, true);
		case OBJECT_TSTEMPLATE:
			*class = TSTemplateRelationId;
			return get_ts_template_oid(names, true);
		default:
			return InvalidOid;
	}
}

static Oid
large_object_oid(Node *number)
{
	uint64		value = IsA(number, Integer) ? (uint64) intVal(number) :
		strtou64(castNode(Float, number)->fval, NULL, 10);

	return value <= PG_UINT32_MAX && LargeObjectExists((Oid) value) ? (Oid) value : InvalidOid;
}

static Oid
object_oid(ZdmDdl *ddl, ObjectType type, Node *object, Oid *class)
{
	switch (type)
	{
		case OBJECT_AGGREGATE:
		case OBJECT_FUNCTION:
		case OBJECT_PROCEDURE:
		case OBJECT_ROUTINE:
			*class = ProcedureRelationId;
			return function_oid(ddl, type, (ObjectWithArgs *) object);
		case OBJECT_OPERATOR:
			*class = OperatorRelationId;
			return operator_oid(ddl, (ObjectWithArgs *) object);
		case OBJECT_TYPE:
		case OBJECT_DOMAIN:
			*class = TypeRelationId;
			return IsA(object, List) ?
				type_oid(ddl, (Node *) makeTypeNameFromNameList((List *) object)) :
				type_oid(ddl, object);
		case OBJECT_CAST:
			*class = CastRelationId;
			return pair_oid(ddl, type, (List *) object);
		case OBJECT_TRANSFORM:
			*class = TransformRelationId;
			return pair_oid(ddl, type, (List *) object);
		case OBJECT_DOMCONSTRAINT:
			*class = ConstraintRelationId;
			return pair_oid(ddl, type, (List *) object);
		case OBJECT_OPCLASS:
			*class = OperatorClassRelationId;
			return operator_class_oid(type, (List *) object);
		case OBJECT_OPFAMILY:
			*class = OperatorFamilyRelationId;
			return operator_class_oid(type, (List *) object);
		case OBJECT_LARGEOBJECT:
			*class = LargeObjectRelationId;
			return large_object_oid(object);
		default:
			if (IsA(object, String))
				return plain_name_oid(type, strVal(object), class);
			return qualified_name_oid(type, (List *) object, class);
	}
}

/* The name of an object of a parse tree, for people. */
static char *
written_name(Node *object)
{
	if (IsA(object, String))
		return strVal(object);
	if (IsA(object, ObjectWithArgs))
		return NameListToString(((ObjectWithArgs *) object)->objname);
	if (IsA(object, TypeName))
		return TypeNameToString((TypeName *) object);
	if (IsA(object, List) && IsA(linitial((List *) object), String))
		return NameListToString((List *) object);
	if (IsA(object, List) && IsA(linitial((List *) object), TypeName))
	{
		const TypeName *first = linitial((List *) object);
		Node	   *second = llast((List *) object);

		if (IsA(second, TypeName))
			return psprintf("%s AS %s", TypeNameToString(first),
							TypeNameToString((TypeName *) second));
		return psprintf("%s.%s", TypeNameToString(first), strVal(second));
	}
	/* the number of a large object */
	return IsA(object, Integer) ? psprintf("%d", intVal(object)) :
		castNode(Float, object)->fval;
}

/* Has an earlier statement of the script made an object of that name? */
static bool
is_made_in_script(ZdmDdl *ddl, ObjectType type, Node *object)
{
	bool		is_volatile;
	const char *name;

	if (ddl->script == NULL)
		return false;
	switch (type)
	{
		case OBJECT_AGGREGATE:
		case OBJECT_FUNCTION:
		case OBJECT_PROCEDURE:
		case OBJECT_ROUTINE:
			name = strVal(llast(((ObjectWithArgs *) object)->objname));
			return ddl_script_has_function(ddl->script, name, &is_volatile);
		case OBJECT_TYPE:
		case OBJECT_DOMAIN:
			name = strVal(llast(IsA(object, List) ? (List *) object :
								((TypeName *) object)->names));
			return ddl_script_has_type(ddl->script, NULL, name);
		case OBJECT_SCHEMA:
			return ddl_script_has_schema(ddl->script, strVal(object));
		case OBJECT_OPERATOR:
			name = strVal(llast(((ObjectWithArgs *) object)->objname));
			return ddl_script_has_object(ddl->script, name);
		case OBJECT_CAST:
		case OBJECT_TRANSFORM:
			return ddl_script_has_object(ddl->script, "");
		default:
			if (IsA(object, String))
				return ddl_script_has_object(ddl->script, strVal(object));
			if (IsA(object, List) && IsA(llast((List *) object), String))
				return ddl_script_has_object(ddl->script, strVal(llast((List *) object)));
			return false;
	}
}

/* What a kind of object is called in a message. */
static const char *
kind_name(ObjectType type)
{
	switch (type)
	{
		case OBJECT_ACCESS_METHOD:
			return "access method";
		case OBJECT_AGGREGATE:
			return "aggregate";
		case OBJECT_CAST:
			return "cast";
		case OBJECT_COLLATION:
			return "collation";
		case OBJECT_CONVERSION:
			return "conversion";
		case OBJECT_DATABASE:
			return "database";
		case OBJECT_DOMAIN:
			return "domain";
		case OBJECT_EVENT_TRIGGER:
			return "event trigger";
		case OBJECT_EXTENSION:
			return "extension";
		case OBJECT_FDW:
			return "foreign-data wrapper";
		case OBJECT_FOREIGN_SERVER:
			return "server";
		case OBJECT_FUNCTION:
			return "function";
		case OBJECT_LANGUAGE:
			return "language";
		case OBJECT_LARGEOBJECT:
			return "large object";
		case OBJECT_OPCLASS:
			return "operator class";
		case OBJECT_OPERATOR:
			return "operator";
		case OBJECT_OPFAMILY:
			return "operator family";
		case OBJECT_POLICY:
			return "policy";
		case OBJECT_PROCEDURE:
			return "procedure";
		case OBJECT_PUBLICATION:
			return "publication";
		case OBJECT_ROLE:
			return "role";
		case OBJECT_ROUTINE:
			return "routine";
		case OBJECT_RULE:
			return "rule";
		case OBJECT_SCHEMA:
			return "schema";
		case OBJECT_STATISTIC_EXT:
			return "statistics object";
		case OBJECT_SUBSCRIPTION:
			return "subscription";
		case OBJECT_DOMCONSTRAINT:
		case OBJECT_TABCONSTRAINT:
			return "constraint";
		case OBJECT_TABLESPACE:
			return "tablespace";
		case OBJECT_TRANSFORM:
			return "transform";
		case OBJECT_TRIGGER:
			return "trigger";
		case OBJECT_TSCONFIGURATION:
			return "text search configuration";
		case OBJECT_TSDICTIONARY:
			return "text search dictionary";
		case OBJECT_TSPARSER:
			return "text search parser";
		case OBJECT_TSTEMPLATE:
			return "text search template";
		case OBJECT_TYPE:
			return "type";
		default:
			return "object";
	}
}

/*
 * Look up an object that is no relation, in the form in which DropStmt and
 * others have it.  False if there is none, noted unless missing_ok or an
 * earlier statement of the script made it.
 */
bool
ddl_object(ZdmDdl *ddl, ObjectType type, Node *object, bool missing_ok,
		   ObjectAddress *address)
{
	ZdmRel	   *rel = NULL;

	*address = InvalidObjectAddress;
	switch (type)
	{
		case OBJECT_RULE:
		case OBJECT_TRIGGER:
		case OBJECT_POLICY:
		case OBJECT_TABCONSTRAINT:
			rel = ddl_object_rel(ddl, object, missing_ok);
			if (rel == NULL || !OidIsValid(rel->relid))
				return false;
			address->classId = type == OBJECT_RULE ? RewriteRelationId :
				type == OBJECT_TRIGGER ? TriggerRelationId :
				type == OBJECT_POLICY ? PolicyRelationId : ConstraintRelationId;
			address->objectId = ddl_rel_part_oid(rel, type, strVal(llast((List *) object)));
			break;
		default:
			address->objectId = object_oid(ddl, type, object, &address->classId);
			break;
	}
	if (OidIsValid(address->objectId))
		return true;
	if (missing_ok || is_made_in_script(ddl, type, object))
		return false;
	if (rel != NULL)
		ddl_undefined(ddl, "%s \"%s\" for relation \"%s\" does not exist", kind_name(type),
					  strVal(llast((List *) object)), rel->relname);
	else
		ddl_undefined(ddl, "%s \"%s\" does not exist", kind_name(type),
					  written_name(object));
	return false;
}

/*
 * The row of the object in its catalog; NULL if it was dropped just now.  The
 * caller has opened the catalog.
 */
static HeapTuple
catalog_row(Relation catalog, const ObjectAddress *address)
{
	return get_catalog_object_by_oid(catalog, get_object_attnum_oid(address->classId),
									 address->objectId);
}

static Oid
row_namespace(Relation catalog, HeapTuple row)
{
	AttrNumber	attnum = get_object_attnum_namespace(RelationGetRelid(catalog));
	bool		isnull;

	if (attnum == InvalidAttrNumber)
		return InvalidOid;
	return DatumGetObjectId(heap_getattr(row, attnum, RelationGetDescr(catalog), &isnull));
}

/* The schema of the object, InvalidOid if it has none or is gone. */
Oid
ddl_object_namespace(const ObjectAddress *address)
{
	Relation	catalog;
	HeapTuple	row;
	Oid			result = InvalidOid;

	if (!is_objectclass_supported(address->classId))
		return InvalidOid;
	catalog = table_open(address->classId, AccessShareLock);
	row = catalog_row(catalog, address);
	if (HeapTupleIsValid(row))
		result = row_namespace(catalog, row);
	table_close(catalog, AccessShareLock);
	return result;
}

/* Was the row inserted, not merely changed, by this transaction? */
static bool
is_made_here(HeapTuple row)
{
	return TransactionIdIsValid(GetTopTransactionIdIfAny()) &&
		!(row->t_data->t_infomask & HEAP_UPDATED) &&
		TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(row->t_data));
}

/*
 * Can no other session use the object: is it temporary, or made by this
 * transaction?
 */
bool
ddl_object_is_exempt(const ObjectAddress *address)
{
	Relation	catalog;
	HeapTuple	row;
	bool		result = false;

	if (!is_objectclass_supported(address->classId))
		return false;
	catalog = table_open(address->classId, AccessShareLock);
	row = catalog_row(catalog, address);
	if (HeapTupleIsValid(row))
		result = isTempNamespace(row_namespace(catalog, row)) || is_made_here(row);
	table_close(catalog, AccessShareLock);
	return result;
}

/* The kind and quoted name of an object: function public.f(integer) */
char *
ddl_object_describe(const ObjectAddress *address)
{
	char	   *kind = getObjectTypeDescription(address, true);
	char	   *identity = getObjectIdentity(address, true);

	if (kind == NULL || identity == NULL)
		return pstrdup("an object that was dropped just now");
	return psprintf("%s %s", kind, identity);
}

/*
 * Add a hazard of an object that is no relation; void, and NULL, if no other
 * session can use the object.
 */
ZdmHazard *
ddl_object_hazard(ZdmDdl *ddl, ZdmRuleId rule, const ObjectAddress *address,
				  Node *node, const char *fmt,...)
{
	ZdmHazard  *hazard;
	char	   *message;
	va_list		args;
	size_t		size = 256;

	if (ddl_object_is_exempt(address))
		return NULL;
	for (;;)
	{
		size_t		needed;

		message = palloc(size);
		va_start(args, fmt);
		needed = pvsnprintf(message, size, fmt, args);
		va_end(args);
		if (needed < size)
			break;
		pfree(message);
		size = needed;
	}
	hazard = ddl_hazard(ddl, rule, NULL, node, NULL, "%s", message);
	hazard->object = ddl_object_describe(address);
	hazard->subject = *address;
	return hazard;
}

/* The OID of a role, also CURRENT_USER and its like; a missing one is noted. */
Oid
ddl_role(ZdmDdl *ddl, const RoleSpec *role)
{
	Oid			roleid;

	if (role->roletype == ROLESPEC_PUBLIC)
		return ACL_ID_PUBLIC;
	roleid = get_rolespec_oid(role, true);
	if (!OidIsValid(roleid) &&
		!(ddl->script != NULL && ddl_script_has_object(ddl->script, role->rolename)))
		ddl_undefined(ddl, "role \"%s\" does not exist", role->rolename);
	return roleid;
}

/* role "a", role "b" */
char *
ddl_role_names(List *roles)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, roles)
	{
		const RoleSpec *role = lfirst(lc);

		if (buf.len > 0)
			appendStringInfoString(&buf, ", ");
		switch (role->roletype)
		{
			case ROLESPEC_CSTRING:
				appendStringInfo(&buf, "role \"%s\"", role->rolename);
				break;
			case ROLESPEC_PUBLIC:
				appendStringInfoString(&buf, "PUBLIC");
				break;
			case ROLESPEC_SESSION_USER:
				appendStringInfo(&buf, "role \"%s\"",
								 GetUserNameFromId(GetSessionUserId(), true));
				break;
			default:
				appendStringInfo(&buf, "role \"%s\"", GetUserNameFromId(GetUserId(), true));
				break;
		}
	}
	return buf.data;
}
