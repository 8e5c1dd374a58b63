/*-------------------------------------------------------------------------
 *
 * clients.h
 *	  When clients were connected last.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_CLIENTS_H
#define ZDM_CLIENTS_H

#include "zdm.h"

#include "nodes/nodes.h"

/*
 * In a server that is starting with zdm in shared_preload_libraries: answer
 * window_ask_for_clients().
 */
extern void clients_init(void);

/* Before a utility statement: if it sets application_name, that was used until now. */
extern void clients_note_change(const Node *stmt);

#endif							/* ZDM_CLIENTS_H */
