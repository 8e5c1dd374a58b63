/*-------------------------------------------------------------------------
 *
 * stored_sql.h
 *	  SQL that is stored, and read later by other sessions.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_STORED_SQL_H
#define ZDM_STORED_SQL_H

#include "zdm.h"

/*
 * The SQL, which the parser has accepted, with its string constants written so
 * that they do not depend on standard_conforming_strings.  NULL for NULL.
 */
extern const char *stored_sql_portable(const char *sql);

/*
 * The SQL with the names that its relations (ZdmPlanTarget, with the names that
 * they have in it) have now.  One that is gone keeps its name.
 */
extern const char *stored_sql_now(const char *sql, List *targets);

#endif							/* ZDM_STORED_SQL_H */
