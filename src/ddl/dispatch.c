/*-------------------------------------------------------------------------
 *
 * dispatch.c
 *	  Which handler looks at which kind of statement.
 *
 * Every utility statement of PostgreSQL 15 to 18 is in the table; one that is
 * decided to be harmless has no handler, with the reason beside its group.
 * test/bin/check-dispatch compares the table with the server's headers.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ddl/ddl.h"
#include "ddl/xact.h"
#include "tcop/utility.h"

typedef struct DispatchEntry
{
	NodeTag		tag;
	ZdmHandler	handler;		/* NULL: no hazard, whatever it says */
} DispatchEntry;

static const DispatchEntry dispatch_table[] = {
	/* tables, views, sequences, indexes */
	{T_AlterTableStmt, ddl_alter_table},
	{T_AlterTableMoveAllStmt, ddl_alter_table_move_all},
	{T_AlterSeqStmt, ddl_alter_sequence},
	{T_CreateStmt, ddl_create_table},
	{T_CreateForeignTableStmt, ddl_create_table},
	{T_CreateTableAsStmt, ddl_create_table},
	{T_ViewStmt, ddl_create_view},
	{T_IndexStmt, ddl_create_index},
	{T_ReindexStmt, ddl_reindex},
	{T_RefreshMatViewStmt, ddl_refresh},
	{T_TruncateStmt, ddl_truncate},
	{T_LockStmt, ddl_lock_table},
	{T_VacuumStmt, ddl_vacuum},
	{T_ClusterStmt, ddl_cluster},
	{T_CreateTrigStmt, ddl_create_trigger},
	{T_RuleStmt, ddl_create_rule},
	{T_CreateStatsStmt, ddl_create_statistics},

	/* any object */
	{T_DropStmt, ddl_drop},
	{T_DropOwnedStmt, ddl_drop_owned},
	{T_DropdbStmt, ddl_drop_database},
	{T_RenameStmt, ddl_rename},
	{T_AlterObjectSchemaStmt, ddl_set_schema},
	{T_AlterOwnerStmt, ddl_owner},
	{T_ReassignOwnedStmt, ddl_reassign_owned},
	{T_CommentStmt, ddl_comment},
	{T_SecLabelStmt, ddl_comment},

	/* rights */
	{T_GrantStmt, ddl_grant},
	{T_GrantRoleStmt, ddl_grant_role},
	{T_CreatePolicyStmt, ddl_policy},
	{T_AlterPolicyStmt, ddl_policy},

	/* functions, types, schemas, extensions, publications */
	{T_CreateFunctionStmt, ddl_create_function},
	{T_AlterDomainStmt, ddl_alter_domain},
	{T_AlterEnumStmt, ddl_alter_enum},
	{T_CreateSchemaStmt, ddl_create_schema},
	{T_CreateExtensionStmt, ddl_create_extension},
	{T_AlterExtensionStmt, ddl_create_extension},
	{T_CreatePublicationStmt, ddl_create_publication},
	{T_AlterPublicationStmt, ddl_create_publication},

	/* plannable statements, which zdm_check meets in a script */
	{T_SelectStmt, ddl_create_table},	/* SELECT INTO; others have no hazard */
	{T_UpdateStmt, ddl_dml},
	{T_DeleteStmt, ddl_dml},
	{T_InsertStmt, NULL},
	{T_MergeStmt, NULL},		/* its plan decides, not its text */

	/* control of transactions, cursors, settings and the session: no DDL */
	{T_TransactionStmt, NULL},
	{T_DeclareCursorStmt, NULL},
	{T_ClosePortalStmt, NULL},
	{T_FetchStmt, NULL},
	{T_PrepareStmt, NULL},
	{T_ExecuteStmt, NULL},
	{T_DeallocateStmt, NULL},
	{T_ExplainStmt, NULL},
	{T_VariableSetStmt, NULL},
	{T_VariableShowStmt, NULL},
	{T_DiscardStmt, NULL},
	{T_ConstraintsSetStmt, NULL},
	{T_ListenStmt, NULL},
	{T_UnlistenStmt, NULL},
	{T_NotifyStmt, NULL},
	{T_LoadStmt, NULL},
	{T_CheckPointStmt, NULL},
	{T_AlterSystemStmt, NULL},

	/* COPY takes the locks of INSERT or SELECT */
	{T_CopyStmt, NULL},

	/* what they run comes through the hook, statement by statement */
	{T_DoStmt, NULL},
	{T_CallStmt, NULL},

	/* make a new object that nobody uses yet, or touch no relation's lock */
	{T_CompositeTypeStmt, NULL},
	{T_CreateEnumStmt, NULL},
	{T_CreateRangeStmt, NULL},
	{T_CreateDomainStmt, NULL},
	{T_CreateSeqStmt, NULL},
	{T_DefineStmt, NULL},
	{T_CreateAmStmt, NULL},
	{T_CreateCastStmt, NULL},
	{T_CreateConversionStmt, NULL},
	{T_CreateEventTrigStmt, NULL},
	{T_CreateFdwStmt, NULL},
	{T_CreateForeignServerStmt, NULL},
	{T_CreateOpClassStmt, NULL},
	{T_CreateOpFamilyStmt, NULL},
	{T_CreatePLangStmt, NULL},
	{T_CreateSubscriptionStmt, NULL},
	{T_CreateTransformStmt, NULL},
	{T_CreateUserMappingStmt, NULL},
	{T_ImportForeignSchemaStmt, NULL},

	/* properties of objects that lock no relation and keep their meaning */
	{T_AlterCollationStmt, NULL},
	{T_AlterDefaultPrivilegesStmt, NULL},	/* objects to come */
	{T_AlterEventTrigStmt, NULL},
	{T_AlterExtensionContentsStmt, NULL},
	{T_AlterFdwStmt, NULL},
	{T_AlterForeignServerStmt, NULL},
	{T_AlterFunctionStmt, ddl_create_function},
	{T_AlterObjectDependsStmt, NULL},
	{T_AlterOpFamilyStmt, NULL},
	{T_AlterOperatorStmt, NULL},
	{T_AlterStatsStmt, NULL},
	{T_AlterSubscriptionStmt, NULL},
	{T_AlterTSConfigurationStmt, NULL},
	{T_AlterTSDictionaryStmt, NULL},
	{T_AlterTypeStmt, NULL},	/* SET of a base type's support functions */
	{T_AlterUserMappingStmt, NULL},

	/* roles, databases, tablespaces: of the cluster, not of this database */
	{T_CreateRoleStmt, NULL},
	{T_AlterRoleStmt, NULL},
	{T_AlterRoleSetStmt, NULL},
	{T_DropRoleStmt, NULL},		/* refused while it owns or may use anything */
	{T_CreatedbStmt, NULL},
	{T_AlterDatabaseStmt, NULL},
	{T_AlterDatabaseSetStmt, NULL},
	{T_AlterDatabaseRefreshCollStmt, NULL},
	{T_CreateTableSpaceStmt, NULL},
	{T_AlterTableSpaceOptionsStmt, NULL},
	{T_DropTableSpaceStmt, NULL},	/* refused unless empty */
	{T_DropUserMappingStmt, NULL},
	{T_DropSubscriptionStmt, NULL},
};

/*
 * Tag-indexed copy of the table, made on first use: the hook asks for every
 * utility statement.
 */
#define MAX_TAG	1024

static uint8 entry_of_tag[MAX_TAG];

StaticAssertDecl(lengthof(dispatch_table) < 255, "entry_of_tag holds one byte each");

static const DispatchEntry *
find_entry(NodeTag tag)
{
	static bool filled = false;

	if (!filled)
	{
		for (int i = 0; i < lengthof(dispatch_table); i++)
			entry_of_tag[dispatch_table[i].tag] = i + 1;
		filled = true;
	}
	if ((int) tag >= MAX_TAG || entry_of_tag[tag] == 0)
		return NULL;
	return &dispatch_table[entry_of_tag[tag] - 1];
}

/* Can this kind of statement have a hazard or a lock worth looking at? */
bool
ddl_is_guarded(NodeTag tag)
{
	const DispatchEntry *entry = find_entry(tag);

	return entry != NULL && entry->handler != NULL;
}

/* Look at one statement, or at a part of one (an element of CREATE SCHEMA). */
void
ddl_analyze_node(ZdmDdl *ddl, Node *stmt)
{
	const DispatchEntry *entry = find_entry(nodeTag(stmt));

	if (entry != NULL && entry->handler != NULL)
		entry->handler(ddl, stmt);
}

/*
 * Find out what ddl->stmt does.  The caller has set the fields that are
 * given; the others are filled here.  Raises what parse analysis of default
 * expressions raises, and nothing for names that do not exist.
 */
void
ddl_analyze(ZdmDdl *ddl)
{
	ddl->command = GetCommandTagName(CreateCommandTag(ddl->stmt));
	ddl_analyze_node(ddl, ddl->stmt);
	ddl_xact_rules(ddl);
	if (ddl->sees_sessions)
		ddl_blocked_rule(ddl);
}
