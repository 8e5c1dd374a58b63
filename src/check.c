/*-------------------------------------------------------------------------
 *
 * check.c
 *	  zdm_check(), zdm_explain() and zdm_rules(): what statements would do.
 *
 * Nothing of a script is executed.  Each statement is looked at in a
 * subtransaction of its own, so that an error in one (a function that does
 * not exist, in a default) becomes a row and the next one is looked at.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "check_queue.h"
#include "ddl/ddl.h"
#include "ddl/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "guc.h"
#include "hook.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "plan/advice.h"
#include "plan/defer.h"
#include "plan/verdict.h"
#include "redirect.h"
#include "run/transaction.h"
#include "split.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/tuplestore.h"
#include "window/queue.h"

PG_FUNCTION_INFO_V1(zdm_check);
PG_FUNCTION_INFO_V1(zdm_explain);
PG_FUNCTION_INFO_V1(zdm_sql_rules);

/* columns of zdm_check() */
enum
{
	CHECK_STATEMENT,
	CHECK_LINE,
	CHECK_COMMAND,
	CHECK_OBJECT,
	CHECK_RULE,
	CHECK_CLASS,
	CHECK_LOCK_MODE,
	CHECK_REWRITES,
	CHECK_SCANS,
	CHECK_VERDICT,
	CHECK_MESSAGE,
	CHECK_HINT,
	CHECK_COLUMNS
};

/* One run of zdm_check(). */
typedef struct Check
{
	ReturnSetInfo *rsinfo;
	ZdmPolicy	policy;
	struct ZdmScript *script;
	ZdmXact    *xact;			/* of the script's open transaction */
	bool		in_block;
	MemoryContext xact_context;
	MemoryContext statement_context;	/* reset for each statement */
	MemoryContext script_context;
	List	   *cancelled;		/* int64 *: steps that statements before take
								 * out of the queue */
	bool		at_queue;		/* an error is one of a step */
	int			number;
	int			line;
} Check;

/* Attach the error that an attempt to look at a statement ended with. */
typedef struct Failure
{
	int			sqlerrcode;
	const char *message;		/* NULL: none */
	const char *detail;			/* or NULL */
	const char *hint;			/* or NULL */
} Failure;

static Datum
text_or_null(const char *string, bool *isnull)
{
	*isnull = string == NULL;
	return string ? CStringGetTextDatum(string) : (Datum) 0;
}

/* Add a row; judgement NULL is one that is not about a hazard. */
static void
put_row(Check *check, const ZdmDdl *ddl, const ZdmJudgement *judgement,
		List *judgements, const char *rule, const char *verdict, const char *message,
		const char *hint)
{
	Datum		values[CHECK_COLUMNS];
	bool		nulls[CHECK_COLUMNS] = {0};
	const ZdmHazard *hazard = judgement ? judgement->hazard : NULL;

	values[CHECK_STATEMENT] = Int32GetDatum(check->number);
	values[CHECK_LINE] = Int32GetDatum(check->line);
	values[CHECK_COMMAND] = text_or_null(ddl->command, &nulls[CHECK_COMMAND]);
	values[CHECK_OBJECT] = text_or_null(hazard && hazard->object ? hazard->object : ddl->object,
										&nulls[CHECK_OBJECT]);
	values[CHECK_RULE] = text_or_null(hazard ? zdm_rules[hazard->rule].name : rule,
									  &nulls[CHECK_RULE]);
	values[CHECK_CLASS] = text_or_null(hazard ? zdm_class_name(zdm_rules[hazard->rule].class) : NULL,
									   &nulls[CHECK_CLASS]);
	values[CHECK_LOCK_MODE] = text_or_null(zdm_lock_name(ddl_strongest_lock(ddl)),
										   &nulls[CHECK_LOCK_MODE]);
	values[CHECK_REWRITES] = BoolGetDatum(ddl->rewrites);
	values[CHECK_SCANS] = BoolGetDatum(ddl->scans);
	values[CHECK_VERDICT] = CStringGetTextDatum(judgement ?
												zdm_verdict_name(judgement->verdict) : verdict);
	values[CHECK_MESSAGE] = text_or_null(hazard ? hazard->message : message,
										 &nulls[CHECK_MESSAGE]);
	values[CHECK_HINT] = text_or_null(hazard ? zdm_report_hint(&check->policy, ddl, judgement, judgements) : hint,
									  &nulls[CHECK_HINT]);
	tuplestore_putvalues(check->rsinfo->setResult, check->rsinfo->setDesc, values, nulls);
}

/* Rule of a statement that cannot run, by the server's error. */
static const char *
rule_of_error(int sqlerrcode)
{
	switch (sqlerrcode)
	{
		case ERRCODE_SYNTAX_ERROR:
			return "syntax_error";
		case ERRCODE_ZDM_QUEUED_WORK:
			return "queued_work";
		case ERRCODE_UNDEFINED_TABLE:
		case ERRCODE_UNDEFINED_COLUMN:
		case ERRCODE_UNDEFINED_FUNCTION:
		case ERRCODE_UNDEFINED_OBJECT:
		case ERRCODE_UNDEFINED_SCHEMA:
		case ERRCODE_UNDEFINED_PARAMETER:
			return "undefined_object";
		default:
			return "invalid_statement";
	}
}

/* Keep the current error, unless it is one that must end everything. */
static void
keep_failure(Failure *failure, MemoryContext context)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		error->sqlerrcode == ERRCODE_OUT_OF_MEMORY ||
		ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
		PG_RE_THROW();
	FlushErrorState();
	failure->sqlerrcode = error->sqlerrcode;
	failure->message = error->message;
	failure->detail = error->detail;
	failure->hint = error->hint;
}

/* Parse one statement; NULL with the failure set if that is not possible. */
static RawStmt *
parse_statement(const char *sql, Failure *failure)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *volatile parsed = NIL;

	PG_TRY();
	{
		parsed = raw_parser(sql, RAW_PARSE_DEFAULT);
	}
	PG_CATCH();
	{
		keep_failure(failure, context);
	}
	PG_END_TRY();

	return parsed != NIL ? linitial_node(RawStmt, parsed) : NULL;
}

/* BEGIN, COMMIT and the like, for the statements that follow. */
static void
follow_transaction(Check *check, const TransactionStmt *stmt)
{
	switch (stmt->kind)
	{
		case TRANS_STMT_BEGIN:
		case TRANS_STMT_START:
			check->in_block = true;
			break;
		case TRANS_STMT_COMMIT:
		case TRANS_STMT_ROLLBACK:
		case TRANS_STMT_PREPARE:
			check->in_block = stmt->chain;
			MemoryContextReset(check->xact_context);
			check->xact = MemoryContextAllocZero(check->xact_context, sizeof(ZdmXact));
			break;
		default:
			break;
	}
}

/* Add the rows that say what the statement does to the queue. */
static void
put_effects(Check *check, const ZdmDdl *ddl, const ZdmConflict *conflict,
			const struct ZdmDeferral *deferral)
{
	List	   *effects;
	MemoryContext oldcontext;
	ListCell   *lc;

	if (conflict == NULL)
		return;
	effects = claims_effects(conflict, deferral);
	if (effects == NIL && claims_are_all(conflict))
		put_row(check, ddl, NULL, NIL, NULL, "run", NULL, NULL);
	foreach(lc, effects)
	{
		const ZdmQueueEffect *effect = lfirst(lc);

		put_row(check, ddl, NULL, NIL, "queued_work", zdm_verdict_name(effect->verdict),
				effect->message, NULL);
	}
	oldcontext = MemoryContextSwitchTo(check->script_context);
	foreach(lc, conflict->cancels)
	{
		int64	   *id = palloc(sizeof(int64));

		*id = ((const ZdmPending *) lfirst(lc))->id;
		check->cancelled = lappend(check->cancelled, id);
	}
	MemoryContextSwitchTo(oldcontext);
}

/* Add the rows of a statement; is it refused? */
static bool
put_analysis(Check *check, ZdmDdl *ddl, const ZdmConflict *conflict)
{
	ZdmPlan    *plan;
	ZdmDeferral *deferral;
	List	   *judgements = zdm_judge(&check->policy, ddl, &plan, &deferral);
	bool		refused = zdm_strictest(judgements) == ZDM_VERDICT_REFUSE;
	ListCell   *lc;

	if (conflict != NULL && !refused)
		claims_check_order(conflict, deferral);
	if (!refused)
		put_effects(check, ddl, conflict, deferral);
	foreach(lc, judgements)
		put_row(check, ddl, lfirst(lc), judgements, NULL, NULL, NULL, NULL);

	if (ddl->undefined != NULL)
		put_row(check, ddl, NULL, NIL, "undefined_object", "refuse", ddl->undefined, NULL);
	else if (judgements == NIL)
		put_row(check, ddl, NULL, NIL, NULL, "run", NULL, NULL);
	return refused;
}

/* Where it names a table by the name to come, it is about the table. */
static void
redirect(ZdmDdl *ddl)
{
	char	   *sql = redirect_may_concern(ddl->stmt) ? redirect_sql(ddl->sql) : NULL;

	if (sql == NULL)
		return;
	ddl->sql = sql;
	ddl->stmt = linitial_node(RawStmt, raw_parser(sql, RAW_PARSE_DEFAULT))->stmt;
}

/* Look at one statement, add its rows, and note it for those after it. */
static void
look(Check *check, ZdmDdl *ddl)
{
	ZdmConflict *conflict = NULL;
	bool		refused;

	if (ddl_is_guarded(nodeTag(ddl->stmt)))
	{
		redirect(ddl);
		check->at_queue = true;
		conflict = check_queue(ddl, check->cancelled);
		check->at_queue = false;
		if (conflict != NULL && claims_are_all(conflict))
		{
			put_effects(check, ddl, conflict, NULL);
			return;
		}
		ddl_analyze(ddl);
	}
	refused = put_analysis(check, ddl, conflict);
	ddl_script_apply(ddl, refused);
	if (check->in_block && !IsA(ddl->stmt, TransactionStmt))
		ddl_xact_note(ddl, check->xact_context);
}

/* The same in a subtransaction; false, with the failure set, if that failed. */
static bool
look_safely(Check *check, ZdmDdl *ddl, Failure *failure)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		look(check, ddl);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		keep_failure(failure, context);
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return failure->message == NULL;
}

static void
init_ddl(ZdmDdl *ddl, Node *stmt, const char *sql, ZdmXact *xact)
{
	memset(ddl, 0, sizeof(ZdmDdl));
	ddl->stmt = stmt;
	ddl->sql = sql;
	ddl->xact = xact;
	ddl->small_table = (int64) zdm_guc_small_table * 1024;
	ddl->sees_sessions = true;
	ddl->going = queue_going();
	ddl->reserved = check_queue_reserved();
	if (stmt != NULL)
		ddl->command = GetCommandTagName(CreateCommandTag(stmt));
}

/* The row of a statement that cannot run, with the step that is the reason */
static void
put_failure(Check *check, const ZdmDdl *ddl, const Failure *failure)
{
	bool		at_queue = check->at_queue || failure->sqlerrcode == ERRCODE_ZDM_QUEUED_WORK;

	put_row(check, ddl, NULL, NIL, rule_of_error(failure->sqlerrcode), "refuse",
			at_queue && failure->detail ?
			psprintf("%s: %s", failure->message, failure->detail) : failure->message,
			at_queue ? failure->hint : NULL);
}

static void
check_statement(Check *check, const ZdmPiece *piece)
{
	const char *sql = pnstrdup(piece->start, piece->length);
	Failure		failure = {0};
	RawStmt    *raw;
	ZdmDdl		ddl;

	check->number++;
	check->line = piece->line;
	raw = piece->error == NULL ? parse_statement(sql, &failure) : NULL;
	init_ddl(&ddl, raw ? raw->stmt : NULL, sql, check->xact);
	if (raw == NULL)
	{
		put_row(check, &ddl, NULL, NIL, "syntax_error", "refuse",
				piece->error ? piece->error : failure.message, NULL);
		return;
	}

	if (IsA(raw->stmt, TransactionStmt))
		follow_transaction(check, (TransactionStmt *) raw->stmt);
	ddl.script = check->script;
	ddl.xact = check->xact;
	ddl.in_block = check->in_block;
	check->at_queue = false;
	if (!ddl_is_guarded(nodeTag(raw->stmt)))
		look(check, &ddl);
	else if (!look_safely(check, &ddl, &failure))
		put_failure(check, &ddl, &failure);
}

/* zdm_check(script) -> one row a hazard */
Datum
zdm_check(PG_FUNCTION_ARGS)
{
	char	   *script = text_to_cstring(PG_GETARG_TEXT_PP(0));
	MemoryContext script_context;
	MemoryContext oldcontext;
	ZdmSplitter splitter;
	ZdmPiece	piece;
	Check		check = {0};

	InitMaterializedSRF(fcinfo, 0);
	check.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	script_context = AllocSetContextCreate(CurrentMemoryContext, "zdm script",
										   ALLOCSET_DEFAULT_SIZES);
	check.script_context = script_context;
	check.xact_context = AllocSetContextCreate(script_context, "zdm script transaction",
											   ALLOCSET_SMALL_SIZES);
	check.statement_context = AllocSetContextCreate(script_context, "zdm statement",
													ALLOCSET_DEFAULT_SIZES);
	check.script = ddl_script_create(script_context);
	check.in_block = IsTransactionBlock();
	oldcontext = MemoryContextSwitchTo(check.xact_context);
	check.xact = ddl_xact_copy(transaction_state());
	MemoryContextSwitchTo(oldcontext);
	guard_policy(&check.policy);

	oldcontext = MemoryContextSwitchTo(script_context);
	split_begin(&splitter, script);
	MemoryContextSwitchTo(check.statement_context);
	while (split_next(&splitter, &piece))
	{
		CHECK_FOR_INTERRUPTS();
		check_statement(&check, &piece);
		MemoryContextReset(check.statement_context);
	}
	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(script_context);
	return (Datum) 0;
}

/* columns of zdm_explain() */
enum
{
	EXPLAIN_STEP,
	EXPLAIN_PHASE,
	EXPLAIN_SQL,
	EXPLAIN_LOCK_MODE,
	EXPLAIN_NOTE,
	EXPLAIN_COLUMNS
};

static void
put_step(ReturnSetInfo *rsinfo, int number, const char *phase, const char *sql,
		 LOCKMODE lock_mode, const char *note)
{
	Datum		values[EXPLAIN_COLUMNS];
	bool		nulls[EXPLAIN_COLUMNS] = {0};

	values[EXPLAIN_STEP] = Int32GetDatum(number);
	values[EXPLAIN_PHASE] = text_or_null(phase, &nulls[EXPLAIN_PHASE]);
	values[EXPLAIN_SQL] = CStringGetTextDatum(sql);
	values[EXPLAIN_LOCK_MODE] = text_or_null(zdm_lock_name(lock_mode), &nulls[EXPLAIN_LOCK_MODE]);
	values[EXPLAIN_NOTE] = text_or_null(note, &nulls[EXPLAIN_NOTE]);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* When a part of that phase runs */
static char *
when_of(const ZdmDeferral *deferral, ZdmPhase phase)
{
	switch (phase)
	{
		case ZDM_PHASE_EXPAND:
			return "at once";
		case ZDM_PHASE_MIGRATE:
			return "after commit, by a worker or zdm_run()";
		case ZDM_PHASE_CONTRACT:
			return psprintf("when window \"%s\" ends", deferral->policy->window_name);
	}
	return NULL;				/* keep compiler quiet */
}

/*
 * The parts of a statement that would be taken apart, each in the steps in
 * which it would be carried out now.
 */
static void
put_parts(ReturnSetInfo *rsinfo, const ZdmDeferral *deferral, int number)
{
	ListCell   *lc;

	foreach(lc, deferral->parts)
	{
		const ZdmPart *part = lfirst(lc);
		const char *phase = zdm_phase_name(part->phase);
		char	   *when = when_of(deferral, part->phase);
		bool		feasible;
		ZdmPlan    *plan = zdm_defer_plan(deferral, part, &feasible);
		ListCell   *lc2;

		if (part->note != NULL)
			when = psprintf("%s; %s", when, part->note);
		if (plan == NULL)
			put_step(rsinfo, number++, phase, part->sql, part->lock_mode,
					 part->undo_sql ? psprintf("%s; undo: %s", when, part->undo_sql) : when);
		foreach(lc2, plan ? plan->steps : NIL)
		{
			const ZdmStep *step = lfirst(lc2);

			put_step(rsinfo, number++, phase, step->sql, step->lock_mode,
					 psprintf("%s; %s", when, zdm_step_note(step)));
		}
	}
}

/* What the statement does to the queue; returns the number of the next step. */
static int
put_queue_steps(ReturnSetInfo *rsinfo, const ZdmConflict *conflict, const ZdmDeferral *deferral)
{
	int			number = 1;
	ListCell   *lc;

	foreach(lc, claims_effects(conflict, deferral))
	{
		const ZdmQueueEffect *effect = lfirst(lc);

		if (effect->sql != NULL)
			put_step(rsinfo, number++, effect->phase, effect->sql, NoLock, effect->message);
	}
	return number;
}

/* What is to be said of a statement that would run as it is, or would not. */
static char *
verdict_note(const ZdmPolicy *policy, const ZdmDdl *ddl, List *judgements)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfo(&buf, "verdict: %s", zdm_verdict_name(zdm_strictest(judgements)));
	foreach(lc, judgements)
	{
		const ZdmJudgement *judgement = lfirst(lc);

		appendStringInfo(&buf, "\n%s: %s. Safe form: %s",
						 zdm_rules[judgement->hazard->rule].name,
						 judgement->hazard->message,
						 zdm_advice(ddl, judgement->hazard));
	}
	return buf.data;
}

/* A position in the statement is none in the query that calls zdm_explain(). */
static void
explain_error_position(void *arg)
{
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery((const char *) arg);
	}
}

/* The one statement of a text; raises if it is not exactly one. */
static Node *
parse_one(char *sql)
{
	ErrorContextCallback callback = {error_context_stack, explain_error_position, sql};
	List	   *parsed;

	error_context_stack = &callback;
	parsed = raw_parser(sql, RAW_PARSE_DEFAULT);
	error_context_stack = callback.previous;

	if (list_length(parsed) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("zdm_explain() takes exactly one statement, not %d",
						list_length(parsed)),
				 errhint("Use zdm_check() for scripts.")));
	return linitial_node(RawStmt, parsed)->stmt;
}

/* zdm_explain(statement) -> the steps in which it would be carried out */
Datum
zdm_explain(PG_FUNCTION_ARGS)
{
	char	   *sql = text_to_cstring(PG_GETARG_TEXT_PP(0));
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Node	   *stmt = parse_one(sql);
	ZdmPolicy	policy = {0};
	ZdmDdl		ddl;
	ZdmPlan    *plan;
	ZdmDeferral *deferral;
	ZdmConflict *conflict = NULL;
	List	   *judgements;
	int			number = 1;
	ListCell   *lc;

	init_ddl(&ddl, stmt, sql, transaction_state());
	ddl.in_block = IsTransactionBlock();
	if (ddl_is_guarded(nodeTag(stmt)))
	{
		redirect(&ddl);
		conflict = check_queue(&ddl, NIL);
		if (conflict != NULL && claims_are_all(conflict))
		{
			InitMaterializedSRF(fcinfo, 0);
			if (put_queue_steps(rsinfo, conflict, NULL) == 1)
				put_step(rsinfo, 1, NULL, sql, NoLock, "verdict: run");
			return (Datum) 0;
		}
		ddl_analyze(&ddl);
	}
	if (ddl.undefined != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("%s", ddl.undefined)));
	guard_policy(&policy);

	InitMaterializedSRF(fcinfo, 0);
	judgements = zdm_judge(&policy, &ddl, &plan, &deferral);
	if (conflict != NULL && zdm_strictest(judgements) != ZDM_VERDICT_REFUSE)
	{
		claims_check_order(conflict, deferral);
		number = put_queue_steps(rsinfo, conflict, deferral);
	}
	if (deferral != NULL)
	{
		put_parts(rsinfo, deferral, number);
		return (Datum) 0;
	}
	if (plan == NULL)
		put_step(rsinfo, number, NULL, ddl.sql, ddl_strongest_lock(&ddl),
				 verdict_note(&policy, &ddl, judgements));
	foreach(lc, plan ? plan->steps : NIL)
	{
		const ZdmStep *step = lfirst(lc);

		put_step(rsinfo, number++, zdm_phase_name(step->phase), step->sql,
				 step->lock_mode, zdm_step_note(step));
	}
	return (Datum) 0;
}

/* zdm_rules() -> the table of rules, with this session's severities */
Datum
zdm_sql_rules(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < ZDM_RULE_COUNT; i++)
	{
		Datum		values[4];
		bool		nulls[4] = {0};

		values[0] = CStringGetTextDatum(zdm_rules[i].name);
		values[1] = CStringGetTextDatum(zdm_class_name(zdm_rules[i].class));
		values[2] = CStringGetTextDatum(zdm_severity_name(zdm_guc_severity(i)));
		values[3] = CStringGetTextDatum(zdm_rules[i].description);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
