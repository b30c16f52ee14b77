/*
 * json_string.h
 *		Reads the strings of a JSON text.
 */
#ifndef REASON_CORE_JSON_STRING_H
#define REASON_CORE_JSON_STRING_H

#include "core/json_internal.h"

/* Reads the string at p (its quote) into a new node; returns what follows it, NULL after an error. */
extern const char *json_read_string(JsonReader *reader, const char *p);

#endif							/* REASON_CORE_JSON_STRING_H */
