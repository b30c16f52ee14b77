/* server.c: a witness over HTTP (libmicrohttpd). */
#include "witness/server.h"

#include "base/log.h"
#include "base/plain_file.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MOST 128U
#define IDLE_SECONDS 15U
#define THREADS 4U
#define PEM_MOST (1 << 20)

/* Answers by status; the rest are counted under the last. */
static const unsigned statuses[] = {200, 400, 403, 404, 405, 409, 413, 422, 500};
#define STATUS_COUNT (sizeof(statuses) / sizeof(statuses[0]))

struct witness_server {
    struct MHD_Daemon *daemon;
    struct judge *judge;
    char *certificate, *key;
    atomic_long answers[STATUS_COUNT];
};

/* A request while its body comes. */
struct incoming {
    bool is_checkpoint;
    ByteBuffer body;
};

static enum MHD_Result answer(struct witness_server *server, struct MHD_Connection *connection, struct verdict *verdict)
{
    struct MHD_Response *response = NULL;
    enum MHD_Result result = MHD_NO;
    size_t i = 0;

    if (!verdict->body.failed)
        response = MHD_create_response_from_buffer(verdict->body.length, verdict->body.length ? verdict->body.data : (char *)"", MHD_RESPMEM_MUST_COPY);
    buffer_free(&verdict->body);
    if (!response)
        return MHD_NO;
    while (i + 1 < STATUS_COUNT && statuses[i] != verdict->status)
        i++;
    atomic_fetch_add(&server->answers[i], 1);
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, verdict->type) == MHD_YES)
        result = MHD_queue_response(connection, verdict->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result say(struct witness_server *server, struct MHD_Connection *connection, unsigned status, const char *text)
{
    struct verdict verdict = {.status = status, .type = WITNESS_TEXT_TYPE};

    buffer_init(&verdict.body, NULL, NULL);
    buffer_append(&verdict.body, text, strlen(text));
    return answer(server, connection, &verdict);
}

static enum MHD_Result answer_metrics(struct witness_server *server, struct MHD_Connection *connection)
{
    struct verdict verdict = {.status = MHD_HTTP_OK, .type = "text/plain; version=0.0.4"};
    char line[128];

    buffer_init(&verdict.body, NULL, NULL);
    buffer_append_literal(&verdict.body, "# HELP reason_witness_answers_total Requests answered, by status: 200 is a cosignature or a read, 409 and 422 are refusals.\n"
                          "# TYPE reason_witness_answers_total counter\n");
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        snprintf(line, sizeof(line), "reason_witness_answers_total{status=\"%u\"} %ld\n", statuses[i], atomic_load(&server->answers[i]));
        buffer_append(&verdict.body, line, strlen(line));
    }
    return answer(server, connection, &verdict);
}

/* GET, and what nobody serves. */
static enum MHD_Result read_something(struct witness_server *server, struct MHD_Connection *connection, const char *path, const char *method)
{
    static const char checkpoint[] = "/checkpoint";
    size_t length = strlen(path);

    if (!strcmp(path, "/add-checkpoint"))
        return say(server, connection, MHD_HTTP_METHOD_NOT_ALLOWED, "checkpoints are added by POST\n");
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0)
        return say(server, connection, MHD_HTTP_NOT_FOUND, "there is no such thing here\n");
    if (!strcmp(path, "/health"))
        return say(server, connection, MHD_HTTP_OK, "ok\n");
    if (!strcmp(path, "/metrics"))
        return answer_metrics(server, connection);
    if (length == 1 + RECORD_NAME_LENGTH + sizeof(checkpoint) - 1 && !strcmp(path + 1 + RECORD_NAME_LENGTH, checkpoint)) {
        char name[RECORD_NAME_LENGTH + 1];
        struct verdict verdict;

        snprintf(name, sizeof(name), "%s", path + 1);
        judge_checkpoint(server->judge, name, &verdict);
        return answer(server, connection, &verdict);
    }
    return say(server, connection, MHD_HTTP_NOT_FOUND, "there is no such thing here\n");
}

/* Called when the header is there, for each piece of the body, and once it has ended. */
static enum MHD_Result serve(void *context, struct MHD_Connection *connection, const char *path, const char *method, const char *version,
                             const char *upload, size_t *upload_size, void **state)
{
    struct witness_server *server = context;
    struct incoming *incoming = *state;
    struct verdict verdict;

    (void)version;
    if (!incoming) {
        const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

        incoming = calloc(1, sizeof(*incoming));
        if (!incoming)
            return MHD_NO;
        *state = incoming;
        incoming->is_checkpoint = !strcmp(method, MHD_HTTP_METHOD_POST) && !strcmp(path, "/add-checkpoint");
        buffer_init(&incoming->body, NULL, NULL);
        if (length && strtoull(length, NULL, 10) > WITNESS_REQUEST_MOST)
            return say(server, connection, MHD_HTTP_CONTENT_TOO_LARGE, "the request is too long\n");
        return MHD_YES;
    }
    if (*upload_size > 0) {
        /* who said no length, and sends without end, is not answered */
        if (incoming->body.length + *upload_size > WITNESS_REQUEST_MOST)
            return MHD_NO;
        buffer_append(&incoming->body, upload, *upload_size);
        *upload_size = 0;
        return incoming->body.failed ? MHD_NO : MHD_YES;
    }
    if (!incoming->is_checkpoint)
        return read_something(server, connection, path, method);
    judge_add_checkpoint(server->judge, incoming->body.length ? incoming->body.data : "", incoming->body.length, &verdict);
    return answer(server, connection, &verdict);
}

static void forget(void *context, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
    struct incoming *incoming = *state;

    (void)context, (void)connection, (void)code;
    if (incoming)
        buffer_free(&incoming->body);
    free(incoming);
    *state = NULL;
}

static char *read_pem(const char *path)
{
    FILE *file = plain_file_open(path);
    char *text = file ? calloc(1, PEM_MOST) : NULL;

    if (text && fread(text, 1, PEM_MOST - 1, file) == 0) {
        log_error("cannot read \"%s\": it is empty", path);
        free(text);
        text = NULL;
    }
    if (file)
        fclose(file);
    return text;
}

struct witness_server *witness_server_start(struct judge *judge, const struct witness_settings *settings)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)settings->port)};
    struct witness_server *server = calloc(1, sizeof(*server));
    bool encrypted = settings->cert_file[0] != '\0';
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | (encrypted ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {{MHD_OPTION_END, 0, NULL}, {MHD_OPTION_END, 0, NULL}, {MHD_OPTION_END, 0, NULL}};

    if (!server)
        return NULL;
    server->judge = judge;
    if (inet_pton(AF_INET, settings->address, &address.sin_addr) != 1) {
        log_error("witness.address \"%s\" is no IPv4 address", settings->address);
        goto failed;
    }
    if (!encrypted && !settings->plaintext && (ntohl(address.sin_addr.s_addr) >> 24) != 127) {
        log_error("witness.address %s is no loopback: it needs witness.cert_file, or witness.plaintext where a proxy encrypts", settings->address);
        goto failed;
    }
    if (encrypted) {
        server->certificate = read_pem(settings->cert_file);
        server->key = read_pem(settings->cert_key_file);
        if (!server->certificate || !server->key)
            goto failed;
        tls[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, server->certificate};
        tls[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, server->key};
    }
    server->daemon = MHD_start_daemon(flags, (uint16_t)settings->port, NULL, NULL, serve, server, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
                                      MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MOST, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
                                      MHD_OPTION_THREAD_POOL_SIZE, THREADS, MHD_OPTION_NOTIFY_COMPLETED, forget, NULL, MHD_OPTION_ARRAY, tls,
                                      MHD_OPTION_END);
    if (server->daemon)
        return server;
    log_error("cannot serve on %s:%d", settings->address, settings->port);
failed:
    witness_server_stop(server);
    return NULL;
}

void witness_server_stop(struct witness_server *server)
{
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    free(server->certificate);
    free(server->key);
    free(server);
}
