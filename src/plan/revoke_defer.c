/*-------------------------------------------------------------------------
 *
 * revoke_defer.c
 *	  REVOKE ... ON ALL ... IN SCHEMA that waits for the end of the window.
 *
 * It is meant for what is in the schema when it is sent.  What is made there
 * later in the window, by the new version, keeps its rights; what has gone to
 * another schema loses them; what is due for removal, or to leave, is as good
 * as gone.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "plan/drop_defer.h"
#include "plan/undo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* SELECT, UPDATE; none: ALL */
static char *
privileges_text(const GrantStmt *stmt)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, stmt->privileges)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "",
						 ((const AccessPriv *) lfirst(lc))->priv_name);
	return stmt->privileges == NIL ? "ALL" : buf.data;
}

static char *
role_text(const RoleSpec *role)
{
	switch (role->roletype)
	{
		case ROLESPEC_CSTRING:
			return unconstify(char *, quote_identifier(role->rolename));
		case ROLESPEC_PUBLIC:
			return "PUBLIC";
		case ROLESPEC_SESSION_USER:
			return unconstify(char *, quote_identifier(GetUserNameFromId(GetSessionUserId(), false)));
		default:
			return unconstify(char *, quote_identifier(GetUserNameFromId(GetUserId(), false)));
	}
}

/* FROM ..., and what comes after it */
static char *
rest_text(const GrantStmt *stmt)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, stmt->grantees)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "FROM ", role_text(lfirst(lc)));
	if (stmt->grantor != NULL)
		appendStringInfo(&buf, " GRANTED BY %s", role_text(stmt->grantor));
	if (stmt->behavior == DROP_CASCADE)
		appendStringInfoString(&buf, " CASCADE");
	return buf.data;
}

static void
revoke_on(ZdmDeferral *deferral, const GrantStmt *stmt, const ObjectAddress *object,
		  const char *note)
{
	ZdmDdl		scratch = *deferral->ddl;
	ZdmRel	   *rel = object->classId == RelationRelationId ?
		ddl_rel_by_oid(&scratch, object->objectId) : NULL;
	ZdmPart    *part;

	deferral->plan->rel = rel;
	part = zdm_defer_part(deferral, ZDM_PHASE_CONTRACT, "REVOKE %s%s ON %s %s %s",
						  stmt->grant_option ? "GRANT OPTION FOR " : "", privileges_text(stmt),
						  stmt->objtype == OBJECT_SEQUENCE ? "SEQUENCE" :
						  stmt->objtype == OBJECT_TABLE ? "TABLE" : "ROUTINE",
						  rel != NULL ? ddl_rel_qualified(rel) :
						  getObjectIdentity(object, false), rest_text(stmt));
	part->note = note;
}

/*
 * A view that stands for a relation under its new name: that relation is meant
 * if it comes from another schema, else it is there by its own name too.
 * False if there is nothing to revoke from.
 */
static bool
find_meant(const ZdmDeferral *deferral, ObjectAddress *object, const ObjectAddress *schema)
{
	Oid			table = object->classId == RelationRelationId ?
		deferral->policy->alias_of(object->objectId) : InvalidOid;

	if (OidIsValid(table))
	{
		object->objectId = table;
		return get_rel_namespace(table) != schema->objectId;
	}
	return !ddl_is_going(deferral->ddl, object) && !ddl_is_leaving(deferral->ddl, object, schema);
}

void
zdm_defer_revoke_in_schema(ZdmDeferral *deferral, const GrantStmt *stmt, const char *note)
{
	ZdmDdl		scratch = *deferral->ddl;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, stmt->objects)
	{
		ObjectAddress schema;

		if (!ddl_object(&scratch, OBJECT_SCHEMA, lfirst(lc), true, &schema))
			continue;
		foreach(lc2, zdm_all_in_schema(stmt->objtype, schema.objectId))
		{
			CHECK_FOR_INTERRUPTS();
			if (find_meant(deferral, lfirst(lc2), &schema))
				revoke_on(deferral, stmt, lfirst(lc2), note);
		}
	}
}
