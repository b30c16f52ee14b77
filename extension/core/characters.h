/*
 * characters.h
 *		Characters of UTF-8 text, and which of them cannot be seen.
 */
#ifndef REASON_CORE_CHARACTERS_H
#define REASON_CORE_CHARACTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length of the character that begins at p, before `end` (RFC 3629); 0 if these bytes are none. */
extern size_t character_read(const char *p, const char *end, uint32_t *character);

/*
 * Whether a character steers what shows it, or leaves no mark: controls,
 * General_Category Cf, Zl, Zp, and Default_Ignorable_Code_Point but for
 * variation selectors (Unicode 15).
 */
extern bool character_is_hidden(uint32_t character);

/* Space in one of its widths: General_Category Zs (Unicode 15). */
extern bool character_is_space(uint32_t character);

#endif							/* REASON_CORE_CHARACTERS_H */
