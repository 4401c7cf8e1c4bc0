/*
 * The server's own process: hardening, limits, signals, and what the host offers.
 * Errors: as sys.h. To be called while there is only one thread; sys_usage at any time.
 */
#ifndef STIGMER_BASE_SYS_HOST_H
#define STIGMER_BASE_SYS_HOST_H

#include "base/err.h"
#include <stdint.h>

/* New files are private (umask 077), a crash dumps no memory, no program run from here gains
 * privileges, and as many descriptors may be open as the host allows. */
enum err sys_harden(struct error *e);
/* Whether this kernel can filter system calls. */
bool sys_has_seccomp(void);
/* Descriptors this process may have, at most SIZE_MAX. */
size_t sys_max_files(void);
struct sys_usage {
    uint64_t resident, cpu_ns, files; /* bytes; user and system; open descriptors */
};
/* Of this process; what cannot be read is 0. */
void sys_usage(struct sys_usage *ret);
/* Keeps the heap of many threads small: two arenas, and large blocks go back to the system. */
void sys_small_heap(void);
/* Processors this process may run on, at least 1. */
unsigned sys_n_cpus(void);

enum sys_signal { SYS_SIGNAL_STOP, SYS_SIGNAL_RELOAD };
/* From here on SIGTERM, SIGINT (STOP) and SIGHUP (RELOAD) wait for sys_signal_wait, in this thread
 * and those it starts; SIGPIPE is ignored. */
enum err sys_signals_hold(struct error *e);
/* Waits for the next one; *ret_name is static. */
enum err sys_signal_wait(enum sys_signal *ret, const char **ret_name, struct error *e);
/* SIGTERM and SIGINT end the process at once again. */
enum err sys_signals_release(struct error *e);

#endif
