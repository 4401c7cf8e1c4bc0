#include "base/metric.h"

#include "test.h"

#include <pthread.h>

static struct buf out;

static str text(void)
{
    CHECK(!out.failed);
    return buf_view(&out);
}

TEST(a_family_and_its_lines)
{
    const struct metric_label two[] = {{"method", "/a/b"}, {"code", "OK"}};
    buf_init(&out, KIB(64));
    metric_family(&out, "x_total", "counter", "Things.");
    metric_line(&out, "x_total", two, 3);
    metric_line(&out, "x_total", NULL, 0.25);
    metric_one(&out, "y", "gauge", "Why.", 18446744073709551615.0);
    CHECK_STR(text(), STR("# HELP x_total Things.\n# TYPE x_total counter\n"
                          "x_total{method=\"/a/b\",code=\"OK\"} 3\nx_total 0.25\n"
                          "# HELP y Why.\n# TYPE y gauge\ny 1.8446744073709552e+19\n"));
    buf_deinit(&out);
}

TEST(label_values_are_escaped)
{
    const struct metric_label one[2] = {{"a", "q\"b\\n\nz"}};
    buf_init(&out, KIB(64));
    metric_line(&out, "x", one, 1);
    CHECK_STR(text(), STR("x{a=\"q\\\"b\\\\n\\nz\"} 1\n"));
    buf_deinit(&out);
}

static const struct metric_scale small = {.n = 2, .per = 10, .bounds = {5, 20}};

TEST(buckets_are_cumulative)
{
    static struct metric_buckets h;
    const struct metric_label one[2] = {{"m", "x"}};
    const uint64_t values[] = {0, 5, 6, 20, 21, 1000};
    buf_init(&out, KIB(64));
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        metric_note(&h, &small, values[i]);
    metric_histogram(&out, "d", one, &small, &h);
    CHECK_STR(text(),
              STR("d_bucket{m=\"x\",le=\"0.5\"} 2\nd_bucket{m=\"x\",le=\"2\"} 4\n"
                  "d_bucket{m=\"x\",le=\"+Inf\"} 6\nd_sum{m=\"x\"} 105.2\nd_count{m=\"x\"} 6\n"));
    buf_clear(&out);
    static struct metric_buckets sum;
    metric_merge(&sum, &h);
    metric_merge(&sum, &h);
    metric_histogram(&out, "d", NULL, &small, &sum);
    CHECK_CONTAINS(text(), STR("d_bucket{le=\"2\"} 8\nd_bucket{le=\"+Inf\"} 12\n"));
    CHECK_CONTAINS(text(), STR("d_count 12\n"));
    buf_deinit(&out);
}

TEST(bounds_ascend)
{
    const struct metric_scale *const scales[] = {&metric_seconds, &metric_sizes};
    for (size_t s = 0; s < ARRAY_SIZE(scales); s++) {
        CHECK(scales[s]->n <= METRIC_BOUNDS_MAX);
        for (size_t i = 1; i < scales[s]->n; i++)
            CHECK(scales[s]->bounds[i] > scales[s]->bounds[i - 1]);
    }
}

/* --- threads --- */

enum { N_THREADS = 12, N_EACH = 20000 };

static struct counter shared;
static struct metric_buckets durations;

static void *count(void *arg)
{
    unsigned *stripe = arg;
    *stripe = metric_stripe();
    for (uint64_t i = 0; i < N_EACH; i++) {
        counter_add(&shared, 1);
        metric_note(&durations, &metric_seconds, i);
    }
    CHECK_INT(metric_stripe(), *stripe);
    return NULL;
}

TEST(nothing_is_lost_between_threads_while_it_is_told)
{
    pthread_t threads[N_THREADS];
    unsigned stripes[N_THREADS], used[METRIC_STRIPES] = {0};
    for (size_t i = 0; i < N_THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, count, &stripes[i]) == 0);
    for (int i = 0; i < 50; i++) {
        buf_init(&out, KIB(64));
        metric_histogram(&out, "d", NULL, &metric_seconds, &durations);
        buf_deinit(&out);
    }
    for (size_t i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT((long long)counter_get(&shared), N_THREADS * N_EACH);
    buf_init(&out, KIB(64));
    metric_histogram(&out, "d", NULL, &metric_seconds, &durations);
    CHECK_CONTAINS(text(), STR("d_count 240000\n"));
    buf_deinit(&out);
    for (size_t i = 0; i < N_THREADS; i++)
        used[stripes[i]]++;
    for (size_t i = 0; i < METRIC_STRIPES; i++)
        CHECK(used[i] >= 1); /* the first threads have one each */
}
