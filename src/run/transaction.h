/*-------------------------------------------------------------------------
 *
 * transaction.h
 *	  What the current transaction has done, kept from statement to statement.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_TRANSACTION_H
#define ZDM_TRANSACTION_H

#include "ddl/ddl.h"

extern void transaction_init(void);

/* what has been done so far; never NULL */
extern ZdmXact *transaction_state(void);

/* add what the statement has done */
extern void transaction_note(ZdmDdl *ddl);

/* has the transaction run DDL?  Cheap: asked for every UPDATE and DELETE */
extern bool transaction_has_ddl(void);

#endif							/* ZDM_TRANSACTION_H */
