/*-------------------------------------------------------------------------
 *
 * zdm.h
 *	  What every room of zdm shares: SQLSTATEs and the words of the field.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_H
#define ZDM_H

#include "postgres.h"

#include "compat.h"

/* zdm's own error class; docs/errors.md says what a client does about each */
#define ERRCODE_ZDM_UNSAFE_DDL			MAKE_SQLSTATE('Z','D','M','0','1')
#define ERRCODE_ZDM_WINDOW_MISUSE		MAKE_SQLSTATE('Z','D','M','0','2')
#define ERRCODE_ZDM_WINDOW_NOT_READY	MAKE_SQLSTATE('Z','D','M','0','3')
#define ERRCODE_ZDM_QUEUED_WORK			MAKE_SQLSTATE('Z','D','M','0','4')

/* the schema that holds zdm's tables, whatever schema its functions are in */
#define ZDM_SCHEMA	"zdm"

/* what a statement would do to a running application */
typedef enum ZdmClass
{
	ZDM_CLASS_LOCK,				/* holds a lock too long */
	ZDM_CLASS_COMPAT,			/* breaks old clients */
	ZDM_CLASS_DATA				/* loses or mass-changes data */
} ZdmClass;

/* how seriously a rule is taken; ordered, so that the weaker is the smaller */
typedef enum ZdmSeverity
{
	ZDM_SEVERITY_OFF,			/* not looked at */
	ZDM_SEVERITY_NOTE,			/* told by zdm_check only */
	ZDM_SEVERITY_WARN,			/* a WARNING, the statement runs */
	ZDM_SEVERITY_ERROR			/* refused, rewritten or deferred */
} ZdmSeverity;

/* what happens to a statement */
typedef enum ZdmVerdict
{
	ZDM_VERDICT_RUN,
	ZDM_VERDICT_WARN,
	ZDM_VERDICT_REWRITE,
	ZDM_VERDICT_QUEUE,
	ZDM_VERDICT_DEFER,
	ZDM_VERDICT_REFUSE
} ZdmVerdict;

#endif							/* ZDM_H */
