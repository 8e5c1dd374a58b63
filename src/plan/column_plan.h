/*-------------------------------------------------------------------------
 *
 * column_plan.h
 *	  The definition of a new column, as text and as parse tree.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_COLUMN_PLAN_H
#define ZDM_COLUMN_PLAN_H

#include "plan/plan.h"

/*
 * A column that ALTER TABLE adds.  The tree is made of the text once more, so
 * that its locations count from the text's beginning.
 */
typedef struct ZdmNewColumn
{
	ZdmPlan    *plan;
	const AlterTableCmd *cmd;	/* of the statement itself */
	const char *text;
	const ColumnDef *def;		/* made of text */
	const char *name;			/* quoted */
	Oid			typid;			/* InvalidOid: a type made in the script */
	const char *serial_type;	/* the type below serial, or NULL */
	const Constraint *identity; /* or NULL */
	bool		is_volatile;	/* its default */
	bool		is_default_free;	/* it has one, and that costs nothing */
	bool		needs_not_null;
	bool		is_nullable_by_word;
	int			keys;			/* UNIQUE and PRIMARY KEY */
} ZdmNewColumn;

/*
 * column_plan.c: ADD COLUMN as a whole; false if there is no safe way.
 * is_hazardous: it is not to be carried out as it is.
 */
extern bool zdm_plan_add_column(ZdmPlan *plan, const AlterTableCmd *cmd, bool is_hazardous);

/* column_text.c; false where the text is not that of the tree */
extern bool zdm_column_read(ZdmPlan *plan, const AlterTableCmd *cmd, ZdmNewColumn *col);

/* "numeric(10,2)", with what can stand between type and constraints */
extern char *zdm_column_type(const ZdmNewColumn *col);

/* COLLATE or one constraint, with the attributes that follow it */
extern char *zdm_column_collation(const ZdmNewColumn *col);
extern char *zdm_column_constraint(const ZdmNewColumn *col, const Constraint *con);

/* the same without CONSTRAINT name and without count tokens more */
extern char *zdm_column_clause(const ZdmNewColumn *col, const Constraint *con, int count);

/*
 * The constraint with the attributes that follow it (DEFERRABLE, ...), as a
 * constraint of the table on that column.  NULL if they cannot follow it.
 */
extern Constraint *zdm_column_table_constraint(const ZdmNewColumn *col, const Constraint *con);

/* Is it no constraint, but an attribute of the one before? */
extern bool zdm_column_is_attribute(const Constraint *con);

#endif							/* ZDM_COLUMN_PLAN_H */
