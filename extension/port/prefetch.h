/*
 * prefetch.h
 *		Having the processor fetch memory ahead.
 */
#ifndef REASON_PORT_PREFETCH_H
#define REASON_PORT_PREFETCH_H

/*
 * The line of an address that is read soon.  A function that does nothing but this is without effect to GCC, which
 * then drops its calls; the empty statement, which has one, keeps them.
 */
static inline void
prefetch_line(const void *address)
{
	__builtin_prefetch(address);
	__asm__ volatile ("");
}

#endif							/* REASON_PORT_PREFETCH_H */
