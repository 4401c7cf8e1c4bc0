/*
 * How a thread that does something now and then waits, and is told to end.
 * Threads: one waits, any tells and asks.
 */
#ifndef STIGMER_SERVER_STOPPER_H
#define STIGMER_SERVER_STOPPER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct stopper {
    pthread_mutex_t lock; /* guards stopping */
    pthread_cond_t told;
    bool stopping;
};

void stopper_init(struct stopper *s);
void stopper_deinit(struct stopper *s);
/* Waits until that time (monotonic; INT64_MAX: without end). False: it was told to end. */
bool stopper_wait(struct stopper *s, int64_t until_ns);
bool stopper_is_told(struct stopper *s);
/* To be followed by joining the thread. */
void stopper_tell(struct stopper *s);

#endif
