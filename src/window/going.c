/*-------------------------------------------------------------------------
 *
 * going.c
 *	  Objects that deferred steps will drop: for what follows in the same
 *	  migration they are gone.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "window/claims.h"
#include "window/queue.h"

/* A step that renames something gives up one name and makes another. */
static bool
makes_anything(const ZdmPending *pending)
{
	ListCell   *lc;

	foreach(lc, pending->claims)
	{
		if (strcmp(((const ZdmClaim *) lfirst(lc))->action, "make") == 0)
			return true;
	}
	return false;
}

List *
queue_going(void)
{
	List	   *result = NIL;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, claims_pending())
	{
		const ZdmPending *pending = lfirst(lc);

		foreach(lc2, makes_anything(pending) ? NIL : pending->claims)
		{
			if (strcmp(((const ZdmClaim *) lfirst(lc2))->action, "drop") == 0)
				result = lappend(result, lfirst(lc2));
		}
	}
	return result;
}
