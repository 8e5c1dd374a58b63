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

/* All NULL: there is nothing to take back but what goes by itself. */
typedef struct ZdmUndo
{
	char	   *sql;			/* or an action of ALTER TABLE; or NULL */
	char	   *after;			/* of an action: commands that follow, or NULL */
	char	   *loss;			/* why something is not taken back, for
								 * people: half a sentence; or NULL */
} ZdmUndo;

/*
 * To be asked before the statement, or the command of an ALTER TABLE of the
 * relation, has run.  What it makes is not taken back here: that goes by
 * itself when a window is given up.
 */
extern void zdm_undo_statement(const ZdmPolicy *policy, const ZdmDdl *ddl, ZdmUndo *undo);
extern void zdm_undo_command(const ZdmPolicy *policy, ZdmRel *rel, const AlterTableCmd *cmd,
							 ZdmUndo *undo);

/*
 * Why the guard would refuse to carry out that undo_sql now, as the table is
 * large: half a sentence; or NULL.
 */
extern char *zdm_undo_refusal(const char *sql);

/* A constraint's definition, its names qualified, for ADD CONSTRAINT */
extern char *zdm_constraint_definition(Oid conoid);

/* ADD CONSTRAINT of the NOT NULL of a column, or SET NOT NULL; NULL: it is nullable */
extern char *zdm_undo_drop_not_null(ZdmRel *rel, const char *column);

/* Between the files of undo: new in the window?  Then it goes as a whole. */
extern bool zdm_undo_goes_itself(const ZdmPolicy *policy, const ObjectAddress *object);

/* What a function of the server says of an object, its names qualified */
extern char *zdm_undo_definition(Oid function, Oid object);

/* An expression of the table as text that any search path reads alike */
extern char *zdm_undo_expression(const ZdmRel *rel, Node *expr);

/* The options that the relation has, as DefElems */
extern List *zdm_undo_options_of(const ZdmRel *rel);

/* each of one kind of statement, in a file of its own */
extern char *zdm_undo_alter_table(const ZdmPolicy *policy, const ZdmDdl *ddl,
								  const AlterTableStmt *stmt, ZdmUndo *undo);
extern void zdm_undo_type(ZdmRel *rel, const AlterTableCmd *cmd, ZdmUndo *undo);
extern void zdm_undo_view(const ZdmPolicy *policy, const ZdmDdl *ddl, const ViewStmt *stmt,
						  ZdmUndo *undo);
extern void zdm_undo_grant(const ZdmPolicy *policy, const ZdmDdl *ddl, const GrantStmt *stmt,
						   ZdmUndo *undo);
extern void zdm_undo_grant_role(const ZdmDdl *ddl, const GrantRoleStmt *stmt, ZdmUndo *undo);

/* undo_grant.c: the objects (ObjectAddress) that ALL ... IN SCHEMA stands for */
extern List *zdm_all_in_schema(ObjectType type, Oid nspoid);

/* undo_grant.c: SELECT, INSERT, ... */
extern const char *zdm_right_name(AclMode right);

/* The query for rows that do not fit into the former types of columns; or NULL */
extern char *zdm_undo_verify_types(const ZdmDdl *ddl, const char *undo_sql);

#endif							/* ZDM_UNDO_H */
