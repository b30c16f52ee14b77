/*
 * uuid_text.h
 *		UUIDs in the one text form that records hold: RFC 9562, lower case.
 */
#ifndef REASON_CORE_UUID_TEXT_H
#define REASON_CORE_UUID_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UUID_BYTES 16
#define UUID_TEXT_LENGTH 36

/* False for every other text, also for the same UUID written in another way. */
extern bool uuid_read_text(const char *text, size_t length, uint8_t id[UUID_BYTES]);

/* Terminated. */
extern void uuid_write_text(char text[UUID_TEXT_LENGTH + 1], const uint8_t id[UUID_BYTES]);

#endif							/* REASON_CORE_UUID_TEXT_H */
