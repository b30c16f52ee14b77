/* store.c: which store a URL names. */
#include "store.h"

#include "../log.h"

#include <string.h>

struct store *store_open(const struct config *config, const struct store_options *options)
{
    if (!strncmp(options->url, "file:///", 8))
        return store_file_open(options->url + 7);
    if (!strncmp(options->url, "s3://", 5))
        return store_s3_open(config, options);
    log_error("store \"%s\" is neither file:///directory nor s3://bucket", options->url);
    return NULL;
}
