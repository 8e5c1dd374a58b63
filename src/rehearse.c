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
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_index.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_rewrite.h"
#include "claims.h"
#include "commands/policy.h"
#include "commands/tablecmds.h"
#include "ddl/catalog_scan.h"
#include "ddl/ddl.h"
#include "hook.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "scratch.h"
#include "step.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "window/alias.h"

/* A statement on one table, while it is made ready for the copy of that */
typedef struct Rehearsal
{
	const ZdmDdl *ddl;
	Oid			relid;
	const char *relname;
	List	   *dropped;		/* char *: constraints that it drops itself, or
								 * that are due for removal */
	List	   *tables;			/* ScratchTable */
	bool		whole_row;		/* it names the table's row: that of the copy
								 * is of another type */
	bool		needs_keys;
} Rehearsal;

static void
check_owner(Oid relid)
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

/* A new index needs a name that no other relation of the schema has. */
static void
check_relation_name(const Rehearsal *rehearsal, const char *name)
{
	Oid			relid;
	ListCell   *lc;

	foreach(lc, rehearsal->dropped)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return;
	}
	relid = get_relname_relid(name, get_rel_namespace(rehearsal->relid));
	if (OidIsValid(relid) && !claims_relation_is_due(relid))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("relation \"%s\" already exists", name)));
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
add_table(Rehearsal *rehearsal, RangeVar *place, bool keys)
{
	ScratchTable *table = palloc(sizeof(ScratchTable));

	table->place = place;
	table->keys = keys;
	rehearsal->tables = lappend(rehearsal->tables, table);
}

static void
rehearse_index(Rehearsal *rehearsal)
{
	IndexStmt  *stmt = copyObject(castNode(IndexStmt, rehearsal->ddl->stmt));

	check_owner(rehearsal->relid);
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
primary_key(const Rehearsal *rehearsal, Oid relid)
{
	ZdmDdl		scratch = *rehearsal->ddl;
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
static void
check_reference_rights(const Rehearsal *rehearsal, const Constraint *con)
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
		attnums = primary_key(rehearsal, target);
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

/* Is the object, or its relation, one of them? */
static ObjectAddress *
find_object(List *objects, const ObjectAddress *object)
{
	ListCell   *lc;

	foreach(lc, objects)
	{
		ObjectAddress *other = lfirst(lc);

		if (other->classId == object->classId && other->objectId == object->objectId &&
			(other->objectSubId == 0 || other->objectSubId == object->objectSubId))
			return other;
	}
	return NULL;
}

/*
 * What the object, or its rule or other part, depends on of what goes; that
 * may be a part, as a table's row type, of what the statement names.
 */
static const ObjectAddress *
reason_of(const ObjectAddress *object, const ObjectAddress *whole, List *targets, List *others)
{
	ObjectAddress *result = NULL;
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	List	   *parts = NIL;
	ListCell   *lc;

	catalog_scan_depend(&scan, object, false);
	while (result == NULL && HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		ObjectAddress reference;

		ObjectAddressSubSet(reference, form->refclassid, form->refobjid, form->refobjsubid);
		if (form->deptype == DEPENDENCY_NORMAL)
			result = find_object(targets, &reference);
		if (result == NULL && form->deptype == DEPENDENCY_NORMAL)
			result = find_object(others, &reference);
		if (result == whole)
			result = NULL;		/* as a rule of its view */
	}
	catalog_scan_end(&scan);
	if (result != NULL || object != whole)
		return result;

	catalog_scan_depend(&scan, object, true);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		ObjectAddress *part = palloc(sizeof(ObjectAddress));

		ObjectAddressSubSet(*part, form->classid, form->objid, form->objsubid);
		if (form->deptype == DEPENDENCY_INTERNAL)
			parts = lappend(parts, part);
	}
	catalog_scan_end(&scan);
	foreach(lc, parts)
	{
		const ObjectAddress *reason = reason_of(lfirst(lc), whole, targets, others);

		if (reason != NULL)
			return reason;
	}
	return linitial(targets);
}

/* Is it a view that makes way for the table whose new name it has? */
static bool
is_alias_view(const ObjectAddress *object)
{
	return object->classId == RelationRelationId &&
		get_rel_relkind(object->objectId) == RELKIND_VIEW &&
		OidIsValid(alias_table(object->objectId));
}

/* The objects without the rules of views, which are among them, and those that go before */
static List *
not_due(List *objects)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, objects)
	{
		const ObjectAddress *object = lfirst(lc);

		if (object->classId != RewriteRelationId && !is_alias_view(object) &&
			!(object->classId == RelationRelationId && object->objectSubId == 0 &&
			  claims_relation_is_due(object->objectId)))
			result = lappend(result, lfirst(lc));
	}
	return result;
}

/* What RESTRICT objects to, as the server's reportDependentObjects() has it. */
static void
check_dependents(const ZdmDdl *ddl, List *targets, DropBehavior behavior)
{
	ZdmDdl		scratch = *ddl;
	StringInfoData detail;
	List	   *others;
	ListCell   *lc;

	if (behavior == DROP_CASCADE || targets == NIL)
		return;
	others = not_due(ddl_sort_objects(ddl_drop_reach(&scratch, targets, true)));
	if (others == NIL)
		return;
	initStringInfo(&detail);
	foreach(lc, others)
	{
		const ObjectAddress *other = lfirst(lc);

		appendStringInfo(&detail, "%s%s depends on %s", detail.len > 0 ? "\n" : "",
						 getObjectDescription(other, false),
						 getObjectDescription(reason_of(other, other, targets, others), false));
	}
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 list_length(targets) == 1 ?
			 errmsg("cannot drop %s because other objects depend on it",
					getObjectDescription(linitial(targets), false)) :
			 errmsg("cannot drop desired object(s) because other objects depend on them"),
			 errdetail("%s", detail.data),
			 errhint("Use DROP ... CASCADE to drop the dependent objects too.")));
}

static void
check_dependents_of(const ZdmDdl *ddl, Oid classid, Oid objid, int subid, DropBehavior behavior)
{
	ObjectAddress address;

	ObjectAddressSubSet(address, classid, objid, subid);
	check_dependents(ddl, list_make1(&address), behavior);
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
		case AT_AlterColumnType:
			rehearsal->needs_keys = true;
			(void) names_whole_row(castNode(ColumnDef, cmd->def)->raw_default, rehearsal);
			return true;
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

	check_owner(rehearsal->relid);
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
		add_table(rehearsal, stmt->relation, rehearsal->needs_keys);
		(void) scratch_run((Node *) stmt, rehearsal->ddl->query, rehearsal->tables);
	}
	foreach(lc, castNode(AlterTableStmt, rehearsal->ddl->stmt)->cmds)
	{
		AlterTableCmd *cmd = lfirst(lc);
		ListCell   *lc2;

		if (cmd->subtype == AT_AddConstraint)
			check_reference_rights(rehearsal, castNode(Constraint, cmd->def));
		foreach(lc2, cmd->subtype == AT_AddColumn ?
				castNode(ColumnDef, cmd->def)->constraints : NIL)
			check_reference_rights(rehearsal, lfirst(lc2));
	}
}

static void
rehearse_policy(Rehearsal *rehearsal)
{
	CreatePolicyStmt *stmt = copyObject(castNode(CreatePolicyStmt, rehearsal->ddl->stmt));

	check_owner(rehearsal->relid);
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

/* What DROP says of a relation of another kind: "x" is not a table */
static void
check_kind(ObjectType type, Oid relid)
{
	char		relkind = get_rel_relkind(relid);

	if ((type == OBJECT_TABLE && (relkind == RELKIND_RELATION || relkind == RELKIND_PARTITIONED_TABLE)) ||
		(type == OBJECT_INDEX && (relkind == RELKIND_INDEX || relkind == RELKIND_PARTITIONED_INDEX)) ||
		(type == OBJECT_VIEW && relkind == RELKIND_VIEW) ||
		(type == OBJECT_MATVIEW && relkind == RELKIND_MATVIEW) ||
		(type == OBJECT_SEQUENCE && relkind == RELKIND_SEQUENCE) ||
		(type == OBJECT_FOREIGN_TABLE && relkind == RELKIND_FOREIGN_TABLE))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("\"%s\" is not %s %s", get_rel_name(relid),
					type == OBJECT_INDEX ? "an" : "a",
					type == OBJECT_TABLE ? "table" : type == OBJECT_INDEX ? "index" :
					type == OBJECT_VIEW ? "view" : type == OBJECT_SEQUENCE ? "sequence" :
					type == OBJECT_MATVIEW ? "materialized view" : "foreign table")));
}

/* DROP asks for ownership of the relation or of its schema. */
static ObjectAddress *
check_dropped_relation(ObjectType type, List *names)
{
	Oid			relid = RangeVarGetRelid(makeRangeVarFromNameList(names), NoLock, true);
	ObjectAddress *address = palloc(sizeof(ObjectAddress));

	if (!OidIsValid(relid))
		return NULL;
	check_kind(type, relid);
	if (!object_ownercheck(NamespaceRelationId, get_rel_namespace(relid), GetUserId()))
		check_owner(relid);
	ObjectAddressSet(*address, RelationRelationId, relid);
	return address;
}

static void
rehearse_drop(const ZdmDdl *ddl)
{
	const DropStmt *stmt = castNode(DropStmt, ddl->stmt);
	List	   *targets = NIL;
	ListCell   *lc;

	foreach(lc, stmt->objects)
	{
		ZdmDdl		scratch = *ddl;
		ObjectAddress *address = NULL;

		switch (stmt->removeType)
		{
			case OBJECT_TABLE:
			case OBJECT_INDEX:
			case OBJECT_SEQUENCE:
			case OBJECT_VIEW:
			case OBJECT_MATVIEW:
			case OBJECT_FOREIGN_TABLE:
				address = check_dropped_relation(stmt->removeType, lfirst(lc));
				break;
			case OBJECT_TRIGGER:
			case OBJECT_RULE:
			case OBJECT_POLICY:
				continue;		/* nothing can depend on it */
			default:
				address = palloc(sizeof(ObjectAddress));
				if (!ddl_object(&scratch, stmt->removeType, lfirst(lc), true, address))
					address = NULL;
				break;
		}
		if (address != NULL)
			targets = lappend(targets, address);
	}
	check_dependents(ddl, targets, stmt->behavior);
}

static void
rehearse_owner(Rehearsal *rehearsal)
{
	check_owner(rehearsal->relid);
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
		default:
			break;				/* strangers have been turned away (rights.c) */
	}
}
