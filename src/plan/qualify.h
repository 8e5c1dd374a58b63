/*-------------------------------------------------------------------------
 *
 * qualify.h
 *	  The text of a statement for later.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_QUALIFY_H
#define ZDM_QUALIFY_H

#include "ddl/ddl.h"

/* The statement's text, trimmed, with schemas before its relations' names */
extern char *zdm_sql_qualify(const ZdmDdl *ddl);

/*
 * The text with one qualified name in the place of another, both quoted as
 * quote_qualified_identifier() does it; names in string constants stay.
 */
extern char *zdm_sql_rename(const char *sql, const char *from, const char *to);

#endif							/* ZDM_QUALIFY_H */
