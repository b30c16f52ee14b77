/*
 * must.h
 *		What a fuzzer says must be true; anything else ends it, with its input kept by libFuzzer.
 */
#ifndef REASON_FUZZ_MUST_H
#define REASON_FUZZ_MUST_H

#include <stdio.h>
#include <stdlib.h>

#define MUST(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

#endif							/* REASON_FUZZ_MUST_H */
