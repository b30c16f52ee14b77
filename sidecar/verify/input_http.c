/*
 * Reads an object over HTTP: from a URL as it is, or from a store that speaks S3.
 *
 * s3://BUCKET/KEY[?versionId=…] takes endpoint, region and credentials from the environment
 * variables that other S3 tools use; requests are signed as the sidecar signs its own.
 */
#include <ctype.h>
#include <curl/curl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "net/sigv4.h"
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
    ByteBuffer *body = &((Input *)input)->bytes;

    if (size * count > BODY_BYTES_MOST || body->length + size * count > BODY_BYTES_MOST
        || body->length + size * count > ((Input *)input)->most)
        return 0;
    buffer_append(body, bytes, size * count);
    return body->failed ? 0 : size * count;
}

/* The value of a header line without white space around it, if the line is of that name; NULL if not. */
static const char *header_value(const char *line, size_t length, const char *name, size_t *value_length)
{
    size_t name_length = strlen(name);
    const char *value = line + name_length + 1, *end = line + length;

    if (length <= name_length || line[name_length] != ':' || strncasecmp(line, name, name_length) != 0)
        return NULL;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *value_length = (size_t)(end - value);
    return value;
}

/* Metadata of the object becomes a JSON object, as the file store keeps it beside the object. */
static void take_metadata(ByteBuffer *metadata, char *line, size_t length)
{
    const size_t prefix = sizeof(metadata_prefix) - 1;
    char *colon = memchr(line, ':', length);
    char name[200];
    const char *value;
    size_t value_length;

    if (!colon || (size_t)(colon - line) <= prefix || (size_t)(colon - line) >= sizeof(name)
        || strncasecmp(line, metadata_prefix, prefix) != 0)
        return;
    for (size_t i = 0; line + i <= colon; i++)
        name[i] = line + i < colon ? (char)tolower((unsigned char)line[i]) : '\0';
    value = header_value(line, length, name, &value_length);
    buffer_append_char(metadata, metadata->length ? ',' : '{');
    safe_text_for_machine(metadata, name + prefix, strlen(name) - prefix);
    buffer_append_char(metadata, ':');
    safe_text_for_machine(metadata, value, value_length);
}

static size_t take_header(char *bytes, size_t size, size_t count, void *context)
{
    Input *input = context;
    size_t length = size * count, value_length;
    const char *value;

    /* A compressed body was not asked for: its bytes are not those that were signed. */
    if (!input->may_compress && header_value(bytes, length, "content-encoding", &value_length)
        && !memmem(bytes, length, "identity", 8))
        return 0;
    /* The headers of a response before the last one do not count. */
    if (length > 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        input->metadata.length = 0;
        input->version.length = 0;
    }
    value = header_value(bytes, length, "x-amz-version-id", &value_length);
    if (value)
        buffer_append(&input->version, value, value_length);
    take_metadata(&input->metadata, bytes, length);
    return length;
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

/* A request to S3, and what it is signed over. */
typedef struct {
    char url[4096];
    char host[300];
    char path[3200];
    char query[1200];
    char version[400]; /* that is asked for, "": the present one */
} S3Request;

/* Where buckets are. */
static const char *s3_endpoint(char *standard, size_t size, const char *region)
{
    const char *endpoint = variable("AWS_ENDPOINT_URL_S3");

    if (!endpoint)
        endpoint = variable("AWS_ENDPOINT_URL");
    if (!endpoint) {
        snprintf(standard, size, "https://s3.%s.amazonaws.com", region);
        endpoint = standard;
    }
    return endpoint;
}

/* Host as it is sent, and path; false when the endpoint is no URL of a server. */
static bool split_endpoint(S3Request *request, const char *endpoint)
{
    CURLU *url = curl_url();
    char *host = NULL, *port = NULL, *path = NULL;
    size_t length;
    bool good;

    good = url && curl_url_set(url, CURLUPART_URL, endpoint, 0) == CURLUE_OK
           && curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK
           && curl_url_get(url, CURLUPART_PATH, &path, 0) == CURLUE_OK;
    if (good && curl_url_get(url, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT) != CURLUE_OK)
        port = NULL;
    good = good && snprintf(request->host, sizeof(request->host), "%s%s%s", host, port ? ":" : "", port ? port : "") <
           (int)sizeof(request->host)
           && snprintf(request->path, sizeof(request->path), "%s", path) < (int)sizeof(request->path);
    length = good ? strlen(request->path) : 0;
    while (length > 0 && request->path[length - 1] == '/')
        request->path[--length] = '\0';
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_url_cleanup(url);
    return good;
}

/* s3://BUCKET/KEY[?versionId=ID] at the endpoint, buckets in the path. Key and version stand there as they are, not encoded. */
static bool s3_request(S3Request *request, const char *location, const char *region)
{
    static const char parameter[] = "?versionId=";
    char standard[300], key[1500];
    const char *endpoint = s3_endpoint(standard, sizeof(standard), region);
    const char *name = location + sizeof("s3://") - 1;
    const char *version = strstr(name, parameter);
    size_t name_length = version ? (size_t)(version - name) : strlen(name);
    size_t origin, prefix;

    memset(request, 0, sizeof(*request));
    if (!split_endpoint(request, endpoint) || name_length + 2 > sizeof(key))
        return false;
    snprintf(key, sizeof(key), "/%.*s", (int)name_length, name);
    prefix = strlen(request->path);
    if (!sigv4_encode(key, true, request->path + prefix, sizeof(request->path) - prefix))
        return false;
    if (version) {
        size_t written = (size_t)snprintf(request->query, sizeof(request->query), "versionId=");

        version += sizeof(parameter) - 1;
        if (snprintf(request->version, sizeof(request->version), "%s", version) >= (int)sizeof(request->version)
            || !sigv4_encode(version, false, request->query + written, sizeof(request->query) - written))
            return false;
    }
    origin = strstr(endpoint, "://") ? (size_t)(strstr(endpoint, "://") + 3 - endpoint) : 0;
    origin += strcspn(endpoint + origin, "/?#");
    return snprintf(request->url, sizeof(request->url), "%.*s%s%s%s", (int)origin, endpoint, request->path, version ? "?" : "",
                    request->query) < (int)sizeof(request->url);
}

static bool add_header(struct curl_slist **headers, const char *name, const char *value)
{
    char line[6000];
    struct curl_slist *longer;

    if (snprintf(line, sizeof(line), "%s: %s", name, value) >= (int)sizeof(line))
        return false;
    longer = curl_slist_append(*headers, line);
    *headers = longer ? longer : *headers;
    return longer != NULL;
}

/* Credentials are optional: a public object needs none. */
static bool sign(struct curl_slist **headers, const S3Request *request, const char *region)
{
    static const char empty_hash[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const char *key = variable("AWS_ACCESS_KEY_ID");
    const char *secret = variable("AWS_SECRET_ACCESS_KEY");
    const char *token = variable("AWS_SESSION_TOKEN");
    struct sigv4_credentials credentials;
    char date[17], authorization[2048];
    const struct http_header signed_headers[] = {
        {"host", request->host}, {"x-amz-content-sha256", empty_hash}, {"x-amz-date", date}, {"x-amz-security-token", token}
    };
    struct sigv4_request to_sign = {.method = "GET", .path = request->path, .query = request->query, .headers = signed_headers,
                                    .header_count = token ? 4 : 3, .payload_hash = empty_hash, .region = region, .service = "s3", .at = time(NULL)};
    bool good;

    if (!key || !secret)
        return true;
    sigv4_date(to_sign.at, date);
    good = snprintf(credentials.access_key, sizeof(credentials.access_key), "%s", key) < (int)sizeof(credentials.access_key)
           && snprintf(credentials.secret_key, sizeof(credentials.secret_key), "%s", secret) < (int)sizeof(credentials.secret_key)
           && sigv4_authorization(&to_sign, &credentials, authorization, sizeof(authorization));
    sodium_memzero(&credentials, sizeof(credentials));
    for (size_t i = 0; good && i < to_sign.header_count; i++)
        good = add_header(headers, signed_headers[i].name, signed_headers[i].value);
    return good && add_header(headers, "authorization", authorization);
}

/* The store gave the version that was asked for, as far as it says. */
static bool is_version(const Input *input, const S3Request *request, ByteBuffer *error, const char *location)
{
    size_t asked = strlen(request->version);

    if (asked == 0 || input->version.length == 0
        || (input->version.length == asked && memcmp(input->version.data, request->version, asked) == 0))
        return true;
    fail(error, location, "the store gave another version: ");
    buffer_append(error, input->version.data, input->version.length);
    return false;
}

static CURL *kept;
static const char *client_certificate, *client_key, *server_authorities;

void input_identify(const char *certificate, const char *key, const char *authorities)
{
    client_certificate = certificate;
    client_key = key;
    server_authorities = authorities;
}

void input_close(void)
{
    curl_easy_cleanup(kept);
    kept = NULL;
}

/* One for all requests, so that what comes in many pieces comes over one connection. */
static CURL *connection(void)
{
    if (!kept)
        kept = curl_easy_init();
    return kept;
}

bool input_read_http(Input *input, const char *location, ByteBuffer *error)
{
    bool is_s3 = strncmp(location, "s3://", 5) == 0;
    const char *region = variable("AWS_REGION") ? variable("AWS_REGION") : "us-east-1";
    S3Request request = {.version = ""};
    CURL *curl = connection();
    struct curl_slist *headers = NULL;
    char detail[CURL_ERROR_SIZE] = "";
    long status = 0;
    CURLcode result;
    bool good = false;

    if (!curl) {
        fail(error, location, "out of memory");
        goto done;
    }
    if (is_s3 && (!s3_request(&request, location, region) || !sign(&headers, &request, region))) {
        fail(error, location, "no request can be made of it, its endpoint and credentials");
        goto done;
    }
    input->version_asked = request.version[0] != '\0';
    curl_easy_setopt(curl, CURLOPT_URL, is_s3 ? request.url : location);
    /* What was signed is what is sent. */
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, is_s3 ? 1L : 0L);
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
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (input->may_compress)
        curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
    /* The client certificate is for the server that was named, and not for a store. */
    if (!is_s3) {
        curl_easy_setopt(curl, CURLOPT_SSLCERT, client_certificate);
        curl_easy_setopt(curl, CURLOPT_SSLKEY, client_key);
        if (server_authorities)
            curl_easy_setopt(curl, CURLOPT_CAINFO, server_authorities);
    }

    result = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (result == CURLE_WRITE_ERROR)
        fail(error, location, input->may_compress ? "the answer is larger than it can be" : "the answer is compressed, or larger than 2 GiB");
    else if (result != CURLE_OK)
        fail(error, location, detail[0] ? detail : curl_easy_strerror(result));
    else if (status != 200) {
        char what[60];

        snprintf(what, sizeof(what), "the server answered %ld", status);
        fail(error, location, what);
    } else
        good = is_version(input, &request, error, location);
    if (input->metadata.length)
        buffer_append_char(&input->metadata, '}');
done:
    if (curl)
        curl_easy_reset(curl);
    curl_slist_free_all(headers);
    return good;
}
