/*-------------------------------------------------------------------------
 *
 * undo.h
 *	  What takes back a statement that runs at once.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_UNDO_H
#define ZDM_UNDO_H

#include "plan/plan.h"
#include "plan/verdict.h"

/*
 * To be asked before the statement, or the command of an ALTER TABLE of the
 * relation, has run.  What it makes is not taken back here: that goes by
 * itself when a window is given up.  NULL if there is nothing to take back, or
 * it cannot be.
 */
extern char *zdm_undo_statement(const ZdmPolicy *policy, const ZdmDdl *ddl);
extern char *zdm_undo_command(ZdmRel *rel, const AlterTableCmd *cmd);

/* A constraint's definition, its names qualified, for ADD CONSTRAINT */
extern char *zdm_constraint_definition(Oid conoid);

/* ADD CONSTRAINT of the NOT NULL of a column, or SET NOT NULL; NULL: it is nullable */
extern char *zdm_undo_drop_not_null(ZdmRel *rel, const char *column);

#endif							/* ZDM_UNDO_H */
