/*
 * verifiers.c: the snapshot, as it lies in the store, before verifiers that are programs of their own.
 *
 * They get it as a file, with the signers that are trusted as another, and what is claimed of it as options.
 */
#include "canary/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAID_MOST 65536         /* of what a verifier prints */
#define LOOK_MS 20              /* whether it has ended */

static bool write_file(struct canary *canary, const char *path, const char *text)
{
    FILE *file = fopen(path, "wx");
    bool ok = file && fputs(text, file) >= 0;

    if (file && fclose(file) != 0)
        ok = false;
    return ok || canary_fail(canary, "cannot write \"%s\": %s", path, strerror(errno));
}

/* Reads what a program prints until it closes its output, or there is no time left. */
static bool listen_to(struct canary *canary, int fd, char said[SAID_MOST])
{
    size_t length = 0;

    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        char rest[512];
        ssize_t n;
        int left_ms = canary_time_left(canary);

        if (left_ms == 0)
            return canary_fail(canary, "a verifier did not end in time");
        if (poll(&ready, 1, left_ms) <= 0)
            continue;
        n = length < SAID_MOST - 1 ? read(fd, said + length, SAID_MOST - 1 - length) : read(fd, rest, sizeof(rest));
        if (n <= 0)
            return n == 0;
        if (length < SAID_MOST - 1)
            length += (size_t)n;
        said[length] = '\0';
    }
}

/* What a program ends with; -1 after canary_fail(): it did not in time, and was killed, or was killed by another. */
static int wait_for(struct canary *canary, pid_t pid, bool heard)
{
    int status = 0;
    pid_t ended = 0;

    while (heard && (ended = waitpid(pid, &status, WNOHANG)) == 0 && canary_time_left(canary) > 0)
        usleep(LOOK_MS * 1000);
    if (ended == 0) {
        canary_fail(canary, "a verifier did not end in time");
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        return -1;
    }
    if (ended < 0 || !WIFEXITED(status)) {
        canary_fail(canary, "a verifier was killed");
        return -1;
    }
    return WEXITSTATUS(status);
}

/* Runs a program to its end, and takes what it prints; its exit status, -1: none. */
static int run(struct canary *canary, const char *const *command, char said[SAID_MOST])
{
    int pipe_fds[2];
    bool heard;
    pid_t pid;

    said[0] = '\0';
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        canary_fail(canary, "\"%s\" cannot be started: %s", command[0], strerror(errno));
        return -1;
    }
    pid = fork();
    if (pid < 0) {
        canary_fail(canary, "\"%s\" cannot be started: %s", command[0], strerror(errno));
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        return -1;
    }
    if (pid == 0) {
        dup2(pipe_fds[1], STDOUT_FILENO);
        execvp(command[0], (char *const *)command);
        fprintf(stderr, "%s: %s\n", command[0], strerror(errno));
        _exit(127);
    }
    close(pipe_fds[1]);
    heard = listen_to(canary, pipe_fds[0], said);
    close(pipe_fds[0]);
    return wait_for(canary, pid, heard);
}

static const char *claim(const struct canary *canary, const char *member)
{
    return json_string_value(json_object_get(canary->snapshot, member));
}

static bool verified_by(struct canary *canary, const char *verifier, const char *registry, const char *document)
{
    const char *const version[] = {verifier, "--version", NULL};
    const char *const verify[] = {verifier, "--json", "--registry", registry, "--hash", claim(canary, "hash"), "--signature", claim(canary, "signature"),
                                  "--signer", claim(canary, "signerId"), "--signed-at", claim(canary, "completedAt"), "--type", "snapshot", document, NULL};
    char name[SAID_MOST], said[SAID_MOST];
    json_t *verdict, *expected = json_pack("{s:s, s:b, s:s}", "kind", "snapshot", "verified", 1, "hash", claim(canary, "hash"));
    int status = run(canary, version, name);
    bool ok = false;

    name[strcspn(name, "\n")] = '\0';
    if (status != 0)
        canary_fail(canary, "\"%s\" is no verifier that can be run", verifier);
    else if ((status = run(canary, verify, said)) != 0)
        canary_fail(canary, "%s (\"%s\") does not verify the snapshot: %.500s", name, verifier, said);
    verdict = status == 0 ? json_loads(said, JSON_REJECT_DUPLICATES, NULL) : NULL;
    ok = status == 0 && answer_says(canary, verifier, verdict, expected);
    json_array_append_new(json_object_get(canary->report, "verifiers"),
                          json_pack("{s:s, s:s, s:b}", "program", verifier, "version", name, "verified", ok));
    json_decref(verdict);
    json_decref(expected);
    return ok;
}

/* The signers that are trusted: those of the file that was given, or else those that the gateway names. */
static bool make_registry(struct canary *canary, const char *path)
{
    json_t *signers = answer_from(canary, &canary->gateway, "/reason/signers");
    char *text = signers ? json_dumps(signers, JSON_COMPACT) : NULL;
    bool ok = text && write_file(canary, path, text);

    free(text);
    json_decref(signers);
    return ok;
}

static bool verified_by_all(struct canary *canary, const char *directory)
{
    char registry[256], document[256];
    bool ok;

    snprintf(registry, sizeof(registry), "%s/signers.json", directory);
    snprintf(document, sizeof(document), "%s/snapshot.json", directory);
    ok = (canary->registry || make_registry(canary, registry)) && write_file(canary, document, canary->document);
    for (size_t i = 0; ok && i < canary->verifier_count; i++)
        ok = verified_by(canary, canary->verifiers[i], canary->registry ? canary->registry : registry, document);
    unlink(registry);
    unlink(document);
    return ok;
}

bool canary_verifies(struct canary *canary)
{
    json_t *answer = answer_from(canary, &canary->gateway, "/reason/snapshot/%s/verify?division=%s", claim(canary, "snapshotId"), canary->division);
    json_t *expected = json_pack("{s:b, s:b, s:b, s:b}", "ok", 1, "hash_ok", 1, "signature_ok", 1, "graph_ok", 1);
    const char *above = getenv("TMPDIR");
    char directory[128];
    bool ok = answer && answer_says(canary, "the gateway's verification", answer, expected);

    json_decref(answer);
    json_decref(expected);
    snprintf(directory, sizeof(directory), "%.100s/reason-canary.XXXXXX", above && *above ? above : "/tmp");
    if (!ok)
        return false;
    if (!mkdtemp(directory))
        return canary_fail(canary, "cannot make \"%s\": %s", directory, strerror(errno));
    ok = verified_by_all(canary, directory);
    rmdir(directory);
    return ok;
}
