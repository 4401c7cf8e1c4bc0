#include "base/metric.h"

#include "base/macro.h"

#include <stdio.h>

#define US(n) ((uint64_t)(n)*1000)
#define MS(n) US((n)*1000)

const struct metric_scale metric_seconds = {
    .n = 18,
    .per = NS_PER_S,
    .bounds = {US(50), US(100), US(250), US(500), MS(1), US(2500), MS(5), MS(10), MS(25), MS(50),
               MS(100), MS(250), MS(500), MS(1000), MS(2500), MS(5000), MS(10000), MS(60000)},
};
const struct metric_scale metric_sizes = {
    .n = 9, .per = 1, .bounds = {1, 2, 4, 8, 16, 32, 64, 128, 256}};

static uint64_t get(const _Atomic uint64_t *n)
{
    return atomic_load_explicit((_Atomic uint64_t *)(uintptr_t)n, memory_order_relaxed);
}

void metric_note(struct metric_buckets *h, const struct metric_scale *scale, uint64_t value)
{
    size_t i = 0;
    while (i < scale->n && value > scale->bounds[i])
        i++;
    atomic_fetch_add_explicit(&h->counts[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum, value, memory_order_relaxed);
}

void metric_merge(struct metric_buckets *a, const struct metric_buckets *b)
{
    for (size_t i = 0; i < ARRAY_SIZE(a->counts); i++)
        a->counts[i] += get(&b->counts[i]);
    a->sum += get(&b->sum);
}

unsigned metric_stripe(void)
{
    static _Atomic unsigned next;
    static _Thread_local unsigned mine; /* + 1 */
    if (!mine)
        mine = 1 + atomic_fetch_add(&next, 1) % METRIC_STRIPES;
    return mine - 1;
}

void metric_family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Backslash, quote and line feed (exposition_formats.md). */
static void add_escaped(struct buf *out, const char *value)
{
    for (; *value; value++) {
        if (*value == '\n')
            buf_add_c(out, "\\n");
        else if (*value == '\\' || *value == '"')
            buf_addf(out, "\\%c", *value);
        else
            buf_add_char(out, *value);
    }
}

static void add_labels(struct buf *out, const struct metric_label *labels, const char *le)
{
    const char *before = "{";
    for (size_t i = 0; labels && i < 2 && labels[i].name; i++, before = ",") {
        buf_addf(out, "%s%s=\"", before, labels[i].name);
        add_escaped(out, labels[i].value);
        buf_add_char(out, '"');
    }
    if (le)
        buf_addf(out, "%sle=\"%s\"", before, le);
    if (le || *before == ',')
        buf_add_char(out, '}');
}

void metric_line(struct buf *out, const char *name, const struct metric_label labels[2],
                 double value)
{
    buf_add_c(out, name);
    add_labels(out, labels, NULL);
    buf_addf(out, " %.17g\n", value);
}

static void bucket(struct buf *out, const char *name, const struct metric_label *labels,
                   const char *le, uint64_t n)
{
    buf_addf(out, "%s_bucket", name);
    add_labels(out, labels, le);
    buf_addf(out, " %llu\n", (unsigned long long)n);
}

void metric_histogram(struct buf *out, const char *name, const struct metric_label labels[2],
                      const struct metric_scale *scale, const struct metric_buckets *h)
{
    uint64_t n = 0;
    char le[32];
    for (size_t i = 0; i < scale->n; i++) {
        n += get(&h->counts[i]);
        (void)snprintf(le, sizeof le, "%g", (double)scale->bounds[i] / (double)scale->per);
        bucket(out, name, labels, le, n);
    }
    n += get(&h->counts[scale->n]);
    bucket(out, name, labels, "+Inf", n);
    buf_addf(out, "%s_sum", name);
    add_labels(out, labels, NULL);
    buf_addf(out, " %.17g\n%s_count", (double)get(&h->sum) / (double)scale->per, name);
    add_labels(out, labels, NULL);
    buf_addf(out, " %llu\n", (unsigned long long)n);
}

void metric_one(struct buf *out, const char *name, const char *type, const char *help, double value)
{
    metric_family(out, name, type, help);
    metric_line(out, name, NULL, value);
}
