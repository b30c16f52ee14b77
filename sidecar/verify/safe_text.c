/*
 * Text from outside as it may be printed.
 *
 * Names of files, members of documents and messages of servers hold any bytes. A terminal obeys control
 * characters, and shows a line in another order than it is written where characters for bidirectional text
 * say so: "verified" could be printed where "refused" stands. Characters that do so, and those that cannot be
 * seen, are printed as escapes.
 */
#include "core/characters.h"
#include "verify.h"

static void append_hex(ByteBuffer *out, const char *prefix, uint32_t value, int digits)
{
    buffer_append(out, prefix, strlen(prefix));
    for (int i = digits - 1; i >= 0; i--)
        buffer_append_char(out, "0123456789abcdef"[value >> (4 * i) & 0xF]);
}

void safe_text_for_person(ByteBuffer *out, const char *text, size_t length)
{
    const char *end = text + length;

    for (const char *p = text; p < end;) {
        uint32_t character;
        size_t size = character_read(p, end, &character);

        if (size == 0)
            append_hex(out, "\\x", (unsigned char)*p, 2);
        else if (character == '\\')
            buffer_append_literal(out, "\\\\");
        else if (!character_is_hidden(character))
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
    const char *end = text + length;

    buffer_append_char(out, '"');
    for (const char *p = text; p < end;) {
        uint32_t character;
        size_t size = character_read(p, end, &character);

        if (size == 0)
            append_hex(out, "\\u", 0xFFFD, 4);
        else if (character == '\\' || character == '"') {
            buffer_append_char(out, '\\');
            buffer_append_char(out, (char)character);
        } else if (!character_is_hidden(character))
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
