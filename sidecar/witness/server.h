/*
 * server.h: a witness over HTTP.
 *
 *   POST /add-checkpoint                    a cosignature, or why not: https://c2sp.org/tlog-witness
 *   GET  /<SHA-256 of an origin>/checkpoint the latest checkpoint of that log that was cosigned
 *   GET  /health, /metrics                  for whoever runs it
 */
#ifndef SIDECAR_WITNESS_SERVER_H
#define SIDECAR_WITNESS_SERVER_H

#include "witness/judge.h"
#include "witness/settings.h"

struct witness_server;

/* NULL after logging why not. */
struct witness_server *witness_server_start(struct judge *judge, const struct witness_settings *settings);
void witness_server_stop(struct witness_server *server);

#endif
