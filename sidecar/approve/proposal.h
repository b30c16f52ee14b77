/*
 * proposal.h: what an approver signs: the canonical text of a proposal, as reason.proposal_text() gives it.
 */
#ifndef SIDECAR_APPROVE_PROPOSAL_H
#define SIDECAR_APPROVE_PROPOSAL_H

#include "core/json_reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* As the database has it: reason.propose(). */
#define PROPOSAL_MOST 4096

struct proposal {
    char *text;                 /* without a line's end */
    size_t length;
    JsonDocument document;
};

/* Reads one; false after saying why it is none, or not one that may still be executed. */
bool proposal_read(struct proposal *proposal, const char *path);
void proposal_free(struct proposal *proposal);
/* For a person: everything that it says. */
void proposal_show(const struct proposal *proposal, FILE *out);

#endif
