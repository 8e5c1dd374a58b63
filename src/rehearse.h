/*-------------------------------------------------------------------------
 *
 * rehearse.h
 *	  What the parts of the rehearsal have in common.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_REHEARSE_H
#define ZDM_REHEARSE_H

#include "ddl/ddl.h"

/* rehearse.c */
extern void rehearse_check_owner(Oid relid);
extern void rehearse_check_reference(const ZdmDdl *ddl, const Constraint *con);

/*
 * rehearse_tree.c: on a table with children what is found by looking at these.
 * An ALTER TABLE that can be run on a copy of the table itself.
 */
extern void rehearse_tree(const ZdmDdl *ddl, Oid relid);

/*
 * Can a key of that kind (UNIQUE, PRIMARY KEY) on the columns (String) be
 * passed on to the partitions?
 */
extern void rehearse_partition_keys(Oid relid, List *columns, const char *kind);

/* rehearse_domain.c: ALTER DOMAIN */
extern void rehearse_domain(const ZdmDdl *ddl);

/* rehearse_drop.c; targets are ObjectAddress, of what is to be dropped */
extern void rehearse_check_dependents(const ZdmDdl *ddl, List *targets, DropBehavior behavior);
extern void rehearse_drop(const ZdmDdl *ddl);

#endif							/* ZDM_REHEARSE_H */
