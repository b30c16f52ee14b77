/* source.c: which reader a file gets. */
#include "import/source.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

bool source_format(const char *name, enum format *format)
{
    static const struct {
        const char *name;
        enum format format;
    } formats[] = {{"csv", FORMAT_CSV}, {"tsv", FORMAT_CSV}, {"ndjson", FORMAT_NDJSON}, {"jsonl", FORMAT_NDJSON}, {"parquet", FORMAT_PARQUET}};

    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
        if (strcasecmp(name, formats[i].name) == 0) {
            *format = formats[i].format;
            return true;
        }
    return false;
}

struct source *source_open(const char *path, enum format format, enum kind kind, const struct settings *settings, char why[WHY_SIZE])
{
    const char *dot = strrchr(path, '.');
    bool tabs = dot && strcasecmp(dot, ".tsv") == 0;

    if (format == FORMAT_BY_NAME && (!dot || !source_format(dot + 1, &format))) {
        snprintf(why, WHY_SIZE, "nothing says what format it has: give --format csv, ndjson or parquet");
        return NULL;
    }
    switch (format) {
    case FORMAT_NDJSON: return ndjson_open(path, why);
    case FORMAT_PARQUET: return parquet_open(path, kind, settings, why);
    default: return csv_open(path, settings->delimiter ? settings->delimiter : tabs ? '\t' : ',', kind, settings, why);
    }
}
