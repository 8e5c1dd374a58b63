/*-------------------------------------------------------------------------
 *
 * script_internal.h
 *	  Representation of a script's objects, for script.c and script_apply.c.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_SCRIPT_INTERNAL_H
#define ZDM_SCRIPT_INTERNAL_H

#include "ddl/script.h"
#include "utils/hsearch.h"

/* A column; linked by itself, as a long script has very many of them. */
typedef struct ZdmScriptCol
{
	struct ZdmScriptCol *next;
	const char *name;
	bool		dropped;		/* or renamed away */
	ZdmCol		col;			/* as the script stands */
} ZdmScriptCol;

typedef struct ZdmScriptCon
{
	const char *name;			/* NULL: unnamed */
	bool		dropped;
	bool		is_valid;
	List	   *not_null_columns;	/* String: columns that it proves not null */
	Node	   *check;			/* raw condition of a CHECK, or NULL */
} ZdmScriptCon;

struct ZdmScriptRel
{
	Oid			relid;			/* InvalidOid: made in the script */
	const char *nspname;		/* of an existing one: set when renamed */
	const char *relname;
	char		relkind;
	char		persistence;
	bool		columns_known;	/* of one made in the script: the list below
								 * is complete */
	struct ZdmScriptCol *columns;	/* the newest first */
	List	   *constraints;	/* ZdmScriptCon */
	List	   *index_columns;	/* String: of an index made in the script */
};

typedef struct ZdmScriptKey
{
	char		kind;			/* r(elation), t(ype), s(chema), f(unction),
								 * o(ther) */
	const char *nspname;		/* relations only; one pointer for each schema */
	char		name[NAMEDATALEN];
} ZdmScriptKey;

typedef struct ZdmScriptName
{
	ZdmScriptKey key;			/* must be first */
	bool		dropped;
	bool		is_volatile;	/* functions */
	ZdmScriptRel *rel;			/* relations */
} ZdmScriptName;

typedef struct ZdmScriptOid
{
	Oid			relid;			/* must be first */
	ZdmScriptRel *rel;
} ZdmScriptOid;

struct ZdmScript
{
	MemoryContext context;
	HTAB	   *names;			/* ZdmScriptName */
	HTAB	   *oids;			/* ZdmScriptOid */
	HTAB	   *schemas;		/* names, each once: what keys point to */
	List	   *search_path;	/* char *, for unqualified names */
	const char *creation_schema;	/* where they are made, or NULL */
	bool		is_opaque;
};

extern ZdmScriptName *ddl_script_name(ZdmScript *script, char kind,
									  const char *nspname, const char *name,
									  bool create);
extern ZdmScriptRel *ddl_script_rel_of_oid(ZdmScript *script, Oid relid, bool create);
extern ZdmScriptCol *ddl_script_col(ZdmScriptRel *rel, const char *name);
extern ZdmScriptCon *ddl_script_con(ZdmScriptRel *rel, const char *name);

#endif							/* ZDM_SCRIPT_INTERNAL_H */
