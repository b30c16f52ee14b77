/* progress.c: how far an import is. */
#include "import/progress.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ON_TERMINAL_MS 250
#define ELSEWHERE_MS 10000
#define BAR 30

void progress_begin(struct progress *progress, bool quiet)
{
    progress->terminal = isatty(STDERR_FILENO);
    progress->quiet = quiet;
    progress->began_ms = progress->shown_ms = clock_ms();
}

double progress_seconds(const struct progress *progress)
{
    return (double)(clock_ms() - progress->began_ms) / 1000;
}

const char *progress_number(char text[32], uint64_t number)
{
    char digits[24];
    size_t length = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, number), at = 0;

    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

void progress_show(struct progress *progress, const char *what, double share, uint64_t records, uint64_t refused)
{
    long now = clock_ms();
    double seconds = progress_seconds(progress);
    char bar[BAR + 1], done[32], rate[32], bad[32], share_text[16] = "", refused_text[48] = "";

    if (progress->quiet || now - progress->shown_ms < (progress->terminal ? ON_TERMINAL_MS : ELSEWHERE_MS))
        return;
    progress->shown_ms = now;
    for (int i = 0; i < BAR; i++)
        bar[i] = share >= 0 && i < (int)(share * BAR) ? '#' : '.';
    bar[BAR] = '\0';
    if (share >= 0)
        snprintf(share_text, sizeof(share_text), " %3.0f %%", share * 100);
    if (refused > 0)
        snprintf(refused_text, sizeof(refused_text), ", %s rejected", progress_number(bad, refused));
    fprintf(stderr, "%s%-5s [%s]%s  %s records, %s a second%s%s", progress->terminal ? "\r" : "", what, bar, share_text, progress_number(done, records),
            progress_number(rate, seconds > 0 ? (uint64_t)((double)records / seconds) : 0), refused_text, progress->terminal ? "\033[K" : "\n");
}

void progress_end(struct progress *progress)
{
    if (progress->terminal && !progress->quiet)
        fputs("\r\033[K", stderr);
}
