/*-------------------------------------------------------------------------
 *
 * text.c
 *	  Pieces of a statement's own text, for advice.
 *
 * The text is read by the server's scanner, so comments, quoted names and
 * dollar quotes are never mistaken for syntax, and what the user wrote is
 * given back as he wrote it.  The text has passed the parser: the scanner
 * finds no error in it.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/keywords.h"
#include "lib/stringinfo.h"
#include "parser/scanner.h"
#include "plan/advice.h"

/* A scan of one text: the current token and where it stands. */
typedef struct ZdmScan
{
	const char *sql;
	core_yyscan_t scanner;
	core_yy_extra_type extra;
	int			token;			/* 0 at the end */
	int			start;			/* byte offsets of the token */
	int			end;
	int			prev_end;		/* of the token before */
} ZdmScan;

static void
scan_next(ZdmScan *scan)
{
	core_YYSTYPE value;
	YYLTYPE		location = 0;

	scan->prev_end = scan->end;
	scan->token = core_yylex(&value, &location, scan->scanner);
	if (scan->token == 0)
	{
		scan->start = scan->end = strlen(scan->sql);
		return;
	}
	scan->start = location;
	/* the scanner ends the current token with a zero byte in its own copy */
	scan->end = location + strlen(scan->extra.scanbuf + location);
}

/* Start at the first token.  scan must not move: the scanner points into it. */
static void
scan_begin(ZdmScan *scan, const char *sql)
{
	memset(scan, 0, sizeof(ZdmScan));
	scan->sql = sql;
	scan->scanner = scanner_init(sql, &scan->extra, &ScanKeywords,
								 ScanKeywordTokens);
	scan->extra.escape_string_warning = false;
	scan_next(scan);
}

static void
scan_end(ZdmScan *scan)
{
	scanner_finish(scan->scanner);
}

/* Is the token this keyword?  A quoted name is none, whatever it spells. */
static bool
scan_at_keyword(const ZdmScan *scan, const char *keyword)
{
	int			kwnum = ScanKeywordLookup(keyword, &ScanKeywords);

	return kwnum >= 0 && scan->token == ScanKeywordTokens[kwnum];
}

static bool
scan_skip_keyword(ZdmScan *scan, const char *keyword)
{
	if (!scan_at_keyword(scan, keyword))
		return false;
	scan_next(scan);
	return true;
}

/* Go past a name with dots, which may stand in parentheses or have a star. */
static void
scan_skip_name(ZdmScan *scan)
{
	bool		parenthesis = scan->token == '(';

	if (parenthesis)
		scan_next(scan);
	scan_next(scan);
	while (scan->token == '.')
	{
		scan_next(scan);
		scan_next(scan);
	}
	if (parenthesis || scan->token == '*')
		scan_next(scan);
}

/*
 * The text up to its last token that is no semicolon, so that more can be
 * added to it: a comment at its end would swallow that.
 */
char *
zdm_sql_trim(const char *sql)
{
	ZdmScan		scan;
	int			end = 0;

	scan_begin(&scan, sql);
	for (; scan.token != 0; scan_next(&scan))
	{
		if (scan.token != ';')
			end = scan.end;
	}
	scan_end(&scan);
	return pnstrdup(sql, end);
}

/*
 * The trimmed text with the insertion put after the first token that is the
 * keyword, with a blank before it; without it where there is no such token.
 */
char *
zdm_sql_insert_after(const char *sql, const char *keyword, const char *insertion)
{
	ZdmScan		scan;
	char	   *result = NULL;

	sql = zdm_sql_trim(sql);
	scan_begin(&scan, sql);
	while (scan.token != 0 && !scan_at_keyword(&scan, keyword))
		scan_next(&scan);
	if (scan.token != 0)
		result = psprintf("%.*s %s%s", scan.end, sql, insertion, sql + scan.end);
	scan_end(&scan);
	return result ? result : pstrdup(sql);
}

/*
 * What CREATE INDEX says after the table's name: method, columns, options.
 * ON is a reserved word, so the first one is that before the table.
 */
char *
zdm_sql_index_definition(const char *sql)
{
	ZdmScan		scan;
	int			start;
	char	   *result;

	scan_begin(&scan, sql);
	while (scan.token != 0 && !scan_skip_keyword(&scan, "on"))
		scan_next(&scan);
	scan_skip_keyword(&scan, "only");
	scan_skip_name(&scan);
	start = scan.start;
	while (scan.token != 0 && scan.token != ';')
		scan_next(&scan);
	result = pnstrdup(sql + start, Max(scan.prev_end - start, 0));
	scan_end(&scan);
	return result;
}

/*
 * Go to the first action of ALTER TABLE and its like.  A table may be called
 * "view" or "if", so each word is looked for only where it can stand.
 */
static void
scan_skip_alter_head(ZdmScan *scan, bool missing_ok)
{
	scan_skip_keyword(scan, "alter");
	if (!scan_skip_keyword(scan, "foreign"))
		scan_skip_keyword(scan, "materialized");
	scan_next(scan);			/* TABLE, INDEX, VIEW, ... */
	if (missing_ok)
	{
		scan_skip_keyword(scan, "if");
		scan_skip_keyword(scan, "exists");
	}
	scan_skip_keyword(scan, "only");
	scan_skip_name(scan);
}

/* Go past one action: to the comma after it, a semicolon, or the end. */
static void
scan_skip_action(ZdmScan *scan)
{
	int			depth = 0;

	for (; scan->token != 0; scan_next(scan))
	{
		if (scan->token == '(' || scan->token == '[')
			depth++;
		else if (scan->token == ')' || scan->token == ']')
			depth--;
		else if (depth == 0 && (scan->token == ',' || scan->token == ';'))
			break;
	}
}

/*
 * The source text of one command of an ALTER TABLE, without the comma; the
 * whole statement where the text has no such part, as when C code handed in
 * a parse tree that was not made from it.
 */
char *
zdm_sql_action(const ZdmDdl *ddl, Node *cmd)
{
	Node	   *stmt = ddl->stmt;
	ZdmScan		scan;
	ListCell   *lc;
	char	   *result = NULL;

	if (stmt && IsA(stmt, RawStmt))
		stmt = ((RawStmt *) stmt)->stmt;
	if (stmt == NULL || !IsA(stmt, AlterTableStmt))
		return pstrdup(ddl->sql);

	scan_begin(&scan, ddl->sql);
	scan_skip_alter_head(&scan, ((AlterTableStmt *) stmt)->missing_ok);
	foreach(lc, ((AlterTableStmt *) stmt)->cmds)
	{
		int			start = scan.start;

		scan_skip_action(&scan);
		if (lfirst(lc) == (void *) cmd)
		{
			if (scan.prev_end > start)
				result = pnstrdup(ddl->sql + start, scan.prev_end - start);
			break;
		}
		if (scan.token == ',')
			scan_next(&scan);
	}
	scan_end(&scan);
	return result ? result : pstrdup(ddl->sql);
}

/* Words that can follow the expression of a DEFAULT at the same level */
static bool
scan_ends_default(const ZdmScan *scan)
{
	static const char *const words[] = {
		"not", "null", "unique", "primary", "check", "references", "constraint",
		"generated", "collate", "deferrable", "initially", "default"
	};

	for (int i = 0; i < lengthof(words); i++)
	{
		if (scan_at_keyword(scan, words[i]))
			return true;
	}
	return scan->token == ',' || scan->token == ';';
}

/*
 * The source text of the expression after DEFAULT in the definition of a
 * column, or NULL.
 */
char *
zdm_sql_default(const char *action)
{
	ZdmScan		scan;
	char	   *result = NULL;

	scan_begin(&scan, action);
	while (scan.token != 0 && !scan_at_keyword(&scan, "default"))
		scan_next(&scan);
	if (scan.token != 0)
	{
		int			depth = 0;
		int			start;

		scan_next(&scan);
		start = scan.start;
		do
		{
			if (scan.token == '(' || scan.token == '[')
				depth++;
			else if (scan.token == ')' || scan.token == ']')
				depth--;
			scan_next(&scan);
		} while (scan.token != 0 && (depth > 0 || !scan_ends_default(&scan)));
		result = pnstrdup(action + start, scan.prev_end - start);
	}
	scan_end(&scan);
	return result;
}

/* What stands in parentheses after the first such keyword, with them, or NULL. */
char *
zdm_sql_parenthesis(const char *action, const char *keyword)
{
	ZdmScan		scan;
	char	   *result = NULL;

	scan_begin(&scan, action);
	while (scan.token != 0 && !scan_at_keyword(&scan, keyword))
		scan_next(&scan);
	if (scan.token != 0)
		scan_next(&scan);
	if (scan.token == '(')
	{
		int			start = scan.start;
		int			depth = 0;

		do
		{
			if (scan.token == '(')
				depth++;
			else if (scan.token == ')')
				depth--;
			scan_next(&scan);
		} while (scan.token != 0 && depth > 0);
		result = pnstrdup(action + start, scan.prev_end - start);
	}
	scan_end(&scan);
	return result;
}

/* The text behind its first tokens, "" if it has no more. */
char *
zdm_sql_skip(const char *sql, int count)
{
	ZdmScan		scan;
	char	   *result;

	scan_begin(&scan, sql);
	while (scan.token != 0 && count-- > 0)
		scan_next(&scan);
	result = pstrdup(sql + scan.start);
	scan_end(&scan);
	return result;
}

/* Go past what stands in parentheses, if anything does. */
static void
scan_skip_parenthesis(ZdmScan *scan)
{
	int			depth = 0;

	if (scan->token != '(')
		return;
	do
	{
		depth += scan->token == '(' ? 1 : scan->token == ')' ? -1 : 0;
		scan_next(scan);
	} while (scan->token != 0 && depth > 0);
}

/* Go past the column or expression of an index, and its collation. */
static void
scan_skip_key(ZdmScan *scan)
{
	if (scan->token != '(')
	{
		scan_next(scan);
		while (scan->token == '.')
		{
			scan_next(scan);
			scan_next(scan);
		}
	}
	scan_skip_parenthesis(scan);
	if (scan_skip_keyword(scan, "collate"))
		scan_skip_name(scan);
}

/*
 * The keys (char *) of an index, from its definition as
 * zdm_sql_index_definition() gives it: each column or expression with its
 * collation, but without operator class and order.
 */
List *
zdm_sql_index_keys(const char *definition)
{
	List	   *keys = NIL;
	ZdmScan		scan;

	scan_begin(&scan, definition);
	while (scan.token != 0 && scan.token != '(')
		scan_next(&scan);
	while (scan.token == '(' || scan.token == ',')
	{
		int			start;
		int			depth = 0;

		scan_next(&scan);
		start = scan.start;
		scan_skip_key(&scan);
		keys = lappend(keys, pnstrdup(definition + start, scan.prev_end - start));
		for (; scan.token != 0; scan_next(&scan))
		{
			if (depth == 0 && (scan.token == ',' || scan.token == ')'))
				break;
			depth += scan.token == '(' ? 1 : scan.token == ')' ? -1 : 0;
		}
	}
	scan_end(&scan);
	return keys;
}

/* What follows the first WHERE, up to the end; NULL if there is none. */
char *
zdm_sql_condition(const char *sql)
{
	ZdmScan		scan;
	char	   *result = NULL;

	sql = zdm_sql_trim(sql);
	scan_begin(&scan, sql);
	while (scan.token != 0 && !scan_at_keyword(&scan, "where"))
		scan_next(&scan);
	if (scan.token != 0)
	{
		scan_next(&scan);
		result = pstrdup(sql + scan.start);
	}
	scan_end(&scan);
	return result;
}

/* What stands before the last such keyword; NULL if there is none. */
char *
zdm_sql_until(const char *sql, const char *keyword)
{
	ZdmScan		scan;
	int			end = -1;

	scan_begin(&scan, sql);
	for (; scan.token != 0; scan_next(&scan))
	{
		if (scan_at_keyword(&scan, keyword))
			end = scan.prev_end;
	}
	scan_end(&scan);
	return end >= 0 ? pnstrdup(sql, end) : NULL;
}
