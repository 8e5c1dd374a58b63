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

#endif							/* ZDM_QUALIFY_H */
