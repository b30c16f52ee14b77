/*
 * http.h: requests over libcurl.
 *
 * One struct http keeps its connections alive and is used by one thread at a time. Answers are held in memory up to
 * HTTP_ANSWER_MOST bytes, unless the caller takes them piece by piece. Redirects are not followed: they are answers, of
 * status 3xx. An answer with a Content-Encoding is none, for nobody asked for one.
 */
#ifndef SIDECAR_NET_HTTP_H
#define SIDECAR_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_ANSWER_MOST (4 * 1024 * 1024)

struct http_tls {
    const char *ca_file;        /* NULL or "": the system's */
    const char *cert_file;      /* NULL or "": no client certificate */
    const char *key_file;
};

struct http_header {
    const char *name, *value;
};

struct http_request {
    const char *method;
    const char *url;
    const char *connect_to;     /* HOST:PORT, where the server is, in place of what the URL names; NULL or "": as it does. The certificate must be the URL's */
    const struct http_header *headers;
    size_t header_count;
    const void *body;           /* NULL with read: streamed */
    size_t body_size;
    /* The next bytes of the body into buffer; -1 fails the request. */
    long (*read)(void *context, char *buffer, size_t size);
    void *read_context;
    /* Takes the answer's body if its status is 2xx; false fails the request. */
    bool (*take)(void *context, const void *bytes, size_t length);
    void *take_context;
    /*
     * Asked about once a second while waiting: true ends the request without an answer. NULL: requests end a few seconds
     * after http_hurry().
     */
    bool (*give_up)(void);
    int timeout_ms;
};

struct http_answer {
    long status;                /* 0: no answer; error says why */
    bool cut;                   /* no answer, or not the whole: the request may have been carried out */
    char *body;                 /* terminated */
    size_t body_length;
    char *headers;              /* lines */
    size_t headers_length;
    char error[300];
};

struct http;

struct http *http_new(const struct http_tls *tls);
void http_free(struct http *http);
/* True when there was an answer, whatever its status. The caller frees it with http_answer_free(). */
bool http_call(struct http *http, const struct http_request *request, struct http_answer *answer);
/* From now on there is little time: the process is to end. */
void http_hurry(void);
void http_answer_free(struct http_answer *answer);
/* The value of a header, copied and cut to size; false: it is not there. */
bool http_answer_header(const struct http_answer *answer, const char *name, char *value, size_t size);
/* Whether it is an http:// URL whose host is this machine. */
bool http_is_loopback(const char *url);

#endif
