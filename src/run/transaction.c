/*-------------------------------------------------------------------------
 *
 * transaction.c
 *	  What the current transaction has done, kept from statement to statement.
 *
 * A stack with one entry for each nesting level that has noted something, so
 * that ROLLBACK TO SAVEPOINT takes back what was noted since the savepoint.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "ddl/xact.h"
#include "run/transaction.h"
#include "utils/memutils.h"

typedef struct StateEntry
{
	int			level;			/* nesting level that noted it */
	ZdmXact		xact;
	struct StateEntry *below;
} StateEntry;

/* both in TopTransactionContext; reset at its end */
static StateEntry *top = NULL;
static ZdmXact empty;

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			top = NULL;
			break;
		default:
			break;
	}
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId subid,
					  SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		while (top != NULL && top->level >= level)
			top = top->below;
	}
	else if (event == SUBXACT_EVENT_COMMIT_SUB && top != NULL && top->level >= level)
	{
		top->level = level - 1;
		while (top->below != NULL && top->below->level >= top->level)
			top->below = top->below->below;
	}
}

void
transaction_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}

ZdmXact *
transaction_state(void)
{
	return top != NULL ? &top->xact : &empty;
}

bool
transaction_has_ddl(void)
{
	return top != NULL && top->xact.has_ddl;
}

/* Lists are changed in place, so a new level starts with copies. */
static void
push_copy(int level)
{
	StateEntry *entry = palloc0(sizeof(StateEntry));

	entry->level = level;
	entry->below = top;
	entry->xact = *ddl_xact_copy(transaction_state());
	top = entry;
}

void
transaction_note(ZdmDdl *ddl)
{
	int			level = GetCurrentTransactionNestLevel();
	ZdmXact    *judged_by = ddl->xact;

	if (top == NULL || top->level < level)
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(TopTransactionContext);

		push_copy(level);
		MemoryContextSwitchTo(oldcontext);
	}
	ddl->xact = &top->xact;
	ddl_xact_note(ddl, TopTransactionContext);
	ddl->xact = judged_by;
}
