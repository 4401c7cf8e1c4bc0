/* Starting threads: named, and with every signal blocked, so that signals stay the main thread's.
 */
#ifndef STIGMER_BASE_THREAD_H
#define STIGMER_BASE_THREAD_H

#include "base/err.h"

#include <pthread.h>

/* name: at most 15 bytes, for ps and gdb. The caller joins the thread. */
enum err thread_start(const char *name, void *(*run)(void *arg), void *arg, pthread_t *ret,
                      struct error *e);

#endif
