/*
 * lease.h: a coordination.k8s.io Lease that says which sidecar tries to lead.
 *
 * Only that: who may do what is decided by the leases in the database, whose fencing tokens every change names
 * (leader.h). So nothing can go wrong when two sidecars believe to hold the Lease; and when the API server does not
 * answer, or refuses, for twice as long as a Lease lasts, sidecars go on by the database's leases alone, as without
 * Kubernetes. (That long, so that one that alone gets no answer finds the database's leases taken by the Lease's holder.)
 *
 * A thread of its own keeps the Lease, so that a slow API server delays nothing. It holds the Lease only while the
 * sidecar says that it could lead: one that has lost its database must not keep the others waiting.
 */
#ifndef SIDECAR_KUBERNETES_LEASE_H
#define SIDECAR_KUBERNETES_LEASE_H

#include "base/config.h"

/* Starts the thread, if a Lease is configured; false after logging why not. */
bool kube_lease_start(const struct config *config, const char *identity);
/* Whether the Lease can be read; logged when not. */
bool kube_lease_check(const struct config *config);
/* Gives the Lease up, so that another need not wait for it to run out. */
void kube_lease_stop(void);
/* This sidecar reaches its database: to be said every now and then. */
void kube_lease_able(void);
/* Whether this sidecar should try to lead now; always without a Lease. */
bool kube_lease_permits(void);

#endif
