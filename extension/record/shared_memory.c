/*
 * shared_memory.c
 *		Shared memory of the extension: the server's hooks, once for all parts.
 */
#include "postgres.h"

#include "record/shared_memory.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

typedef struct Part
{
	const char *name;
	Size		size;
	SharedMemorySetUp set_up;
} Part;

#define PARTS_MOST 4

static Part parts[PARTS_MOST];
static int	part_count;

static shmem_request_hook_type next_request_hook;
static shmem_startup_hook_type next_startup_hook;

static void
request_memory(void)
{
	if (next_request_hook)
		next_request_hook();
	for (int i = 0; i < part_count; i++)
	{
		RequestAddinShmemSpace(parts[i].size);
		RequestNamedLWLockTranche(parts[i].name, 1);
	}
}

static void
set_up_memory(void)
{
	if (next_startup_hook)
		next_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	for (int i = 0; i < part_count; i++)
	{
		bool		found;
		void	   *memory = ShmemInitStruct(parts[i].name, parts[i].size, &found);

		if (!found)
			memset(memory, 0, parts[i].size);
		parts[i].set_up(memory, !found, &GetNamedLWLockTranche(parts[i].name)->lock);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
shared_memory_define(const char *name, Size size, SharedMemorySetUp set_up)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	if (part_count == 0)
	{
		next_request_hook = shmem_request_hook;
		shmem_request_hook = request_memory;
		next_startup_hook = shmem_startup_hook;
		shmem_startup_hook = set_up_memory;
	}
	if (part_count == PARTS_MOST)
		elog(ERROR, "too many parts of shared memory");
	parts[part_count++] = (Part) {name, size, set_up};
}
