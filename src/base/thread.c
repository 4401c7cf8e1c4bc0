#include "base/thread.h"

#include <signal.h>

enum err thread_start(const char *name, void *(*run)(void *arg), void *arg, pthread_t *ret,
                      struct error *e)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int sys = pthread_create(ret, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (sys)
        return FAIL_SYS(e, ERR_RESOURCE_EXHAUSTED, sys, "thread.start", "cannot start a thread");
    (void)pthread_setname_np(*ret, name);
    return ERR_OK;
}
