/*-------------------------------------------------------------------------
 *
 * undo_table.c
 *	  What takes back an ALTER TABLE that runs at once.
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
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "commands/defrem.h"
#include "commands/trigger.h"
#include "ddl/catalog_scan.h"
#include "lib/stringinfo.h"
#include "plan/undo.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

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
					zdm_undo_expression(rel, expr));
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

List *
zdm_undo_options_of(const ZdmRel *rel)
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
	List	   *options = zdm_undo_options_of(rel);
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

/* A validated constraint is made anew as it was, if that concerns one table. */
static void
undo_validate(ZdmRel *rel, const char *name, ZdmUndo *undo)
{
	ZdmConstraint *con = ddl_constraint(rel, name);
	char	   *comment;

	if (con == NULL || con->is_valid)
		return;
	if (con->is_inherited || (rel->has_children && con->contype != CONSTRAINT_FOREIGN) ||
		rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		undo->loss = "partitions or children have the constraint too, and perhaps had it validated before";
		return;
	}
	undo->sql = psprintf("DROP CONSTRAINT %s, ADD CONSTRAINT %s %s", quote_identifier(name),
						 quote_identifier(name), zdm_constraint_definition(con->oid));
	comment = GetComment(con->oid, ConstraintRelationId, 0);
	if (comment != NULL)
		undo->after = psprintf("COMMENT ON CONSTRAINT %s ON %s IS %s", quote_identifier(name),
							   ddl_rel_qualified(rel), quote_literal_cstr(comment));
}

static char *
undo_storage(ZdmRel *rel, const char *column)
{
	HeapTuple	tuple = SearchSysCacheAttName(rel->relid, column);
	char		storage;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	storage = ((Form_pg_attribute) GETSTRUCT(tuple))->attstorage;
	ReleaseSysCache(tuple);
	return psprintf("ALTER COLUMN %s SET STORAGE %s", quote_identifier(column),
					storage == TYPSTORAGE_PLAIN ? "PLAIN" :
					storage == TYPSTORAGE_EXTERNAL ? "EXTERNAL" :
					storage == TYPSTORAGE_MAIN ? "MAIN" : "EXTENDED");
}

/* ATTACH PARTITION, INHERIT */
static char *
undo_join(const char *verb, const RangeVar *other)
{
	ZdmXact		xact = {0};
	ZdmDdl		nobody = {.xact = &xact};
	ZdmRel	   *rel = ddl_rel(&nobody, other, true);

	return rel != NULL ? psprintf("%s %s", verb, ddl_rel_qualified(rel)) : NULL;
}

static bool
is_of_column(const AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_DropColumn:
		case AT_SetOptions:
		case AT_ResetOptions:
		case AT_SetCompression:
		case AT_AlterColumnGenericOptions:
		case AT_AddIdentity:
		case AT_SetIdentity:
		case AT_DropIdentity:
		case COMPAT_AT_EXPRESSION:
			return true;
		default:
			return false;
	}
}

/* Is what the command changes the relation, or a column of it, that is new? */
static bool
is_of_new(const ZdmPolicy *policy, const ZdmRel *rel, const AlterTableCmd *cmd)
{
	AttrNumber	attnum = is_of_column(cmd) ? get_attnum(rel->relid, cmd->name) : 0;
	ObjectAddress object;

	if (is_of_column(cmd) && attnum == InvalidAttrNumber)
		return true;			/* of what an earlier part makes */
	ObjectAddressSubSet(object, RelationRelationId, rel->relid, Max(attnum, 0));
	return zdm_undo_goes_itself(policy, &object);
}

/* Does it drop a constraint that is new, or name what is not there? */
static bool
is_drop_of_new(const ZdmPolicy *policy, ZdmRel *rel, const AlterTableCmd *cmd)
{
	ZdmConstraint *con = ddl_constraint(rel, cmd->name);
	ObjectAddress object;

	if (con == NULL)
		return true;
	ObjectAddressSet(object, ConstraintRelationId, con->oid);
	return zdm_undo_goes_itself(policy, &object);
}

void
zdm_undo_command(const ZdmPolicy *policy, ZdmRel *rel, const AlterTableCmd *cmd, ZdmUndo *undo)
{
	memset(undo, 0, sizeof(ZdmUndo));
	if (!OidIsValid(rel->relid))
		return;
	switch (cmd->subtype)
	{
		case AT_AddColumn:
		case AT_AddConstraint:
		case AT_AddIndex:
		case AT_AddIndexConstraint:
			return;				/* goes by itself */
		case AT_DropConstraint:
			if (!is_drop_of_new(policy, rel, cmd))
				undo->sql = undo_drop_constraint(rel, cmd->name);
			return;
		case AT_DropNotNull:
			undo->sql = zdm_undo_drop_not_null(rel, cmd->name);
			return;
		case AT_SetNotNull:
			undo->sql = undo_set_not_null(rel, cmd->name);
			return;
		case AT_ColumnDefault:
			undo->sql = undo_default(rel, cmd->name);
			return;
		case AT_SetStatistics:
			undo->sql = cmd->name ? undo_statistics(rel, cmd->name) : NULL;
			break;
		case AT_SetStorage:
			undo->sql = undo_storage(rel, cmd->name);
			return;
		case AT_EnableTrig:
		case AT_EnableAlwaysTrig:
		case AT_EnableReplicaTrig:
		case AT_DisableTrig:
			undo->sql = undo_switch_trigger(rel, cmd->name);
			return;
		case AT_SetRelOptions:
		case AT_ResetRelOptions:
			undo->sql = undo_options(rel, (List *) cmd->def);
			break;
		case AT_AttachPartition:
			if (rel->relkind != RELKIND_PARTITIONED_TABLE)
				return;			/* an index, which goes with the table's */
			undo->sql = undo_join("DETACH PARTITION", castNode(PartitionCmd, cmd->def)->name);
			break;
		case AT_AddInherit:
			undo->sql = undo_join("NO INHERIT", castNode(RangeVar, cmd->def));
			break;
		case AT_AddIdentity:
			undo->sql = psprintf("ALTER COLUMN %s DROP IDENTITY IF EXISTS", quote_identifier(cmd->name));
			break;
		case AT_ValidateConstraint:
			undo_validate(rel, cmd->name, undo);
			return;
		case AT_AlterColumnType:
			zdm_undo_type(rel, cmd, undo);
			return;
		default:
			break;
	}
	if (undo->sql == NULL && !is_of_new(policy, rel, cmd))
		undo->loss = "there is nothing that takes it back";
}

/* Undo runs backwards. */
char *
zdm_undo_alter_table(const ZdmPolicy *policy, const ZdmDdl *ddl, const AlterTableStmt *stmt,
					 ZdmUndo *undo)
{
	ZdmDdl		scratch = *ddl;
	ZdmRel	   *rel;
	char	   *actions = NULL;
	char	   *after = NULL;
	ListCell   *lc;

	if (stmt->objtype == OBJECT_TYPE)
		return NULL;			/* attributes: refused or new */
	rel = ddl_rel(&scratch, stmt->relation, true);
	if (rel == NULL || rel->is_exempt)
		return NULL;
	foreach(lc, stmt->cmds)
	{
		ZdmUndo		one;

		zdm_undo_command(policy, rel, lfirst(lc), &one);
		if (one.sql != NULL)
			actions = actions ? psprintf("%s, %s", one.sql, actions) : one.sql;
		if (one.after != NULL)
			after = after ? psprintf("%s; %s", after, one.after) : one.after;
		if (one.loss != NULL)
			undo->loss = one.loss;
	}
	if (actions == NULL)
		return NULL;
	return psprintf("ALTER %s %s%s %s%s%s", stmt->objtype == OBJECT_INDEX ? "INDEX" :
					stmt->objtype == OBJECT_MATVIEW ? "MATERIALIZED VIEW" : "TABLE",
					stmt->relation->inh ? "" : "ONLY ",
					ddl_rel_qualified(rel), actions, after ? "; " : "", after ? after : "");
}
