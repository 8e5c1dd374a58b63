/*-------------------------------------------------------------------------
 *
 * rehearse.c
 *	  The errors that a statement which is put off would raise at once.
 *
 * What has to do with names and rights is looked up; the rest is found by
 * running the statement on empty copies of its tables (scratch.c).  No
 * user's table is locked in a mode that blocks anybody.  What rows, or other
 * sessions, are in the way of is found when the statement is carried out.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "claims.h"
#include "commands/policy.h"
#include "commands/tablecmds.h"
#include "ddl/catalog_scan.h"
#include "ddl/ddl.h"
#include "hook.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "rehearse.h"
#include "scratch.h"
#include "step.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* A statement on one table, while it is made ready for the copy of that */
typedef struct Rehearsal
{
	const ZdmDdl *ddl;
	Oid			relid;
	const char *relname;
	List	   *dropped;		/* char *: constraints that it drops itself,
								 * or that are due for removal */
	List	   *tables;			/* ScratchTable */
	bool		whole_row;		/* it names the table's row: that of the copy
								 * is of another type */
} Rehearsal;

void
rehearse_check_owner(Oid relid)
{
	if (!object_ownercheck(RelationRelationId, relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)),
					   get_rel_name(relid));
}

static void
check_can_create_in(Oid nspoid)
{
	if (!compat_can_create_in(nspoid))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_SCHEMA, get_namespace_name(nspoid));
}

/* A new index or sequence needs a name that no other relation of the schema has. */
static void
check_relation_name_in(const Rehearsal *rehearsal, const char *name, Oid nspoid)
{
	Oid			relid;
	ListCell   *lc;

	foreach(lc, rehearsal->dropped)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return;
	}
	relid = get_relname_relid(name, nspoid);
	if (OidIsValid(relid) && !claims_relation_is_due(relid))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("relation \"%s\" already exists", name)));
}

static void
check_relation_name(const Rehearsal *rehearsal, const char *name)
{
	check_relation_name_in(rehearsal, name, get_rel_namespace(rehearsal->relid));
}

static void
check_constraint_name(const Rehearsal *rehearsal, const char *name)
{
	ListCell   *lc;

	foreach(lc, rehearsal->dropped)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return;
	}
	if (ConstraintNameIsUsed(CONSTRAINT_RELATION, rehearsal->relid, name))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("constraint \"%s\" for relation \"%s\" already exists",
						name, rehearsal->relname)));
}

/* Does the expression stand for a row of the table? */
static bool
names_whole_row(Node *node, void *arg)
{
	Rehearsal  *rehearsal = arg;

	if (node == NULL)
		return false;
	if (IsA(node, ColumnRef))
	{
		Node	   *last = llast(((ColumnRef *) node)->fields);

		if (IsA(last, A_Star) ||
			(strcmp(strVal(last), rehearsal->relname) == 0 &&
			 get_attnum(rehearsal->relid, strVal(last)) == InvalidAttrNumber))
			rehearsal->whole_row = true;
		return false;
	}
	return raw_expression_tree_walker(node, names_whole_row, arg);
}

static void
add_table(Rehearsal *rehearsal, RangeVar *place, bool is_referenced)
{
	ScratchTable *table = palloc(sizeof(ScratchTable));

	table->place = place;
	table->keys = table->is_referenced = is_referenced;
	table->heir = InvalidOid;
	rehearsal->tables = lappend(rehearsal->tables, table);
}

/* Names (String) of its keys that are columns */
static List *
key_columns(const IndexStmt *stmt)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, stmt->indexParams)
	{
		IndexElem  *elem = lfirst_node(IndexElem, lc);

		if (elem->name != NULL)
			result = lappend(result, makeString(elem->name));
	}
	return result;
}

static void
rehearse_index(Rehearsal *rehearsal)
{
	IndexStmt  *stmt = copyObject(castNode(IndexStmt, rehearsal->ddl->stmt));

	rehearse_check_owner(rehearsal->relid);
	check_can_create_in(get_rel_namespace(rehearsal->relid));
	if (stmt->idxname != NULL && !stmt->if_not_exists)
		check_relation_name(rehearsal, stmt->idxname);
	(void) names_whole_row((Node *) stmt->indexParams, rehearsal);
	(void) names_whole_row(stmt->whereClause, rehearsal);
	if (rehearsal->whole_row)
		return;
	stmt->concurrent = false;
	add_table(rehearsal, stmt->relation, false);
	(void) scratch_run((Node *) stmt, rehearsal->ddl->query, rehearsal->tables);
	if (stmt->unique && stmt->relation->inh)
		rehearse_partition_keys(rehearsal->relid, key_columns(stmt), "UNIQUE");
}

/* Has the table a primary key that the statement leaves to it? */
static bool
keeps_primary_key(const Rehearsal *rehearsal)
{
	ZdmDdl		scratch = *rehearsal->ddl;
	ZdmRel	   *rel = ddl_rel_by_oid(&scratch, rehearsal->relid);
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, rel ? ddl_rel_constraints(rel) : NIL)
	{
		const ZdmConstraint *con = lfirst(lc);
		bool		is_dropped = false;

		if (con->contype != CONSTRAINT_PRIMARY)
			continue;
		foreach(lc2, rehearsal->dropped)
			is_dropped |= strcmp(lfirst(lc2), con->name) == 0;
		return !is_dropped;
	}
	return false;
}

/* GENERATED AS IDENTITY makes a sequence, of a name that may be given. */
static void
check_sequence(const Rehearsal *rehearsal, const Constraint *con)
{
	Oid			nspoid = get_rel_namespace(rehearsal->relid);
	ListCell   *lc;

	foreach(lc, con->options)
	{
		const DefElem *option = lfirst_node(DefElem, lc);
		RangeVar   *name;

		if (strcmp(option->defname, "sequence_name") != 0)
			continue;
		name = makeRangeVarFromNameList(castNode(List, option->arg));
		if (name->schemaname != NULL)
			nspoid = get_namespace_oid(name->schemaname, false);
		check_relation_name_in(rehearsal, name->relname, nspoid);
	}
	check_can_create_in(nspoid);
}

/* The constraint may stand in the definition of a column. */
static void
check_constraint(Rehearsal *rehearsal, Constraint *con)
{
	bool		is_index = con->contype == CONSTR_PRIMARY || con->contype == CONSTR_UNIQUE ||
		con->contype == CONSTR_EXCLUSION;

	if (con->contype == CONSTR_PRIMARY && keeps_primary_key(rehearsal))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("multiple primary keys for table \"%s\" are not allowed",
						rehearsal->relname)));
	if (con->contype == CONSTR_IDENTITY)
		check_sequence(rehearsal, con);
	if (is_index)
		check_can_create_in(get_rel_namespace(rehearsal->relid));
	if (is_index && con->conname != NULL)
		check_relation_name(rehearsal, con->conname);
	if (con->conname != NULL &&
		(is_index || con->contype == CONSTR_CHECK || con->contype == CONSTR_FOREIGN))
		check_constraint_name(rehearsal, con->conname);
	(void) names_whole_row(con->raw_expr, rehearsal);
	(void) names_whole_row(con->where_clause, rehearsal);
}

static void
note_reference(Rehearsal *rehearsal, Constraint *con)
{
	Oid			target;
	char		relkind;

	if (con->contype != CONSTR_FOREIGN)
		return;
	target = RangeVarGetRelid(con->pktable, NoLock, false);
	relkind = get_rel_relkind(target);
	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("referenced relation \"%s\" is not a table", get_rel_name(target))));
	add_table(rehearsal, con->pktable, true);
}

/* The columns of the primary key of a table */
static List *
primary_key(const ZdmDdl *ddl, Oid relid)
{
	ZdmDdl		scratch = *ddl;
	ZdmRel	   *rel = ddl_rel_by_oid(&scratch, relid);
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, rel ? ddl_rel_constraints(rel) : NIL)
	{
		const ZdmConstraint *con = lfirst(lc);

		for (int i = 0; con->contype == CONSTRAINT_PRIMARY && i < con->nkeys; i++)
			result = lappend_int(result, con->conkey[i]);
	}
	return result;
}

/*
 * As checkFkeyPermissions(): the copies, on which the statement has run, are
 * the user's own.
 */
void
rehearse_check_reference(const ZdmDdl *ddl, const Constraint *con)
{
	Oid			target;
	List	   *attnums = NIL;
	ListCell   *lc;

	if (con->contype != CONSTR_FOREIGN)
		return;
	target = RangeVarGetRelid(con->pktable, NoLock, false);
	if (pg_class_aclcheck(target, GetUserId(), ACL_REFERENCES) == ACLCHECK_OK)
		return;
	foreach(lc, con->pk_attrs)
		attnums = lappend_int(attnums, get_attnum(target, strVal(lfirst(lc))));
	if (attnums == NIL)
		attnums = primary_key(ddl, target);
	foreach(lc, attnums)
	{
		AclResult	result = pg_attribute_aclcheck(target, lfirst_int(lc), GetUserId(),
												   ACL_REFERENCES);

		if (result != ACLCHECK_OK)
			aclcheck_error(result, get_relkind_objtype(get_rel_relkind(target)),
						   get_rel_name(target));
	}
}

/* Do something with each constraint of a command. */
static void
for_each_constraint(AlterTableCmd *cmd, Rehearsal *rehearsal,
					void (*action) (Rehearsal *, Constraint *))
{
	ListCell   *lc;

	if (cmd->subtype == AT_AddConstraint)
		action(rehearsal, castNode(Constraint, cmd->def));
	else if (cmd->subtype == AT_AddColumn)
		foreach(lc, castNode(ColumnDef, cmd->def)->constraints)
			action(rehearsal, lfirst_node(Constraint, lc));
}

static void
check_dependents_of(const ZdmDdl *ddl, Oid classid, Oid objid, int subid, DropBehavior behavior)
{
	ObjectAddress address;

	ObjectAddressSubSet(address, classid, objid, subid);
	rehearse_check_dependents(ddl, list_make1(&address), behavior);
}

static void
check_drop_column(const Rehearsal *rehearsal, const AlterTableCmd *cmd)
{
	HeapTuple	tuple = SearchSysCacheAttName(rehearsal->relid, cmd->name);
	Form_pg_attribute form;
	bool		is_inherited;
	AttrNumber	attnum;

	if (!HeapTupleIsValid(tuple))
	{
		if (cmd->missing_ok)
			return;
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						cmd->name, rehearsal->relname)));
	}
	form = (Form_pg_attribute) GETSTRUCT(tuple);
	attnum = form->attnum;
	is_inherited = form->attinhcount > 0;
	ReleaseSysCache(tuple);
	if (is_inherited)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("cannot drop inherited column \"%s\"", cmd->name)));
	check_dependents_of(rehearsal->ddl, RelationRelationId, rehearsal->relid, attnum,
						cmd->behavior);
}

static void
check_drop_constraint(const Rehearsal *rehearsal, const AlterTableCmd *cmd)
{
	ZdmDdl		scratch = *rehearsal->ddl;
	ZdmRel	   *rel = ddl_rel_by_oid(&scratch, rehearsal->relid);
	ZdmConstraint *con = rel ? ddl_constraint(rel, cmd->name) : NULL;

	if (con == NULL)
	{
		if (cmd->missing_ok)
			return;
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("constraint \"%s\" of relation \"%s\" does not exist",
						cmd->name, rehearsal->relname)));
	}
	if (con->is_inherited)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("cannot drop inherited constraint \"%s\" of relation \"%s\"",
						cmd->name, rehearsal->relname)));
	check_dependents_of(rehearsal->ddl, ConstraintRelationId, con->oid, 0, cmd->behavior);
}

/* Is the constraint one that the copy has too? */
static bool
is_copied(const Rehearsal *rehearsal, const char *name)
{
	ZdmDdl		scratch = *rehearsal->ddl;
	ZdmRel	   *rel = ddl_rel_by_oid(&scratch, rehearsal->relid);
	ZdmConstraint *con = rel ? ddl_constraint(rel, name) : NULL;

	return con != NULL && (con->contype == CONSTRAINT_CHECK || con->contype == CONSTRAINT_NOTNULL);
}

static void
check_no_inherit(const Rehearsal *rehearsal, const RangeVar *place)
{
	Oid			parent = RangeVarGetRelid(place, NoLock, false);
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	bool		found = false;

	catalog_scan_oid(&scan, InheritsRelationId, InheritsRelidSeqnoIndexId, Anum_pg_inherits_inhrelid,
					 rehearsal->relid);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
		found |= ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent == parent;
	catalog_scan_end(&scan);
	if (!found)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s\" is not a parent of relation \"%s\"",
						get_rel_name(parent), rehearsal->relname)));
}

/* Is it a name of nothing yet, so that the statement itself may make it? */
static bool
is_free(const Rehearsal *rehearsal, const char *name)
{
	return name != NULL &&
		!OidIsValid(get_relname_relid(name, get_rel_namespace(rehearsal->relid)));
}

/* Look the command up; can it be run on a copy? */
static bool
prepare_command(Rehearsal *rehearsal, AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_AddConstraint:
			if (castNode(Constraint, cmd->def)->indexname != NULL)
				return false;
			/* fall through */
		case AT_AddColumn:
			if (IsA(cmd->def, ColumnDef))
				(void) names_whole_row(castNode(ColumnDef, cmd->def)->raw_default, rehearsal);
			for_each_constraint(cmd, rehearsal, check_constraint);
			for_each_constraint(cmd, rehearsal, note_reference);
			return true;
		case AT_DropColumn:
			check_drop_column(rehearsal, cmd);
			return true;
		case AT_DropConstraint:
			check_drop_constraint(rehearsal, cmd);
			return is_copied(rehearsal, cmd->name);
		case AT_DropInherit:
			check_no_inherit(rehearsal, (const RangeVar *) cmd->def);
			return false;
		case AT_AlterColumnType:
			(void) names_whole_row(castNode(ColumnDef, cmd->def)->raw_default, rehearsal);
			return true;
		case AT_ClusterOn:
			return is_free(rehearsal, cmd->name);
		case AT_ReplicaIdentity:
			return is_free(rehearsal, castNode(ReplicaIdentityStmt, cmd->def)->name);
		case AT_ColumnDefault:
		case AT_SetNotNull:
		case AT_DropNotNull:
		case AT_AddIdentity:
		case AT_SetIdentity:
		case AT_DropIdentity:
		case COMPAT_AT_EXPRESSION:
		case AT_SetStatistics:
		case AT_SetStorage:
		case AT_SetCompression:
		case AT_SetOptions:
		case AT_ResetOptions:
			return true;
		default:
			return false;
	}
}

static void
note_dropped(Rehearsal *rehearsal, const AlterTableStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->cmds)
	{
		const AlterTableCmd *cmd = lfirst(lc);

		if (cmd->subtype == AT_DropConstraint)
			rehearsal->dropped = lappend(rehearsal->dropped, cmd->name);
	}
}

/* DROP CONSTRAINT of one that the copy should not have */
static AlterTableCmd *
drop_command(char *name)
{
	AlterTableCmd *cmd = makeNode(AlterTableCmd);

	cmd->subtype = AT_DropConstraint;
	cmd->name = name;
	cmd->behavior = DROP_CASCADE;
	cmd->missing_ok = true;
	return cmd;
}

static void
rehearse_alter_table(Rehearsal *rehearsal)
{
	AlterTableStmt *stmt = copyObject(castNode(AlterTableStmt, rehearsal->ddl->stmt));
	List	   *runnable = NIL;
	ListCell   *lc;

	rehearse_check_owner(rehearsal->relid);
	note_dropped(rehearsal, stmt);
	foreach(lc, claims_due_on(rehearsal->relid))
	{
		if (is_copied(rehearsal, lfirst(lc)))
			runnable = lappend(runnable, drop_command(lfirst(lc)));
		rehearsal->dropped = lappend(rehearsal->dropped, lfirst(lc));
	}
	foreach(lc, stmt->cmds)
	{
		if (prepare_command(rehearsal, lfirst(lc)))
			runnable = lappend(runnable, lfirst(lc));
	}
	if (runnable != NIL && !rehearsal->whole_row)
	{
		stmt->cmds = runnable;
		stmt->objtype = OBJECT_TABLE;
		add_table(rehearsal, stmt->relation, false);
		(void) scratch_run((Node *) stmt, rehearsal->ddl->query, rehearsal->tables);
	}
	rehearse_tree(rehearsal->ddl, rehearsal->relid);
	foreach(lc, castNode(AlterTableStmt, rehearsal->ddl->stmt)->cmds)
	{
		AlterTableCmd *cmd = lfirst(lc);
		ListCell   *lc2;

		if (cmd->subtype == AT_AddConstraint)
			rehearse_check_reference(rehearsal->ddl, castNode(Constraint, cmd->def));
		foreach(lc2, cmd->subtype == AT_AddColumn ?
				castNode(ColumnDef, cmd->def)->constraints : NIL)
			rehearse_check_reference(rehearsal->ddl, lfirst(lc2));
	}
}

static void
rehearse_policy(Rehearsal *rehearsal)
{
	CreatePolicyStmt *stmt = copyObject(castNode(CreatePolicyStmt, rehearsal->ddl->stmt));

	rehearse_check_owner(rehearsal->relid);
	if (OidIsValid(get_relation_policy_oid(rehearsal->relid, stmt->policy_name, true)))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("policy \"%s\" for table \"%s\" already exists",
						stmt->policy_name, rehearsal->relname)));
	(void) names_whole_row(stmt->qual, rehearsal);
	(void) names_whole_row(stmt->with_check, rehearsal);
	if (rehearsal->whole_row)
		return;
	add_table(rehearsal, stmt->table, false);
	(void) scratch_run((Node *) stmt, rehearsal->ddl->query, rehearsal->tables);
}

/* A statement on the relation that place names */
static void
rehearse_on(const ZdmDdl *ddl, const RangeVar *place, void (*action) (Rehearsal *))
{
	Rehearsal	rehearsal = {ddl};

	rehearsal.relid = RangeVarGetRelid(place, NoLock, true);
	if (!OidIsValid(rehearsal.relid))
		return;					/* IF EXISTS, or it would not be put off */
	rehearsal.relname = get_rel_name(rehearsal.relid);
	action(&rehearsal);
}

static void
rehearse_owner(Rehearsal *rehearsal)
{
	rehearse_check_owner(rehearsal->relid);
}

/* Is any of the parts put off? */
static bool
any_waits(List *parts)
{
	ListCell   *lc;

	foreach(lc, parts)
	{
		if (((const ZdmPart *) lfirst(lc))->phase != ZDM_PHASE_EXPAND)
			return true;
	}
	return false;
}

void
rehearse(const ZdmDdl *ddl, List *parts)
{
	if (!any_waits(parts))
		return;
	switch (nodeTag(ddl->stmt))
	{
		case T_IndexStmt:
			rehearse_on(ddl, ((IndexStmt *) ddl->stmt)->relation, rehearse_index);
			break;
		case T_AlterTableStmt:
			if (((AlterTableStmt *) ddl->stmt)->objtype == OBJECT_TABLE ||
				((AlterTableStmt *) ddl->stmt)->objtype == OBJECT_FOREIGN_TABLE ||
				((AlterTableStmt *) ddl->stmt)->objtype == OBJECT_MATVIEW)
				rehearse_on(ddl, ((AlterTableStmt *) ddl->stmt)->relation,
							rehearse_alter_table);
			break;
		case T_CreatePolicyStmt:
			rehearse_on(ddl, ((CreatePolicyStmt *) ddl->stmt)->table, rehearse_policy);
			break;
		case T_AlterPolicyStmt:
			rehearse_on(ddl, ((AlterPolicyStmt *) ddl->stmt)->table, rehearse_owner);
			break;
		case T_RenameStmt:
			if (((RenameStmt *) ddl->stmt)->relation != NULL)
				rehearse_on(ddl, ((RenameStmt *) ddl->stmt)->relation, rehearse_owner);
			break;
		case T_AlterObjectSchemaStmt:
			if (((AlterObjectSchemaStmt *) ddl->stmt)->relation != NULL)
				rehearse_on(ddl, ((AlterObjectSchemaStmt *) ddl->stmt)->relation,
							rehearse_owner);
			break;
		case T_DropStmt:
			rehearse_drop(ddl);
			break;
		case T_AlterDomainStmt:
			rehearse_domain(ddl);
			break;
		default:
			break;				/* strangers have been turned away (rights.c) */
	}
}
