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
#include "run/made.h"
#include "run/transaction.h"
#include "window/window.h"

COMPAT_MODULE_MAGIC("zdm", ZDM_VERSION);

void		_PG_init(void);

void
_PG_init(void)
{
	zdm_guc_init();
	transaction_init();
	born_init();
	protect_init();
	made_init();
	hook_init();
}
