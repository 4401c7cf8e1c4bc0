/*
 * Calls whose request is handed to the service while it arrives.
 *
 *     loop: DATA → chunks, charged to the budget      worker: frames → gunzip → splitter → bytes
 *           ▲ window credit, when a job is done ◄──────┘
 *
 * One job of a call is out at a time. It takes what has arrived, also a chunk that is partly
 * filled: a chunk held back until it is full would wait for bytes that a small window does not let
 * the client send.
 * Above the budget the connection is not read, until the call holds nothing uncharged. What it
 * holds is drained whatever other calls do, so every upload always gets on. Only its last job, when
 * no bytes are held any more, waits for room for the answer.
 */
#include "base/clock.h"
#include "grpc/receive.h"
#include "grpc/server_impl.h"
#include "grpc/splitter.h"

#include <stdlib.h>

#define CHUNK_MIN   (KIB(1) / 4)    /* bytes of a chunk: they grow with the upload */
#define CHUNK_MAX   (KIB(64) - 64)  /* with its head and malloc's, 64 KiB */
#define JOB_CHUNKS  8               /* a job's share: other calls get their turn, credit flows */
#define RETRY_NS    (2 * NS_PER_MS) /* until a full pool is asked again */
#define WINDOW_LEN  MIB(8)          /* a stream's window: DESIGN, the window is the throughput */
#define FRAME_EXTRA 32              /* tag and length of the streamed field, over-long forms too */

struct chunk {
    struct list link;
    size_t len, cap;
    bool charged;
    char bytes[];
};

struct upload {
    struct call *call;
    /* the loop's */
    struct list queue;  /* chunks that wait */
    size_t n_uncharged; /* of them, and of those that are out */
    bool ended;         /* END_STREAM was seen */
    bool has_room;      /* for the answer */
    bool out;           /* a job is */
    bool stopped;       /* no more jobs but the one that frees the object */
    bool paused;        /* the connection is not read */
    struct timer retry;
    /* the worker's while a job is out */
    struct job job;
    struct task done;
    struct list work; /* its chunks */
    bool last;        /* no more will come */
    bool only_free;
    struct receive receive;
    struct splitter splitter;
    void *object; /* the service's; NULL before begin and after free */
    bool begun, complete;
    struct grpc_reply reply;
    enum err result;
    struct error error;
};

/* --- on the worker --- */

static enum err begin_message(void *ctx, struct error *e)
{
    struct upload *u = ctx;
    struct call *c = u->call;
    if (u->begun)
        return FAIL(e, ERR_UNIMPLEMENTED, "grpc.cardinality",
                    "the request has more than one message; this method takes one");
    u->begun = true;
    return c->method->upload->begin(c->service, &c->context, &u->object, e);
}

static enum err split_piece(void *ctx, str piece, struct error *e)
{
    return splitter_feed(&((struct upload *)ctx)->splitter, piece, e);
}

static enum err end_message(void *ctx, struct error *e)
{
    struct upload *u = ctx;
    u->complete = true;
    return splitter_end(&u->splitter, e);
}

static enum err pass_bytes(void *ctx, str piece, struct error *e)
{
    struct upload *u = ctx;
    return u->call->method->upload->bytes(u->object, piece, e);
}

static enum err finish(struct upload *u, struct error *e)
{
    TRY(receive_end(&u->receive, e));
    if (!u->complete)
        return FAIL(e, ERR_UNIMPLEMENTED, "grpc.cardinality",
                    "the request has no message; this method takes one");
    return u->call->method->upload->finish(u->object, buf_view(&u->splitter.rest), &u->reply, e);
}

static enum err work(struct upload *u, struct error *e)
{
    LIST_FOR_EACH (node, &u->work) {
        struct chunk *k = CONTAINER_OF(node, struct chunk, link);
        TRY(call_check(u->call, e));
        TRY(receive_feed(&u->receive, str_of(k->bytes, k->len), e));
    }
    TRY(call_check(u->call, e));
    TRY(call_hold_request(u->call, u->splitter.rest.cap + receive_memory(&u->receive), e));
    return u->last ? finish(u, e) : ERR_OK;
}

static void free_object(struct upload *u)
{
    if (u->object)
        u->call->method->upload->free(u->object);
    u->object = NULL;
    receive_deinit(&u->receive);
    splitter_deinit(&u->splitter);
}

static void job_run(struct job *job)
{
    struct upload *u = CONTAINER_OF(job, struct upload, job);
    struct grpc_server *s = u->call->server;
    if (!u->only_free)
        u->result = work(u, &u->error);
    if (u->only_free || u->last || u->result != ERR_OK)
        free_object(u);
    loop_post(u->call->loop, &u->done);
    server_job_done(s);
}

/* --- on the loop --- */

static void pause_reading(struct upload *u, bool pause)
{
    if (u->paused != pause && u->call->stream)
        h2_stream_pause_reading(u->call->stream, pause);
    u->paused = pause;
}

static void free_chunk(struct upload *u, struct chunk *k)
{
    if (k->charged)
        ledger_give(&u->call->server->upload_budget, sizeof *k + k->cap);
    else
        u->n_uncharged--;
    free(k);
}

/* Frees the list's chunks and gives their bytes back to the client's window. */
static void release(struct upload *u, struct list *chunks)
{
    size_t n = 0;
    for (struct list *node = list_pop_front(chunks); node; node = list_pop_front(chunks)) {
        struct chunk *k = CONTAINER_OF(node, struct chunk, link);
        n += k->len;
        free_chunk(u, k);
    }
    if (u->n_uncharged == 0)
        pause_reading(u, false);
    if (n && u->call->stream)
        h2_stream_consume(u->call->stream, n);
}

/* The service's object is freed where its other functions ran; on the loop only when the pool has
 * no room or the loops have ended. */
static void release_object(struct upload *u)
{
    struct error e;
    if (u->out || !u->object) /* the object is the worker's to look at while a job is out */
        return;
    u->only_free = true;
    u->out = true;
    call_ref(u->call);
    if (!atomic_load(&u->call->server->stopped) &&
        server_submit(u->call->server, &u->job, &e) == ERR_OK)
        return;
    u->out = false;
    free_object(u);
    call_unref(u->call);
}

static void take_work(struct upload *u)
{
    for (int i = 0; i < JOB_CHUNKS && !list_empty(&u->queue); i++)
        list_push_back(&u->work, list_pop_front(&u->queue));
    u->last = u->ended && u->has_room && list_empty(&u->queue);
}

static void untake_work(struct upload *u)
{
    while (!list_empty(&u->queue))
        list_push_back(&u->work, list_pop_front(&u->queue));
    while (!list_empty(&u->work))
        list_push_back(&u->queue, list_pop_front(&u->work));
}

/* An upload waits for a worker, it does not fail for want of one. */
static void pump(struct upload *u)
{
    struct error e;
    if (u->out || u->stopped || (list_empty(&u->queue) && !(u->ended && u->has_room)))
        return;
    take_work(u);
    u->out = true;
    call_ref(u->call);
    if (server_submit(u->call->server, &u->job, &e) == ERR_OK)
        return;
    u->out = false;
    untake_work(u);
    if (loop_timer_set(u->call->loop, &u->retry, clock_mono_ns() + RETRY_NS, &e) != ERR_OK)
        call_fail(u->call, &e);
    call_unref(u->call);
}

static void retry_fired(struct timer *t)
{
    pump(CONTAINER_OF(t, struct upload, retry));
}

static void drop(struct call *c)
{
    struct upload *u = c->state;
    u->stopped = true;
    loop_timer_cancel(c->loop, &u->retry);
    release(u, &u->queue);
    release_object(u);
}

static void after_job(struct upload *u)
{
    if (u->stopped) {
        release_object(u);
    } else if (u->result != ERR_OK) {
        call_fail(u->call, &u->error);
    } else if (u->last) {
        u->stopped = true;
        call_reply(u->call, &u->reply);
    } else {
        pump(u);
    }
}

static void job_done(struct task *t)
{
    struct upload *u = CONTAINER_OF(t, struct upload, done);
    u->out = false;
    release(u, &u->work);
    after_job(u);
    call_unref(u->call);
}

static struct upload *new_upload(struct call *c)
{
    static const struct receive_sink sink = {begin_message, split_piece, end_message};
    const struct grpc_upload *m = c->method->upload;
    uint64_t max =
        m->max_message ? m->max_message : m->max_field + c->method->max_request + FRAME_EXTRA;
    struct upload *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    u->call = c;
    list_init(&u->queue);
    list_init(&u->work);
    u->retry.fired = retry_fired;
    u->job.run = job_run;
    u->done.run = job_done;
    receive_init(&u->receive, max, c->may_gzip, &sink, u);
    splitter_init(&u->splitter, m->field, m->max_field, c->method->max_request, pass_bytes, u);
    u->splitter.name = m->name;
    grpc_reply_init(&u->reply);
    u->reply.message.head.max = MAX(c->method->max_reply, GRPC_HEAD_MAX);
    return u;
}

static void start(struct call *c)
{
    struct error e;
    c->state = new_upload(c);
    if (c->state) {
        h2_stream_raise_window(c->stream, WINDOW_LEN);
    } else {
        FAIL_NOMEM(&e);
        call_fail(c, &e);
    }
}

static struct chunk *last_chunk(struct upload *u)
{
    return CONTAINER_OF(u->queue.prev, struct chunk, link);
}

static struct chunk *new_chunk(struct upload *u)
{
    size_t cap = MIN(MAX(u->call->bytes_in, CHUNK_MIN), CHUNK_MAX);
    struct chunk *k = malloc(sizeof *k + cap);
    if (!k)
        return NULL;
    k->len = 0;
    k->cap = cap;
    k->charged = ledger_take(&u->call->server->upload_budget, sizeof *k + cap);
    if (!k->charged) {
        u->n_uncharged++;
        pause_reading(u, true);
    }
    list_push_back(&u->queue, &k->link);
    return k;
}

/* The last chunk of the queue when it has room, or a new one. */
static struct chunk *open_chunk(struct upload *u)
{
    bool room = !list_empty(&u->queue) && last_chunk(u)->len < last_chunk(u)->cap;
    return room ? last_chunk(u) : new_chunk(u);
}

/* Returns what did not find memory. */
static str append(struct upload *u, str bytes)
{
    while (bytes.len) {
        struct chunk *k = open_chunk(u);
        if (!k)
            break;
        str piece = str_head(bytes, k->cap - k->len);
        memcpy(k->bytes + k->len, piece.p, piece.len);
        k->len += piece.len;
        bytes = str_skip(bytes, piece.len);
    }
    return bytes;
}

static void data(struct call *c, str bytes)
{
    struct upload *u = c->state;
    struct error e;
    str left = u->stopped ? bytes : append(u, bytes);
    if (left.len && !u->stopped) {
        FAIL_NOMEM(&e);
        call_fail(c, &e);
    }
    if (left.len && c->stream)
        h2_stream_consume(c->stream, left.len);
    if (!c->stream || !h2_stream_is_ending(c->stream)) /* otherwise the last job takes them */
        pump(u);
}

static void end(struct call *c)
{
    struct upload *u = c->state;
    struct error e;
    u->ended = true;
    if (u->stopped)
        return;
    if (h2_stream_ask_room(c->stream, H2_ROOM_CHANGE, u->reply.message.head.max, &u->has_room,
                           &e) == ERR_OK)
        pump(u);
    else
        call_fail(c, &e);
}

static void room(struct call *c)
{
    struct upload *u = c->state;
    u->has_room = true;
    pump(u);
}

static void free_state(struct call *c)
{
    struct upload *u = c->state;
    free_object(u);
    grpc_reply_deinit(&u->reply);
    free(u);
}

const struct call_kind upload_kind = {start, data, end, drop, free_state, room};
