/*
 * Reads an object over HTTP: from a URL as it is, or from a store that speaks S3.
 *
 * s3://BUCKET/KEY[?versionId=…] takes endpoint, region and credentials from the environment
 * variables that other S3 tools use; requests are signed by libcurl (AWS Signature Version 4).
 */
#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/canonical.h"
#include "verify.h"

#define CONNECT_SECONDS 10L
/* Slower than this for so long, and the transfer is given up. */
#define STALLED_BYTES_PER_SECOND 1024L
#define STALLED_SECONDS 30L
#define BODY_BYTES_MOST ((size_t) 2 << 30)

static const char metadata_prefix[] = "x-amz-meta-";

static bool fail(ByteBuffer *error, const char *location, const char *what)
{
    buffer_append(error, location, strlen(location));
    buffer_append_literal(error, ": ");
    buffer_append(error, what, strlen(what));
    return false;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *input)
{
    ByteBuffer *body = &((Input *) input)->bytes;

    if (body->length + size * count > BODY_BYTES_MOST)
        return 0;
    buffer_append(body, bytes, size * count);
    return body->failed ? 0 : size * count;
}

/* Metadata of the object becomes a JSON object, as the file store keeps it beside the object. */
static size_t take_header(char *bytes, size_t size, size_t count, void *context)
{
    ByteBuffer *metadata = &((Input *) context)->metadata;
    size_t length = size * count;
    const size_t prefix = sizeof(metadata_prefix) - 1;
    char *colon = memchr(bytes, ':', length);
    char *end = bytes + length;
    char *value;

    /* Nobody asked for a compressed body: its bytes are not those that were signed. */
    if (length > 17 && strncasecmp(bytes, "content-encoding:", 17) == 0 && !memmem(bytes, length, "identity", 8))
        return 0;
    /* The headers of a response before the last one do not count. */
    if (length > 5 && memcmp(bytes, "HTTP/", 5) == 0)
        metadata->length = 0;
    if (!colon || length <= prefix || strncasecmp(bytes, metadata_prefix, prefix) != 0)
        return length;
    for (char *p = bytes; p < colon; p++)
        *p = (char) tolower((unsigned char) *p);
    value = colon + 1;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
        end--;
    buffer_append_char(metadata, metadata->length ? ',' : '{');
    canonical_write_string(metadata, bytes + prefix, (size_t) (colon - bytes) - prefix);
    buffer_append_char(metadata, ':');
    canonical_write_string(metadata, value, (size_t) (end - value));
    return length;
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

/* The URL of s3://BUCKET/KEY at the endpoint, buckets in the path. */
static char *s3_url(const char *location)
{
    const char *endpoint = variable("AWS_ENDPOINT_URL_S3");
    const char *region = variable("AWS_REGION");
    char standard[100];
    char *url;
    int length;

    if (!endpoint)
        endpoint = variable("AWS_ENDPOINT_URL");
    if (!endpoint) {
        snprintf(standard, sizeof(standard), "https://s3.%s.amazonaws.com", region ? region : "us-east-1");
        endpoint = standard;
    }
    length = (int) strlen(endpoint);
    while (length > 0 && endpoint[length - 1] == '/')
        length--;
    return asprintf(&url, "%.*s/%s", length, endpoint, location + sizeof("s3://") - 1) < 0 ? NULL : url;
}

/* Credentials are optional: a public object needs none. */
static void sign(CURL *curl, struct curl_slist **headers)
{
    const char *key = variable("AWS_ACCESS_KEY_ID");
    const char *secret = variable("AWS_SECRET_ACCESS_KEY");
    const char *token = variable("AWS_SESSION_TOKEN");
    const char *region = variable("AWS_REGION");
    char scope[100];
    char header[4096];

    if (!key || !secret)
        return;
    snprintf(scope, sizeof(scope), "aws:amz:%s:s3", region ? region : "us-east-1");
    curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, scope);
    curl_easy_setopt(curl, CURLOPT_USERNAME, key);
    curl_easy_setopt(curl, CURLOPT_PASSWORD, secret);
    *headers = curl_slist_append(*headers, "x-amz-content-sha256: UNSIGNED-PAYLOAD");
    if (token && snprintf(header, sizeof(header), "x-amz-security-token: %s", token) < (int) sizeof(header))
        *headers = curl_slist_append(*headers, header);
}

bool input_read_http(Input *input, const char *location, ByteBuffer *error)
{
    bool is_s3 = strncmp(location, "s3://", 5) == 0;
    char *url = is_s3 ? s3_url(location) : strdup(location);
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = NULL;
    char detail[CURL_ERROR_SIZE] = "";
    long status = 0;
    CURLcode result;
    bool good = false;

    if (!url || !curl) {
        fail(error, location, "out of memory");
        goto done;
    }
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, input);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, input);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "reason-verify/" REASON_VERSION);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, STALLED_BYTES_PER_SECOND);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, STALLED_SECONDS);
    if (is_s3)
        sign(curl, &headers);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);

    result = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (result == CURLE_WRITE_ERROR)
        fail(error, location, "the answer is compressed, or larger than 2 GiB");
    else if (result != CURLE_OK)
        fail(error, location, detail[0] ? detail : curl_easy_strerror(result));
    else if (status != 200) {
        char what[60];

        snprintf(what, sizeof(what), "the server answered %ld", status);
        fail(error, location, what);
    } else
        good = true;
    if (input->metadata.length)
        buffer_append_char(&input->metadata, '}');
done:
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    free(url);
    return good;
}
