/* kafka.h: settings of librdkafka, for stage/emit.c, which produces, and readback/kafka.c, which reads back. */
#ifndef SIDECAR_NET_KAFKA_H
#define SIDECAR_NET_KAFKA_H

#include "base/config.h"
#include "base/pair.h"

#include <librdkafka/rdkafka.h>

/*
 * Settings for a client: the defaults, over them those of the configuration (secrets read from their files now), over
 * them what is fixed. NULL after logging which is not acceptable. The caller's, until rd_kafka_new() has taken them.
 */
rd_kafka_conf_t *kafka_settings(const struct config *config, const struct pair *defaults, size_t default_count, const struct pair *fixed,
                                size_t fixed_count);

#endif
