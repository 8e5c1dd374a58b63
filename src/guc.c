/*-------------------------------------------------------------------------
 *
 * guc.c
 *	  The settings, in alphabetical order.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "guc.h"
#include "miscadmin.h"
#include "utils/guc.h"

int			zdm_guc_backfill_batch = 50;
int			zdm_guc_backfill_max_lag = 16 * 1024;
int			zdm_guc_lock_timeout = 200;
int			zdm_guc_lock_wait_max = 60000;
int			zdm_guc_max_dml_rows = 100000;
int			zdm_guc_max_workers = 2;
int			zdm_guc_mode = ZDM_MODE_ENFORCE;
bool		zdm_guc_require_window = false;
int			zdm_guc_small_table = 1024;
char	   *zdm_guc_window = NULL;

static char *zdm_guc_allow = NULL;
static char *zdm_guc_rules = NULL;

static const struct config_enum_entry mode_options[] = {
	{"off", ZDM_MODE_OFF, false},
	{"warn", ZDM_MODE_WARN, false},
	{"enforce", ZDM_MODE_ENFORCE, false},
	{NULL, 0, false}
};

/*
 * What the assign hooks install: one byte a rule, RULE_UNSET where the
 * setting is silent.  NULL while a setting is empty.
 */
#define RULE_UNSET	(-1)

static const int8 *severity_of_rule = NULL;
static const int8 *allowed_rule = NULL;

ZdmSeverity
zdm_guc_severity(ZdmRuleId rule)
{
	if (severity_of_rule != NULL && severity_of_rule[rule] != RULE_UNSET)
		return (ZdmSeverity) severity_of_rule[rule];
	return zdm_rules[rule].severity;
}

bool
zdm_guc_is_allowed(ZdmRuleId rule)
{
	return allowed_rule != NULL && allowed_rule[rule] != RULE_UNSET;
}

/* Cut the next item off a comma-separated list; NULL at its end. */
static char *
next_item(char **list)
{
	char	   *item = *list;
	char	   *end;

	if (item == NULL)
		return NULL;
	end = strchr(item, ',');
	if (end != NULL)
		*end++ = '\0';
	*list = end;

	while (isspace((unsigned char) *item))
		item++;
	for (end = item + strlen(item); end > item && isspace((unsigned char) end[-1]);)
		*--end = '\0';
	return item;
}

static bool
parse_rule(const char *name, ZdmRuleId *rule)
{
	if (zdm_rule_lookup(name, rule))
		return true;
	GUC_check_errdetail("There is no rule \"%s\".", name);
	GUC_check_errhint("The rules are: %s.", zdm_rule_names());
	return false;
}

/* One item of zdm.rules: "rule=severity". */
static bool
parse_severity(char *item, int8 *values)
{
	char	   *equals = strchr(item, '=');
	char	   *word;
	ZdmRuleId	rule;
	ZdmSeverity severity;

	if (equals == NULL)
	{
		GUC_check_errdetail("\"%s\" is not of the form rule=severity.", item);
		return false;
	}
	word = equals + 1;
	while (equals > item && isspace((unsigned char) equals[-1]))
		equals--;
	*equals = '\0';
	while (isspace((unsigned char) *word))
		word++;

	if (!parse_rule(item, &rule))
		return false;
	if (!zdm_severity_lookup(word, &severity))
	{
		GUC_check_errdetail("There is no severity \"%s\".", word);
		GUC_check_errhint("The severities are: off, note, warn, error.");
		return false;
	}
	values[rule] = severity;
	return true;
}

static bool
parse_allowed(char *item, int8 *values)
{
	ZdmRuleId	rule;

	if (!parse_rule(item, &rule))
		return false;
	values[rule] = true;
	return true;
}

/* Parse a list into one byte a rule, in memory that guc.c can free. */
static bool
check_list(const char *value, void **extra, bool (*parse_item) (char *, int8 *))
{
	char	   *copy;
	char	   *list;
	char	   *item;
	int8	   *values;

	*extra = NULL;
	if (value == NULL || value[strspn(value, " \t\r\n")] == '\0')
		return true;

	values = compat_guc_malloc(ZDM_RULE_COUNT);
	if (values == NULL)
		return false;
	memset(values, RULE_UNSET, ZDM_RULE_COUNT);

	list = copy = pstrdup(value);
	while ((item = next_item(&list)) != NULL)
	{
		if (!parse_item(item, values))
		{
			compat_guc_free(values);
			pfree(copy);
			return false;
		}
	}
	pfree(copy);
	*extra = values;
	return true;
}

static bool
check_rules(char **newval, void **extra, GucSource source)
{
	return check_list(*newval, extra, parse_severity);
}

static void
assign_rules(const char *newval, void *extra)
{
	severity_of_rule = extra;
}

static bool
check_allow(char **newval, void **extra, GucSource source)
{
	return check_list(*newval, extra, parse_allowed);
}

static void
assign_allow(const char *newval, void *extra)
{
	allowed_rule = extra;
}

/* Define the settings.  Called once, from _PG_init(). */
void
zdm_guc_init(void)
{
	DefineCustomStringVariable("zdm.allow",
							   "Rules that are waived in this session.",
							   "A comma-separated list of rule names. Meant for SET LOCAL; each use is recorded in zdm_history.",
							   &zdm_guc_allow, "", PGC_SUSET, GUC_LIST_INPUT,
							   check_allow, assign_allow, NULL);

	DefineCustomIntVariable("zdm.backfill_batch",
							"Time that one batch of a backfill takes, about.",
							"A batch is a transaction: nobody waits longer than this for a row that it has filled.",
							&zdm_guc_backfill_batch, 50, 1, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);

	DefineCustomIntVariable("zdm.backfill_max_lag",
							"A backfill pauses while a standby or subscriber is further behind than this.",
							"Zero turns the pauses off.",
							&zdm_guc_backfill_max_lag, 16 * 1024, 0, INT_MAX,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);

	DefineCustomIntVariable("zdm.lock_timeout",
							"Longest time that one attempt of DDL may take to get its locks.",
							NULL, &zdm_guc_lock_timeout, 200, 1, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);

	DefineCustomIntVariable("zdm.lock_wait_max",
							"Time for which DDL goes on with attempts to get its locks.",
							"Zero means a single attempt.",
							&zdm_guc_lock_wait_max, 60000, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);

	DefineCustomIntVariable("zdm.max_dml_rows",
							"Rows that an UPDATE or DELETE may touch in a transaction that has run DDL.",
							"More rows, or a larger table read without an index, are a data hazard. Zero turns the check off.",
							&zdm_guc_max_dml_rows, 100000, 0, INT_MAX,
							PGC_SUSET, 0, NULL, NULL, NULL);

	/*
	 * a library that is loaded in a session cannot define a PGC_POSTMASTER
	 * one
	 */
	DefineCustomIntVariable("zdm.max_workers",
							"Background processes that carry out deferred steps at the same time.",
							"They count against max_worker_processes. Of effect only if zdm is in shared_preload_libraries.",
							&zdm_guc_max_workers, 2, 1, 1024,
							process_shared_preload_libraries_in_progress ? PGC_POSTMASTER : PGC_SIGHUP,
							0, NULL, NULL, NULL);

	DefineCustomEnumVariable("zdm.mode",
							 "What zdm does about unsafe DDL.",
							 "\"enforce\" refuses it, \"warn\" lets it run with a WARNING, \"off\" does not look at it.",
							 &zdm_guc_mode, ZDM_MODE_ENFORCE, mode_options,
							 PGC_SUSET, 0, NULL, NULL, NULL);

	DefineCustomBoolVariable("zdm.require_window",
							 "Refuse DDL that breaks old clients while no window is open.",
							 NULL, &zdm_guc_require_window, false,
							 PGC_SUSET, 0, NULL, NULL, NULL);

	DefineCustomStringVariable("zdm.rules",
							   "Severity by rule, such as \"drop_column=warn, rename_table=off\".",
							   "The severities are off, note, warn and error.",
							   &zdm_guc_rules, "", PGC_SUSET, GUC_LIST_INPUT,
							   check_rules, assign_rules, NULL);

	DefineCustomIntVariable("zdm.small_table",
							"Size below which a scan or rewrite under a lock is harmless.",
							"Zero treats every table that is not empty as large.",
							&zdm_guc_small_table, 1024, 0, INT_MAX,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);

	/* "window" is a reserved word, so SET needs it quoted: zdm."window" */
	DefineCustomStringVariable("zdm.window",
							   "Name of the window that this session's DDL belongs to.",
							   "Empty means the only open window, if there is one.",
							   &zdm_guc_window, "", PGC_USERSET, 0,
							   NULL, NULL, NULL);

	MarkGUCPrefixReserved("zdm");
}
