/*
 * sidecar_memory.c
 *		How long refused proofs go on before they are a fault, which faults a proof ends, and of which names of the logs a fault was found.
 */
#include "check.h"

#include "store/store.h"
#include "tlog/memory.h"

#define SECOND 1000L

static PGresult *
no_answer(void)
{
	return NULL;
}

/* The database is not asked. */
PGresult *
db_call(struct db *db, const char *statement, const char *shape, int count, const char *const *parameters, char sqlstate[6])
{
	return no_answer();
}

PGresult *
db_call_binary(struct db *db, const char *statement, size_t most, int count, const char *const *parameters)
{
	return no_answer();
}

bool
db_number(const PGresult *result, int row, int column, uint64_t *number)
{
	return false;
}

void
db_refuse(struct db *db, const char *statement, const char *answer)
{
}

void
metrics_add(enum metric metric, long value)
{
}

void
metrics_set(enum metric metric, long value)
{
}

bool
doorbell_stopped(void)
{
	return false;
}

bool
store_read_text(struct store *store, const char *key, const char *version, size_t most, char **bytes)
{
	return false;
}

/* Refused every second: after how many seconds that is a fault; -1: it is none within an hour. */
static long
seconds_until_fault(long interval_s, bool passes)
{
	struct log_refusals refusals = {0};

	refusals_init(&refusals, interval_s, 60 * SECOND);
	for (long second = 0; second <= 3600; second++)
		if (refusals_add(&refusals, "log", passes, second * SECOND))
			return second;
	return -1;
}

static void
check_how_long(void)
{
	CHECK(seconds_until_fault(60, false) == 60 && seconds_until_fault(3600, false) == 60);
	CHECK(seconds_until_fault(1, false) == 3 && seconds_until_fault(10, false) == 30);
	CHECK(seconds_until_fault(60, true) == 300 && seconds_until_fault(86400, true) == 300 && seconds_until_fault(1, true) == 15);
}

static void
check_threads(void)
{
	struct log_refusals refusals = {0};

	refusals_init(&refusals, 60, SECOND);
	/* many within a moment, by several threads */
	for (int i = 0; i < 10; i++)
		CHECK(!refusals_add(&refusals, "log", false, 100 + i) && !refusals_add(&refusals, "seal", false, 100 + i));
	CHECK(refusals_wait(&refusals, 200) && !refusals_are_a_fault(&refusals, 200));
	refusals_end(&refusals, "seal");
	CHECK(refusals_wait(&refusals, 200));
	/* two refusals are not enough, however far apart */
	refusals_end(&refusals, "log");
	CHECK(!refusals_wait(&refusals, 200));
	CHECK(!refusals_add(&refusals, "log", false, 200) && !refusals_add(&refusals, "log", false, 60 * SECOND));
	CHECK(refusals_add(&refusals, "log", false, 61 * SECOND));
	/* what another thread is told ends nothing */
	refusals_end(&refusals, "seal");
	CHECK(refusals_are_a_fault(&refusals, 62 * SECOND) && refusals_wait(&refusals, 62 * SECOND));
	/* one that leads no more asks no more */
	CHECK(!refusals_are_a_fault(&refusals, 123 * SECOND) && !refusals_wait(&refusals, 123 * SECOND));
	CHECK(!refusals_add(&refusals, "log", false, 200 * SECOND));
}

static void
check_faults(void)
{
	struct log_memory memory = {.prefix = "localhost/reason", .known = true};
	struct db	db = {.name = "log", .refusal = "not now"};
	struct log_division *division;

	pthread_mutex_init(&memory.lock, NULL);
	memory.state.path = "";
	division = log_state_add(&memory.state, "default");
	strcpy(division->origin, "localhost/reason/default");
	log_memory_break(&memory, METRIC_LOG_STOPS_CUT, "something is cut");
	CHECK(memory.fault_epoch == 1);
	/* a restore is accepted: the fault was found before */
	strcpy(division->origin, "localhost/reason/default;2");
	CHECK(memory.fault_epoch == 1);
	log_memory_break(&memory, METRIC_LOG_STOPS_CUT, "something is cut");
	CHECK(memory.fault_epoch == 2);
	log_memory_mend(&memory, "seal");
	CHECK(!memory.fault[0] && !atomic_load(&memory.broken));
	/* at once, and for as long as that thread is refused */
	refusals_init(&memory.refusals, 0, SECOND);
	CHECK(!log_memory_refused(&memory, &db) && !log_memory_refused(&memory, &db) && log_memory_refused(&memory, &db));
	CHECK(strcmp(memory.fault, "the log cannot be read: not now") == 0);
	log_memory_mend(&memory, "seal");
	CHECK(memory.fault[0] && atomic_load(&memory.broken));
	log_memory_mend(&memory, "log");
	CHECK(!memory.fault[0] && !atomic_load(&memory.broken));
	log_state_free(&memory.state);
}

int
main(void)
{
	check_how_long();
	check_threads();
	check_faults();
	return check_summary("memory of the log");
}
