/*-------------------------------------------------------------------------
 *
 * script.h
 *	  What earlier statements of a script have made, changed and dropped.
 *
 * Nothing of a script is executed, so a later statement that names an object
 * of an earlier one finds it here.  The look-ups of relation.c and column.c
 * ask here first; nobody else needs to.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_SCRIPT_H
#define ZDM_SCRIPT_H

#include "ddl/ddl.h"

typedef struct ZdmScript ZdmScript;
typedef struct ZdmScriptRel ZdmScriptRel;

extern ZdmScript *ddl_script_create(MemoryContext context);

/* the schema where unqualified names are made, or NULL if there is none */
extern const char *ddl_script_creation_schema(const ZdmScript *script);

/* relations, of the script or the catalog; NULL: none, or dropped */
extern ZdmRel *ddl_script_lookup_rel(ZdmDdl *ddl, const char *nspname,
									 const char *relname);
extern void ddl_script_adjust_rel(ZdmScript *script, ZdmRel *rel);

/* columns: true if the script knows the name; *col NULL means dropped */
extern bool ddl_script_lookup_col(ZdmRel *rel, const char *name, ZdmCol **col);
extern bool ddl_script_proves_not_null(ZdmRel *rel, const char *column);

/* raw conditions of the valid CHECK constraints that the script has added */
extern List *ddl_script_checks(ZdmRel *rel);

/* true if the script made or dropped a constraint of that name */
extern bool ddl_script_has_constraint(ZdmRel *rel, const char *name, bool *dropped);

/* key columns of an index made in the script, of String */
extern List *ddl_script_index_columns(ZdmRel *index);

/* types, schemas and functions made in the script */
extern bool ddl_script_has_type(ZdmScript *script, const char *nspname,
								const char *name);
extern bool ddl_script_has_schema(ZdmScript *script, const char *name);
extern bool ddl_script_has_function(ZdmScript *script, const char *name,
									bool *is_volatile);

/* an object of another kind, such as a trigger; "" if it has no name */
extern bool ddl_script_has_object(ZdmScript *script, const char *name);

/* has a statement run code that may have made anything (DO, CREATE EXTENSION)? */
extern bool ddl_script_is_opaque(ZdmScript *script);

#endif							/* ZDM_SCRIPT_H */
