#include "net/loop.h"

#include "base/clock.h"
#include "base/sys.h"
#include "base/sys_net.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define BATCH 64 /* events taken per turn: bounds how long timers and tasks wait */

/* `asleep` is true only while the loop may be blocked in epoll_wait; who posts a task then, and
 * only then, pays for waking it. Both sides look at it under the lock. */
struct loop {
    int epoll, wake_fd;
    int64_t now;
    struct watch wake;
    struct epoll_event batch[BATCH];
    int n_batch, next;
    struct timer **heap; /* binary min-heap by at_ns */
    size_t n_timers, cap_timers;
    _Atomic bool stop;
    pthread_mutex_t lock;
    struct list tasks; /* under the lock */
    bool asleep;       /* under the lock */
};

/* --- timers --- */

static void heap_put(struct loop *l, size_t slot, struct timer *t)
{
    l->heap[slot] = t;
    t->slot = slot;
}

static void sift_up(struct loop *l, struct timer *t)
{
    size_t slot = t->slot;
    while (slot > 0 && l->heap[(slot - 1) / 2]->at_ns > t->at_ns) {
        heap_put(l, slot, l->heap[(slot - 1) / 2]);
        slot = (slot - 1) / 2;
    }
    heap_put(l, slot, t);
}

static void sift_down(struct loop *l, struct timer *t)
{
    size_t slot = t->slot;
    for (size_t child = 2 * slot + 1; child < l->n_timers; child = 2 * slot + 1) {
        if (child + 1 < l->n_timers && l->heap[child + 1]->at_ns < l->heap[child]->at_ns)
            child++;
        if (l->heap[child]->at_ns >= t->at_ns)
            break;
        heap_put(l, slot, l->heap[child]);
        slot = child;
    }
    heap_put(l, slot, t);
}

static enum err grow_heap(struct loop *l, struct error *e)
{
    if (l->n_timers < l->cap_timers)
        return ERR_OK;
    size_t cap = l->cap_timers ? 2 * l->cap_timers : 16;
    struct timer **heap = reallocarray(l->heap, cap, sizeof(struct timer *));
    if (!heap)
        return FAIL_NOMEM(e);
    l->heap = heap;
    l->cap_timers = cap;
    return ERR_OK;
}

enum err loop_timer_set(struct loop *l, struct timer *t, int64_t at_ns, struct error *e)
{
    if (t->at_ns == 0) {
        TRY(grow_heap(l, e));
        heap_put(l, l->n_timers++, t);
    }
    t->at_ns = MAX(at_ns, l->now + 1); /* a callback that re-arms for now waits a turn */
    sift_up(l, t);
    sift_down(l, t);
    return ERR_OK;
}

void loop_timer_cancel(struct loop *l, struct timer *t)
{
    if (t->at_ns == 0)
        return;
    struct timer *last = l->heap[--l->n_timers];
    t->at_ns = 0;
    if (last == t)
        return;
    heap_put(l, t->slot, last);
    sift_up(l, last);
    sift_down(l, last);
}

static void fire_timers(struct loop *l)
{
    while (l->n_timers && l->heap[0]->at_ns <= l->now) {
        struct timer *t = l->heap[0];
        loop_timer_cancel(l, t);
        t->fired(t);
    }
}

static int until_next_timer(const struct loop *l, int timeout_ms)
{
    if (l->n_timers == 0)
        return timeout_ms;
    int64_t left = l->heap[0]->at_ns - clock_mono_ns();
    int64_t ms = left <= 0 ? 0 : MIN((left + NS_PER_MS - 1) / NS_PER_MS, (int64_t)60000);
    return timeout_ms < 0 || ms < timeout_ms ? (int)ms : timeout_ms;
}

/* --- descriptors --- */

enum err loop_watch(struct loop *l, struct watch *w, struct error *e)
{
    return sys_epoll_set(l->epoll, EPOLL_CTL_ADD, w->fd, w->events, w, e);
}

enum err loop_watch_change(struct loop *l, struct watch *w, uint32_t events, struct error *e)
{
    if (w->events == events)
        return ERR_OK;
    TRY(sys_epoll_set(l->epoll, EPOLL_CTL_MOD, w->fd, events, w, e));
    w->events = events;
    return ERR_OK;
}

void loop_unwatch(struct loop *l, struct watch *w)
{
    sys_epoll_del(l->epoll, w->fd);
    for (int i = l->next; i < l->n_batch; i++)
        if (l->batch[i].data.ptr == w)
            l->batch[i].data.ptr = NULL;
}

static void dispatch(struct loop *l)
{
    for (l->next = 0; l->next < l->n_batch;) {
        struct epoll_event *ev = &l->batch[l->next++];
        struct watch *w = ev->data.ptr;
        if (w)
            w->ready(w, ev->events);
    }
    l->n_batch = 0;
}

/* --- tasks --- */

static void wake_if_asleep(struct loop *l)
{
    if (l->asleep)
        sys_eventfd_signal(l->wake_fd);
    l->asleep = false;
}

void loop_post(struct loop *l, struct task *t)
{
    pthread_mutex_lock(&l->lock);
    list_push_back(&l->tasks, &t->link);
    wake_if_asleep(l);
    pthread_mutex_unlock(&l->lock);
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stop, true);
    pthread_mutex_lock(&l->lock);
    wake_if_asleep(l);
    pthread_mutex_unlock(&l->lock);
}

static void woken(struct watch *w, uint32_t events)
{
    (void)events;
    sys_eventfd_clear(w->fd);
}

static void take_tasks(struct loop *l, struct list *to)
{
    list_init(to);
    pthread_mutex_lock(&l->lock);
    for (struct list *n = list_pop_front(&l->tasks); n; n = list_pop_front(&l->tasks))
        list_push_back(to, n);
    pthread_mutex_unlock(&l->lock);
}

static bool run_tasks(struct loop *l)
{
    struct list todo;
    take_tasks(l, &todo);
    bool any = !list_empty(&todo);
    for (struct list *n = list_pop_front(&todo); n; n = list_pop_front(&todo)) {
        struct task *t = CONTAINER_OF(n, struct task, link);
        t->run(t);
    }
    return any;
}

/* --- the loop --- */

static bool may_sleep(struct loop *l)
{
    pthread_mutex_lock(&l->lock);
    l->asleep = list_empty(&l->tasks) && !atomic_load(&l->stop);
    bool r = l->asleep;
    pthread_mutex_unlock(&l->lock);
    return r;
}

static void awake(struct loop *l)
{
    pthread_mutex_lock(&l->lock);
    l->asleep = false;
    pthread_mutex_unlock(&l->lock);
}

enum err loop_run_once(struct loop *l, int timeout_ms, struct error *e)
{
    int wait_ms = until_next_timer(l, timeout_ms);
    if (wait_ms != 0 && !may_sleep(l))
        wait_ms = 0;
    enum err err = sys_epoll_wait(l->epoll, l->batch, BATCH, wait_ms, &l->n_batch, e);
    if (wait_ms != 0)
        awake(l);
    TRY(err);
    l->now = clock_mono_ns();
    dispatch(l);
    fire_timers(l);
    (void)run_tasks(l);
    return ERR_OK;
}

enum err loop_run(struct loop *l, struct error *e)
{
    while (!atomic_load(&l->stop))
        TRY(loop_run_once(l, -1, e));
    atomic_store(&l->stop, false);
    return ERR_OK;
}

int64_t loop_now(const struct loop *l)
{
    return l->now;
}

static enum err open_fds(struct loop *l, struct error *e)
{
    TRY(sys_epoll_new(&l->epoll, e));
    TRY(sys_eventfd_new(&l->wake_fd, e));
    l->wake = (struct watch){.fd = l->wake_fd, .events = EPOLLIN, .ready = woken};
    return loop_watch(l, &l->wake, e);
}

enum err loop_new(struct loop **ret, struct error *e)
{
    struct loop *l = calloc(1, sizeof *l);
    if (!l)
        return FAIL_NOMEM(e);
    l->epoll = l->wake_fd = -1;
    l->now = clock_mono_ns();
    list_init(&l->tasks);
    pthread_mutex_init(&l->lock, NULL);
    enum err err = open_fds(l, e);
    if (err != ERR_OK) {
        loop_free(l);
        return err;
    }
    *ret = l;
    return ERR_OK;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    while (run_tasks(l))
        ;
    sys_closep(&l->wake_fd);
    sys_closep(&l->epoll);
    pthread_mutex_destroy(&l->lock);
    free(l->heap);
    free(l);
}
