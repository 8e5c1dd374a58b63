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
#include "access/reloptions.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_trigger.h"
#include "commands/comment.h"
#include "commands/defrem.h"
#include "commands/trigger.h"
#include "ddl/catalog_scan.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/analyze.h"
#include "plan/advice.h"
#include "plan/qualify.h"
#include "plan/undo.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

/*
 * Call a function of the server that gives a definition, by a search path in
 * which nothing of a user is found without its schema.
 */
static char *
definition_of(Oid function, Oid object)
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
	return definition_of(F_PG_GET_CONSTRAINTDEF_OID, conoid);
}

/* From 18 on NOT NULL is a constraint with a name. */
char *
zdm_undo_drop_not_null(ZdmRel *rel, const char *column)
{
	HeapTuple	tuple = SearchSysCacheAttName(rel->relid, column);
	Form_pg_attribute form;
	bool		not_null;
	AttrNumber	attnum;
	ListCell   *lc;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	form = (Form_pg_attribute) GETSTRUCT(tuple);
	not_null = form->attnotnull;
	attnum = form->attnum;
	ReleaseSysCache(tuple);
	if (!not_null)
		return NULL;
	foreach(lc, ddl_rel_constraints(rel))
	{
		const ZdmConstraint *con = lfirst(lc);

		if (con->contype == CONSTRAINT_NOTNULL && con->nkeys == 1 && con->conkey[0] == attnum)
			return psprintf("ADD CONSTRAINT %s %s", quote_identifier(con->name),
							zdm_constraint_definition(con->oid));
	}
	return psprintf("ALTER COLUMN %s SET NOT NULL", quote_identifier(column));
}

static char *
undo_set_not_null(ZdmRel *rel, const char *column)
{
	ZdmDdl		nobody = {0};

	if (ddl_col(&nobody, rel, column, true) == NULL || zdm_undo_drop_not_null(rel, column) != NULL)
		return NULL;
	return psprintf("ALTER COLUMN %s DROP NOT NULL", quote_identifier(column));
}

/* An expression of the table as text that any search path reads alike */
static char *
expression_text(const ZdmRel *rel, Node *expr)
{
	int			nestlevel = NewGUCNestLevel();
	char	   *result;

	(void) set_config_option("search_path", "pg_catalog", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	result = deparse_expression(expr, deparse_context_for(rel->relname, rel->relid), false, false);
	AtEOXact_GUC(true, nestlevel);
	return result;
}

static char *
undo_default(ZdmRel *rel, const char *column)
{
	ZdmDdl		nobody = {0};
	ZdmCol	   *col = ddl_col(&nobody, rel, column, true);
	Node	   *expr;

	if (col == NULL || col->attnum == 0 || col->identity != '\0' || col->generated != '\0')
		return NULL;
	expr = ddl_col_stored_default(rel, col);
	if (expr == NULL)
		return psprintf("ALTER COLUMN %s DROP DEFAULT", quote_identifier(column));
	return psprintf("ALTER COLUMN %s SET DEFAULT %s", quote_identifier(column),
					expression_text(rel, expr));
}

static char *
undo_drop_constraint(ZdmRel *rel, const char *name)
{
	ZdmConstraint *con = ddl_constraint(rel, name);

	if (con == NULL)
		return NULL;
	return psprintf("ADD CONSTRAINT %s %s", quote_identifier(name),
					zdm_constraint_definition(con->oid));
}

static char *
undo_statistics(ZdmRel *rel, const char *column)
{
	HeapTuple	tuple = SearchSysCacheAttName(rel->relid, column);
	Datum		target;
	bool		isnull;
	int			number;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	target = SysCacheGetAttr(ATTNAME, tuple, Anum_pg_attribute_attstattarget, &isnull);
	/* it fits, also where the type is wider */
	number = isnull ? -1 : DatumGetInt16(target);
	ReleaseSysCache(tuple);
	return psprintf("ALTER COLUMN %s SET STATISTICS %d", quote_identifier(column), number);
}

/* ENABLE, DISABLE of one trigger */
static char *
undo_switch_trigger(ZdmRel *rel, const char *name)
{
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	const char *verb = NULL;

	catalog_scan_oid(&scan, TriggerRelationId, TriggerRelidNameIndexId,
					 Anum_pg_trigger_tgrelid, rel->relid);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

		if (strcmp(NameStr(form->tgname), name) != 0)
			continue;
		verb = form->tgenabled == TRIGGER_DISABLED ? "DISABLE" :
			form->tgenabled == TRIGGER_FIRES_ON_REPLICA ? "ENABLE REPLICA" :
			form->tgenabled == TRIGGER_FIRES_ALWAYS ? "ENABLE ALWAYS" : "ENABLE";
	}
	catalog_scan_end(&scan);
	return verb ? psprintf("%s TRIGGER %s", verb, quote_identifier(name)) : NULL;
}

/* The options that the relation has, as DefElems */
static List *
options_of(const ZdmRel *rel)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(rel->relid));
	Datum		options;
	bool		isnull;
	List	   *result = NIL;

	if (!HeapTupleIsValid(tuple))
		return NIL;
	options = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_reloptions, &isnull);
	if (!isnull)
		result = untransformRelOptions(options);
	ReleaseSysCache(tuple);
	return result;
}

/* SET, RESET (...): those of them that the relation had, and those it had not */
static char *
undo_options(ZdmRel *rel, List *changed)
{
	List	   *options = options_of(rel);
	StringInfoData set;
	StringInfoData reset;
	ListCell   *lc;
	ListCell   *lc2;

	initStringInfo(&set);
	initStringInfo(&reset);
	foreach(lc, changed)
	{
		const DefElem *change = lfirst_node(DefElem, lc);
		DefElem    *old = NULL;

		if (change->defnamespace != NULL)
			return NULL;		/* those of the TOAST table */
		foreach(lc2, options)
		{
			if (strcmp(((DefElem *) lfirst(lc2))->defname, change->defname) == 0)
				old = lfirst(lc2);
		}
		if (old != NULL)
			appendStringInfo(&set, "%s%s = %s", set.len > 0 ? ", " : "",
							 quote_identifier(old->defname),
							 quote_literal_cstr(old->arg ? defGetString(old) : "true"));
		else
			appendStringInfo(&reset, "%s%s", reset.len > 0 ? ", " : "",
							 quote_identifier(change->defname));
	}
	if (set.len > 0 && reset.len > 0)
		return psprintf("SET (%s), RESET (%s)", set.data, reset.data);
	return set.len > 0 ? psprintf("SET (%s)", set.data) : psprintf("RESET (%s)", reset.data);
}

char *
zdm_undo_command(ZdmRel *rel, const AlterTableCmd *cmd)
{
	if (!OidIsValid(rel->relid))
		return NULL;
	switch (cmd->subtype)
	{
		case AT_DropConstraint:
			return undo_drop_constraint(rel, cmd->name);
		case AT_DropNotNull:
			return zdm_undo_drop_not_null(rel, cmd->name);
		case AT_SetNotNull:
			return undo_set_not_null(rel, cmd->name);
		case AT_ColumnDefault:
			return undo_default(rel, cmd->name);
		case AT_SetStatistics:
			return cmd->name ? undo_statistics(rel, cmd->name) : NULL;
		case AT_EnableTrig:
		case AT_EnableAlwaysTrig:
		case AT_EnableReplicaTrig:
		case AT_DisableTrig:
			return undo_switch_trigger(rel, cmd->name);
		case AT_SetRelOptions:
		case AT_ResetRelOptions:
			return undo_options(rel, (List *) cmd->def);
		default:
			return NULL;
	}
}

/* Undo runs backwards. */
static char *
undo_alter_table(const ZdmDdl *ddl, const AlterTableStmt *stmt)
{
	ZdmDdl		scratch = *ddl;
	ZdmRel	   *rel;
	char	   *actions = NULL;
	ListCell   *lc;

	if (stmt->objtype != OBJECT_TABLE && stmt->objtype != OBJECT_FOREIGN_TABLE &&
		stmt->objtype != OBJECT_VIEW)
		return NULL;
	rel = ddl_rel(&scratch, stmt->relation, true);
	if (rel == NULL || rel->is_exempt)
		return NULL;
	foreach(lc, stmt->cmds)
	{
		char	   *action = zdm_undo_command(rel, lfirst(lc));

		if (action != NULL)
			actions = actions ? psprintf("%s, %s", action, actions) : action;
	}
	if (actions == NULL)
		return NULL;
	return psprintf("ALTER TABLE %s%s %s", stmt->relation->inh ? "" : "ONLY ",
					ddl_rel_qualified(rel), actions);
}

/* Does the query that is to be the view's give it new columns?  They stay. */
static bool
adds_columns(const ZdmDdl *ddl, const ViewStmt *stmt, const ZdmRel *rel)
{
	RawStmt    *raw = makeNode(RawStmt);
	Query	   *query;
	int			count = 0;
	ListCell   *lc;

	raw->stmt = copyObject(stmt->query);
	query = parse_analyze_fixedparams(raw, ddl->query, NULL, 0, NULL);
	foreach(lc, query->targetList)
		count += !lfirst_node(TargetEntry, lc)->resjunk;
	return get_attname(rel->relid, count, true) == NULL;
}

/* CREATE OR REPLACE VIEW, of one that is there */
static char *
undo_replace_view(const ZdmDdl *ddl, const ViewStmt *stmt)
{
	ZdmDdl		scratch = *ddl;
	ZdmRel	   *rel = stmt->replace ? ddl_rel(&scratch, stmt->view, true) : NULL;
	StringInfoData options;
	ListCell   *lc;

	if (rel == NULL || rel->is_exempt || rel->relkind != RELKIND_VIEW ||
		adds_columns(ddl, stmt, rel))
		return NULL;
	initStringInfo(&options);
	foreach(lc, options_of(rel))
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		appendStringInfo(&options, "%s%s = %s", options.len > 0 ? ", " : " WITH (",
						 quote_identifier(option->defname),
						 quote_literal_cstr(option->arg ? defGetString(option) : "true"));
	}
	if (options.len > 0)
		appendStringInfoChar(&options, ')');
	return psprintf("CREATE OR REPLACE VIEW %s%s AS %s", ddl_rel_qualified(rel), options.data,
					zdm_sql_trim(definition_of(F_PG_GET_VIEWDEF_OID, rel->relid)));
}

/* CREATE OR REPLACE FUNCTION, of one that is there */
static char *
undo_replace_function(const ZdmDdl *ddl, const CreateFunctionStmt *stmt)
{
	ZdmDdl		scratch = *ddl;
	ObjectWithArgs *function = makeNode(ObjectWithArgs);
	ObjectAddress address;
	ListCell   *lc;

	if (!stmt->replace)
		return NULL;
	function->objname = stmt->funcname;
	foreach(lc, stmt->parameters)
	{
		const FunctionParameter *parameter = lfirst_node(FunctionParameter, lc);

		if (parameter->mode != FUNC_PARAM_OUT && parameter->mode != FUNC_PARAM_TABLE)
			function->objargs = lappend(function->objargs, parameter->argType);
	}
	if (!ddl_object(&scratch, stmt->is_procedure ? OBJECT_PROCEDURE : OBJECT_FUNCTION,
					(Node *) function, true, &address) || ddl_object_is_exempt(&address))
		return NULL;
	return zdm_sql_trim(definition_of(F_PG_GET_FUNCTIONDEF, address.objectId));
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
	return zdm_sql_insert_after(definition_of(function, part), "create", "OR REPLACE");
}

/* Roles for SQL */
static char *
roles_text(List *roles)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, roles)
	{
		const RoleSpec *role = lfirst_node(RoleSpec, lc);

		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "",
						 role->roletype == ROLESPEC_PUBLIC ? "PUBLIC" :
						 quote_identifier(GetUserNameFromId(get_rolespec_oid(role, false), false)));
	}
	return buf.data;
}

/* REVOKE of what a GRANT names before its TO */
static char *
revoke_text(const ZdmDdl *ddl, List *roles)
{
	char	   *rights = zdm_sql_until(zdm_sql_qualify(ddl), "to");

	return rights ? psprintf("REVOKE %s FROM %s", zdm_sql_skip(rights, 1), roles_text(roles)) : NULL;
}

static char *
undo_grant(const ZdmDdl *ddl, const GrantStmt *stmt)
{
	ZdmDdl		scratch = *ddl;

	if (!stmt->is_grant || !ddl_grant_is_new(&scratch, stmt))
		return NULL;
	return revoke_text(ddl, stmt->grantees);
}

static char *
undo_grant_role(const ZdmDdl *ddl, const GrantRoleStmt *stmt)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, stmt->is_grant ? stmt->granted_roles : NIL)
	{
		Oid			granted = get_role_oid(((AccessPriv *) lfirst(lc))->priv_name, true);

		foreach(lc2, stmt->grantee_roles)
		{
			Oid			member = get_rolespec_oid(lfirst_node(RoleSpec, lc2), true);

			if (!OidIsValid(granted) || !OidIsValid(member) ||
				is_member_of_role_nosuper(member, granted))
				return NULL;	/* perhaps with another right */
		}
	}
	return stmt->is_grant ? revoke_text(ddl, stmt->grantee_roles) : NULL;
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

/* Is it, or what it is part of, new in the window?  Then it goes as a whole. */
static bool
goes_itself(const ZdmPolicy *policy, const ObjectAddress *object)
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
		goes_itself(policy, &address))
		return NULL;
	comment = GetComment(address.objectId, address.classId, address.objectSubId);
	return psprintf("%s IS %s", object, comment ? quote_literal_cstr(comment) : "NULL");
}

char *
zdm_undo_statement(const ZdmPolicy *policy, const ZdmDdl *ddl)
{
	switch (nodeTag(ddl->stmt))
	{
		case T_AlterTableStmt:
			return undo_alter_table(ddl, (const AlterTableStmt *) ddl->stmt);
		case T_ViewStmt:
			return undo_replace_view(ddl, (const ViewStmt *) ddl->stmt);
		case T_CreateFunctionStmt:
			return undo_replace_function(ddl, (const CreateFunctionStmt *) ddl->stmt);
		case T_GrantStmt:
			return undo_grant(ddl, (const GrantStmt *) ddl->stmt);
		case T_GrantRoleStmt:
			return undo_grant_role(ddl, (const GrantRoleStmt *) ddl->stmt);
		case T_CommentStmt:
			return undo_comment(policy, ddl, (const CommentStmt *) ddl->stmt);
		case T_CreateTrigStmt:
			return undo_replace_part(ddl, ((const CreateTrigStmt *) ddl->stmt)->relation,
									 OBJECT_TRIGGER, ((const CreateTrigStmt *) ddl->stmt)->trigname,
									 F_PG_GET_TRIGGERDEF_OID);
		case T_RuleStmt:
			return undo_replace_part(ddl, ((const RuleStmt *) ddl->stmt)->relation,
									 OBJECT_RULE, ((const RuleStmt *) ddl->stmt)->rulename,
									 F_PG_GET_RULEDEF_OID);
		default:
			return NULL;
	}
}
