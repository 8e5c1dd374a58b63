/*-------------------------------------------------------------------------
 *
 * zdm.c
 *	  Module entry.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "guc.h"
#include "hook.h"
#include "miscadmin.h"
#include "run/made.h"
#include "run/transaction.h"
#include "window/window.h"

COMPAT_MODULE_MAGIC("zdm", ZDM_VERSION);

void		_PG_init(void);

static bool is_preloaded = false;

static bool
has_workers(void)
{
	return is_preloaded;
}

/* Steps are carried out by zdm_run(). */
static void
wake_nobody(void)
{
}

static const ZdmWindowOps window_ops = {has_workers, wake_nobody};

void
_PG_init(void)
{
	is_preloaded = process_shared_preload_libraries_in_progress;
	zdm_guc_init();
	transaction_init();
	born_init();
	protect_init();
	window_init(&window_ops);
	made_init();
	hook_init();
}
