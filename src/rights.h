/*-------------------------------------------------------------------------
 *
 * rights.h
 *	  Who may run a statement at all?
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_RIGHTS_H
#define ZDM_RIGHTS_H

#include "ddl/ddl.h"

/* the statement's hazards, without those of objects that are not the user's */
extern List *rights_filter(const ZdmDdl *ddl);

#endif							/* ZDM_RIGHTS_H */
