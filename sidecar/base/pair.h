/* pair.h: a name and its value; whose memory they are is said where a pair is taken. */
#ifndef SIDECAR_BASE_PAIR_H
#define SIDECAR_BASE_PAIR_H

struct pair {
    const char *name, *value;
};

#endif
