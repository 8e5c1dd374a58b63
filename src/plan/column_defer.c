/*-------------------------------------------------------------------------
 *
 * column_defer.c
 *	  What of a statement about columns waits for the end of the window.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "plan/defer.h"

const ZdmDeferrer zdm_column_deferrers[] = {
	{ZDM_RULE_COUNT, NULL}
};
