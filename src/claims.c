/*-------------------------------------------------------------------------
 *
 * claims.c
 *	  What a statement has to do with deferred steps that are not done yet.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "claims.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parser.h"
#include "plan/advice.h"
#include "plan/defer.h"
#include "plan/index_plan.h"
#include "rehearse.h"
#include "run/transaction.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* What the step is and when it will run, for a DETAIL. */
char *
claims_describe(const ZdmPending *pending)
{
	const char *window = claims_window_name(pending->window_id);

	return psprintf(pending->is_running ?
					"Step " INT64_FORMAT " of window \"%s\" is running now: %s" :
					pending->phase == ZDM_PHASE_CONTRACT ?
					"Step " INT64_FORMAT " of window \"%s\" runs when the window ends: %s" :
					"Step " INT64_FORMAT " of window \"%s\" is queued: %s",
					pending->id, window ? window : "", pending->sql);
}

/* What helps against the step. */
static char *
hint_for(const ZdmPending *pending)
{
	const char *window = claims_window_name(pending->window_id);

	if (pending->phase != ZDM_PHASE_CONTRACT)
		return pstrdup("CALL zdm_wait(); then send the statement again.");
	return psprintf("End the window first: SELECT zdm_end_window(%s); or give the step up: SELECT zdm_cancel(" INT64_FORMAT ");",
					quote_literal_cstr(window ? window : ""), pending->id);
}

void
claims_report(const ZdmPending *pending, const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_ZDM_QUEUED_WORK),
			 errmsg("%s", message),
			 errdetail("%s", claims_describe(pending)),
			 errhint("%s", hint_for(pending))));
}

/* Does the claim name the relation?  One that is there by its OID. */
static bool
is_relation(const ZdmClaim *claim, const char *nspname, const char *relname, Oid relid)
{
	if (strcmp(claim->kind, "relation") != 0)
		return false;
	if (strcmp(claim->action, "make") != 0 && OidIsValid(claim->relid))
		return claim->relid == relid;
	return claim->nspname != NULL && strcmp(claim->nspname, nspname) == 0 &&
		strcmp(claim->name, relname) == 0;
}

/* What a claim can be about: a relation if nspname is not NULL, else a part */
typedef struct Named
{
	const char *kind;
	const char *nspname;
	const char *name;
	Oid			relid;
} Named;

static bool
is_about(const ZdmClaim *claim, const Named *named)
{
	if (named->nspname != NULL)
		return is_relation(claim, named->nspname, named->name, named->relid);
	return strcmp(claim->kind, named->kind) == 0 && claim->relid == named->relid &&
		strcmp(claim->name, named->name) == 0;
}

/* The step that is the last to make or drop it; NULL if none does. */
static const ZdmPending *
last_step_on(const ZdmConflict *conflict, const Named *named, bool *is_made)
{
	const ZdmPending *result = NULL;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, conflict->pending)
	{
		const ZdmPending *pending = lfirst(lc);

		foreach(lc2, pending->claims)
		{
			const ZdmClaim *claim = lfirst(lc2);

			if (strcmp(claim->action, "change") == 0 ||
				list_member_ptr(conflict->cancels, pending) || !is_about(claim, named))
				continue;
			*is_made = strcmp(claim->action, "make") == 0;
			result = pending;
		}
	}
	return result;
}

/* By the name of a relation */
const ZdmPending *
claims_on_relation(const ZdmConflict *conflict, const char *nspname, const char *relname,
				   bool *is_made)
{
	Oid			nspoid = get_namespace_oid(nspname, true);
	Oid			relid = OidIsValid(nspoid) ? get_relname_relid(relname, nspoid) : InvalidOid;
	Named		named = {"relation", nspname, relname, relid};

	return last_step_on(conflict, &named, is_made);
}

/* Likewise a column or constraint of a relation */
const ZdmPending *
claims_on_part(const ZdmConflict *conflict, const char *kind, Oid relid, const char *name,
			   bool *is_made)
{
	Named		named = {kind, NULL, name, relid};

	return last_step_on(conflict, &named, is_made);
}

/* Does the step leave the relation where it is, under another name? */
bool
claims_renames(const ZdmPending *pending)
{
	ListCell   *lc;

	foreach(lc, pending->stmts)
	{
		const Node *stmt = lfirst_node(RawStmt, lc)->stmt;

		if (IsA(stmt, AlterObjectSchemaStmt) ||
			(IsA(stmt, RenameStmt) && ((const RenameStmt *) stmt)->renameType != OBJECT_INDEX))
			return true;
	}
	return false;
}

/* DDL on a relation that is to be dropped: to its author it is gone. */
void
claims_check_relation(const ZdmConflict *conflict, Oid relid, const char *relname)
{
	const ZdmPending *pending;
	bool		is_made;

	if (!OidIsValid(relid))
		return;
	pending = claims_on_relation(conflict, get_namespace_name(get_rel_namespace(relid)),
								 get_rel_name(relid), &is_made);
	if (pending != NULL && !is_made && !claims_renames(pending))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s\" does not exist", relname),
				 errdetail("It is due for removal. %s", claims_describe(pending))));
}

/* A name for the time until a step drops what has it */
char *
claims_spare_name(const char *name, Oid nspoid)
{
	for (int pass = 0;; pass++)
	{
		char		label[NAMEDATALEN];
		char	   *spare;

		CHECK_FOR_INTERRUPTS();
		snprintf(label, sizeof(label), pass == 0 ? "old" : "old%d", pass);
		spare = makeObjectName(name, NULL, label);
		if (!OidIsValid(get_relname_relid(spare, nspoid)) && !ConstraintNameExists(spare, nspoid))
			return spare;
	}
}

/* Is the table's constraint, and so its index, one that is put aside already? */
static bool
is_put_aside(const ZdmConflict *conflict, const ZdmPending *pending)
{
	ListCell   *lc;

	foreach(lc, conflict->asides)
	{
		if (((ZdmAside *) lfirst(lc))->pending == pending)
			return true;
	}
	return false;
}

/*
 * The statement makes a relation.  Returns false if it does not, as IF NOT
 * EXISTS finds it made.
 */
bool
claims_check_new_relation(ZdmConflict *conflict, const char *nspname, const char *relname,
						  bool if_not_exists)
{
	bool		is_made;
	const ZdmPending *pending = claims_on_object(conflict, "schema", quote_identifier(nspname));

	if (pending != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("schema \"%s\" does not exist", nspname),
				 errdetail("It is due for removal. %s", claims_describe(pending))));
	pending = claims_on_relation(conflict, nspname, relname, &is_made);
	if (pending == NULL)
		return true;
	if (is_made && if_not_exists)
	{
		ereport(NOTICE,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("relation \"%s\" already exists, skipping", relname),
				 errdetail("%s", claims_describe(pending))));
		return false;
	}
	if (is_made)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("relation \"%s\" already exists", relname),
				 errdetail("%s", claims_describe(pending))));
	if (!is_put_aside(conflict, pending) && conflict->not_before == NULL)
	{
		conflict->not_before = pending;
		conflict->not_before_what =
			psprintf(claims_renames(pending) ?
					 "the name \"%s\" is not free before the relation that has it is renamed" :
					 "relation \"%s\" cannot be made anew before the old one is dropped", relname);
	}
	return true;
}

void
claims_claim(ZdmPart *part, const char *action, const char *kind, const char *nspname,
			 Oid relid, const char *name)
{
	zdm_defer_claim(part, action, kind, nspname, relid, name);
}

/* Whose is the table that the step works on? */
void
claims_check_owner(const ZdmPending *pending)
{
	Oid			relid = pending->targets != NIL ?
		((ZdmPlanTarget *) linitial(pending->targets))->relid : InvalidOid;

	if (OidIsValid(relid))
		rehearse_check_owner(relid);
}

/* A part that comes after a step, and so on the same relations */
ZdmPart *
claims_line_up(ZdmConflict *conflict, const ZdmPending *pending, ZdmPhase phase, char *sql)
{
	ZdmPart    *part = palloc0(sizeof(ZdmPart));

	part->phase = Max(phase, pending->phase);
	part->sql = sql;
	part->targets = list_copy(pending->targets);
	conflict->behind = lappend(conflict->behind, part);
	conflict->window_id = pending->window_id;
	return part;
}

static bool
same_object(const ZdmClaim *a, const ZdmClaim *b)
{
	if (strcmp(a->kind, b->kind) != 0 || strcmp(a->name, b->name) != 0)
		return false;
	return a->nspname != NULL && b->nspname != NULL ?
		strcmp(a->nspname, b->nspname) == 0 : a->relid == b->relid;
}

/* Has the step a claim of that action on the object? */
static bool
has_claim(const ZdmPending *pending, const char *action, const ZdmClaim *wanted)
{
	ListCell   *lc;

	foreach(lc, pending->claims)
	{
		const ZdmClaim *claim = lfirst(lc);

		if ((action == NULL || strcmp(claim->action, action) == 0) && same_object(claim, wanted))
			return true;
	}
	return false;
}

static void
add_cancel(ZdmConflict *conflict, const ZdmPending *pending)
{
	claims_check_owner(pending);
	if (pending->is_running)
		claims_report(pending, "cannot cancel a step that is running");
	conflict->cancels = lappend(conflict->cancels, unconstify(ZdmPending *, pending));
}

/* Does the step do nothing but to name what that one makes? */
static bool
only_changes(const ZdmPending *pending, const ZdmPending *maker)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, pending->claims)
	{
		const ZdmClaim *claim = lfirst(lc);
		bool		is_makers = false;

		foreach(lc2, maker->claims)
			is_makers |= same_object(claim, lfirst(lc2));
		if (!is_makers && strcmp(claim->action, "make") != 0)
			return false;
		if (!is_makers && !has_claim(pending, "drop", linitial(maker->claims)))
			return false;		/* it makes another thing, which needs this */
	}
	return true;
}

/*
 * What the step makes is dropped: it does not come into being.  Steps that are
 * about it go too, and those that made what it would have taken over.
 */
void
claims_cancel_made(ZdmConflict *conflict, const ZdmPending *pending, DropBehavior behavior)
{
	bool		is_later = false;
	ListCell   *lc;
	ListCell   *lc2;

	if (list_member_ptr(conflict->cancels, pending))
		return;
	add_cancel(conflict, pending);
	foreach(lc, conflict->pending)
	{
		const ZdmPending *other = lfirst(lc);

		is_later |= other == pending;
		foreach(lc2, pending->claims)
		{
			const ZdmClaim *claim = lfirst(lc2);

			if (other == pending || list_member_ptr(conflict->cancels, other))
				break;
			if (!is_later && strcmp(claim->action, "drop") == 0 && has_claim(other, "make", claim))
				claims_cancel_made(conflict, other, behavior);
			else if (is_later && strcmp(claim->action, "make") == 0 &&
					 has_claim(other, NULL, claim) && !has_claim(other, "make", claim))
			{
				if (!only_changes(other, pending) && behavior == DROP_RESTRICT)
					ereport(ERROR,
							(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
							 errmsg("cannot drop %s %s because other objects depend on it",
									strcmp(claim->kind, "relation") == 0 ? "index" : claim->kind,
									claim->name),
							 errdetail("%s", claims_describe(other)),
							 errhint("Use DROP ... CASCADE to drop the dependent objects too.")));
				claims_cancel_made(conflict, other, behavior);
			}
		}
	}
}

/* The schema that a new relation will be in; NULL if that does not matter */
static const char *
creation_schema(const RangeVar *rv)
{
	List	   *path;

	if (rv->relpersistence == RELPERSISTENCE_TEMP)
		return NULL;
	if (rv->schemaname != NULL)
		return rv->schemaname;
	path = fetch_search_path(false);
	return path != NIL ? get_namespace_name(linitial_oid(path)) : NULL;
}

static void
meet_new_relation(ZdmConflict *conflict, const RangeVar *rv, bool if_not_exists)
{
	const char *nspname = creation_schema(rv);

	if (nspname != NULL &&
		!claims_check_new_relation(conflict, nspname, rv->relname, if_not_exists))
		conflict->left = "";
}

/*
 * The server would choose a name that is reserved, as it does not know: so it
 * is told the next one.
 */
static void
name_index(ZdmConflict *conflict, const IndexStmt *stmt, Oid relid)
{
	ZdmDdl		scratch = conflict->ddl;
	ZdmRel	   *rel = ddl_rel_by_oid(&scratch, relid);
	ZdmNewIndex made;
	const char *chosen;
	const char *name;

	if (rel == NULL || !zdm_new_index(&made, stmt, conflict->ddl.sql))
		return;
	chosen = zdm_new_index_name(&made, rel);
	made.taken = claims_reserved();
	name = zdm_new_index_name(&made, rel);
	if (strcmp(name, chosen) != 0)
		conflict->left = zdm_sql_insert_after(conflict->ddl.sql,
											  stmt->concurrent ? "concurrently" : "index",
											  quote_identifier(name));
}

static void
meet_index(ZdmConflict *conflict, const IndexStmt *stmt)
{
	Oid			relid = RangeVarGetRelid(stmt->relation, NoLock, true);

	if (!OidIsValid(relid))
		return;
	claims_check_relation(conflict, relid, stmt->relation->relname);
	claims_meet_columns(conflict, relid, claims_index_columns(stmt), "column \"%s\" does not exist");
	if (stmt->idxname == NULL)
		name_index(conflict, stmt, relid);
	else if (!claims_check_new_relation(conflict, get_namespace_name(get_rel_namespace(relid)),
										stmt->idxname, stmt->if_not_exists))
		conflict->left = "";
}

/* A foreign key of a new table cannot be split off. */
static void
meet_reference(const ZdmConflict *conflict, const Constraint *con)
{
	Oid			relid;
	const ZdmPending *pending;

	if (con->contype != CONSTR_FOREIGN)
		return;
	relid = RangeVarGetRelid(con->pktable, NoLock, true);
	claims_check_relation(conflict, relid, con->pktable->relname);
	claims_meet_columns(conflict, relid, con->pk_attrs,
						"column \"%s\" referenced in foreign key constraint does not exist");
	pending = claims_missing_key(conflict, relid, con);
	if (pending != NULL)
		claims_report(pending, psprintf("the unique constraint on referenced table \"%s\" is not there yet",
										con->pktable->relname));
}

static void
meet_create_table(ZdmConflict *conflict, const CreateStmt *stmt)
{
	const char *nspname = creation_schema(stmt->relation);
	ListCell   *lc;
	ListCell   *lc2;

	meet_new_relation(conflict, stmt->relation, stmt->if_not_exists);
	if (stmt->if_not_exists && nspname != NULL &&
		OidIsValid(get_relname_relid(stmt->relation->relname, get_namespace_oid(nspname, true))))
		return;
	claims_meet_parents(conflict, stmt);
	foreach(lc, list_concat_copy(stmt->tableElts, stmt->constraints))
	{
		Node	   *element = lfirst(lc);
		List	   *constraints = IsA(element, ColumnDef) ? ((ColumnDef *) element)->constraints :
			IsA(element, Constraint) ? list_make1(element) : NIL;

		if (IsA(element, TableLikeClause))
			claims_meet_like(conflict, (TableLikeClause *) element);
		foreach(lc2, constraints)
		{
			const Constraint *con = lfirst_node(Constraint, lc2);

			meet_reference(conflict, con);
			if (con->conname != NULL && nspname != NULL &&
				(con->contype == CONSTR_UNIQUE || con->contype == CONSTR_PRIMARY ||
				 con->contype == CONSTR_EXCLUSION))
				(void) claims_check_new_relation(conflict, nspname, con->conname, false);
		}
	}
}

/* CLUSTER, REINDEX of what is not there yet */
static void
meet_use_of_index(const ZdmConflict *conflict, const RangeVar *rv)
{
	const ZdmPending *pending;
	const char *nspname = creation_schema(rv);
	bool		is_made;

	if (nspname == NULL || OidIsValid(RangeVarGetRelid(rv, NoLock, true)))
		return;
	pending = claims_on_relation(conflict, nspname, rv->relname, &is_made);
	if (pending != NULL && is_made)
		claims_report(pending, psprintf("\"%s\" is not there yet", rv->relname));
}

static char *
identity_of(const List *names)
{
	RangeVar   *rv = makeRangeVarFromNameList(unconstify(List *, names));
	const char *nspname = creation_schema(rv);

	return quote_qualified_identifier(nspname, rv->relname);
}

static void
meet(ZdmConflict *conflict, Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_IndexStmt:
			meet_index(conflict, (IndexStmt *) stmt);
			break;
		case T_CreateStmt:
		case T_CreateForeignTableStmt:	/* starts with a CreateStmt */
			meet_create_table(conflict, (CreateStmt *) stmt);
			break;
		case T_CreateTableAsStmt:
			meet_new_relation(conflict, ((CreateTableAsStmt *) stmt)->into->rel,
							  ((CreateTableAsStmt *) stmt)->if_not_exists);
			claims_meet_table_as(conflict);
			break;
		case T_CreateSeqStmt:
			meet_new_relation(conflict, ((CreateSeqStmt *) stmt)->sequence,
							  ((CreateSeqStmt *) stmt)->if_not_exists);
			break;
		case T_ViewStmt:
			claims_meet_view(conflict, (ViewStmt *) stmt);
			break;
		case T_CompositeTypeStmt:
			meet_new_relation(conflict, ((CompositeTypeStmt *) stmt)->typevar, false);
			claims_meet_object(conflict, "type",
							   quote_qualified_identifier(creation_schema(((CompositeTypeStmt *) stmt)->typevar),
														  ((CompositeTypeStmt *) stmt)->typevar->relname));
			break;
		case T_CreateEnumStmt:
			claims_meet_object(conflict, "type", identity_of(((CreateEnumStmt *) stmt)->typeName));
			break;
		case T_CreateRangeStmt:
			claims_meet_object(conflict, "type", identity_of(((CreateRangeStmt *) stmt)->typeName));
			break;
		case T_CreateDomainStmt:
			claims_meet_object(conflict, "type",
							   identity_of(((CreateDomainStmt *) stmt)->domainname));
			break;
		case T_CreateSchemaStmt:
			if (((CreateSchemaStmt *) stmt)->schemaname != NULL)
				claims_meet_object(conflict, "schema",
								   quote_identifier(((CreateSchemaStmt *) stmt)->schemaname));
			break;
		case T_CreateFunctionStmt:
			claims_meet_function(conflict, (CreateFunctionStmt *) stmt);
			break;
		case T_DropStmt:
			claims_meet_drop(conflict, (DropStmt *) stmt);
			break;
		case T_AlterTableStmt:
			claims_meet_alter_table(conflict, (AlterTableStmt *) stmt);
			break;
		case T_AlterDomainStmt:
			claims_meet_domain(conflict, (AlterDomainStmt *) stmt);
			break;
		case T_AlterOwnerStmt:
			claims_meet_owner(conflict, (AlterOwnerStmt *) stmt);
			break;
		case T_RenameStmt:
			claims_meet_rename(conflict, (RenameStmt *) stmt);
			break;
		case T_CommentStmt:
			claims_meet_comment(conflict, (CommentStmt *) stmt);
			break;
		case T_ReindexStmt:
			if (((ReindexStmt *) stmt)->kind == REINDEX_OBJECT_INDEX)
				meet_use_of_index(conflict, ((ReindexStmt *) stmt)->relation);
			break;
		case T_ClusterStmt:
			if (((ClusterStmt *) stmt)->indexname != NULL)
			{
				RangeVar   *index = copyObject(((ClusterStmt *) stmt)->relation);

				index->relname = ((ClusterStmt *) stmt)->indexname;
				meet_use_of_index(conflict, index);
			}
			break;
		case T_CreateTrigStmt:
			claims_check_relation(conflict,
								  RangeVarGetRelid(((CreateTrigStmt *) stmt)->relation, NoLock, true),
								  ((CreateTrigStmt *) stmt)->relation->relname);
			claims_meet_trigger(conflict, (CreateTrigStmt *) stmt);
			break;
		case T_RuleStmt:
			claims_meet_rule(conflict, (RuleStmt *) stmt);
			break;
		case T_CreatePolicyStmt:
			claims_meet_policy(conflict, (CreatePolicyStmt *) stmt);
			break;
		case T_GrantStmt:
		case T_GrantRoleStmt:
			claims_meet_grant(conflict, stmt);
			break;
		default:
			break;
	}
}

/* What is left of the statement takes its place. */
static void
replace_statement(ZdmUtility *utility, const char *sql)
{
	RawStmt    *raw = linitial_node(RawStmt, raw_parser(sql, RAW_PARSE_DEFAULT));
	PlannedStmt *pstmt = makeNode(PlannedStmt);

	*pstmt = *utility->pstmt;
	pstmt->utilityStmt = raw->stmt;
	pstmt->stmt_location = 0;
	pstmt->stmt_len = 0;
	utility->pstmt = pstmt;
	utility->query = sql;
	utility->read_only_tree = false;
}

/* With their SQL parsed, and what goes with what they drop */
List *
claims_parsed_pending(void)
{
	List	   *result = claims_pending();
	ListCell   *lc;

	foreach(lc, result)
	{
		ZdmPending *pending = lfirst(lc);

		pending->stmts = raw_parser(pending->sql, RAW_PARSE_DEFAULT);
	}
	claims_add_parts(result);
	return result;
}

ZdmConflict *
claims_find_among(ZdmUtility *utility, List *pending)
{
	ZdmConflict *conflict;
	Node	   *stmt = utility->pstmt->utilityStmt;

	if (pending == NIL)
		return NULL;
	conflict = palloc0(sizeof(ZdmConflict));
	conflict->pending = pending;
	conflict->redirected = utility->redirected;
	conflict->ddl.stmt = stmt;
	conflict->ddl.sql = guard_statement_text(utility->pstmt, utility->query);
	conflict->ddl.query = utility->query;
	conflict->ddl.xact = transaction_state();
	conflict->ddl.command = GetCommandTagName(CreateCommandTag(stmt));
	claims_check_made_tables(conflict, stmt);
	if (claims_finds_none(conflict, stmt))
		conflict->left = "";
	else
		meet(conflict, stmt);
	if (conflict->left == NULL && conflict->cancels == NIL && conflict->behind == NIL &&
		conflict->asides == NIL && conflict->copied == NIL && conflict->not_before == NULL &&
		conflict->old_key == NULL && conflict->kept == NIL)
		return NULL;
	if (conflict->left != NULL && *conflict->left != '\0')
		replace_statement(utility, conflict->left);
	return conflict;
}

ZdmConflict *
claims_find(ZdmUtility *utility)
{
	return claims_find_among(utility, claims_parsed_pending());
}

bool
claims_are_all(const ZdmConflict *conflict)
{
	return conflict->left != NULL && *conflict->left == '\0';
}
