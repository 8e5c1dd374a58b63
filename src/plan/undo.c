/*-------------------------------------------------------------------------
 *
 * undo.c
 *	  What takes back a statement that runs at once.
 *
 * Of what is changed or taken away by a statement that no client of the old
 * version minds; so that a window which is given up leaves the schema as it
 * was.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "commands/comment.h"
#include "commands/defrem.h"
#include "commands/tablespace.h"
#include "guc.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parser.h"
#include "plan/advice.h"
#include "plan/undo.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

/* By a search path in which nothing of a user is found without its schema. */
char *
zdm_undo_definition(Oid function, Oid object)
{
	int			nestlevel = NewGUCNestLevel();
	char	   *result;

	(void) set_config_option("search_path", "pg_catalog", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	result = TextDatumGetCString(OidFunctionCall1(function, ObjectIdGetDatum(object)));
	AtEOXact_GUC(true, nestlevel);
	return result;
}

char *
zdm_constraint_definition(Oid conoid)
{
	return zdm_undo_definition(F_PG_GET_CONSTRAINTDEF_OID, conoid);
}

char *
zdm_undo_expression(const ZdmRel *rel, Node *expr)
{
	int			nestlevel = NewGUCNestLevel();
	char	   *result;

	(void) set_config_option("search_path", "pg_catalog", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	result = deparse_expression(expr, deparse_context_for(rel->relname, rel->relid), false, false);
	AtEOXact_GUC(true, nestlevel);
	return result;
}

/* The function, procedure or aggregate of that name and parameters, if it is there */
static bool
find_routine(const ZdmDdl *ddl, ObjectType type, List *name, List *parameters,
			 ObjectAddress *address)
{
	ZdmDdl		scratch = *ddl;
	ObjectWithArgs *function = makeNode(ObjectWithArgs);
	ListCell   *lc;

	function->objname = name;
	foreach(lc, parameters)
	{
		const FunctionParameter *parameter = lfirst_node(FunctionParameter, lc);

		if (parameter->mode != FUNC_PARAM_OUT && parameter->mode != FUNC_PARAM_TABLE)
			function->objargs = lappend(function->objargs, parameter->argType);
	}
	return ddl_object(&scratch, type, (Node *) function, true, address) &&
		!ddl_object_is_exempt(address);
}

/* CREATE OR REPLACE FUNCTION, of one that is there */
static char *
undo_replace_function(const ZdmDdl *ddl, const CreateFunctionStmt *stmt)
{
	ObjectAddress address;

	if (!stmt->replace ||
		!find_routine(ddl, stmt->is_procedure ? OBJECT_PROCEDURE : OBJECT_FUNCTION,
					  stmt->funcname, stmt->parameters, &address))
		return NULL;
	return zdm_sql_trim(zdm_undo_definition(F_PG_GET_FUNCTIONDEF, address.objectId));
}

/* ALTER FUNCTION: its definition has all that this changes */
static void
undo_alter_function(const ZdmPolicy *policy, const ZdmDdl *ddl, const AlterFunctionStmt *stmt,
					ZdmUndo *undo)
{
	ZdmDdl		scratch = *ddl;
	ObjectAddress address;

	if (!ddl_object(&scratch, stmt->objtype, (Node *) stmt->func, true, &address) ||
		ddl_object_is_exempt(&address) || zdm_undo_goes_itself(policy, &address))
		return;
	undo->sql = zdm_sql_trim(zdm_undo_definition(F_PG_GET_FUNCTIONDEF, address.objectId));
}

/* CREATE OR REPLACE TRIGGER, RULE, of one that the relation has */
static char *
undo_replace_part(const ZdmDdl *ddl, const RangeVar *rv, ObjectType type, const char *name,
				  Oid function)
{
	ZdmDdl		scratch = *ddl;
	ZdmRel	   *rel = ddl_rel(&scratch, rv, true);
	Oid			part;

	if (rel == NULL || rel->is_exempt)
		return NULL;
	part = ddl_rel_part_oid(rel, type, name);
	if (!OidIsValid(part))
		return NULL;
	return zdm_sql_insert_after(zdm_undo_definition(function, part), "create", "OR REPLACE");
}

/* What a COMMENT is on; false if it is shared by all databases, or not there */
static bool
commented_object(const ZdmDdl *ddl, const CommentStmt *stmt, ObjectAddress *address)
{
	ZdmDdl		scratch = *ddl;
	List	   *names;
	ZdmRel	   *rel;

	switch (stmt->objtype)
	{
		case OBJECT_DATABASE:
		case OBJECT_ROLE:
		case OBJECT_TABLESPACE:
			return false;
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_INDEX:
		case OBJECT_SEQUENCE:
		case OBJECT_FOREIGN_TABLE:
			rel = ddl_rel_by_names(&scratch, castNode(List, stmt->object), true);
			if (rel == NULL || rel->is_exempt || !OidIsValid(rel->relid))
				return false;
			ObjectAddressSet(*address, RelationRelationId, rel->relid);
			return true;
		case OBJECT_COLUMN:
			names = castNode(List, stmt->object);
			rel = ddl_rel_by_names(&scratch, list_truncate(list_copy(names), list_length(names) - 1),
								   true);
			if (rel == NULL || rel->is_exempt || !OidIsValid(rel->relid))
				return false;
			ObjectAddressSubSet(*address, RelationRelationId, rel->relid,
								get_attnum(rel->relid, strVal(llast(names))));
			return address->objectSubId > 0;
		default:
			return ddl_object(&scratch, stmt->objtype, stmt->object, true, address) &&
				!ddl_object_is_exempt(address);
	}
}

bool
zdm_undo_goes_itself(const ZdmPolicy *policy, const ObjectAddress *object)
{
	ObjectAddress whole = *object;

	if (!policy->knows_births)
		return false;
	whole.objectSubId = 0;
	return policy->is_born(policy->window_id, object) ||
		policy->is_born(policy->window_id, &whole);
}

static char *
undo_comment(const ZdmPolicy *policy, const ZdmDdl *ddl, const CommentStmt *stmt)
{
	ObjectAddress address;
	char	   *object = zdm_sql_until(ddl->sql, "is");
	char	   *comment;

	if (object == NULL || !commented_object(ddl, stmt, &address) ||
		zdm_undo_goes_itself(policy, &address))
		return NULL;
	comment = GetComment(address.objectId, address.classId, address.objectSubId);
	return psprintf("%s IS %s", object, comment ? quote_literal_cstr(comment) : "NULL");
}

/* The tablespace in which the relation has its files; NULL: it has none */
static char *
tablespace_name(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			tablespace;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	tablespace = ((Form_pg_class) GETSTRUCT(tuple))->reltablespace;
	ReleaseSysCache(tuple);
	return get_tablespace_name(OidIsValid(tablespace) ? tablespace : MyDatabaseTableSpace);
}

/* The tablespace that REINDEX names, or NULL */
static const char *
new_tablespace(const ReindexStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->params)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, "tablespace") == 0)
			return defGetString(option);
	}
	return NULL;
}

/* REINDEX (TABLESPACE ...): an index goes back to where it was. */
static void
undo_reindex(const ZdmPolicy *policy, const ZdmDdl *ddl, const ReindexStmt *stmt, ZdmUndo *undo)
{
	const char *after = new_tablespace(stmt);
	ZdmDdl		scratch = *ddl;
	ZdmRel	   *rel = after && stmt->relation ? ddl_rel(&scratch, stmt->relation, true) : NULL;
	ObjectAddress object;
	char	   *before;

	if (after == NULL)
		return;
	undo->loss = "the indexes stay in the new tablespace";
	if (rel == NULL)
		return;
	ObjectAddressSet(object, RelationRelationId, rel->relid);
	if (rel->is_exempt || zdm_undo_goes_itself(policy, &object))
		undo->loss = NULL;
	if (rel->relkind != RELKIND_INDEX || undo->loss == NULL)
		return;
	before = tablespace_name(rel->relid);
	undo->loss = NULL;
	if (before != NULL && strcmp(before, after) != 0)
		undo->sql = psprintf("REINDEX (TABLESPACE %s) INDEX %s", quote_identifier(before),
							 ddl_rel_qualified(rel));
}

/* ALTER DOMAIN ... VALIDATE CONSTRAINT */
static void
undo_alter_domain(const ZdmPolicy *policy, const ZdmDdl *ddl, const AlterDomainStmt *stmt,
				  ZdmUndo *undo)
{
	ZdmDdl		scratch = *ddl;
	ObjectAddress object;
	char	   *domain;
	Oid			conoid;

	if (stmt->subtype == 'C' ||
		!ddl_object(&scratch, OBJECT_DOMAIN, (Node *) makeTypeNameFromNameList(stmt->typeName), true,
					&object) ||
		ddl_object_is_exempt(&object) || zdm_undo_goes_itself(policy, &object))
		return;					/* a new constraint goes by itself */
	domain = getObjectIdentity(&object, false);
	conoid = stmt->name ? get_domain_constraint_oid(object.objectId, stmt->name, true) : InvalidOid;
	if (stmt->subtype == 'V' && OidIsValid(conoid))
	{
		char	   *definition = zdm_constraint_definition(conoid);

		if (zdm_sql_until(psprintf("%s now", definition), "valid") != NULL)
			undo->sql = psprintf("ALTER DOMAIN %s DROP CONSTRAINT %s; ALTER DOMAIN %s ADD CONSTRAINT %s %s",
								 domain, quote_identifier(stmt->name), domain,
								 quote_identifier(stmt->name), definition);
	}
	else if (stmt->subtype != 'X' || OidIsValid(conoid))
		undo->loss = "there is nothing that takes it back";
}

/* The object that a statement alters, where zdm knows of nothing that takes that back */
static bool
find_altered(const ZdmDdl *ddl, ObjectAddress *object)
{
	ZdmDdl		scratch = *ddl;
	ZdmRel	   *rel;
	Node	   *stmt = ddl->stmt;
	const DefineStmt *define;

	switch (nodeTag(stmt))
	{
		case T_AlterSeqStmt:
		case T_ClusterStmt:
			rel = ddl_rel(&scratch, IsA(stmt, ClusterStmt) ? ((ClusterStmt *) stmt)->relation :
						  ((AlterSeqStmt *) stmt)->sequence, true);
			if (rel == NULL || rel->is_exempt)
				return false;
			ObjectAddressSet(*object, RelationRelationId, rel->relid);
			return true;
		case T_AlterStatsStmt:
			return ddl_object(&scratch, OBJECT_STATISTIC_EXT,
							  (Node *) ((AlterStatsStmt *) stmt)->defnames, true, object);
		case T_AlterPublicationStmt:
			return ddl_object(&scratch, OBJECT_PUBLICATION,
							  (Node *) makeString(((AlterPublicationStmt *) stmt)->pubname), true, object);
		case T_AlterForeignServerStmt:
			return ddl_object(&scratch, OBJECT_FOREIGN_SERVER,
							  (Node *) makeString(((AlterForeignServerStmt *) stmt)->servername), true, object);
		case T_AlterFdwStmt:
			return ddl_object(&scratch, OBJECT_FDW,
							  (Node *) makeString(((AlterFdwStmt *) stmt)->fdwname), true, object);
		case T_AlterTSConfigurationStmt:
			return ddl_object(&scratch, OBJECT_TSCONFIGURATION,
							  (Node *) ((AlterTSConfigurationStmt *) stmt)->cfgname, true, object);
		case T_AlterTSDictionaryStmt:
			return ddl_object(&scratch, OBJECT_TSDICTIONARY,
							  (Node *) ((AlterTSDictionaryStmt *) stmt)->dictname, true, object);
		case T_AlterExtensionStmt:
			return ddl_object(&scratch, OBJECT_EXTENSION,
							  (Node *) makeString(((AlterExtensionStmt *) stmt)->extname), true, object);
		case T_AlterTypeStmt:
			return ddl_object(&scratch, OBJECT_TYPE,
							  (Node *) makeTypeNameFromNameList(((AlterTypeStmt *) stmt)->typeName),
							  true, object);
		case T_DefineStmt:
			define = (DefineStmt *) stmt;
			return define->replace && define->kind == OBJECT_AGGREGATE && !define->oldstyle &&
				find_routine(ddl, OBJECT_AGGREGATE, define->defnames, linitial(define->args), object);
		default:
			return false;
	}
}

/* Is the object of a statement that nothing takes back one that was there before? */
static bool
alters_older(const ZdmPolicy *policy, const ZdmDdl *ddl)
{
	ObjectAddress object;

	return find_altered(ddl, &object) && !ddl_object_is_exempt(&object) &&
		!zdm_undo_goes_itself(policy, &object);
}

/* "ALTER INDEX IF EXISTS s.new RENAME TO old", and the like; NULL for other kinds */
static char *
rename_back(const RenameStmt *stmt, const ZdmRel *rel)
{
	const char *after = quote_identifier(stmt->newname);

	switch (stmt->renameType)
	{
		case OBJECT_INDEX:
			return psprintf("ALTER INDEX IF EXISTS %s.%s RENAME TO %s", quote_identifier(rel->nspname), after,
							quote_identifier(rel->relname));
		case OBJECT_TRIGGER:
			return psprintf("ALTER TRIGGER %s ON %s RENAME TO %s", after, ddl_rel_qualified(rel),
							quote_identifier(stmt->subname));
		case OBJECT_RULE:
			return psprintf("ALTER RULE %s ON %s RENAME TO %s", after, ddl_rel_qualified(rel),
							quote_identifier(stmt->subname));
		case OBJECT_POLICY:
			return psprintf("ALTER POLICY %s ON %s RENAME TO %s", after, ddl_rel_qualified(rel),
							quote_identifier(stmt->subname));
		default:
			return NULL;
	}
}

/* RENAME of what clients do not name */
static void
undo_rename(const ZdmPolicy *policy, const ZdmDdl *ddl, const RenameStmt *stmt, ZdmUndo *undo)
{
	ZdmDdl		scratch = *ddl;
	ZdmRel	   *rel = stmt->relation ? ddl_rel(&scratch, stmt->relation, true) : NULL;
	ObjectAddress object;

	if (stmt->relation != NULL)
	{
		if (rel == NULL || rel->is_exempt)
			return;
		ObjectAddressSet(object, RelationRelationId, rel->relid);
		if (stmt->renameType == OBJECT_COLUMN || stmt->renameType == OBJECT_ATTRIBUTE)
			object.objectSubId = Max(get_attnum(rel->relid, stmt->subname), 0);
	}
	else if (!ddl_object(&scratch, stmt->renameType, stmt->object, true, &object) ||
			 ddl_object_is_exempt(&object))
		return;
	if (zdm_undo_goes_itself(policy, &object))
		return;
	undo->sql = rel != NULL ? rename_back(stmt, rel) : NULL;
	if (undo->sql == NULL)
		undo->loss = "it keeps its new name";
}

static bool
is_relation_type(ObjectType type)
{
	switch (type)
	{
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_INDEX:
		case OBJECT_SEQUENCE:
		case OBJECT_FOREIGN_TABLE:
			return true;
		default:
			return false;
	}
}

/* DROP: of what was there before nothing comes back */
static void
undo_drop(const ZdmPolicy *policy, const ZdmDdl *ddl, const DropStmt *stmt, ZdmUndo *undo)
{
	ZdmDdl		scratch = *ddl;
	ListCell   *lc;

	foreach(lc, stmt->objects)
	{
		ObjectAddress object;

		if (IsA(lfirst(lc), List) && is_relation_type(stmt->removeType))
		{
			ZdmRel	   *rel = ddl_rel_by_names(&scratch, lfirst(lc), true);

			if (rel == NULL || rel->is_exempt || !OidIsValid(rel->relid))
				continue;
			ObjectAddressSet(object, RelationRelationId, rel->relid);
		}
		else if (!ddl_object(&scratch, stmt->removeType, lfirst(lc), true, &object) ||
				 ddl_object_is_exempt(&object))
			continue;
		if (!zdm_undo_goes_itself(policy, &object))
			undo->loss = "what is dropped does not come back";
	}
}

void
zdm_undo_statement(const ZdmPolicy *policy, const ZdmDdl *ddl, ZdmUndo *undo)
{
	memset(undo, 0, sizeof(ZdmUndo));
	switch (nodeTag(ddl->stmt))
	{
		case T_AlterTableStmt:
			undo->sql = zdm_undo_alter_table(policy, ddl, (const AlterTableStmt *) ddl->stmt, undo);
			break;
		case T_ViewStmt:
			zdm_undo_view(policy, ddl, (const ViewStmt *) ddl->stmt, undo);
			break;
		case T_CreateFunctionStmt:
			undo->sql = undo_replace_function(ddl, (const CreateFunctionStmt *) ddl->stmt);
			break;
		case T_AlterFunctionStmt:
			undo_alter_function(policy, ddl, (const AlterFunctionStmt *) ddl->stmt, undo);
			break;
		case T_GrantStmt:
			zdm_undo_grant(policy, ddl, (const GrantStmt *) ddl->stmt, undo);
			break;
		case T_GrantRoleStmt:
			zdm_undo_grant_role(ddl, (const GrantRoleStmt *) ddl->stmt, undo);
			break;
		case T_CommentStmt:
			undo->sql = undo_comment(policy, ddl, (const CommentStmt *) ddl->stmt);
			break;
		case T_CreateTrigStmt:
			undo->sql = undo_replace_part(ddl, ((const CreateTrigStmt *) ddl->stmt)->relation,
										  OBJECT_TRIGGER, ((const CreateTrigStmt *) ddl->stmt)->trigname,
										  F_PG_GET_TRIGGERDEF_OID);
			break;
		case T_RuleStmt:
			undo->sql = undo_replace_part(ddl, ((const RuleStmt *) ddl->stmt)->relation,
										  OBJECT_RULE, ((const RuleStmt *) ddl->stmt)->rulename,
										  F_PG_GET_RULEDEF_OID);
			break;
		case T_ReindexStmt:
			undo_reindex(policy, ddl, (const ReindexStmt *) ddl->stmt, undo);
			break;
		case T_AlterDomainStmt:
			undo_alter_domain(policy, ddl, (const AlterDomainStmt *) ddl->stmt, undo);
			break;
		case T_DropStmt:
			undo_drop(policy, ddl, (const DropStmt *) ddl->stmt, undo);
			break;
		case T_RenameStmt:
			undo_rename(policy, ddl, (const RenameStmt *) ddl->stmt, undo);
			break;
		case T_AlterDefaultPrivilegesStmt:
		case T_AlterExtensionContentsStmt:
			undo->loss = "there is nothing that takes it back";
			break;
		default:
			if (alters_older(policy, ddl))
				undo->loss = "there is nothing that takes it back";
			break;
	}
}

/* The hazard for which a statement that holds locks too long is refused, or NULL */
static const ZdmHazard *
find_refused(const ZdmDdl *ddl)
{
	ListCell   *lc;

	foreach(lc, ddl->hazards)
	{
		const ZdmHazard *hazard = lfirst(lc);

		if (zdm_rules[hazard->rule].class == ZDM_CLASS_LOCK &&
			Min(zdm_guc_severity(hazard->rule), hazard->cap) == ZDM_SEVERITY_ERROR)
			return hazard;
	}
	return NULL;
}

static char *
refusal_of(Node *stmt, const char *sql)
{
	ZdmXact		xact = {0};
	ZdmDdl		ddl = {0};
	const ZdmHazard *hazard;

	if (!ddl_is_guarded(nodeTag(stmt)))
		return NULL;
	ddl.stmt = stmt;
	ddl.sql = ddl.query = sql;
	ddl.xact = &xact;
	ddl.small_table = (int64) zdm_guc_small_table * 1024;
	ddl_analyze(&ddl);
	hazard = find_refused(&ddl);
	return hazard == NULL || ddl.undefined != NULL || zdm_plan(&ddl) != NULL ? NULL :
		pstrdup(hazard->message);
}

char *
zdm_undo_refusal(const char *sql)
{
	char	   *result = NULL;
	ListCell   *lc;

	foreach(lc, raw_parser(sql, RAW_PARSE_DEFAULT))
	{
		RawStmt    *raw = lfirst_node(RawStmt, lc);
		const char *start = sql + raw->stmt_location;

		if (result == NULL)
			result = refusal_of(raw->stmt, raw->stmt_len > 0 ?
								pnstrdup(start, raw->stmt_len) : start);
	}
	return result;
}
