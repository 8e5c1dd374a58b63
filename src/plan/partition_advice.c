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

/* A constraint that proves a condition, made without a scan under the lock. */
static void
append_proof(StringInfo buf, const ZdmRel *rel, const char *name, const char *condition)
{
	appendStringInfo(buf, "ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s) NOT VALID; ",
					 ddl_rel_qualified(rel), quote_identifier(name), condition);
	appendStringInfo(buf, "ALTER TABLE %s VALIDATE CONSTRAINT %s; ",
					 ddl_rel_qualified(rel), quote_identifier(name));
}

/* Is the hazard that rows are read to check the bounds of a partition? */
static bool
is_about_bounds(const ZdmHazard *hazard)
{
	if (hazard->rule == ZDM_RULE_CREATE_PARTITION_OF)
		return hazard->cap == ZDM_SEVERITY_ERROR;
	return hazard->rule == ZDM_RULE_ATTACH_PARTITION &&
		hazard->subject.classId == RelationRelationId &&
		hazard->subject.objectId == hazard->rel->relid;
}

/*
 * Prove wherever rows would be read that they are where they belong, do it,
 * and take the proofs away.  For the default partition, which is any but the
 * child, the proof is the negation of the bounds.
 */
static char *
prove_and_run(const ZdmDdl *ddl, const ZdmRel *child, const char *condition,
			  const char *before, const char *statement)
{
	StringInfoData buf;
	StringInfoData drops;
	ListCell   *lc;

	initStringInfo(&buf);
	initStringInfo(&drops);
	foreach(lc, ddl->hazards)
	{
		const ZdmHazard *hazard = lfirst(lc);
		bool		is_child;
		char	   *name;

		if (!is_about_bounds(hazard))
			continue;
		is_child = child != NULL && child->relid == hazard->rel->relid;
		name = makeObjectName(hazard->rel->relname, NULL, is_child ? "bounds" : "excluded");
		append_proof(&buf, hazard->rel, name,
					 is_child ? condition : psprintf("NOT (%s)", condition));
		appendStringInfo(&drops, " ALTER TABLE %s DROP CONSTRAINT %s;",
						 ddl_rel_qualified(hazard->rel), quote_identifier(name));
	}
	appendStringInfo(&buf, "%s%s;%s", before, statement, drops.data);
	return buf.data;
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

static char *
attach_partition(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	PartitionCmd *attach = castNode(PartitionCmd,
									castNode(AlterTableCmd, hazard->node)->def);
	ZdmDdl		scratch = *ddl;
	ZdmRel	   *parent = statement_parent(&scratch);
	ZdmRel	   *child = ddl_rel(&scratch, attach->name, true);
	char	   *condition;
	char	   *values;

	if (hazard->subject.classId == ConstraintRelationId)
		return attach_with_foreign_key(hazard);
	if (hazard->subject.objectId != hazard->rel->relid)
		return attach_with_index(hazard);

	if (parent == NULL || child == NULL ||
		!ddl_partition_condition(parent, attach->bound, &condition, &values))
		return psprintf("Add to %s a CHECK constraint that %s the partition bounds, with NOT VALID, and validate it before attaching.",
						ddl_rel_qualified(hazard->rel),
						child != NULL && child->relid == hazard->rel->relid ?
						"repeats" : "excludes");
	return prove_and_run(ddl, child, condition, "",
						 psprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES %s",
								  ddl_rel_qualified(parent), ddl_rel_qualified(child),
								  values));
}

static char *
create_partition_of(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	/* that of a foreign table starts with a CreateStmt */
	const CreateStmt *stmt = (const CreateStmt *) hazard->node;
	ZdmDdl		scratch = *ddl;
	ZdmRel	   *parent = statement_parent(&scratch);
	const char *child = quote_qualified_identifier(stmt->relation->schemaname,
												   stmt->relation->relname);
	char	   *condition;
	char	   *values;
	char	   *before;

	if (IsA(hazard->node, CreateForeignTableStmt))
		return psprintf("Create %s with the columns of %s but without PARTITION OF, then attach it: ATTACH PARTITION lets reads and writes of %s go on.",
						child, hazard->name, hazard->name);
	if (parent == NULL ||
		!ddl_partition_condition(parent, stmt->partbound, &condition, &values))
		return psprintf("CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING IDENTITY); then attach it: ATTACH PARTITION lets reads and writes of %s go on.",
						child, hazard->name, hazard->name);

	before = psprintf("CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING IDENTITY); ",
					  child, hazard->name);
	if (hazard->cap < ZDM_SEVERITY_ERROR)
		return psprintf("%sALTER TABLE %s ATTACH PARTITION %s FOR VALUES %s;", before,
						hazard->name, child, values);
	return prove_and_run(ddl, NULL, condition, before,
						 psprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES %s",
								  hazard->name, child, values));
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
	return psprintf("Complete first what an interrupted DETACH PARTITION CONCURRENTLY has left of another partition of %s, with DETACH PARTITION ... FINALIZE.",
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
