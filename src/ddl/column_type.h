/*-------------------------------------------------------------------------
 *
 * column_type.h
 *	  A change of a column's type, between the files that judge it.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_COLUMN_TYPE_H
#define ZDM_COLUMN_TYPE_H

#include "ddl/ddl.h"

typedef struct ZdmTypeChange
{
	ZdmCol	   *col;			/* as it is now */
	Oid			typid;			/* as it shall be; InvalidOid: of the script */
	int32		typmod;
	Oid			collation;
	Node	   *using;			/* raw USING expression, or NULL */
	bool		rewrites;
} ZdmTypeChange;

/* does the new type hold, and read as, every value that the old one has? */
extern bool ddl_type_change_widens(const ZdmTypeChange *change);

#endif							/* ZDM_COLUMN_TYPE_H */
