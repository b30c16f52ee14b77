/*
 * broken_store.c: a sidecar that stores snapshots wrongly: LD_PRELOAD, and how in BROKEN_STORE.
 *
 *   bytes    under a snapshot's name comes a file with one byte changed
 *   never    storing a snapshot never ends
 *
 * What the sidecar writes into its draft, and checks there, stays right: it believes that all is well.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int names_a_snapshot(const char *path)
{
    size_t length = strlen(path);

    return strstr(path, "/snapshots/") && length > 10 && !strcmp(path + length - 5, ".json") && strcmp(path + length - 10, ".meta.json") != 0;
}

static int write_altered(const char *from, const char *to)
{
    static char bytes[1 << 20];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0444);
    ssize_t length = in < 0 ? -1 : read(in, bytes, sizeof(bytes));
    char *place = length > 0 ? memmem(bytes, (size_t)length, "a release is tried", 18) : NULL;

    if (place)
        *place = 'A';
    else if (length > 0)
        bytes[length / 2] ^= 1;
    length = out < 0 || length < 0 ? -1 : write(out, bytes, (size_t)length);
    close(in);
    close(out);
    return length < 0 ? -1 : 0;
}

int linkat(int old_directory, const char *old_path, int new_directory, const char *new_path, int flags)
{
    int (*real)(int, const char *, int, const char *, int) = (int (*)(int, const char *, int, const char *, int))dlsym(RTLD_NEXT, "linkat");
    const char *how = getenv("BROKEN_STORE");

    if (!how || !names_a_snapshot(new_path))
        return real(old_directory, old_path, new_directory, new_path, flags);
    while (!strcmp(how, "never"))
        pause();
    return write_altered(old_path, new_path);
}
