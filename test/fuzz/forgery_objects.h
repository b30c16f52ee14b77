/*
 * forgery_objects.h
 *		What the forger begins with: a snapshot, its metadata, an envelope, a chain and a registry, all good,
 *		and signed by one key.
 */
#ifndef REASON_FUZZ_FORGERY_OBJECTS_H
#define REASON_FUZZ_FORGERY_OBJECTS_H

#include <sodium.h>

#include "core/buffer.h"
#include "core/json_reader.h"

#define FORGERY_NODES 4
/* One for each node, one for each edge between two that follow each other. */
#define FORGERY_EVENTS (2 * FORGERY_NODES - 1)

typedef enum { SNAPSHOT, METADATA, ENVELOPE, CHAIN, REGISTRY, OBJECTS } ObjectKind;

extern const JsonLimits forgery_limits;

/* The key of the registry's signer "key-1", which signed everything. */
extern uint8_t forgery_public_key[crypto_sign_PUBLICKEYBYTES];

/* Empty until they are made. */
extern ByteBuffer forgery_good[OBJECTS];

/* Canonical payloads of the chain's events. */
extern ByteBuffer forgery_payloads[FORGERY_EVENTS];

void forgery_make_objects(void);

/* The canonical form of some JSON text is appended. */
void forgery_canonicalise(ByteBuffer *out, const char *text, size_t length);

#endif							/* REASON_FUZZ_FORGERY_OBJECTS_H */
