/*-------------------------------------------------------------------------
 *
 * alter_table.c
 *	  ALTER TABLE and its like: the lock of each command, how far it reaches
 *	  into partitions and children, and which family of hazards looks at it.
 *
 * ALTER INDEX, VIEW, SEQUENCE, MATERIALIZED VIEW, FOREIGN TABLE and (for
 * composite types) TYPE come here too: the grammar makes them AlterTableStmt.
 * Both switches below name every command, without a default, so that the
 * compiler asks for a decision when PostgreSQL has a new one.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "commands/defrem.h"
#include "commands/tablespace.h"
#include "ddl/catalog_scan.h"
#include "ddl/ddl.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"

/* The lock that ADD CONSTRAINT takes on its own table. */
static LOCKMODE
add_constraint_lock(const AlterTableCmd *cmd)
{
	if (cmd->def != NULL && IsA(cmd->def, Constraint) &&
		((Constraint *) cmd->def)->contype == CONSTR_FOREIGN)
		return ShareRowExclusiveLock;
	return AccessExclusiveLock;
}

/*
 * The lock that one command takes on its table, as AlterTableGetLockLevel()
 * in tablecmds.c has it.
 */
static LOCKMODE
command_lock(const AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_SetStatistics:
		case AT_ClusterOn:
		case AT_DropCluster:
		case AT_SetOptions:
		case AT_ResetOptions:
		case AT_ValidateConstraint:
		case AT_AttachPartition:
		case AT_DetachPartitionFinalize:
			return ShareUpdateExclusiveLock;

		case AT_DetachPartition:
			return ((PartitionCmd *) cmd->def)->concurrent ?
				ShareUpdateExclusiveLock : AccessExclusiveLock;

		case AT_SetRelOptions:
		case AT_ResetRelOptions:
			return AlterTableGetRelOptionsLockLevel((List *) cmd->def);

		case AT_EnableTrig:
		case AT_EnableAlwaysTrig:
		case AT_EnableReplicaTrig:
		case AT_EnableTrigAll:
		case AT_EnableTrigUser:
		case AT_DisableTrig:
		case AT_DisableTrigAll:
		case AT_DisableTrigUser:
			return ShareRowExclusiveLock;

		case AT_AddConstraint:
		case AT_ReAddConstraint:
			return add_constraint_lock(cmd);

		case AT_AddColumn:
		case AT_AddColumnToView:
		case AT_ColumnDefault:
		case AT_CookedColumnDefault:
		case AT_DropNotNull:
		case AT_SetNotNull:
		case COMPAT_AT_EXPRESSION:
		case AT_SetStorage:
		case AT_SetCompression:
		case AT_DropColumn:
		case AT_AddIndex:
		case AT_ReAddIndex:
		case AT_ReAddDomainConstraint:
		case AT_AlterConstraint:
		case AT_AddIndexConstraint:
		case AT_DropConstraint:
		case AT_ReAddComment:
		case AT_AlterColumnType:
		case AT_AlterColumnGenericOptions:
		case AT_ChangeOwner:
		case AT_SetLogged:
		case AT_SetUnLogged:
		case AT_DropOids:
		case AT_SetAccessMethod:
		case AT_SetTableSpace:
		case AT_ReplaceRelOptions:
		case AT_EnableRule:
		case AT_EnableAlwaysRule:
		case AT_EnableReplicaRule:
		case AT_DisableRule:
		case AT_AddInherit:
		case AT_DropInherit:
		case AT_AddOf:
		case AT_DropOf:
		case AT_ReplicaIdentity:
		case AT_EnableRowSecurity:
		case AT_DisableRowSecurity:
		case AT_ForceRowSecurity:
		case AT_NoForceRowSecurity:
		case AT_GenericOptions:
		case AT_AddIdentity:
		case AT_SetIdentity:
		case AT_DropIdentity:
		case COMPAT_AT_INTERNAL:
			return AccessExclusiveLock;
	}
	return AccessExclusiveLock;
}

/* One strong command lifts the whole statement. */
LOCKMODE
ddl_alter_lock(const AlterTableStmt *alter)
{
	LOCKMODE	strongest = ShareUpdateExclusiveLock;
	ListCell   *lc;

	foreach(lc, alter->cmds)
		strongest = Max(strongest, command_lock(lfirst(lc)));
	return strongest;
}

/* Does the statement go to partitions and children, that is, not ONLY? */
bool
ddl_alter_recurses(const ZdmDdl *ddl)
{
	return ddl->alter == NULL || ddl->alter->relation->inh;
}

/* Does ADD CONSTRAINT lock partitions or children in the statement's mode? */
static bool
add_constraint_recurses(const ZdmRel *rel, const AlterTableCmd *cmd)
{
	Constraint *con;

	if (cmd->def == NULL || !IsA(cmd->def, Constraint))
		return false;
	con = (Constraint *) cmd->def;
	switch (con->contype)
	{
		case CONSTR_CHECK:
			return !con->is_no_inherit || COMPAT_NO_INHERIT_CHECK_LOCKS_CHILDREN;
		case CONSTR_NOTNULL:
			return !con->is_no_inherit;
		case CONSTR_FOREIGN:
			return rel->relkind == RELKIND_PARTITIONED_TABLE;
		default:
			return false;		/* constraint.c knows more of these */
	}
}

/* Does VALIDATE or DROP CONSTRAINT go to the partitions and children? */
static bool
constraint_recurses(ZdmRel *rel, const AlterTableCmd *cmd)
{
	ZdmConstraint *con;

	if (rel->relkind == RELKIND_PARTITIONED_TABLE &&
		cmd->subtype == AT_DropConstraint)
		return true;
	con = ddl_constraint(rel, cmd->name);
	if (con == NULL || (cmd->subtype == AT_ValidateConstraint && con->is_valid))
		return false;
	return con->contype == CONSTRAINT_CHECK || con->contype == CONSTRAINT_NOTNULL ||
		rel->relkind == RELKIND_PARTITIONED_TABLE;
}

/* Are the partitions or children of a column that is SET NOT NULL locked? */
static bool
set_not_null_recurses(ZdmDdl *ddl, ZdmRel *rel, const AlterTableCmd *cmd)
{
	ZdmCol	   *col = ddl_alter_col(ddl, rel, cmd->name, true);

	if (col == NULL || !col->not_null)
		return true;
	return rel->relkind != RELKIND_PARTITIONED_TABLE && !COMPAT_NOT_NULL_HAS_CONSTRAINT;
}

/* Does a command without ONLY lock the partitions or children as well? */
static bool
command_recurses(ZdmDdl *ddl, ZdmRel *rel, const AlterTableCmd *cmd)
{
	bool		partitioned = rel->relkind == RELKIND_PARTITIONED_TABLE;

	switch (cmd->subtype)
	{
		case AT_AddColumn:
			return !cmd->missing_ok ||
				ddl_col(ddl, rel, ((ColumnDef *) cmd->def)->colname, true) == NULL;
		case AT_SetNotNull:
			return set_not_null_recurses(ddl, rel, cmd);
		case AT_DropColumn:
			return !cmd->missing_ok || ddl_col(ddl, rel, cmd->name, true) != NULL;
		case AT_ColumnDefault:
		case AT_DropNotNull:
		case COMPAT_AT_EXPRESSION:
		case AT_SetStatistics:
		case AT_SetStorage:
		case AT_AlterColumnType:
			return true;
		case AT_AddConstraint:
			return add_constraint_recurses(rel, cmd);
		case AT_ValidateConstraint:
		case AT_DropConstraint:
			return constraint_recurses(rel, cmd);
		case AT_AlterConstraint:
		case AT_EnableTrig:
		case AT_EnableAlwaysTrig:
		case AT_EnableReplicaTrig:
		case AT_EnableTrigAll:
		case AT_EnableTrigUser:
		case AT_DisableTrig:
		case AT_DisableTrigAll:
		case AT_DisableTrigUser:
			return partitioned;
		case AT_AddIdentity:
		case AT_SetIdentity:
		case AT_DropIdentity:
			return partitioned && COMPAT_IDENTITY_RECURSES;
		default:
			return false;
	}
}

/* Note the locks on the table itself, and on its partitions and children. */
static void
lock_target(ZdmDdl *ddl, ZdmRel *rel)
{
	LOCKMODE	mode = ddl_alter_lock(ddl->alter);
	ListCell   *lc;

	ddl_lock(ddl, rel, mode);
	if (!rel->has_children || !ddl_alter_recurses(ddl))
		return;
	foreach(lc, ddl->alter->cmds)
	{
		if (command_recurses(ddl, rel, lfirst(lc)))
		{
			ddl_lock_tree(ddl, rel, mode);
			return;
		}
	}
}

/* A command that only needs a strong lock, for a moment. */
void
ddl_note_brief_lock(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd, const char *what)
{
	if (ddl_alter_lock(ddl->alter) == AccessExclusiveLock)
		ddl_hazard(ddl, ZDM_RULE_OTHER_ACCESS_EXCLUSIVE, rel, (Node *) cmd, NULL,
				   "%s of %s would block reads and writes of it for a moment",
				   what, ddl_rel_describe(rel));
}

/* OWNER TO */
static void
change_owner(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	if (ddl_role(ddl, cmd->newowner) == rel->owner)
		return;
	ddl_hazard(ddl, ZDM_RULE_SECURITY_CHANGE, rel, (Node *) cmd, NULL,
			   "another owner of %s could take the rights of clients that still use it",
			   ddl_rel_describe(rel));
}

/* SET LOGGED, SET UNLOGGED */
static void
set_persistence(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	char		wanted = cmd->subtype == AT_SetLogged ?
		RELPERSISTENCE_PERMANENT : RELPERSISTENCE_UNLOGGED;

	if (rel->persistence == wanted || rel->relkind != RELKIND_RELATION)
		return;
	ddl_rewrite(ddl, rel);
	ddl_lock_hazard(ddl, ZDM_RULE_SET_LOGGED_UNLOGGED, rel, (Node *) cmd, NULL,
					"SET %s would rewrite %s",
					cmd->subtype == AT_SetLogged ? "LOGGED" : "UNLOGGED",
					ddl_rel_describe(rel));
}

/* SET ACCESS METHOD; a partitioned table has no rows of its own */
static void
set_access_method(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	const char *name = cmd->name ? cmd->name : default_table_access_method;
	Oid			amoid = get_table_am_oid(name, true);

	if (!OidIsValid(amoid))
		ddl_undefined(ddl, "access method \"%s\" does not exist", name);
	if (!RELKIND_HAS_STORAGE(rel->relkind) || amoid == rel->amoid)
		return;
	ddl_rewrite(ddl, rel);
	ddl_lock_hazard(ddl, ZDM_RULE_SET_ACCESS_METHOD, rel, (Node *) cmd, NULL,
					"SET ACCESS METHOD would rewrite %s", ddl_rel_describe(rel));
}

/* SET TABLESPACE of a table or an index */
static void
move_relation(ZdmDdl *ddl, ZdmRel *rel, Node *node, Oid tablespace)
{
	Oid			current = OidIsValid(rel->tablespace) ? rel->tablespace : MyDatabaseTableSpace;
	ZdmRel	   *table;

	if (!RELKIND_HAS_STORAGE(rel->relkind) || current == tablespace)
		return;
	ddl_rewrite(ddl, rel);

	/* the index of an empty table has a page, but nothing worth a word */
	table = rel->relkind == RELKIND_INDEX ? ddl_index_table(ddl, rel) : NULL;
	if (table != NULL && ddl_rel_size(ddl, ddl_rel_only(table)) == 0)
		return;
	ddl_lock_hazard(ddl, ZDM_RULE_SET_TABLESPACE, rel, node, NULL,
					"SET TABLESPACE would copy all of %s", ddl_rel_describe(rel));
}

static void
set_tablespace(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	Oid			tablespace = get_tablespace_oid(cmd->name, true);

	if (!OidIsValid(tablespace))
		ddl_undefined(ddl, "tablespace \"%s\" does not exist", cmd->name);
	else
		move_relation(ddl, rel, (Node *) cmd, tablespace);
}

/* SET, RESET (...) of a view can change which rows it shows and accepts. */
static void
set_options(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	ListCell   *lc;

	if (rel->relkind != RELKIND_VIEW)
	{
		ddl_note_brief_lock(ddl, rel, cmd, "changing storage parameters");
		return;
	}
	foreach(lc, (List *) cmd->def)
	{
		DefElem    *elem = lfirst_node(DefElem, lc);

		if (strcmp(elem->defname, "security_invoker") == 0)
			ddl_hazard(ddl, ZDM_RULE_SECURITY_CHANGE, rel, (Node *) cmd, NULL,
					   "option \"security_invoker\" would change whose rights and row security apply to %s",
					   ddl_rel_describe(rel));
		else if (strcmp(elem->defname, "check_option") == 0 &&
				 cmd->subtype == AT_SetRelOptions)
			ddl_hazard(ddl, ZDM_RULE_CONSTRAINT_REJECTS_OLD_WRITERS, rel, (Node *) cmd, NULL,
					   "a check option could reject rows that old clients write through %s",
					   ddl_rel_describe(rel));
	}
}

/* ENABLE, DISABLE of triggers and rules; name is NULL for ALL and USER */
static void
switch_trigger(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd, const char *what)
{
	if (cmd->name != NULL)
		ddl_hazard(ddl, ZDM_RULE_TRIGGER_CHANGE, rel, (Node *) cmd, NULL,
				   "%s \"%s\" of %s would change what old clients' statements do",
				   what, cmd->name, ddl_rel_describe(rel));
	else
		ddl_hazard(ddl, ZDM_RULE_TRIGGER_CHANGE, rel, (Node *) cmd, NULL,
				   "%s of %s would change what old clients' statements do",
				   what, ddl_rel_describe(rel));
}

/* ENABLE, DISABLE, FORCE, NO FORCE ROW LEVEL SECURITY */
static void
row_security(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	ddl_hazard(ddl, ZDM_RULE_SECURITY_CHANGE, rel, (Node *) cmd, NULL,
			   "row-level security of %s would change which rows old clients see and write",
			   ddl_rel_describe(rel));
}

/* INHERIT, NO INHERIT: the parent's readers gain or lose the rows. */
static void
change_parent(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	ZdmRel	   *parent = ddl_rel(ddl, (RangeVar *) cmd->def, false);
	ZdmHazard  *hazard;

	if (parent == NULL)
		return;
	ddl_lock(ddl, parent, cmd->subtype == AT_AddInherit ?
			 ShareUpdateExclusiveLock : AccessShareLock);
	ddl_note_brief_lock(ddl, rel, cmd, "changing the parent");
	if (cmd->subtype == AT_AddInherit || rel->is_exempt)
		return;
	hazard = ddl_hazard(ddl, ZDM_RULE_DETACH_PARTITION_IN_WINDOW, parent, (Node *) cmd, NULL,
						"the rows of %s would vanish from what running clients read in %s",
						ddl_rel_describe(rel), ddl_rel_describe(parent));
	if (hazard == NULL)
		return;
	hazard->name = ddl_rel_qualified(rel);
	ObjectAddressSet(hazard->subject, RelationRelationId, rel->relid);
}

/* ALTER INDEX ... ATTACH PARTITION: no rows are read, the tables stay free */
static void
attach_index(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	ZdmRel	   *child = ddl_rel(ddl, ((PartitionCmd *) cmd->def)->name, false);

	if (child == NULL)
		return;
	ddl_lock(ddl, child, AccessExclusiveLock);
	ddl_lock(ddl, ddl_index_table(ddl, child), AccessShareLock);
	ddl_lock(ddl, ddl_index_table(ddl, rel), AccessShareLock);
}

/* Note the hazards of one command. */
static void
alter_command(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_AddColumn:
			ddl_add_column(ddl, rel, cmd);
			break;
		case AT_DropColumn:
			ddl_drop_column(ddl, rel, cmd);
			break;
		case AT_AlterColumnType:
			ddl_alter_column_type(ddl, rel, cmd);
			break;
		case AT_SetNotNull:
			ddl_set_not_null(ddl, rel, (Node *) cmd, cmd->name);
			break;
		case AT_ColumnDefault:
		case AT_DropNotNull:
		case COMPAT_AT_EXPRESSION:
		case AT_SetStatistics:
		case AT_SetOptions:
		case AT_ResetOptions:
		case AT_SetStorage:
		case AT_SetCompression:
		case AT_AddIdentity:
		case AT_SetIdentity:
		case AT_DropIdentity:
			ddl_alter_column(ddl, rel, cmd);
			break;
		case AT_AddConstraint:
			ddl_add_constraint(ddl, rel, castNode(Constraint, cmd->def));
			break;
		case AT_AlterConstraint:
			ddl_alter_constraint(ddl, rel, cmd);
			break;
		case AT_ValidateConstraint:
			ddl_validate_constraint(ddl, rel, cmd);
			break;
		case AT_DropConstraint:
			ddl_drop_constraint(ddl, rel, cmd);
			break;
		case AT_ChangeOwner:
			change_owner(ddl, rel, cmd);
			break;
		case AT_SetLogged:
		case AT_SetUnLogged:
			set_persistence(ddl, rel, cmd);
			break;
		case AT_SetAccessMethod:
			set_access_method(ddl, rel, cmd);
			break;
		case AT_SetTableSpace:
			set_tablespace(ddl, rel, cmd);
			break;
		case AT_SetRelOptions:
		case AT_ResetRelOptions:
			set_options(ddl, rel, cmd);
			break;
		case AT_EnableTrig:
		case AT_EnableAlwaysTrig:
		case AT_EnableReplicaTrig:
			switch_trigger(ddl, rel, cmd, "enabling trigger");
			break;
		case AT_DisableTrig:
			switch_trigger(ddl, rel, cmd, "disabling trigger");
			break;
		case AT_EnableTrigAll:
		case AT_EnableTrigUser:
			switch_trigger(ddl, rel, cmd, "enabling triggers");
			break;
		case AT_DisableTrigAll:
		case AT_DisableTrigUser:
			switch_trigger(ddl, rel, cmd, "disabling triggers");
			break;
		case AT_EnableRule:
		case AT_EnableAlwaysRule:
		case AT_EnableReplicaRule:
			switch_trigger(ddl, rel, cmd, "enabling rule");
			break;
		case AT_DisableRule:
			switch_trigger(ddl, rel, cmd, "disabling rule");
			break;
		case AT_EnableRowSecurity:
		case AT_DisableRowSecurity:
		case AT_ForceRowSecurity:
		case AT_NoForceRowSecurity:
			row_security(ddl, rel, cmd);
			break;
		case AT_AddInherit:
		case AT_DropInherit:
			change_parent(ddl, rel, cmd);
			break;
		case AT_AddOf:
		case AT_DropOf:
			ddl_note_brief_lock(ddl, rel, cmd, "changing the row type");
			break;
		case AT_ReplicaIdentity:
			ddl_replica_identity(ddl, rel, cmd);
			break;
		case AT_GenericOptions:
		case AT_AlterColumnGenericOptions:
			ddl_note_brief_lock(ddl, rel, cmd, "changing options");
			break;
		case AT_AttachPartition:
			if (rel->relkind == RELKIND_PARTITIONED_INDEX)
				attach_index(ddl, rel, cmd);
			else
				ddl_attach_partition(ddl, rel, cmd);
			break;
		case AT_DetachPartition:
		case AT_DetachPartitionFinalize:
			ddl_detach_partition(ddl, rel, cmd);
			break;

			/* nothing that a running client could notice */
		case AT_ClusterOn:
		case AT_DropCluster:
		case AT_DropOids:
			break;

			/* made inside PostgreSQL, never by the grammar */
		case AT_AddColumnToView:
		case AT_CookedColumnDefault:
		case AT_AddIndex:
		case AT_ReAddIndex:
		case AT_ReAddConstraint:
		case AT_ReAddDomainConstraint:
		case AT_AddIndexConstraint:
		case AT_ReAddComment:
		case AT_ReplaceRelOptions:
		case COMPAT_AT_INTERNAL:
			break;
	}
}

/* VALIDATE alone waits for no reader or writer and may take long. */
static bool
only_validates(const AlterTableStmt *alter)
{
	ListCell   *lc;

	foreach(lc, alter->cmds)
	{
		if (((AlterTableCmd *) lfirst(lc))->subtype != AT_ValidateConstraint)
			return false;
	}
	return true;
}

/* Note the hazards of one command, and whether it names what does not exist. */
static void
alter_command_alone(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	const char *undefined = ddl->undefined;

	ddl->undefined = NULL;
	alter_command(ddl, rel, cmd);
	if (ddl->undefined != NULL)
		ddl->undefined_in = lappend(ddl->undefined_in, cmd);
	if (undefined != NULL)
		ddl->undefined = undefined;
}

/* ALTER TABLE, INDEX, VIEW, SEQUENCE, MATERIALIZED VIEW, FOREIGN TABLE, TYPE */
void
ddl_alter_table(ZdmDdl *ddl, Node *stmt)
{
	AlterTableStmt *alter = (AlterTableStmt *) stmt;
	AlterTableStmt *outer = ddl->alter;
	ZdmRel	   *rel = ddl_rel(ddl, alter->relation, alter->missing_ok);
	ListCell   *lc;

	if (rel == NULL)
		return;
	ddl->object = ddl_rel_describe(rel);
	if (rel->relkind == RELKIND_COMPOSITE_TYPE)
	{
		ddl_alter_composite(ddl, rel, alter);
		return;
	}

	ddl->alter = alter;
	lock_target(ddl, rel);
	foreach(lc, alter->cmds)
	{
		CHECK_FOR_INTERRUPTS();
		alter_command_alone(ddl, rel, lfirst(lc));
	}
	if (only_validates(alter))
		ddl->runs_alone = true;
	ddl->alter = outer;
}

/* Does ALTER ... ALL IN TABLESPACE move this relation? */
static bool
is_moved(const AlterTableMoveAllStmt *move, const FormData_pg_class *form, List *owners)
{
	if (form->relisshared || form->oid < FirstNormalObjectId ||
		(owners != NIL && !list_member_oid(owners, form->relowner)))
		return false;
	switch (move->objtype)
	{
		case OBJECT_TABLE:
			return form->relkind == RELKIND_RELATION ||
				form->relkind == RELKIND_PARTITIONED_TABLE;
		case OBJECT_INDEX:
			return form->relkind == RELKIND_INDEX ||
				form->relkind == RELKIND_PARTITIONED_INDEX;
		default:
			return form->relkind == RELKIND_MATVIEW;
	}
}

/* Oids of the relations that ALTER ... ALL IN TABLESPACE moves */
static List *
moved_relations(const AlterTableMoveAllStmt *move, Oid from)
{
	List	   *owners = NIL;
	List	   *relids = NIL;
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	ListCell   *lc;

	foreach(lc, move->roles)
		owners = lappend_oid(owners, get_rolespec_oid(lfirst_node(RoleSpec, lc), true));

	catalog_scan_oid(&scan, RelationRelationId, ClassTblspcRelfilenodeIndexId,
					 Anum_pg_class_reltablespace,
					 from == MyDatabaseTableSpace ? InvalidOid : from);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		CHECK_FOR_INTERRUPTS();
		if (is_moved(move, form, owners))
			relids = lappend_oid(relids, form->oid);
	}
	catalog_scan_end(&scan);
	return relids;
}

/* ALTER TABLE, INDEX, MATERIALIZED VIEW ALL IN TABLESPACE ... SET TABLESPACE */
void
ddl_alter_table_move_all(ZdmDdl *ddl, Node *stmt)
{
	AlterTableMoveAllStmt *move = (AlterTableMoveAllStmt *) stmt;
	Oid			from = get_tablespace_oid(move->orig_tablespacename, true);
	Oid			to = get_tablespace_oid(move->new_tablespacename, true);
	ListCell   *lc;

	if (!OidIsValid(from) || !OidIsValid(to))
	{
		ddl_undefined(ddl, "tablespace \"%s\" does not exist",
					  OidIsValid(from) ? move->new_tablespacename : move->orig_tablespacename);
		return;
	}
	ddl->object = psprintf("tablespace \"%s\"", move->orig_tablespacename);
	if (from == to)
		return;
	foreach(lc, moved_relations(move, from))
	{
		ZdmRel	   *rel = ddl_rel_by_oid(ddl, lfirst_oid(lc));

		if (rel == NULL)
			continue;
		ddl_lock(ddl, rel, AccessExclusiveLock);
		move_relation(ddl, rel, stmt, to);
	}
}
