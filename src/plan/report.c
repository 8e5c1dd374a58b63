/*-------------------------------------------------------------------------
 *
 * report.c
 *	  What the client is told: the messages of refusals and warnings.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "plan/advice.h"
#include "plan/verdict.h"
#include "storage/lock.h"
#include "utils/builtins.h"

/* The mode as pg_locks spells it; NULL for NoLock. */
const char *
zdm_lock_name(LOCKMODE mode)
{
	if (mode == NoLock)
		return NULL;
	return GetLockmodeName(DEFAULT_LOCKMETHOD, mode);
}

static const char *
what_is_blocked(LOCKMODE mode)
{
	if (mode >= AccessExclusiveLock)
		return "reads and writes";
	if (mode >= ShareLock)
		return "writes";
	return NULL;
}

/* A size for people, as pg_size_pretty() has it. */
static char *
pretty_size(int64 size)
{
	return text_to_cstring(DatumGetTextPP(DirectFunctionCall1(pg_size_pretty,
															  Int64GetDatum(size))));
}

/* The table with its size, the lock on it, and what the lock blocks. */
static void
append_lock_facts(StringInfo buf, const ZdmDdl *ddl, ZdmRel *rel)
{
	LOCKMODE	mode = ddl_lock_on(ddl, rel);
	ZdmDdl		scratch = *ddl;

	if (mode == NoLock)
		mode = ddl_strongest_lock(ddl);
	if (mode != NoLock)
		appendStringInfo(buf, "%s on ", zdm_lock_name(mode));
	appendStringInfo(buf, "%s (%s)", ddl_rel_describe(rel),
					 pretty_size(ddl_rel_size(&scratch, rel)));
	if (what_is_blocked(mode) != NULL)
		appendStringInfo(buf, " blocks %s", what_is_blocked(mode));
}

/* "Rule x: ...": the rule and the facts it rests on, palloc'd. */
static char *
report_detail(const ZdmPolicy *policy, const ZdmDdl *ddl,
			  const ZdmJudgement *judgement, List *judgements)
{
	const ZdmHazard *hazard = judgement->hazard;
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "Rule %s: %s", zdm_rules[hazard->rule].name,
					 zdm_rules[hazard->rule].description);
	if (hazard->rel != NULL && OidIsValid(hazard->rel->relid))
	{
		appendStringInfoString(&buf, "; ");
		append_lock_facts(&buf, ddl, hazard->rel);
	}
	if (zdm_rules[hazard->rule].class != ZDM_CLASS_LOCK && policy->window_name != NULL)
		appendStringInfo(&buf, "; window \"%s\" is open", policy->window_name);
	appendStringInfoChar(&buf, '.');
	return buf.data;
}

/* Is any hazard of the statement, of the lock class or of another, refused? */
static bool
refuses_class(List *judgements, bool lock)
{
	ListCell   *lc;

	foreach(lc, judgements)
	{
		const ZdmJudgement *judgement = lfirst(lc);

		if (judgement->verdict == ZDM_VERDICT_REFUSE &&
			(zdm_rules[judgement->hazard->rule].class == ZDM_CLASS_LOCK) == lock)
			return true;
	}
	return false;
}

/*
 * Where the safe form has to run: not in the transaction that the statement
 * came in if it waits for others, and not before the end of a window that
 * refuses the statement too.
 */
static char *
lock_hint(const ZdmDdl *ddl, char *advice, bool after_window)
{
	bool		outside = ddl->in_block &&
		(strstr(advice, "CONCURRENTLY") != NULL || strstr(advice, "VALIDATE CONSTRAINT") != NULL);

	if (after_window && outside)
		return psprintf("After the window, outside a transaction block: %s", advice);
	if (after_window)
		return psprintf("After the window: %s", advice);
	if (outside)
		return psprintf("Outside a transaction block: %s", advice);
	return advice;
}

/*
 * The safe form as SQL, palloc'd.  judgements are all those of the statement:
 * what is safe for its lock may still have to wait for the end of the window.
 */
char *
zdm_report_hint(const ZdmPolicy *policy, const ZdmDdl *ddl,
				const ZdmJudgement *judgement, List *judgements)
{
	const ZdmHazard *hazard = judgement->hazard;
	char	   *advice = zdm_advice(ddl, hazard);

	if (judgement->verdict != ZDM_VERDICT_REFUSE)
		return advice;
	if (zdm_rules[hazard->rule].class == ZDM_CLASS_LOCK)
		return lock_hint(ddl, advice, refuses_class(judgements, false));
	if (policy->open_windows != NULL)
		return psprintf("Choose a window with SET zdm.\"window\" (open: %s). %s",
						policy->open_windows, advice);
	if (zdm_waits_for_end(policy, judgements))
		return psprintf("CALL zdm_wait(%s); waits until the window is over.",
						quote_literal_cstr(policy->window_name));
	if (policy->window_name != NULL)
		return psprintf("%s When the old version is gone: SELECT zdm_end_window(%s); then %s.",
						advice, quote_literal_cstr(policy->window_name),
						refuses_class(judgements, true) ?
						"its safe form runs" : "zdm lets it run");
	return psprintf("%s zdm.require_window is on and no window is open. If no old client is left: SET LOCAL zdm.allow = '%s'; in a transaction with the statement.",
					advice, zdm_rules[hazard->rule].name);
}

/* Join what is said of each hazard with the given verdict, without repeats. */
static char *
join_reports(const ZdmPolicy *policy, const ZdmDdl *ddl, List *judgements,
			 ZdmVerdict verdict,
			 char *(*report) (const ZdmPolicy *, const ZdmDdl *,
							  const ZdmJudgement *, List *))
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, judgements)
	{
		const ZdmJudgement *judgement = lfirst(lc);
		char	   *report_text;

		if (judgement->verdict != verdict)
			continue;
		report_text = report(policy, ddl, judgement, judgements);
		if (strstr(buf.data, report_text) != NULL)
			continue;
		if (buf.len > 0)
			appendStringInfoChar(&buf, '\n');
		appendStringInfoString(&buf, report_text);
	}
	return buf.data;
}

static const ZdmJudgement *
first_with(List *judgements, ZdmVerdict verdict)
{
	ListCell   *lc;

	foreach(lc, judgements)
	{
		if (((ZdmJudgement *) lfirst(lc))->verdict == verdict)
			return lfirst(lc);
	}
	return NULL;
}

/* Raise the refusal; at least one judgement says ZDM_VERDICT_REFUSE. */
void
zdm_report_refusal(const ZdmPolicy *policy, const ZdmDdl *ddl, List *judgements)
{
	const ZdmJudgement *first = first_with(judgements, ZDM_VERDICT_REFUSE);

	ereport(ERROR,
			(errcode(ERRCODE_ZDM_UNSAFE_DDL),
			 errmsg("%s refused: %s", ddl->command, first->hazard->message),
			 errdetail("%s", join_reports(policy, ddl, judgements,
										  ZDM_VERDICT_REFUSE, report_detail)),
			 errhint("%s", join_reports(policy, ddl, judgements,
										ZDM_VERDICT_REFUSE, zdm_report_hint))));
}

/* Say what a statement that runs will do, one WARNING a hazard. */
void
zdm_report_warnings(const ZdmPolicy *policy, const ZdmDdl *ddl, List *judgements)
{
	ListCell   *lc;

	foreach(lc, judgements)
	{
		const ZdmJudgement *judgement = lfirst(lc);

		if (judgement->verdict != ZDM_VERDICT_WARN)
			continue;
		ereport(WARNING,
				(errcode(ERRCODE_ZDM_UNSAFE_DDL),
				 errmsg("unsafe %s: %s", ddl->command, judgement->hazard->message),
				 errdetail("%s", report_detail(policy, ddl, judgement, judgements)),
				 errhint("%s", zdm_report_hint(policy, ddl, judgement, judgements))));
	}
}
