/*
 * Counting, and telling it in Prometheus' text format (version 0.0.4).
 *
 * Model: a count is a plain member of the object that it is about; no registry. Each part of the
 * server writes its own families with metric_family and the lines that follow it. Counting is a
 * relaxed atomic addition: any thread, no order between two counts, no allocation. Names: the
 * caller's, by Prometheus' conventions (base units, `_total` on counters); the writer adds
 * `_bucket`, `_sum` and `_count`. Label values are escaped here.
 */
#ifndef STIGMER_BASE_METRIC_H
#define STIGMER_BASE_METRIC_H

#include "base/buf.h"

#include <stdatomic.h>

struct counter {
    _Atomic uint64_t n;
};

static inline void counter_add(struct counter *c, uint64_t n)
{
    atomic_fetch_add_explicit(&c->n, n, memory_order_relaxed);
}

static inline uint64_t counter_get(const struct counter *c)
{
    return atomic_load_explicit(&((struct counter *)(uintptr_t)c)->n, memory_order_relaxed);
}

/* --- distributions --- */

#define METRIC_BOUNDS_MAX 18

/* Upper bounds of buckets, ascending, in the unit that is added; printed as value / per. */
struct metric_scale {
    size_t n;
    uint64_t per;
    uint64_t bounds[METRIC_BOUNDS_MAX];
};
extern const struct metric_scale metric_seconds; /* added in ns: 50 µs to 60 s */
extern const struct metric_scale metric_sizes;   /* 1 to 256 */

struct metric_buckets {
    _Atomic uint64_t counts[METRIC_BOUNDS_MAX + 1]; /* the last: above all bounds */
    _Atomic uint64_t sum;
};

void metric_note(struct metric_buckets *h, const struct metric_scale *scale, uint64_t value);

/* Adds b's counts to a, which nobody else uses. */
void metric_merge(struct metric_buckets *a, const struct metric_buckets *b);

/* --- threads that would get in each other's way --- */

/* A number below METRIC_STRIPES for the calling thread: each of the first threads that ask has one
 * of its own. Counts that every call makes are kept once for each stripe and added up when they are
 * told. */
#define METRIC_STRIPES 8
unsigned metric_stripe(void);

/* --- telling --- */

/* # HELP and # TYPE; type: "counter", "gauge" or "histogram". */
void metric_family(struct buf *out, const char *name, const char *type, const char *help);

struct metric_label {
    const char *name, *value; /* name NULL: there is none */
};
/* A line; at most two labels. */
void metric_line(struct buf *out, const char *name, const struct metric_label labels[2],
                 double value);
void metric_histogram(struct buf *out, const char *name, const struct metric_label labels[2],
                      const struct metric_scale *scale, const struct metric_buckets *h);
/* A family of one line without labels. */
void metric_one(struct buf *out, const char *name, const char *type, const char *help,
                double value);

#endif
