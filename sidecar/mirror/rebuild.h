/* rebuild.h: a mirror made anew. */
#ifndef SIDECAR_MIRROR_REBUILD_H
#define SIDECAR_MIRROR_REBUILD_H

#include "base/config.h"

/*
 * Empties a mirror, division by division, and has it fed from the first event on: by the sidecar that leads the duty, if one
 * does, else by this process. Shows how far that is. While a division is being emptied its mark says so, and it is not fed. Cut short,
 * it is begun again by the same call. True when the mirror has all that was signed when it began.
 */
bool mirror_rebuild(const struct config *config, const char *name, const char *holder);

#endif
