/*
 * config.h: the configuration file, "key = value" in [sections], # starts a comment.
 *
 * Every key but those of [witness NAME] and [mirror NAME] can be set by the environment too: REASON_SIDECAR_<SECTION>_<KEY>, which wins. Keys of
 * [kafka] that are not listed here go to librdkafka as they are (security.protocol, ssl.ca.location …);
 * in the environment their dots are written as underscores. [tracing] follows OpenTelemetry's own variables too; they
 * come before the file and after REASON_SIDECAR_TRACING_<KEY>.
 */
#ifndef SIDECAR_BASE_CONFIG_H
#define SIDECAR_BASE_CONFIG_H

#include "base/signer_config.h"

#include <stddef.h>

struct setting {
    char *name;
    char *value;
};

/* A witness that is asked to cosign checkpoints: a section [witness NAME]. */
struct witness_config {
    char *name;
    char *url;                  /* submission prefix: https://c2sp.org/tlog-witness */
    char *vkey;
    char *divisions;            /* whose logs it is asked about, by name; "*": all */
    char *ca_file;
    char *cert_file;            /* client certificate */
    char *cert_key_file;
    int timeout_ms;
};

/* As many as anybody has to take: https://c2sp.org/tlog-policy */
#define WITNESSES_MOST 32

/* A graph store that shows the graph: a section [mirror NAME]. */
struct mirror_config {
    char *name;
    char *type;                 /* neo4j, janusgraph */
    char *url;
    char *database;             /* neo4j: of the server */
    char *credentials_file;     /* user = …, password = …, token = …; "": the environment */
    bool plaintext;             /* they may travel unencrypted */
    char *divisions;            /* that are mirrored, by name; "*": all */
    char *payloads;             /* none, redacted, whole */
    int payload_bytes;          /* larger ones are left out */
    int batch_size;             /* events in a transaction */
    char *ca_file;
    char *cert_file;            /* client certificate */
    char *cert_key_file;
    int timeout_ms;
};

#define MIRRORS_MOST 8

struct config {
    /* [database] */
    char *conninfo;
    int database_timeout_ms;
    /* [signer] */
    struct signer_config signer; /* of events and snapshots */
    /* [checkpoint] */
    struct signer_config checkpoint_signer; /* id "": no checkpoints are made */
    char *checkpoint_origin;    /* prefix of the logs' origins: that of the database */
    char *checkpoint_state_file; /* what was signed last; "": that is kept nowhere */
    int checkpoint_interval_s;  /* between checkpoints of a log that grows */
    int checkpoint_heads_interval_s;    /* between counts of the heads of all logs, which the log of division system records */
    int checkpoint_reread_percent;      /* of checkpoint_interval_s, that reading old hashes again may take */
    int checkpoint_quorum;      /* so many witnesses must have cosigned what is announced as the newest */
    char *checkpoint_policy_file;       /* https://c2sp.org/tlog-policy, in place of the quorum */
    /* [witness NAME] */
    struct witness_config *witnesses;
    size_t witness_count;
    /* [mirror NAME] */
    struct mirror_config *mirrors;
    size_t mirror_count;
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
    bool trial;                 /* this release is tried: it leads sealing and snapshots, whoever leads now, and does nothing else */
    bool sign_unread;           /* snapshots that are too large to be compared with the log */
    int snapshot_attempts;      /* then a snapshot is failed, until somebody retries it */
};

/* Reads the file, applies environment and defaults; false after having logged what is wrong. */
bool config_load(struct config *config, const char *path);
void config_free(struct config *config);

#endif
