/*-------------------------------------------------------------------------
 *
 * order.c
 *	  The order in which an abort takes away what was made directly.
 *
 * In reverse order of birth nothing is in the way of what is older, but for
 * what an older object was given later: a foreign key to a younger table, a
 * trigger with a younger function, a younger type or schema.  A part that can
 * be dropped by itself goes before what it refers to.  For the rest the object
 * that is referred to comes later than at its birth's place: after its last
 * user.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_constraint.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_trigger.h"
#include "miscadmin.h"
#include "window/related.h"
#include "window/taking.h"

/*
 * What was made directly and has a step to take it away, which takes the
 * object along; NULL if there is none, or if the object goes before.
 */
static Taking *
root_of(List *takings, const ObjectAddress *object, List **seen)
{
	Taking	   *taking = taking_find(takings, object);
	ListCell   *lc;

	check_stack_depth();
	if (taking != NULL && (taking->goes_first || !taking->is_implied))
		return taking->step_id == 0 && !taking->goes_first && !taking_stays(takings, taking) ?
			taking : NULL;
	if (taking_list_has(*seen, object))
		return NULL;
	*seen = lappend(*seen, unconstify(ObjectAddress *, object));
	if (object->objectSubId != 0)
	{
		ObjectAddress *whole = palloc(sizeof(ObjectAddress));

		*whole = *object;
		whole->objectSubId = 0;
		taking = root_of(takings, whole, seen);
		if (taking != NULL)
			return taking;
	}
	foreach(lc, related_references(object))
	{
		const Related *related = lfirst(lc);

		taking = related_goes_along(related->type) ?
			root_of(takings, &related->object, seen) : NULL;
		if (taking != NULL)
			return taking;
	}
	return NULL;
}

static Taking *
find_root(List *takings, const ObjectAddress *object)
{
	List	   *seen = NIL;

	return root_of(takings, object, &seen);
}

/* Is it a part that can be dropped alone, and refers to something else that goes? */
static bool
must_go_first(List *takings, const Taking *part)
{
	const Taking *root;
	ListCell   *lc;

	if (!part->is_implied || part->sql == NULL || taking_is_bound(&part->object) ||
		(part->object.classId != ConstraintRelationId &&
		 part->object.classId != TriggerRelationId && part->object.classId != PolicyRelationId))
		return false;
	root = find_root(takings, &part->object);
	if (root == NULL)
		return false;			/* what it is part of stays */
	foreach(lc, related_references(&part->object))
	{
		const Related *related = lfirst(lc);
		const Taking *other = related_goes_along(related->type) ? NULL :
			find_root(takings, &related->object);

		if (other != NULL && other != root)
			return true;
	}
	return false;
}

/* Those that use the object, or what goes along with it */
static void
collect_users(List *takings, const ObjectAddress *object, List **seen, List **users)
{
	ListCell   *lc;

	check_stack_depth();
	if (taking_list_has(*seen, object))
		return;
	*seen = lappend(*seen, unconstify(ObjectAddress *, object));
	foreach(lc, related_dependents(object))
	{
		const Related *related = lfirst(lc);
		Taking	   *user;

		if (related_goes_along(related->type))
			collect_users(takings, &related->object, seen, users);
		else if ((user = find_root(takings, &related->object)) != NULL)
			*users = list_append_unique_ptr(*users, user);
	}
}

static bool
is_used(List *takings, int64 id)
{
	ListCell   *lc;

	foreach(lc, takings)
	{
		if (((Taking *) lfirst(lc))->birth_id == id)
			return true;
	}
	return false;
}

static int64
free_id_before(List *takings, int64 limit)
{
	int64		result = detached_id_before(limit, 0);

	for (int count = 1; is_used(takings, result); count++)
		result = detached_id_before(limit, count);
	return result;
}

/* After its users, which are placed first; circles are left as they are. */
static void
place(List *takings, Taking *taking, List **placed)
{
	int64		limit = taking->birth_id;
	List	   *users = NIL;
	List	   *seen = NIL;
	ListCell   *lc;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (list_member_ptr(*placed, taking))
		return;
	*placed = lappend(*placed, taking);
	collect_users(takings, &taking->object, &seen, &users);
	foreach(lc, users)
	{
		Taking	   *user = lfirst(lc);

		if (user == taking)
			continue;
		place(takings, user, placed);
		limit = Min(limit, user->birth_id);
	}
	if (limit < taking->birth_id)
		taking->birth_id = free_id_before(takings, limit);
}

/*
 * What was made on a view goes before that is made anew as it was, also if the
 * view was replaced after.
 */
static void
raise_users(List *takings, const ObjectAddress *object, int64 limit, List **raised)
{
	List	   *users = NIL;
	List	   *seen = NIL;
	ListCell   *lc;

	check_stack_depth();
	collect_users(takings, object, &seen, &users);
	foreach(lc, users)
	{
		Taking	   *user = lfirst(lc);
		int64		id;

		CHECK_FOR_INTERRUPTS();
		if (list_member_ptr(*raised, user))
			continue;
		*raised = lappend(*raised, user);
		id = user->birth_id > limit ? user->birth_id : detached_id_after(limit, 0);
		for (int count = 1; id != user->birth_id && is_used(takings, id); count++)
			id = detached_id_after(limit, count);
		user->birth_id = id;
		raise_users(takings, &user->object, id, raised);
	}
}

void
order_takings(List *takings)
{
	List	   *placed = NIL;
	ListCell   *lc;

	foreach(lc, takings)
	{
		Taking	   *taking = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		taking->goes_first = must_go_first(takings, taking);
	}
	foreach(lc, takings)
	{
		Taking	   *taking = lfirst(lc);
		List	   *raised = NIL;

		if (taking->is_replaced && !taking_stays(takings, taking))
			raise_users(takings, &taking->object, taking->step_id, &raised);
	}
	foreach(lc, takings)
	{
		Taking	   *taking = lfirst(lc);

		if (taking->step_id == 0 && !taking->is_implied && !taking_stays(takings, taking))
			place(takings, taking, &placed);
	}
}
