/*-------------------------------------------------------------------------
 *
 * queue_sql.h
 *	  The order of deferred steps, as SQL.
 *
 * For queries with the parameters $1, a window or 0 for all; $3, the system
 * identifier; $4, the database.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_QUEUE_SQL_H
#define ZDM_QUEUE_SQL_H

/* open: what is unfinished in windows that go on */
#define QUEUE_OPEN \
	"WITH open AS (" \
	" SELECT s.*, w.state AS window_state," \
	"  s.system_identifier = $3 AND s.database_oid = $4 AS is_native," \
	"  CASE WHEN s.is_undo THEN CASE WHEN s.sql LIKE 'CREATE VIEW %' THEN 0 ELSE 1 END" \
	"   WHEN s.sql LIKE 'DROP VIEW %' AND EXISTS (SELECT FROM zdm.claim c" \
	"    WHERE c.step_id = s.id AND c.action = 'make') THEN 0 ELSE 1 END AS rank" \
	" FROM zdm.step s JOIN zdm.window w ON w.id = s.window_id" \
	" WHERE s.deferred AND s.state IN ('queued', 'running', 'failed')" \
	"  AND w.state IN ('open', 'closing', 'aborting') AND NOT w.paused" \
	"  AND w.system_identifier = $3 AND w.database_oid = $4" \
	"  AND ($1 = 0 OR w.id = $1))"

/*
 * Of a row p of zdm.step: does its window w wait for it, as that is now?  For
 * migrate steps and what is undone after a cancel; when it has ended for all;
 * when it is aborted for what is undone.
 */
#define QUEUE_AWAITED \
	"p.deferred AND CASE w.state WHEN 'open' THEN p.phase = 'migrate' OR p.is_undo" \
	"  WHEN 'closing' THEN p.phase <> 'expand' OR p.is_undo" \
	"  WHEN 'aborting' THEN p.is_undo ELSE false END"

/*
 * Of a row o of open: have those before it been carried out?
 *
 * Long steps wait for earlier ones on the same relations only; in a restored
 * copy, where OIDs mean nothing, for all earlier ones.  What takes away comes
 * last and in order, so does undoing, the latest first.  The view that has the
 * new name of a relation goes before all else, since it depends on columns that
 * are to be dropped, be it that the relation gets the name then, or keeps its
 * old one.
 */
#define QUEUE_HAS_TURN \
	"CASE" \
	" WHEN o.window_state = 'aborting' THEN o.is_undo" \
	"  AND NOT EXISTS (SELECT FROM open p WHERE p.window_id = o.window_id AND p.is_undo" \
	"   AND (p.rank, -p.id) < (o.rank, -o.id))" \
	" WHEN o.phase = 'contract' THEN o.window_state = 'closing'" \
	"  AND NOT EXISTS (SELECT FROM open p WHERE p.window_id = o.window_id" \
	"   AND (p.phase <> 'contract' OR (p.rank, p.id) < (o.rank, o.id)))" \
	" ELSE NOT EXISTS (SELECT FROM open p WHERE p.window_id = o.window_id AND p.id < o.id" \
	"  AND p.phase <> 'contract'" \
	"  AND (p.statement_id = o.statement_id OR p.relids && o.relids OR NOT o.is_native))" \
	" END"

/*
 * Is it time to try it?  One that is running may have lost its session: its
 * lock tells.
 */
#define QUEUE_IS_DUE \
	"(o.state IN ('queued', 'running') AND coalesce(o.retry_at <= clock_timestamp(), true))"

/* It has failed because no worker can act for its session user: see due.c. */
#define QUEUE_NEEDS_SESSION \
	"(o.state = 'failed' AND o.retry_at = 'infinity')"

#endif							/* ZDM_QUEUE_SQL_H */
