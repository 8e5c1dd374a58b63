/*-------------------------------------------------------------------------
 *
 * split.c
 *	  Cuts a script into statements.
 *
 * The server's scanner finds the semicolons, so those in quotes, comments and
 * dollar quotes are no trouble; those in parentheses (CREATE RULE) and in the
 * body of BEGIN ATOMIC are counted away, as psql does it.  Each statement is
 * then parsed for itself: the parse tree of a whole script would need many
 * times its size, and one error would hide all the rest.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/keywords.h"
#include "miscadmin.h"
#include "split.h"

/*
 * After an error the scanner starts again behind the next semicolon, which
 * copies the rest of the text; a text with more errors than this is no SQL.
 */
#define MAX_RESTARTS	100

/* Where in a statement the scanner is. */
typedef struct Nesting
{
	int			parentheses;
	bool		in_create;		/* CREATE [OR REPLACE] so far */
	bool		in_routine;		/* of CREATE FUNCTION or PROCEDURE */
	int			blocks;			/* BEGIN ATOMIC and CASE, to their END */
} Nesting;

static void
start_scanner(ZdmSplitter *splitter, int base)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(splitter->context);

	splitter->base = base;
	splitter->scanner = scanner_init(splitter->script + base, &splitter->extra,
									 &ScanKeywords, ScanKeywordTokens);
	splitter->extra.escape_string_warning = false;
	MemoryContextSwitchTo(oldcontext);
}

static void
stop_scanner(ZdmSplitter *splitter)
{
	if (splitter->scanner != NULL)
		scanner_finish(splitter->scanner);
	splitter->scanner = NULL;
}

void
split_begin(ZdmSplitter *splitter, const char *script)
{
	memset(splitter, 0, sizeof(ZdmSplitter));
	splitter->script = script;
	splitter->lines = 1;
	splitter->context = CurrentMemoryContext;
	start_scanner(splitter, 0);
}

static int
keyword_token(const char *word)
{
	return ScanKeywordTokens[ScanKeywordLookup(word, &ScanKeywords)];
}

/* Follow one token; what follows CREATE decides whether BEGIN opens a block. */
static void
follow(Nesting *nesting, int token, bool is_first)
{
	static int	create = 0,
				or_word,
				replace,
				function,
				procedure,
				begin,
				case_word,
				end;

	if (create == 0)
	{
		or_word = keyword_token("or");
		replace = keyword_token("replace");
		function = keyword_token("function");
		procedure = keyword_token("procedure");
		begin = keyword_token("begin");
		case_word = keyword_token("case");
		end = keyword_token("end");
		create = keyword_token("create");
	}

	if (token == '(')
		nesting->parentheses++;
	else if (token == ')' && nesting->parentheses > 0)
		nesting->parentheses--;
	else if (is_first)
		nesting->in_create = token == create;
	else if (nesting->in_create && !nesting->in_routine)
	{
		nesting->in_routine = token == function || token == procedure;
		nesting->in_create = nesting->in_routine || token == or_word || token == replace;
	}
	else if (nesting->in_routine && nesting->parentheses == 0)
	{
		if (token == begin || (token == case_word && nesting->blocks > 0))
			nesting->blocks++;
		else if (token == end && nesting->blocks > 0)
			nesting->blocks--;
	}
}

/* Line of an offset; offsets come in ascending order. */
static int
line_of(ZdmSplitter *splitter, int offset)
{
	for (; splitter->line_at < offset; splitter->line_at++)
	{
		if (splitter->script[splitter->line_at] == '\n')
			splitter->lines++;
	}
	return splitter->lines;
}

/* Where the tokens of one statement are. */
typedef struct Extent
{
	int			start;			/* first token; -1: none yet */
	int			at;				/* the token that the scanner is at */
	int			end;			/* behind the last one */
	int			semicolon;		/* first one inside parentheses or a body; -1:
								 * none */
	bool		is_last;		/* the text ends here */
	bool		is_unbalanced;	/* it ends inside parentheses or a body */
	bool		is_command;		/* a backslash command of psql */
} Extent;

/* Scan to the end of the statement. */
static void
scan_statement(ZdmSplitter *splitter, Extent *extent)
{
	Nesting		nesting = {0};

	for (;;)
	{
		core_YYSTYPE value;
		YYLTYPE		location = 0;
		int			token = core_yylex(&value, &location, splitter->scanner);

		CHECK_FOR_INTERRUPTS();
		if (token == 0)
		{
			extent->end = splitter->base + strlen(splitter->script + splitter->base);
			extent->is_last = true;
			extent->is_unbalanced = nesting.parentheses > 0 || nesting.blocks > 0;
			return;
		}
		extent->at = splitter->base + location;
		if (extent->at < splitter->skip_to || (token == ';' && extent->start < 0))
			continue;
		if (token == '\\' && extent->start < 0)
		{
			extent->start = extent->at;
			extent->end = extent->at + strcspn(splitter->script + extent->at, "\n");
			extent->is_command = true;
			return;
		}
		if (token == ';' && nesting.parentheses == 0 && nesting.blocks == 0)
		{
			extent->end = extent->at;
			return;
		}
		if (token == ';' && extent->semicolon < 0)
			extent->semicolon = extent->at;
		follow(&nesting, token, extent->start < 0);
		if (extent->start < 0)
			extent->start = extent->at;
	}
}

/*
 * Go on behind the semicolon at or after the offset; returns where the
 * statement before it ends.
 */
static int
restart_behind_semicolon(ZdmSplitter *splitter, int at)
{
	const char *semicolon = strchr(splitter->script + at, ';');

	stop_scanner(splitter);
	if (semicolon == NULL || ++splitter->restarts > MAX_RESTARTS)
		return at + strlen(splitter->script + at);
	start_scanner(splitter, semicolon + 1 - splitter->script);
	return semicolon - splitter->script;
}

/* Scan, and return what the scanner objects to, or NULL. */
static const char *
scan_safely(ZdmSplitter *splitter, Extent *extent)
{
	MemoryContext context = CurrentMemoryContext;
	const char *volatile message = NULL;

	PG_TRY();
	{
		scan_statement(splitter, extent);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
			PG_RE_THROW();
		FlushErrorState();
		message = error->message;
	}
	PG_END_TRY();

	return message;
}

bool
split_next(ZdmSplitter *splitter, ZdmPiece *piece)
{
	Extent		extent = {.start = -1};
	const char *message;

	extent.at = splitter->next;
	extent.semicolon = -1;
	if (splitter->scanner == NULL)
		return false;

	message = scan_safely(splitter, &extent);
	if (message != NULL)
	{
		if (extent.start < 0)
			extent.start = extent.at + strspn(splitter->script + extent.at, " \t\n\r\f");
		extent.end = restart_behind_semicolon(splitter, Max(extent.at, extent.start));
	}
	else if (extent.is_command)
	{
		message = "backslash commands are psql's own";
		splitter->skip_to = extent.end;
	}
	else if (extent.is_unbalanced && extent.semicolon >= 0)
		extent.end = restart_behind_semicolon(splitter, extent.semicolon);
	else if (extent.is_last)
		stop_scanner(splitter);
	if (extent.start < 0)
		return false;

	splitter->next = extent.end;
	if (splitter->script[extent.end] == ';')
		splitter->next++;
	piece->start = splitter->script + extent.start;
	piece->length = extent.end - extent.start;
	piece->line = line_of(splitter, extent.start);
	piece->error = message;
	return true;
}
