#include "net/listener.h"

#include "base/log.h"
#include "base/macro.h"
#include "base/sys.h"

#include <stdlib.h>

#define ACCEPTS_PER_TURN 64
#define REST_NS          (100 * NS_PER_MS) /* when descriptors run out */
#define WARN_EVERY_NS    (10 * NS_PER_S)   /* a flood must not flood the log */

struct listener {
    struct watch watch;
    struct timer rest;
    struct loop *loop; /* NULL until started */
    struct listener_options o;
    uint16_t port;
    int64_t warned_at;
};

enum err listener_new(const struct listener_options *o, struct listener **ret, struct error *e)
{
    struct sys_address a;
    CLEANUP(sys_closep) int fd = -1;
    TRY(sys_address_parse(o->address, o->port, &a, e));
    TRY(sys_listen(&a, o->share_port, &fd, e));
    struct listener *l = calloc(1, sizeof *l);
    if (!l)
        return FAIL_NOMEM(e);
    l->o = *o;
    enum err err = sys_local_port(fd, &l->port, e);
    if (err != ERR_OK) {
        free(l);
        return err;
    }
    l->watch.fd = fd;
    fd = -1;
    *ret = l;
    return ERR_OK;
}

uint16_t listener_port(const struct listener *l)
{
    return l->port;
}

static void warn(struct listener *l, const char *event, const struct error *e)
{
    int64_t now = loop_now(l->loop);
    if (l->warned_at && now - l->warned_at < WARN_EVERY_NS)
        return;
    l->warned_at = now;
    log_warn(event, LOG_ERROR_FIELDS(e));
}

static void admit_or_close(struct listener *l, int fd, const struct sys_address *peer)
{
    struct error e;
    if (admit_enter(l->o.admit, peer, &e) == ERR_OK) {
        l->o.on_accept(l->o.ctx, fd, peer);
        return;
    }
    warn(l, "connection refused", &e);
    sys_closep(&fd);
}

static void rest(struct listener *l, const struct error *why)
{
    struct error ignored;
    warn(l, "cannot accept connections for a moment", why);
    if (loop_timer_set(l->loop, &l->rest, loop_now(l->loop) + REST_NS, &ignored) == ERR_OK)
        (void)loop_watch_change(l->loop, &l->watch, 0, &ignored);
}

static void rested(struct timer *t)
{
    struct listener *l = CONTAINER_OF(t, struct listener, rest);
    struct error e;
    if (loop_watch_change(l->loop, &l->watch, EPOLLIN, &e) != ERR_OK)
        rest(l, &e);
}

static void accept_some(struct watch *w, uint32_t events)
{
    struct listener *l = CONTAINER_OF(w, struct listener, watch);
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sys_address peer;
        struct error e;
        int fd;
        if (sys_accept(w->fd, &fd, &peer, &e) != ERR_OK) {
            rest(l, &e);
            return;
        }
        if (fd < 0)
            return;
        admit_or_close(l, fd, &peer);
    }
}

enum err listener_start(struct listener *l, struct loop *loop, struct error *e)
{
    l->watch.events = EPOLLIN;
    l->watch.ready = accept_some;
    l->rest.fired = rested;
    l->loop = loop;
    enum err err = loop_watch(loop, &l->watch, e);
    if (err != ERR_OK)
        l->loop = NULL;
    return err;
}

void listener_free(struct listener *l)
{
    if (!l)
        return;
    if (l->loop) {
        accept_some(&l->watch, 0);
        loop_timer_cancel(l->loop, &l->rest);
        loop_unwatch(l->loop, &l->watch);
    }
    sys_closep(&l->watch.fd);
    free(l);
}
