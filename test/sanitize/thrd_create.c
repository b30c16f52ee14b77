/*
 * thrd_create.c: C11 threads as POSIX threads, for ThreadSanitizer.
 *
 * clang 14's does not see threads that thrd_create() makes, as librdkafka does, and crashes in its own allocator when
 * one of them needs memory of the C library. Linked into the program, this comes before the C library's.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

struct start {
    thrd_start_t function;
    void *argument;
};

static void *run(void *context)
{
    struct start start = *(struct start *)context;

    free(context);
    return (void *)(intptr_t)start.function(start.argument);
}

int thrd_create(thrd_t *thread, thrd_start_t function, void *argument)
{
    struct start *start = malloc(sizeof(*start));

    if (!start)
        return thrd_nomem;
    *start = (struct start){function, argument};
    if (pthread_create(thread, NULL, run, start) == 0)
        return thrd_success;
    free(start);
    return thrd_error;
}

int thrd_join(thrd_t thread, int *result)
{
    void *returned;

    if (pthread_join(thread, &returned) != 0)
        return thrd_error;
    if (result)
        *result = (int)(intptr_t)returned;
    return thrd_success;
}
