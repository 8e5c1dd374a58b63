/*-------------------------------------------------------------------------
 *
 * stored_sql.c
 *	  SQL that is stored, and read later by other sessions.
 *
 * They have their own standard_conforming_strings, also those that only look
 * for what the SQL will do; and its relations can have got other names.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/keywords.h"
#include "lib/stringinfo.h"
#include "parser/parser.h"
#include "parser/scanner.h"
#include "parser/scansup.h"
#include "step.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "window/stored_sql.h"

/* A token of a text; length 0: none. */
typedef struct Token
{
	int			start;
	int			length;
} Token;

typedef struct Reading
{
	core_yyscan_t scanner;
	core_yy_extra_type extra;
} Reading;

/* The scan must not move: the scanner points into it. */
static void
scan_begin(Reading *scan, const char *sql)
{
	scan->scanner = scanner_init(sql, &scan->extra, &ScanKeywords, ScanKeywordTokens);
	scan->extra.escape_string_warning = false;
}

/* False at the end, after which the scanner is no more. */
static bool
scan_next(Reading *scan, Token *token)
{
	core_YYSTYPE value;
	YYLTYPE		location = 0;

	if (core_yylex(&value, &location, scan->scanner) == 0)
	{
		scanner_finish(scan->scanner);
		return false;
	}
	token->start = location;
	/* the scanner ends the current token with a zero byte in its own copy */
	token->length = strlen(scan->extra.scanbuf + location);
	return true;
}

/* Is it a string constant in which a backslash escapes something? */
static bool
has_escapes(const char *sql, Token token)
{
	return sql[token.start] == '\'' && memchr(sql + token.start, '\\', token.length) != NULL;
}

const char *
stored_sql_portable(const char *sql)
{
	Reading		scan;
	Token		token;
	Token		last = {-1, 0};
	int			done = 0;
	StringInfoData buf;

	if (sql == NULL || standard_conforming_strings)
		return sql;
	initStringInfo(&buf);
	scan_begin(&scan, sql);
	while (scan_next(&scan, &token))
	{
		/* N'...' cannot be written with an E */
		bool		is_national = last.length > 0 && last.start == token.start - 1 &&
			pg_tolower((unsigned char) sql[last.start]) == 'n';

		if (has_escapes(sql, token) && !is_national)
		{
			appendBinaryStringInfo(&buf, sql + done, token.start - done);
			appendStringInfoString(&buf, " E");
			done = token.start;
		}
		last = token;
	}
	appendStringInfoString(&buf, sql + done);
	return buf.data;
}

/* The name that the token spells, or NULL if it is no name. */
static char *
name_of(const char *sql, Token token)
{
	const char *start = sql + token.start;
	StringInfoData name;

	if (token.length == 0 ||
		!(*start == '"' || *start == '_' || isalpha((unsigned char) *start) || IS_HIGHBIT_SET(*start)))
		return NULL;
	if (*start != '"')
		return downcase_truncate_identifier(start, token.length, false);
	initStringInfo(&name);
	for (int i = 1; i < token.length - 1; i++)
	{
		appendStringInfoChar(&name, start[i]);
		if (start[i] == '"')
			i++;
	}
	return name.data;
}

/* The name that the target of that name has now, quoted; NULL: it stays. */
static const char *
name_now(const char *nspname, const char *relname, List *targets)
{
	ListCell   *lc;

	foreach(lc, targets)
	{
		const ZdmPlanTarget *target = lfirst(lc);
		char	   *now;

		if (strcmp(target->nspname, nspname) != 0 || strcmp(target->relname, relname) != 0)
			continue;
		now = get_rel_name(target->relid);
		return now == NULL ? NULL :
			quote_qualified_identifier(get_namespace_name(get_rel_namespace(target->relid)), now);
	}
	return NULL;
}

static bool
is_dot(const char *sql, Token token)
{
	return token.length == 1 && sql[token.start] == '.';
}

const char *
stored_sql_now(const char *sql, List *targets)
{
	Reading		scan;
	Token		last[4] = {{0}};	/* the current one is the last */
	Token		token;
	int			done = 0;
	StringInfoData buf;

	initStringInfo(&buf);
	scan_begin(&scan, sql);
	while (scan_next(&scan, &token))
	{
		const char *nspname;
		const char *relname;
		const char *now = NULL;

		memmove(last, last + 1, sizeof(Token) * 3);
		last[3] = token;
		if (!is_dot(sql, last[2]) || is_dot(sql, last[0]))
			continue;
		nspname = name_of(sql, last[1]);
		relname = name_of(sql, last[3]);
		if (nspname != NULL && relname != NULL)
			now = name_now(nspname, relname, targets);
		if (now == NULL)
			continue;
		appendBinaryStringInfo(&buf, sql + done, last[1].start - done);
		appendStringInfoString(&buf, now);
		done = token.start + token.length;
	}
	appendStringInfoString(&buf, sql + done);
	return buf.data;
}
