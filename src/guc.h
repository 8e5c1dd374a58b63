/*-------------------------------------------------------------------------
 *
 * guc.h
 *	  The settings; docs/settings.md explains them.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_GUC_H
#define ZDM_GUC_H

#include "rules.h"

typedef enum ZdmMode
{
	ZDM_MODE_OFF,
	ZDM_MODE_WARN,
	ZDM_MODE_ENFORCE
} ZdmMode;

extern PGDLLIMPORT int zdm_guc_backfill_batch;	/* milliseconds */
extern PGDLLIMPORT int zdm_guc_backfill_max_lag;	/* kilobytes */
extern PGDLLIMPORT int zdm_guc_lock_timeout;	/* milliseconds */
extern PGDLLIMPORT int zdm_guc_lock_wait_max;	/* milliseconds */
extern PGDLLIMPORT int zdm_guc_max_dml_rows;
extern PGDLLIMPORT int zdm_guc_max_workers;
extern PGDLLIMPORT int zdm_guc_mode;
extern PGDLLIMPORT bool zdm_guc_require_window;
extern PGDLLIMPORT int zdm_guc_small_table; /* kilobytes */
extern PGDLLIMPORT char *zdm_guc_window;

extern void zdm_guc_init(void);

/* from zdm.rules, or the rule's own default */
extern ZdmSeverity zdm_guc_severity(ZdmRuleId rule);

/* is the rule waived by zdm.allow? */
extern bool zdm_guc_is_allowed(ZdmRuleId rule);

#endif							/* ZDM_GUC_H */
