/*
 * SIGKILL when a process begins its k-th system call, whichever of its threads makes it: strace's
 * injection counts for each thread apart, so a call that another thread makes earlier hides some.
 */
#ifndef STIGMER_TESTS_CRASH_TRACE_H
#define STIGMER_TESTS_CRASH_TRACE_H

#include "lab.h"

enum { TRACE_COUNT = 0 };

/* Why it cannot be done here, or NULL. */
const char *trace_missing(void);

/* Begins to watch a child, all threads it has: no call that begins later is missed. */
void trace_begin(pid_t pid);
/* Goes on until it is killed at call k (TRACE_COUNT: never), it has
 * ended by itself, or *stop. Returns how many calls were begun; *ret_alive: it is there still, and
 * traced. An ended child is reaped: *ret_status, as of waitpid. */
unsigned trace_until(pid_t pid, unsigned k, const atomic_bool *stop, bool *ret_alive,
                     int *ret_status);
/* Ends a traced child, and reaps it. */
void trace_kill(pid_t pid);

/* Starts `program args` stopped before its first instruction, for trace_until. */
pid_t trace_spawn(const struct server *s, const char *const *args);

#endif
