/*
 * Text from outside as it may be printed.
 *
 * Names of files, members of documents and messages of servers hold any bytes. A terminal obeys control
 * characters, and shows a line in another order than it is written where characters for bidirectional text
 * say so: "verified" could be printed where "refused" stands. Characters that do so, and those that cannot be
 * seen, are printed as escapes.
 */
#include "verify.h"

/* First and last of each range, ascending. Unicode 15: controls, General_Category Cf, Zl, Zp, and Default_Ignorable_Code_Point but for variation selectors. */
static const uint32_t hidden[][2] = {
    {0x00, 0x1F}, {0x7F, 0x9F}, {0xAD, 0xAD}, {0x34F, 0x34F}, {0x600, 0x605}, {0x61C, 0x61C}, {0x6DD, 0x6DD},
    {0x70F, 0x70F}, {0x890, 0x891}, {0x8E2, 0x8E2}, {0x115F, 0x1160}, {0x17B4, 0x17B5}, {0x180B, 0x180F},
    {0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F}, {0x3164, 0x3164}, {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0},
    {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0x110BD, 0x110BD}, {0x110CD, 0x110CD}, {0x13430, 0x1343F},
    {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
};

static bool is_hidden(uint32_t character)
{
    for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden) && hidden[i][0] <= character; i++) {
        if (character <= hidden[i][1])
            return true;
    }
    return false;
}

/* Length of the character at p (RFC 3629), 0 if these bytes are none. */
static size_t read_character(const unsigned char *p, const unsigned char *end, uint32_t *character)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = *p < 0x80 ? 1 : *p >= 0xF0 && *p <= 0xF4 ? 4 : *p >= 0xE0 && *p < 0xF0 ? 3 : *p >= 0xC2 && *p < 0xE0 ? 2 : 0;

    if (length == 0 || (size_t)(end - p) < length)
        return 0;
    *character = length == 1 ? *p : *p & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        *character = *character << 6 | (p[i] & 0x3F);
    }
    if (*character < smallest[length] || *character > 0x10FFFF || (*character >= 0xD800 && *character <= 0xDFFF))
        return 0;
    return length;
}

static void append_hex(ByteBuffer *out, const char *prefix, uint32_t value, int digits)
{
    buffer_append(out, prefix, strlen(prefix));
    for (int i = digits - 1; i >= 0; i--)
        buffer_append_char(out, "0123456789abcdef"[value >> (4 * i) & 0xF]);
}

void safe_text_for_person(ByteBuffer *out, const char *text, size_t length)
{
    const unsigned char *end = (const unsigned char *)text + length;

    for (const unsigned char *p = (const unsigned char *)text; p < end;) {
        uint32_t character;
        size_t size = read_character(p, end, &character);

        if (size == 0)
            append_hex(out, "\\x", *p, 2);
        else if (character == '\\')
            buffer_append_literal(out, "\\\\");
        else if (!is_hidden(character))
            buffer_append(out, p, size);
        else if (character <= 0x7F)
            append_hex(out, "\\x", character, 2);
        else if (character <= 0xFFFF)
            append_hex(out, "\\u", character, 4);
        else
            append_hex(out, "\\U", character, 8);
        p += size ? size : 1;
    }
}

void safe_text_for_machine(ByteBuffer *out, const char *text, size_t length)
{
    const unsigned char *end = (const unsigned char *)text + length;

    buffer_append_char(out, '"');
    for (const unsigned char *p = (const unsigned char *)text; p < end;) {
        uint32_t character;
        size_t size = read_character(p, end, &character);

        if (size == 0)
            append_hex(out, "\\u", 0xFFFD, 4);
        else if (character == '\\' || character == '"') {
            buffer_append_char(out, '\\');
            buffer_append_char(out, (char)character);
        } else if (!is_hidden(character))
            buffer_append(out, p, size);
        else if (character <= 0xFFFF)
            append_hex(out, "\\u", character, 4);
        else {
            append_hex(out, "\\u", 0xD7C0 + (character >> 10), 4);
            append_hex(out, "\\u", 0xDC00 | (character & 0x3FF), 4);
        }
        p += size ? size : 1;
    }
    buffer_append_char(out, '"');
}

void safe_text_print(FILE *file, const char *text)
{
    ByteBuffer out;

    buffer_init(&out, NULL, NULL);
    safe_text_for_person(&out, text, strlen(text));
    fwrite(out.data, 1, out.length, file);
    buffer_free(&out);
}
