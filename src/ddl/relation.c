/*-------------------------------------------------------------------------
 *
 * relation.c
 *	  Relations as a statement meets them.
 *
 * Facts come from the system caches, from catalog scans and from the sizes of
 * files.  No relation of a user is opened: opening takes a lock, which waits
 * behind whoever holds the relation, and a check must never wait.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "commands/dbcommands.h"
#include "ddl/ddl.h"
#include "ddl/script.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

/*
 * Was the relation made in this transaction, so that no other session sees
 * it?  rd_createSubid knows, but building a relcache entry costs; the row in
 * pg_class of such a relation was written by this transaction, which is a
 * cheap test that nearly always says no.
 */
static bool
is_made_here(Oid relid, HeapTuple tuple)
{
	Relation	rel;
	bool		result;

	if (!TransactionIdIsValid(GetTopTransactionIdIfAny()) ||
		!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data)))
		return false;

	rel = RelationIdGetRelation(relid);
	if (!RelationIsValid(rel))
		return false;
	result = rel->rd_createSubid != InvalidSubTransactionId;
	RelationClose(rel);
	return result;
}

/* The relation of an OID, or NULL if it is gone. */
ZdmRel *
ddl_rel_by_oid(ZdmDdl *ddl, Oid relid)
{
	ZdmRel	   *rel;
	HeapTuple	tuple;
	Form_pg_class form;

	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	if (!HeapTupleIsValid(tuple))
		return NULL;
	form = (Form_pg_class) GETSTRUCT(tuple);

	rel = palloc0(sizeof(ZdmRel));
	rel->relid = relid;
	rel->nspname = get_namespace_name(form->relnamespace);
	if (rel->nspname == NULL)	/* dropped this very moment */
		rel->nspname = "?";
	rel->relname = pstrdup(NameStr(form->relname));
	rel->relkind = form->relkind;
	rel->persistence = form->relpersistence;
	rel->is_partition = form->relispartition;
	rel->has_children = form->relhassubclass;
	rel->owner = form->relowner;
	rel->amoid = form->relam;
	rel->tablespace = form->reltablespace;
	rel->toastrelid = form->reltoastrelid;
	rel->size = -1;
	rel->is_new = is_made_here(relid, tuple);
	rel->is_exempt = rel->is_new ||
		rel->persistence == RELPERSISTENCE_TEMP ||
		relid < FirstNormalObjectId ||
		IsToastNamespace(form->relnamespace);
	ReleaseSysCache(tuple);

	if (ddl->script != NULL)
		ddl_script_adjust_rel(ddl->script, rel);
	return rel;
}

/* The OID that a name stands for in the catalog, or InvalidOid; never throws. */
static Oid
catalog_relid(const char *nspname, const char *relname)
{
	Oid			nspoid;

	if (nspname == NULL)
		return RelnameGetRelid(relname);
	nspoid = LookupNamespaceNoError(nspname);
	return OidIsValid(nspoid) ? get_relname_relid(relname, nspoid) : InvalidOid;
}

static bool
is_this_database(const char *name)
{
	const char *database = get_database_name(MyDatabaseId);

	return database != NULL && strcmp(name, database) == 0;
}

ZdmRel *
ddl_rel(ZdmDdl *ddl, const RangeVar *rv, bool missing_ok)
{
	ZdmRel	   *rel = NULL;

	if (rv->catalogname != NULL && !is_this_database(rv->catalogname))
	{
		/* the server refuses it, also with IF EXISTS */
		ddl_undefined(ddl, "cross-database references are not implemented: \"%s.%s.%s\"",
					  rv->catalogname, rv->schemaname, rv->relname);
		return NULL;
	}
	if (ddl->script != NULL)
		rel = ddl_script_lookup_rel(ddl, rv->schemaname, rv->relname);
	else
	{
		Oid			relid = catalog_relid(rv->schemaname, rv->relname);

		if (OidIsValid(relid))
			rel = ddl_rel_by_oid(ddl, relid);
	}

	if (rel == NULL && !missing_ok)
		ddl_undefined(ddl, "relation \"%s\" does not exist",
					  rv->schemaname ?
					  psprintf("%s.%s", rv->schemaname, rv->relname) :
					  rv->relname);
	return rel;
}

/*
 * One of several relations that the statement names; the first of them is
 * what the statement is about.
 */
ZdmRel *
ddl_rel_listed(ZdmDdl *ddl, const RangeVar *rv)
{
	ZdmRel	   *rel = ddl_rel(ddl, rv, false);

	if (rel != NULL && ddl->object == NULL)
		ddl->object = ddl_rel_describe(rel);
	return rel;
}

/* As ddl_rel(), of a qualified name as DROP and COMMENT have it. */
ZdmRel *
ddl_rel_by_names(ZdmDdl *ddl, List *names, bool missing_ok)
{
	RangeVar	rv = {.type = T_RangeVar};
	int			len = list_length(names);

	if (len < 1 || len > 3)
	{
		ddl_undefined(ddl, "improper relation name: \"%s\"", NameListToString(names));
		return NULL;
	}
	rv.relname = strVal(llast(names));
	if (len == 3)
		rv.catalogname = strVal(linitial(names));
	if (len >= 2)
		rv.schemaname = strVal(list_nth(names, len - 2));
	return ddl_rel(ddl, &rv, missing_ok);
}

/* The relation and all its partitions or inheritance children. */
List *
ddl_rel_tree(ZdmDdl *ddl, ZdmRel *rel)
{
	List	   *result = list_make1(rel);
	ListCell   *lc;

	if (!rel->has_children || !OidIsValid(rel->relid))
		return result;

	foreach(lc, find_all_inheritors(rel->relid, NoLock, NULL))
	{
		ZdmRel	   *child;

		CHECK_FOR_INTERRUPTS();
		if (lfirst_oid(lc) == rel->relid)
			continue;
		child = ddl_rel_by_oid(ddl, lfirst_oid(lc));
		if (child != NULL)
			result = lappend(result, child);
	}
	return result;
}

/* The partitioned table that rel is a partition of, or NULL. */
ZdmRel *
ddl_rel_parent(ZdmDdl *ddl, ZdmRel *rel)
{
	Oid			parent;

	if (!rel->is_partition || !OidIsValid(rel->relid))
		return NULL;
	parent = get_partition_parent(rel->relid, true);
	return OidIsValid(parent) ? ddl_rel_by_oid(ddl, parent) : NULL;
}

/*
 * The relation without its partitions and children, for statements that do
 * not descend: the size of the copy is that of the relation alone.
 */
ZdmRel *
ddl_rel_only(const ZdmRel *rel)
{
	ZdmRel	   *result = palloc(sizeof(ZdmRel));

	*result = *rel;
	result->has_children = false;
	result->size = -1;
	return result;
}

ZdmRel *
ddl_default_partition(ZdmDdl *ddl, ZdmRel *parent)
{
	Oid			relid;

	if (parent->relkind != RELKIND_PARTITIONED_TABLE || !OidIsValid(parent->relid))
		return NULL;
	relid = get_default_partition_oid(parent->relid);
	return OidIsValid(relid) ? ddl_rel_by_oid(ddl, relid) : NULL;
}

/* The table that an index is on, or NULL. */
ZdmRel *
ddl_index_table(ZdmDdl *ddl, ZdmRel *index)
{
	HeapTuple	tuple;
	Oid			relid;

	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index->relid));
	if (!HeapTupleIsValid(tuple))
		return NULL;
	relid = ((Form_pg_index) GETSTRUCT(tuple))->indrelid;
	ReleaseSysCache(tuple);
	return ddl_rel_by_oid(ddl, relid);
}

/* Bytes in the main fork, by the files: that asks for no lock. */
static int64
file_size(Oid relid)
{
	HeapTuple	tuple;
	Form_pg_class form;
	char	   *path;
	int64		total = 0;

	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	if (!HeapTupleIsValid(tuple))
		return 0;
	form = (Form_pg_class) GETSTRUCT(tuple);
	if (!RELKIND_HAS_STORAGE(form->relkind) || !OidIsValid(form->relfilenode) ||
		form->relpersistence == RELPERSISTENCE_TEMP)
	{
		ReleaseSysCache(tuple);
		return 0;
	}
	path = compat_relation_path(MyDatabaseId,
								OidIsValid(form->reltablespace) ?
								form->reltablespace : MyDatabaseTableSpace,
								form->relfilenode);
	ReleaseSysCache(tuple);

	for (int segment = 0;; segment++)
	{
		struct stat st;
		char		name[MAXPGPATH];

		CHECK_FOR_INTERRUPTS();
		if (segment == 0)
			strlcpy(name, path, sizeof(name));
		else
			snprintf(name, sizeof(name), "%s.%d", path, segment);
		if (stat(name, &st) < 0)
		{
			if (errno != ENOENT)
				ereport(ERROR,
						(errcode_for_file_access(),
						 errmsg("could not stat file \"%s\": %m", name)));
			break;				/* past the last segment, or dropped */
		}
		total += st.st_size;
	}
	return total;
}

/* Bytes of a relation with its TOAST table, partitions and children. */
int64
ddl_rel_size(ZdmDdl *ddl, ZdmRel *rel)
{
	ListCell   *lc;

	if (rel->size >= 0)
		return rel->size;

	rel->size = 0;
	foreach(lc, ddl_rel_tree(ddl, rel))
	{
		ZdmRel	   *member = lfirst(lc);

		if (!OidIsValid(member->relid))
			continue;
		rel->size += file_size(member->relid);
		if (OidIsValid(member->toastrelid))
			rel->size += file_size(member->toastrelid);
	}
	return rel->size;
}

/* Is the relation empty, or so small that reading it under a lock is harmless? */
bool
ddl_rel_is_small(ZdmDdl *ddl, ZdmRel *rel)
{
	int64		size = ddl_rel_size(ddl, rel);

	return size == 0 || size < ddl->small_table;
}

const char *
ddl_rel_qualified(const ZdmRel *rel)
{
	return quote_qualified_identifier(rel->nspname, rel->relname);
}

static const char *
relkind_name(char relkind)
{
	switch (relkind)
	{
		case RELKIND_INDEX:
		case RELKIND_PARTITIONED_INDEX:
			return "index";
		case RELKIND_SEQUENCE:
			return "sequence";
		case RELKIND_VIEW:
			return "view";
		case RELKIND_MATVIEW:
			return "materialized view";
		case RELKIND_FOREIGN_TABLE:
			return "foreign table";
		case RELKIND_COMPOSITE_TYPE:
			return "type";
		default:
			return "table";
	}
}

const char *
ddl_rel_describe(const ZdmRel *rel)
{
	return psprintf("%s \"%s.%s\"", relkind_name(rel->relkind),
					rel->nspname, rel->relname);
}
