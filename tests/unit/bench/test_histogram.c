#include "load/histogram.h"

#include "test.h"

/* What a bucket may be off: one part in 64. */
static void check_near(int64_t got, int64_t want)
{
    CHECK(got >= want);
    CHECK(got - want <= want / 64 + 1);
}

TEST(nothing_in_it)
{
    struct histogram h = {0};
    CHECK_INT(histogram_quantile(&h, 0.5), 0);
}

TEST(one_value_at_every_power_of_two)
{
    for (unsigned bit = 0; bit < 44; bit++)
        for (int64_t off = -1; off <= 1; off++) {
            struct histogram h = {0};
            int64_t v = ((int64_t)1 << bit) + off;
            histogram_add(&h, v);
            CHECK_INT(histogram_quantile(&h, 0), v); /* the maximum bounds it */
            histogram_add(&h, 2 * v + 5);
            check_near(histogram_quantile(&h, 0.5), v);
        }
}

TEST(quantiles_of_a_known_distribution)
{
    struct histogram h = {0};
    for (int64_t i = 1; i <= 100000; i++)
        histogram_add(&h, i * 1000);
    CHECK_INT((long long)h.n, 100000);
    CHECK_INT(h.max, 100000000);
    check_near(histogram_quantile(&h, 0.5), 50000000);
    check_near(histogram_quantile(&h, 0.99), 99000000);
    check_near(histogram_quantile(&h, 0.999), 99900000);
    CHECK_INT(histogram_quantile(&h, 1), 100000000);
}

TEST(values_out_of_range)
{
    struct histogram h = {0};
    histogram_add(&h, -5);
    CHECK_INT(histogram_quantile(&h, 1), 0);
    histogram_add(&h, INT64_MAX);
    CHECK(histogram_quantile(&h, 1) > (int64_t)1 << 43);
    CHECK_INT(h.max, INT64_MAX);
}
