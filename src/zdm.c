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
#include "plan/defer.h"
#include "plan/undo.h"
#include "run/launcher.h"
#include "run/made.h"
#include "run/transaction.h"
#include "window/ledger.h"
#include "window/verify.h"
#include "window/window.h"

COMPAT_MODULE_MAGIC("zdm", ZDM_VERSION);

void		_PG_init(void);

static const ZdmWindowOps window_ops = {launcher_is_loaded, launcher_wake_at_commit, zdm_undo_refusal};

void
_PG_init(void)
{
	zdm_guc_init();
	transaction_init();
	ledger_init();
	born_init();
	protect_init();
	verify_init(zdm_verify_now);
	window_init(&window_ops);
	made_init();
	hook_init();
	launcher_init(queue_run_next);
}
