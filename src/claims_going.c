/*-------------------------------------------------------------------------
 *
 * claims_going.c
 *	  What goes with what deferred steps drop: its names are taken until then,
 *	  and to the author of the migration it is gone as well.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "claims.h"
#include "plan/drop_defer.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* The relation, column or constraint that the claim says is dropped */
static ObjectAddress *
dropped_object(const ZdmClaim *claim)
{
	ObjectAddress *result = palloc0(sizeof(ObjectAddress));

	if (strcmp(claim->action, "drop") != 0 || !OidIsValid(claim->relid) ||
		!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(claim->relid)))
		return NULL;
	if (strcmp(claim->kind, "relation") == 0)
		ObjectAddressSet(*result, RelationRelationId, claim->relid);
	else if (strcmp(claim->kind, "column") == 0)
	{
		ObjectAddressSubSet(*result, RelationRelationId, claim->relid,
							get_attnum(claim->relid, claim->name));
		if (result->objectSubId == InvalidAttrNumber)
			return NULL;
	}
	else if (strcmp(claim->kind, "constraint") == 0)
		ObjectAddressSet(*result, ConstraintRelationId,
						 get_relation_constraint_oid(claim->relid, claim->name, true));
	return OidIsValid(result->objectId) ? result : NULL;
}

/* Has a step said so already?  Then it is that step which drops it. */
static bool
is_dropped(List *pending, const ZdmClaim *wanted)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, pending)
	{
		foreach(lc2, ((ZdmPending *) lfirst(lc))->claims)
		{
			const ZdmClaim *claim = lfirst(lc2);

			if (strcmp(claim->action, "drop") != 0 || strcmp(claim->kind, wanted->kind) != 0 ||
				claim->relid != wanted->relid)
				continue;
			if ((strcmp(claim->kind, "relation") == 0 && OidIsValid(claim->relid)) ||
				strcmp(claim->name, wanted->name) == 0)
				return true;
		}
	}
	return false;
}

/* Nobody names a default, or the table that holds long values. */
static bool
has_name(const ObjectAddress *object)
{
	return object->classId != AttrDefaultRelationId &&
		!(object->classId == RelationRelationId &&
		  get_rel_relkind(object->objectId) == RELKIND_TOASTVALUE);
}

static void
add_parts(ZdmPending *step, List *pending)
{
	ZdmXact		xact = {0};
	ZdmDdl		scratch = {.xact = &xact};
	ZdmPart		part = {0};
	List	   *targets = NIL;
	ListCell   *lc;

	foreach(lc, step->claims)
	{
		ObjectAddress *object = dropped_object(lfirst(lc));

		if (object != NULL)
			targets = lappend(targets, object);
	}
	foreach(lc, targets != NIL ? ddl_drop_parts(&scratch, targets) : NIL)
	{
		if (has_name(lfirst(lc)))
			zdm_defer_claim_drop(&part, lfirst(lc));
	}
	foreach(lc, part.claims)
	{
		if (!is_dropped(pending, lfirst(lc)))
			step->claims = lappend(step->claims, lfirst(lc));
	}
}

void
claims_add_parts(List *pending)
{
	ListCell   *lc;

	foreach(lc, pending)
	{
		if (!claims_renames(lfirst(lc)))
			add_parts(lfirst(lc), pending);
	}
}
