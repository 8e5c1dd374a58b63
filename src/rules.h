/*-------------------------------------------------------------------------
 *
 * rules.h
 *	  The rules: the named kinds of hazards that zdm knows.
 *
 * rules_list.h is the one table of rules.  The code, zdm_rules() and
 * docs/rules.md all read it.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_RULES_H
#define ZDM_RULES_H

#include "zdm.h"

typedef enum ZdmRuleId
{
#define ZDM_RULE(id, name, class, severity, description) ZDM_RULE_##id,
#include "rules_list.h"
#undef ZDM_RULE
	ZDM_RULE_COUNT
} ZdmRuleId;

typedef struct ZdmRule
{
	const char *name;
	ZdmClass	class;
	ZdmSeverity severity;		/* when zdm.rules says nothing of it */
	const char *description;	/* one line, for zdm_rules() and the docs */
} ZdmRule;

extern const ZdmRule zdm_rules[ZDM_RULE_COUNT];

extern bool zdm_rule_lookup(const char *name, ZdmRuleId *id);
extern char *zdm_rule_names(void);
extern const char *zdm_class_name(ZdmClass class);
extern const char *zdm_severity_name(ZdmSeverity severity);
extern bool zdm_severity_lookup(const char *name, ZdmSeverity *severity);

#endif							/* ZDM_RULES_H */
