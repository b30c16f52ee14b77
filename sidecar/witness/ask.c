/* ask.c: asking a witness to cosign. */
#include "witness/ask.h"

#include "core/base64.h"
#include "core/decimal.h"
#include "witness/ed25519.h"
#include "witness/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A cosignature line is 200 bytes; a witness may have keys of other kinds, and names are long now and then. */
#define ANSWER_MOST 65536

static void say(struct witness_reply *reply, enum witness_says says, const char *what, const char *detail)
{
    reply->says = says;
    snprintf(reply->reason, sizeof(reply->reason), "%s%s%.120s", what, detail[0] ? ": " : "", detail);
    for (char *p = reply->reason; *p; p++)
        if ((unsigned char)*p < ' ' || *p == '\x7f')
            *p = ' ';
}

static void write_question(ByteBuffer *body, const struct witness_question *question)
{
    buffer_append_literal(body, "old ");
    decimal_append(body, question->old_size);
    buffer_append_char(body, '\n');
    for (int i = 0; i < question->proof_length; i++) {
        base64_append(body, question->proof[i], MERKLE_HASH_LENGTH);
        buffer_append_char(body, '\n');
    }
    buffer_append_char(body, '\n');
    buffer_append(body, question->note, question->note_length);
}

/* The cosignature of the key in a note that note_verify() takes. */
static bool find_cosignature(const SignedNote *note, const NoteKey *key, struct witness_reply *reply)
{
    for (size_t i = 0; i < note->signature_count; i++) {
        const NoteSignature *line = &note->signatures[i];
        uint64_t timestamp;

        if (line->length == COSIGNATURE_LENGTH && !memcmp(line->key_id, key->key_id, NOTE_KEY_ID_LENGTH) && line->name.length == key->name.length
            && !memcmp(line->name.data, key->name.data, key->name.length)
            && cosignature_verify(note->text.data, note->text.length, line->bytes, line->length, key->public_key, ed25519_verify, &timestamp)
            && timestamp == reply->timestamp) {
            memcpy(reply->signature, line->bytes + COSIGNATURE_LENGTH - NOTE_ED25519_LENGTH, NOTE_ED25519_LENGTH);
            return true;
        }
    }
    return false;
}

/* 200: lines of cosignatures, one of which is the key's over our text. Others are for others. */
static void read_cosignature(const struct witness_question *question, const char *lines, size_t length, struct witness_reply *reply)
{
    SignedNote *note = malloc(sizeof(*note));
    const char *wrong = "out of memory";
    ByteBuffer signed_note;

    buffer_init(&signed_note, NULL, NULL);
    if (note && !(wrong = note_parse(note, question->note, question->note_length))) {
        note_begin(&signed_note, note->text.data, note->text.length);
        buffer_append(&signed_note, lines, length);
        wrong = signed_note.failed ? "out of memory" : note_parse(note, signed_note.data, signed_note.length);
        /* what the witness sends could hold an empty line, which would make it another text */
        if (!wrong && (note->text.length + 1 + length != signed_note.length))
            wrong = "it holds an empty line";
    }
    if (wrong)
        say(reply, WITNESS_AWAY, "its answer is no cosignature", wrong);
    else if (note_verify(note, question->key, ed25519_verify, &reply->timestamp) != NOTE_VERIFIED || reply->timestamp == 0
             || !find_cosignature(note, question->key, reply))
        say(reply, WITNESS_AWAY, "its answer holds no cosignature that verifies under its key", "");
    else
        reply->says = WITNESS_COSIGNED;
    buffer_free(&signed_note);
    free(note);
}

/* 409: the size that it cosigned last, and a newline; or, where it was asked about that very size, that its root is another. */
static void read_conflict(const struct witness_question *question, const struct http_answer *answer, struct witness_reply *reply)
{
    char type[64] = "";
    bool says_size;

    http_answer_header(answer, "content-type", type, sizeof(type));
    says_size = !strcmp(type, "text/x.tlog.size") && answer->body_length >= 2 && answer->body[answer->body_length - 1] == '\n'
                && decimal_read(answer->body, answer->body_length - 1, &reply->size);
    if (question->old_size == question->size && (!says_size || reply->size == question->size))
        say(reply, WITNESS_CONTRADICTS, "it has cosigned another tree of this size", "");
    else if (!says_size)
        say(reply, WITNESS_AWAY, "it has another size, and does not say which", "");
    else
        say(reply, WITNESS_OTHER_SIZE, "it has another size", "");
}

void witness_ask(struct http *http, const struct witness_question *question, struct witness_reply *reply)
{
    static const struct http_header headers[] = {{"Content-Type", "text/plain; charset=utf-8"}};
    struct http_answer answer = {0};
    struct http_request request = {.method = "POST", .headers = headers, .header_count = 1, .timeout_ms = question->timeout_ms};
    char url[2048], status[48];
    ByteBuffer body;

    memset(reply, 0, sizeof(*reply));
    buffer_init(&body, NULL, NULL);
    write_question(&body, question);
    if (body.failed || snprintf(url, sizeof(url), "%s/add-checkpoint", question->url) >= (int)sizeof(url)) {
        say(reply, WITNESS_AWAY, "it could not be asked", body.failed ? "out of memory" : "its URL is too long");
        buffer_free(&body);
        return;
    }
    request.url = url;
    request.body = body.data;
    request.body_size = body.length;
    if (!http_call(http, &request, &answer))
        say(reply, WITNESS_AWAY, "it did not answer", answer.error);
    else {
        snprintf(status, sizeof(status), "it answered %ld", answer.status);
        if (answer.body_length > ANSWER_MOST)
            say(reply, WITNESS_AWAY, status, "much too long");
        else if (answer.status == 200)
            read_cosignature(question, answer.body ? answer.body : "", answer.body_length, reply);
        else if (answer.status == 409)
            read_conflict(question, &answer, reply);
        else if (answer.status == 422)
            say(reply, WITNESS_CONTRADICTS, status, answer.body ? answer.body : "");
        else if (answer.status == 400 || answer.status == 403 || answer.status == 404)
            say(reply, WITNESS_REFUSES, status, answer.body ? answer.body : "");
        else
            say(reply, WITNESS_AWAY, status, "");
    }
    http_answer_free(&answer);
    buffer_free(&body);
}

bool witness_fetch(struct http *http, const char *url, int timeout_ms, const char *origin, const NoteKey *log_key, ByteBuffer *note,
                   Checkpoint *checkpoint)
{
    struct http_answer answer = {0};
    struct http_request request = {.method = "GET", .timeout_ms = timeout_ms};
    SignedNote *parsed = malloc(sizeof(*parsed));
    char path[2048], name[RECORD_NAME_LENGTH + 1];
    bool good = false;

    record_name(name, origin, strlen(origin));
    request.url = path;
    if (parsed && snprintf(path, sizeof(path), "%s/%s/checkpoint", url, name) < (int)sizeof(path) && http_call(http, &request, &answer)
        && answer.status == 200 && answer.body && answer.body_length <= ANSWER_MOST) {
        buffer_append(note, answer.body, answer.body_length);
        good = !note->failed && !note_parse(parsed, note->data, note->length) && note_verify(parsed, log_key, ed25519_verify, NULL) == NOTE_VERIFIED
               && !checkpoint_parse(checkpoint, parsed->text.data, parsed->text.length) && checkpoint->origin.length == strlen(origin)
               && !memcmp(checkpoint->origin.data, origin, checkpoint->origin.length);
    }
    http_answer_free(&answer);
    free(parsed);
    return good;
}
