/*
 * A progress bar on stderr, on a terminal only; it removes itself.
 *
 *     struct progress p;
 *     progress_begin(&p, &c->err, "Uploading");
 *     … progress_update(&p, done, total) as often as you like …
 *     progress_end(&p);
 */
#ifndef STIGMER_CLI_PROGRESS_H
#define STIGMER_CLI_PROGRESS_H

#include "cli/term.h"

struct progress {
    const struct term *term;
    const char *label;
    int64_t drawn_ns; /* CLOCK_MONOTONIC of the last drawing */
    bool drawn;
};

void progress_begin(struct progress *p, const struct term *t, const char *label);
/* ctx is the struct progress: fits the progress callbacks of pack, unpack and the gRPC client. */
void progress_update(void *ctx, uint64_t done, uint64_t total);
void progress_end(struct progress *p);

#endif
