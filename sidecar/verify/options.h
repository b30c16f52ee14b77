/*
 * What reason-verify was asked for.
 */
#ifndef REASON_VERIFY_OPTIONS_H
#define REASON_VERIFY_OPTIONS_H

#include "verify.h"

typedef struct {
    const char *registry_path; /* NULL: none */
    const char *metadata_path;
    const char *policy_path;
    const char *noted_path;    /* of a checkpoint from before */
    const char *noted_by_hand[3]; /* or its origin, size and root */
    const char *consistency_path;
    const char *type;
    const char *page_path;
    const char *page_proof_path;
    Claims claims;
    bool json;
    bool quiet;
    bool refuse_revoked;
    const char *certificate, *key, *authorities;
    int first_object; /* in argv */
} Options;

/* Ends the program when they are wrong, and after --help and --version. */
void options_read(Options *options, int argc, char **argv);

/* Ends the program. */
void give_up(const char *what, const char *why) __attribute__((noreturn));

#endif
