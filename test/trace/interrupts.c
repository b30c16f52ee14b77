/*
 * interrupts.c
 *		For tests: how long a backend goes on without looking whether it is to stop.
 *
 * A timer raises InterruptPending every few milliseconds of the backend's processor time, as a cancel
 * does, but asks for nothing: CHECK_FOR_INTERRUPTS() takes it down again.  If it is still up when the
 * timer comes the next time, nobody has looked.  So one run of a call shows its longest part without a
 * check, whereas a cancel must come within that part to find it.
 */
#include "postgres.h"

#include <signal.h>
#include <time.h>

#include "fmgr.h"
#include "miscadmin.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(watch_interrupts);
PG_FUNCTION_INFO_V1(longest_without_check);

#define TICK_NS 1000000

static timer_t timer;
static volatile double raised_at;
static volatile double longest;

static double
processor_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void
tick(int signal_number)
{
	double		now = processor_seconds();

	if (!InterruptPending)
		raised_at = now;
	else if (now - raised_at > longest)
		longest = now - raised_at;
	InterruptPending = true;
}

/* watch_interrupts() → void: from now on */
Datum
watch_interrupts(PG_FUNCTION_ARGS)
{
	struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF};
	struct itimerspec every = {.it_interval = {.tv_nsec = TICK_NS}, .it_value = {.tv_nsec = TICK_NS}};

	longest = 0;
	raised_at = processor_seconds();
	if (sigaction(SIGPROF, &action, NULL) != 0 ||
		timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) != 0 ||
		timer_settime(timer, 0, &every, NULL) != 0)
		elog(ERROR, "could not set a timer: %m");
	PG_RETURN_VOID();
}

/* longest_without_check() → double precision: seconds of processor time, since then and no longer */
Datum
longest_without_check(PG_FUNCTION_ARGS)
{
	timer_delete(timer);
	PG_RETURN_FLOAT8(longest);
}
