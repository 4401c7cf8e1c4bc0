#include "net/conn.h"

#include "base/buf.h"
#include "base/macro.h"
#include "base/sys.h"
#include "net/tls.h"

#include <stdlib.h>

#define TURN_MAX    MIB(2)  /* sent for one connection before others get their turn */
#define PLAIN_MAX   KIB(64) /* encrypted at a time */
#define TLS_ROOM    KIB(1)  /* records' overhead on PLAIN_MAX, with room to spare */
#define UNSENT_MAX  MIB(1)  /* of one connection: one send and what TLS itself has to say */
#define FIRST_WRITE KIB(64) /* grows while the kernel takes everything */
#define OUT_SCRATCH (CONN_WRITE_MAX + PLAIN_MAX + TLS_ROOM)
#define DROPPED_MAX MIB(1) /* read and thrown away while finishing */

struct conn_scratch {
    size_t max_unsent, unsent;
    char in[CONN_READ_MAX];
    char plain[CONN_READ_MAX];
    char out[OUT_SCRATCH];
};

enum state {
    HANDSHAKE,
    OPEN,
    FINISHING, /* sending the rest */
    LINGERING, /* FIN sent, waiting for the peer's */
    CLOSED,    /* waiting to be freed */
};

struct conn {
    struct watch watch;
    struct timer timer; /* handshake, linger */
    struct task flush_task, free_task;
    struct loop *loop;
    struct conn_scratch *scratch;
    struct tls *tls;
    const struct conn_handler *handler;
    void *ctx;
    struct buf unsent; /* from unsent_off on: refused by the kernel, to be sent first */
    size_t unsent_off;
    size_t out_len; /* bytes in scratch->out, during flush */
    size_t write_size;
    size_t dropped;
    int64_t linger_ns, stall_ns, last_sent;
    uint64_t n_sent; /* bytes, to the kernel */
    enum state state;
    bool paused, read_ended;
    bool busy;    /* inside read or flush, which look at `more` before they return */
    bool more;    /* woken meanwhile */
    bool filling; /* TLS output goes to scratch->out */
    bool flush_posted;
    char peer[SYS_ADDRESS_TEXT];
};

enum err conn_scratch_new(size_t max_unsent, struct conn_scratch **ret, struct error *e)
{
    struct conn_scratch *s = malloc(sizeof *s); /* not zeroed: touched only when used */
    if (!s)
        return FAIL_NOMEM(e);
    s->max_unsent = max_unsent;
    s->unsent = 0;
    *ret = s;
    return ERR_OK;
}

void conn_scratch_free(struct conn_scratch *s)
{
    free(s);
}

str conn_peer(const struct conn *c)
{
    return str_c(c->peer);
}

bool conn_stalled(const struct conn *c)
{
    return c->unsent.len > 0;
}

uint64_t conn_acked(const struct conn *c)
{
    return c->n_sent - MIN(c->n_sent, (uint64_t)sys_unacked(c->watch.fd));
}

/* --- the end --- */

static void free_conn(struct task *t)
{
    free(CONTAINER_OF(t, struct conn, free_task));
}

static void drop_unsent(struct conn *c)
{
    c->scratch->unsent -= c->unsent.len;
    buf_deinit(&c->unsent);
    c->unsent_off = 0;
}

/* The memory lives until the tasks that are already posted have run. */
static void release(struct conn *c)
{
    c->state = CLOSED;
    loop_unwatch(c->loop, &c->watch);
    loop_timer_cancel(c->loop, &c->timer);
    sys_closep(&c->watch.fd);
    tls_free(c->tls);
    c->tls = NULL;
    drop_unsent(c);
    loop_post(c->loop, &c->free_task);
}

static void end(struct conn *c, const struct error *why)
{
    if (c->state == CLOSED)
        return;
    release(c);
    c->handler->on_close(c->ctx, why);
}

static void end_regularly(struct conn *c)
{
    struct error ok = {.code = ERR_OK, .reason = "net.closed", .msg = "closed"};
    end(c, &ok);
}

void conn_abort(struct conn *c)
{
    if (c->state != CLOSED)
        release(c);
}

/* At worst, when the timer cannot be armed, the peer's close ends it. */
static void arm_linger(struct conn *c)
{
    struct error ignored;
    (void)loop_timer_set(c->loop, &c->timer, loop_now(c->loop) + c->linger_ns, &ignored);
}

/* Whether the peer is slow, but takes the rest. */
static bool takes_rest(const struct conn *c)
{
    return c->state == FINISHING && c->unsent.len && loop_now(c->loop) - c->last_sent < c->stall_ns;
}

static void timed_out(struct timer *t)
{
    struct conn *c = CONTAINER_OF(t, struct conn, timer);
    struct error why;
    if (takes_rest(c)) {
        arm_linger(c);
        return;
    }
    if (c->state != HANDSHAKE) {
        end_regularly(c);
        return;
    }
    (void)FAIL(&why, ERR_DEADLINE_EXCEEDED, "net.handshake_timeout",
               "the TLS handshake took too long");
    end(c, &why);
}

/* --- receiving --- */

static enum err read_tls(struct conn *c, str bytes, struct error *e)
{
    bool done = true, ended = false;
    size_t n = 1;
    tls_input(c->tls, bytes);
    if (c->state == HANDSHAKE) {
        TRY(tls_handshake(c->tls, &done, e));
        if (!done)
            return ERR_OK;
        c->state = OPEN;
        loop_timer_cancel(c->loop, &c->timer);
        c->handler->on_open(c->ctx);
    }
    while (n > 0 && !ended) {
        TRY(tls_read(c->tls, c->scratch->plain, CONN_READ_MAX, &n, &ended, e));
        if (n > 0 && c->state == OPEN)
            c->handler->on_bytes(c->ctx, str_of(c->scratch->plain, n));
    }
    c->read_ended = c->read_ended || ended;
    return ERR_OK;
}

static enum err read_some(struct conn *c, bool *ret_any, struct error *e)
{
    ssize_t n;
    *ret_any = false;
    TRY(sys_recv(c->watch.fd, c->scratch->in, CONN_READ_MAX, &n, e));
    if (n < 0)
        return ERR_OK;
    if (n == 0) {
        c->read_ended = true;
        return ERR_OK;
    }
    *ret_any = true;
    if (c->state >= FINISHING) {
        c->dropped += (size_t)n;
        c->read_ended = c->dropped > DROPPED_MAX; /* enough: as if it had closed */
        return ERR_OK;
    }
    str bytes = str_of(c->scratch->in, (size_t)n);
    if (c->tls)
        return read_tls(c, bytes, e);
    c->handler->on_bytes(c->ctx, bytes);
    return ERR_OK;
}

/* Sending failed: what the peer said before it went away may explain why. */
static void read_rest(struct conn *c)
{
    struct error ignored;
    bool any = true;
    while (any && c->state == OPEN && !c->read_ended)
        if (read_some(c, &any, &ignored) != ERR_OK)
            return;
}

/* --- sending --- */

static bool can_fill(const struct conn *c)
{
    return (c->state == OPEN || c->state == FINISHING) && c->unsent.len == 0;
}

static void update_interest(struct conn *c)
{
    struct error why;
    bool reads = !c->read_ended && (!c->paused || c->state >= FINISHING);
    uint32_t events = (reads ? EPOLLIN : 0) | (c->unsent.len ? EPOLLOUT : 0);
    if (c->state != CLOSED && loop_watch_change(c->loop, &c->watch, events, &why) != ERR_OK)
        end(c, &why);
}

static bool keep(struct conn *c, str bytes)
{
    buf_add(&c->unsent, bytes);
    if (!c->unsent.failed)
        c->scratch->unsent += bytes.len;
    return !c->unsent.failed;
}

static bool emit(void *ctx, str bytes)
{
    struct conn *c = ctx;
    if (!c->filling) /* handshake, alerts: small */
        return keep(c, bytes);
    if (bytes.len > OUT_SCRATCH - c->out_len)
        return false;
    memcpy(c->scratch->out + c->out_len, bytes.p, bytes.len);
    c->out_len += bytes.len;
    return true;
}

static enum err send_unsent(struct conn *c, struct error *e)
{
    size_t n, left = c->unsent.len - c->unsent_off;
    if (left == 0)
        return ERR_OK;
    TRY(sys_send(c->watch.fd, c->unsent.p + c->unsent_off, left, &n, e));
    c->unsent_off += n;
    c->n_sent += n;
    if (n)
        c->last_sent = loop_now(c->loop);
    if (c->unsent_off == c->unsent.len)
        drop_unsent(c);
    return ERR_OK;
}

/* Sends scratch->out; what the kernel refuses is kept. */
static enum err send_out(struct conn *c, struct error *e)
{
    size_t n;
    TRY(sys_send(c->watch.fd, c->scratch->out, c->out_len, &n, e));
    c->n_sent += n;
    c->last_sent = loop_now(c->loop);
    if (n == c->out_len) {
        if (n >= c->write_size)
            c->write_size = MIN(2 * c->write_size, CONN_WRITE_MAX);
        return ERR_OK;
    }
    c->write_size = MAX(MIN(n, CONN_WRITE_MAX), FIRST_WRITE);
    if (!keep(c, str_of(c->scratch->out + n, c->out_len - n)))
        return FAIL_NOMEM(e);
    return ERR_OK;
}

static enum err fill_tls(struct conn *c, size_t want, struct error *e)
{
    enum err err = ERR_OK;
    c->filling = true;
    while (err == ERR_OK && c->out_len < want) {
        size_t n = c->handler->fill(c->ctx, c->scratch->plain, PLAIN_MAX);
        if (n == 0)
            break;
        err = tls_write(c->tls, str_of(c->scratch->plain, n), e);
    }
    c->filling = false;
    return err;
}

/* Gathers up to one send in scratch->out. */
static enum err fill_out(struct conn *c, struct error *e)
{
    bool tight = c->scratch->unsent > c->scratch->max_unsent;
    size_t want = tight ? CONN_FILL_MIN : c->write_size;
    c->out_len = 0;
    if (c->tls)
        return fill_tls(c, want, e);
    c->out_len = c->handler->fill(c->ctx, c->scratch->out, want);
    return ERR_OK;
}

/* Until nothing is left, the kernel refuses, or it is the others' turn. */
static enum err send_all(struct conn *c, bool *ret_done, struct error *e)
{
    *ret_done = false;
    for (size_t sent = 0; sent < TURN_MAX; sent += MAX(c->out_len, CONN_FILL_MIN)) {
        TRY(send_unsent(c, e));
        if (!can_fill(c))
            return ERR_OK;
        c->more = false;
        TRY(fill_out(c, e));
        *ret_done = c->out_len == 0 && !c->more;
        if (*ret_done)
            return ERR_OK;
        if (c->out_len)
            TRY(send_out(c, e));
    }
    c->more = true;
    return ERR_OK;
}

/* All is sent. */
static void start_linger(struct conn *c)
{
    struct error ignored;
    c->state = LINGERING;
    arm_linger(c);
    if (c->tls) {
        tls_shutdown(c->tls);
        (void)send_unsent(c, &ignored);
    }
    sys_shutdown_send(c->watch.fd);
    if (c->read_ended)
        end_regularly(c);
}

static void post_flush(struct conn *c)
{
    if (c->flush_posted)
        return;
    c->flush_posted = true;
    loop_post(c->loop, &c->flush_task);
}

static void flush(struct conn *c)
{
    struct error why;
    bool done;
    c->busy = true;
    enum err err = send_all(c, &done, &why);
    if (err != ERR_OK)
        read_rest(c);
    c->busy = false;
    if (err != ERR_OK) {
        end(c, &why);
        return;
    }
    if (done && c->state == FINISHING)
        start_linger(c);
    if (c->state == CLOSED)
        return;
    if (c->more && can_fill(c))
        post_flush(c);
    update_interest(c);
}

static void run_flush(struct task *t)
{
    struct conn *c = CONTAINER_OF(t, struct conn, flush_task);
    c->flush_posted = false;
    if (c->state != CLOSED)
        flush(c);
}

void conn_wake(struct conn *c)
{
    c->more = true;
    if (!c->busy && can_fill(c))
        post_flush(c);
}

void conn_pause(struct conn *c, bool pause)
{
    c->paused = pause;
    if (c->state != CLOSED && !c->busy)
        post_flush(c); /* which updates what is watched for */
}

void conn_finish(struct conn *c, int64_t stall_ms)
{
    if (c->state >= FINISHING)
        return;
    c->state = FINISHING;
    c->stall_ns = stall_ms * NS_PER_MS;
    c->more = true;
    arm_linger(c);
    if (!c->busy)
        post_flush(c);
}

/* --- events --- */

/* *why is set when the connection is over. */
static enum err receive(struct conn *c, struct error *why)
{
    bool any, had_ended = c->read_ended;
    TRY(read_some(c, &any, why));
    if (!c->read_ended || had_ended)
        return ERR_OK;
    if (c->state == HANDSHAKE)
        return FAIL(why, ERR_UNAVAILABLE, "net.closed", "the peer closed during the TLS handshake");
    if (c->state == OPEN)
        c->handler->on_end(c->ctx);
    return ERR_OK;
}

static void ready(struct watch *w, uint32_t events)
{
    struct conn *c = CONTAINER_OF(w, struct conn, watch);
    struct error why;
    bool broken = events & (EPOLLERR | EPOLLHUP);
    c->busy = true;
    enum err err = events & EPOLLIN ? receive(c, &why) : ERR_OK;
    c->busy = false;
    if (err == ERR_OK && broken && !(events & EPOLLIN))
        err = FAIL(&why, ERR_UNAVAILABLE, "net.reset", "the connection broke");
    if (err != ERR_OK) {
        if (c->tls && c->state != CLOSED)
            (void)send_unsent(c, &(struct error){0}); /* the TLS alert that says why */
        end(c, &why);
        return;
    }
    if (c->state == LINGERING && c->read_ended)
        end_regularly(c);
    if (c->state != CLOSED)
        flush(c);
}

/* --- the beginning --- */

static enum err start(struct conn *c, const struct conn_options *o, struct error *e)
{
    if (!c->tls)
        return loop_watch(c->loop, &c->watch, e);
    bool done;
    tls_set_output(c->tls, emit, c);
    int64_t at = loop_now(c->loop) + o->handshake_ms * NS_PER_MS;
    TRY(loop_timer_set(c->loop, &c->timer, at, e));
    TRY(loop_watch(c->loop, &c->watch, e));
    return tls_handshake(c->tls, &done, e); /* a client speaks first */
}

enum err conn_new(const struct conn_options *o, struct conn **ret, struct error *e)
{
    struct conn *c = calloc(1, sizeof *c);
    if (!c) {
        int fd = o->fd;
        sys_closep(&fd);
        tls_free(o->tls);
        return FAIL_NOMEM(e);
    }
    *c = (struct conn){
        .watch = {.fd = o->fd, .events = EPOLLIN, .ready = ready},
        .timer = {.fired = timed_out},
        .flush_task = {.run = run_flush},
        .free_task = {.run = free_conn},
        .loop = o->loop,
        .scratch = o->scratch,
        .tls = o->tls,
        .handler = o->handler,
        .ctx = o->ctx,
        .write_size = FIRST_WRITE,
        .linger_ns = o->linger_ms * NS_PER_MS,
        .last_sent = loop_now(o->loop),
        .state = o->tls ? HANDSHAKE : OPEN,
    };
    buf_init(&c->unsent, UNSENT_MAX);
    sys_address_format(o->peer, c->peer);
    enum err err = start(c, o, e);
    if (err != ERR_OK) {
        release(c);
        return err;
    }
    post_flush(c);
    *ret = c;
    return ERR_OK;
}
