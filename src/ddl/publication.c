/*-------------------------------------------------------------------------
 *
 * publication.c
 *	  CREATE and ALTER PUBLICATION, REPLICA IDENTITY of published tables.
 *
 * The locks are weak, but an UPDATE or DELETE of a published table without a
 * replica identity fails from then on.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_publication.h"
#include "ddl/catalog_scan.h"
#include "ddl/ddl.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* How a row that is updated or deleted is told to the subscriber. */
static char
replica_identity(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	char		result = REPLICA_IDENTITY_FULL;

	if (HeapTupleIsValid(tuple))
	{
		result = ((Form_pg_class) GETSTRUCT(tuple))->relreplident;
		ReleaseSysCache(tuple);
	}
	return result;
}

/* Is the index the one that REPLICA IDENTITY USING INDEX names? */
static bool
is_identity_index(Oid indexoid)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexoid));
	bool		result = false;

	if (HeapTupleIsValid(tuple))
	{
		result = ((Form_pg_index) GETSTRUCT(tuple))->indisreplident;
		ReleaseSysCache(tuple);
	}
	return result;
}

static bool
has_replica_identity(ZdmRel *rel)
{
	char		identity = replica_identity(rel->relid);
	ListCell   *lc;

	if (identity == REPLICA_IDENTITY_FULL)
		return true;
	if (identity == REPLICA_IDENTITY_NOTHING)
		return false;
	foreach(lc, ddl_rel_indexes(rel))
	{
		const ZdmIndex *index = lfirst(lc);

		if (!index->is_valid)
			continue;
		if (identity == REPLICA_IDENTITY_DEFAULT ? index->is_primary :
			is_identity_index(index->indexoid))
			return true;
	}
	return false;
}

/* Does the publication pass on updates or deletes? */
static bool
publishes_changes(List *options, const char *pubname, bool is_create)
{
	HeapTuple	tuple;
	bool		result = true;
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, "publish") == 0 && option->arg != NULL &&
			IsA(option->arg, String))
			return strstr(strVal(option->arg), "update") != NULL ||
				strstr(strVal(option->arg), "delete") != NULL;
	}
	if (is_create)
		return true;

	tuple = SearchSysCache1(PUBLICATIONNAME, CStringGetDatum(pubname));
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_publication form = (Form_pg_publication) GETSTRUCT(tuple);

		result = form->pubupdate || form->pubdelete;
		ReleaseSysCache(tuple);
	}
	return result;
}

/* The first table of the tree whose updates would fail is the hazard. */
static void
check_identity(ZdmDdl *ddl, Node *stmt, ZdmRel *rel)
{
	ListCell   *lc;

	if (rel->is_exempt || !OidIsValid(rel->relid))
		return;
	foreach(lc, ddl_rel_tree(ddl, rel))
	{
		ZdmRel	   *member = lfirst(lc);

		if (member->relkind != RELKIND_RELATION || member->is_exempt ||
			has_replica_identity(member))
			continue;
		(void) ddl_hazard(ddl, ZDM_RULE_PUBLISH_WITHOUT_IDENTITY, member, stmt, NULL,
						  "UPDATE and DELETE of %s would fail once it is published: it has no replica identity",
						  ddl_rel_describe(member));
		return;
	}
}

/* All permanent tables of a schema, or of the database. */
static void
check_all_tables(ZdmDdl *ddl, Node *stmt, Oid nspoid)
{
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	int			found = list_length(ddl->hazards);
	Oid			own_schema = get_namespace_oid(ZDM_SCHEMA, true);

	catalog_scan_all(&scan, RelationRelationId);
	while (list_length(ddl->hazards) == found &&
		   HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);
		ZdmRel	   *rel;

		CHECK_FOR_INTERRUPTS();
		if (form->relkind != RELKIND_RELATION ||
			form->relpersistence != RELPERSISTENCE_PERMANENT ||
			form->relnamespace == own_schema ||
			(OidIsValid(nspoid) && form->relnamespace != nspoid))
			continue;
		rel = ddl_rel_by_oid(ddl, form->oid);
		if (rel != NULL)
			check_identity(ddl, stmt, ddl_rel_only(rel));
	}
	catalog_scan_end(&scan);
}

static void
publish_schema(ZdmDdl *ddl, Node *stmt, const PublicationObjSpec *spec)
{
	Oid			nspoid;

	if (spec->pubobjtype == PUBLICATIONOBJ_TABLES_IN_SCHEMA)
	{
		nspoid = get_namespace_oid(spec->name, true);
		if (!OidIsValid(nspoid))
			ddl_undefined(ddl, "schema \"%s\" does not exist", spec->name);
	}
	else
	{
		List	   *path = fetch_search_path(false);

		nspoid = path != NIL ? linitial_oid(path) : InvalidOid;
	}
	if (OidIsValid(nspoid))
		check_all_tables(ddl, stmt, nspoid);
}

/* Does one of the publications pass on updates or deletes? */
static bool
any_publishes_changes(List *publications)
{
	ListCell   *lc;

	foreach(lc, publications)
	{
		char	   *name = get_publication_name(lfirst_oid(lc), true);

		if (name != NULL && publishes_changes(NIL, name, false))
			return true;
	}
	return false;
}

/* ALTER TABLE ... REPLICA IDENTITY, of a table that may be published */
void
ddl_replica_identity(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	ReplicaIdentityStmt *stmt = castNode(ReplicaIdentityStmt, cmd->def);

	ddl_note_brief_lock(ddl, rel, cmd, "changing the replica identity");
	if (stmt->identity_type != REPLICA_IDENTITY_NOTHING || rel->is_exempt ||
		!OidIsValid(rel->relid) || !has_replica_identity(rel))
		return;
	if (any_publishes_changes(GetRelationPublications(rel->relid)) ||
		any_publishes_changes(GetSchemaPublications(get_rel_namespace(rel->relid))) ||
		any_publishes_changes(GetAllTablesPublications()))
		(void) ddl_hazard(ddl, ZDM_RULE_PUBLISH_WITHOUT_IDENTITY, rel, (Node *) cmd, NULL,
						  "UPDATE and DELETE of %s would fail: it is published, and would have no replica identity",
						  ddl_rel_describe(rel));
}

void
ddl_create_publication(ZdmDdl *ddl, Node *node)
{
	bool		is_create = IsA(node, CreatePublicationStmt);
	CreatePublicationStmt *create = (CreatePublicationStmt *) node;
	AlterPublicationStmt *alter = (AlterPublicationStmt *) node;
	const char *pubname = is_create ? create->pubname : alter->pubname;
	List	   *options = is_create ? create->options : alter->options;
	List	   *objects = is_create ? create->pubobjects : alter->pubobjects;
	bool		checks;
	ListCell   *lc;

	ddl->object = psprintf("publication \"%s\"", pubname);
	checks = publishes_changes(options, pubname, is_create) &&
		(is_create || alter->action != AP_DropObjects);

	if (is_create && create->for_all_tables && checks)
		check_all_tables(ddl, node, InvalidOid);
	foreach(lc, objects)
	{
		PublicationObjSpec *spec = lfirst_node(PublicationObjSpec, lc);
		ZdmRel	   *rel;

		if (spec->pubobjtype != PUBLICATIONOBJ_TABLE || spec->pubtable == NULL)
		{
			if (checks)
				publish_schema(ddl, node, spec);
			continue;
		}
		rel = ddl_rel(ddl, spec->pubtable->relation, false);
		if (rel == NULL)
			continue;
		if (!spec->pubtable->relation->inh)
			rel = ddl_rel_only(rel);
		/* a partitioned table stands for its partitions without their locks */
		if (rel->relkind == RELKIND_PARTITIONED_TABLE)
			ddl_lock(ddl, rel, ShareUpdateExclusiveLock);
		else
			ddl_lock_tree(ddl, rel, ShareUpdateExclusiveLock);
		if (checks)
			check_identity(ddl, node, rel);
	}
}
