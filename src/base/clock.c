#include "base/clock.h"

#include "base/macro.h"

#include <stdio.h>
#include <time.h>

static int64_t read_ns(clockid_t id)
{
    struct timespec ts;
    (void)clock_gettime(id, &ts); /* cannot fail for these ids */
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t clock_real_ns(void)
{
    return read_ns(CLOCK_REALTIME);
}

int64_t clock_mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

void clock_format_rfc3339(int64_t real_ns, char out[CLOCK_RFC3339_MAX])
{
    int64_t frac = real_ns % NS_PER_S;
    time_t secs = (time_t)(real_ns / NS_PER_S);
    if (frac < 0) {
        frac += NS_PER_S;
        secs--;
    }
    struct tm tm;
    char day[24];
    gmtime_r(&secs, &tm);
    (void)strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    if (frac)
        (void)snprintf(out, CLOCK_RFC3339_MAX, "%s.%09lldZ", day, (long long)frac);
    else
        (void)snprintf(out, CLOCK_RFC3339_MAX, "%sZ", day);
}
