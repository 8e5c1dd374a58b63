/*-------------------------------------------------------------------------
 *
 * rename.c
 *	  ALTER ... RENAME and ALTER ... SET SCHEMA of every kind of object.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "ddl/catalog_scan.h"
#include "ddl/ddl.h"
#include "ddl/script.h"
#include "nodes/makefuncs.h"
#include "utils/lsyscache.h"

/* Do statements of clients name a constraint of the kind?  ON CONFLICT does. */
static bool
is_named_by_clients(char contype)
{
	return contype == CONSTRAINT_PRIMARY || contype == CONSTRAINT_UNIQUE ||
		contype == CONSTRAINT_EXCLUSION;
}

static void
rename_constraint_hazard(ZdmDdl *ddl, RenameStmt *stmt, ZdmRel *rel,
						 const ZdmConstraint *con)
{
	ZdmHazard  *hazard;

	hazard = ddl_hazard(ddl, ZDM_RULE_RENAME_OBJECT, rel, (Node *) stmt, NULL,
						"renaming constraint \"%s\" of %s would break clients that name it",
						con->name, ddl_rel_describe(rel));
	if (hazard == NULL)
		return;
	hazard->name = con->name;
	ObjectAddressSet(hazard->subject, ConstraintRelationId, con->oid);
	if (!is_named_by_clients(con->contype))
		hazard->cap = ZDM_SEVERITY_NOTE;
}

/* ALTER TABLE ... RENAME CONSTRAINT */
static void
rename_constraint(ZdmDdl *ddl, RenameStmt *stmt)
{
	ZdmRel	   *rel = ddl_rel(ddl, stmt->relation, stmt->missing_ok);
	ZdmConstraint *con;

	if (rel == NULL)
		return;
	ddl->object = ddl_rel_describe(rel);
	ddl_lock(ddl, rel, AccessExclusiveLock);
	if (!OidIsValid(rel->relid))
		return;
	con = ddl_constraint(rel, stmt->subname);
	if (con == NULL)
	{
		if (rel->script == NULL)
			ddl_undefined(ddl, "constraint \"%s\" of relation \"%s\" does not exist",
						  stmt->subname, rel->relname);
		return;
	}
	/* children have their own copies of these */
	if (stmt->relation->inh && (con->contype == CONSTRAINT_CHECK ||
								con->contype == CONSTRAINT_NOTNULL))
		ddl_lock_tree(ddl, rel, AccessExclusiveLock);
	rename_constraint_hazard(ddl, stmt, rel, con);
}

/*
 * An index takes a weaker lock with ALTER INDEX.  Nobody names one, unless it
 * is a constraint too, which then gets the new name.
 */
static void
rename_index(ZdmDdl *ddl, RenameStmt *stmt, ZdmRel *index)
{
	ZdmRel	   *table = ddl_index_table(ddl, index);
	ListCell   *lc;

	ddl_lock(ddl, index, stmt->renameType == OBJECT_INDEX ? ShareUpdateExclusiveLock :
			 AccessExclusiveLock);
	if (table == NULL)
		return;
	foreach(lc, ddl_rel_constraints(table))
	{
		ZdmConstraint *con = lfirst(lc);

		if (con->conindid == index->relid && con->contype != CONSTRAINT_FOREIGN)
			rename_constraint_hazard(ddl, stmt, table, con);
	}
}

/* ALTER TABLE, VIEW, SEQUENCE, INDEX ... RENAME TO */
static void
rename_relation(ZdmDdl *ddl, RenameStmt *stmt)
{
	ZdmRel	   *rel = ddl_rel(ddl, stmt->relation, stmt->missing_ok);
	ZdmRuleId	rule;

	if (rel == NULL)
		return;
	ddl->object = ddl_rel_describe(rel);
	if (rel->relkind == RELKIND_INDEX || rel->relkind == RELKIND_PARTITIONED_INDEX)
	{
		rename_index(ddl, stmt, rel);
		return;
	}

	ddl_lock(ddl, rel, AccessExclusiveLock);
	rule = rel->relkind == RELKIND_SEQUENCE ? ZDM_RULE_RENAME_OBJECT : ZDM_RULE_RENAME_TABLE;
	(void) ddl_hazard(ddl, rule, rel, (Node *) stmt, NULL,
					  "renaming %s to \"%s\" would break clients that still use the old name",
					  ddl_rel_describe(rel), stmt->newname);
}

/* The tables that were made OF a composite type. */
List *
ddl_typed_tables(ZdmDdl *ddl, ZdmRel *composite)
{
	Oid			typid = OidIsValid(composite->relid) ? get_rel_type_id(composite->relid) : InvalidOid;
	List	   *result = NIL;
	ObjectAddress object;
	ZdmCatalogScan scan;
	HeapTuple	tuple;

	if (!OidIsValid(typid))
		return NIL;
	ObjectAddressSet(object, TypeRelationId, typid);
	catalog_scan_depend(&scan, &object, true);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		ZdmRel	   *rel;

		/* a column of the type has a number, the table of the type has not */
		if (form->classid != RelationRelationId || form->objsubid != 0 ||
			form->deptype != DEPENDENCY_NORMAL)
			continue;
		rel = ddl_rel_by_oid(ddl, form->objid);
		if (rel != NULL)
			result = lappend(result, rel);
	}
	catalog_scan_end(&scan);
	return result;
}

static void
rename_column_hazard(ZdmDdl *ddl, RenameStmt *stmt, ZdmRel *rel)
{
	ZdmCol	   *col = ddl_col(ddl, rel, stmt->subname, false);

	if (col == NULL || col->is_new || rel->relkind == RELKIND_INDEX)
		return;
	(void) ddl_hazard(ddl, ZDM_RULE_RENAME_COLUMN, rel, (Node *) stmt, stmt->subname,
					  "renaming column \"%s\" of %s to \"%s\" would break clients that still use the old name",
					  stmt->subname, ddl_rel_describe(rel), stmt->newname);
}

/* ALTER TABLE, VIEW, TYPE ... RENAME COLUMN, ATTRIBUTE */
static void
rename_column(ZdmDdl *ddl, RenameStmt *stmt)
{
	ZdmRel	   *rel = ddl_rel(ddl, stmt->relation, stmt->missing_ok);
	ListCell   *lc;

	if (rel == NULL)
		return;
	ddl->object = ddl_rel_describe(rel);
	if (stmt->relation->inh)
		ddl_lock_tree(ddl, rel, AccessExclusiveLock);
	else
		ddl_lock(ddl, rel, AccessExclusiveLock);

	rename_column_hazard(ddl, stmt, rel);
	if (rel->relkind != RELKIND_COMPOSITE_TYPE || stmt->behavior != DROP_CASCADE)
		return;
	foreach(lc, ddl_typed_tables(ddl, rel))
	{
		ddl_lock_tree(ddl, lfirst(lc), AccessExclusiveLock);
		rename_column_hazard(ddl, stmt, lfirst(lc));
	}
}

/* A trigger, rule or policy: nobody names it, but its table is locked. */
static void
rename_relation_part(ZdmDdl *ddl, RenameStmt *stmt)
{
	ZdmRel	   *rel = ddl_rel(ddl, stmt->relation, stmt->missing_ok);
	ObjectAddress address;
	List	   *names;

	if (rel == NULL)
		return;
	ddl->object = ddl_rel_describe(rel);
	names = list_make3(makeString(pstrdup(rel->nspname)), makeString(pstrdup(rel->relname)),
					   makeString(stmt->subname));
	if (OidIsValid(rel->relid) &&
		!ddl_object(ddl, stmt->renameType, (Node *) names, false, &address))
		return;

	/* a trigger has a clone on each partition */
	if (stmt->renameType == OBJECT_TRIGGER && rel->relkind == RELKIND_PARTITIONED_TABLE)
		ddl_lock_tree(ddl, rel, AccessExclusiveLock);
	else
		ddl_lock(ddl, rel, AccessExclusiveLock);
	(void) ddl_lock_hazard(ddl, ZDM_RULE_OTHER_ACCESS_EXCLUSIVE, rel, (Node *) stmt, NULL,
						   "renaming \"%s\" of %s would block its reads for a moment",
						   stmt->subname, ddl_rel_describe(rel));
}

/* Objects named by a string in subname: databases, roles, schemas. */
static void
rename_plain(ZdmDdl *ddl, RenameStmt *stmt)
{
	ObjectAddress address;
	ZdmHazard  *hazard;

	if (!ddl_object(ddl, stmt->renameType, (Node *) makeString(stmt->subname),
					stmt->missing_ok, &address))
		return;
	ddl->object = ddl_object_describe(&address);
	hazard = ddl_object_hazard(ddl, stmt->renameType == OBJECT_SCHEMA ?
							   ZDM_RULE_RENAME_SCHEMA : ZDM_RULE_RENAME_OBJECT,
							   &address, (Node *) stmt,
							   "renaming %s to \"%s\" would break clients that still use the old name",
							   ddl->object, stmt->newname);
	if (hazard != NULL)
		hazard->name = stmt->subname;
}

/* Do statements of clients name objects of the kind? */
static bool
is_named_kind(ObjectType type)
{
	switch (type)
	{
		case OBJECT_AGGREGATE:
		case OBJECT_COLLATION:
		case OBJECT_DOMAIN:
		case OBJECT_FOREIGN_SERVER:
		case OBJECT_FUNCTION:
		case OBJECT_LANGUAGE:
		case OBJECT_OPERATOR:
		case OBJECT_PROCEDURE:
		case OBJECT_PUBLICATION:
		case OBJECT_ROUTINE:
		case OBJECT_TSCONFIGURATION:
		case OBJECT_TSDICTIONARY:
		case OBJECT_TYPE:
			return true;
		default:
			return false;		/* only other DDL names them */
	}
}

/* Functions, types and what else is given as an object. */
static void
rename_object(ZdmDdl *ddl, RenameStmt *stmt)
{
	ObjectAddress address;
	ZdmHazard  *hazard;

	if (!ddl_object(ddl, stmt->renameType, stmt->object, stmt->missing_ok, &address))
		return;
	ddl->object = ddl_object_describe(&address);
	if (address.classId == TypeRelationId)
	{
		Oid			relid = get_typ_typrelid(address.objectId);

		if (OidIsValid(relid))	/* a composite type is a relation too */
			ddl_lock(ddl, ddl_rel_by_oid(ddl, relid), AccessExclusiveLock);
	}
	if (!is_named_kind(stmt->renameType))
		return;
	hazard = ddl_object_hazard(ddl, ZDM_RULE_RENAME_OBJECT, &address, (Node *) stmt,
							   "renaming %s to \"%s\" would break clients that still use the old name",
							   ddl->object, stmt->newname);
	/* the subscribers of a publication can be told of the new name */
	if (hazard != NULL && stmt->renameType == OBJECT_PUBLICATION)
		hazard->cap = ZDM_SEVERITY_WARN;
}

void
ddl_rename(ZdmDdl *ddl, Node *node)
{
	RenameStmt *stmt = (RenameStmt *) node;
	ObjectAddress address;

	switch (stmt->renameType)
	{
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_SEQUENCE:
		case OBJECT_INDEX:
		case OBJECT_FOREIGN_TABLE:
			rename_relation(ddl, stmt);
			break;
		case OBJECT_COLUMN:
		case OBJECT_ATTRIBUTE:
			rename_column(ddl, stmt);
			break;
		case OBJECT_TABCONSTRAINT:
			rename_constraint(ddl, stmt);
			break;
		case OBJECT_DOMCONSTRAINT:
			/* no statement names it, no relation is locked */
			(void) ddl_object(ddl, OBJECT_DOMCONSTRAINT,
							  (Node *) list_make2(makeTypeNameFromNameList((List *) stmt->object),
												  makeString(stmt->subname)),
							  stmt->missing_ok, &address);
			break;
		case OBJECT_RULE:
		case OBJECT_TRIGGER:
		case OBJECT_POLICY:
			rename_relation_part(ddl, stmt);
			break;
		case OBJECT_DATABASE:
		case OBJECT_ROLE:
		case OBJECT_SCHEMA:
			rename_plain(ddl, stmt);
			break;
		case OBJECT_TABLESPACE:
			(void) ddl_object(ddl, OBJECT_TABLESPACE, (Node *) makeString(stmt->subname),
							  stmt->missing_ok, &address);
			break;
		default:
			rename_object(ddl, stmt);
			break;
	}
}

/* Note a schema that is not there, neither here nor in the script. */
static void
check_schema_exists(ZdmDdl *ddl, const char *nspname)
{
	if (!OidIsValid(LookupNamespaceNoError(nspname)) &&
		!(ddl->script != NULL && ddl_script_has_schema(ddl->script, nspname)))
		ddl_undefined(ddl, "schema \"%s\" does not exist", nspname);
}

static void
set_relation_schema(ZdmDdl *ddl, AlterObjectSchemaStmt *stmt)
{
	ZdmRel	   *rel = ddl_rel(ddl, stmt->relation, stmt->missing_ok);

	if (rel == NULL)
		return;
	ddl->object = ddl_rel_describe(rel);
	ddl_lock(ddl, rel, AccessExclusiveLock);
	check_schema_exists(ddl, stmt->newschema);
	if (!OidIsValid(rel->relid) || strcmp(rel->nspname, stmt->newschema) == 0)
		return;
	ddl_lock_owned_sequences(ddl, rel);
	(void) ddl_hazard(ddl, ZDM_RULE_RENAME_SCHEMA, rel, (Node *) stmt, NULL,
					  "moving %s to schema \"%s\" would break clients that still use the old name",
					  ddl_rel_describe(rel), stmt->newschema);
}

/* Relations that are members of an extension move with it. */
static void
lock_extension_members(ZdmDdl *ddl, Oid extension)
{
	ObjectAddress object;
	ZdmCatalogScan scan;
	HeapTuple	tuple;

	ObjectAddressSet(object, ExtensionRelationId, extension);
	catalog_scan_depend(&scan, &object, true);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		if (form->classid == RelationRelationId && form->deptype == DEPENDENCY_EXTENSION)
			ddl_lock(ddl, ddl_rel_by_oid(ddl, form->objid), AccessExclusiveLock);
	}
	catalog_scan_end(&scan);
}

/* ALTER ... SET SCHEMA */
void
ddl_set_schema(ZdmDdl *ddl, Node *node)
{
	AlterObjectSchemaStmt *stmt = (AlterObjectSchemaStmt *) node;
	ObjectAddress address;
	Oid			namespace;

	if (stmt->relation != NULL)
	{
		set_relation_schema(ddl, stmt);
		return;
	}
	if (!ddl_object(ddl, stmt->objectType, stmt->object, stmt->missing_ok, &address))
		return;
	ddl->object = ddl_object_describe(&address);
	check_schema_exists(ddl, stmt->newschema);
	if (stmt->objectType == OBJECT_EXTENSION)
		lock_extension_members(ddl, address.objectId);
	else
	{
		namespace = ddl_object_namespace(&address);
		if (OidIsValid(namespace) &&
			namespace == get_namespace_oid(stmt->newschema, true))
			return;
		if (!is_named_kind(stmt->objectType))
			return;
	}
	(void) ddl_object_hazard(ddl, ZDM_RULE_RENAME_SCHEMA, &address, node,
							 "moving %s to schema \"%s\" would break clients that still use the old name",
							 ddl->object, stmt->newschema);
}
