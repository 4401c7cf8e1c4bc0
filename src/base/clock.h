/* Time. Wall-clock time is for people and records; monotonic time is for timers. */
#ifndef STIGMER_BASE_CLOCK_H
#define STIGMER_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds since the Unix epoch. */
int64_t clock_real_ns(void);
/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t clock_mono_ns(void);

/* A source of wall-clock time that a test can replace. */
typedef int64_t clock_fn(void);

#define CLOCK_RFC3339_MAX 36
/* "2026-01-25T09:48:50.000000001Z" (fraction left out when zero) into out. */
void clock_format_rfc3339(int64_t real_ns, char out[CLOCK_RFC3339_MAX]);

#endif
