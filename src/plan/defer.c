/*-------------------------------------------------------------------------
 *
 * defer.c
 *	  Takes a statement apart that was sent within a window that defers: what
 *	  runs now, after commit, and when the window ends.
 *
 * The parts are plain statements, with all names chosen.  How each is carried
 * out safely is planned when its turn has come, with the facts of then.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "parser/parser.h"
#include "plan/advice.h"
#include "plan/column_plan.h"
#include "plan/constraint_plan.h"
#include "plan/defer.h"
#include "plan/drop_defer.h"
#include "plan/index_plan.h"
#include "plan/qualify.h"
#include "plan/undo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

static const ZdmDeferrer *const deferrer_tables[] = {
	zdm_column_deferrers,
	zdm_constraint_deferrers,
	zdm_object_deferrers,
	zdm_rename_deferrers,
};

static ZdmDeferFunc
deferrer_function(ZdmRuleId rule)
{
	for (int i = 0; i < lengthof(deferrer_tables); i++)
	{
		for (const ZdmDeferrer *entry = deferrer_tables[i]; entry->defer != NULL; entry++)
		{
			if (entry->rule == rule)
				return entry->defer;
		}
	}
	return NULL;
}

/* Does the rule have it wait that its statement is sent within a window? */
bool
zdm_defer_knows(ZdmRuleId rule)
{
	switch (rule)
	{
			/* they are split over two columns, or have no safe form at all */
		case ZDM_RULE_ALTER_COLUMN_TYPE_IN_WINDOW:
		case ZDM_RULE_RENAME_COLUMN:
		case ZDM_RULE_RENAME_ENUM_VALUE:
		case ZDM_RULE_RENAME_OBJECT:
			return false;
		case ZDM_RULE_RENAME_TABLE:
		case ZDM_RULE_RENAME_SCHEMA:
			return deferrer_function(rule) != NULL;
		default:
			return zdm_rules[rule].class == ZDM_CLASS_COMPAT;
	}
}

void
zdm_defer_claim(ZdmPart *part, const char *action, const char *kind, const char *nspname,
				Oid relid, const char *name)
{
	ZdmClaim   *claim = palloc0(sizeof(ZdmClaim));

	claim->action = action;
	claim->kind = kind;
	claim->nspname = nspname;
	claim->relid = relid;
	claim->name = name;
	part->claims = lappend(part->claims, claim);
}

static ZdmPlanTarget *
make_target(const ZdmRel *rel)
{
	ZdmPlanTarget *target = palloc(sizeof(ZdmPlanTarget));

	target->relid = rel->relid;
	target->nspname = pstrdup(rel->nspname);
	target->relname = pstrdup(rel->relname);
	return target;
}

/* A part with that SQL, and what follows from it. */
static ZdmPart *
add_part(ZdmDeferral *deferral, ZdmPhase phase, const char *sql)
{
	ZdmPart    *part = palloc0(sizeof(ZdmPart));

	part->phase = phase;
	part->sql = sql;
	if (phase != ZDM_PHASE_CONTRACT)
		part->undo_sql = zdm_step_make(sql)->undo_sql;
	if (deferral->plan->rel != NULL && OidIsValid(deferral->plan->rel->relid))
		part->targets = list_make1(make_target(deferral->plan->rel));
	part->targets = list_concat(part->targets, list_copy(deferral->plan->targets));
	deferral->parts = lappend(deferral->parts, part);
	return part;
}

ZdmPart *
zdm_defer_part(ZdmDeferral *deferral, ZdmPhase phase, const char *fmt,...)
{
	va_list		args;
	char	   *sql;

	va_start(args, fmt);
	sql = zdm_plan_format(fmt, args);
	va_end(args);
	return add_part(deferral, phase, sql);
}

ZdmPart *
zdm_defer_action(ZdmDeferral *deferral, ZdmPhase phase, const char *fmt,...)
{
	va_list		args;
	char	   *action;

	va_start(args, fmt);
	action = zdm_plan_format(fmt, args);
	va_end(args);
	return add_part(deferral, phase, psprintf("%s %s", zdm_plan_alter(deferral->plan), action));
}

/* The relation that a statement without parts is about, or NULL. */
static ZdmRel *
subject_of(const ZdmDeferral *deferral)
{
	ListCell   *lc;

	foreach(lc, deferral->ddl->hazards)
	{
		ZdmRel	   *rel = ((ZdmHazard *) lfirst(lc))->rel;

		if (rel != NULL && OidIsValid(rel->relid))
			return rel;
	}
	return NULL;
}

ZdmPart *
zdm_defer_statement(ZdmDeferral *deferral, ZdmPhase phase)
{
	if (deferral->plan->rel == NULL)
		deferral->plan->rel = subject_of(deferral);
	return add_part(deferral, phase, zdm_sql_qualify(deferral->ddl));
}

/* The strictest verdict on a hazard of the command, or of its constraint */
static ZdmVerdict
verdict_on(const ZdmDeferral *deferral, const AlterTableCmd *cmd)
{
	ZdmVerdict	strictest = ZDM_VERDICT_RUN;
	ListCell   *lc;

	foreach(lc, deferral->judgements)
	{
		const ZdmJudgement *judgement = lfirst(lc);

		if (zdm_plan_belongs_to(judgement->hazard, cmd))
			strictest = Max(strictest, judgement->verdict);
	}
	return strictest;
}

/* Is a hazard of the rule deferred, be it of that constraint if it is not NULL? */
static bool
is_deferred(const ZdmDeferral *deferral, ZdmRuleId rule, const Constraint *con)
{
	ListCell   *lc;

	foreach(lc, deferral->judgements)
	{
		const ZdmJudgement *judgement = lfirst(lc);
		const Node *node = judgement->hazard->node;

		if (judgement->hazard->rule != rule || judgement->verdict != ZDM_VERDICT_DEFER)
			continue;
		if (con == NULL ||
			(node != NULL && IsA(node, Constraint) &&
			 ((const Constraint *) node)->contype == con->contype))
			return true;
	}
	return false;
}

/*
 * When is a constraint in the definition of a new column to be added: as soon
 * as it can be, or, if old clients' rows break it, when they are gone?
 */
static ZdmPhase
phase_of_constraint(void *arg, const Constraint *con)
{
	const ZdmDeferral *deferral = arg;

	if (con->contype == CONSTR_NOTNULL || con->contype == CONSTR_PRIMARY)
	{
		if (is_deferred(deferral, ZDM_RULE_ADD_REQUIRED_COLUMN, NULL))
			return ZDM_PHASE_CONTRACT;
	}
	if (is_deferred(deferral, ZDM_RULE_CONSTRAINT_REJECTS_OLD_WRITERS, con) ||
		zdm_defer_awaits_drop(deferral, con))
		return ZDM_PHASE_CONTRACT;
	return ZDM_PHASE_MIGRATE;
}

/* What the planners have made of one command becomes parts. */
static void
flush_steps(ZdmDeferral *deferral)
{
	ZdmPlan    *plan = deferral->plan;

	zdm_plan_make_step(plan, ZDM_PASS_FINAL, plan->before_final, plan->final, plan->after_final);
	plan->before_final = plan->final = plan->after_final = NIL;
	for (int pass = ZDM_PASS_BACKFILL; pass < ZDM_PASS_COUNT; pass++)
	{
		ListCell   *lc;

		foreach(lc, plan->passes[pass])
		{
			const ZdmStep *step = lfirst(lc);

			(void) add_part(deferral, step->phase == ZDM_PHASE_CONTRACT ?
							ZDM_PHASE_CONTRACT : ZDM_PHASE_MIGRATE, step->sql);
		}
		plan->passes[pass] = NIL;
	}
}

/* A constraint, with the name that it gets */
static bool
add_constraint(ZdmDeferral *deferral, const AlterTableCmd *cmd, const char *action)
{
	Constraint *con = castNode(Constraint, cmd->def);

	switch (con->contype)
	{
		case CONSTR_UNIQUE:
		case CONSTR_PRIMARY:
			if (con->indexname == NULL)
				return zdm_plan_key(deferral->plan, con);
			break;
		case CONSTR_CHECK:
		case CONSTR_FOREIGN:
			if (!con->skip_validation)
				return zdm_plan_add_constraint(deferral->plan, unconstify(AlterTableCmd *, cmd));
			if (con->contype == CONSTR_FOREIGN)
				return zdm_plan_unchecked_foreign_key(deferral->plan, con);
			break;
		default:
			break;
	}
	if (con->conname == NULL && con->indexname == NULL)
	{
		const char *name = zdm_plan_name_constraint(deferral->plan, deferral->plan->rel, con);

		if (name == NULL)
			return false;
		action = psprintf("ADD CONSTRAINT %s %s", quote_identifier(name), zdm_sql_skip(action, 1));
	}
	zdm_plan_final(deferral->plan, "%s", action);
	return true;
}

/* A command that has to wait, by default as it is */
static bool
defer_by_default(ZdmDeferral *deferral, AlterTableCmd *cmd, ZdmVerdict verdict)
{
	char	   *action = zdm_sql_action(deferral->ddl, (Node *) cmd);
	ZdmPlan    *plan = deferral->plan;

	if (strcmp(action, deferral->ddl->sql) == 0)
		return false;			/* the parse tree is not of this text */
	plan->phase = verdict == ZDM_VERDICT_DEFER ? ZDM_PHASE_CONTRACT : ZDM_PHASE_MIGRATE;
	switch (cmd->subtype)
	{
		case AT_AddColumn:
			plan->phase = ZDM_PHASE_MIGRATE;
			return zdm_plan_add_column(plan, cmd, true);
		case AT_AddConstraint:
			return add_constraint(deferral, cmd, action);
		case AT_AttachPartition:
			return zdm_defer_attach(deferral, cmd, action);
		default:
			zdm_plan_final(plan, "%s", action);
			return true;
	}
}

/*
 * Does the statement make the column NOT NULL when the window ends?  Until then
 * it keeps its default: NULLs of the old version would be in the way.
 */
static bool
is_required_later(const ZdmDeferral *deferral, const char *column)
{
	ListCell   *lc;

	foreach(lc, castNode(AlterTableStmt, deferral->ddl->stmt)->cmds)
	{
		const AlterTableCmd *cmd = lfirst(lc);

		if (cmd->subtype == AT_SetNotNull && strcmp(cmd->name, column) == 0 &&
			verdict_on(deferral, cmd) == ZDM_VERDICT_DEFER)
			return true;
	}
	return false;
}

/* A command without a hazard that matters */
static bool
run_now(ZdmDeferral *deferral, AlterTableCmd *cmd)
{
	char	   *action = zdm_sql_action(deferral->ddl, (Node *) cmd);
	ZdmUndo		undo;
	ZdmPart    *part;

	if (strcmp(action, deferral->ddl->sql) == 0)
		return false;
	if (cmd->subtype == AT_ColumnDefault && cmd->def == NULL &&
		is_required_later(deferral, cmd->name))
	{
		(void) zdm_defer_action(deferral, ZDM_PHASE_CONTRACT, "%s", action);
		return true;
	}
	zdm_undo_command(deferral->policy, deferral->plan->rel, cmd, &undo);
	if (undo.sql != NULL || undo.loss != NULL)
	{
		part = zdm_defer_action(deferral, ZDM_PHASE_EXPAND, "%s", action);
		part->loss = undo.loss;
		part->undo_sql = undo.sql == NULL ? NULL :
			psprintf("%s %s%s%s", zdm_plan_alter(deferral->plan), undo.sql,
					 undo.after ? "; " : "", undo.after ? undo.after : "");
		return true;
	}
	if (cmd->subtype == AT_AddConstraint)
		(void) zdm_plan_name_constraint(deferral->plan, deferral->plan->rel,
										castNode(Constraint, cmd->def));
	zdm_plan_column(deferral->plan, "%s", action);
	return true;
}

/* The part that makes the index which the command names, or NULL */
static const ZdmPart *
maker_of_index(const ZdmDeferral *deferral, const AlterTableCmd *cmd)
{
	const char *name = cmd->subtype == AT_ClusterOn ? cmd->name :
		cmd->subtype == AT_ReplicaIdentity ? ((const ReplicaIdentityStmt *) cmd->def)->name : NULL;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, name ? deferral->parts : NIL)
	{
		ZdmPart    *part = lfirst(lc);

		if (part->phase == ZDM_PHASE_EXPAND)
			continue;
		if (part->claims == NIL)
			zdm_defer_add_claims(part);
		foreach(lc2, part->claims)
		{
			const ZdmClaim *claim = lfirst(lc2);

			if (strcmp(claim->action, "make") == 0 && strcmp(claim->kind, "relation") == 0 &&
				strcmp(claim->name, name) == 0)
				return part;
		}
	}
	return NULL;
}

/* Does the command add a constraint that waits for the drop of another one? */
static bool
awaits_drop(const ZdmDeferral *deferral, const AlterTableCmd *cmd)
{
	List	   *constraints = cmd->subtype == AT_AddConstraint ? list_make1(cmd->def) :
		cmd->subtype == AT_AddColumn ? castNode(ColumnDef, cmd->def)->constraints : NIL;
	ListCell   *lc;

	foreach(lc, constraints)
	{
		if (zdm_defer_awaits_drop(deferral, lfirst_node(Constraint, lc)))
			return true;
	}
	return false;
}

static bool
defer_command(ZdmDeferral *deferral, AlterTableCmd *cmd)
{
	ZdmVerdict	verdict = awaits_drop(deferral, cmd) ? ZDM_VERDICT_DEFER : verdict_on(deferral, cmd);
	const ZdmPart *maker = maker_of_index(deferral, cmd);
	ListCell   *lc;

	if (maker != NULL)
	{
		(void) zdm_defer_action(deferral, maker->phase, "%s",
								zdm_sql_action(deferral->ddl, (Node *) cmd));
		return true;
	}
	if (verdict <= ZDM_VERDICT_WARN)
		return run_now(deferral, cmd);
	foreach(lc, deferral->judgements)
	{
		const ZdmJudgement *judgement = lfirst(lc);
		ZdmDeferFunc defer = deferrer_function(judgement->hazard->rule);

		if (defer != NULL && judgement->verdict == ZDM_VERDICT_DEFER &&
			cmd->subtype != AT_AddColumn && zdm_plan_belongs_to(judgement->hazard, cmd))
			return defer(deferral, judgement->hazard);
	}
	return defer_by_default(deferral, cmd, verdict);
}

/* Does the statement take away what it makes anew under the same name? */
static bool
replaces_column(const AlterTableStmt *stmt)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, stmt->cmds)
	{
		const AlterTableCmd *drop = lfirst(lc);

		foreach(lc2, drop->subtype == AT_DropColumn ? stmt->cmds : NIL)
		{
			const AlterTableCmd *add = lfirst(lc2);

			if (add->subtype == AT_AddColumn &&
				strcmp(castNode(ColumnDef, add->def)->colname, drop->name) == 0)
				return true;
		}
	}
	return false;
}

static bool
defer_alter_table(ZdmDeferral *deferral, const AlterTableStmt *stmt)
{
	ZdmDdl		scratch = *deferral->ddl;
	ZdmPlan    *plan = deferral->plan;
	ListCell   *lc;

	plan->rel = ddl_rel(&scratch, stmt->relation, true);
	if (plan->rel == NULL || replaces_column(stmt))
		return false;
	zdm_plan_note_dropped(plan);
	zdm_defer_note_going(deferral);
	foreach(lc, zdm_plan_commands_by_pass(stmt))
	{
		if (!defer_command(deferral, lfirst(lc)))
			return false;
		flush_steps(deferral);
	}
	zdm_plan_make_step(plan, ZDM_PASS_COLUMN, plan->before_columns, plan->columns,
					   plan->after_columns);
	foreach(lc, plan->passes[ZDM_PASS_COLUMN])
		(void) add_part(deferral, ZDM_PHASE_EXPAND, ((ZdmStep *) lfirst(lc))->sql);
	return true;
}

/* CREATE INDEX, with the name that it gets */
static bool
defer_index(ZdmDeferral *deferral, const IndexStmt *stmt, ZdmPhase phase)
{
	ZdmDdl		scratch = *deferral->ddl;
	ZdmRel	   *rel = ddl_rel(&scratch, stmt->relation, true);
	ZdmNewIndex made;

	if (rel == NULL || !zdm_new_index(&made, stmt, deferral->ddl->sql))
		return false;
	made.taken = list_copy(deferral->ddl->reserved);
	deferral->plan->rel = rel;
	(void) add_part(deferral, phase,
					zdm_new_index_sql(&made, stmt->if_not_exists ? "IF NOT EXISTS " : "",
									  stmt->idxname ? stmt->idxname : zdm_new_index_name(&made, rel),
									  stmt->relation->inh ? "" : "ONLY ", rel));
	return true;
}

/* A statement of one part */
static bool
defer_simple(ZdmDeferral *deferral)
{
	ZdmPhase	phase = zdm_strictest(deferral->judgements) == ZDM_VERDICT_DEFER ?
		ZDM_PHASE_CONTRACT : ZDM_PHASE_MIGRATE;
	ListCell   *lc;

	foreach(lc, deferral->judgements)
	{
		const ZdmJudgement *judgement = lfirst(lc);
		ZdmDeferFunc defer = deferrer_function(judgement->hazard->rule);

		if (defer != NULL && judgement->verdict == ZDM_VERDICT_DEFER)
			return defer(deferral, judgement->hazard);
	}
	if (IsA(deferral->ddl->stmt, DropStmt) &&
		((const DropStmt *) deferral->ddl->stmt)->removeType == OBJECT_INDEX)
		return zdm_defer_drop_index(deferral, phase);
	if (IsA(deferral->ddl->stmt, IndexStmt))
		return defer_index(deferral, (const IndexStmt *) deferral->ddl->stmt, phase);
	(void) zdm_defer_statement(deferral, phase);
	return true;
}

/* The order in which the parts come: what takes away is last. */
static List *
parts_of_phase(List *parts, ZdmPhase phase)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, parts)
	{
		if (((ZdmPart *) lfirst(lc))->phase == phase)
			result = lappend(result, lfirst(lc));
	}
	return result;
}

/* Does the statement, sent by itself, need a plan? */
static bool
needs_plan(const ZdmDdl *ddl, bool *has_planner)
{
	bool		result = false;
	ListCell   *lc;

	*has_planner = true;
	foreach(lc, ddl->hazards)
	{
		const ZdmHazard *hazard = lfirst(lc);

		if (zdm_rules[hazard->rule].class != ZDM_CLASS_LOCK ||
			Min(zdm_guc_severity(hazard->rule), hazard->cap) != ZDM_SEVERITY_ERROR)
			continue;
		result = true;
		*has_planner &= zdm_plan_knows(hazard->rule);
	}
	return result;
}

ZdmPlan *
zdm_defer_plan(const ZdmDeferral *deferral, const ZdmPart *part, bool *feasible)
{
	List	   *stmts = raw_parser(part->sql, RAW_PARSE_DEFAULT);
	ZdmDdl	   *ddl = palloc0(sizeof(ZdmDdl));
	ZdmPlan    *plan;

	*feasible = true;
	ddl->stmt = linitial_node(RawStmt, stmts)->stmt;
	if (part->phase == ZDM_PHASE_EXPAND || list_length(stmts) != 1 ||
		!ddl_is_guarded(nodeTag(ddl->stmt)))
		return NULL;
	ddl->sql = ddl->query = part->sql;
	ddl->xact = palloc0(sizeof(ZdmXact));
	ddl->script = deferral->ddl->script;
	ddl->small_table = deferral->ddl->small_table;
	ddl_analyze(ddl);
	if (ddl->undefined != NULL || !needs_plan(ddl, feasible))
		return NULL;
	plan = zdm_plan(ddl);
	*feasible &= plan != NULL;
	return *feasible ? plan : NULL;
}

/* Of what is undone at once: rows that are in the way, or no longer fit */
static void
add_verify(const ZdmDeferral *deferral, ZdmPart *part)
{
	char	   *types = part->undo_sql == NULL ? NULL :
		zdm_undo_verify_types(deferral->ddl, part->undo_sql);

	zdm_defer_add_verify(deferral, part);
	if (types != NULL && part->verify_sql != NULL)
		part->verify_sql = psprintf("SELECT 'type' AS what FROM (%s) AS found UNION ALL SELECT 'constraint' FROM (%s) AS found",
									types, part->verify_sql);
	else if (types != NULL)
		part->verify_sql = types;
}

/* Of the undo of ATTACH PARTITION the catalogs tell more than its text. */
static bool
attaches(const Node *stmt)
{
	return IsA(stmt, AlterTableStmt) && list_length(((const AlterTableStmt *) stmt)->cmds) == 1 &&
		linitial_node(AlterTableCmd, ((const AlterTableStmt *) stmt)->cmds)->subtype == AT_AttachPartition;
}

/*
 * What takes a part back that runs after commit, as far as its own text does
 * not tell.  What only an earlier part makes goes with that.
 */
static void
add_undo(const ZdmDeferral *deferral, ZdmPart *part)
{
	List	   *stmts = raw_parser(part->sql, RAW_PARSE_DEFAULT);
	ZdmXact		xact = {0};
	ZdmDdl		ddl = {0};
	ZdmUndo		undo;

	ddl.stmt = linitial_node(RawStmt, stmts)->stmt;
	if (list_length(stmts) != 1 || !ddl_is_guarded(nodeTag(ddl.stmt)) || IsA(ddl.stmt, DropStmt) ||
		(part->undo_sql != NULL && !attaches(ddl.stmt)))
		return;
	ddl.sql = ddl.query = part->sql;
	ddl.xact = &xact;
	ddl.script = deferral->ddl->script;
	zdm_undo_statement(deferral->policy, &ddl, &undo);
	if (undo.sql != NULL)
		part->undo_sql = undo.sql;
	part->loss = undo.loss;
}

/* Complete what is known of a part; false if it could not be carried out. */
static bool
finish_part(const ZdmDeferral *deferral, ZdmPart *part)
{
	bool		feasible;
	ZdmPlan    *plan = zdm_defer_plan(deferral, part, &feasible);
	ListCell   *lc;

	if (plan == NULL)
		part->lock_mode = zdm_step_make(part->sql)->lock_mode;
	foreach(lc, plan ? plan->steps : NIL)
		part->lock_mode = Max(part->lock_mode, ((ZdmStep *) lfirst(lc))->lock_mode);
	if (part->claims == NIL && part->phase != ZDM_PHASE_EXPAND)
		zdm_defer_add_claims(part);
	if (part->phase == ZDM_PHASE_MIGRATE)
		add_undo(deferral, part);
	if (part->verify_sql == NULL && part->phase != ZDM_PHASE_MIGRATE)
		add_verify(deferral, part);
	return feasible;
}

ZdmDeferral *
zdm_defer(const ZdmPolicy *policy, const ZdmDdl *ddl, List *judgements)
{
	ZdmDeferral *deferral = palloc0(sizeof(ZdmDeferral));
	bool		deferred;
	ListCell   *lc;

	if (ddl->undefined != NULL || !zdm_plan_is_text_of(ddl->sql, ddl->stmt))
		return NULL;
	deferral->policy = policy;
	deferral->ddl = ddl;
	deferral->judgements = judgements;
	deferral->plan = palloc0(sizeof(ZdmPlan));
	deferral->plan->ddl = ddl;
	deferral->plan->plain = true;
	deferral->plan->phase_of = phase_of_constraint;
	deferral->plan->phase_arg = deferral;
	if (IsA(ddl->stmt, AlterTableStmt) &&
		(castNode(AlterTableStmt, ddl->stmt)->objtype == OBJECT_TABLE ||
		 castNode(AlterTableStmt, ddl->stmt)->objtype == OBJECT_FOREIGN_TABLE ||
		 castNode(AlterTableStmt, ddl->stmt)->objtype == OBJECT_MATVIEW))
		deferred = defer_alter_table(deferral, (const AlterTableStmt *) ddl->stmt);
	else
		deferred = defer_simple(deferral);
	if (!deferred)
		return NULL;

	deferral->parts = list_concat(list_concat(parts_of_phase(deferral->parts, ZDM_PHASE_EXPAND),
											  parts_of_phase(deferral->parts, ZDM_PHASE_MIGRATE)),
								  parts_of_phase(deferral->parts, ZDM_PHASE_CONTRACT));
	foreach(lc, deferral->parts)
	{
		if (!finish_part(deferral, lfirst(lc)))
			return NULL;
	}
	return deferral;
}

/* The relation that a statement names first, for its text to be kept right */
static ZdmRel *
relation_of(const ZdmDdl *ddl)
{
	ZdmDdl		scratch = *ddl;

	if (IsA(ddl->stmt, AlterTableStmt))
		return ddl_rel(&scratch, ((AlterTableStmt *) ddl->stmt)->relation, true);
	if (IsA(ddl->stmt, ViewStmt))
		return ddl_rel(&scratch, ((ViewStmt *) ddl->stmt)->view, true);
	return NULL;
}

ZdmPart *
zdm_defer_done(const ZdmPolicy *policy, const ZdmDdl *ddl)
{
	ZdmDeferral deferral = {policy, ddl};
	ZdmPlan		plan = {ddl};
	ZdmUndo		undo;
	ZdmPart    *part;

	if (!policy->defers || policy->mode != ZDM_MODE_ENFORCE || ddl->undefined != NULL)
		return NULL;
	zdm_undo_statement(policy, ddl, &undo);
	if ((undo.sql == NULL && undo.loss == NULL) || !zdm_plan_is_text_of(ddl->sql, ddl->stmt))
		return NULL;
	plan.rel = relation_of(ddl);
	deferral.plan = &plan;
	part = add_part(&deferral, ZDM_PHASE_EXPAND, zdm_sql_qualify(ddl));
	part->undo_sql = undo.sql;
	part->loss = undo.loss;
	add_verify(&deferral, part);
	return part;
}
