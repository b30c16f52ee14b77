/*
 * uuid.c
 *		Version 7 UUIDs, and finding ids among sorted ones.
 *
 * Time-ordered ids keep neighbours in time neighbours in the index: a batch of
 * writes touches a few leaf pages instead of one each.
 */
#include "postgres.h"

#include "record/uuid.h"

#include <time.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(reason_uuid_v7);

#define NS_PER_MS INT64CONST(1000000)

void
random_bytes(void *out, size_t length)
{
	/*
	 * One call into the random number generator costs more than the bytes it
	 * gives.  Bytes are used once and wiped, so that none can be read from a
	 * core file after it became a salt.
	 */
	static uint8 pool[1024];
	static size_t left = 0;
	static int	owner_pid = 0;

	/* A pool filled before fork() would be shared between backends. */
	if (owner_pid != MyProcPid)
	{
		left = 0;
		owner_pid = MyProcPid;
	}
	Assert(length <= sizeof(pool));
	if (left < length)
	{
		if (!pg_strong_random(pool, sizeof(pool)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not generate random bytes")));
		left = sizeof(pool);
	}
	left -= length;
	memcpy(out, pool + left, length);
	explicit_bzero(pool + left, length);
}

void
uuid_generate_v7(pg_uuid_t *uuid)
{
	/* Steps of the 12-bit fraction: 1 ms / 4096, about 244 ns. */
	static int64 last_step = 0;
	struct timespec now;
	int64		ns;
	int64		step;
	int64		ms;
	uint16		fraction;

	clock_gettime(CLOCK_REALTIME, &now);
	ns = now.tv_sec * INT64CONST(1000000000) + now.tv_nsec;
	step = ns / NS_PER_MS * 4096 + ns % NS_PER_MS * 4096 / NS_PER_MS;
	if (step <= last_step)
		step = last_step + 1;
	last_step = step;
	ms = step / 4096;
	fraction = step % 4096;

	for (int i = 0; i < 6; i++)
		uuid->data[i] = (uint8) (ms >> (40 - 8 * i));
	uuid->data[6] = 0x70 | (fraction >> 8);
	uuid->data[7] = fraction & 0xFF;
	random_bytes(uuid->data + 8, 8);
	uuid->data[8] = (uuid->data[8] & 0x3F) | 0x80;
}

static int
compare_ids(const void *one, const void *other)
{
	return memcmp(one, other, UUID_LEN);
}

void *
uuid_search(const pg_uuid_t *id, const void *elements, size_t count, size_t size)
{
	return count == 0 ? NULL : bsearch(id, elements, count, size, compare_ids);
}

Datum
reason_uuid_v7(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	uuid_generate_v7(uuid);
	PG_RETURN_UUID_P(uuid);
}
