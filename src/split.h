/*-------------------------------------------------------------------------
 *
 * split.h
 *	  Cuts a script into statements.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_SPLIT_H
#define ZDM_SPLIT_H

#include "zdm.h"

#include "parser/scanner.h"

typedef struct ZdmSplitter
{
	const char *script;
	int			base;			/* where the scanner's copy of it begins */
	core_yyscan_t scanner;		/* NULL at the end */
	core_yy_extra_type extra;
	int			restarts;		/* after errors of the scanner */
	int			next;			/* behind the last statement's semicolon */
	int			skip_to;		/* tokens before this offset do not count */
	int			line_at;		/* offset up to which lines are counted */
	int			lines;
	MemoryContext context;		/* of the scanner */
} ZdmSplitter;

/* A statement of the script, or a part that cannot be cut any further. */
typedef struct ZdmPiece
{
	const char *start;
	int			length;
	int			line;			/* of its first token, from 1 */
	const char *error;			/* what the scanner says of it, or NULL */
} ZdmPiece;

/*
 * Begin; script is zero-terminated and stays.  The splitter must not move, and
 * its memory is in the current context.
 */
extern void split_begin(ZdmSplitter *splitter, const char *script);

/*
 * The next statement, false at the end.  Tokens are allocated in the current
 * context, which may be reset between two calls.
 */
extern bool split_next(ZdmSplitter *splitter, ZdmPiece *piece);

#endif							/* ZDM_SPLIT_H */
