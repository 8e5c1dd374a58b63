/*-------------------------------------------------------------------------
 *
 * script.c
 *	  The stand-in for what earlier statements of a script made: its objects.
 *
 * script_apply.c fills it from parse trees.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "common/hashfn.h"
#include "ddl/script_internal.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* An empty script; everything of it lives in the given context. */
ZdmScript *
ddl_script_create(MemoryContext context)
{
	ZdmScript  *script = MemoryContextAllocZero(context, sizeof(ZdmScript));
	MemoryContext oldcontext = MemoryContextSwitchTo(context);
	HASHCTL		ctl = {0};
	ListCell   *lc;

	script->context = context;

	ctl.hcxt = context;
	ctl.keysize = sizeof(ZdmScriptKey);
	ctl.entrysize = sizeof(ZdmScriptName);
	script->names = hash_create("zdm script names", 64, &ctl,
								HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);

	ctl.keysize = sizeof(NameData);
	ctl.entrysize = sizeof(NameData);
	script->schemas = hash_create("zdm script schemas", 16, &ctl,
								  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);

	ctl.keysize = sizeof(Oid);
	ctl.entrysize = sizeof(ZdmScriptOid);
	script->oids = hash_create("zdm script relations", 64, &ctl,
							   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);

	/* where temporary tables of the script are, before there is one here */
	script->search_path = list_make1(pstrdup("pg_temp"));
	foreach(lc, fetch_search_path(true))
	{
		char	   *name = get_namespace_name(lfirst_oid(lc));

		if (name != NULL)
			script->search_path = lappend(script->search_path, name);
	}
	foreach(lc, fetch_search_path(false))
	{
		script->creation_schema = get_namespace_name(lfirst_oid(lc));
		if (script->creation_schema != NULL)
			break;
	}
	MemoryContextSwitchTo(oldcontext);
	return script;
}

const char *
ddl_script_creation_schema(const ZdmScript *script)
{
	return script->creation_schema;
}

/*
 * The one copy of a schema's name that keys point to: a long script has very
 * many keys in few schemas.
 */
static const char *
schema_pointer(ZdmScript *script, const char *nspname)
{
	NameData	name;

	if (nspname == NULL)
		return NULL;
	memset(&name, 0, sizeof(name));
	strlcpy(NameStr(name), nspname, NAMEDATALEN);
	return hash_search(script->schemas, &name, HASH_ENTER, NULL);
}

/*
 * The entry of a name; with create a new one if there is none.  kind keeps
 * relations, types, schemas and functions apart.
 */
ZdmScriptName *
ddl_script_name(ZdmScript *script, char kind, const char *nspname,
				const char *name, bool create)
{
	ZdmScriptKey key;
	ZdmScriptName *entry;
	bool		found;

	memset(&key, 0, sizeof(key));
	key.kind = kind;
	key.nspname = schema_pointer(script, nspname);
	strlcpy(key.name, name, NAMEDATALEN);

	entry = hash_search(script->names, &key, create ? HASH_ENTER : HASH_FIND, &found);
	if (create && !found)
	{
		entry->dropped = false;
		entry->is_volatile = false;
		entry->rel = NULL;
	}
	return entry;
}

/* The record of changes to an existing relation, made if there is none. */
ZdmScriptRel *
ddl_script_rel_of_oid(ZdmScript *script, Oid relid, bool create)
{
	ZdmScriptOid *entry;
	bool		found;

	entry = hash_search(script->oids, &relid, create ? HASH_ENTER : HASH_FIND, &found);
	if (entry == NULL)
		return NULL;
	if (!found)
	{
		entry->rel = MemoryContextAllocZero(script->context, sizeof(ZdmScriptRel));
		entry->rel->relid = relid;
	}
	return entry->rel;
}

/* A relation that exists only in the script. */
static ZdmRel *
rel_of_script(const ZdmScriptName *entry)
{
	ZdmRel	   *rel = palloc0(sizeof(ZdmRel));

	rel->nspname = pstrdup(entry->key.nspname);
	rel->relname = pstrdup(entry->key.name);
	rel->relkind = entry->rel->relkind;
	rel->persistence = entry->rel->persistence;
	rel->is_new = true;
	rel->is_exempt = true;
	rel->script = entry->rel;
	return rel;
}

/* A relation of the catalog that has a certain name. */
typedef struct NamedRel
{
	Oid			nspoid;
	Oid			relid;
} NamedRel;

/*
 * All relations of that name, of NamedRel.  A long script makes many names
 * that the catalog does not have; the system cache would remember each of
 * them for the rest of the session, so the catalog itself is asked.
 */
static List *
relations_named(const char *relname)
{
	Relation	pg_class = table_open(RelationRelationId, AccessShareLock);
	List	   *result = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_class_relname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum(relname));
	scan = systable_beginscan(pg_class, ClassNameNspIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		NamedRel   *named = palloc(sizeof(NamedRel));

		named->nspoid = ((Form_pg_class) GETSTRUCT(tuple))->relnamespace;
		named->relid = ((Form_pg_class) GETSTRUCT(tuple))->oid;
		result = lappend(result, named);
	}
	systable_endscan(scan);
	table_close(pg_class, AccessShareLock);
	return result;
}

static Oid
relid_in_schema(List *named_rels, const char *schema)
{
	Oid			nspoid = named_rels != NIL ? LookupNamespaceNoError(schema) : InvalidOid;
	ListCell   *lc;

	foreach(lc, named_rels)
	{
		const NamedRel *named = lfirst(lc);

		if (named->nspoid == nspoid)
			return named->relid;
	}
	return InvalidOid;
}

/*
 * The relation that a name stands for as the script stands, made in it or in
 * the catalog; NULL if there is none, or the script has dropped it.
 */
ZdmRel *
ddl_script_lookup_rel(ZdmDdl *ddl, const char *nspname, const char *relname)
{
	ZdmScript  *script = ddl->script;
	List	   *schemas = nspname != NULL ? list_make1(unconstify(char *, nspname)) :
		script->search_path;
	List	   *named_rels = relations_named(relname);
	ZdmRel	   *rel = NULL;
	ListCell   *lc;

	foreach(lc, schemas)
	{
		const char *schema = lfirst(lc);
		ZdmScriptName *entry = ddl_script_name(script, 'r', schema, relname, false);
		Oid			relid = InvalidOid;

		if (entry == NULL)
			relid = relid_in_schema(named_rels, schema);
		else if (entry->dropped)
			continue;
		else if (OidIsValid(entry->rel->relid))
			relid = entry->rel->relid;
		else
		{
			rel = rel_of_script(entry);
			break;
		}
		if (OidIsValid(relid))
		{
			rel = ddl_rel_by_oid(ddl, relid);
			break;
		}
	}

	list_free_deep(named_rels);
	if (nspname != NULL)
		list_free(schemas);
	return rel;
}

/* Attach to an existing relation what the script has changed of it. */
void
ddl_script_adjust_rel(ZdmScript *script, ZdmRel *rel)
{
	rel->script = ddl_script_rel_of_oid(script, rel->relid, false);
	if (rel->script != NULL && rel->script->relname != NULL)
	{
		rel->nspname = rel->script->nspname;
		rel->relname = rel->script->relname;
	}
}

ZdmScriptCol *
ddl_script_col(ZdmScriptRel *rel, const char *name)
{
	for (ZdmScriptCol *col = rel->columns; col != NULL; col = col->next)
	{
		if (strcmp(col->name, name) == 0)
			return col;
	}
	return NULL;
}

bool
ddl_script_lookup_col(ZdmRel *rel, const char *name, ZdmCol **col)
{
	ZdmScriptCol *entry = ddl_script_col(rel->script, name);

	*col = NULL;
	if (entry != NULL)
	{
		if (!entry->dropped)
		{
			*col = palloc(sizeof(ZdmCol));
			**col = entry->col;
		}
		return true;
	}
	if (OidIsValid(rel->relid))
		return false;

	/* a table of the script: unless all its columns are known, believe it */
	if (!rel->script->columns_known)
	{
		*col = palloc0(sizeof(ZdmCol));
		(*col)->name = pstrdup(name);
		(*col)->typmod = -1;
		(*col)->is_new = true;
	}
	return true;
}

ZdmScriptCon *
ddl_script_con(ZdmScriptRel *rel, const char *name)
{
	ListCell   *lc;

	foreach(lc, rel->constraints)
	{
		ZdmScriptCon *con = lfirst(lc);

		if (con->name != NULL && strcmp(con->name, name) == 0)
			return con;
	}
	return NULL;
}

bool
ddl_script_has_constraint(ZdmRel *rel, const char *name, bool *dropped)
{
	ZdmScriptCon *con;

	*dropped = false;
	if (rel->script == NULL)
		return false;
	con = ddl_script_con(rel->script, name);
	if (con == NULL)
		return !OidIsValid(rel->relid);
	*dropped = con->dropped;
	return true;
}

/* Has the script added a valid CHECK that proves the column not null? */
List *
ddl_script_checks(ZdmRel *rel)
{
	List	   *result = NIL;
	ListCell   *lc;

	if (rel->script == NULL)
		return NIL;
	foreach(lc, rel->script->constraints)
	{
		ZdmScriptCon *con = lfirst(lc);

		if (con->check != NULL && con->is_valid && !con->dropped)
			result = lappend(result, con->check);
	}
	return result;
}

bool
ddl_script_proves_not_null(ZdmRel *rel, const char *column)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, rel->script->constraints)
	{
		ZdmScriptCon *con = lfirst(lc);

		if (con->dropped || !con->is_valid)
			continue;
		foreach(lc2, con->not_null_columns)
		{
			if (strcmp(strVal(lfirst(lc2)), column) == 0)
				return true;
		}
	}
	return false;
}

List *
ddl_script_index_columns(ZdmRel *index)
{
	return index->script != NULL ? index->script->index_columns : NIL;
}

static bool
has_name(ZdmScript *script, char kind, const char *name)
{
	ZdmScriptName *entry = ddl_script_name(script, kind, NULL, name, false);

	return entry != NULL && !entry->dropped;
}

/* Every table and view is a type too. */
bool
ddl_script_has_type(ZdmScript *script, const char *nspname, const char *name)
{
	List	   *schemas = nspname != NULL ? list_make1(unconstify(char *, nspname)) :
		script->search_path;
	ListCell   *lc;

	if (has_name(script, 't', name))
		return true;
	foreach(lc, schemas)
	{
		ZdmScriptName *entry = ddl_script_name(script, 'r', lfirst(lc), name, false);

		if (entry != NULL && !entry->dropped)
			return true;
	}
	return false;
}

bool
ddl_script_has_schema(ZdmScript *script, const char *name)
{
	return has_name(script, 's', name);
}

bool
ddl_script_has_function(ZdmScript *script, const char *name, bool *is_volatile)
{
	ZdmScriptName *entry = ddl_script_name(script, 'f', NULL, name, false);

	if (entry == NULL || entry->dropped)
		return false;
	*is_volatile = entry->is_volatile;
	return true;
}

bool
ddl_script_has_object(ZdmScript *script, const char *name)
{
	return has_name(script, 'o', name);
}

bool
ddl_script_is_opaque(ZdmScript *script)
{
	return script->is_opaque;
}
