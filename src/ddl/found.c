/*-------------------------------------------------------------------------
 *
 * found.c
 *	  Noting what a statement does: locks, rewrites, scans, hazards.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "ddl/ddl.h"
#include "ddl/script.h"
#include "lib/stringinfo.h"
#include "utils/lsyscache.h"

/*
 * Note that the statement locks a relation.  Of several modes on one relation
 * the stronger is kept: the modes are numbered by strength.
 */
void
ddl_lock(ZdmDdl *ddl, ZdmRel *rel, LOCKMODE mode)
{
	ZdmRelLock *lock;
	ListCell   *lc;

	if (rel == NULL || rel->is_exempt || !OidIsValid(rel->relid))
		return;

	foreach(lc, ddl->locks)
	{
		lock = lfirst(lc);
		if (lock->rel->relid == rel->relid)
		{
			lock->mode = Max(lock->mode, mode);
			return;
		}
	}

	lock = palloc(sizeof(ZdmRelLock));
	lock->rel = rel;
	lock->mode = mode;
	ddl->locks = lappend(ddl->locks, lock);
}

/* Note a lock on a relation and on all its partitions and children. */
void
ddl_lock_tree(ZdmDdl *ddl, ZdmRel *rel, LOCKMODE mode)
{
	ListCell   *lc;

	if (rel == NULL)
		return;
	foreach(lc, ddl_rel_tree(ddl, rel))
		ddl_lock(ddl, lfirst(lc), mode);
}

/* Note the locks on the sequences that belong to columns of a table. */
void
ddl_lock_owned_sequences(ZdmDdl *ddl, ZdmRel *rel)
{
	ListCell   *lc;

	foreach(lc, getOwnedSequences(rel->relid))
		ddl_lock(ddl, ddl_rel_by_oid(ddl, lfirst_oid(lc)), AccessExclusiveLock);
}

/* Note that the statement rewrites a relation that exists. */
void
ddl_rewrite(ZdmDdl *ddl, ZdmRel *rel)
{
	if (rel != NULL && !rel->is_exempt)
		ddl->rewrites = true;
}

/* Note that the statement reads all of a relation that exists. */
void
ddl_scan(ZdmDdl *ddl, ZdmRel *rel)
{
	if (rel != NULL && !rel->is_exempt)
		ddl->scans = true;
}

/* The strongest lock on any existing relation, or NoLock. */
LOCKMODE
ddl_strongest_lock(const ZdmDdl *ddl)
{
	LOCKMODE	strongest = NoLock;
	ListCell   *lc;

	foreach(lc, ddl->locks)
		strongest = Max(strongest, ((ZdmRelLock *) lfirst(lc))->mode);
	return strongest;
}

/* The lock that the statement takes on one relation, or NoLock. */
LOCKMODE
ddl_lock_on(const ZdmDdl *ddl, const ZdmRel *rel)
{
	ListCell   *lc;

	foreach(lc, ddl->locks)
	{
		ZdmRelLock *lock = lfirst(lc);

		if (rel != NULL && lock->rel->relid == rel->relid)
			return lock->mode;
	}
	return NoLock;
}

/* Note what does not exist; the first such finding is kept. */
void
ddl_undefined(ZdmDdl *ddl, const char *fmt,...)
{
	va_list		args;
	char		buf[1024];

	if (ddl->undefined != NULL ||
		(ddl->script != NULL && ddl_script_is_opaque(ddl->script)))
		return;
	va_start(args, fmt);
	vsnprintf(buf, sizeof(buf), fmt, args);
	va_end(args);
	ddl->undefined = pstrdup(buf);
}

/* What has to be born in a window for a hazard of this column to be void. */
static ObjectAddress
default_subject(ZdmRel *rel, const char *column)
{
	ObjectAddress address = InvalidObjectAddress;

	if (rel != NULL && OidIsValid(rel->relid))
	{
		AttrNumber	attnum = InvalidAttrNumber;

		if (column != NULL)
			attnum = get_attnum(rel->relid, column);
		ObjectAddressSubSet(address, RelationRelationId, rel->relid, attnum);
	}
	return address;
}

static ZdmHazard *add_hazard(ZdmDdl *ddl, ZdmRuleId rule, ZdmRel *rel, Node *node,
							 const char *column, const char *fmt, va_list args)
			pg_attribute_printf(6, 0);

static ZdmHazard *
add_hazard(ZdmDdl *ddl, ZdmRuleId rule, ZdmRel *rel, Node *node,
		   const char *column, const char *fmt, va_list args)
{
	ZdmHazard  *hazard = palloc0(sizeof(ZdmHazard));
	StringInfoData message;

	initStringInfo(&message);
	for (;;)
	{
		va_list		copy;
		int			needed;

		va_copy(copy, args);
		needed = appendStringInfoVA(&message, fmt, copy);
		va_end(copy);
		if (needed == 0)
			break;
		enlargeStringInfo(&message, needed);
	}

	hazard->rule = rule;
	hazard->cap = ZDM_SEVERITY_ERROR;
	hazard->rel = rel;
	hazard->object = rel != NULL ? ddl_rel_describe(rel) : ddl->object;
	hazard->column = column;
	hazard->node = node;
	hazard->subject = default_subject(rel, column);
	hazard->message = message.data;
	ddl->hazards = lappend(ddl->hazards, hazard);
	return hazard;
}

ZdmHazard *
ddl_hazard(ZdmDdl *ddl, ZdmRuleId rule, ZdmRel *rel, Node *node,
		   const char *column, const char *fmt,...)
{
	ZdmHazard  *hazard;
	va_list		args;

	if (rel != NULL && rel->is_exempt)
		return NULL;
	va_start(args, fmt);
	hazard = add_hazard(ddl, rule, rel, node, column, fmt, args);
	va_end(args);
	return hazard;
}

ZdmHazard *
ddl_lock_hazard(ZdmDdl *ddl, ZdmRuleId rule, ZdmRel *rel, Node *node,
				const char *column, const char *fmt,...)
{
	ZdmHazard  *hazard;
	va_list		args;

	if (rel->is_exempt || ddl_rel_is_small(ddl, rel))
		return NULL;
	va_start(args, fmt);
	hazard = add_hazard(ddl, rule, rel, node, column, fmt, args);
	va_end(args);
	return hazard;
}
