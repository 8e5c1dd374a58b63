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
	splitter->scanner = scanner_init(splitter->text + base, &splitter->extra,
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
	splitter->text = script;
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
		if (splitter->text[splitter->line_at] == '\n')
			splitter->lines++;
	}
	return splitter->lines;
}

/*
 * Scan to the end of the statement.  *start is set to its first token, or
 * stays -1 if there is none; *at follows the tokens.  Returns the offset of
 * the end, and whether the text ends with it.
 */
static int
scan_statement(ZdmSplitter *splitter, int *start, int *at, bool *is_last)
{
	Nesting		nesting = {0};

	*is_last = false;
	for (;;)
	{
		core_YYSTYPE value;
		YYLTYPE		location = 0;
		int			token = core_yylex(&value, &location, splitter->scanner);

		CHECK_FOR_INTERRUPTS();
		if (token == 0)
		{
			*is_last = true;
			return splitter->base + strlen(splitter->text + splitter->base);
		}
		*at = splitter->base + location;
		if (token == ';' && *start < 0)
			continue;
		if (token == ';' && nesting.parentheses == 0 && nesting.blocks == 0)
			return *at;
		follow(&nesting, token, *start < 0);
		if (*start < 0)
			*start = *at;
	}
}

/* The scanner cannot read what is at the offset: go on behind a semicolon. */
static int
restart_after_error(ZdmSplitter *splitter, int at)
{
	const char *semicolon = strchr(splitter->text + at, ';');

	stop_scanner(splitter);
	if (semicolon == NULL || ++splitter->restarts > MAX_RESTARTS)
		return at + strlen(splitter->text + at);
	start_scanner(splitter, semicolon + 1 - splitter->text);
	return semicolon - splitter->text;
}

bool
split_next(ZdmSplitter *splitter, ZdmPiece *piece)
{
	MemoryContext context = CurrentMemoryContext;
	volatile int start = -1;
	volatile int at = splitter->base;
	volatile int end = 0;
	const char *volatile message = NULL;
	volatile bool is_last = false;

	if (splitter->scanner == NULL)
		return false;

	PG_TRY();
	{
		end = scan_statement(splitter, unvolatize(int *, &start),
							 unvolatize(int *, &at),
							 unvolatize(bool *, &is_last));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			PG_RE_THROW();
		FlushErrorState();
		message = error->message;
	}
	PG_END_TRY();

	if (message != NULL)
	{
		if (start < 0)
			start = at;
		end = restart_after_error(splitter, at);
	}
	else if (is_last)
		stop_scanner(splitter);
	if (start < 0)
		return false;

	piece->start = splitter->text + start;
	piece->length = end - start;
	piece->line = line_of(splitter, start);
	piece->error = message;
	return true;
}
