/*-------------------------------------------------------------------------
 *
 * partition_advice.c
 *	  The safe forms of attaching, creating and detaching partitions.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "plan/advice.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* The partitioned table that the statement names. */
static ZdmRel *
statement_parent(ZdmDdl *ddl)
{
	Node	   *stmt = ddl->stmt;

	if (IsA(stmt, AlterTableStmt))
		return ddl_rel(ddl, ((AlterTableStmt *) stmt)->relation, true);
	if (IsA(stmt, CreateStmt) && ((CreateStmt *) stmt)->inhRelations != NIL)
		return ddl_rel(ddl, linitial(((CreateStmt *) stmt)->inhRelations), true);
	return NULL;
}

/* The parent's index that the new partition lacks. */
static char *
attach_with_index(const ZdmHazard *hazard)
{
	Oid			indexoid = hazard->subject.objectId;
	const char *kind = get_rel_name(indexoid);

	return psprintf("Build the counterpart of index \"%s\"%s on %s with CREATE INDEX CONCURRENTLY before attaching it.",
					kind != NULL ? kind : "?",
					OidIsValid(get_index_constraint(indexoid)) ? " and its constraint" : "",
					ddl_rel_qualified(hazard->rel));
}

/* The parent's foreign key that the new partition lacks. */
static char *
attach_with_foreign_key(const ZdmHazard *hazard)
{
	const char *name = get_constraint_name(hazard->subject.objectId);

	return psprintf("Add the counterpart of foreign key \"%s\" to %s with NOT VALID and validate it before attaching it.",
					name != NULL ? name : "?", ddl_rel_qualified(hazard->rel));
}

/*
 * Where there is no plan: if not for another reason than the bounds, since a
 * function in them may come to anything, or since for a hash of text, or a key
 * whose collation is not its column's, no CHECK is a proof to the server.
 */
static char *
bounds_without_plan(const ZdmDdl *ddl, const ZdmHazard *hazard, PartitionBoundSpec *bound,
					bool is_default)
{
	ZdmDdl		scratch = *ddl;
	ZdmRel	   *parent = statement_parent(&scratch);
	char	   *condition = NULL;

	if (parent != NULL && OidIsValid(parent->relid))
		condition = ddl_bounds_condition(&scratch, parent, hazard->rel, bound, is_default);
	if (condition != NULL)
		return psprintf("Prove the bounds before it, with a constraint that goes afterwards, and validate that: ALTER TABLE %s ADD CHECK (%s) NOT VALID;",
						ddl_rel_qualified(hazard->rel), condition);
	return pstrdup(ddl_bound_calls_function(bound) ?
				   "Write the bounds as constants." :
				   "No CHECK constraint spares the reading with these bounds: attach the partition while it is empty, and move the rows into it in small batches.");
}

static char *
attach_partition(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	PartitionCmd *attach = castNode(PartitionCmd,
									castNode(AlterTableCmd, hazard->node)->def);
	ZdmDdl		scratch = *ddl;
	ZdmRel	   *child = ddl_rel(&scratch, attach->name, true);

	if (hazard->subject.classId == ConstraintRelationId)
		return attach_with_foreign_key(hazard);
	if (hazard->subject.objectId != hazard->rel->relid)
		return attach_with_index(hazard);
	return bounds_without_plan(ddl, hazard, attach->bound,
							   child == NULL || child->relid != hazard->rel->relid);
}

static char *
create_partition_of(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	/* that of a foreign table starts with a CreateStmt */
	const CreateStmt *stmt = (const CreateStmt *) hazard->node;
	const char *child = quote_qualified_identifier(stmt->relation->schemaname,
												   stmt->relation->relname);

	if (hazard->cap == ZDM_SEVERITY_ERROR)
		return bounds_without_plan(ddl, hazard, stmt->partbound, true);
	if (IsA(hazard->node, CreateForeignTableStmt))
		return psprintf("Create %s with the columns of %s but without PARTITION OF, then attach it: ATTACH PARTITION lets reads and writes of %s go on.",
						child, hazard->name, hazard->name);
	return psprintf("CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING IDENTITY); then attach it: ATTACH PARTITION lets reads and writes of %s go on.",
					child, hazard->name, hazard->name);
}

static char *
detach_partition(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	ZdmDdl		scratch = *ddl;
	ZdmRel	   *parent = statement_parent(&scratch);

	if (parent == NULL || parent->relid != hazard->rel->relid)
		return psprintf("Drop the foreign keys of %s that reference the partitioned table first.",
						ddl_rel_qualified(hazard->rel));
	if (hazard->cap < ZDM_SEVERITY_ERROR)
		return pstrdup("There is no concurrent form of it while there is a default partition; zdm bounds the wait for its locks.");
	return psprintf("Complete first what an interrupted DETACH PARTITION CONCURRENTLY has left, with DETACH PARTITION ... FINALIZE, and drop the foreign keys that reference %s.",
					ddl_rel_qualified(parent));
}

static char *
detach_partition_in_window(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Leave %s attached until the window has ended.", hazard->name);
}

const ZdmAdvice zdm_partition_advice[] = {
	{ZDM_RULE_ATTACH_PARTITION, attach_partition},
	{ZDM_RULE_CREATE_PARTITION_OF, create_partition_of},
	{ZDM_RULE_DETACH_PARTITION, detach_partition},
	{ZDM_RULE_DETACH_PARTITION_IN_WINDOW, detach_partition_in_window},
	{ZDM_RULE_COUNT, NULL}
};
