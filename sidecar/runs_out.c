/*
 * runs_out.c: when the first of the certificates in the configuration expires, and how much room there is in stores that
 * are directories. What is not there is not known: no certificate, an object store, a file that cannot be read.
 */
#include "runs_out.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "base/plain_file.h"

#include <limits.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#define MEASURE_MS 5000

/* Lowers "first" to the end of the certificates in a PEM file. A key or anything else in it is passed over. */
static void first_to_expire(const char *path, time_t *first)
{
    FILE *file = path[0] ? plain_file_open(path) : NULL;
    X509 *certificate;
    struct tm end;

    while (file && (certificate = PEM_read_X509(file, NULL, NULL, NULL))) {
        if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end)) {
            time_t at = timegm(&end);

            *first = at < *first ? at : *first;
        }
        X509_free(certificate);
    }
    if (file)
        fclose(file);
}

static void measure_certificates(const struct config *config)
{
    const time_t never = (time_t)LONG_MAX;
    time_t first = never;
    const char *files[] = {config->signer.cert_file, config->signer.ca_file, config->checkpoint_signer.cert_file, config->checkpoint_signer.ca_file,
                           config->store_ca_file, config->tracing_ca_file};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        first_to_expire(files[i], &first);
    for (size_t i = 0; i < config->witness_count; i++) {
        first_to_expire(config->witnesses[i].cert_file, &first);
        first_to_expire(config->witnesses[i].ca_file, &first);
    }
    for (size_t i = 0; i < config->mirror_count; i++) {
        first_to_expire(config->mirrors[i].cert_file, &first);
        first_to_expire(config->mirrors[i].ca_file, &first);
    }
    metrics_set(METRIC_CERTIFICATE_EXPIRY, first == never ? METRIC_UNKNOWN : (long)first);
}

static void measure_directory(const char *url, enum metric room, enum metric size)
{
    struct statvfs disk;
    bool known = !strncmp(url, "file://", 7) && statvfs(url + 7, &disk) == 0;

    metrics_set(room, known ? (long)(disk.f_bavail * disk.f_frsize) : METRIC_UNKNOWN);
    metrics_set(size, known ? (long)(disk.f_blocks * disk.f_frsize) : METRIC_UNKNOWN);
}

void runs_out_measure(const struct config *config)
{
    static long measured_ms;

    if (measured_ms && clock_ms() - measured_ms < MEASURE_MS)
        return;
    measured_ms = clock_ms();
    measure_certificates(config);
    measure_directory(config->store_url, METRIC_STORE_ROOM, METRIC_STORE_SIZE);
    measure_directory(config->archive_url, METRIC_ARCHIVE_ROOM, METRIC_ARCHIVE_SIZE);
}
