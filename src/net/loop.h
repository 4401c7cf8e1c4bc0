/*
 * The event loop: epoll, timers, and tasks posted by other threads.
 *
 * Model: one loop, one thread. All that is registered on a loop is touched by that thread only;
 * other threads hand it whole objects with loop_post. Callbacks may remove any watcher, also
 * their own.
 * Errors: registration may fail (RESOURCE_EXHAUSTED); loop_post never fails.
 */
#ifndef STIGMER_NET_LOOP_H
#define STIGMER_NET_LOOP_H

#include "base/err.h"
#include "base/list.h"

#include <stdint.h>

struct loop;

enum err loop_new(struct loop **ret, struct error *e);
/* Runs the tasks that are still posted, frees. Watchers and timers must be gone. */
void loop_free(struct loop *l);
/* Until loop_stop. */
enum err loop_run(struct loop *l, struct error *e);
/* One turn, waiting at most timeout_ms (-1 = until something happens). For clients and tests. */
enum err loop_run_once(struct loop *l, int timeout_ms, struct error *e);
/* From any thread or a callback. */
void loop_stop(struct loop *l);
/* CLOCK_MONOTONIC ns, read once per turn. */
int64_t loop_now(const struct loop *l);

/* --- descriptors --- */
struct watch {
    int fd;
    uint32_t events; /* EPOLLIN | EPOLLOUT …, level-triggered */
    void (*ready)(struct watch *w, uint32_t events);
};
/* The watch is embedded in its owner and must stay where it is until removed. */
enum err loop_watch(struct loop *l, struct watch *w, struct error *e);
enum err loop_watch_change(struct loop *l, struct watch *w, uint32_t events, struct error *e);
void loop_unwatch(struct loop *l, struct watch *w);

/* --- timers --- */
struct timer {
    int64_t at_ns; /* 0: not armed */
    size_t slot;   /* private */
    void (*fired)(struct timer *t);
};
/* Arms or re-arms for the monotonic time at_ns. */
enum err loop_timer_set(struct loop *l, struct timer *t, int64_t at_ns, struct error *e);
void loop_timer_cancel(struct loop *l, struct timer *t);

/* --- tasks from other threads --- */
struct task {
    struct list link; /* private */
    void (*run)(struct task *t);
};
/* Any thread. run is called once on the loop's thread, which owns the task from then on. */
void loop_post(struct loop *l, struct task *t);

#endif
