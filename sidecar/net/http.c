/* http.c: requests over libcurl. */
#include "net/http.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/plain_file.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* When the process is to end, requests get so much longer. */
#define HURRY_MS 3000

static atomic_long hurry_until_ms;      /* 0: nobody hurries */

void http_hurry(void)
{
    atomic_store(&hurry_until_ms, clock_ms() + HURRY_MS);
}

struct http {
    CURL *curl;
    char *ca_file, *cert_file, *key_file;
};

struct exchange {
    const struct http_request *request;
    struct http_answer *answer;
    CURL *curl;
    bool begun;                 /* the answer's body */
};

static char *copy(const char *text)
{
    return text && *text ? strdup(text) : NULL;
}

struct http *http_new(const struct http_tls *tls)
{
    struct http *http = calloc(1, sizeof(*http));

    if (!http)
        return NULL;
    http->curl = curl_easy_init();
    if (tls) {
        http->ca_file = copy(tls->ca_file);
        http->cert_file = copy(tls->cert_file);
        http->key_file = copy(tls->key_file);
    }
    if (!http->curl) {
        http_free(http);
        return NULL;
    }
    return http;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    curl_easy_cleanup(http->curl);
    free(http->ca_file);
    free(http->cert_file);
    free(http->key_file);
    free(http);
}

static bool append(char **text, size_t *length, const char *bytes, size_t count)
{
    char *larger;

    if (*length + count > HTTP_ANSWER_MOST)
        return false;
    larger = realloc(*text, *length + count + 1);
    if (!larger)
        return false;
    memcpy(larger + *length, bytes, count);
    *length += count;
    larger[*length] = '\0';
    *text = larger;
    return true;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;

    /* an interim answer (100 Continue) is not the answer */
    if (size * count > 5 && !strncasecmp(bytes, "HTTP/", 5))
        exchange->answer->headers_length = 0;
    return append(&exchange->answer->headers, &exchange->answer->headers_length, bytes, size * count) ? size * count : 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    char coding[32];
    long status = 0;

    /* a compressed body was not asked for, and would be taken for what it is not */
    if (!exchange->begun && http_answer_header(exchange->answer, "content-encoding", coding, sizeof(coding)) && strcasecmp(coding, "identity") != 0) {
        snprintf(exchange->answer->error, sizeof(exchange->answer->error), "the answer is encoded (%s), which was not asked for", coding);
        return 0;
    }
    exchange->begun = true;
    curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &status);
    if (exchange->request->take && status / 100 == 2)
        return exchange->request->take(exchange->request->take_context, bytes, size * count) ? size * count : 0;
    return append(&exchange->answer->body, &exchange->answer->body_length, bytes, size * count) ? size * count : 0;
}

static size_t on_read(char *buffer, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    long n = exchange->request->read(exchange->request->read_context, buffer, size * count);

    return n < 0 ? CURL_READFUNC_ABORT : (size_t)n;
}

/* Whether the process should have ended by now. */
static bool is_late(void)
{
    long until_ms = atomic_load(&hurry_until_ms);

    return until_ms && clock_ms() > until_ms;
}

static int on_progress(void *context, curl_off_t down_most, curl_off_t down, curl_off_t up_most, curl_off_t up)
{
    const struct exchange *exchange = context;

    (void)down_most, (void)down, (void)up_most, (void)up;
    return exchange->request->give_up ? exchange->request->give_up() : is_late();
}

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value)
{
    char *line = NULL;
    struct curl_slist *longer = NULL;

    if (asprintf(&line, "%s: %s", name, value) >= 0)
        longer = curl_slist_append(list, line);
    free(line);
    return longer ? longer : list;
}

/* OpenSSL opens them itself, and would wait for the writer of a FIFO. */
static bool files_permit(const struct http *http, struct http_answer *answer)
{
    const char *const files[] = {http->ca_file, http->cert_file, http->key_file};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (files[i] && !plain_file_permits(files[i])) {
            snprintf(answer->error, sizeof(answer->error), "\"%.200s\" is no regular file", files[i]);
            return false;
        }
    return true;
}

bool http_call(struct http *http, const struct http_request *request, struct http_answer *answer)
{
    CURL *curl = http->curl;
    struct exchange exchange = {.request = request, .answer = answer, .curl = curl};
    char error[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL, *places = NULL;
    char *place = NULL;
    CURLcode code;

    memset(answer, 0, sizeof(*answer));
    if (is_late() && !request->give_up) {
        snprintf(answer->error, sizeof(answer->error), "this process ends");
        return false;
    }
    if (!files_permit(http, answer))
        return false;
    for (size_t i = 0; i < request->header_count; i++)
        headers = add_header(headers, request->headers[i].name, request->headers[i].value);
    /* libcurl would wait a second for 100 Continue, and invent a type for a body */
    headers = curl_slist_append(headers, "Expect:");
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, request->timeout_ms < 5000 ? (long)request->timeout_ms : 5000L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &exchange);
    if (request->connect_to && request->connect_to[0] && asprintf(&place, "::%s", request->connect_to) >= 0) {
        places = curl_slist_append(NULL, place);
        curl_easy_setopt(curl, CURLOPT_CONNECT_TO, places);
    }
    if (http->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, http->ca_file);
    if (http->cert_file) {
        curl_easy_setopt(curl, CURLOPT_SSLCERT, http->cert_file);
        curl_easy_setopt(curl, CURLOPT_SSLKEY, http->key_file ? http->key_file : http->cert_file);
        /* OpenSSL would ask whoever sits at the terminal for the passphrase of an encrypted key */
        curl_easy_setopt(curl, CURLOPT_KEYPASSWD, "");
    }
    if (!strcmp(request->method, "HEAD")) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else if (request->read) {
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(curl, CURLOPT_READDATA, &exchange);
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_size);
    } else if (request->body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
        headers = curl_slist_append(headers, "Accept:");
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, strcmp(request->method, "HEAD") ? request->method : NULL);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    else if (!answer->error[0])
        snprintf(answer->error, sizeof(answer->error), "%s", error[0] ? error : curl_easy_strerror(code));
    answer->cut = code == CURLE_GOT_NOTHING || code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_PARTIAL_FILE
                  || code == CURLE_WRITE_ERROR;
    /* the options point into this call's frame */
    curl_easy_reset(curl);
    curl_slist_free_all(headers);
    curl_slist_free_all(places);
    free(place);
    return code == CURLE_OK && answer->status != 0;
}

void http_answer_free(struct http_answer *answer)
{
    free(answer->body);
    free(answer->headers);
    memset(answer, 0, sizeof(*answer));
}

bool http_answer_header(const struct http_answer *answer, const char *name, char *value, size_t size)
{
    size_t length = strlen(name);

    for (const char *line = answer->headers; line && *line;) {
        const char *end = strstr(line, "\r\n");

        if (!end)
            end = line + strlen(line);
        if (!strncasecmp(line, name, length) && line[length] == ':') {
            line += length + 1;
            while (line < end && *line == ' ')
                line++;
            while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
                end--;
            snprintf(value, size, "%.*s", (int)(end - line), line);
            return true;
        }
        line = *end ? end + 2 : end;
    }
    return false;
}

bool http_is_loopback(const char *url)
{
    const char *host = url + strlen("http://");
    size_t length, port;

    if (strncasecmp(url, "http://", strlen("http://")) != 0)
        return false;
    length = strcspn(host, "/");
    port = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
    /* what stands before an @ is no host */
    if (memchr(host, '@', length))
        return false;
    return (port == 9 && !strncasecmp(host, "localhost", 9)) || (port == 5 && !strncmp(host, "[::1]", 5))
           || (!strncmp(host, "127.", 4) && strspn(host, "0123456789.") == port);
}
