/*-------------------------------------------------------------------------
 *
 * drop_defer.c
 *	  DROP of every kind of object but indexes, at the end of the window.
 *
 * What has to go is named by its identity, so that another object which is
 * found first by then is safe.  What CASCADE takes along is told when the
 * statement is sent.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_proc.h"
#include "lib/stringinfo.h"
#include "plan/drop_defer.h"
#include "plan/undo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* DROP and this; NULL for what is no DropStmt */
static const char *
kind_words(ObjectType type)
{
	switch (type)
	{
		case OBJECT_ACCESS_METHOD:
			return "ACCESS METHOD";
		case OBJECT_AGGREGATE:
			return "AGGREGATE";
		case OBJECT_CAST:
			return "CAST";
		case OBJECT_COLLATION:
			return "COLLATION";
		case OBJECT_CONVERSION:
			return "CONVERSION";
		case OBJECT_DOMAIN:
			return "DOMAIN";
		case OBJECT_EVENT_TRIGGER:
			return "EVENT TRIGGER";
		case OBJECT_EXTENSION:
			return "EXTENSION";
		case OBJECT_FDW:
			return "FOREIGN DATA WRAPPER";
		case OBJECT_FOREIGN_SERVER:
			return "SERVER";
		case OBJECT_FOREIGN_TABLE:
			return "FOREIGN TABLE";
		case OBJECT_FUNCTION:
			return "FUNCTION";
		case OBJECT_LANGUAGE:
			return "LANGUAGE";
		case OBJECT_MATVIEW:
			return "MATERIALIZED VIEW";
		case OBJECT_OPCLASS:
			return "OPERATOR CLASS";
		case OBJECT_OPERATOR:
			return "OPERATOR";
		case OBJECT_OPFAMILY:
			return "OPERATOR FAMILY";
		case OBJECT_POLICY:
			return "POLICY";
		case OBJECT_PROCEDURE:
			return "PROCEDURE";
		case OBJECT_PUBLICATION:
			return "PUBLICATION";
		case OBJECT_ROUTINE:
			return "ROUTINE";
		case OBJECT_RULE:
			return "RULE";
		case OBJECT_SCHEMA:
			return "SCHEMA";
		case OBJECT_SEQUENCE:
			return "SEQUENCE";
		case OBJECT_STATISTIC_EXT:
			return "STATISTICS";
		case OBJECT_TABLE:
			return "TABLE";
		case OBJECT_TRANSFORM:
			return "TRANSFORM";
		case OBJECT_TRIGGER:
			return "TRIGGER";
		case OBJECT_TSCONFIGURATION:
			return "TEXT SEARCH CONFIGURATION";
		case OBJECT_TSDICTIONARY:
			return "TEXT SEARCH DICTIONARY";
		case OBJECT_TSPARSER:
			return "TEXT SEARCH PARSER";
		case OBJECT_TSTEMPLATE:
			return "TEXT SEARCH TEMPLATE";
		case OBJECT_TYPE:
			return "TYPE";
		case OBJECT_VIEW:
			return "VIEW";
		default:
			return NULL;
	}
}

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

/* The object as DROP names it: an aggregate without arguments has a star. */
static char *
identity_of(const ObjectAddress *address)
{
	char	   *identity = getObjectIdentity(address, false);
	size_t		length = strlen(identity);

	if (address->classId == ProcedureRelationId && length > 2 &&
		get_func_prokind(address->objectId) == PROKIND_AGGREGATE &&
		strcmp(identity + length - 2, "()") == 0)
		return psprintf("%.*s(*)", (int) length - 2, identity);
	return identity;
}

List *
zdm_defer_dependents(const ZdmDeferral *deferral, List *objects, bool cascade)
{
	ZdmDdl		scratch = *deferral->ddl;

	scratch.locks = NIL;		/* those of the statement have been noted */
	return cascade ? ddl_sort_objects(ddl_drop_reach(&scratch, objects, true)) : NIL;
}

void
zdm_defer_claim_drop(ZdmPart *part, const ObjectAddress *address)
{
	if (address->classId == RelationRelationId && address->objectSubId != 0)
		zdm_defer_claim(part, "drop", "column", NULL, address->objectId,
						get_attname(address->objectId, address->objectSubId, false));
	else if (address->classId == RelationRelationId)
		zdm_defer_claim(part, "drop", "relation",
						get_namespace_name(get_rel_namespace(address->objectId)),
						address->objectId, get_rel_name(address->objectId));
	else if (address->classId == ConstraintRelationId)
	{
		HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(address->objectId));
		Form_pg_constraint form;

		if (!HeapTupleIsValid(tuple))
			return;
		form = (Form_pg_constraint) GETSTRUCT(tuple);
		if (OidIsValid(form->conrelid))
			zdm_defer_claim(part, "drop", "constraint", NULL, form->conrelid,
							pstrdup(NameStr(form->conname)));
		ReleaseSysCache(tuple);
	}
	else
		zdm_defer_claim(part, "drop", getObjectTypeDescription(address, false), NULL,
						InvalidOid, getObjectIdentity(address, false));
}

char *
zdm_defer_cascade(ZdmPart *part, List *dependents)
{
	ListCell   *lc;

	foreach(lc, dependents)
		zdm_defer_claim_drop(part, lfirst(lc));
	return dependents != NIL ? ddl_list_objects(dependents) : NULL;
}

/* One of the objects of the statement, or NULL if it is not there */
static ObjectAddress *
find_object(ZdmDeferral *deferral, const DropStmt *stmt, Node *object)
{
	ZdmDdl		scratch = *deferral->ddl;
	ObjectAddress *address = palloc(sizeof(ObjectAddress));
	ZdmRel	   *rel;

	if (is_relation_type(stmt->removeType))
	{
		rel = ddl_rel_by_names(&scratch, (List *) object, true);
		if (rel == NULL || !OidIsValid(rel->relid))
			return NULL;
		zdm_plan_target(deferral->plan, rel);
		ObjectAddressSet(*address, RelationRelationId, rel->relid);
		return address;
	}
	if (!ddl_object(&scratch, stmt->removeType, object, true, address))
		return NULL;
	switch (stmt->removeType)
	{
		case OBJECT_TRIGGER:
		case OBJECT_RULE:
		case OBJECT_POLICY:
			zdm_plan_target(deferral->plan, ddl_object_rel(&scratch, object, true));
			break;
		default:
			break;
	}
	return address;
}

/* Is it one of the objects? */
static bool
is_listed(List *objects, Oid relid)
{
	ListCell   *lc;

	foreach(lc, objects)
	{
		const ObjectAddress *address = lfirst(lc);

		if (address->classId == RelationRelationId && address->objectId == relid)
			return true;
	}
	return false;
}

/* Does the foreign key forbid that a row which is referenced be deleted? */
static bool
forbids_delete(const ZdmConstraint *con)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(con->oid));
	Form_pg_constraint form;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	result = !OidIsValid(form->conparentid) && form->coninhcount == 0 &&
		(form->confdeltype == FKCONSTR_ACTION_NOACTION ||
		 form->confdeltype == FKCONSTR_ACTION_RESTRICT);
	ReleaseSysCache(tuple);
	return result;
}

/*
 * The new version does not know the table: that its rows reference others may
 * not keep it from deleting those.
 */
static void
free_referenced(ZdmDeferral *deferral, ZdmRel *rel, List *objects)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_constraints(rel))
	{
		const ZdmConstraint *con = lfirst(lc);
		const char *name = quote_identifier(con->name);
		ZdmPart    *part;

		if (con->contype != CONSTRAINT_FOREIGN || is_listed(objects, con->confrelid) ||
			!forbids_delete(con))
			continue;
		part = zdm_defer_part(deferral, ZDM_PHASE_EXPAND, "ALTER TABLE %s DROP CONSTRAINT %s",
							  ddl_rel_qualified(rel), name);
		part->undo_sql = psprintf("ALTER TABLE %s ADD CONSTRAINT %s %s", ddl_rel_qualified(rel),
								  name, zdm_constraint_definition(con->oid));
		part->note = psprintf("Clients that do not know %s any more can delete what its rows reference.",
							  ddl_rel_describe(rel));
	}
}

/* What there is of the statement's objects (ObjectAddress) */
static List *
find_objects(ZdmDeferral *deferral, const DropStmt *stmt)
{
	List	   *objects = NIL;
	ListCell   *lc;

	foreach(lc, stmt->objects)
	{
		ObjectAddress *address = find_object(deferral, stmt, lfirst(lc));

		if (address != NULL)
			objects = lappend(objects, address);
	}
	return objects;
}

bool
zdm_defer_drop(ZdmDeferral *deferral, const DropStmt *stmt)
{
	const char *kind = kind_words(stmt->removeType);
	bool		cascade = stmt->behavior == DROP_CASCADE;
	List	   *objects = find_objects(deferral, stmt);
	List	   *dependents;
	StringInfoData names;
	ZdmPart    *part;
	char	   *also;
	ListCell   *lc;

	if (kind == NULL || objects == NIL)
		return false;
	dependents = zdm_defer_dependents(deferral, objects, cascade);

	initStringInfo(&names);
	foreach(lc, objects)
	{
		const ObjectAddress *address = lfirst(lc);

		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", identity_of(address));
		if (stmt->removeType == OBJECT_TABLE)
		{
			ZdmDdl		scratch = *deferral->ddl;
			ZdmRel	   *rel = ddl_rel_by_oid(&scratch, address->objectId);

			if (rel != NULL)
				free_referenced(deferral, rel, objects);
		}
	}
	part = zdm_defer_part(deferral, ZDM_PHASE_CONTRACT, "DROP %s %s%s%s", kind,
						  stmt->missing_ok ? "IF EXISTS " : "", names.data,
						  cascade ? " CASCADE" : "");
	foreach(lc, objects)
		zdm_defer_claim_drop(part, lfirst(lc));
	also = zdm_defer_cascade(part, dependents);
	part->note = psprintf("Clients of the old version may go on using %s until then%s%s.",
						  list_length(objects) > 1 || also ? "them" : "it",
						  also ? "; CASCADE takes along " : "", also ? also : "");
	return true;
}
