/* credentials.c: reading the credentials that requests to AWS and to stores of its kind are signed with. */
#include "net/credentials.h"

#include "base/log.h"
#include "base/plain_file.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* False: the value has no room. */
static bool take(char *field, size_t size, const char *value)
{
    while (*value == ' ' || *value == '\t')
        value++;
    return snprintf(field, size, "%.*s", (int)strcspn(value, "\r\n \t"), value) < (int)size;
}

bool sigv4_load_credentials(const char *path, struct sigv4_credentials *credentials)
{
    bool whole = true;

    memset(credentials, 0, sizeof(*credentials));
    if (path && *path) {
        char line[4400];
        FILE *file = plain_file_open(path);

        if (!file)
            return false;
        while (whole && fgets(line, sizeof(line), file)) {
            char *equals = strchr(line, '=');

            if (!equals)
                continue;
            if (!strncmp(line, "aws_access_key_id", 17))
                whole = take(credentials->access_key, sizeof(credentials->access_key), equals + 1);
            else if (!strncmp(line, "aws_secret_access_key", 21))
                whole = take(credentials->secret_key, sizeof(credentials->secret_key), equals + 1);
            else if (!strncmp(line, "aws_session_token", 17))
                whole = take(credentials->session_token, sizeof(credentials->session_token), equals + 1);
        }
        fclose(file);
        sodium_memzero(line, sizeof(line));
    } else {
        const char *access_key = getenv("AWS_ACCESS_KEY_ID"), *secret_key = getenv("AWS_SECRET_ACCESS_KEY"), *token = getenv("AWS_SESSION_TOKEN");

        whole = take(credentials->access_key, sizeof(credentials->access_key), access_key ? access_key : "")
                && take(credentials->secret_key, sizeof(credentials->secret_key), secret_key ? secret_key : "")
                && take(credentials->session_token, sizeof(credentials->session_token), token ? token : "");
    }
    if (!whole) {
        log_error("a credential in %s is too long", path && *path ? path : "the environment");
        return false;
    }
    if (!credentials->access_key[0] || !credentials->secret_key[0]) {
        log_error("there are no credentials in %s", path && *path ? path : "the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)");
        return false;
    }
    return true;
}
