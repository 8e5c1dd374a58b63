/*-------------------------------------------------------------------------
 *
 * claims_back.c
 *	  What takes a deferred step back, or says once more what it says.
 *
 * Now such a statement changes nothing, or the server would reject it, as the
 * step has not run yet.  So it is dealt with here: the step is given up where
 * that is all that the statement is about.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "claims.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_node.h"
#include "parser/parse_type.h"
#include "parser/parse_utilcmd.h"
#include "rehearse.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* An ALTER TABLE that is all of a step */
typedef struct Alone
{
	Oid			relid;
	const AlterTableCmd *cmd;
} Alone;

/* Is the step that statement?  False also for one that has been given up. */
static bool
is_alter(const ZdmConflict *conflict, const ZdmPending *pending, Alone *alone)
{
	const AlterTableStmt *stmt;

	if (list_length(pending->stmts) != 1 || list_member_ptr(conflict->cancels, pending))
		return false;
	stmt = (const AlterTableStmt *) linitial_node(RawStmt, pending->stmts)->stmt;
	if (!IsA(stmt, AlterTableStmt) || list_length(stmt->cmds) != 1)
		return false;
	alone->relid = claims_target_relid(pending, stmt->relation);
	alone->cmd = linitial(stmt->cmds);
	return OidIsValid(alone->relid);
}

/* The other table that the command names, in the statement itself or a step */
static Oid
other_of(const ZdmPending *pending, const AlterTableCmd *cmd)
{
	const RangeVar *rv = cmd->subtype == AT_AttachPartition || cmd->subtype == AT_DetachPartition ?
		castNode(PartitionCmd, cmd->def)->name : (const RangeVar *) cmd->def;

	return pending != NULL ? claims_target_relid(pending, rv) : RangeVarGetRelid(rv, NoLock, true);
}

/*
 * The last step that is such a command on the table, or NULL; with that other
 * table if it is not InvalidOid.
 */
static const ZdmPending *
last_alter(const ZdmConflict *conflict, Oid relid, AlterTableType subtype, Oid other)
{
	const ZdmPending *result = NULL;
	Alone		alone;
	ListCell   *lc;

	foreach(lc, conflict->pending)
	{
		const ZdmPending *pending = lfirst(lc);

		if (is_alter(conflict, pending, &alone) && alone.relid == relid &&
			alone.cmd->subtype == subtype &&
			(!OidIsValid(other) || other_of(pending, alone.cmd) == other))
			result = pending;
	}
	return result;
}

/* Give up each step that is such a command on the table. */
static void
give_up(ZdmConflict *conflict, Oid relid, AlterTableType subtype)
{
	const ZdmPending *pending;

	while ((pending = last_alter(conflict, relid, subtype, InvalidOid)) != NULL)
	{
		rehearse_check_owner(relid);
		claims_cancel_made(conflict, pending, DROP_RESTRICT);
	}
}

/* CLUSTER ON and REPLICA IDENTITY that wait for their index are replaced. */
void
claims_meet_index_mark(ZdmConflict *conflict, Oid relid, const AlterTableCmd *cmd)
{
	give_up(conflict, relid, cmd->subtype == AT_ReplicaIdentity ? AT_ReplicaIdentity : AT_ClusterOn);
}

/* OWNER TO the owner of now, of a relation */
void
claims_meet_relation_owner(ZdmConflict *conflict, Oid relid, const AlterTableCmd *cmd)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		return;
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	if (owner == get_rolespec_oid(cmd->newowner, true))
		give_up(conflict, relid, AT_ChangeOwner);
}

/* The same of another object */
void
claims_meet_owner(ZdmConflict *conflict, const AlterOwnerStmt *stmt)
{
	ZdmDdl		scratch = conflict->ddl;
	ObjectAddress address;
	ListCell   *lc;

	if (!ddl_object(&scratch, stmt->objectType, stmt->object, true, &address) ||
		ddl_object_owner(&address) != get_rolespec_oid(stmt->newowner, true))
		return;
	foreach(lc, conflict->pending)
	{
		const ZdmPending *pending = lfirst(lc);
		const AlterOwnerStmt *other;
		ObjectAddress others;

		if (list_length(pending->stmts) != 1 || list_member_ptr(conflict->cancels, pending))
			continue;
		other = (const AlterOwnerStmt *) linitial_node(RawStmt, pending->stmts)->stmt;
		if (!IsA(other, AlterOwnerStmt) ||
			!ddl_object(&scratch, other->objectType, other->object, true, &others) ||
			others.classId != address.classId || others.objectId != address.objectId)
			continue;
		check_object_ownership(GetUserId(), stmt->objectType, address, stmt->object, NULL);
		claims_cancel_made(conflict, pending, DROP_RESTRICT);
	}
}

/* The last step that alters the domain so, a constraint of that name if there is one */
static const ZdmPending *
last_domain_step(const ZdmConflict *conflict, Oid domain, char subtype, const char *name)
{
	const ZdmPending *result = NULL;
	ListCell   *lc;

	foreach(lc, conflict->pending)
	{
		const ZdmPending *pending = lfirst(lc);
		const AlterDomainStmt *stmt =
			(const AlterDomainStmt *) linitial_node(RawStmt, pending->stmts)->stmt;

		if (!IsA(stmt, AlterDomainStmt) || stmt->subtype != subtype ||
			list_member_ptr(conflict->cancels, pending) ||
			LookupTypeNameOid(NULL, makeTypeNameFromNameList(stmt->typeName), true) != domain)
			continue;
		if (name == NULL || (castNode(Constraint, stmt->def)->conname != NULL &&
							 strcmp(castNode(Constraint, stmt->def)->conname, name) == 0))
			result = pending;
	}
	return result;
}

static void
check_domain_owner(const AlterDomainStmt *stmt, Oid domain)
{
	ObjectAddress address;

	ObjectAddressSet(address, TypeRelationId, domain);
	check_object_ownership(GetUserId(), OBJECT_DOMAIN, address,
						   (Node *) makeTypeNameFromNameList(stmt->typeName), NULL);
}

/* What a domain is to have, it is to have no more. */
void
claims_meet_domain(ZdmConflict *conflict, const AlterDomainStmt *stmt)
{
	Oid			domain = LookupTypeNameOid(NULL, makeTypeNameFromNameList(stmt->typeName), true);
	const char *name = stmt->subtype == 'C' ? castNode(Constraint, stmt->def)->conname : stmt->name;
	const ZdmPending *pending = NULL;

	if (!OidIsValid(domain))
		return;
	if (stmt->subtype == 'N')
		pending = last_domain_step(conflict, domain, 'O', NULL);
	else if ((stmt->subtype == 'C' || stmt->subtype == 'X') && name != NULL)
		pending = last_domain_step(conflict, domain, 'C', name);
	if (pending == NULL)
		return;
	check_domain_owner(stmt, domain);
	if (stmt->subtype == 'C')
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("constraint \"%s\" for domain \"%s\" already exists",
						name, strVal(llast(stmt->typeName))),
				 errdetail("%s", claims_describe(pending))));
	claims_cancel_made(conflict, pending, DROP_RESTRICT);
	if (stmt->subtype == 'X' && !OidIsValid(get_domain_constraint_oid(domain, name, true)))
		conflict->left = "";
}

/* Are these the bounds that the partition has? */
static bool
has_bounds(const ZdmConflict *conflict, Oid parent, Oid partition, PartitionBoundSpec *bound)
{
	ParseState *pstate = make_parsestate(NULL);
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(partition));
	Relation	rel;
	Datum		value;
	bool		isnull = true;
	bool		result = false;

	if (!HeapTupleIsValid(tuple))
		return false;
	pstate->p_sourcetext = conflict->ddl.query;
	rel = table_open(parent, AccessShareLock);
	value = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relpartbound, &isnull);
	if (!isnull && rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		result = equal(stringToNode(TextDatumGetCString(value)),
					   transformPartitionBound(pstate, rel, bound));
	table_close(rel, AccessShareLock);
	ReleaseSysCache(tuple);
	free_parsestate(pstate);
	return result;
}

/* The step that is to detach the partition, from whatever table; or NULL */
static const ZdmPending *
detaches(const ZdmConflict *conflict, Oid partition, Oid *parent)
{
	const ZdmPending *result = NULL;
	Alone		alone;
	ListCell   *lc;

	foreach(lc, conflict->pending)
	{
		const ZdmPending *pending = lfirst(lc);

		if (!is_alter(conflict, pending, &alone) || alone.cmd->subtype != AT_DetachPartition ||
			other_of(pending, alone.cmd) != partition)
			continue;
		*parent = alone.relid;
		result = pending;
	}
	return result;
}

static bool
meet_attach(ZdmConflict *conflict, Oid relid, const AlterTableCmd *cmd)
{
	const PartitionCmd *partition = castNode(PartitionCmd, cmd->def);
	Oid			other = other_of(NULL, cmd);
	Oid			parent;
	const ZdmPending *pending = OidIsValid(other) ?
		last_alter(conflict, relid, AT_AttachPartition, other) : NULL;

	if (pending != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is already a partition", get_rel_name(other)),
				 errdetail("%s", claims_describe(pending))));
	pending = OidIsValid(other) ? detaches(conflict, other, &parent) : NULL;
	if (pending == NULL)
		return true;
	rehearse_check_owner(relid);
	rehearse_check_owner(other);
	if (parent != relid || !has_bounds(conflict, relid, other, copyObject(partition->bound)))
		claims_report(pending, psprintf("\"%s\" cannot be attached anew before it is detached",
										get_rel_name(other)));
	claims_cancel_made(conflict, pending, DROP_RESTRICT);
	return false;
}

static bool
meet_detach(ZdmConflict *conflict, Oid relid, const AlterTableCmd *cmd)
{
	Oid			other = other_of(NULL, cmd);
	Oid			parent;
	const ZdmPending *pending;

	if (!OidIsValid(other))
		return true;
	pending = last_alter(conflict, relid, AT_AttachPartition, other);
	if (pending != NULL)
	{
		claims_cancel_made(conflict, pending, DROP_RESTRICT);
		return false;
	}
	pending = detaches(conflict, other, &parent);
	if (pending != NULL && parent == relid)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s\" is not a partition of relation \"%s\"",
						get_rel_name(other), get_rel_name(relid)),
				 errdetail("%s", claims_describe(pending))));
	return true;
}

static bool
meet_inherit(ZdmConflict *conflict, Oid relid, const AlterTableCmd *cmd)
{
	Oid			other = other_of(NULL, cmd);
	const ZdmPending *pending = OidIsValid(other) ?
		last_alter(conflict, relid, AT_DropInherit, other) : NULL;

	if (pending == NULL)
		return true;
	if (cmd->subtype == AT_DropInherit)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s\" is not a parent of relation \"%s\"",
						get_rel_name(other), get_rel_name(relid)),
				 errdetail("%s", claims_describe(pending))));
	claims_cancel_made(conflict, pending, DROP_RESTRICT);
	return false;
}

/* A table joins or leaves another; false if nothing is left of the command. */
bool
claims_meet_membership(ZdmConflict *conflict, Oid relid, const AlterTableCmd *cmd)
{
	Oid			other = other_of(NULL, cmd);

	if (OidIsValid(other))
		claims_check_relation(conflict, other, get_rel_name(other));
	switch (cmd->subtype)
	{
		case AT_AttachPartition:
			return meet_attach(conflict, relid, cmd);
		case AT_DetachPartition:
			return meet_detach(conflict, relid, cmd);
		default:
			return meet_inherit(conflict, relid, cmd);
	}
}

/* Would the parent and its partition differ after the command? */
static bool
tells_apart(const AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_AddColumn:
		case AT_DropColumn:
		case AT_AlterColumnType:
		case AT_SetNotNull:
		case AT_DropNotNull:
		case COMPAT_AT_EXPRESSION:
		case AT_AddIdentity:
		case AT_SetIdentity:
		case AT_DropIdentity:
		case AT_DropConstraint:
		case AT_AlterConstraint:
			return true;
		case AT_AddConstraint:
			return castNode(Constraint, cmd->def)->contype != CONSTR_FOREIGN &&
				castNode(Constraint, cmd->def)->contype != CONSTR_UNIQUE;
		default:
			return false;
	}
}

/*
 * A queued ATTACH PARTITION finds parent and partition as they were when it was
 * sent: what changes one of them comes after it.
 */
void
claims_meet_attached(ZdmConflict *conflict, Oid relid, const AlterTableCmd *cmd)
{
	Alone		alone;
	ListCell   *lc;

	foreach(lc, cmd == NULL || tells_apart(cmd) ? conflict->pending : NIL)
	{
		const ZdmPending *pending = lfirst(lc);

		if (!is_alter(conflict, pending, &alone) || alone.cmd->subtype != AT_AttachPartition ||
			conflict->not_before != NULL)
			continue;
		if (alone.relid != relid && other_of(pending, alone.cmd) != relid &&
			!(get_rel_relispartition(alone.relid) &&
			  list_member_oid(get_partition_ancestors(alone.relid), relid)))
			continue;
		conflict->not_before = pending;
		conflict->not_before_what =
			psprintf("table \"%s\" cannot be changed so before partition \"%s\" is attached",
					 get_rel_name(relid), get_rel_name(other_of(pending, alone.cmd)));
	}
}
