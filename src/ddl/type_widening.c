/*-------------------------------------------------------------------------
 *
 * type_widening.c
 *	  Is a change of type a widening, which old clients do not notice?
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "ddl/column_type.h"
#include "utils/lsyscache.h"

typedef struct Widening
{
	Oid			from;
	Oid			to;
} Widening;

/*
 * Types that hold all values of another, written and read in the same way.
 * A timestamp with a time zone is read differently, a padded char compares
 * differently, and a float holds not every bigint: none of them is here.
 */
static const Widening widenings[] = {
	{INT2OID, INT4OID},
	{INT2OID, INT8OID},
	{INT2OID, NUMERICOID},
	{INT2OID, FLOAT8OID},
	{INT4OID, INT8OID},
	{INT4OID, NUMERICOID},
	{INT4OID, FLOAT8OID},
	{INT8OID, NUMERICOID},
	{FLOAT4OID, FLOAT8OID},
	{VARCHAROID, TEXTOID},
	{TEXTOID, VARCHAROID},
	{CIDROID, INETOID},
	{XMLOID, TEXTOID},
	{BITOID, VARBITOID},
};

/* Is the modifier of the same type at least as wide? */
static bool
typmod_widens(Oid typid, int32 before, int32 after)
{
	if (after < 0 || before == after)
		return true;
	if (before < 0)
		return false;
	switch (typid)
	{
		case VARCHAROID:
		case VARBITOID:
		case TIMEOID:
		case TIMETZOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return after >= before;
		case NUMERICOID:
			/* the scale, in the lower half, must stay */
			return ((before - VARHDRSZ) & 0xffff) == ((after - VARHDRSZ) & 0xffff) &&
				after >= before;
		default:
			return false;		/* interval packs fields, char pads */
	}
}

bool
ddl_type_change_widens(const ZdmTypeChange *change)
{
	int32		before = change->col->typmod;
	Oid			from;

	/* an expression can do anything, one that only casts is as good as none */
	if (change->using != NULL && change->rewrites &&
		!IsA(change->using, ColumnRef) && !IsA(change->using, TypeCast))
		return false;
	if (!OidIsValid(change->typid) || !OidIsValid(change->col->typid))
		return false;
	if (ddl_domain_has_constraints(change->typid))
		return change->typid == change->col->typid;

	from = getBaseTypeAndTypmod(change->col->typid, &before);
	if (from == getBaseType(change->typid))
		return typmod_widens(from, before, change->typmod);
	for (int i = 0; i < lengthof(widenings); i++)
	{
		if (widenings[i].from == from && widenings[i].to == change->typid)
			return change->typmod < 0;
	}
	return false;
}
