/*
 * leader.h: which duties this sidecar leads.
 *
 * A lease row in the database says who leads a duty, under a fencing token that every state change names: this
 * module only decides who tries. leader_renew() runs in the main thread, so that a slow upload loses no lease.
 */
#ifndef SIDECAR_BASE_LEADER_H
#define SIDECAR_BASE_LEADER_H

#include "base/db.h"

enum duty { DUTY_SEAL, DUTY_SNAPSHOT, DUTY_EMIT, DUTY_ARCHIVE, DUTY_MIRROR, DUTY_COUNT };

extern const char *const duty_names[DUTY_COUNT];

/*
 * Has whoever leads a duty hand it over to this sidecar, which takes it by leader_renew(). Nothing where it leads already, or
 * where it once let go of the duty, because it could not do it.
 */
void leader_claim(struct db *db, enum duty duty, const char *holder, int lease_ms);
/* Takes or renews the lease of a duty. */
void leader_renew(struct db *db, enum duty duty, const char *holder, int lease_ms);
/*
 * Lets go of a duty that this sidecar cannot do, and leaves it to others for the length of a lease. If none takes it,
 * this sidecar leads it again, for ten times as long at least. True: there is no lease to renew now.
 */
bool leader_yield(struct db *db, enum duty duty, int lease_ms);
/* Notices leases that ran out because they could not be renewed. */
void leader_lapse(void);
/* Gives up what is led. */
void leader_release(struct db *db);
/* The fencing token as text; "" while another leads, or when the lease was not renewed in time. */
const char *leader_token(enum duty duty, char token[24]);

#endif
