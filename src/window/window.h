/*-------------------------------------------------------------------------
 *
 * window.h
 *	  Deployment windows: the time in which old and new application versions
 *	  run together.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_WINDOW_H
#define ZDM_WINDOW_H

#include "zdm.h"

#include "catalog/objectaddress.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

typedef struct ZdmWindow
{
	int64		id;
	const char *name;
	const char *state;			/* "open", "closing" or "aborting" */
	bool		defers;			/* unsafe DDL in it is deferred, not refused */
	bool		paused;			/* no step of it is begun: as zdm_pause()
								 * says, or because it is no native one */
	bool		is_native;		/* opened in this database, not restored into
								 * it: its object OIDs mean something here */
} ZdmWindow;

/* What windows need of those who carry their steps out; see zdm.c. */
typedef struct ZdmWindowOps
{
	bool		(*has_workers) (void);	/* is the library preloaded? */
	void		(*wake_workers) (void); /* when this transaction commits */
	char	   *(*undo_refusal) (const char *sql);	/* why that could not be
													 * carried out: half a
													 * sentence; or NULL */
} ZdmWindowOps;

/* window.c */
extern void window_init(const ZdmWindowOps *ops);
extern bool window_has_workers(void);
extern void window_wake_workers(void);
extern char *window_undo_refusal(const char *sql);

/*
 * The window that the session's DDL belongs to: the one that zdm.window
 * names, else the only open one, else the only one that is ending; NULL if
 * there is none.  If it cannot be decided, NULL with *open_windows set to the
 * names of all of them.
 */
extern const ZdmWindow *window_current(const char **open_windows);
pg_noreturn extern void window_report_undecided(const char *open_windows);

/* The error of unsafe DDL in a window that is closing or aborting. */
pg_noreturn extern void window_report_ending(const char *name, const char *state);

/*
 * The id of the window of that name, or of the last one if there were several:
 * one that has ended by now is what is waited for, or carried out.  Raises
 * ZDM02 if there was none.
 */
extern int64 window_latest_id(const char *name);

/*
 * conditions.c: what tells when the last session of this database ended whose
 * application_name was LIKE a pattern; DT_NOBEGIN if none has since
 * *known_since.  Without it nothing is known.
 */
typedef TimestampTz (*ZdmLastSeen) (const char *pattern, TimestampTz *known_since);

extern void window_ask_for_clients(ZdmLastSeen last_seen);

/*
 * control.c: NOTICE for each window that does not go on, as it is paused or came with a
 * copy of a database, and has steps that would be carried out; for the one of
 * that id in any case.
 */
extern void window_report_held(int64 window_id);

/*
 * The names of all open windows, or NULL if there is none.  Reads the table
 * without its indexes: those are gone first when it is dropped.
 */
extern const char *window_open_names(void);

/*
 * Let the end of this transaction come before the next window opens, so that
 * DDL judged without a window is done when old clients begin to count.
 */
extern void window_hold_off(void);

/* born.c: objects that came into being in a window */
typedef enum BornScope
{
	BORN_NOTHING,
	BORN_COLUMNS,				/* not indexes and constraints: they are made
								 * anew where a column's type changes */
	BORN_ALL
} BornScope;

extern void born_init(void);
extern bool born_in_window(int64 window_id, const ObjectAddress *object);
extern BornScope born_start(BornScope scope);	/* returns what to restore */
extern void born_restore(BornScope scope);
extern void born_flush(int64 window_id);

/* protect.c: no drop of the ledger while a window is open: ZDM02 */
extern void protect_init(void);
extern void protect_check_no_window(void);

/* history.c: zdm.statement; returns the key of the row */
extern int64 history_record(int64 window_id, const char *command, const char *sql,
							const char *decision, List *rules, int64 part_of);

#endif							/* ZDM_WINDOW_H */
