/*
 * forgery_alter.h
 *		What the forger does: one step of a program alters one value of a JSON text, or one line of a chain.
 */
#ifndef REASON_FUZZ_FORGERY_ALTER_H
#define REASON_FUZZ_FORGERY_ALTER_H

#include <stdint.h>

#include "core/buffer.h"

/* The fuzzer's input, as a series of choices. */
typedef struct
{
	const uint8_t *next;
	const uint8_t *end;
} ForgeryProgram;

/* A number less than `count`; 0 once the program has ended. */
uint32_t forgery_choose(ForgeryProgram *program, uint32_t count);

/* One value of a JSON text becomes something else; what is left need not be JSON.  Replaces what `out` holds. */
void forgery_alter_value(ByteBuffer *out, const ByteBuffer *text, ForgeryProgram *program);

/* A line of a chain is altered, dropped, repeated, or goes to the end.  Replaces what `out` holds. */
void forgery_alter_chain(ByteBuffer *out, const ByteBuffer *text, ForgeryProgram *program);

#endif							/* REASON_FUZZ_FORGERY_ALTER_H */
