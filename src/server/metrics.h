/*
 * Prometheus metrics over plain HTTP: GET or HEAD /metrics, nothing else.
 *
 * libmicrohttpd does the HTTP, on a thread for each address; few connections at a time, and idle
 * ones end, so that who scrapes cannot take anything from those who call.
 */
#ifndef STIGMER_SERVER_METRICS_H
#define STIGMER_SERVER_METRICS_H

#include "base/buf.h"

struct metrics;

struct metrics_options {
    const char *const *addresses; /* numeric; borrowed until metrics_start returns */
    size_t n_addresses;
    uint16_t port;
    /* Writes all families but those of the process; on a thread of the metrics, one at a time for
     * each address. */
    void (*write)(void *ctx, struct buf *out);
    void *ctx;
};
/* ALREADY_EXISTS when somebody listens there. FAILED_PRECONDITION: libmicrohttpd is not installed.
 */
enum err metrics_start(const struct metrics_options *o, struct metrics **ret, struct error *e);
/* NULL is fine. */
void metrics_stop(struct metrics *m);

#endif
