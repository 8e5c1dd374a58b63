/*-------------------------------------------------------------------------
 *
 * probe.c
 *	  Queries for rows that stand in the way, with somebody's own rights.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "window/probe.h"

static void
set_setting(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
}

/* Set "name=value" of each. */
static void
apply_settings(List *settings)
{
	ListCell   *lc;

	foreach(lc, settings)
	{
		char	   *name = pstrdup(lfirst(lc));
		char	   *value = strchr(name, '=');

		if (value == NULL)
			elog(ERROR, "setting \"%s\" of a step has no value", name);
		*value++ = '\0';
		set_setting(name, value);
	}
}

static char *
run_query(const char *sql, Oid role, List *settings, MemoryContext context)
{
	int			guc_level = NewGUCNestLevel();
	char	   *result = NULL;
	MemoryContext oldcontext;
	Oid			userid;
	int			sec_context;
	int			code;

	GetUserIdAndSecContext(&userid, &sec_context);
	apply_settings(settings);
	set_setting("row_security", "off");
	SetUserIdAndSecContext(role, sec_context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	code = SPI_execute(sql, false, 1);
	if (code != SPI_OK_SELECT)
		elog(ERROR, "query for rows is no SELECT: %s", sql);
	if (SPI_processed > 0)
	{
		oldcontext = MemoryContextSwitchTo(context);
		result = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
		MemoryContextSwitchTo(oldcontext);
	}
	SetUserIdAndSecContext(userid, sec_context);
	AtEOXact_GUC(false, guc_level);
	return result;
}

char *
probe_query(const char *sql, Oid role, List *settings, MemoryContext context, char **error)
{
	MemoryContext oldcontext = CurrentMemoryContext;
	ResourceOwner oldowner = CurrentResourceOwner;
	char	   *volatile result = NULL;

	*error = NULL;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(oldcontext);
	PG_TRY();
	{
		result = run_query(sql, role, settings, context);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(context);
		edata = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		if (edata->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(edata);
		*error = edata->message;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(oldcontext);
	CurrentResourceOwner = oldowner;
	return result;
}
