/*-------------------------------------------------------------------------
 *
 * claims_alter.c
 *	  What ALTER TABLE has to do with deferred steps.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "claims.h"
#include "guc.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "plan/advice.h"
#include "plan/defer.h"
#include "plan/plan.h"
#include "rehearse.h"
#include "rights.h"
#include "run/transaction.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "window/queue.h"

/* The table of an ALTER TABLE, while its commands are looked at */
typedef struct Alter
{
	ZdmConflict *conflict;
	const AlterTableStmt *stmt;
	Oid			relid;
	const char *nspname;
	const char *relname;
} Alter;

/* What a command does, as a statement of its own */
static void
analyze(ZdmDdl *ddl, char *sql)
{
	memset(ddl, 0, sizeof(ZdmDdl));
	ddl->stmt = linitial_node(RawStmt, raw_parser(sql, RAW_PARSE_DEFAULT))->stmt;
	ddl->sql = ddl->query = sql;
	ddl->xact = transaction_state();
	ddl->small_table = (int64) zdm_guc_small_table * 1024;
	ddl->in_block = true;
	ddl_analyze(ddl);
}

static ZdmVerdict
verdict_on(ZdmDdl *ddl)
{
	ZdmPolicy	policy = {0};
	ZdmPlan    *plan;
	struct ZdmDeferral *deferral;

	ddl->hazards = rights_filter(ddl);
	guard_policy(&policy);
	return zdm_strictest(zdm_judge(&policy, ddl, &plan, &deferral));
}

/* When would it run? */
static ZdmPhase
phase_by_verdict(char *sql)
{
	ZdmDdl		ddl;

	analyze(&ddl, sql);
	return verdict_on(&ddl) == ZDM_VERDICT_DEFER ? ZDM_PHASE_CONTRACT : ZDM_PHASE_MIGRATE;
}

static char *
head_of(const Alter *alter)
{
	return psprintf("ALTER TABLE %s%s", alter->stmt->relation->inh ? "" : "ONLY ",
					quote_qualified_identifier(alter->nspname, alter->relname));
}

/* The ADD FOREIGN KEY with the schema of the table that it references */
static char *
with_schema(char *sql, Oid target)
{
	const AlterTableStmt *stmt = castNode(AlterTableStmt,
										  linitial_node(RawStmt, raw_parser(sql, RAW_PARSE_DEFAULT))->stmt);
	const RangeVar *rv = castNode(Constraint, linitial_node(AlterTableCmd, stmt->cmds)->def)->pktable;

	if (rv->schemaname != NULL || rv->location < 0)
		return sql;
	return psprintf("%.*s%s.%s", rv->location, sql,
					quote_identifier(get_namespace_name(get_rel_namespace(target))),
					sql + rv->location);
}

/* The command alone, lined up behind a step */
static ZdmPart *
line_up(const Alter *alter, AlterTableCmd *cmd, const ZdmPending *pending, ZdmPhase phase)
{
	rehearse_check_owner(alter->relid);
	return claims_line_up(alter->conflict, pending, phase,
						  psprintf("%s %s", head_of(alter),
								   zdm_sql_action(&alter->conflict->ddl, (Node *) cmd)));
}

static void
add_target(ZdmPart *part, Oid relid)
{
	ZdmPlanTarget *target = palloc(sizeof(ZdmPlanTarget));
	ListCell   *lc;

	foreach(lc, part->targets)
	{
		if (((ZdmPlanTarget *) lfirst(lc))->relid == relid)
			return;
	}
	target->relid = relid;
	target->nspname = get_namespace_name(get_rel_namespace(relid));
	target->relname = get_rel_name(relid);
	part->targets = lcons(target, part->targets);
}

/* The text of ADD CONSTRAINT with a name */
static char *
named_action(const Alter *alter, AlterTableCmd *cmd, const char *name)
{
	return psprintf("ADD CONSTRAINT %s %s", quote_identifier(name),
					zdm_sql_skip(zdm_sql_action(&alter->conflict->ddl, (Node *) cmd), 1));
}

/* The name of an unnamed constraint, as the server or as zdm chooses it */
static char *
choose_name(const Alter *alter, const Constraint *con, List *reserved)
{
	ZdmDdl		scratch = alter->conflict->ddl;
	ZdmPlan		plan = {.ddl = &scratch};

	plan.rel = ddl_rel_by_oid(&scratch, alter->relid);
	plan.names = reserved;
	return plan.rel != NULL ? zdm_plan_name_constraint(&plan, plan.rel, con) : NULL;
}

/* A foreign key on a key that is queued */
static void
line_up_reference(const Alter *alter, AlterTableCmd *cmd, const ZdmPending *pending, Oid target)
{
	Constraint *con = castNode(Constraint, cmd->def);
	const char *name = con->conname ? con->conname : choose_name(alter, con, claims_reserved());
	char	   *action = con->conname ? zdm_sql_action(&alter->conflict->ddl, (Node *) cmd) :
		named_action(alter, cmd, name);
	ZdmPart    *part;
	ListCell   *lc;

	rehearse_check_owner(alter->relid);
	foreach(lc, con->fk_attrs)
	{
		if (get_attnum(alter->relid, strVal(lfirst(lc))) == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" referenced in foreign key constraint does not exist",
							strVal(lfirst(lc)))));
	}
	rehearse_check_reference(&alter->conflict->ddl, con);
	action = with_schema(psprintf("%s %s", head_of(alter), action), target);
	part = claims_line_up(alter->conflict, pending, phase_by_verdict(action), action);
	part->undo_sql = part->phase == ZDM_PHASE_CONTRACT ? NULL :
		psprintf("%s DROP CONSTRAINT IF EXISTS %s", head_of(alter), quote_identifier(name));
	add_target(part, target);
	add_target(part, alter->relid);
	claims_claim(part, "make", "constraint", NULL, alter->relid, name);
	foreach(lc, pending->claims)
	{
		const ZdmClaim *claim = lfirst(lc);

		if (strcmp(claim->action, "make") == 0)
			claims_claim(part, "change", claim->kind, claim->nspname, claim->relid, claim->name);
	}
}

/* The index that the step makes; NULL if it makes none, but renames one */
static const IndexStmt *
index_of(const ZdmPending *pending)
{
	const Node *stmt = linitial_node(RawStmt, pending->stmts)->stmt;

	return IsA(stmt, IndexStmt) ? (const IndexStmt *) stmt : NULL;
}

/* What the server asks of an index that is to become a constraint's */
static void
check_index(const Alter *alter, const char *name, const ZdmPending *pending)
{
	const IndexStmt *index = index_of(pending);
	const char *reason = NULL;
	ListCell   *lc;

	if (get_rel_relkind(alter->relid) == RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ALTER TABLE / ADD CONSTRAINT USING INDEX is not supported on partitioned tables")));
	if (index == NULL)
		return;
	if (claims_target_relid(pending, index->relation) != alter->relid)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" does not belong to table \"%s\"", name, alter->relname)));
	if (!index->unique)
		reason = psprintf("\"%s\" is not a unique index", name);
	foreach(lc, index->indexParams)
	{
		if (reason == NULL && lfirst_node(IndexElem, lc)->name == NULL)
			reason = psprintf("index \"%s\" contains expressions", name);
	}
	if (reason == NULL && index->whereClause != NULL)
		reason = psprintf("\"%s\" is a partial index", name);
	if (reason != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s", reason),
				 errdetail("Cannot create a primary key or unique constraint using such an index.")));
}

/* ADD CONSTRAINT ... USING an index that is queued */
static void
line_up_using(const Alter *alter, AlterTableCmd *cmd, const ZdmPending *pending)
{
	const Constraint *con = castNode(Constraint, cmd->def);
	const char *name = con->conname ? con->conname : con->indexname;
	ZdmPart    *part = line_up(alter, cmd, pending, pending->phase);

	claims_claim(part, "drop", "relation", alter->nspname, InvalidOid, con->indexname);
	claims_claim(part, "make", "constraint", NULL, alter->relid, name);
	claims_claim(part, "make", "relation", alter->nspname, InvalidOid, name);
	part->undo_sql = psprintf("%s DROP CONSTRAINT IF EXISTS %s", head_of(alter),
							  quote_identifier(name));
}

/* The step that makes an index of the table's schema which is not there yet */
static const ZdmPending *
queued_index(const Alter *alter, const char *name)
{
	Oid			nspoid = get_rel_namespace(alter->relid);
	const ZdmPending *pending;
	bool		is_made;

	if (name == NULL || OidIsValid(get_relname_relid(name, nspoid)))
		return NULL;
	pending = claims_on_relation(alter->conflict, alter->nspname, name, &is_made);
	return pending != NULL && is_made ? pending : NULL;
}

/* Likewise a constraint, which may take the place of one that is there */
static const ZdmPending *
queued_constraint(const Alter *alter, const char *name)
{
	bool		is_made;
	const ZdmPending *pending = claims_on_part(alter->conflict, "constraint", alter->relid, name,
											   &is_made);

	return pending != NULL && is_made ? pending : NULL;
}

/* An existing constraint that a step drops gives up its name. */
static bool
put_constraint_aside(const Alter *alter, const ZdmPending *pending, const char *name)
{
	const AlterTableStmt *stmt;
	const AlterTableCmd *cmd;
	Oid			nspoid = get_rel_namespace(alter->relid);
	ZdmAside   *aside;
	char	   *head = head_of(alter);

	if (list_length(pending->stmts) != 1 || pending->is_running ||
		!IsA(linitial_node(RawStmt, pending->stmts)->stmt, AlterTableStmt))
		return false;
	stmt = castNode(AlterTableStmt, linitial_node(RawStmt, pending->stmts)->stmt);
	cmd = linitial_node(AlterTableCmd, stmt->cmds);
	if (list_length(stmt->cmds) != 1 || cmd->subtype != AT_DropConstraint)
		return false;
	aside = palloc0(sizeof(ZdmAside));
	aside->pending = pending;
	aside->from = pstrdup(name);
	aside->to = claims_spare_name(name, nspoid);
	aside->sql = psprintf("%s DROP CONSTRAINT %s%s%s", head, cmd->missing_ok ? "IF EXISTS " : "",
						  quote_identifier(aside->to),
						  cmd->behavior == DROP_CASCADE ? " CASCADE" : "");
	aside->rename_sql = psprintf("ALTER TABLE %s RENAME CONSTRAINT %s TO %s",
								 quote_qualified_identifier(alter->nspname, alter->relname),
								 quote_identifier(name), quote_identifier(aside->to));
	aside->undo_sql = psprintf("ALTER TABLE %s RENAME CONSTRAINT %s TO %s",
							   quote_qualified_identifier(alter->nspname, alter->relname),
							   quote_identifier(aside->to), quote_identifier(name));
	alter->conflict->asides = lappend(alter->conflict->asides, aside);
	return true;
}

static void
meet_constraint_name(const Alter *alter, const Constraint *con)
{
	bool		is_index = con->contype == CONSTR_PRIMARY || con->contype == CONSTR_UNIQUE ||
		con->contype == CONSTR_EXCLUSION;
	const ZdmPending *pending;
	bool		is_made;

	if (con->conname == NULL)
		return;
	pending = claims_on_part(alter->conflict, "constraint", alter->relid, con->conname, &is_made);
	if (pending != NULL && is_made)
		ereport(ERROR,
				(errcode(is_index ? ERRCODE_DUPLICATE_TABLE : ERRCODE_DUPLICATE_OBJECT),
				 is_index ? errmsg("relation \"%s\" already exists", con->conname) :
				 errmsg("constraint \"%s\" for relation \"%s\" already exists",
						con->conname, alter->relname),
				 errdetail("%s", claims_describe(pending))));
	if (pending != NULL && !put_constraint_aside(alter, pending, con->conname) &&
		alter->conflict->not_before == NULL)
	{
		alter->conflict->not_before = pending;
		alter->conflict->not_before_what =
			psprintf("constraint \"%s\" cannot be made anew before the old one is dropped",
					 con->conname);
	}
	if (is_index && (con->indexname == NULL || strcmp(con->indexname, con->conname) != 0))
		(void) claims_check_new_relation(alter->conflict, alter->nspname, con->conname, false);
}

/* The step that drops the primary key of the table, or a column of it */
static const ZdmPending *
drop_of_primary_key(const Alter *alter)
{
	ZdmDdl		scratch = alter->conflict->ddl;
	ZdmRel	   *rel = ddl_rel_by_oid(&scratch, alter->relid);
	const ZdmConstraint *key;
	ListCell   *lc;
	ListCell   *lc2;

	scratch.going = queue_going();
	key = rel != NULL ? ddl_going_primary_key(&scratch, rel) : NULL;
	foreach(lc, key != NULL ? alter->conflict->pending : NIL)
	{
		foreach(lc2, ((ZdmPending *) lfirst(lc))->claims)
		{
			const ZdmClaim *claim = lfirst(lc2);

			if (strcmp(claim->action, "drop") != 0 || claim->relid != alter->relid)
				continue;
			if (strcmp(claim->kind, "constraint") == 0 ? strcmp(claim->name, key->name) == 0 :
				strcmp(claim->kind, "column") == 0 &&
				bms_is_member(get_attnum(alter->relid, claim->name), ddl_constraint_columns(key)))
				return lfirst(lc);
		}
	}
	return NULL;
}

/* As the server has it: one primary key is enough. */
static void
meet_primary_key(const Alter *alter)
{
	ListCell   *lc;

	alter->conflict->old_key = drop_of_primary_key(alter);
	foreach(lc, alter->conflict->pending)
	{
		if (!list_member_ptr(alter->conflict->cancels, lfirst(lc)) &&
			claims_makes_key(lfirst(lc), alter->relid, NIL))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
					 errmsg("multiple primary keys for table \"%s\" are not allowed",
							alter->relname),
					 errdetail("%s", claims_describe(lfirst(lc)))));
	}
}

/* ADD CONSTRAINT; false if it is lined up behind a step */
static bool
meet_constraint(const Alter *alter, AlterTableCmd *cmd)
{
	const Constraint *con = castNode(Constraint, cmd->def);
	ZdmConflict *conflict = alter->conflict;
	const ZdmPending *pending;
	Oid			target;

	meet_constraint_name(alter, con);
	if (con->contype == CONSTR_PRIMARY)
		meet_primary_key(alter);
	pending = queued_index(alter, con->indexname);
	if (pending != NULL)
	{
		check_index(alter, con->indexname, pending);
		line_up_using(alter, cmd, pending);
		return false;
	}
	claims_meet_columns(conflict, alter->relid, list_concat_copy(con->keys, con->including),
						"column \"%s\" named in key does not exist");
	if (con->raw_expr != NULL)
		claims_meet_columns(conflict, alter->relid, ddl_check_columns(con->raw_expr),
							"column \"%s\" does not exist");
	if (con->contype != CONSTR_FOREIGN)
		return true;

	claims_meet_columns(conflict, alter->relid, con->fk_attrs,
						"column \"%s\" referenced in foreign key constraint does not exist");
	target = RangeVarGetRelid(con->pktable, NoLock, true);
	claims_check_relation(conflict, target, con->pktable->relname);
	claims_meet_columns(conflict, target, con->pk_attrs,
						"column \"%s\" referenced in foreign key constraint does not exist");
	pending = claims_missing_key(conflict, target, con);
	if (pending == NULL)
		return true;
	line_up_reference(alter, cmd, pending, target);
	return false;
}

static bool
meet_add_column(const Alter *alter, const AlterTableCmd *cmd)
{
	const ColumnDef *def = castNode(ColumnDef, cmd->def);
	bool		is_made;
	const ZdmPending *pending = claims_on_part(alter->conflict, "column", alter->relid,
											   def->colname, &is_made);
	ListCell   *lc;

	if (pending != NULL && !is_made)
		claims_report(pending, psprintf("column \"%s\" of relation \"%s\" cannot be made anew before the old one is dropped",
										def->colname, alter->relname));
	foreach(lc, def->constraints)
	{
		const Constraint *con = lfirst_node(Constraint, lc);
		Oid			target;

		meet_constraint_name(alter, con);
		if (con->contype == CONSTR_PRIMARY)
			meet_primary_key(alter);
		if (con->contype != CONSTR_FOREIGN)
			continue;
		target = RangeVarGetRelid(con->pktable, NoLock, true);
		claims_check_relation(alter->conflict, target, con->pktable->relname);
		pending = claims_missing_key(alter->conflict, target, con);
		if (pending != NULL)
			claims_report(pending, psprintf("the unique constraint on referenced table \"%s\" is not there yet",
											con->pktable->relname));
	}
	return true;
}

static bool
meet_drop_column(const Alter *alter, const AlterTableCmd *cmd)
{
	bool		is_made;
	const ZdmPending *pending = claims_on_part(alter->conflict, "column", alter->relid,
											   cmd->name, &is_made);

	if (pending == NULL || is_made)
		return true;
	ereport(cmd->missing_ok ? NOTICE : ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 cmd->missing_ok ?
			 errmsg("column \"%s\" of relation \"%s\" does not exist, skipping",
					cmd->name, alter->relname) :
			 errmsg("column \"%s\" of relation \"%s\" does not exist", cmd->name, alter->relname),
			 errdetail("It is due for removal. %s", claims_describe(pending))));
	return false;
}

static bool
meet_drop_constraint(const Alter *alter, const AlterTableCmd *cmd)
{
	const ZdmPending *pending = queued_constraint(alter, cmd->name);
	bool		is_made;

	if (pending != NULL)
	{
		claims_cancel_made(alter->conflict, pending, cmd->behavior);
		return false;
	}
	pending = claims_on_part(alter->conflict, "constraint", alter->relid, cmd->name, &is_made);
	if (pending == NULL || is_made)
		return true;
	ereport(cmd->missing_ok ? NOTICE : ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 cmd->missing_ok ?
			 errmsg("constraint \"%s\" of relation \"%s\" does not exist, skipping",
					cmd->name, alter->relname) :
			 errmsg("constraint \"%s\" of relation \"%s\" does not exist",
					cmd->name, alter->relname),
			 errdetail("It is due for removal. %s", claims_describe(pending))));
	return false;
}

static bool
is_not_null(Oid relid, const char *column)
{
	HeapTuple	tuple = SearchSysCacheAttName(relid, column);
	bool		result = HeapTupleIsValid(tuple) &&
		((Form_pg_attribute) GETSTRUCT(tuple))->attnotnull;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return result;
}

/* SET and DROP NOT NULL; false if there is nothing to do any more */
static bool
meet_not_null(const Alter *alter, const AlterTableCmd *cmd)
{
	const ZdmPending *pending = claims_step_of_command(alter->conflict, alter->relid, AT_SetNotNull,
													   cmd->name);
	ListCell   *lc;

	if (cmd->subtype == AT_SetNotNull)
		return pending == NULL;
	foreach(lc, alter->conflict->pending)
	{
		if (claims_makes_key(lfirst(lc), alter->relid, NIL) &&
			claims_is_listed(claims_columns_of(lfirst(lc), alter->relid), cmd->name))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
					 errmsg("column \"%s\" is in a primary key", cmd->name),
					 errdetail("%s", claims_describe(lfirst(lc)))));
	}
	if (pending == NULL)
		return true;
	claims_cancel_made(alter->conflict, pending, DROP_RESTRICT);
	return is_not_null(alter->relid, cmd->name);
}

/*
 * DROP DEFAULT of a column that a step will have need a value, or this
 * statement while rows are filled: clients that leave it out need the default.
 */
static const ZdmPending *
needs_default(const Alter *alter, const AlterTableCmd *cmd, const ZdmPending *backfill)
{
	const ZdmPending *pending;

	if (cmd->def != NULL)
		return NULL;
	pending = claims_value_required_by(alter->conflict, alter->relid, cmd->name);
	if (pending == NULL && backfill != NULL &&
		claims_statement_requires_value(alter->conflict, alter->relid, alter->stmt, cmd->name))
		return backfill;
	return pending;
}

/* SET and DROP DEFAULT; false if it is lined up, or nothing to do any more */
static bool
meet_default(const Alter *alter, AlterTableCmd *cmd)
{
	const ZdmPending *backfill = claims_backfill_of(alter->conflict, alter->relid, cmd->name);
	const ZdmPending *pending;
	ZdmPart    *part;

	if (backfill != NULL && cmd->def != NULL)
		claims_report(backfill, psprintf("the default of column \"%s\" cannot change while rows are filled with it",
										 cmd->name));
	pending = claims_step_of_command(alter->conflict, alter->relid, AT_ColumnDefault, cmd->name);
	if (pending != NULL && cmd->def == NULL)
		return false;
	if (pending != NULL)
		claims_cancel_made(alter->conflict, pending, DROP_RESTRICT);
	pending = needs_default(alter, cmd, backfill);
	if (pending != NULL)
		part = line_up(alter, cmd, pending, ZDM_PHASE_CONTRACT);
	else if (backfill != NULL)
		part = line_up(alter, cmd, backfill,
					   phase_by_verdict(psprintf("%s %s", head_of(alter),
												 zdm_sql_action(&alter->conflict->ddl,
																(Node *) cmd))));
	else
		return true;
	claims_claim(part, "change", "column", NULL, alter->relid, cmd->name);
	return false;
}

/* A type that holds the same values: what is queued can be made of it as well. */
static bool
is_metadata_only(const Alter *alter, AlterTableCmd *cmd)
{
	ZdmDdl		ddl;

	analyze(&ddl, psprintf("%s %s", head_of(alter),
						   zdm_sql_action(&alter->conflict->ddl, (Node *) cmd)));
	return ddl.undefined == NULL && !ddl.rewrites && !ddl.scans &&
		verdict_on(&ddl) <= ZDM_VERDICT_WARN;
}

/* What is said of a queued index or constraint waits for it. */
static bool
meet_use(const Alter *alter, AlterTableCmd *cmd, const char *kind, const char *name,
		 const ZdmPending *pending)
{
	ZdmPart    *part;

	if (pending == NULL)
		return true;
	part = line_up(alter, cmd, pending, pending->phase);
	claims_claim(part, "change", kind, strcmp(kind, "relation") == 0 ? alter->nspname : NULL,
				 strcmp(kind, "relation") == 0 ? InvalidOid : alter->relid, name);
	return false;
}

/* Returns false if nothing of the command is left. */
static bool
meet_command(const Alter *alter, AlterTableCmd *cmd)
{
	const ZdmPending *pending;

	if (cmd->subtype != AT_DropColumn && claims_names_column(cmd))
		claims_meet_columns(alter->conflict, alter->relid, list_make1(makeString(cmd->name)),
							"column \"%s\" of relation \"%s\" does not exist");
	if (cmd->subtype == AT_SetNotNull || cmd->subtype == AT_AddConstraint)
		claims_keep_defaults(alter->conflict, alter->relid, cmd);
	claims_meet_attached(alter->conflict, alter->relid, cmd);
	switch (cmd->subtype)
	{
		case AT_AddColumn:
			return meet_add_column(alter, cmd);
		case AT_AddConstraint:
			return meet_constraint(alter, cmd);
		case AT_DropColumn:
			return meet_drop_column(alter, cmd);
		case AT_DropConstraint:
			return meet_drop_constraint(alter, cmd);
		case AT_SetNotNull:
		case AT_DropNotNull:
			return meet_not_null(alter, cmd);
		case AT_ColumnDefault:
			return meet_default(alter, cmd);
		case AT_AlterColumnType:
			if (is_metadata_only(alter, cmd))
				return true;
			/* fall through */
		case AT_AddIdentity:
		case AT_SetIdentity:
		case AT_DropIdentity:
			pending = claims_step_on_column(alter->conflict, alter->relid, cmd->name);
			if (pending != NULL)
				claims_report(pending, psprintf("column \"%s\" of relation \"%s\" has queued work",
												cmd->name, alter->relname));
			return true;
		case AT_ValidateConstraint:
			return meet_use(alter, cmd, "constraint", cmd->name,
							queued_constraint(alter, cmd->name));
		case AT_AlterConstraint:
			return meet_use(alter, cmd, "constraint", compat_alter_constraint(cmd->def).conname,
							queued_constraint(alter, compat_alter_constraint(cmd->def).conname));
		case AT_ChangeOwner:
			claims_meet_relation_owner(alter->conflict, alter->relid, cmd);
			return true;
		case AT_AttachPartition:
		case AT_DetachPartition:
		case AT_AddInherit:
		case AT_DropInherit:
			return claims_meet_membership(alter->conflict, alter->relid, cmd);
		case AT_DropCluster:
			claims_meet_index_mark(alter->conflict, alter->relid, cmd);
			return true;
		case AT_ClusterOn:
			claims_meet_index_mark(alter->conflict, alter->relid, cmd);
			return meet_use(alter, cmd, "relation", cmd->name, queued_index(alter, cmd->name));
		case AT_ReplicaIdentity:
			claims_meet_index_mark(alter->conflict, alter->relid, cmd);
			if (((ReplicaIdentityStmt *) cmd->def)->name == NULL)
				return true;
			return meet_use(alter, cmd, "relation", ((ReplicaIdentityStmt *) cmd->def)->name,
							queued_index(alter, ((ReplicaIdentityStmt *) cmd->def)->name));
		default:
			return true;
	}
}

/*
 * The server would choose a name that is reserved, as it does not know: so it
 * is told the next one.  NULL if its choice is right.
 */
static const char *
name_to_give(const Alter *alter, const AlterTableCmd *cmd)
{
	const Constraint *con;
	const char *chosen;
	const char *name;

	if (cmd->subtype != AT_AddConstraint)
		return NULL;
	con = castNode(Constraint, cmd->def);
	if (con->conname != NULL || con->indexname != NULL)
		return NULL;
	chosen = choose_name(alter, con, NIL);
	name = chosen ? choose_name(alter, con, claims_reserved()) : NULL;
	return name != NULL && strcmp(name, chosen) != 0 ? name : NULL;
}

/* The text of the statement with only these of its commands; "" without any */
static char *
text_with(const Alter *alter, List *cmds)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, cmds)
	{
		const char *name = name_to_give(alter, lfirst(lc));

		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "",
						 name ? named_action(alter, lfirst(lc), name) :
						 zdm_sql_action(&alter->conflict->ddl, lfirst(lc)));
	}
	return cmds == NIL ? "" : psprintf("%s %s", head_of(alter), buf.data);
}

void
claims_meet_alter_table(ZdmConflict *conflict, const AlterTableStmt *stmt)
{
	Alter		alter = {conflict, stmt};
	List	   *kept = NIL;
	bool		named = false;
	ListCell   *lc;

	if (stmt->objtype == OBJECT_INDEX)
	{
		claims_meet_alter_index(conflict, stmt);
		return;
	}
	alter.relid = RangeVarGetRelid(stmt->relation, NoLock, true);
	if (!OidIsValid(alter.relid) || stmt->objtype == OBJECT_TYPE)
		return;
	alter.nspname = get_namespace_name(get_rel_namespace(alter.relid));
	alter.relname = get_rel_name(alter.relid);
	claims_check_relation(conflict, alter.relid, stmt->relation->relname);
	foreach(lc, stmt->cmds)
	{
		if (meet_command(&alter, lfirst(lc)))
			kept = lappend(kept, lfirst(lc));
	}
	foreach(lc, kept)
		named |= name_to_give(&alter, lfirst(lc)) != NULL;
	if (named || list_length(kept) < list_length(stmt->cmds))
		conflict->left = text_with(&alter, kept);
}
