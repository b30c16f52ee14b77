/* witness.c: a witness as a process of its own. */
#include "witness/witness.h"

#include "base/log.h"
#include "witness/server.h"
#include "witness/settings.h"

#include <curl/curl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

struct witness {
    struct witness_settings settings;
    struct judge judge;
};

static void close_witness(struct witness *witness)
{
    record_close(&witness->judge.directory);
    if (witness->judge.signer)
        witness->judge.signer->close(witness->judge.signer);
    pthread_mutex_destroy(&witness->judge.lock);
    witness_settings_free(&witness->settings);
}

static bool open_witness(struct witness *witness, const char *config_path, bool locks)
{
    *witness = (struct witness){.judge = {.lock = PTHREAD_MUTEX_INITIALIZER, .directory = {.fd = -1}}};
    if (!witness_settings_load(&witness->settings, config_path))
        return false;
    log_configure(witness->settings.log_level, witness->settings.log_format);
    witness->judge.name = witness->settings.name;
    witness->judge.logs = witness->settings.logs;
    witness->judge.log_count = witness->settings.log_count;
    witness->judge.signer = signer_open(&witness->settings.signer);
    return witness->judge.signer != NULL && record_open(&witness->judge.directory, witness->settings.directory, locks);
}

static void write_vkey(const struct witness *witness, ByteBuffer *vkey)
{
    const char *name = witness->settings.name;

    buffer_init(vkey, NULL, NULL);
    note_key_write(vkey, name, strlen(name), NOTE_TYPE_COSIGNATURE, witness->judge.signer->public_key);
}

static bool check(const char *config_path)
{
    struct witness witness;
    ByteBuffer vkey;
    bool ok = open_witness(&witness, config_path, false);

    if (ok) {
        write_vkey(&witness, &vkey);
        ok = !vkey.failed && printf("vkey %.*s\n", (int)vkey.length, vkey.data) > 0;
        buffer_free(&vkey);
        for (size_t i = 0; i < witness.settings.log_count; i++)
            printf("log %s\n", witness.settings.logs[i].vkey);
    }
    close_witness(&witness);
    return ok;
}

static bool run(const char *config_path)
{
    struct witness witness;
    struct witness_server *server = NULL;
    bool ok = open_witness(&witness, config_path, true) && (server = witness_server_start(&witness.judge, &witness.settings)) != NULL;

    if (ok) {
        sigset_t signals;
        int number;
        ByteBuffer vkey;

        write_vkey(&witness, &vkey);
        log_info("witnessing %zu keys of logs on %s:%d as %.*s", witness.settings.log_count, witness.settings.address, witness.settings.port,
                 (int)vkey.length, vkey.data);
        buffer_free(&vkey);
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigwait(&signals, &number);
        log_info("stopped");
    }
    if (server)
        witness_server_stop(server);
    close_witness(&witness);
    return ok;
}

int witness_main(int argc, char **argv)
{
    bool checks = argc > 1 && !strcmp(argv[1], "--check"), ok = false;
    sigset_t signals;

    if (argc != (checks ? 3 : 2) || argv[argc - 1][0] == '-') {
        fprintf(stderr, "Usage: reason-sidecar --witness [--check] CONFIG\n");
        return 2;
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    if (!checks)
        pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        log_error("the libraries could not be initialised");
    else
        ok = checks ? check(argv[2]) : run(argv[1]);
    curl_global_cleanup();
    return ok ? 0 : 1;
}
