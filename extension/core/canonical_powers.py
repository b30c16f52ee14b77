#!/usr/bin/env python3
"""Prints canonical_powers.h: the powers of ten that number conversion multiplies by.

    python3 canonical_powers.py > canonical_powers.h
"""

FIRST, LAST = -342, 324

print("""/*
 * canonical_powers.h
 *		The 128 most significant bits of powers of ten, rounded down.
 *
 * Made by core/canonical_powers.py; do not edit.  Entry k - POWERS_FIRST stands for
 * 10^k = (high * 2^64 + low) * 2^e, with the highest bit of `high` set and e =
 * floor(k * log2(10)) - 127.  Exact for 0 <= k <= 55, else 10^k is a little more.
 */
#ifndef REASON_CORE_CANONICAL_POWERS_H
#define REASON_CORE_CANONICAL_POWERS_H

#include <stdint.h>

#define POWERS_FIRST (%d)
#define POWERS_LAST %d
#define POWERS_EXACT_LAST 55

typedef struct PowerOfTen
{
	uint64_t	high;
	uint64_t	low;
} PowerOfTen;

static const PowerOfTen powers_of_ten[POWERS_LAST - POWERS_FIRST + 1] = {""" % (FIRST, LAST))
for k in range(FIRST, LAST + 1):
    if k >= 0:
        value = 10 ** k
        bits = value.bit_length()
        significand = value >> (bits - 128) if bits > 128 else value << (128 - bits)
    else:
        divisor = 10 ** -k
        shift = 128 + divisor.bit_length()
        significand = (1 << shift) // divisor
        significand >>= significand.bit_length() - 128
    print("\t{0x%016xULL, 0x%016xULL},\t/* %d */" % (significand >> 64, significand & (1 << 64) - 1, k))
print("""};

#endif							/* REASON_CORE_CANONICAL_POWERS_H */""")
