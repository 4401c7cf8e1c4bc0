#include "server/stopper.h"

#include "base/clock.h"
#include "base/macro.h"

#include <time.h>

void stopper_init(struct stopper *s)
{
    s->stopping = false;
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->told, NULL);
}

void stopper_deinit(struct stopper *s)
{
    pthread_cond_destroy(&s->told);
    pthread_mutex_destroy(&s->lock);
}

bool stopper_wait(struct stopper *s, int64_t until_ns)
{
    struct timespec deadline = {.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};
    pthread_mutex_lock(&s->lock);
    while (!s->stopping &&
           pthread_cond_clockwait(&s->told, &s->lock, CLOCK_MONOTONIC, &deadline) == 0)
        ;
    bool go_on = !s->stopping;
    pthread_mutex_unlock(&s->lock);
    return go_on;
}

bool stopper_is_told(struct stopper *s)
{
    pthread_mutex_lock(&s->lock);
    bool stopping = s->stopping;
    pthread_mutex_unlock(&s->lock);
    return stopping;
}

void stopper_tell(struct stopper *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_signal(&s->told);
    pthread_mutex_unlock(&s->lock);
}
