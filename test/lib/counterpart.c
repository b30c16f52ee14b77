/*
 * counterpart.c: one call of a store or a signer, with a sidecar's configuration.
 *
 *   counterpart CONFIG put KEY FILE | replace KEY FILE | read KEY VERSION | list PREFIX | protect KEY VERSION SECONDS | check |
 *   sign FILE | sign-message FILE | both DIGEST MESSAGE
 *
 * put, replace and protect print "done", "retry" or "refused", then version and reason; the others "ok" or "failed", behind what
 * they gave. Objects of more than REASON_PART_BYTES go in parts. sign is by [signer], sign-message by that of [checkpoint];
 * both has each sign what is its own, in turns.
 */
#include "base/clock.h"
#include "signer/signer.h"
#include "store/s3.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTING_MS 4000

struct bytes {
    unsigned char *text;
    size_t length;
    bool given;
};

static bool next(void *context, const void **bytes, size_t *length)
{
    struct bytes *file = context;

    *bytes = file->text;
    *length = file->given ? 0 : file->length;
    file->given = true;
    return true;
}

static bool begin(void *context)
{
    ((struct bytes *)context)->given = false;
    return true;
}

static void load(const char *path, struct bytes *file)
{
    FILE *in = fopen(path, "rb");

    fseek(in, 0, SEEK_END);
    file->length = (size_t)ftell(in);
    rewind(in);
    file->text = malloc(file->length + 1);
    if (fread(file->text, 1, file->length, in) != file->length)
        abort();
    fclose(in);
}

static bool print(void *context, const void *bytes, size_t length)
{
    (void)context;
    return fwrite(bytes, 1, length, stdout) == length;
}

static bool print_key(void *context, const char *key, const char *version)
{
    (void)context;
    return printf("%s %s\n", key, version) > 0;
}

static void tell(enum store_result result, const struct stored *stored)
{
    static const char *const names[] = {[STORE_DONE] = "done", [STORE_RETRY] = "retry", [STORE_REFUSED] = "refused"};

    printf("%s\n%s\n%s\n", names[result], stored->version, stored->reason);
}

static void put(struct store *store, const char *key, const char *path, bool replaces)
{
    struct bytes file = {0};
    unsigned char digest[32];
    char hash[65];
    struct stored stored = {0};
    struct object object = {.key = key, .content_type = "application/json", .hash = hash, .next = next, .rewind = begin, .context = &file,
                            .replaces = replaces};

    load(path, &file);
    EVP_Digest(file.text, file.length, digest, NULL, EVP_sha256(), NULL);
    sodium_bin2hex(hash, sizeof(hash), digest, sizeof(digest));
    object.size = (long long)file.length;
    tell(store->put(store, &object, &stored), &stored);
    free(file.text);
}

/* Prints the signature; of a digest, unless it is a message. */
static bool sign_once(struct signer *signer, bool message, const char *path)
{
    struct bytes bytes = {0};
    uint8_t signature[SIGNATURE_LENGTH];
    char hex[2 * SIGNATURE_LENGTH + 1];
    bool ok;

    load(path, &bytes);
    ok = message ? signer_sign_message(signer, bytes.text, bytes.length, signature) : signer->sign(signer, bytes.text, signature);
    if (ok)
        puts(sodium_bin2hex(hex, sizeof(hex), signature, sizeof(signature)));
    free(bytes.text);
    return ok;
}

static bool sign(const struct signer_config *config, bool message, const char *path)
{
    struct signer *signer = signer_open(config);
    bool ok = signer && sign_once(signer, message, path);

    if (signer)
        signer->close(signer);
    return ok;
}

/* The first is closed and opened anew in between. */
static bool sign_in_turns(const struct config *config, const char *digest, const char *message)
{
    struct signer *events = signer_open(&config->signer), *checkpoints = signer_open(&config->checkpoint_signer);
    bool ok = events && checkpoints;

    for (int turn = 0; turn < 4 && ok; turn++) {
        ok = sign_once(events, false, digest) && sign_once(checkpoints, true, message);
        if (turn == 2) {
            events->close(events);
            events = signer_open(&config->signer);
            ok = ok && events;
        }
    }
    if (events)
        events->close(events);
    if (checkpoints)
        checkpoints->close(checkpoints);
    return ok;
}

int main(int argc, char **argv)
{
    struct config config;
    struct store_options options;
    struct store *store;
    const char *what = argc > 2 ? argv[2] : "", *part_bytes = getenv("REASON_PART_BYTES");
    struct stored stored = {0};
    bool ok = true;

    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || argc < 3 || !config_load(&config, argv[1]))
        return 2;
    if (!strcmp(what, "sign") || !strcmp(what, "sign-message") || !strcmp(what, "both")) {
        if (!strcmp(what, "both"))
            ok = sign_in_turns(&config, argv[3], argv[4]);
        else
            ok = !strcmp(what, "sign") ? sign(&config.signer, false, argv[3]) : sign(&config.checkpoint_signer, true, argv[3]);
        puts(ok ? "ok" : "failed");
        config_free(&config);
        return 0;
    }
    options = (struct store_options){config.store_url, config.store_lock_mode, config.store_lock_days};
    store = store_open(&config, &options);
    if (!store)
        return 2;
    if (part_bytes)
        ((struct s3_store *)store)->multipart_bytes = atoll(part_bytes);
    store->until_ms = clock_ms() + LISTING_MS;
    if (!strcmp(what, "put") || !strcmp(what, "replace")) {
        put(store, argv[3], argv[4], !strcmp(what, "replace"));
    } else if (!strcmp(what, "protect")) {
        const struct protection protection = {.retain_until = time(NULL) + atol(argv[5]), .legal_hold = HOLD_ON};

        tell(store->protect(store, argv[3], argv[4], &protection, &stored), &stored);
    } else {
        if (!strcmp(what, "read"))
            ok = store->read(store, argv[3], argv[4], print, NULL);
        else if (!strcmp(what, "list"))
            ok = store->list(store, argv[3], NULL, print_key, NULL);
        else
            ok = store->check(store);
        puts(ok ? "ok" : "failed");
    }
    store->close(store);
    config_free(&config);
    return 0;
}
