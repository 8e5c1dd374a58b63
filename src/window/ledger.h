/*-------------------------------------------------------------------------
 *
 * ledger.h
 *	  Access to zdm's own tables, in schema zdm.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_LEDGER_H
#define ZDM_LEDGER_H

#include "zdm.h"

#include "nodes/pg_list.h"
#include "utils/relcache.h"

/* The user that the session had, to be restored. */
typedef struct LedgerScope
{
	Oid			userid;
	int			sec_context;
	int			guc_level;
} LedgerScope;

/* is the extension created in this database? */
extern bool ledger_exists(void);

/* OID of a table, index or sequence of schema zdm; raises if it is gone */
extern Oid	ledger_relid(const char *name);

/*
 * Become the owner of the extension with a closed search_path, with SPI
 * connected; and back.  An error in between is cleaned up by the abort of the
 * (sub)transaction.
 */
extern void ledger_begin(LedgerScope *scope);
extern void ledger_end(LedgerScope *scope);

/*
 * Run one command through SPI; between ledger_begin() and ledger_end().
 * Returns the number of rows; they are in SPI_tuptable.
 */
extern uint64 ledger_execute(const char *sql, int nargs, const Oid *types,
							 const Datum *values, const char *nulls);

/* Elements of an array in the current result, palloc'd; NIL for NULL. */
extern List *ledger_result_texts(uint64 row, int column);
extern List *ledger_result_oids(uint64 row, int column);

/*
 * A session that carries out the statement or deferred step with this key keeps
 * this lock on it: others know by it that it is alive.  False if one has it.
 */
extern bool ledger_lock(int64 id);
extern void ledger_unlock(int64 id);

/* Is what the session does now zdm's own work?  It is not looked at. */
extern bool ledger_is_at_work(void);
extern void ledger_init(void);

/* a key for a row that is written in a client's session */
extern int64 ledger_new_id(void);

#endif							/* ZDM_LEDGER_H */
