/*
 * recorded_time.h
 *		Times in the one text form that records and documents hold: RFC 3339 in UTC, with microseconds.
 */
#ifndef REASON_CORE_RECORDED_TIME_H
#define REASON_CORE_RECORDED_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whole seconds since 1970; false for every other text, also for the same time written in another way. */
extern bool recorded_time_read(const char *text, size_t length, int64_t *seconds);

#endif							/* REASON_CORE_RECORDED_TIME_H */
