/*-------------------------------------------------------------------------
 *
 * drop_defer.h
 *	  What files that defer a DROP share.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_DROP_DEFER_H
#define ZDM_DROP_DEFER_H

#include "plan/defer.h"

/* column_defer.c: DROP COLUMN; false if it cannot wait */
extern bool zdm_defer_drop_column(ZdmDeferral *deferral, const AlterTableCmd *cmd);

/*
 * constraint_defer.c: to what the statement adds when the window ends, what is
 * due for removal is as good as dropped by it.  Must the constraint wait for
 * another one's drop?
 */
extern void zdm_defer_note_going(ZdmDeferral *deferral);
extern bool zdm_defer_awaits_drop(const ZdmDeferral *deferral, const Constraint *con);

/* constraint_defer.c: ATTACH PARTITION, after commit */
extern bool zdm_defer_attach(ZdmDeferral *deferral, const AlterTableCmd *cmd,
							 const char *action);

/* constraint_defer.c: DROP INDEX */
extern bool zdm_defer_drop_index(ZdmDeferral *deferral, ZdmPhase phase);

/* drop_defer.c: DROP of whatever kind of object */
extern bool zdm_defer_drop(ZdmDeferral *deferral, const DropStmt *stmt);

/* revoke_defer.c: REVOKE ... ON ALL ... IN SCHEMA; what to say to people of it */
extern void zdm_defer_revoke_in_schema(ZdmDeferral *deferral, const GrantStmt *stmt,
									   const char *note);

/* What goes with the objects (ObjectAddress) by CASCADE; nothing without that */
extern List *zdm_defer_dependents(const ZdmDeferral *deferral, List *objects, bool cascade);

/* Claim that the object goes. */
extern void zdm_defer_claim_drop(ZdmPart *part, const ObjectAddress *address);

/* Claim all that CASCADE takes along; what to say of it, or NULL if it is none */
extern char *zdm_defer_cascade(ZdmPart *part, List *dependents);

#endif							/* ZDM_DROP_DEFER_H */
