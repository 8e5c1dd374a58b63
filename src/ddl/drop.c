/*-------------------------------------------------------------------------
 *
 * drop.c
 *	  DROP of every kind of object.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_database.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_shdepend.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "ddl/catalog_scan.h"
#include "ddl/ddl.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/bitmapset.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

/* One object of a DROP statement. */
typedef struct DropTarget
{
	ObjectAddress address;
	ZdmRel	   *rel;			/* the relation, or whose part it is, or NULL */
	const char *description;
	Node	   *node;
} DropTarget;

static bool
is_relation_type(ObjectType type)
{
	switch (type)
	{
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_SEQUENCE:
		case OBJECT_FOREIGN_TABLE:
			return true;
		default:
			return false;
	}
}

static bool
is_relation_part_type(ObjectType type)
{
	switch (type)
	{
		case OBJECT_TRIGGER:
		case OBJECT_RULE:
		case OBJECT_POLICY:
			return true;
		default:
			return false;
	}
}

/* Is it a relation of the kind that the DROP says?  The server asks, too. */
static bool
is_of_kind(ObjectType type, char relkind)
{
	switch (type)
	{
		case OBJECT_TABLE:
			return relkind == RELKIND_RELATION || relkind == RELKIND_PARTITIONED_TABLE;
		case OBJECT_VIEW:
			return relkind == RELKIND_VIEW;
		case OBJECT_MATVIEW:
			return relkind == RELKIND_MATVIEW;
		case OBJECT_SEQUENCE:
			return relkind == RELKIND_SEQUENCE;
		default:
			return relkind == RELKIND_FOREIGN_TABLE;
	}
}

static const char *
kind_name(ObjectType type)
{
	switch (type)
	{
		case OBJECT_TABLE:
			return "a table";
		case OBJECT_VIEW:
			return "a view";
		case OBJECT_MATVIEW:
			return "a materialized view";
		case OBJECT_SEQUENCE:
			return "a sequence";
		default:
			return "a foreign table";
	}
}

/* Look an object up; NULL if it is not there, or only in the script. */
static DropTarget *
drop_target(ZdmDdl *ddl, const DropStmt *stmt, Node *object)
{
	DropTarget *target = palloc0(sizeof(DropTarget));

	target->node = object;
	if (is_relation_type(stmt->removeType))
	{
		target->rel = ddl_rel_by_names(ddl, (List *) object, stmt->missing_ok);
		if (target->rel == NULL || !OidIsValid(target->rel->relid))
			return NULL;
		if (!is_of_kind(stmt->removeType, target->rel->relkind))
		{
			ddl_undefined(ddl, "\"%s\" is not %s", target->rel->relname,
						  kind_name(stmt->removeType));
			return NULL;
		}
		ObjectAddressSet(target->address, RelationRelationId, target->rel->relid);
		target->description = ddl_rel_describe(target->rel);
		return target;
	}

	if (!ddl_object(ddl, stmt->removeType, object, stmt->missing_ok, &target->address))
		return NULL;
	target->description = ddl_object_describe(&target->address);
	if (is_relation_part_type(stmt->removeType))
		target->rel = ddl_object_rel(ddl, object, true);
	return target;
}

static bool
schema_is_empty(Oid nspoid)
{
	ObjectAddress object;
	ZdmCatalogScan scan;
	bool		result;

	ObjectAddressSet(object, NamespaceRelationId, nspoid);
	catalog_scan_depend(&scan, &object, true);
	result = !HeapTupleIsValid(catalog_scan_next(&scan));
	catalog_scan_end(&scan);
	return result;
}

/* Less than the rule says, but nothing to do before the end of a window */
static void
mitigate(ZdmHazard *hazard, ZdmSeverity cap)
{
	if (hazard == NULL)
		return;
	hazard->cap = cap;
	hazard->can_wait = true;
}

/* A trigger, rule or policy: it goes from a relation that stays. */
static void
drop_relation_part(ZdmDdl *ddl, const DropStmt *stmt, const DropTarget *target)
{
	ZdmHazard  *hazard;

	if (stmt->removeType == OBJECT_POLICY)
	{
		hazard = ddl_hazard(ddl, ZDM_RULE_SECURITY_CHANGE, target->rel, target->node, NULL,
							"dropping %s would change which rows clients see and may write",
							target->description);
		if (hazard != NULL && !ddl_rel_has_row_security(target->rel))
			mitigate(hazard, ZDM_SEVERITY_NOTE);
	}
	else
		hazard = ddl_hazard(ddl, ZDM_RULE_DROP_OBJECT_IN_USE, target->rel, target->node, NULL,
							"dropping %s would change what the writes of running clients do",
							target->description);
	if (hazard == NULL)
		return;
	hazard->name = strVal(llast((List *) target->node));
	hazard->subject = target->address;
}

/*
 * The hazard of one object.  also names what CASCADE takes with the objects
 * of the statement, or is NULL.
 */
static void
drop_hazard(ZdmDdl *ddl, const DropStmt *stmt, const DropTarget *target,
			const char *also)
{
	const char *what = target->description;
	ZdmHazard  *hazard;

	if (also != NULL)
		what = psprintf("%s and what depends on it (%s)", what, also);

	switch (stmt->removeType)
	{
		case OBJECT_TABLE:
		case OBJECT_FOREIGN_TABLE:
			(void) ddl_hazard(ddl, ZDM_RULE_DROP_TABLE, target->rel, target->node, NULL,
							  "dropping %s would break clients that still use %s", what,
							  also ? "them" : "it");
			break;
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_SEQUENCE:
			(void) ddl_hazard(ddl, ZDM_RULE_DROP_OBJECT_IN_USE, target->rel, target->node,
							  NULL, "dropping %s would break clients that still use %s",
							  what, also ? "them" : "it");
			break;
		case OBJECT_SCHEMA:
			if (schema_is_empty(target->address.objectId))
			{
				hazard = ddl_object_hazard(ddl, ZDM_RULE_DROP_SCHEMA_DATABASE, &target->address,
										   target->node,
										   "dropping %s would break clients that make something in it",
										   target->description);
				mitigate(hazard, ZDM_SEVERITY_NOTE);
				break;
			}
			(void) ddl_object_hazard(ddl, ZDM_RULE_DROP_SCHEMA_DATABASE, &target->address,
									 target->node,
									 "dropping %s%s would break clients that still use what is in it",
									 target->description,
									 also ? psprintf(" with all its objects (%s)", also) : "");
			break;
		case OBJECT_TRIGGER:
		case OBJECT_RULE:
		case OBJECT_POLICY:
			drop_relation_part(ddl, stmt, target);
			break;
		case OBJECT_EVENT_TRIGGER:
			break;				/* the migration's own DDL may need it gone */
		case OBJECT_STATISTIC_EXT:
			/* no statement of a client needs it */
			hazard = ddl_object_hazard(ddl, ZDM_RULE_DROP_OBJECT_IN_USE, &target->address,
									   target->node, "dropping %s would have clients do without it",
									   what);
			mitigate(hazard, ZDM_SEVERITY_NOTE);
			break;
		case OBJECT_EXTENSION:
			/* zdm's own drop is refused while a window is open, and only then */
			if (target->address.objectId == get_extension_oid("zdm", true))
				break;
			(void) ddl_object_hazard(ddl, ZDM_RULE_DROP_OBJECT_IN_USE, &target->address,
									 target->node,
									 "dropping %s would break clients that still use %s",
									 what, also ? "them" : "it");
			break;
		case OBJECT_PUBLICATION:
			hazard = ddl_object_hazard(ddl, ZDM_RULE_DROP_OBJECT_IN_USE, &target->address,
									   target->node,
									   "dropping %s would stop the subscribers that read it",
									   what);
			mitigate(hazard, ZDM_SEVERITY_WARN);
			break;
		default:
			(void) ddl_object_hazard(ddl, ZDM_RULE_DROP_OBJECT_IN_USE, &target->address,
									 target->node,
									 "dropping %s would break clients that still use %s",
									 what, also ? "them" : "it");
			break;
	}
}

/* The default of a column goes, with the sequence or function in it. */
static void
cascade_default(ZdmDdl *ddl, const ObjectAddress *address, Node *node)
{
	ObjectAddress column = GetAttrDefaultColumnAddress(address->objectId);
	ZdmRel	   *rel = NULL;
	ZdmCol	   *col;
	ZdmHazard  *hazard;

	if (OidIsValid(column.objectId))
		rel = ddl_rel_by_oid(ddl, column.objectId);
	if (rel == NULL)
		return;
	col = ddl_col(ddl, rel, ddl_attname(rel, column.objectSubId), true);
	if (col == NULL)
		return;
	hazard = ddl_hazard(ddl, col->not_null ? ZDM_RULE_DROP_DEFAULT_ON_REQUIRED_COLUMN :
						ZDM_RULE_CHANGE_COLUMN_DEFAULT, rel, node, col->name,
						"CASCADE would drop the default of column \"%s\" of %s",
						col->name, ddl_rel_describe(rel));
	if (hazard != NULL)
		hazard->rejects_writes = col->not_null;
}

/* A relation goes, or a column of one. */
static void
cascade_relation(ZdmDdl *ddl, const ObjectAddress *address, Node *node)
{
	ZdmRel	   *rel = ddl_rel_by_oid(ddl, address->objectId);

	if (rel == NULL)
		return;
	if (address->objectSubId != 0)
	{
		const char *column = ddl_attname(rel, address->objectSubId);

		(void) ddl_hazard(ddl, ZDM_RULE_DROP_COLUMN, rel, node, column,
						  "CASCADE would drop column \"%s\" of %s, which clients may still use",
						  column, ddl_rel_describe(rel));
	}
	else
		(void) ddl_hazard(ddl, rel->relkind == RELKIND_RELATION ||
						  rel->relkind == RELKIND_PARTITIONED_TABLE ||
						  rel->relkind == RELKIND_FOREIGN_TABLE ?
						  ZDM_RULE_DROP_TABLE : ZDM_RULE_DROP_OBJECT_IN_USE,
						  rel, node, NULL,
						  "CASCADE would drop %s, which clients may still use",
						  ddl_rel_describe(rel));
}

/*
 * An object that goes with another one has clients of its own: the object
 * that the statement names may be unknown to the old version, because the
 * window has made it, and this one may not.
 */
static void
cascade_hazard(ZdmDdl *ddl, const ObjectAddress *address, Node *node)
{
	ZdmRel	   *rel;
	ZdmHazard  *hazard;

	switch (address->classId)
	{
		case ConstraintRelationId:
			return;				/* forbids less: no statement begins to fail */
		case RelationRelationId:
			cascade_relation(ddl, address, node);
			return;
		case AttrDefaultRelationId:
			cascade_default(ddl, address, node);
			return;
	}

	rel = ddl_part_rel(ddl, address);
	if (rel != NULL)
	{
		hazard = ddl_hazard(ddl, address->classId == PolicyRelationId ?
							ZDM_RULE_SECURITY_CHANGE : ZDM_RULE_DROP_OBJECT_IN_USE,
							rel, node, NULL, "CASCADE would drop %s",
							ddl_object_describe(address));
		if (hazard != NULL)
			hazard->subject = *address;
	}
	else
		(void) ddl_object_hazard(ddl, ZDM_RULE_DROP_OBJECT_IN_USE, address, node,
								 "CASCADE would drop %s, which clients may still use",
								 ddl_object_describe(address));
}

/*
 * The same for all that CASCADE reaches.  What is in a schema goes with it:
 * of those the schema's own hazard tells.
 */
static void
cascade_hazards(ZdmDdl *ddl, List *addresses, List *schemas, Node *node)
{
	ListCell   *lc;

	foreach(lc, ddl_sort_objects(addresses))
	{
		const ObjectAddress *address = lfirst(lc);
		Oid			nspoid = ddl_object_namespace(address);

		if (!OidIsValid(nspoid) || !list_member_oid(schemas, nspoid))
			cascade_hazard(ddl, address, node);
	}
}

/* The hazards after the first ones are of what something that goes depends on. */
static void
await_going(ZdmDdl *ddl, int before)
{
	for (int i = before; ddl->awaits_going && i < list_length(ddl->hazards); i++)
		((ZdmHazard *) list_nth(ddl->hazards, i))->awaits_going = true;
	ddl->awaits_going = false;
}

/* DROP ... name, name */
void
ddl_drop(ZdmDdl *ddl, Node *node)
{
	DropStmt   *stmt = (DropStmt *) node;
	List	   *targets = NIL;
	List	   *addresses = NIL;
	List	   *schemas = NIL;
	const char *also = NULL;
	StringInfoData object;
	ListCell   *lc;

	if (stmt->removeType == OBJECT_INDEX)
	{
		ddl_drop_index(ddl, stmt);
		return;
	}

	initStringInfo(&object);
	foreach(lc, stmt->objects)
	{
		DropTarget *target = drop_target(ddl, stmt, lfirst(lc));

		if (target == NULL)
			continue;
		appendStringInfo(&object, "%s%s", object.len > 0 ? ", " : "", target->description);
		targets = lappend(targets, target);
		addresses = lappend(addresses, &target->address);
		if (stmt->removeType == OBJECT_SCHEMA)
			schemas = lappend_oid(schemas, target->address.objectId);
	}
	if (targets == NIL)
		return;
	ddl->object = object.data;

	addresses = ddl_drop_reach(ddl, addresses, stmt->behavior == DROP_CASCADE);
	if (addresses != NIL)
		also = ddl_list_objects(addresses);
	foreach(lc, targets)
	{
		DropTarget *target = lfirst(lc);
		int			before = list_length(ddl->hazards);

		drop_hazard(ddl, stmt, target, also);
		if (list_length(ddl->hazards) > before)
			also = NULL;		/* said once is enough */
		if (stmt->removeType == OBJECT_TABLE && !target->rel->is_exempt)
			ddl->dropped_tables = lappend(ddl->dropped_tables,
										  makeString(pstrdup(ddl_rel_qualified(target->rel))));
	}
	cascade_hazards(ddl, addresses, schemas, node);
	await_going(ddl, 0);
}

/* Does the same ALTER TABLE drop the constraint by name? */
static bool
is_dropped_by_name(const ZdmDdl *ddl, const char *constraint)
{
	ListCell   *lc;

	if (ddl->alter == NULL)
		return false;
	foreach(lc, ddl->alter->cmds)
	{
		AlterTableCmd *cmd = lfirst(lc);

		if (cmd->subtype == AT_DropConstraint && strcmp(cmd->name, constraint) == 0)
			return true;
	}
	return false;
}

/* Does the column set hold the column and another one besides? */
static bool
covers_more(Bitmapset *columns, AttrNumber attnum)
{
	return bms_is_member(attnum, columns) &&
		bms_membership(columns) == BMS_MULTIPLE;
}

static bool
is_going(const ZdmDdl *ddl, Oid classid, Oid objectid)
{
	ObjectAddress address;

	ObjectAddressSet(address, classid, objectid);
	return ddl_is_going(ddl, &address);
}

/*
 * Indexes and constraints that cover the column and others too: they go with
 * it, without a word and without CASCADE.  For people, or as the statements
 * that would drop them by name; NULL if there are none.
 */
char *
ddl_shared_parts(const ZdmDdl *ddl, ZdmRel *rel, AttrNumber attnum, bool as_sql)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, ddl_rel_constraints(rel))
	{
		ZdmConstraint *con = lfirst(lc);

		if (!covers_more(ddl_constraint_columns(con), attnum) ||
			is_dropped_by_name(ddl, con->name) ||
			is_going(ddl, ConstraintRelationId, con->oid))
			continue;
		if (as_sql)
			appendStringInfo(&buf, "ALTER TABLE %s DROP CONSTRAINT %s; ",
							 ddl_rel_qualified(rel), quote_identifier(con->name));
		else
			appendStringInfo(&buf, "%sconstraint \"%s\"", buf.len > 0 ? ", " : "", con->name);
	}
	foreach(lc, ddl_rel_indexes(rel))
	{
		ZdmIndex   *index = lfirst(lc);
		Bitmapset  *columns = bms_copy(index->expr_attnums);

		if (OidIsValid(index->constraint) ||
			is_going(ddl, RelationRelationId, index->indexoid))
			continue;
		for (int i = 0; i < index->natts; i++)
		{
			if (index->attnums[i] > 0)
				columns = bms_add_member(columns, index->attnums[i]);
		}
		if (!covers_more(columns, attnum))
			continue;
		if (as_sql)
			appendStringInfo(&buf, "DROP INDEX CONCURRENTLY %s; ",
							 quote_qualified_identifier(rel->nspname, index->name));
		else
			appendStringInfo(&buf, "%sindex \"%s\"", buf.len > 0 ? ", " : "", index->name);
	}
	return buf.len > 0 ? buf.data : NULL;
}

/* What goes with the column, in the table and in its children; notes locks. */
static List *
column_dependents(ZdmDdl *ddl, ZdmRel *rel, const char *column, bool cascade)
{
	List	   *targets = NIL;
	ListCell   *lc;

	foreach(lc, ddl_rel_tree(ddl, rel))
	{
		ZdmRel	   *member = lfirst(lc);
		AttrNumber	attnum = get_attnum(member->relid, column);
		ObjectAddress *address;

		if (attnum <= 0)
			continue;
		address = palloc(sizeof(ObjectAddress));
		ObjectAddressSubSet(*address, RelationRelationId, member->relid, attnum);
		targets = lappend(targets, address);
	}
	return ddl_drop_reach(ddl, targets, cascade);
}

/* ALTER TABLE ... DROP COLUMN */
void
ddl_drop_column(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	ZdmCol	   *col = ddl_col(ddl, rel, cmd->name, cmd->missing_ok);
	List	   *also = NIL;
	int			before = list_length(ddl->hazards);
	char	   *shared;

	/* the children are locked with ONLY too */
	ddl_lock_tree(ddl, rel, AccessExclusiveLock);
	if (col == NULL)
	{
		if (cmd->missing_ok)
			(void) ddl_lock_hazard(ddl, ZDM_RULE_NOOP_DDL_TAKES_LOCK, rel, (Node *) cmd, NULL,
								   "%s has no column \"%s\" to drop, but would be locked all the same",
								   ddl_rel_describe(rel), cmd->name);
		return;
	}
	if (rel->is_exempt || col->is_new)
		return;

	if (OidIsValid(rel->relid) && col->attnum > 0)
		also = column_dependents(ddl, rel, col->name, cmd->behavior == DROP_CASCADE);
	(void) ddl_hazard(ddl, ZDM_RULE_DROP_COLUMN, rel, (Node *) cmd, col->name,
					  "dropping column \"%s\" of %s%s would break clients that still use %s",
					  col->name, ddl_rel_describe(rel),
					  also ? psprintf(" and what depends on it (%s)", ddl_list_objects(also)) : "",
					  also ? "them" : "it");
	cascade_hazards(ddl, also, NIL, (Node *) cmd);
	await_going(ddl, before);

	shared = ddl_shared_parts(ddl, rel, col->attnum, false);
	if (shared != NULL)
		(void) ddl_hazard(ddl, ZDM_RULE_DROP_COLUMN_DROPS_INDEX, rel, (Node *) cmd, col->name,
						  "dropping column \"%s\" of %s would silently drop what covers other columns too: %s",
						  col->name, ddl_rel_describe(rel), shared);
}

/*
 * What a role owns, and what it has rights on, in this database.  A policy
 * that names the role loses it under a lock on its table.
 */
static void
role_objects(ZdmDdl *ddl, Oid roleid, List **owned, List **granted)
{
	ZdmCatalogScan scan;
	ScanKeyData key[2];
	HeapTuple	tuple;

	ScanKeyInit(&key[0], Anum_pg_shdepend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(AuthIdRelationId));
	ScanKeyInit(&key[1], Anum_pg_shdepend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(roleid));
	catalog_scan_keys(&scan, SharedDependRelationId, SharedDependReferenceIndexId, 2, key);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_shdepend form = (Form_pg_shdepend) GETSTRUCT(tuple);
		ObjectAddress *address;

		CHECK_FOR_INTERRUPTS();
		if (form->dbid != MyDatabaseId)
			continue;
		address = palloc(sizeof(ObjectAddress));
		ObjectAddressSubSet(*address, form->classid, form->objid, form->objsubid);
		if (form->deptype == SHARED_DEPENDENCY_OWNER)
			*owned = lappend(*owned, address);
		else
			*granted = lappend(*granted, address);
	}
	catalog_scan_end(&scan);
}

/* The objects of which other sessions may know. */
static List *
without_exempt(ZdmDdl *ddl, List *addresses)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, addresses)
	{
		ObjectAddress *address = lfirst(lc);
		ZdmRel	   *rel = NULL;

		if (address->classId == RelationRelationId)
			rel = ddl_rel_by_oid(ddl, address->objectId);
		if (rel != NULL ? !rel->is_exempt : !ddl_object_is_exempt(address))
			result = lappend(result, address);
	}
	return result;
}

/* The objects that roles own and have rights on in this database. */
void
ddl_role_objects(ZdmDdl *ddl, List *roles, List **owned, List **granted)
{
	ListCell   *lc;

	*owned = NIL;
	*granted = NIL;
	foreach(lc, roles)
	{
		RoleSpec   *role = lfirst(lc);
		Oid			roleid = ddl_role(ddl, role);

		if (OidIsValid(roleid))
			role_objects(ddl, roleid, owned, granted);
	}
	*owned = without_exempt(ddl, *owned);
	*granted = without_exempt(ddl, *granted);
}

/* DROP OWNED BY role, role */
void
ddl_drop_owned(ZdmDdl *ddl, Node *node)
{
	DropOwnedStmt *stmt = (DropOwnedStmt *) node;
	List	   *owned;
	List	   *granted;
	ListCell   *lc;

	ddl->object = ddl_role_names(stmt->roles);
	ddl_role_objects(ddl, stmt->roles, &owned, &granted);

	(void) ddl_drop_reach(ddl, owned, stmt->behavior == DROP_CASCADE);
	foreach(lc, granted)
	{
		ObjectAddress *address = lfirst(lc);

		if (address->classId == PolicyRelationId)
			(void) ddl_drop_reach(ddl, list_make1(address), false);
		else if (address->classId == RelationRelationId && COMPAT_GRANT_LOCKS_RELATION)
			ddl_lock(ddl, ddl_rel_by_oid(ddl, address->objectId), AccessShareLock);
	}

	if (owned != NIL)
		(void) ddl_hazard(ddl, ZDM_RULE_DROP_SCHEMA_DATABASE, NULL, node, NULL,
						  "dropping all that %s owns (%s) would break clients that still use it",
						  ddl->object, ddl_list_objects(owned));
	if (granted != NIL)
		(void) ddl_hazard(ddl, ZDM_RULE_SECURITY_CHANGE, NULL, node, NULL,
						  "clients of %s would lose their rights on %s", ddl->object,
						  ddl_list_objects(granted));
}

/* DROP DATABASE */
void
ddl_drop_database(ZdmDdl *ddl, Node *node)
{
	DropdbStmt *stmt = (DropdbStmt *) node;
	ObjectAddress address;
	ZdmHazard  *hazard;
	bool		force = false;
	ListCell   *lc;

	if (!ddl_object(ddl, OBJECT_DATABASE, (Node *) makeString(stmt->dbname),
					stmt->missing_ok, &address))
		return;
	ddl->object = ddl_object_describe(&address);
	hazard = ddl_object_hazard(ddl, ZDM_RULE_DROP_SCHEMA_DATABASE, &address, node,
							   "dropping %s would break all its clients", ddl->object);

	/* without FORCE the server itself refuses while a client is connected */
	foreach(lc, stmt->options)
		force |= strcmp(((DefElem *) lfirst(lc))->defname, "force") == 0;
	if (hazard != NULL && !force)
		hazard->cap = ZDM_SEVERITY_WARN;
}
