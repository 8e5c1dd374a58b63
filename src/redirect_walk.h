/*-------------------------------------------------------------------------
 *
 * redirect_walk.h
 *	  Where a utility statement names relations.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_REDIRECT_WALK_H
#define ZDM_REDIRECT_WALK_H

#include "postgres.h"

#include "nodes/parsenodes.h"

/* Of a relation that a statement names by a RangeVar: */
typedef enum ZdmNameUse
{
	ZDM_NAME_TARGET,			/* the statement is about it */
	ZDM_NAME_QUERY,				/* a query reads or writes it */
	ZDM_NAME_GRANT				/* one of a list, and rights on it change */
} ZdmNameUse;

/* Who is told of names; the tree is not changed here. */
typedef struct ZdmNameVisitor
{
	void		(*relation) (void *arg, const RangeVar *rv, ZdmNameUse use);

	/*
	 * A list of String: the name of a relation, and behind that of a part of
	 * it if has_part.  In the text a column follows the relation, anything
	 * else comes before it with ON in between.
	 */
	void		(*names) (void *arg, List *names, bool has_part, bool is_column);
	void		(*type) (void *arg, const TypeName *type);
	void		(*column) (void *arg, const ColumnRef *column, bool in_query);
	void	   *arg;
	int			depth;			/* of queries; the walk's own */
	List	   *ctes;			/* char *: names of WITH where the walk is;
								 * the walk's own */
} ZdmNameVisitor;

/*
 * Only names that stand for what is there already, and that is kept in the
 * catalog or acted upon: not those of a query that runs once.
 */
extern void redirect_walk(ZdmNameVisitor *visitor, Node *stmt);

#endif							/* ZDM_REDIRECT_WALK_H */
