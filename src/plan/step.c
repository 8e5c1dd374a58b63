/*-------------------------------------------------------------------------
 *
 * step.c
 *	  What follows from the SQL of a step: how it has to run, its lock, and
 *	  how it is undone.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "commands/tablecmds.h"
#include "lib/stringinfo.h"
#include "parser/parser.h"
#include "plan/plan.h"
#include "utils/builtins.h"

/* What is known of a step while its commands are looked at. */
typedef struct StepFacts
{
	ZdmStep    *step;
	int			commands;		/* looked at so far */
	int			alters;			/* ALTER TABLEs among undo */
	int			others;			/* ALTER TABLEs that need no undo */
	Oid			other_relid;	/* the table that all of those alter, or
								 * InvalidOid */
	List	   *columns;		/* char *: new ones */
	StringInfoData undo;		/* commands, the last one first */
} StepFacts;

static char *
relation_name(const RangeVar *rv)
{
	return quote_qualified_identifier(rv->schemaname, rv->relname);
}

/* One brief command in a transaction makes all of it one to be kept brief. */
static void
note_kind(StepFacts *facts, ZdmStepKind kind, LOCKMODE lock_mode)
{
	facts->step->kind = facts->commands++ == 0 ? kind : Min(facts->step->kind, kind);
	facts->step->lock_mode = Max(facts->step->lock_mode, lock_mode);
}

/* Undo runs backwards. */
static void
note_undo(StepFacts *facts, char *sql)
{
	char	   *rest = pstrdup(facts->undo.data);

	resetStringInfo(&facts->undo);
	appendStringInfo(&facts->undo, "%s%s%s", sql, *rest != '\0' ? "; " : "", rest);
}

static void
note_index(StepFacts *facts, const IndexStmt *stmt)
{
	note_kind(facts, stmt->concurrent ? ZDM_STEP_ALONE : ZDM_STEP_BRIEF,
			  stmt->concurrent ? ShareUpdateExclusiveLock : ShareLock);
	if (stmt->idxname == NULL)
		facts->step->cannot_undo = true;
	else
		note_undo(facts, psprintf("DROP INDEX IF EXISTS %s",
								  quote_qualified_identifier(stmt->relation->schemaname,
															 stmt->idxname)));
}

static bool
adds_column(const StepFacts *facts, const char *name)
{
	ListCell   *lc;

	foreach(lc, facts->columns)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

/* The action that takes back one of ALTER TABLE, or NULL. */
static char *
undo_action(StepFacts *facts, const AlterTableCmd *cmd, bool is_index)
{
	switch (cmd->subtype)
	{
		case AT_AddColumn:
			facts->columns = lappend(facts->columns, castNode(ColumnDef, cmd->def)->colname);
			return psprintf("DROP COLUMN IF EXISTS %s",
							quote_identifier(castNode(ColumnDef, cmd->def)->colname));
		case AT_AddConstraint:
			if (castNode(Constraint, cmd->def)->conname != NULL)
				return psprintf("DROP CONSTRAINT IF EXISTS %s",
								quote_identifier(castNode(Constraint, cmd->def)->conname));
			break;
		case AT_SetNotNull:
			return psprintf("ALTER COLUMN %s DROP NOT NULL", quote_identifier(cmd->name));
		case AT_AttachPartition:
			if (is_index)		/* goes with the parent's index */
				return NULL;
			return psprintf("DETACH PARTITION %s",
							relation_name(castNode(PartitionCmd, cmd->def)->name));
		case AT_ValidateConstraint:
			return NULL;
		case AT_ColumnDefault:
			if (adds_column(facts, cmd->name))
				return NULL;	/* goes with the column */
			break;
		default:
			break;
	}
	facts->step->cannot_undo = true;
	return NULL;
}

/* Of two tables each is altered by its name. */
static void
note_undo_relid(StepFacts *facts, Oid relid)
{
	facts->step->undo_relid = facts->alters == 0 || facts->step->undo_relid == relid ?
		relid : InvalidOid;
	facts->alters++;
}

static void
note_other_relid(StepFacts *facts, Oid relid)
{
	facts->other_relid = facts->others == 0 || facts->other_relid == relid ?
		relid : InvalidOid;
	facts->others++;
}

static void
note_alter_table(StepFacts *facts, const AlterTableStmt *stmt)
{
	bool		is_index = stmt->objtype == OBJECT_INDEX;
	ZdmStepKind kind = ZDM_STEP_LONG;
	StringInfoData actions;
	ListCell   *lc;

	if (stmt->objtype == OBJECT_SEQUENCE)
	{
		note_kind(facts, ZDM_STEP_BRIEF, NoLock);	/* the plan has made it */
		return;
	}
	initStringInfo(&actions);
	foreach(lc, stmt->cmds)
	{
		const AlterTableCmd *cmd = lfirst(lc);
		char	   *action = undo_action(facts, cmd, is_index);

		if (action != NULL)
			appendStringInfo(&actions, "%s%s", actions.len > 0 ? ", " : "", action);
		if (cmd->subtype == AT_DetachPartition &&
			castNode(PartitionCmd, cmd->def)->concurrent)
		{
			kind = ZDM_STEP_ALONE;
			facts->step->forward = true;
		}
		else if (cmd->subtype != AT_ValidateConstraint)
			kind = ZDM_STEP_BRIEF;
	}
	note_kind(facts, kind, kind == ZDM_STEP_ALONE ? ShareUpdateExclusiveLock :
			  AlterTableGetLockLevel(stmt->cmds));
	if (actions.len == 0)
	{
		note_other_relid(facts, RangeVarGetRelid(stmt->relation, NoLock, true));
		return;
	}
	note_undo(facts, psprintf("ALTER TABLE IF EXISTS %s %s",
							  relation_name(stmt->relation), actions.data));
	note_undo_relid(facts, RangeVarGetRelid(stmt->relation, NoLock, true));
}

/* What one command of the step says of it. */
static void
note_command(StepFacts *facts, Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_IndexStmt:
			note_index(facts, (IndexStmt *) stmt);
			break;
		case T_AlterTableStmt:
			note_alter_table(facts, (AlterTableStmt *) stmt);
			break;
		case T_CreateSeqStmt:
			note_kind(facts, ZDM_STEP_BRIEF, NoLock);
			note_undo(facts, psprintf("DROP SEQUENCE IF EXISTS %s",
									  relation_name(((CreateSeqStmt *) stmt)->sequence)));
			break;
		case T_AlterSeqStmt:	/* of a sequence that the plan has made */
		case T_GrantStmt:
		case T_SelectStmt:
			note_kind(facts, ZDM_STEP_BRIEF, NoLock);
			break;
		case T_ViewStmt:		/* reads what it stands for */
			note_kind(facts, ZDM_STEP_BRIEF, AccessShareLock);
			facts->step->cannot_undo = true;
			break;
		case T_UpdateStmt:
			note_kind(facts, ZDM_STEP_BACKFILL, RowExclusiveLock);
			break;
		case T_ReindexStmt:		/* what an interrupted one leaves is found by
								 * its OID */
			note_kind(facts, ZDM_STEP_ALONE, ShareUpdateExclusiveLock);
			break;
		case T_RefreshMatViewStmt:
			note_kind(facts, ZDM_STEP_LONG, ExclusiveLock);
			break;
		case T_DropStmt:
			note_kind(facts, ((DropStmt *) stmt)->concurrent ? ZDM_STEP_ALONE : ZDM_STEP_BRIEF,
					  ((DropStmt *) stmt)->concurrent ? ShareUpdateExclusiveLock : AccessExclusiveLock);
			facts->step->forward = ((DropStmt *) stmt)->concurrent;
			facts->step->cannot_undo = true;
			break;
		default:
			note_kind(facts, ZDM_STEP_BRIEF, AccessExclusiveLock);
			facts->step->cannot_undo = true;
			break;
	}
}

ZdmStep *
zdm_step_make(const char *sql)
{
	StepFacts	facts;
	ListCell   *lc;

	memset(&facts, 0, sizeof(facts));
	facts.step = palloc0(sizeof(ZdmStep));
	initStringInfo(&facts.undo);
	facts.step->sql = sql;
	facts.step->stmts = raw_parser(sql, RAW_PARSE_DEFAULT);
	foreach(lc, facts.step->stmts)
		note_command(&facts, lfirst_node(RawStmt, lc)->stmt);
	if (facts.undo.len > 0)
		facts.step->undo_sql = facts.undo.data;
	else
		facts.step->undo_relid = facts.other_relid;
	return facts.step;
}

char *
zdm_step_note(const ZdmStep *step)
{
	const char *how = NULL;

	switch (step->kind)
	{
		case ZDM_STEP_BRIEF:
			how = "brief, in attempts of zdm.lock_timeout";
			break;
		case ZDM_STEP_LONG:
		case ZDM_STEP_ALONE:
			how = "takes long, reads and writes go on";
			break;
		case ZDM_STEP_BACKFILL:
			how = "in small batches, each committed by itself, without triggers and row security, which an UPDATE by hand meets";
			break;
	}
	return psprintf("%s%s%s%s%s", how, step->note ? "; " : "", step->note ? step->note : "",
					step->undo_sql ? "; undo: " : "", step->undo_sql ? step->undo_sql : "");
}
