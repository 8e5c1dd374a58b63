/*-------------------------------------------------------------------------
 *
 * advice.h
 *	  The safe form of a hazardous statement, as SQL for a HINT.
 *
 * Each file of plan/ that knows some rules exports one table of them, so
 * that a new rule touches one file here.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_ADVICE_H
#define ZDM_ADVICE_H

#include "ddl/ddl.h"
#include "lib/stringinfo.h"

/*
 * Returns, palloc'd, the SQL that reaches the same end safely ("a; b; c;"),
 * or a sentence of advice where there is no such SQL; never NULL.
 */
typedef char *(*ZdmAdviceFunc) (const ZdmDdl *ddl, const ZdmHazard *hazard);

typedef struct ZdmAdvice
{
	ZdmRuleId	rule;
	ZdmAdviceFunc advise;
} ZdmAdvice;

/* each ends with a NULL function */
extern const ZdmAdvice zdm_column_advice[]; /* column_advice.c */
extern const ZdmAdvice zdm_constraint_advice[]; /* constraint_advice.c */
extern const ZdmAdvice zdm_index_advice[];	/* index_advice.c */
extern const ZdmAdvice zdm_partition_advice[];	/* partition_advice.c */
extern const ZdmAdvice zdm_object_advice[]; /* object_advice.c */
extern const ZdmAdvice zdm_table_advice[];	/* table_advice.c */

extern char *zdm_advice(const ZdmDdl *ddl, const ZdmHazard *hazard);

/* text.c: pieces of SQL */
extern char *zdm_sql_trim(const char *sql);
extern char *zdm_sql_insert_after(const char *sql, const char *keyword, const char *insertion);
extern char *zdm_sql_index_definition(const char *sql);
extern char *zdm_sql_action(const ZdmDdl *ddl, Node *cmd);
extern char *zdm_sql_default(const char *action);
extern char *zdm_sql_parenthesis(const char *action, const char *keyword);
extern char *zdm_sql_skip(const char *sql, int count);
extern List *zdm_sql_index_keys(const char *definition);
extern char *zdm_sql_condition(const char *sql);
extern char *zdm_sql_until(const char *sql, const char *keyword);

/* constraint_advice.c: statements that other advice needs too, each with "; " */
extern char *zdm_constraint_name(const ZdmRel *rel, const char *column, const char *label);
extern const char *zdm_hazard_subject(const ZdmHazard *hazard);
extern void zdm_append_set_not_null(StringInfo buf, const ZdmRel *rel, const char *column);

#endif							/* ZDM_ADVICE_H */
