#include "load/histogram.h"

#include "base/macro.h"

#define HALF (1u << HISTOGRAM_BITS)

/* Values below 64 have a bucket each; above, the six bits after the first one choose it. */
static unsigned bucket_of(uint64_t v)
{
    if (v < HALF)
        return (unsigned)v;
    unsigned shift = 63 - HISTOGRAM_BITS - (unsigned)__builtin_clzll(v);
    unsigned at = ((shift + 1) << HISTOGRAM_BITS) + (unsigned)((v >> shift) & (HALF - 1));
    return MIN(at, (unsigned)HISTOGRAM_BUCKETS - 1);
}

/* The largest value of a bucket. */
static uint64_t end_of(unsigned bucket)
{
    unsigned shift = bucket >> HISTOGRAM_BITS;
    if (shift == 0)
        return bucket;
    shift--;
    return ((((uint64_t)HALF | (bucket & (HALF - 1))) + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, int64_t ns)
{
    int64_t v = MAX(ns, (int64_t)0);
    h->n++;
    h->sum += (uint64_t)v;
    h->max = MAX(h->max, v);
    h->buckets[bucket_of((uint64_t)v)]++;
}

int64_t histogram_quantile(const struct histogram *h, double q)
{
    uint64_t seen = 0;
    double wanted = q * (double)h->n;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen > 0 && (double)seen >= wanted)
            return MIN((int64_t)end_of(i), h->max);
    }
    return h->max;
}
