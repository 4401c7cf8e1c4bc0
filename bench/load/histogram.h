/*
 * A histogram of durations whose buckets grow with the value, so that every quantile is right
 * to 1.6 % (64 buckets for each power of two), from nanoseconds to hours, in 20 KiB. The idea is
 * HdrHistogram's.
 */
#ifndef STIGMER_BENCH_HISTOGRAM_H
#define STIGMER_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS    6
#define HISTOGRAM_BUCKETS ((45 - HISTOGRAM_BITS) << HISTOGRAM_BITS) /* up to 2^44 ns, 4.8 hours */

struct histogram {
    uint64_t n, sum;
    int64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* Nanoseconds; below 0 counts as 0, beyond the last bucket as in it. */
void histogram_add(struct histogram *h, int64_t ns);
/* The smallest duration that at least the share q (0 to 1) of all do not exceed: its bucket's upper
 * end, at most the maximum. 0 when there are none. */
int64_t histogram_quantile(const struct histogram *h, double q);

#endif
