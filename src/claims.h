/*-------------------------------------------------------------------------
 *
 * claims.h
 *	  What a statement has to do with deferred steps that are not done yet.
 *
 * To its author what is queued is as good as done: a name that a step will
 * make is taken, what a step will drop is gone.  So a statement can fail
 * because of the queue as it would without, take a step out of it, line up
 * behind one, or be refused (ZDM04) where neither is possible.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_MEET_H
#define ZDM_MEET_H

#include "hook.h"
#include "window/claims.h"

struct ZdmDeferral;

/* Something that has to have another name before the statement runs. */
typedef struct ZdmAside
{
	const ZdmPending *pending;	/* drops it */
	const char *sql;			/* what that is to do in place of its sql */
	const char *from;			/* unquoted names */
	const char *to;
	const char *rename_sql;
	const char *undo_sql;
} ZdmAside;

/* Something that a step is to drop no more, as the statement makes it anew */
typedef struct ZdmKept
{
	const ZdmPending *pending;
	const ZdmClaim *claim;
	const char *sql;			/* what is left for the step to do; NULL: all
								 * of its sql */
} ZdmKept;

/* What is found of one statement, and what is to be done about it. */
typedef struct ZdmConflict
{
	ZdmDdl		ddl;			/* the statement as it came, for its text */
	List	   *pending;		/* ZdmPending */
	List	   *redirected;		/* as in ZdmUtility */
	const char *left;			/* SQL of what is left of the statement; "":
								 * nothing; NULL: all of it */
	List	   *cancels;		/* ZdmPending */
	List	   *behind;			/* ZdmPart, to line up behind steps */
	List	   *leftovers;		/* those of behind that take away what an
								 * object has from before which is made anew */
	int64		window_id;		/* of these */
	List	   *asides;			/* ZdmAside */
	List	   *kept;			/* ZdmKept */
	List	   *copied;			/* ZdmPending: changes of a table of which it
								 * makes a copy without them */
	const char *copied_name;	/* of that table */

	/* a step that the statement must not come before, or NULL */
	const ZdmPending *not_before;
	const char *not_before_what;

	const ZdmPending *old_key;	/* drops the primary key in whose place the
								 * statement adds one, or NULL */
} ZdmConflict;

/*
 * Find out before the statement is judged; NULL if no step matters to it.
 * Raises errors, of rights too.  utility is changed to what is left of it.
 */
extern ZdmConflict *claims_find(ZdmUtility *utility);

/* The same among these steps (ZdmPending, with their SQL parsed) */
extern ZdmConflict *claims_find_among(ZdmUtility *utility, List *pending);
extern List *claims_parsed_pending(void);

/* Is nothing left of the statement but to do that? */
extern bool claims_are_all(const ZdmConflict *conflict);

/*
 * Do what has to be done, in the transaction in which the rest of the
 * statement, of which that deferral is made, runs right afterwards.
 */
extern void claims_apply(const ZdmConflict *conflict, const struct ZdmDeferral *deferral);

/* What that would be: one thing that is done to the queue */
typedef struct ZdmQueueEffect
{
	ZdmVerdict	verdict;
	const char *phase;			/* NULL: a step is taken out */
	const char *sql;			/* NULL: nothing is done, but warned of */
	const char *message;
} ZdmQueueEffect;

extern List *claims_effects(const ZdmConflict *conflict, const struct ZdmDeferral *deferral);

/* Raises an error if the rest of the statement would come before a step that it needs. */
extern void claims_check_order(const ZdmConflict *conflict, const struct ZdmDeferral *deferral);

/* After a statement: steps on what is not there any more are cancelled. */
extern void claims_settle(const Node *stmt);

/*
 * After a statement: raises an error if it has made what depends on something
 * that a step drops.
 */
extern void claims_check_made(void);

/*
 * Before parts of a statement are queued: wait for others that are about to
 * queue what has the same names, and look again.
 */
extern void claims_reserve(List *parts);

/* qualified names (char *) of what steps will make, for names to be chosen */
extern List *claims_reserved(void);

/* names (char *) of constraints and indexes of a table that steps drop */
extern List *claims_due_on(Oid relid);
extern bool claims_relation_is_due(Oid relid);

/* for the files of this: claims.c */
extern bool claims_renames(const ZdmPending *pending);
extern char *claims_spare_name(const char *name, Oid nspoid);
extern char *claims_describe(const ZdmPending *pending);
extern const ZdmPending *claims_on_relation(const ZdmConflict *conflict, const char *nspname,
											const char *relname, bool *is_made);
extern const ZdmPending *claims_on_part(const ZdmConflict *conflict, const char *kind,
										Oid relid, const char *name, bool *is_made);
extern void claims_check_relation(const ZdmConflict *conflict, Oid relid, const char *relname);
extern bool claims_check_new_relation(ZdmConflict *conflict, const char *nspname,
									  const char *relname, bool if_not_exists);
extern void claims_cancel_made(ZdmConflict *conflict, const ZdmPending *pending,
							   DropBehavior behavior);
extern void claims_check_owner(const ZdmPending *pending);
extern ZdmPart *claims_line_up(ZdmConflict *conflict, const ZdmPending *pending, ZdmPhase phase,
							   char *sql);
extern void claims_claim(ZdmPart *part, const char *action, const char *kind,
						 const char *nspname, Oid relid, const char *name);
pg_noreturn extern void claims_report(const ZdmPending *pending, const char *message);

/* claims_going.c: add to the steps' claims what goes without being named */
extern void claims_add_parts(List *pending);

/* claims_alter.c */
extern void claims_meet_alter_table(ZdmConflict *conflict, const AlterTableStmt *stmt);

/* claims_rename.c */
extern void claims_meet_rename(ZdmConflict *conflict, const RenameStmt *stmt);
extern const ZdmPending *claims_use_of_index(const ZdmConflict *conflict, Oid relid);
extern void claims_meet_alter_index(ZdmConflict *conflict, const AlterTableStmt *stmt);

/* claims_back.c */
extern void claims_meet_index_mark(ZdmConflict *conflict, Oid relid, const AlterTableCmd *cmd);
extern void claims_meet_relation_owner(ZdmConflict *conflict, Oid relid,
									   const AlterTableCmd *cmd);
extern void claims_meet_owner(ZdmConflict *conflict, const AlterOwnerStmt *stmt);
extern void claims_meet_domain(ZdmConflict *conflict, const AlterDomainStmt *stmt);
extern bool claims_meet_membership(ZdmConflict *conflict, Oid relid, const AlterTableCmd *cmd);
extern void claims_meet_attached(ZdmConflict *conflict, Oid relid, const AlterTableCmd *cmd);

/* claims_columns.c */
extern Oid	claims_target_relid(const ZdmPending *pending, const RangeVar *rv);
extern bool claims_names_column(const AlterTableCmd *cmd);
extern bool claims_is_listed(List *names, const char *name);
extern List *claims_index_columns(const IndexStmt *stmt);
extern List *claims_columns_of(const ZdmPending *pending, Oid relid);
extern const ZdmPending *claims_step_on_column(const ZdmConflict *conflict, Oid relid,
											   const char *column);
extern const ZdmPending *claims_step_of_command(const ZdmConflict *conflict, Oid relid,
												AlterTableType subtype, const char *column);
extern const ZdmPending *claims_backfill_of(const ZdmConflict *conflict, Oid relid,
											const char *column);
extern void claims_meet_columns(const ZdmConflict *conflict, Oid relid, List *columns,
								const char *fmt);
extern bool claims_makes_key(const ZdmPending *pending, Oid relid, List *columns);
extern const ZdmPending *claims_missing_key(const ZdmConflict *conflict, Oid relid,
											const Constraint *con);

/*
 * claims_values.c: the last step that will have the column need a value, or
 * NULL; does a statement on the table?
 */
extern const ZdmPending *claims_value_required_by(const ZdmConflict *conflict, Oid relid,
												  const char *column);
extern bool claims_statement_requires_value(const ZdmConflict *conflict, Oid relid,
											const AlterTableStmt *stmt, const char *column);

/* before such a command: a queued DROP DEFAULT waits for the end of the window */
extern void claims_keep_defaults(ZdmConflict *conflict, Oid relid, const AlterTableCmd *cmd);

/* claims_table.c: ZDM04 if the statement is about a table that a step will make */
extern void claims_check_made_tables(const ZdmConflict *conflict, const Node *stmt);

/*
 * claims_table.c: is it IF EXISTS of a relation that a step drops or gives
 * another name?  Says so.
 */
extern bool claims_finds_none(const ZdmConflict *conflict, const Node *stmt);

/* claims_object.c */
extern void claims_meet_drop(ZdmConflict *conflict, const DropStmt *stmt);
extern void claims_meet_view(ZdmConflict *conflict, const ViewStmt *stmt);
extern void claims_meet_function(ZdmConflict *conflict, const CreateFunctionStmt *stmt);
extern void claims_meet_comment(ZdmConflict *conflict, const CommentStmt *stmt);
extern const ZdmPending *claims_on_object(const ZdmConflict *conflict, const char *kind,
										  const char *identity);
extern void claims_keep(ZdmConflict *conflict, const ZdmPending *pending, const char *kind,
						const char *name, const char *sql);
extern const char *claims_index_schema(const ZdmConflict *conflict, const RangeVar *rv);
extern void claims_meet_object(ZdmConflict *conflict, const char *kind, const char *identity);

/* claims_copy.c */
extern void claims_meet_like(ZdmConflict *conflict, const TableLikeClause *like);
extern void claims_meet_parents(ZdmConflict *conflict, const CreateStmt *stmt);
extern void claims_meet_table_as(ZdmConflict *conflict);

/*
 * claims_remake.c: of an object that CREATE OR REPLACE makes anew which the
 * step was to drop, and for which that has been given up
 */
extern void claims_remake_view(ZdmConflict *conflict, const ZdmPending *pending, Oid relid);
extern void claims_remake_function(ZdmConflict *conflict, const ZdmPending *pending, Oid function);
extern void claims_remake_part(ZdmConflict *conflict, const ZdmPending *pending, ObjectType type,
							   Oid relid, const char *name);
extern void claims_meet_left_comment(ZdmConflict *conflict, const CommentStmt *stmt);

/* claims_rights.c */
extern char *claims_part_identity(Oid relid, const char *name);
extern void claims_meet_grant(ZdmConflict *conflict, const Node *stmt);
extern void claims_meet_policy(ZdmConflict *conflict, const CreatePolicyStmt *stmt);
extern void claims_meet_trigger(ZdmConflict *conflict, const CreateTrigStmt *stmt);
extern void claims_meet_rule(ZdmConflict *conflict, const RuleStmt *stmt);

#endif							/* ZDM_MEET_H */
