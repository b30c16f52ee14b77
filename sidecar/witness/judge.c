/* judge.c: whether a witness cosigns. */
#include "witness/judge.h"

#include "base/log.h"
#include "core/base64.h"
#include "core/checkpoint.h"
#include "core/decimal.h"
#include "core/merkle.h"
#include "witness/ed25519.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum status { OK = 200, BAD_REQUEST = 400, FORBIDDEN = 403, NOT_FOUND = 404, CONFLICT = 409, UNPROCESSABLE = 422, FAILED = 500 };

struct request {
    uint64_t old_size;
    MerkleHash proof[WITNESS_PROOF_MOST];
    size_t proof_length;
    const char *note_bytes;
    size_t note_length;
    SignedNote note;
    Checkpoint checkpoint;
};

/* What is recorded of a log. */
struct recorded {
    ByteBuffer bytes;
    uint64_t size;
    uint8_t root[SHA256_LENGTH];
    uint64_t timestamp;         /* of the cosignature */
};

static void say(struct verdict *verdict, enum status status, const char *text)
{
    verdict->status = status;
    verdict->type = WITNESS_TEXT_TYPE;
    verdict->body.length = 0;
    buffer_append(&verdict->body, text, strlen(text));
    buffer_append_char(&verdict->body, '\n');
}

/* Something else was cosigned last: of which size. */
static void say_size(struct verdict *verdict, uint64_t size)
{
    verdict->status = CONFLICT;
    verdict->type = WITNESS_SIZE_TYPE;
    decimal_append(&verdict->body, size);
    buffer_append_char(&verdict->body, '\n');
}

/* "old <size>", hashes, an empty line, a checkpoint. NULL, or what is wrong. */
static const char *read_request(struct request *request, const char *bytes, size_t length)
{
    const char *at = bytes, *end = bytes + length, *wrong;
    NoteText line;

    request->proof_length = 0;
    if (!note_next_line(&at, end, &line) || line.length < 5 || memcmp(line.data, "old ", 4) != 0
        || !decimal_read(line.data + 4, line.length - 4, &request->old_size))
        return "the first line is not \"old\" and a size";
    for (;;) {
        size_t decoded;

        if (!note_next_line(&at, end, &line))
            return "there is no empty line before the checkpoint";
        if (line.length == 0)
            break;
        if (request->proof_length == WITNESS_PROOF_MOST)
            return "there are more than 63 lines of a proof";
        if (!base64_decoded_length(line.data, line.length, &decoded) || decoded != MERKLE_HASH_LENGTH
            || !base64_decode(line.data, line.length, request->proof[request->proof_length], MERKLE_HASH_LENGTH))
            return "a line of the proof is not 32 bytes in Base 64";
        request->proof_length++;
    }
    request->note_bytes = at;
    request->note_length = (size_t)(end - at);
    wrong = note_parse(&request->note, at, request->note_length);
    return wrong ? wrong : checkpoint_parse(&request->checkpoint, request->note.text.data, request->note.text.length);
}

static bool is_of(const struct witnessed_log *log, const NoteText *origin)
{
    return strlen(log->origin) == origin->length && !memcmp(log->origin, origin->data, origin->length);
}

/* Whether the log signed the note: by one of its keys at least, and none of its lines is forged. */
static bool is_signed(const struct judge *judge, const SignedNote *note, const NoteText *origin)
{
    bool is = false;

    for (size_t i = 0; i < judge->log_count; i++)
        if (is_of(&judge->logs[i], origin))
            switch (note_verify(note, &judge->logs[i].key, ed25519_verify, NULL)) {
            case NOTE_VERIFIED: is = true; break;
            case NOTE_FORGED: return false;
            default: break;
            }
    return is;
}

static bool is_known(const struct judge *judge, const NoteText *origin)
{
    for (size_t i = 0; i < judge->log_count; i++)
        if (is_of(&judge->logs[i], origin))
            return true;
    return false;
}

static void own_key(const struct judge *judge, NoteKey *key)
{
    memset(key, 0, sizeof(*key));
    key->name = (NoteText){judge->name, strlen(judge->name)};
    key->type = NOTE_TYPE_COSIGNATURE;
    memcpy(key->public_key, judge->signer->public_key, NOTE_PUBLIC_KEY_LENGTH);
    note_key_id(key->key_id, key->name.data, key->name.length, key->type, key->public_key, NOTE_PUBLIC_KEY_LENGTH);
}

/* What was recorded is believed when the witness' own key or the log's has signed it: a file that was torn or edited is not. */
static bool read_recorded(const struct judge *judge, const char *name, const NoteText *origin, struct recorded *recorded)
{
    SignedNote note;
    Checkpoint checkpoint;
    NoteKey own;
    bool good;

    recorded->size = 0;
    recorded->timestamp = 0;
    switch (record_read(&judge->directory, name, &recorded->bytes)) {
    case RECORD_NONE: return true;
    case RECORD_UNREADABLE: return false;
    case RECORD_THERE: break;
    }
    own_key(judge, &own);
    good = !note_parse(&note, recorded->bytes.data, recorded->bytes.length) && !checkpoint_parse(&checkpoint, note.text.data, note.text.length)
           && checkpoint.origin.length == origin->length && !memcmp(checkpoint.origin.data, origin->data, origin->length)
           && (note_verify(&note, &own, ed25519_verify, &recorded->timestamp) == NOTE_VERIFIED || is_signed(judge, &note, origin));
    if (!good) {
        log_error("\"%s/%s.note\" is damaged: nothing is cosigned for its log until it is what it was", judge->directory.path, name);
        return false;
    }
    recorded->size = checkpoint.size;
    memcpy(recorded->root, checkpoint.root, SHA256_LENGTH);
    return true;
}

/* Whether the checkpoint extends what is recorded; else the verdict says why not. */
static bool extends(const struct judge *judge, const char *name, const struct request *request, const struct recorded *recorded,
                    struct verdict *verdict)
{
    const Checkpoint *checkpoint = &request->checkpoint;
    uint8_t empty[SHA256_LENGTH];

    if (request->old_size != recorded->size) {
        say_size(verdict, recorded->size);
        return false;
    }
    sha256_of(empty, "", 0);
    if (checkpoint->size == 0 && memcmp(checkpoint->root, empty, sizeof(empty)) != 0)
        say(verdict, UNPROCESSABLE, "the root of an empty tree is another");
    else if (recorded->size == 0 && request->proof_length > 0)
        say(verdict, UNPROCESSABLE, "from size 0 nothing is to be proved");
    else if (recorded->size == 0)
        return true;
    else if (merkle_verify_consistency(recorded->size, checkpoint->size, recorded->root, checkpoint->root, request->proof, request->proof_length))
        return true;
    else if (checkpoint->size == recorded->size && request->proof_length == 0) {
        /* the size is the same and the root another */
        say_size(verdict, recorded->size);
        log_error("log \"%.*s\" has signed another tree of size %llu than the one that was cosigned", (int)checkpoint->origin.length,
                  checkpoint->origin.data, (unsigned long long)checkpoint->size);
        record_keep_fork(&judge->directory, name, request->note_bytes, request->note_length);
    } else
        say(verdict, UNPROCESSABLE, "the proof does not show that this tree extends the one that was cosigned");
    return false;
}

/* The cosignature line, and the note that is recorded: text, the log's own signatures, the cosignature. */
static bool cosign(const struct judge *judge, const struct request *request, uint64_t timestamp, ByteBuffer *line, ByteBuffer *note)
{
    const NoteText *text = &request->note.text;
    uint8_t signature[SIGNATURE_LENGTH], cosignature[COSIGNATURE_LENGTH];
    ByteBuffer message;
    NoteKey own;
    bool ok;

    own_key(judge, &own);
    buffer_init(&message, NULL, NULL);
    cosignature_message(&message, timestamp, text->data, text->length);
    ok = !message.failed && signer_sign_message(judge->signer, (const uint8_t *)message.data, message.length, signature)
         && ed25519_verify(signature, (const uint8_t *)message.data, message.length, own.public_key);
    buffer_free(&message);
    if (!ok)
        return false;
    cosignature_write(cosignature, timestamp, signature);
    note_append_signature(line, own.name.data, own.name.length, own.key_id, cosignature, sizeof(cosignature));
    note_begin(note, text->data, text->length);
    for (size_t i = 0; i < request->note.signature_count; i++) {
        const NoteSignature *given = &request->note.signatures[i];

        for (size_t l = 0; l < judge->log_count; l++) {
            const NoteKey *key = &judge->logs[l].key;

            if (is_of(&judge->logs[l], &request->checkpoint.origin) && given->length == NOTE_ED25519_LENGTH
                && !memcmp(given->key_id, key->key_id, NOTE_KEY_ID_LENGTH) && given->name.length == key->name.length
                && !memcmp(given->name.data, key->name.data, key->name.length))
                note_append_signature(note, given->name.data, given->name.length, given->key_id, given->bytes, given->length);
        }
    }
    if (!line->failed)
        buffer_append(note, line->data, line->length);
    return !line->failed && !note->failed && note->length <= RECORD_NOTE_MOST;
}

/* Judges what is well formed, and signed by its log. */
static void judge_signed(struct judge *judge, const struct request *request, struct verdict *verdict)
{
    const Checkpoint *checkpoint = &request->checkpoint;
    struct recorded recorded;
    char name[RECORD_NAME_LENGTH + 1];
    uint64_t now = (uint64_t)time(NULL);
    ByteBuffer note;

    buffer_init(&recorded.bytes, NULL, NULL);
    buffer_init(&note, NULL, NULL);
    record_name(name, checkpoint->origin.data, checkpoint->origin.length);
    pthread_mutex_lock(&judge->lock);
    if (!read_recorded(judge, name, &checkpoint->origin, &recorded))
        say(verdict, FAILED, "the witness cannot tell what it has cosigned");
    else if (extends(judge, name, request, &recorded, verdict)) {
        verdict->body.length = 0;
        if (!cosign(judge, request, now > recorded.timestamp ? now : recorded.timestamp, &verdict->body, &note))
            say(verdict, FAILED, "the witness cannot sign just now");
        else if (!record_write(&judge->directory, name, note.data, note.length))
            say(verdict, FAILED, "the witness cannot remember");
        else {
            verdict->status = OK;
            verdict->type = WITNESS_TEXT_TYPE;
        }
    }
    pthread_mutex_unlock(&judge->lock);
    buffer_free(&recorded.bytes);
    buffer_free(&note);
}

void judge_add_checkpoint(struct judge *judge, const char *bytes, size_t length, struct verdict *verdict)
{
    struct request *request = malloc(sizeof(*request));
    const char *wrong;

    buffer_init(&verdict->body, NULL, NULL);
    if (!request)
        say(verdict, FAILED, "out of memory");
    else if ((wrong = read_request(request, bytes, length)) != NULL)
        say(verdict, BAD_REQUEST, wrong);
    else if (!is_known(judge, &request->checkpoint.origin))
        say(verdict, NOT_FOUND, "the log is not one of those that are witnessed here");
    else if (!is_signed(judge, &request->note, &request->checkpoint.origin))
        say(verdict, FORBIDDEN, "the log has not signed this checkpoint");
    else if (request->old_size > request->checkpoint.size)
        say(verdict, BAD_REQUEST, "the old size exceeds that of the checkpoint");
    else
        judge_signed(judge, request, verdict);
    free(request);
}

void judge_checkpoint(struct judge *judge, const char *origin_hash, struct verdict *verdict)
{
    enum record_state state = RECORD_NONE;

    buffer_init(&verdict->body, NULL, NULL);
    for (size_t i = 0; i < judge->log_count; i++) {
        char name[RECORD_NAME_LENGTH + 1];

        record_name(name, judge->logs[i].origin, strlen(judge->logs[i].origin));
        if (!strcmp(name, origin_hash)) {
            state = record_read(&judge->directory, name, &verdict->body);
            break;
        }
    }
    if (state == RECORD_NONE)
        say(verdict, NOT_FOUND, "nothing was cosigned for this log");
    else if (state == RECORD_UNREADABLE)
        say(verdict, FAILED, "the witness cannot tell what it has cosigned");
    else {
        verdict->status = OK;
        verdict->type = WITNESS_TEXT_TYPE;
    }
}
