/*-------------------------------------------------------------------------
 *
 * slots.c
 *	  The shared memory of launcher and workers.
 *
 * A slot stands for a background process.  The launcher gives it away before
 * it registers the process; the process takes it, and leaves word in it when
 * it exits; the launcher takes it back.  Its generation tells a process that
 * comes late that the launcher, or its successor, has given it up.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "guc.h"
#include "miscadmin.h"
#include "run/slots.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#define SLOTS_NAME	"zdm"

/* databases that sessions want looked at, between two turns of the launcher */
#define MAX_WANTED	64

/*
 * So often a step makes way for DDL that wants its table.  After that each
 * attempt stands its ground for a time, which doubles from one to the next:
 * however long the step takes, it gets its time in the end.
 */
#define FREE_ATTEMPTS	3
#define FIRM_MS			10000
#define FIRM_DOUBLINGS	9

typedef enum SlotState
{
	SLOT_FREE,
	SLOT_ASSIGNED,
	SLOT_RUNNING,
	SLOT_ENDED
} SlotState;

typedef struct Slot
{
	SlotState	state;
	uint32		generation;
	Oid			database;
	Oid			role;
	pid_t		pid;			/* while it is running */
	TimestampTz firm_until;		/* its step does not make way before */
	pid_t		asked_by;		/* who has asked its step to make way, or 0 */
	ZdmOutcome	outcome;
} Slot;

typedef struct Shared
{
	LWLock	   *lock;			/* of all that follows */
	Latch	   *launcher;		/* its latch, while there is one */
	bool		starved;
	bool		all_wanted;
	int			wanted_count;
	Oid			wanted[MAX_WANTED];
	int			slot_count;
	Slot		slots[FLEXIBLE_ARRAY_MEMBER];
} Shared;

static Shared *shared = NULL;
static Slot *my_slot = NULL;
static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

static Size
shared_size(void)
{
	return add_size(offsetof(Shared, slots),
					mul_size(sizeof(Slot), SLOTS_PROBES + zdm_guc_max_workers));
}

static void
request_shared_memory(void)
{
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();
	RequestAddinShmemSpace(shared_size());
	RequestNamedLWLockTranche(SLOTS_NAME, 1);
}

static void
make_shared_memory(void)
{
	bool		found;

	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct(SLOTS_NAME, shared_size(), &found);
	if (!found)
	{
		memset(shared, 0, shared_size());
		shared->lock = &GetNamedLWLockTranche(SLOTS_NAME)->lock;
		shared->slot_count = SLOTS_PROBES + zdm_guc_max_workers;
	}
	LWLockRelease(AddinShmemInitLock);
}

void
slots_init(void)
{
	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = request_shared_memory;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = make_shared_memory;
}

bool
slots_exist(void)
{
	return shared != NULL;
}

int
slots_count(void)
{
	return shared->slot_count;
}

/* With the lock held. */
static void
wake_launcher(void)
{
	if (shared->launcher != NULL)
		SetLatch(shared->launcher);
}

void
slots_want(Oid database)
{
	int			i;

	if (shared == NULL)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (i = 0; i < shared->wanted_count && shared->wanted[i] != database;)
		i++;
	if (i == MAX_WANTED)
		shared->all_wanted = true;
	else if (i == shared->wanted_count)
		shared->wanted[shared->wanted_count++] = database;
	wake_launcher();
	LWLockRelease(shared->lock);
}

void
slots_terminate(Oid database)
{
	if (shared == NULL)
		return;
	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < shared->slot_count; i++)
	{
		const Slot *slot = &shared->slots[i];

		if (slot->state == SLOT_RUNNING && slot->database == database)
			(void) kill(slot->pid, SIGTERM);
	}
	LWLockRelease(shared->lock);
}

/* Does the process wait for a lock that this session holds? */
static bool
waits_for_me(int pid)
{
	ArrayType  *array = DatumGetArrayTypeP(DirectFunctionCall1(pg_blocking_pids,
															   Int32GetDatum(pid)));
	const int32 *pids = (const int32 *) ARR_DATA_PTR(array);
	int			count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));

	for (int i = 0; i < count; i++)
	{
		if (pids[i] == MyProcPid)
			return true;
	}
	return false;
}

/* The lock keeps the number from being another process's by now. */
static void
interrupt_worker(int pid)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < shared->slot_count; i++)
	{
		Slot	   *slot = &shared->slots[i];

		if (slot->state != SLOT_RUNNING || slot->pid != pid)
			continue;
		slot->asked_by = MyProcPid;
		(void) kill(pid, SIGINT);
	}
	LWLockRelease(shared->lock);
}

bool
slots_interrupt(List *pids, bool asks)
{
	TimestampTz now = GetCurrentTimestamp();
	Slot	   *workers;
	int			count = 0;
	bool		result = false;

	if (shared == NULL || my_slot != NULL || pids == NIL)
		return false;
	workers = palloc(sizeof(Slot) * shared->slot_count);
	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < shared->slot_count; i++)
	{
		const Slot *slot = &shared->slots[i];

		if (slot->state == SLOT_RUNNING && slot->database == MyDatabaseId &&
			OidIsValid(slot->role) && list_member_int(pids, slot->pid))
			workers[count++] = *slot;
	}
	LWLockRelease(shared->lock);

	for (int i = 0; i < count; i++)
	{
		if (workers[i].firm_until > now && !waits_for_me(workers[i].pid))
			continue;
		result = true;
		if (asks)
			interrupt_worker(workers[i].pid);
	}
	pfree(workers);
	return result;
}

bool
slots_starved(void)
{
	bool		result;

	LWLockAcquire(shared->lock, LW_SHARED);
	result = shared->starved || shared->launcher == NULL;
	LWLockRelease(shared->lock);
	return result;
}

void
slots_set_starved(bool starved)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->starved = starved;
	LWLockRelease(shared->lock);
}

static void
detach_launcher(int code, Datum arg)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher = NULL;
	LWLockRelease(shared->lock);
}

/* What a launcher before this one had assigned and not seen begin is void. */
void
slots_attach_launcher(void)
{
	before_shmem_exit(detach_launcher, (Datum) 0);
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher = MyLatch;
	for (int i = 0; i < shared->slot_count; i++)
	{
		Slot	   *slot = &shared->slots[i];

		if (slot->state == SLOT_ASSIGNED)
			slot->state = SLOT_FREE;
	}
	LWLockRelease(shared->lock);
}

List *
slots_take_wanted(bool *all)
{
	Oid			wanted[MAX_WANTED];
	int			count;
	List	   *result = NIL;

	/* no palloc with the lock held: its failure would be an error */
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	*all = shared->all_wanted;
	count = shared->wanted_count;
	memcpy(wanted, shared->wanted, sizeof(Oid) * count);
	shared->all_wanted = false;
	shared->wanted_count = 0;
	LWLockRelease(shared->lock);

	for (int i = 0; i < count; i++)
		result = lappend_oid(result, wanted[i]);
	return result;
}

/* One of the slots from first to last; false if none is free. */
bool
slots_assign(int first, int last, Oid database, Oid role, ZdmAssignment *assignment)
{
	bool		result = false;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = first; i <= last && !result; i++)
	{
		Slot	   *slot = &shared->slots[i];

		if (slot->state != SLOT_FREE)
			continue;
		slot->state = SLOT_ASSIGNED;
		slot->generation++;
		slot->database = database;
		slot->role = role;
		slot->pid = 0;
		slot->firm_until = 0;
		memset(&slot->outcome, 0, sizeof(ZdmOutcome));
		assignment->slot = i;
		assignment->generation = slot->generation;
		assignment->database = database;
		assignment->role = role;
		result = true;
	}
	LWLockRelease(shared->lock);
	return result;
}

/* Is somebody there already, or about to come? */
bool
slots_is_assigned(Oid database, Oid role)
{
	bool		result = false;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < shared->slot_count; i++)
	{
		const Slot *slot = &shared->slots[i];

		if (slot->state != SLOT_FREE && slot->database == database && slot->role == role)
			result = true;
	}
	LWLockRelease(shared->lock);
	return result;
}

/*
 * Free the slot if its process has ended, or is_gone: the postmaster says
 * that there is none.
 */
bool
slots_reap(int index, bool is_gone, ZdmAssignment *assignment, ZdmOutcome *outcome)
{
	Slot	   *slot = &shared->slots[index];
	bool		result;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	result = slot->state == SLOT_ENDED || (slot->state == SLOT_ASSIGNED && is_gone);
	if (result)
	{
		assignment->slot = index;
		assignment->generation = slot->generation;
		assignment->database = slot->database;
		assignment->role = slot->role;
		*outcome = slot->outcome;
		slot->state = SLOT_FREE;
	}
	LWLockRelease(shared->lock);
	return result;
}

static void
detach(int code, Datum arg)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_slot->state = SLOT_ENDED;
	my_slot->pid = 0;
	wake_launcher();
	LWLockRelease(shared->lock);
}

/*
 * The exit callback comes before those of the connection to the database, and
 * so runs after them: the session's locks are free when the slot is.
 */
bool
slots_attach(const ZdmAssignment *assignment)
{
	Slot	   *slot = &shared->slots[assignment->slot];
	bool		result;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	result = slot->state == SLOT_ASSIGNED && slot->generation == assignment->generation;
	if (result)
	{
		slot->state = SLOT_RUNNING;
		slot->pid = MyProcPid;
		my_slot = slot;
	}
	LWLockRelease(shared->lock);
	if (result)
		before_shmem_exit(detach, (Datum) 0);
	return result;
}

void
slots_report_due(const ZdmDue *due)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_slot->outcome.has_due = true;
	my_slot->outcome.due = *due;
	LWLockRelease(shared->lock);
}

void
slots_report_begun(int earlier_attempts)
{
	int			doublings = Min(earlier_attempts - FREE_ATTEMPTS, FIRM_DOUBLINGS);

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_slot->outcome.has_begun = true;
	my_slot->asked_by = 0;
	my_slot->firm_until = doublings < 0 ? 0 :
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), (int64) FIRM_MS << doublings);
	LWLockRelease(shared->lock);
}

int
slots_asked_by(void)
{
	int			result = 0;

	if (my_slot == NULL)
		return 0;
	LWLockAcquire(shared->lock, LW_SHARED);
	result = my_slot->asked_by;
	LWLockRelease(shared->lock);
	return result;
}

void
slots_report_worked(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_slot->outcome.has_worked = true;
	LWLockRelease(shared->lock);
}
