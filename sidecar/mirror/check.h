/* check.h: whether a mirror is what the database says that it should be. */
#ifndef SIDECAR_MIRROR_CHECK_H
#define SIDECAR_MIRROR_CHECK_H

#include "base/config.h"

/*
 * Compares a mirror with the database, each division at the mirror's mark: how many records there are of each type, traces from
 * nodes drawn at random, and records with all their properties: some drawn at random, or all. Prints what it finds; true when
 * nothing differs. A mirror that is behind is named, and is no difference.
 */
bool mirror_check(const struct config *config, const char *name, bool all);

#endif
