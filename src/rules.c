/*-------------------------------------------------------------------------
 *
 * rules.c
 *	  Look-up in the table of rules.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "rules.h"

const ZdmRule zdm_rules[ZDM_RULE_COUNT] = {
#define ZDM_RULE(id, name, class, severity, description) \
	{name, ZDM_CLASS_##class, ZDM_SEVERITY_##severity, description},
#include "rules_list.h"
#undef ZDM_RULE
};

static const char *const severity_names[] = {"off", "note", "warn", "error"};

/* Find a rule by name, upper or lower case. */
bool
zdm_rule_lookup(const char *name, ZdmRuleId *id)
{
	for (int i = 0; i < ZDM_RULE_COUNT; i++)
	{
		if (pg_strcasecmp(zdm_rules[i].name, name) == 0)
		{
			*id = (ZdmRuleId) i;
			return true;
		}
	}
	return false;
}

/* All rule names, comma separated, palloc'd: for the error of a wrong one. */
char *
zdm_rule_names(void)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < ZDM_RULE_COUNT; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "", zdm_rules[i].name);
	return buf.data;
}

const char *
zdm_class_name(ZdmClass class)
{
	switch (class)
	{
		case ZDM_CLASS_LOCK:
			return "lock";
		case ZDM_CLASS_COMPAT:
			return "compat";
		case ZDM_CLASS_DATA:
			return "data";
	}
	return NULL;				/* keep compiler quiet */
}

const char *
zdm_severity_name(ZdmSeverity severity)
{
	return severity_names[severity];
}

bool
zdm_severity_lookup(const char *name, ZdmSeverity *severity)
{
	for (int i = 0; i < lengthof(severity_names); i++)
	{
		if (pg_strcasecmp(severity_names[i], name) == 0)
		{
			*severity = (ZdmSeverity) i;
			return true;
		}
	}
	return false;
}
