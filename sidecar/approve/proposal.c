/*
 * proposal.c: reading a proposal that somebody sent, and showing all of it.
 *
 * What is shown must be what is signed: the text must be canonical JSON, so that no member is hidden by another of its name, and is
 * shown member by member, with characters that cannot be seen written out.
 */
#include "approve/proposal.h"

#include "core/canonical.h"
#include "verify/verify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool refuse(const char *what, const char *why)
{
    fputs("reason-approve: ", stderr);
    safe_text_print(stderr, what);
    fputs(": ", stderr);
    safe_text_print(stderr, why);
    fputc('\n', stderr);
    return false;
}

static bool read_text(struct proposal *proposal, const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    bool ok;

    if (!file)
        return refuse(path, strerror(errno));
    proposal->text = malloc(PROPOSAL_MOST + 2);
    proposal->length = proposal->text ? fread(proposal->text, 1, PROPOSAL_MOST + 2, file) : 0;
    ok = proposal->text && !ferror(file);
    if (file != stdin)
        fclose(file);
    if (!ok)
        return refuse(path, "cannot be read");
    /* psql and editors end the line */
    if (proposal->length > 0 && proposal->text[proposal->length - 1] == '\n')
        proposal->length--;
    return proposal->length <= PROPOSAL_MOST || refuse(path, "is too large for a proposal");
}

static bool is_canonical(const struct proposal *proposal)
{
    ByteBuffer again;
    bool same;

    buffer_init(&again, NULL, NULL);
    canonical_write_value(&again, &proposal->document, json_root(&proposal->document));
    same = !again.failed && again.length == proposal->length && memcmp(again.data, proposal->text, again.length) == 0;
    buffer_free(&again);
    return same;
}

static bool is_text(Bytes text, const char *expected)
{
    return text.data && text.length == strlen(expected) && memcmp(text.data, expected, text.length) == 0;
}

bool proposal_read(struct proposal *proposal, const char *path)
{
    const JsonLimits limits = {.max_depth = 8};
    const JsonDocument *document = &proposal->document;
    const JsonNode *root, *arguments;
    JsonError error;
    int64_t expires;

    memset(proposal, 0, sizeof(*proposal));
    json_document_init(&proposal->document, NULL, NULL);
    if (!read_text(proposal, path))
        return false;
    if (!json_read(&proposal->document, proposal->text, proposal->length, &limits, &error))
        return refuse(path, error.message);
    root = json_root(document);
    if (root->kind != JSON_OBJECT || !is_text(member_text(document, root, "type"), "reasoning-graph/proposal/v1"))
        return refuse(path, "is no proposal");
    if (!is_canonical(proposal))
        return refuse(path, "is not as the database wrote it: give what reason.proposal_text() gave, unchanged");
    arguments = json_member_literal(document, root, "arguments");
    if (!member_text(document, root, "id").length || !member_text(document, root, "change").length || !arguments || arguments->kind != JSON_OBJECT
        || !parse_time(member_text(document, root, "expiresAt"), &expires))
        return refuse(path, "is no whole proposal");
    return expires >= latest_present() - 2 * CLOCK_TOLERANCE || refuse(path, "has expired");
}

void proposal_free(struct proposal *proposal)
{
    json_document_free(&proposal->document);
    free(proposal->text);
}

/* Members of what is a member itself stand further in, so that none looks like one of what holds it. */
static void show_members(const struct proposal *proposal, const JsonNode *object, int depth, FILE *out)
{
    const JsonDocument *document = &proposal->document;
    ByteBuffer line;

    buffer_init(&line, NULL, NULL);
    for (const JsonNode *n = json_first(document, object); n; n = json_next(document, object, json_value(n))) {
        const JsonNode *value = json_value(n);

        line.length = 0;
        safe_text_for_person(&line, json_string(document, n), n->length);
        fprintf(out, "%*s%-*.*s", 2 * depth, "", 20 - 2 * depth, (int)line.length, line.data);
        if (value->kind == JSON_OBJECT && json_first(document, value)) {
            fputc('\n', out);
            show_members(proposal, value, depth + 1, out);
            continue;
        }
        line.length = 0;
        safe_text_for_person(&line, json_raw(document, value), json_raw_length(value));
        fprintf(out, " %.*s\n", (int)line.length, line.data);
    }
    buffer_free(&line);
}

void proposal_show(const struct proposal *proposal, FILE *out)
{
    show_members(proposal, json_root(&proposal->document), 0, out);
}
