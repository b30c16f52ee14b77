/*
 * division_name.h
 *		Which names divisions may have.
 */
#ifndef REASON_CORE_DIVISION_NAME_H
#define REASON_CORE_DIVISION_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define DIVISION_NAME_LENGTH 63

#define DIVISION_NAME_RULE "letters, digits, \"-\", \"_\" and \".\", at most 63 of them, beginning with a letter or digit, without two dots in a row"

/*
 * A name becomes a folder of objects, the key of messages and a part of
 * addresses, so that it must mean the same in all of them: as
 * DIVISION_NAME_RULE says, in ASCII.
 */
extern bool division_name_is_valid(const char *name, size_t length);

#endif							/* REASON_CORE_DIVISION_NAME_H */
