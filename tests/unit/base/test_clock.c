#include "base/clock.h"

#include "test.h"

#include <time.h>

static void check_format(int64_t ns, str want)
{
    char got[CLOCK_RFC3339_MAX];
    clock_format_rfc3339(ns, got);
    CHECK_STR(str_c(got), want);
}

TEST(rfc3339)
{
    check_format(0, STR("1970-01-01T00:00:00Z"));
    check_format(1, STR("1970-01-01T00:00:00.000000001Z"));
    check_format(1769334530000000001, STR("2026-01-25T09:48:50.000000001Z"));
    check_format(1769334530000000000, STR("2026-01-25T09:48:50Z"));
    check_format(1709164800 * NS_PER_S, STR("2024-02-29T00:00:00Z"));
}

TEST(rfc3339_before_the_epoch)
{
    check_format(-1, STR("1969-12-31T23:59:59.999999999Z"));
    check_format(-NS_PER_S, STR("1969-12-31T23:59:59Z"));
    check_format(-NS_PER_S - 1, STR("1969-12-31T23:59:58.999999999Z"));
}

TEST(rfc3339_at_the_ends_of_time)
{
    check_format(INT64_MAX, STR("2262-04-11T23:47:16.854775807Z"));
    check_format(INT64_MIN, STR("1677-09-21T00:12:43.145224192Z"));
}

TEST(monotonic_time_passes)
{
    int64_t a = clock_mono_ns();
    nanosleep(&(struct timespec){.tv_nsec = 2 * NS_PER_MS}, NULL);
    CHECK(clock_mono_ns() - a >= 2 * NS_PER_MS);
}

TEST(real_time_is_the_kernels)
{
    time_t before = time(NULL);
    int64_t now = clock_real_ns() / NS_PER_S;
    CHECK(now >= before && now <= time(NULL) + 1);
}
