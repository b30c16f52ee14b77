/*
 * Findings, as a person reads them and as a program does.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/canonical.h"
#include "verify.h"

void report_init(Report *report, const char *name, const char *kind)
{
    memset(report, 0, sizeof(*report));
    report->name = name;
    report->kind = kind;
}

void report_free(Report *report)
{
    for (size_t i = 0; i < report->count; i++)
        free(report->findings[i].text);
    free(report->findings);
    free(report->signer_id);
    free(report->origin);
}

void report_add(Report *report, FindingKind kind, const char *check, const char *format, ...)
{
    va_list arguments;
    Finding *finding;

    if (report->count == report->capacity) {
        size_t capacity = report->capacity ? report->capacity * 2 : 16;
        Finding *larger = realloc(report->findings, capacity * sizeof(*larger));

        if (!larger) {
            fputs("reason-verify: out of memory\n", stderr);
            exit(VERDICT_UNCHECKED);
        }
        report->findings = larger;
        report->capacity = capacity;
    }
    finding = &report->findings[report->count++];
    finding->kind = kind;
    finding->check = check;
    va_start(arguments, format);
    if (vasprintf(&finding->text, format, arguments) < 0) {
        fputs("reason-verify: out of memory\n", stderr);
        exit(VERDICT_UNCHECKED);
    }
    va_end(arguments);
}

Verdict report_verdict(const Report *report)
{
    Verdict verdict = VERDICT_VERIFIED;

    for (size_t i = 0; i < report->count; i++) {
        /* What is known to be wrong stays wrong, whatever else could not be checked. */
        if (report->findings[i].kind == FINDING_BAD)
            return VERDICT_REFUSED;
        if (report->findings[i].kind == FINDING_UNCHECKED)
            verdict = VERDICT_UNCHECKED;
    }
    return verdict;
}

static const char *const verdict_words[] = {"verified", "refused", "could not be checked"};
static const char *const verdict_names[] = {"verified", "refused", "unchecked"};

void report_print(const Report *report, bool quiet)
{
    static const char *const marks[] = {"ok", "note", "WRONG", "unchecked"};
    Verdict verdict = report_verdict(report);

    if (!quiet) {
        safe_text_print(stdout, report->name);
        printf(" (%s)\n", report->kind);
    }
    for (size_t i = 0; i < report->count; i++) {
        const Finding *finding = &report->findings[i];

        if (quiet && finding->kind != FINDING_BAD && finding->kind != FINDING_UNCHECKED)
            continue;
        printf("  %-9s  %-12s  ", marks[finding->kind], finding->check);
        safe_text_print(stdout, finding->text);
        putchar('\n');
    }
    printf("%s: ", verdict_words[verdict]);
    safe_text_print(stdout, report->name);
    putchar('\n');
}

static void write_text(ByteBuffer *out, const char *text)
{
    safe_text_for_machine(out, text, strlen(text));
}

void report_write_json(ByteBuffer *out, const Report *report)
{
    static const char *const results[] = {"ok", "note", "wrong", "unchecked"};

    buffer_append_literal(out, "{\"checks\":[");
    for (size_t i = 0; i < report->count; i++) {
        if (i > 0)
            buffer_append_char(out, ',');
        buffer_append_literal(out, "{\"check\":");
        write_text(out, report->findings[i].check);
        buffer_append_literal(out, ",\"detail\":");
        write_text(out, report->findings[i].text);
        buffer_append_literal(out, ",\"result\":");
        write_text(out, results[report->findings[i].kind]);
        buffer_append_char(out, '}');
    }
    buffer_append_char(out, ']');
    if (strcmp(report->kind, "audit") == 0 || strcmp(report->kind, "log") == 0) {
        buffer_append_literal(out, ",\"events\":");
        canonical_write_integer(out, (int64_t)report->events);
    }
    if (report->hash[0]) {
        buffer_append_literal(out, ",\"hash\":");
        write_text(out, report->hash);
    }
    if (report->id[0]) {
        buffer_append_literal(out, ",\"id\":");
        write_text(out, report->id);
    }
    if (report->has_index) {
        buffer_append_literal(out, ",\"index\":");
        canonical_write_integer(out, (int64_t)report->index);
    }
    buffer_append_literal(out, ",\"kind\":");
    write_text(out, report->kind);
    buffer_append_literal(out, ",\"object\":");
    write_text(out, report->name);
    if (report->origin) {
        buffer_append_literal(out, ",\"origin\":");
        write_text(out, report->origin);
        buffer_append_literal(out, ",\"root\":");
        write_text(out, report->root);
    }
    if (report->signer_id) {
        buffer_append_literal(out, ",\"signerId\":");
        write_text(out, report->signer_id);
    }
    if (report->signer_status) {
        buffer_append_literal(out, ",\"signerStatus\":");
        write_text(out, report->signer_status);
    }
    if (report->origin) {
        buffer_append_literal(out, ",\"size\":");
        canonical_write_integer(out, (int64_t)report->tree_size);
    }
    buffer_append_literal(out, ",\"verdict\":");
    write_text(out, verdict_names[report_verdict(report)]);
    buffer_append_literal(out, ",\"verified\":");
    canonical_write_boolean(out, report_verdict(report) == VERDICT_VERIFIED);
    buffer_append_char(out, '}');
}
