/*-------------------------------------------------------------------------
 *
 * xact.h
 *	  Rules that need to know what the transaction has done before.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_XACT_H
#define ZDM_XACT_H

#include "ddl/ddl.h"

/* add to ddl the hazards that follow from ddl->xact */
extern void ddl_xact_rules(ZdmDdl *ddl);

/*
 * Note in ddl->xact what the statement has done.  Everything is copied into
 * the given context, which lives as long as the transaction.
 */
extern void ddl_xact_note(ZdmDdl *ddl, MemoryContext context);

/* a copy in the current memory context, to note more in */
extern ZdmXact *ddl_xact_copy(const ZdmXact *xact);

/* the lock the transaction already holds on a relation, or NoLock */
extern LOCKMODE ddl_xact_lock_on(const ZdmXact *xact, Oid relid);

#endif							/* ZDM_XACT_H */
