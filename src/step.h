/*-------------------------------------------------------------------------
 *
 * step.h
 *	  A step of a plan: what plan/ makes and run/ carries out.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_STEP_H
#define ZDM_STEP_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "storage/lockdefs.h"

typedef enum ZdmPhase
{
	ZDM_PHASE_EXPAND,			/* additive and brief */
	ZDM_PHASE_MIGRATE,			/* long, but blocks nobody */
	ZDM_PHASE_CONTRACT			/* takes away what old clients need */
} ZdmPhase;

/* What the validation of a CHECK that the plan has added is for. */
typedef enum ZdmProves
{
	ZDM_PROVES_NOTHING,
	ZDM_PROVES_BOUNDS,			/* the rows fit into the bounds of a partition */
	ZDM_PROVES_DEFAULT			/* no row of the default partition does */
} ZdmProves;

typedef enum ZdmStepKind
{
	ZDM_STEP_BRIEF,				/* a transaction, under the lock budget */
	ZDM_STEP_LONG,				/* a transaction that works and waits long
								 * under a lock that blocks no read or write:
								 * VALIDATE CONSTRAINT */
	ZDM_STEP_ALONE,				/* commits by itself: CONCURRENTLY */
	ZDM_STEP_BACKFILL			/* UPDATE t SET c = DEFAULT WHERE c IS NULL,
								 * in batches, each a transaction */
} ZdmStepKind;

/* One step.  All of it is palloc'd, in one context. */
typedef struct ZdmStep
{
	ZdmPhase	phase;
	ZdmStepKind kind;
	const char *sql;			/* one or several commands: one transaction */
	List	   *stmts;			/* RawStmt, of each command in sql */
	const char *undo_sql;		/* takes away what it made; NULL: there is
								 * nothing to take away */
	Oid			undo_relid;		/* the existing table that undo_sql alters,
								 * without one that sql does; or InvalidOid */
	LOCKMODE	lock_mode;		/* strongest on an existing relation */
	const char *note;			/* for people, or NULL */
	bool		cannot_undo;	/* takes something away itself */
	bool		forward;		/* once it has begun, the plan is completed
								 * after an error or crash, not undone: what
								 * it does part of cannot be taken back */

	/*
	 * A CHECK violation in this step means that the column has NULLs, and is
	 * to be reported as SET NOT NULL reports it; or NULL.
	 */
	const char *null_column;
	const char *null_table;		/* its table's name */
	ZdmProves	proves;			/* or as ATTACH PARTITION reports it */

	/*
	 * A constraint, index or sequence that the last step gives another name
	 * or replaces, and that name, for errors that name it; or NULL.
	 */
	const char *made_as;
	const char *made_for;
} ZdmStep;

/* A relation that a plan's SQL names, to be the same in each step. */
typedef struct ZdmPlanTarget
{
	Oid			relid;
	const char *nspname;
	const char *relname;
} ZdmPlanTarget;

/* What a deferred part will make, drop or change. */
typedef struct ZdmClaim
{
	const char *action;			/* "make", "drop" or "change" */
	const char *kind;			/* "relation", "column", "constraint", or as
								 * pg_identify_object() calls it; of
								 * queue_going() also "default" of a column,
								 * and the "schema" or "parent" that a
								 * relation with an OID leaves */
	const char *nspname;		/* of a relation, or NULL */
	Oid			relid;			/* of a column or constraint, or of a relation
								 * that is there; else InvalidOid */
	const char *name;			/* unquoted; the identity of another object */
} ZdmClaim;

/*
 * A part of a statement that was sent within a window that defers.  One of
 * phase expand runs at once, in the caller's transaction; the others become
 * deferred steps of the ledger, and each is carried out like a statement that
 * a client sends in autocommit: planned when its time has come.
 */
typedef struct ZdmPart
{
	ZdmPhase	phase;
	const char *sql;			/* one statement, or several that are one
								 * transaction; relations with their schemas */
	const char *undo_sql;		/* for zdm_abort_window(); NULL: nothing to
								 * undo, or contract: it has not run yet */
	const char *loss;			/* why zdm_abort_window() cannot take back all
								 * of it: half a sentence; or NULL */
	LOCKMODE	lock_mode;		/* strongest that it takes, in its safe form */
	const char *verify_sql;		/* SELECT of the rows in the way, or NULL */
	List	   *targets;		/* ZdmPlanTarget */
	List	   *claims;			/* ZdmClaim */
	const char *note;			/* for people: what is kept back and why, or
								 * NULL */
} ZdmPart;

/* as in the ledger */
static inline const char *
zdm_phase_name(ZdmPhase phase)
{
	static const char *const names[] = {"expand", "migrate", "contract"};

	return names[phase];
}

#endif							/* ZDM_STEP_H */
