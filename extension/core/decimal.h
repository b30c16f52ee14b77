/*
 * decimal.h
 *		Numbers of logs in text: decimals without leading zeros.
 */
#ifndef REASON_CORE_DECIMAL_H
#define REASON_CORE_DECIMAL_H

#include "core/buffer.h"

/* At most 2^63 - 1; false for every other text. */
extern bool decimal_read(const char *text, size_t length, uint64_t *number);
extern void decimal_append(ByteBuffer *out, uint64_t number);

#endif							/* REASON_CORE_DECIMAL_H */
