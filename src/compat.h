/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  The only place that tests PG_VERSION_NUM.
 *
 * Code elsewhere uses the newest name and signature; older majors get an
 * inline function or macro here.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_COMPAT_H
#define ZDM_COMPAT_H

#include "postgres.h"

#include "access/attmap.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/tupdesc.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "common/relpath.h"
#include "executor/executor.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/sinvaladt.h"
#include "miscadmin.h"
#include "postmaster/autovacuum.h"
#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"
#include "parser/parse_relation.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/rel.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "zdm supports PostgreSQL 15 to 18"
#endif

#if PG_VERSION_NUM >= 170000
#include "storage/procnumber.h"
#else
#include "storage/backendid.h"
#define INVALID_PROC_NUMBER InvalidBackendId
#endif

/* 18 has a prefix in place of pg_attribute_noreturn() */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

#if PG_VERSION_NUM >= 160000
#include "nodes/queryjumble.h"
#else
#include "utils/queryjumble.h"
#endif

/*
 * Memory for the "extra" of a setting, which the server frees.  Before 16
 * that is malloc's.
 */
#if PG_VERSION_NUM >= 160000
#include "utils/guc.h"
#define compat_guc_malloc(size)	guc_malloc(LOG, size)
#define compat_guc_free(ptr)	guc_free(ptr)
#else
#define compat_guc_malloc(size)	malloc(size)
#define compat_guc_free(ptr)	free(ptr)
#endif

/*
 * Path of the main fork of a permanent relation, palloc'd.
 *
 * 18 returns a struct (RelPathStr), so that it can be used without palloc.
 */
static inline char *
compat_relation_path(Oid dbid, Oid spcid, Oid filenumber)
{
#if PG_VERSION_NUM >= 180000
	return pstrdup(GetRelationPath(dbid, spcid, filenumber, INVALID_PROC_NUMBER,
								   MAIN_FORKNUM).str);
#else
	return GetRelationPath(dbid, spcid, filenumber, INVALID_PROC_NUMBER,
						   MAIN_FORKNUM);
#endif
}

/* May the user look up names in the schema? */
static inline bool
compat_schema_is_open(Oid nspoid)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(NamespaceRelationId, nspoid, GetUserId(), ACL_USAGE) == ACLCHECK_OK;
#else
	return pg_namespace_aclcheck(nspoid, GetUserId(), ACL_USAGE) == ACLCHECK_OK;
#endif
}

/* May the user make something in the schema? */
static inline bool
compat_can_create_in(Oid nspoid)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(NamespaceRelationId, nspoid, GetUserId(), ACL_CREATE) == ACLCHECK_OK;
#else
	return pg_namespace_aclcheck(nspoid, GetUserId(), ACL_CREATE) == ACLCHECK_OK;
#endif
}

/*
 * Does REVOKE ... OPTION FOR role leave the membership with all its rights?
 * From 16 on ADMIN, INHERIT and SET are options; of these ADMIN alone gives
 * no right on anything but the role itself.
 */
static inline bool
compat_revokes_admin_option_only(const GrantRoleStmt *stmt)
{
#if PG_VERSION_NUM >= 160000
	ListCell   *lc;

	foreach(lc, stmt->opt)
	{
		if (strcmp(((DefElem *) lfirst(lc))->defname, "admin") != 0)
			return false;
	}
	return stmt->opt != NIL;
#else
	return stmt->admin_opt;
#endif
}

/* Does GRANT of a role say with which options? */
static inline bool
compat_grant_role_has_options(const GrantRoleStmt *stmt)
{
#if PG_VERSION_NUM >= 160000
	return stmt->opt != NIL;
#else
	return stmt->admin_opt;
#endif
}

/*
 * Is a constraint of pg_constraint enforced?  Before 18 all are.
 */
static inline bool
compat_constraint_is_enforced(const FormData_pg_constraint *con)
{
#if PG_VERSION_NUM >= 180000
	return con->conenforced;
#else
	return true;
#endif
}

/*
 * Is a column whose attnotnull is set free of NULLs?  From 18 on a not-null
 * constraint can be NOT VALID: new rows obey it, old ones need not.
 */
static inline bool
compat_not_null_is_valid(Oid relid, AttrNumber attnum)
{
#if PG_VERSION_NUM >= 180000
	HeapTuple	tuple = findNotNullConstraintAttnum(relid, attnum);
	bool		valid;

	if (!HeapTupleIsValid(tuple))
		return true;
	valid = ((Form_pg_constraint) GETSTRUCT(tuple))->convalidated;
	heap_freetuple(tuple);
	return valid;
#else
	return true;
#endif
}

/*
 * Commands of ALTER TABLE that exist in some versions only, for a switch over
 * all of them.  Each macro stands in a case label, and may be several: those
 * on generation expressions, with SET EXPRESSION from 17 on; and what is
 * internal to tablecmds.c and never in a raw parse tree.
 */
#if PG_VERSION_NUM >= 170000
#define COMPAT_AT_EXPRESSION	AT_DropExpression: case AT_SetExpression
#else
#define COMPAT_AT_EXPRESSION	AT_DropExpression
#endif

#if PG_VERSION_NUM >= 180000
#define COMPAT_AT_INTERNAL		AT_ReAddStatistics
#elif PG_VERSION_NUM >= 160000
#define COMPAT_AT_INTERNAL		AT_ReAddStatistics: case AT_CheckNotNull
#else
#define COMPAT_AT_INTERNAL \
	AT_ReAddStatistics: \
	case AT_CheckNotNull: \
	case AT_AddColumnRecurse: \
	case AT_DropColumnRecurse: \
	case AT_AddConstraintRecurse: \
	case AT_ValidateConstraintRecurse: \
	case AT_DropConstraintRecurse
#endif

/*
 * What ALTER TABLE does differently from some version on.
 */

/* ADD, SET and DROP of an identity go to the partitions too */
#define COMPAT_IDENTITY_RECURSES	(PG_VERSION_NUM >= 170000)

/* a background worker can only act for a role that can log in */
#define COMPAT_WORKER_NEEDS_LOGIN	(PG_VERSION_NUM < 170000)

/* not-null constraints are in pg_constraint and can be NOT VALID */
#define COMPAT_NOT_NULL_HAS_CONSTRAINT	(PG_VERSION_NUM >= 180000)

/* ADD CHECK ... NO INHERIT locks the children too */
#define COMPAT_NO_INHERIT_CHECK_LOCKS_CHILDREN	(PG_VERSION_NUM >= 180000)

/* GRANT and REVOKE lock the relation, in ACCESS SHARE mode */
#define COMPAT_GRANT_LOCKS_RELATION	(PG_VERSION_NUM >= 180000)

/* lock that UNIQUE and PRIMARY KEY of a partitioned table take on partitions */
#if PG_VERSION_NUM >= 180000
#define COMPAT_INDEX_CONSTRAINT_PARTITION_LOCK	AccessExclusiveLock
#else
#define COMPAT_INDEX_CONSTRAINT_PARTITION_LOCK	ShareLock
#endif

#ifndef CONSTRAINT_NOTNULL
#define CONSTRAINT_NOTNULL				'n'
#endif

#ifndef ATTRIBUTE_GENERATED_VIRTUAL
#define ATTRIBUTE_GENERATED_VIRTUAL		'v'
#endif

/* Is a constraint of a parse tree enforced?  NOT ENFORCED is new in 18. */
static inline bool
compat_constraint_node_is_enforced(const Constraint *con)
{
#if PG_VERSION_NUM >= 180000
	return con->is_enforced;
#else
	return true;
#endif
}

/*
 * Is it ENFORCED or NOT ENFORCED after a constraint in the definition of a
 * column?  And what it makes of that constraint.
 */
static inline bool
compat_is_enforced_attribute(const Constraint *con)
{
#if PG_VERSION_NUM >= 180000
	return con->contype == CONSTR_ATTR_ENFORCED ||
		con->contype == CONSTR_ATTR_NOT_ENFORCED;
#else
	return false;
#endif
}

static inline void
compat_apply_enforced_attribute(Constraint *con, const Constraint *attribute)
{
#if PG_VERSION_NUM >= 180000
	con->is_enforced = attribute->contype == CONSTR_ATTR_ENFORCED;
#endif
}

/* A key WITHOUT OVERLAPS, or a foreign key with a PERIOD; new in 18 */
static inline bool
compat_is_temporal_key(const Constraint *con)
{
#if PG_VERSION_NUM >= 180000
	return con->without_overlaps || con->fk_with_period || con->pk_with_period;
#else
	return false;
#endif
}

/* As attgenerated: the kind of a GENERATED ALWAYS AS (expression) constraint. */
static inline char
compat_generated_kind(const Constraint *con)
{
#if PG_VERSION_NUM >= 180000
	return con->generated_kind;
#else
	return ATTRIBUTE_GENERATED_STORED;
#endif
}

/* Is it the index of a temporal key?  Those are new in 18. */
static inline bool
compat_index_is_without_overlaps(const IndexStmt *stmt)
{
#if PG_VERSION_NUM >= 180000
	return stmt->iswithoutoverlaps;
#else
	return false;
#endif
}

/* ALTER CONSTRAINT, whose node is another one from 18 on */
typedef struct CompatAlterConstraint
{
	const char *conname;
	bool		alter_enforced;
	bool		enforced;
	bool		alter_inherit;
	bool		no_inherit;
} CompatAlterConstraint;

static inline CompatAlterConstraint
compat_alter_constraint(Node *def)
{
	CompatAlterConstraint alter = {0};

#if PG_VERSION_NUM >= 180000
	ATAlterConstraint *node = castNode(ATAlterConstraint, def);

	alter.conname = node->conname;
	alter.alter_enforced = node->alterEnforceability;
	alter.enforced = node->is_enforced;
	alter.alter_inherit = node->alterInheritability;
	alter.no_inherit = node->noinherit;
#else
	alter.conname = castNode(Constraint, def)->conname;
#endif
	return alter;
}

/*
 * Does VACUUM or ANALYZE go to the partitions or children?  To inheritance
 * children, and with ONLY to stop it, from 18 on; ANALYZE before that reads
 * the children but locks the parent alone against other maintenance.
 */
static inline bool
compat_vacuum_descends(char relkind, bool inh)
{
#if PG_VERSION_NUM >= 180000
	return inh;
#else
	return relkind == RELKIND_PARTITIONED_TABLE;
#endif
}

/* May the member SET ROLE to it?  That is an option of a grant from 16 on. */
static inline bool
compat_can_set_role(Oid member, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return member_can_set_role(member, role);
#else
	return is_member_of_role(member, role);
#endif
}

/* Raises an error if a column of outdesc is missing in indesc. */
static inline AttrMap *
compat_attrmap_by_name(TupleDesc indesc, TupleDesc outdesc)
{
#if PG_VERSION_NUM >= 160000
	return build_attrmap_by_name(indesc, outdesc, false);
#else
	return build_attrmap_by_name(indesc, outdesc);
#endif
}

/*
 * The process that is in a virtual transaction now, or NULL: it has ended, or
 * was prepared.  A prepared one keeps the number of the process that prepared
 * it, which may be about something else by now.
 */
static inline PGPROC *
compat_vxid_proc(VirtualTransactionId vxid)
{
	PGPROC	   *proc;

#if PG_VERSION_NUM >= 170000
	if (vxid.procNumber == INVALID_PROC_NUMBER)
		return NULL;
	proc = ProcNumberGetProc(vxid.procNumber);
	if (proc != NULL && proc->vxid.lxid != vxid.localTransactionId)
		return NULL;
#else
	if (vxid.backendId == InvalidBackendId)
		return NULL;
	proc = BackendIdGetProc(vxid.backendId);
	if (proc != NULL && proc->lxid != vxid.localTransactionId)
		return NULL;
#endif
	return proc;
}

/* From 18 on a module says its name and version. */
#if PG_VERSION_NUM >= 180000
#define COMPAT_MODULE_MAGIC(module_name, module_version) \
	PG_MODULE_MAGIC_EXT(.name = module_name, .version = module_version)
#else
#define COMPAT_MODULE_MAGIC(module_name, module_version) PG_MODULE_MAGIC
#endif

/* MAINTAIN is a right of its own from 17 on. */
#if PG_VERSION_NUM >= 170000
#define COMPAT_ACL_MAINTAIN ACL_MAINTAIN
#else
#define COMPAT_ACL_MAINTAIN 0
#endif

/* MERGE INTO a view is new in 17 */
#define COMPAT_MERGE_NEEDS_TABLE	(PG_VERSION_NUM < 170000)

static inline bool
compat_is_autovacuum_worker(void)
{
#if PG_VERSION_NUM >= 170000
	return AmAutoVacuumWorkerProcess();
#else
	return IsAutoVacuumWorkerProcess();
#endif
}

/* 16 has one function for all kinds of objects. */
#if PG_VERSION_NUM < 160000
static inline bool
object_ownercheck(Oid classid, Oid objectid, Oid roleid)
{
	if (classid == DatabaseRelationId)
		return pg_database_ownercheck(objectid, roleid);
	if (classid == RelationRelationId)
		return pg_class_ownercheck(objectid, roleid);
	Assert(classid == NamespaceRelationId);
	return pg_namespace_ownercheck(objectid, roleid);
}
#endif

/*
 * Flags of a worker's connection.  From 17 on it can be that of a role which
 * may not log in.
 */
#if PG_VERSION_NUM >= 170000
#define COMPAT_WORKER_FLAGS	BGWORKER_BYPASS_ROLELOGINCHECK
#else
#define COMPAT_WORKER_FLAGS	0
#endif

/* NOT ENFORCED is new in 18. */
static inline bool
compat_check_is_enforced(const ConstrCheck *check)
{
#if PG_VERSION_NUM >= 180000
	return check->ccenforced;
#else
	return true;
#endif
}

/* In an expression on the table, put what a virtual column stands for. */
static inline Node *
compat_expand_virtual_columns(Node *expr, Relation rel)
{
#if PG_VERSION_NUM >= 180000
	return expand_generated_columns_in_expr(expr, rel, 1);
#else
	return expr;
#endif
}

/*
 * Make the range table of an executor state that updates columns of one
 * table.  updated is offset by FirstLowInvalidHeapAttributeNumber.
 */
static inline void
compat_init_range_table(EState *estate, Relation rel, Bitmapset *updated)
{
	RangeTblEntry *rte = makeNode(RangeTblEntry);
#if PG_VERSION_NUM >= 160000
	List	   *perminfos = NIL;
#endif

	rte->rtekind = RTE_RELATION;
	rte->relid = RelationGetRelid(rel);
	rte->relkind = rel->rd_rel->relkind;
	rte->rellockmode = RowExclusiveLock;
#if PG_VERSION_NUM >= 160000
	addRTEPermissionInfo(&perminfos, rte)->updatedCols = updated;
#else
	rte->updatedCols = updated;
#endif
#if PG_VERSION_NUM >= 180000
	ExecInitRangeTable(estate, list_make1(rte), perminfos, bms_make_singleton(1));
#elif PG_VERSION_NUM >= 160000
	ExecInitRangeTable(estate, list_make1(rte), perminfos);
#else
	ExecInitRangeTable(estate, list_make1(rte));
#endif
}

/* Before 16 an update adds to all indexes or to none. */
#if PG_VERSION_NUM < 160000
typedef enum TU_UpdateIndexes
{
	TU_None,
	TU_All,
	TU_Summarizing
} TU_UpdateIndexes;
#endif

static inline TM_Result
compat_table_tuple_update(Relation rel, ItemPointer tid, TupleTableSlot *slot,
						  CommandId cid, Snapshot snapshot,
						  TM_FailureData *failure, LockTupleMode *lock_mode,
						  TU_UpdateIndexes *update_indexes)
{
#if PG_VERSION_NUM >= 160000
	return table_tuple_update(rel, tid, slot, cid, snapshot, InvalidSnapshot,
							  true, failure, lock_mode, update_indexes);
#else
	bool		update_all;
	TM_Result	result;

	result = table_tuple_update(rel, tid, slot, cid, snapshot, InvalidSnapshot,
								true, failure, lock_mode, &update_all);
	*update_indexes = result == TM_Ok && update_all ? TU_All : TU_None;
	return result;
#endif
}

/* The index entries of a new version of a row; what has to be rechecked. */
static inline List *
compat_insert_index_tuples(ResultRelInfo *result_rel, TupleTableSlot *slot,
						   EState *estate, bool only_summarizing)
{
#if PG_VERSION_NUM >= 160000
	return ExecInsertIndexTuples(result_rel, slot, estate, true, false, NULL, NIL,
								 only_summarizing);
#else
	return ExecInsertIndexTuples(result_rel, slot, estate, true, false, NULL, NIL);
#endif
}

#endif							/* ZDM_COMPAT_H */
