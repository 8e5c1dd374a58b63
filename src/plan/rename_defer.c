/*-------------------------------------------------------------------------
 *
 * rename_defer.c
 *	  What of a statement about renamed tables and views waits for the end of the window.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "plan/defer.h"

const ZdmDeferrer zdm_rename_deferrers[] = {
	{ZDM_RULE_COUNT, NULL}
};
