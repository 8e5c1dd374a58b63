/*-------------------------------------------------------------------------
 *
 * related.h
 *	  What depends on what, by pg_depend.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_RELATED_H
#define ZDM_RELATED_H

#include "zdm.h"

#include "catalog/dependency.h"
#include "catalog/objectaddress.h"
#include "nodes/pg_list.h"

typedef struct Related
{
	ObjectAddress object;
	DependencyType type;
} Related;

/* Related: what the object itself refers to, a table without its columns */
extern List *related_references(const ObjectAddress *object);

/* Related: what refers to the object; of a table, to its columns too */
extern List *related_dependents(const ObjectAddress *object);

/*
 * Who may drop the object: its owner, or that of its table or type; InvalidOid
 * if it is of a kind without one.
 */
extern Oid	related_owner(const ObjectAddress *object);

/* The dependent is gone when what it refers to is dropped, without CASCADE. */
extern bool related_goes_along(DependencyType type);

/* It cannot be dropped by itself, only with what it refers to. */
extern bool related_is_bound(DependencyType type);

#endif							/* ZDM_RELATED_H */
