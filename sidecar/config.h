/*
 * config.h: the configuration file, "key = value" in [sections], # starts a comment.
 *
 * Every key can be set by the environment too: REASON_SIDECAR_<SECTION>_<KEY>, which wins. Keys of
 * [kafka] that are not listed here go to librdkafka as they are (security.protocol, ssl.ca.location …);
 * in the environment their dots are written as underscores. [tracing] follows OpenTelemetry's own variables too; they
 * come before the file and after REASON_SIDECAR_TRACING_<KEY>.
 */
#ifndef SIDECAR_CONFIG_H
#define SIDECAR_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

struct setting {
    char *name;
    char *value;
};

struct config {
    /* [database] */
    char *conninfo;
    int database_timeout_ms;
    /* [signer] */
    char *signer_id;
    char *signer_type;          /* local, pkcs11, proxy, vault, aws-kms */
    char *signer_key_file;      /* local */
    char *signer_module;        /* pkcs11: the library */
    char *signer_token;         /* pkcs11: label of the token */
    char *signer_key_label;     /* pkcs11 */
    char *signer_key_id;        /* pkcs11: CKA_ID in hexadecimal; aws-kms: key id or ARN; vault: name of the key */
    int signer_key_version;     /* vault; 0: the latest when it is opened */
    char *signer_pin_file;      /* pkcs11 */
    char *signer_url;           /* proxy, vault, aws-kms (endpoint) */
    bool signer_plaintext;      /* proxy, vault: the token may travel unencrypted to another machine */
    char *signer_mount;         /* vault */
    char *signer_region;        /* aws-kms */
    char *signer_token_file;    /* proxy: bearer token; vault: token */
    char *signer_ca_file;
    char *signer_cert_file;     /* client certificate */
    char *signer_cert_key_file;
    char *signer_credentials_file;
    int signer_timeout_ms;
    /* [store] */
    char *store_url;            /* file:///directory or s3://bucket[/prefix] */
    char *store_endpoint;
    char *store_region;
    char *store_credentials_file;
    char *store_ca_file;
    char *store_lock_mode;      /* none, governance, compliance */
    bool store_path_style;
    bool store_if_none_match;
    int store_lock_days;
    int store_multipart_mb;     /* larger objects are sent in parts */
    int store_timeout_ms;
    /* [kafka] */
    char *kafka_brokers;        /* "": events are not emitted */
    char *kafka_topic;
    int kafka_batch_size;
    int kafka_timeout_ms;
    struct setting *kafka_settings;
    size_t kafka_setting_count;
    /* [archive] */
    char *archive_url;          /* "": events are not archived */
    char *archive_lock_mode;
    int archive_lock_days;
    int archive_interval_s;     /* a segment is closed when its oldest event is that old … */
    int archive_events;         /* … or when it has so many */
    char *archive_registry_file; /* signers whose events --recover takes; "": those that the database knows */
    int archive_attempts;       /* then a segment is parked */
    /* [tracing] */
    char *tracing_endpoint;     /* "": no spans are made */
    char *tracing_headers;      /* name=value,… */
    char *tracing_headers_file; /* the same in a file, for secrets */
    char *tracing_ca_file;
    char *tracing_service_name;
    char *tracing_sampler;
    char *tracing_sampler_arg;
    int tracing_timeout_ms;
    /* [kubernetes] */
    char *kubernetes_lease;     /* name of a Lease; "": the database alone decides who leads */
    char *kubernetes_namespace; /* "": the pod's */
    char *kubernetes_namespace_file;
    char *kubernetes_url;       /* "": from KUBERNETES_SERVICE_HOST and _PORT */
    char *kubernetes_token_file;
    char *kubernetes_ca_file;
    int kubernetes_lease_s;
    /* [metrics] */
    char *metrics_address;
    int metrics_port;
    /* [sidecar] */
    char *log_level;
    char *log_format;           /* text or json */
    int batch_size;             /* events sealed and signed at a time */
    int lease_ms;
    int poll_busy_ms;
    int poll_idle_ms;
    int snapshot_attempts;      /* then a snapshot is failed, until somebody retries it */
};

/* Reads the file, applies environment and defaults; false after having logged what is wrong. */
bool config_load(struct config *config, const char *path);
void config_free(struct config *config);

#endif
