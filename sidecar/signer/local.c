/* local.c: a signing key in a file. For development; a key on disk is no production signer. */
#include "signer/signer.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct local_signer {
    struct signer signer;
    uint8_t *secret_key;        /* libsodium's form, in guarded memory */
};

static bool sign_message(struct signer *signer, const uint8_t *message, size_t length, uint8_t signature[SIGNATURE_LENGTH])
{
    struct local_signer *local = (struct local_signer *)signer;

    return crypto_sign_detached(signature, NULL, message, length, local->secret_key) == 0;
}

static bool sign(struct signer *signer, const uint8_t digest[DIGEST_LENGTH], uint8_t signature[SIGNATURE_LENGTH])
{
    return sign_message(signer, digest, DIGEST_LENGTH, signature);
}

static void close_signer(struct signer *signer)
{
    struct local_signer *local = (struct local_signer *)signer;

    sodium_free(local->secret_key);
    free(local);
}

/* Instead of OpenSSL's, which would ask whoever sits at the terminal. */
static int refuse_passphrase(char *passphrase, int size, int writes, void *context)
{
    (void)passphrase, (void)size, (void)writes;
    *(bool *)context = true;
    return -1;
}

static bool read_pem(const char *path, FILE *file, uint8_t seed[crypto_sign_SEEDBYTES])
{
    bool encrypted = false, ok;
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, refuse_passphrase, &encrypted);
    size_t length = crypto_sign_SEEDBYTES;

    ok = key && EVP_PKEY_id(key) == EVP_PKEY_ED25519 && EVP_PKEY_get_raw_private_key(key, seed, &length) == 1 && length == crypto_sign_SEEDBYTES;
    EVP_PKEY_free(key);
    if (encrypted)
        log_error("signing key \"%s\" is encrypted: it must be a key without a passphrase", path);
    else if (!ok)
        log_error("signing key \"%s\" is no Ed25519 private key in PEM (PKCS#8)", path);
    return ok;
}

/* The 32 bytes that an Ed25519 private key is made from. */
static bool read_seed(const char *path, uint8_t seed[crypto_sign_SEEDBYTES])
{
    struct stat status;
    FILE *file = NULL;
    bool ok = false;
    /* without waiting for the writer of what may be a FIFO */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || fstat(fd, &status) != 0)
        log_error("cannot read signing key \"%s\": %s", path, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        log_error("signing key \"%s\" is no regular file", path);
    else if ((status.st_mode & 0177) != 0)
        log_error("signing key \"%s\" must be a file of mode 0600 or 0400, not %04o", path, (unsigned)status.st_mode & 07777);
    else if (!(file = fdopen(fd, "r")))
        log_error("cannot read signing key \"%s\": %s", path, strerror(errno));
    else if (status.st_size != crypto_sign_SEEDBYTES)
        ok = read_pem(path, file, seed);
    else if (!(ok = fread(seed, 1, crypto_sign_SEEDBYTES, file) == crypto_sign_SEEDBYTES))
        log_error("cannot read signing key \"%s\"", path);
    if (file)
        fclose(file);
    else if (fd >= 0)
        close(fd);
    return ok;
}

struct signer *signer_local_open(const struct signer_config *config)
{
    const char *path = config->key_file;
    uint8_t seed[crypto_sign_SEEDBYTES];
    struct local_signer *local = calloc(1, sizeof(*local));

    if (!local || !read_seed(path, seed)) {
        free(local);
        return NULL;
    }
    local->secret_key = sodium_malloc(crypto_sign_SECRETKEYBYTES);
    if (!local->secret_key) {
        free(local);
        return NULL;
    }
    crypto_sign_seed_keypair(local->signer.public_key, local->secret_key, seed);
    sodium_memzero(seed, sizeof(seed));
    sodium_mprotect_readonly(local->secret_key);
    local->signer.sign = sign;
    local->signer.sign_message = sign_message;
    local->signer.close = close_signer;
    log_warning("signing with the key file \"%s\": for development, no production signer", path);
    return &local->signer;
}
