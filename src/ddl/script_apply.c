/*-------------------------------------------------------------------------
 *
 * script_apply.c
 *	  What a statement of a script makes, changes or drops, noted for the
 *	  statements after it.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "ddl/script_internal.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"

/* Schema in which an unqualified name is made. */
static const char *
creation_schema(ZdmScript *script, const RangeVar *rv)
{
	if (rv->relpersistence == RELPERSISTENCE_TEMP)
		return "pg_temp";
	if (rv->schemaname != NULL)
		return rv->schemaname;
	return script->creation_schema != NULL ? script->creation_schema : "public";
}

/*
 * A new relation; NULL if the name is taken, so that one that exists is never
 * mistaken for a new one.
 */
static ZdmScriptRel *
make_rel(ZdmDdl *ddl, const char *nspname, const char *relname,
		 char relkind, char persistence)
{
	ZdmScript  *script = ddl->script;
	RangeVar	name = {.type = T_RangeVar};
	ZdmScriptName *entry;

	name.schemaname = unconstify(char *, nspname);
	name.relname = unconstify(char *, relname);
	if (ddl_rel(ddl, &name, true) != NULL)
		return NULL;

	entry = ddl_script_name(script, 'r', nspname, relname, true);

	entry->dropped = false;
	entry->rel = palloc0(sizeof(ZdmScriptRel));
	entry->rel->relkind = relkind;
	entry->rel->persistence = persistence;
	return entry->rel;
}

static ZdmScriptRel *
make_rel_of_rangevar(ZdmDdl *ddl, const RangeVar *rv, char relkind)
{
	return make_rel(ddl, creation_schema(ddl->script, rv), rv->relname, relkind,
					rv->relpersistence);
}

static void
make_name(ZdmScript *script, char kind, const char *name)
{
	ddl_script_name(script, kind, NULL, name, true)->dropped = false;
}

/* The record of changes to a relation, whether it existed before or not. */
static ZdmScriptRel *
changes_of(ZdmScript *script, ZdmRel *rel)
{
	if (rel == NULL)
		return NULL;
	if (rel->script != NULL)
		return rel->script;
	rel->script = ddl_script_rel_of_oid(script, rel->relid, true);
	rel->script->relkind = rel->relkind;
	rel->script->persistence = rel->persistence;
	return rel->script;
}

static ZdmScriptCol *
column_entry(ZdmScriptRel *rel, const char *name)
{
	ZdmScriptCol *entry = ddl_script_col(rel, name);

	if (entry == NULL)
	{
		entry = palloc0(sizeof(ZdmScriptCol));
		entry->name = pstrdup(name);
		entry->next = rel->columns;
		rel->columns = entry;
	}
	return entry;
}

/* Add the columns c of "c IS NOT NULL" that a raw condition implies. */
static List *
not_null_columns(Node *expr, List *columns)
{
	if (expr == NULL)
		return columns;
	if (IsA(expr, NullTest) &&
		((NullTest *) expr)->nulltesttype == IS_NOT_NULL &&
		IsA(((NullTest *) expr)->arg, ColumnRef))
	{
		ColumnRef  *ref = (ColumnRef *) ((NullTest *) expr)->arg;

		if (IsA(llast(ref->fields), String))
			columns = lappend(columns, makeString(pstrdup(strVal(llast(ref->fields)))));
	}
	else if (IsA(expr, BoolExpr) && ((BoolExpr *) expr)->boolop == AND_EXPR)
	{
		ListCell   *lc;

		foreach(lc, ((BoolExpr *) expr)->args)
			columns = not_null_columns(lfirst(lc), columns);
	}
	return columns;
}

/* name may be NULL: the server makes one up */
static ZdmScriptCon *
add_constraint(ZdmScriptRel *rel, const char *name)
{
	ZdmScriptCon *entry = palloc0(sizeof(ZdmScriptCon));

	entry->name = name != NULL ? pstrdup(name) : NULL;
	rel->constraints = lappend(rel->constraints, entry);
	return entry;
}

static void
apply_constraint(ZdmScriptRel *rel, const Constraint *con)
{
	ListCell   *lc;

	/* what has no name and proves nothing is never asked for */
	if (con->conname != NULL || con->contype == CONSTR_CHECK)
	{
		ZdmScriptCon *entry = add_constraint(rel, con->conname);

		entry->is_valid = !con->skip_validation;
		if (con->contype == CONSTR_CHECK)
		{
			entry->not_null_columns = not_null_columns(con->raw_expr, NIL);
			entry->check = copyObject(con->raw_expr);
		}
	}
	if (con->contype == CONSTR_PRIMARY)
	{
		foreach(lc, con->keys)
		{
			ZdmScriptCol *col = ddl_script_col(rel, strVal(lfirst(lc)));

			if (col != NULL)
				col->col.not_null = true;
		}
	}
}

static void
apply_column_constraint(ZdmScriptRel *rel, ZdmCol *col, const Constraint *con)
{
	switch (con->contype)
	{
		case CONSTR_NOTNULL:
			col->not_null = true;
			break;
		case CONSTR_PRIMARY:
			col->not_null = true;
			apply_constraint(rel, con);
			break;
		case CONSTR_DEFAULT:
			col->has_default = true;
			break;
		case CONSTR_IDENTITY:
			col->has_default = col->not_null = true;
			col->identity = con->generated_when;
			break;
		case CONSTR_GENERATED:
			col->has_default = true;
			col->generated = 's';
			break;
		case CONSTR_CHECK:
		case CONSTR_UNIQUE:
		case CONSTR_FOREIGN:
		case CONSTR_EXCLUSION:
			apply_constraint(rel, con);
			break;
		default:
			break;
	}
}

static void
apply_column(ZdmDdl *ddl, ZdmScriptRel *rel, const ColumnDef *def)
{
	ZdmScriptCol *entry = column_entry(rel, def->colname);
	ListCell   *lc;

	entry->dropped = false;
	memset(&entry->col, 0, sizeof(entry->col));
	entry->col.name = entry->name;
	entry->col.typmod = -1;
	entry->col.is_new = true;
	if (ddl_type_is_serial(def->typeName))
		entry->col.has_default = entry->col.not_null = true;
	else if (def->typeName != NULL)
		(void) ddl_type(ddl, def->typeName, &entry->col.typid, &entry->col.typmod);
	foreach(lc, def->constraints)
		apply_column_constraint(rel, &entry->col, lfirst(lc));
}

static void
apply_create_table(ZdmDdl *ddl, const CreateStmt *stmt)
{
	ZdmScriptRel *rel;
	ListCell   *lc;

	rel = make_rel_of_rangevar(ddl, stmt->relation,
							   stmt->partspec != NULL ? RELKIND_PARTITIONED_TABLE :
							   IsA(ddl->stmt, CreateForeignTableStmt) ? RELKIND_FOREIGN_TABLE :
							   RELKIND_RELATION);
	if (rel == NULL)
		return;
	rel->columns_known = stmt->inhRelations == NIL && stmt->ofTypename == NULL;
	foreach(lc, stmt->tableElts)
	{
		Node	   *element = lfirst(lc);

		if (IsA(element, ColumnDef))
			apply_column(ddl, rel, (ColumnDef *) element);
		else if (IsA(element, Constraint))
			apply_constraint(rel, (Constraint *) element);
		else
			rel->columns_known = false; /* LIKE */
	}
}

/* The entry of a column to be changed, with what is known of it now. */
static ZdmScriptCol *
column_to_change(ZdmDdl *ddl, ZdmRel *rel, ZdmScriptRel *changes, const char *name)
{
	ZdmCol	   *col = ddl_col(ddl, rel, name, true);
	ZdmScriptCol *entry;

	if (col == NULL)
		return NULL;
	entry = column_entry(changes, name);
	entry->col = *col;
	entry->col.name = entry->name;
	entry->dropped = false;
	return entry;
}

static void
apply_drop_constraint(ZdmScriptRel *changes, const char *name)
{
	ZdmScriptCon *con = ddl_script_con(changes, name);

	if (con == NULL)
		con = add_constraint(changes, name);
	con->dropped = true;
}

static void
apply_alter_column(ZdmDdl *ddl, ZdmRel *rel, ZdmScriptRel *changes, const AlterTableCmd *cmd)
{
	ZdmScriptCol *entry = column_to_change(ddl, rel, changes, cmd->name);

	if (entry == NULL)
		return;
	switch (cmd->subtype)
	{
		case AT_DropColumn:
			entry->dropped = true;
			break;
		case AT_SetNotNull:
			entry->col.not_null = true;
			break;
		case AT_DropNotNull:
			entry->col.not_null = false;
			break;
		case AT_ColumnDefault:
			entry->col.has_default = cmd->def != NULL;
			break;
		case AT_AddIdentity:
			entry->col.has_default = true;
			break;
		case AT_DropIdentity:
			entry->col.has_default = false;
			entry->col.identity = '\0';
			break;
		case AT_DropExpression:
			entry->col.generated = '\0';
			entry->col.has_default = false;
			break;
		case AT_AlterColumnType:
			(void) ddl_type(ddl, ((ColumnDef *) cmd->def)->typeName,
							&entry->col.typid, &entry->col.typmod);
			break;
		default:
			break;
	}
}

static void
apply_alter_table(ZdmDdl *ddl, const AlterTableStmt *stmt, bool refused)
{
	ZdmRel	   *rel = ddl_rel(ddl, stmt->relation, true);
	ZdmScriptRel *changes = changes_of(ddl->script, rel);
	ListCell   *lc;

	if (changes == NULL)
		return;
	foreach(lc, stmt->cmds)
	{
		const AlterTableCmd *cmd = lfirst(lc);
		ZdmScriptCon *con;

		switch (cmd->subtype)
		{
			case AT_AddColumn:
				if (!cmd->missing_ok ||
					ddl_col(ddl, rel, ((ColumnDef *) cmd->def)->colname, true) == NULL)
					apply_column(ddl, changes, (ColumnDef *) cmd->def);
				break;
			case AT_AddConstraint:
				apply_constraint(changes, (Constraint *) cmd->def);
				break;
			case AT_DropConstraint:
				if (!refused)
					apply_drop_constraint(changes, cmd->name);
				break;
			case AT_ValidateConstraint:
				con = ddl_script_con(changes, cmd->name);
				if (con != NULL)
					con->is_valid = true;
				break;
			default:
				if (cmd->name != NULL && !(refused && cmd->subtype == AT_DropColumn))
					apply_alter_column(ddl, rel, changes, cmd);
				break;
		}
	}
}

/* A relation gets another schema, another name, or both. */
static void
apply_move(ZdmDdl *ddl, ZdmRel *rel, const char *nspname, const char *relname,
		   bool refused)
{
	ZdmScriptRel *changes = changes_of(ddl->script, rel);
	ZdmScriptName *entry;

	if (changes == NULL)
		return;
	entry = ddl_script_name(ddl->script, 'r', rel->nspname, rel->relname, true);
	entry->dropped = !refused;
	entry->rel = changes;
	if (OidIsValid(rel->relid) && !refused)
	{
		changes->nspname = pstrdup(nspname);
		changes->relname = pstrdup(relname);
	}
	entry = ddl_script_name(ddl->script, 'r', nspname, relname, true);
	entry->dropped = false;
	entry->rel = changes;
}

static void
apply_rename(ZdmDdl *ddl, const RenameStmt *stmt, bool refused)
{
	ZdmRel	   *rel;
	ZdmScriptRel *changes;
	ZdmScriptCol *entry;
	ZdmCol		col;

	switch (stmt->renameType)
	{
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_INDEX:
		case OBJECT_SEQUENCE:
		case OBJECT_FOREIGN_TABLE:
			rel = ddl_rel(ddl, stmt->relation, true);
			if (rel != NULL)
				apply_move(ddl, rel, rel->nspname, stmt->newname, refused);
			break;
		case OBJECT_COLUMN:
			rel = ddl_rel(ddl, stmt->relation, true);
			changes = changes_of(ddl->script, rel);
			entry = changes ? column_to_change(ddl, rel, changes, stmt->subname) : NULL;
			if (entry == NULL)
				break;
			col = entry->col;
			entry->dropped = !refused;
			entry = column_entry(changes, stmt->newname);
			entry->dropped = false;
			entry->col = col;
			entry->col.name = entry->name;
			break;
		case OBJECT_TABCONSTRAINT:
			rel = ddl_rel(ddl, stmt->relation, true);
			changes = changes_of(ddl->script, rel);
			if (changes != NULL)
			{
				apply_drop_constraint(changes, stmt->subname);
				add_constraint(changes, stmt->newname)->is_valid = true;
			}
			break;
		case OBJECT_TYPE:
		case OBJECT_DOMAIN:
			make_name(ddl->script, 't', stmt->newname);
			break;
		case OBJECT_SCHEMA:
			make_name(ddl->script, 's', stmt->newname);
			ddl->script->is_opaque = true;	/* all its names have moved */
			break;
		case OBJECT_FUNCTION:
		case OBJECT_PROCEDURE:
		case OBJECT_ROUTINE:
		case OBJECT_AGGREGATE:
			make_name(ddl->script, 'f', stmt->newname);
			break;
		default:
			make_name(ddl->script, 'o', stmt->newname);
			break;
	}
}

static void
apply_drop(ZdmDdl *ddl, const DropStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->objects)
	{
		Node	   *object = lfirst(lc);
		ZdmRel	   *rel;
		ZdmScriptName *entry;

		switch (stmt->removeType)
		{
			case OBJECT_TABLE:
			case OBJECT_VIEW:
			case OBJECT_MATVIEW:
			case OBJECT_INDEX:
			case OBJECT_SEQUENCE:
			case OBJECT_FOREIGN_TABLE:
				rel = ddl_rel_by_names(ddl, (List *) object, true);
				if (rel != NULL)
					ddl_script_name(ddl->script, 'r', rel->nspname, rel->relname,
									true)->dropped = true;
				break;
			case OBJECT_TYPE:
			case OBJECT_DOMAIN:
				entry = ddl_script_name(ddl->script, 't', NULL,
										strVal(llast(((TypeName *) object)->names)), false);
				if (entry != NULL)
					entry->dropped = true;
				break;
			case OBJECT_SCHEMA:
				entry = ddl_script_name(ddl->script, 's', NULL, strVal(object), false);
				if (entry != NULL)
					entry->dropped = true;
				break;
			default:
				break;
		}
	}
}

static void
apply_create_index(ZdmDdl *ddl, const IndexStmt *stmt)
{
	ZdmRel	   *table = ddl_rel(ddl, stmt->relation, true);
	const char *name = stmt->idxname;
	ZdmScriptRel *index;
	ListCell   *lc;

	if (table == NULL)
		return;
	if (name == NULL)
	{
		/* as ChooseIndexName() names an index on plain columns */
		StringInfoData columns;

		initStringInfo(&columns);
		foreach(lc, stmt->indexParams)
		{
			const IndexElem *elem = lfirst(lc);

			appendStringInfo(&columns, "%s%s", columns.len > 0 ? "_" : "",
							 elem->name != NULL ? elem->name : "expr");
		}
		name = makeObjectName(stmt->relation->relname, columns.data, "idx");
	}
	index = make_rel(ddl, table->nspname, name, RELKIND_INDEX, table->persistence);
	if (index == NULL)
		return;
	foreach(lc, stmt->indexParams)
	{
		const IndexElem *elem = lfirst(lc);

		if (elem->name != NULL)
			index->index_columns = lappend(index->index_columns,
										   makeString(pstrdup(elem->name)));
	}
}

static void
apply_create_function(ZdmDdl *ddl, const CreateFunctionStmt *stmt)
{
	ZdmScriptName *entry = ddl_script_name(ddl->script, 'f', NULL,
										   strVal(llast(stmt->funcname)), true);
	ListCell   *lc;

	entry->dropped = false;
	entry->is_volatile = true;
	foreach(lc, stmt->options)
	{
		DefElem    *option = lfirst(lc);

		if (strcmp(option->defname, "volatility") == 0)
			entry->is_volatile = strcmp(strVal(option->arg), "volatile") == 0;
	}
}

static void
apply_search_path(ZdmScript *script, const VariableSetStmt *stmt)
{
	ListCell   *lc;

	if (stmt->name == NULL || strcmp(stmt->name, "search_path") != 0 ||
		stmt->kind != VAR_SET_VALUE)
		return;

	script->creation_schema = NULL;
	script->search_path = list_make2(pstrdup("pg_temp"), pstrdup("pg_catalog"));
	foreach(lc, stmt->args)
	{
		A_Const    *arg = lfirst(lc);
		char	   *name;

		if (!IsA(arg, A_Const) || arg->isnull || !IsA(&arg->val, String))
			continue;
		name = pstrdup(strVal(&arg->val));
		script->search_path = lappend(script->search_path, name);
		if (script->creation_schema == NULL)
			script->creation_schema = name;
	}
}

/*
 * Objects of all other kinds share one name space here: it only keeps a later
 * statement from being told that they do not exist.
 */
static void
apply_other(ZdmScript *script, Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_CreateTrigStmt:
			make_name(script, 'o', ((CreateTrigStmt *) stmt)->trigname);
			break;
		case T_CreatePolicyStmt:
			make_name(script, 'o', ((CreatePolicyStmt *) stmt)->policy_name);
			break;
		case T_RuleStmt:
			make_name(script, 'o', ((RuleStmt *) stmt)->rulename);
			break;
		case T_CreatePublicationStmt:
			make_name(script, 'o', ((CreatePublicationStmt *) stmt)->pubname);
			break;
		case T_CreateSubscriptionStmt:
			make_name(script, 'o', ((CreateSubscriptionStmt *) stmt)->subname);
			break;
		case T_CreateEventTrigStmt:
			make_name(script, 'o', ((CreateEventTrigStmt *) stmt)->trigname);
			break;
		case T_CreateFdwStmt:
			make_name(script, 'o', ((CreateFdwStmt *) stmt)->fdwname);
			break;
		case T_CreateForeignServerStmt:
			make_name(script, 'o', ((CreateForeignServerStmt *) stmt)->servername);
			break;
		case T_CreatePLangStmt:
			make_name(script, 'o', ((CreatePLangStmt *) stmt)->plname);
			break;
		case T_CreateAmStmt:
			make_name(script, 'o', ((CreateAmStmt *) stmt)->amname);
			break;
		case T_CreateRoleStmt:
			make_name(script, 'o', ((CreateRoleStmt *) stmt)->role);
			break;
		case T_CreatedbStmt:
			make_name(script, 'o', ((CreatedbStmt *) stmt)->dbname);
			break;
		case T_CreateTableSpaceStmt:
			make_name(script, 'o', ((CreateTableSpaceStmt *) stmt)->tablespacename);
			break;
		case T_CreateConversionStmt:
			make_name(script, 'o',
					  strVal(llast(((CreateConversionStmt *) stmt)->conversion_name)));
			break;
		case T_CreateOpClassStmt:
			make_name(script, 'o', strVal(llast(((CreateOpClassStmt *) stmt)->opclassname)));
			break;
		case T_CreateOpFamilyStmt:
			make_name(script, 'o',
					  strVal(llast(((CreateOpFamilyStmt *) stmt)->opfamilyname)));
			break;
		case T_CreateStatsStmt:
			if (((CreateStatsStmt *) stmt)->defnames != NIL)
				make_name(script, 'o', strVal(llast(((CreateStatsStmt *) stmt)->defnames)));
			break;
		case T_DefineStmt:
			if (((DefineStmt *) stmt)->kind == OBJECT_TYPE)
				make_name(script, 't', strVal(llast(((DefineStmt *) stmt)->defnames)));
			else if (((DefineStmt *) stmt)->kind == OBJECT_AGGREGATE)
				make_name(script, 'f', strVal(llast(((DefineStmt *) stmt)->defnames)));
			else
				make_name(script, 'o', strVal(llast(((DefineStmt *) stmt)->defnames)));
			break;
		case T_CreateCastStmt:
		case T_CreateTransformStmt:
			make_name(script, 'o', "");
			break;
		default:
			break;
	}
}

static void
apply_node(ZdmDdl *ddl, Node *stmt, bool refused)
{
	ZdmScript  *script = ddl->script;
	ZdmRel	   *rel;
	ListCell   *lc;

	switch (nodeTag(stmt))
	{
		case T_CreateStmt:
			apply_create_table(ddl, (CreateStmt *) stmt);
			break;
		case T_CreateForeignTableStmt:
			apply_create_table(ddl, &((CreateForeignTableStmt *) stmt)->base);
			break;
		case T_CreateTableAsStmt:
			(void) make_rel_of_rangevar(ddl, ((CreateTableAsStmt *) stmt)->into->rel,
										((CreateTableAsStmt *) stmt)->objtype == OBJECT_MATVIEW ?
										RELKIND_MATVIEW : RELKIND_RELATION);
			break;
		case T_SelectStmt:
			if (((SelectStmt *) stmt)->intoClause != NULL)
				(void) make_rel_of_rangevar(ddl, ((SelectStmt *) stmt)->intoClause->rel,
											RELKIND_RELATION);
			break;
		case T_ViewStmt:
			(void) make_rel_of_rangevar(ddl, ((ViewStmt *) stmt)->view, RELKIND_VIEW);
			break;
		case T_CreateSeqStmt:
			(void) make_rel_of_rangevar(ddl, ((CreateSeqStmt *) stmt)->sequence,
										RELKIND_SEQUENCE);
			break;
		case T_IndexStmt:
			apply_create_index(ddl, (IndexStmt *) stmt);
			break;
		case T_CompositeTypeStmt:
			(void) make_rel_of_rangevar(ddl, ((CompositeTypeStmt *) stmt)->typevar,
										RELKIND_COMPOSITE_TYPE);
			break;
		case T_CreateEnumStmt:
			make_name(script, 't', strVal(llast(((CreateEnumStmt *) stmt)->typeName)));
			break;
		case T_CreateRangeStmt:
			make_name(script, 't', strVal(llast(((CreateRangeStmt *) stmt)->typeName)));
			break;
		case T_CreateDomainStmt:
			make_name(script, 't', strVal(llast(((CreateDomainStmt *) stmt)->domainname)));
			break;
		case T_CreateFunctionStmt:
			apply_create_function(ddl, (CreateFunctionStmt *) stmt);
			break;
		case T_CreateSchemaStmt:
			if (((CreateSchemaStmt *) stmt)->schemaname != NULL)
				make_name(script, 's', ((CreateSchemaStmt *) stmt)->schemaname);
			foreach(lc, ((CreateSchemaStmt *) stmt)->schemaElts)
				apply_node(ddl, lfirst(lc), refused);
			break;
		case T_AlterTableStmt:
			apply_alter_table(ddl, (AlterTableStmt *) stmt, refused);
			break;
		case T_RenameStmt:
			apply_rename(ddl, (RenameStmt *) stmt, refused);
			break;
		case T_AlterObjectSchemaStmt:
			if (((AlterObjectSchemaStmt *) stmt)->relation != NULL)
			{
				rel = ddl_rel(ddl, ((AlterObjectSchemaStmt *) stmt)->relation, true);
				if (rel != NULL)
					apply_move(ddl, rel, ((AlterObjectSchemaStmt *) stmt)->newschema,
							   rel->relname, refused);
			}
			break;
		case T_DropStmt:
			if (!refused)
				apply_drop(ddl, (DropStmt *) stmt);
			break;
		case T_VariableSetStmt:
			apply_search_path(script, (VariableSetStmt *) stmt);
			break;
		case T_DoStmt:
		case T_CallStmt:
		case T_CreateExtensionStmt:
		case T_ImportForeignSchemaStmt:
			script->is_opaque = true;
			break;
		default:
			apply_other(script, stmt);
			break;
	}
}

/*
 * Note for later statements what ddl->stmt has made.  Call it after
 * ddl_analyze().  What a refused statement would make is taken as made, so
 * that the statements after it can be judged, but what it would take away
 * stays.
 */
void
ddl_script_apply(ZdmDdl *ddl, bool refused)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(ddl->script->context);
	const char *undefined = ddl->undefined;

	apply_node(ddl, ddl->stmt, refused);
	ddl->undefined = undefined; /* what is missing was noted by the analysis */
	MemoryContextSwitchTo(oldcontext);
}
