/*-------------------------------------------------------------------------
 *
 * clients.c
 *	  When clients were connected last.
 *
 * Each session notes its application_name in shared memory when it ends, or
 * when a pool gives it another one: so the end of a window can ask how long ago
 * the old version was there.  Of the names that would be one too many the one
 * not seen for longest is forgotten.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "replication/walsender.h"
#include "run/clients.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "window/window.h"

#define CLIENTS_NAME	"zdm clients"
#define MAX_CLIENTS		512

typedef struct Client
{
	Oid			database;
	NameData	application;
	TimestampTz seen;
} Client;

typedef struct Shared
{
	LWLock	   *lock;			/* of all that follows */
	TimestampTz known_since;	/* who has ended since is known */
	int			count;
	Client		clients[MAX_CLIENTS];
} Shared;

static Shared *shared = NULL;
static bool is_client = false;	/* is this process a client's? */
static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

/*
 * As libpq/auth.h has it, which cannot be included without the headers of
 * whatever the server was built with to authenticate.
 */
struct Port;
typedef void (*ClientAuthentication_hook_type) (struct Port *, int);
extern PGDLLIMPORT ClientAuthentication_hook_type ClientAuthentication_hook;
static ClientAuthentication_hook_type prev_authentication_hook = NULL;

static void
request_shared_memory(void)
{
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();
	RequestAddinShmemSpace(sizeof(Shared));
	RequestNamedLWLockTranche(CLIENTS_NAME, 1);
}

/* Anew after a crash, which nobody has noted. */
static void
make_shared_memory(void)
{
	bool		found;

	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct(CLIENTS_NAME, sizeof(Shared), &found);
	if (!found)
	{
		memset(shared, 0, sizeof(Shared));
		shared->lock = &GetNamedLWLockTranche(CLIENTS_NAME)->lock;
		shared->known_since = GetCurrentTimestamp();
	}
	LWLockRelease(AddinShmemInitLock);
}

/* The place of the name, or one for it; with the lock held. */
static Client *
find_client(Oid database, const char *application)
{
	Client	   *oldest = &shared->clients[0];

	for (int i = 0; i < shared->count; i++)
	{
		Client	   *client = &shared->clients[i];

		if (client->database == database && strcmp(NameStr(client->application), application) == 0)
			return client;
		if (client->seen < oldest->seen)
			oldest = client;
	}
	if (shared->count < MAX_CLIENTS)
		return &shared->clients[shared->count++];
	shared->known_since = Max(shared->known_since, oldest->seen);
	return oldest;
}

static void
note_client(void)
{
	Client	   *client;

	if (!OidIsValid(MyDatabaseId) || am_walsender || application_name == NULL)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	client = find_client(MyDatabaseId, application_name);
	client->database = MyDatabaseId;
	namestrcpy(&client->application, application_name);
	client->seen = GetCurrentTimestamp();
	LWLockRelease(shared->lock);
}

static void
note_end(int code, Datum arg)
{
	note_client();
}

/* Runs in each process of a client, once its shared memory is there. */
static void
at_authentication(struct Port *port, int status)
{
	if (prev_authentication_hook)
		prev_authentication_hook(port, status);
	if (status != STATUS_OK)
		return;
	before_shmem_exit(note_end, (Datum) 0);
	is_client = true;
}

void
clients_note_change(const Node *stmt)
{
	const VariableSetStmt *set = IsA(stmt, VariableSetStmt) ? (const VariableSetStmt *) stmt : NULL;

	if (!is_client)
		return;
	if ((set != NULL && (set->kind == VAR_RESET_ALL ||
						 (set->name != NULL && pg_strcasecmp(set->name, "application_name") == 0))) ||
		(IsA(stmt, DiscardStmt) && ((const DiscardStmt *) stmt)->target == DISCARD_ALL))
		note_client();
}

/* A ZdmLastSeen. */
static TimestampTz
last_seen_like(const char *pattern, TimestampTz *known_since)
{
	Client	   *clients = palloc(sizeof(Client) * MAX_CLIENTS);
	Datum		like = CStringGetTextDatum(pattern);
	TimestampTz result = DT_NOBEGIN;
	int			count;

	LWLockAcquire(shared->lock, LW_SHARED);
	count = shared->count;
	memcpy(clients, shared->clients, sizeof(Client) * count);
	*known_since = shared->known_since;
	LWLockRelease(shared->lock);

	for (int i = 0; i < count; i++)
	{
		Datum		application = CStringGetTextDatum(NameStr(clients[i].application));

		if (clients[i].database == MyDatabaseId && clients[i].seen > result &&
			DatumGetBool(DirectFunctionCall2Coll(textlike, DEFAULT_COLLATION_OID, application, like)))
			result = clients[i].seen;
	}
	pfree(clients);
	return result;
}

void
clients_init(void)
{
	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = request_shared_memory;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = make_shared_memory;
	prev_authentication_hook = ClientAuthentication_hook;
	ClientAuthentication_hook = at_authentication;
	window_ask_for_clients(last_seen_like);
}
