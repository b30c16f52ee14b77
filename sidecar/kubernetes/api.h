/*
 * api.h: the Kubernetes API from inside a pod: KUBERNETES_SERVICE_HOST, the service account's token and authority.
 *
 * Source: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/. Used by one thread.
 */
#ifndef SIDECAR_KUBERNETES_API_H
#define SIDECAR_KUBERNETES_API_H

#include "base/config.h"

#include <jansson.h>

struct kube_api;

/* NULL after logging why not. */
struct kube_api *kube_api_open(const struct config *config, int timeout_ms, bool (*give_up)(void));
void kube_api_close(struct kube_api *api);
const char *kube_api_namespace(const struct kube_api *api);

/*
 * The status of the answer, 0 when there was none, or none of an API server: *object gets the Lease of a 2xx answer, to be
 * given back with json_decref(), else NULL; a refusal is a Status. The token's file is read for each request, because the kubelet replaces it. What failed is
 * logged, but for 404 and 409, which are for the caller.
 */
long kube_api_call(struct kube_api *api, const char *method, const char *path, const json_t *body, json_t **object);

#endif
