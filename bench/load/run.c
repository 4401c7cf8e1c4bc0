/* Running operations: slots, their requests and responses, and when the next one is due. */
#include "load/load.h"

#include "base/clock.h"
#include "base/sys.h"
#include "grpc/client.h"
#include "grpc/http.h"
#include "grpc/message.h"
#include "grpc/status.h"
#include "pb.h"

#include <inttypes.h>
#include <nghttp2/nghttp2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define LEARN_MAX    2000
#define CONNECT_MS   10000
#define DRAIN_NS     (60 * NS_PER_S) /* for what is in progress at the end */
#define LATE_MAX     (10 * NS_PER_S) /* an open loop that is so far behind has failed */
#define DEADLINE_MS  10000
#define ANSWER_MAX   MIB(1)
#define FAILURE_MAX  KIB(4)
#define HTTP_SUCCESS 2 /* of 2xx */

uint64_t load_random(struct load *l, uint64_t n)
{
    l->random ^= l->random >> 12;
    l->random ^= l->random << 25;
    l->random ^= l->random >> 27;
    return (l->random * 0x2545f4914f6cdd1d >> 11) % n;
}

static struct tally *tally_of(struct load *l, const struct op *op)
{
    return &l->tallies[op - ops];
}

static bool is_counted(const struct slot *s)
{
    return s->due_ns >= s->load->start_ns;
}

/* --- the end of an operation --- */

static void note_failure(struct slot *s, const char *why)
{
    struct buf *b = &s->load->first_failure;
    if (b->len)
        return;
    buf_addf(b, "%s: %s %s", s->op->name, s->method, s->path);
    if (s->http >= 0)
        buf_addf(b, ": HTTP status %d", s->http);
    if (s->grpc_status > 0)
        buf_addf(b, ", gRPC status %d", s->grpc_status);
    buf_addf(b, ": %s %.*s", why, STR_ARG(buf_view(&s->message)));
}

static void end_operation(struct slot *s, bool failed)
{
    struct load *l = s->load;
    struct tally *t = tally_of(l, s->op);
    int64_t now = clock_mono_ns();
    l->idle[l->n_idle++] = s;
    if (!is_counted(s)) {
        t->failed += failed; /* nothing fails unseen */
        return;
    }
    l->last_ns = now;
    t->received += s->received;
    t->failed += failed;
    if (failed)
        return;
    t->done++;
    histogram_add(&t->durations, now - s->due_ns);
}

static bool succeeded(const struct slot *s)
{
    return s->http / 100 == HTTP_SUCCESS && (!s->grpc || s->grpc_status == 0);
}

static enum err begin_step(struct slot *s, struct error *e);

/* --- the response --- */

static void keep(struct buf *to, str value)
{
    buf_clear(to);
    buf_add(to, value);
}

static void read_headers(struct slot *s, const struct h2_header *h, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (str_eq(h[i].name, STR(":status")) && str_to_u64(h[i].value, &v))
            s->http = (int)v;
        else if (str_eq(h[i].name, STR("grpc-status")) && str_to_u64(h[i].value, &v))
            s->grpc_status = (int)v;
        else if (str_eq(h[i].name, STR("grpc-message")))
            keep(&s->message, h[i].value);
        else if (str_eq(h[i].name, STR("location")))
            keep(&s->location, h[i].value);
    }
}

static void on_headers(void *ctx, struct h2_stream *stream, const struct h2_header *h, size_t n)
{
    (void)ctx;
    read_headers(h2_stream_user(stream), h, n);
}

static void on_data(void *ctx, struct h2_stream *stream, str bytes)
{
    struct slot *s = h2_stream_user(stream);
    (void)ctx;
    s->received += bytes.len;
    h2_stream_consume(stream, bytes.len);
}

/* The server may answer before it has read all: on_close follows when we stop sending. */
static void on_end(void *ctx, struct h2_stream *stream)
{
    const struct slot *s = h2_stream_user(stream);
    (void)ctx;
    if (s->sent < s->total)
        h2_stream_reset(stream, NGHTTP2_NO_ERROR);
}

static void on_close(void *ctx, struct h2_stream *stream, uint32_t code)
{
    struct slot *s = h2_stream_user(stream);
    struct error e;
    (void)ctx;
    s->stream = NULL;
    if (code == H2_CONNECTION_LOST)
        note_failure(s, "the connection broke");
    else if (!succeeded(s))
        note_failure(s, "refused");
    else if (++s->step == s->op->steps)
        return end_operation(s, false);
    else if (begin_step(s, &e) == ERR_OK)
        return;
    else
        note_failure(s, e.msg);
    end_operation(s, true);
}

static const struct h2_handler handler = {on_headers, on_data, on_headers, on_end, on_close};

/* --- the request --- */

static size_t copy_part(struct slot *s, str part, uint64_t start, char *to, size_t cap)
{
    if (s->sent < start || s->sent - start >= part.len)
        return 0;
    str piece = str_head(str_skip(part, s->sent - start), cap);
    memcpy(to, piece.p, piece.len);
    s->sent += piece.len;
    return piece.len;
}

static enum err read_file(struct slot *s, uint64_t start, char *to, size_t cap, size_t *ret_n)
{
    struct error e;
    *ret_n = 0;
    if (s->sent < start || s->sent - start >= s->file_len)
        return ERR_OK;
    uint64_t off = s->sent - start;
    size_t n = MIN((uint64_t)cap, s->file_len - off);
    TRY(sys_pread_full(s->fd, to, n, off, &e));
    s->sent += n;
    *ret_n = n;
    return ERR_OK;
}

static size_t read_body(void *ctx, char *to, size_t cap, enum h2_more *ret_more)
{
    struct slot *s = ctx;
    size_t n_file, n = copy_part(s, buf_view(&s->head), 0, to, cap);
    n += copy_part(s, buf_view(&s->body), s->head.len, to + n, cap - n);
    *ret_more = H2_FAIL;
    if (read_file(s, s->head.len + s->body.len, to + n, cap - n, &n_file) != ERR_OK)
        return 0;
    n += n_file;
    *ret_more = s->sent == s->total ? H2_END : H2_MORE;
    return n;
}

static enum err send_step(struct slot *s, struct error *e)
{
    const struct load *l = s->load;
    char authority[300], length[24];
    (void)snprintf(authority, sizeof authority, "%s:%u", l->host, l->port);
    (void)snprintf(length, sizeof length, "%" PRIu64, s->total);
    struct h2_header h[9] = {
        {STR(":method"), str_c(s->method)},
        {STR(":scheme"), l->o.tls ? STR("https") : STR("http")},
        {STR(":path"), str_c(s->path)},
        {STR(":authority"), str_c(authority)},
    };
    size_t n = 4;
    if (s->grpc)
        h[n++] = (struct h2_header){STR("te"), STR("trailers")};
    else
        h[n++] = (struct h2_header){STR("accept"), STR(LOAD_OCI_MANIFEST)};
    if (!s->grpc && strcmp(s->method, "GET") != 0)
        h[n++] = (struct h2_header){STR("content-length"), str_c(length)};
    if (s->content_type)
        h[n++] = (struct h2_header){STR("content-type"), str_c(s->content_type)};
    return h2_client_request(s->conn, h, n, s->total ? read_body : NULL, s, s, &s->stream, e);
}

static enum err begin_step(struct slot *s, struct error *e)
{
    struct buf *const texts[] = {&s->text, &s->head, &s->body, &s->message};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        buf_clear(texts[i]);
    s->content_type = NULL;
    s->grpc = false;
    s->fd = -1;
    s->file_len = s->sent = 0;
    s->http = s->grpc_status = -1;
    TRY(s->op->make(s, e));
    s->total = s->head.len + s->body.len + s->file_len;
    return send_step(s, e);
}

static enum err begin_operation(struct load *l, const struct op *op, int64_t due_ns,
                                struct error *e)
{
    struct slot *s = l->idle[--l->n_idle];
    s->op = op;
    s->step = 0;
    s->received = 0;
    s->number = l->next++;
    s->due_ns = due_ns;
    l->n_due += due_ns >= l->start_ns;
    TRY(begin_step(s, e));
    tally_of(l, s->op)->begun++;
    return ERR_OK;
}

/* --- time --- */

static volatile sig_atomic_t told_to_end;

static void end_early(int sig)
{
    (void)sig;
    told_to_end = 1;
}

static bool is_over(const struct load *l, int64_t due_ns)
{
    return told_to_end || (l->o.calls ? l->n_due >= l->o.calls : due_ns >= l->end_ns);
}

/* Whatever has a slot. Before the start, as after it: that warms both sides. */
static enum err turn_closed(struct load *l, const struct op *op, bool *ret_over, struct error *e)
{
    while (l->n_idle > 0) {
        int64_t now = clock_mono_ns();
        *ret_over = is_over(l, now);
        if (*ret_over)
            return ERR_OK;
        TRY(begin_operation(l, op, now, e));
    }
    return loop_run_once(l->loop, 1000, e);
}

/* What is due by now, as far as there are slots for it. */
static enum err turn_open(struct load *l, const struct op *op, int64_t *due_ns, bool *ret_over,
                          struct error *e)
{
    int64_t now = clock_mono_ns();
    for (; *due_ns <= now && l->n_idle > 0; *due_ns += NS_PER_S / (int64_t)l->o.rate) {
        *ret_over = is_over(l, *due_ns);
        if (*ret_over)
            return ERR_OK;
        TRY(begin_operation(l, op, *due_ns, e));
    }
    if (now - *due_ns > LATE_MAX)
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "load.late",
                    "the server is more than 10 s behind %" PRIu64 " operations a second",
                    l->o.rate);
    return loop_run_once(l->loop, *due_ns > now ? 1 : 1000, e);
}

static enum err drain(struct load *l, struct error *e)
{
    int64_t until = clock_mono_ns() + DRAIN_NS;
    while (l->n_idle < l->n_slots) {
        if (clock_mono_ns() > until)
            return FAIL(e, ERR_DEADLINE_EXCEEDED, "load.drain",
                        "operations were still in progress a minute after the end");
        TRY(loop_run_once(l->loop, 1000, e));
    }
    return ERR_OK;
}

static enum err run_operations(struct load *l, const struct op *op, struct error *e)
{
    int64_t due_ns = clock_mono_ns();
    bool over = false;
    l->start_ns = due_ns + (int64_t)l->o.warmup_ms * NS_PER_MS;
    l->end_ns = l->start_ns + (int64_t)l->o.seconds * NS_PER_S;
    l->last_ns = l->start_ns;
    while (!over)
        TRY(l->o.rate ? turn_open(l, op, &due_ns, &over, e) : turn_closed(l, op, &over, e));
    return drain(l, e);
}

/* --- what the server has --- */

static enum err learn_one(struct load *l, struct grpc_client *c, size_t i, struct error *e)
{
    const struct message_call call = {"/ai.stigmer.agentic.skill.v1.SkillQueryController/"
                                      "getByReference",
                                      DEADLINE_MS, ANSWER_MAX};
    char slug[32], tag[32];
    PB_SKILL(Skill) *skill = NULL;
    PB_RES(ApiResourceReference) r = PB_RES_C(API_RESOURCE_REFERENCE__INIT);
    (void)snprintf(slug, sizeof slug, SEED_SLUG, i * (l->o.skills / l->n_hashes));
    (void)snprintf(tag, sizeof tag, SEED_TAG, 1 + load_random(l, l->o.versions));
    r.slug = slug;
    r.version = tag;
    TRY(message_call(c, &call, &r.base, &pb_skill(skill__descriptor), (void *)&skill, e));
    (void)snprintf(l->hashes[i], sizeof *l->hashes, "%s", skill->status->version_hash);
    pb_skill(skill__free_unpacked)(skill, NULL);
    return ERR_OK;
}

enum err load_learn(struct load *l, struct error *e)
{
    const struct grpc_client_options o = {
        .target = str_c(l->o.target), .tls = l->o.tls, .ca_file = l->o.ca_file};
    struct grpc_client *c;
    l->n_hashes = (size_t)MIN(l->o.skills, (uint64_t)LEARN_MAX);
    l->hashes = calloc(l->n_hashes, sizeof *l->hashes);
    if (!l->hashes)
        return FAIL_NOMEM(e);
    TRY(grpc_client_open(&o, &c, e));
    enum err err = ERR_OK;
    for (size_t i = 0; i < l->n_hashes && err == ERR_OK; i++)
        err = learn_one(l, c, i, e);
    grpc_client_close(c);
    return err == ERR_OK ? err : err_wrap(e, "the versions of --skills and --versions");
}

/* --- all of it --- */

static enum err connect_all(struct load *l, struct error *e)
{
    const struct h2_client_options o = {.host = l->host,
                                        .port = l->port,
                                        .tls = l->o.tls,
                                        .ca_file = l->o.ca_file,
                                        .timeout_ms = CONNECT_MS,
                                        .handler = &handler,
                                        .ctx = l};
    l->conns = calloc(l->o.connections, sizeof(struct h2_client *));
    if (!l->conns)
        return FAIL_NOMEM(e);
    for (uint64_t i = 0; i < l->o.connections; i++)
        TRY(h2_client_connect(l->loop, &o, &l->conns[i], e));
    return ERR_OK;
}

static void slot_init(struct slot *s, struct load *l, size_t i)
{
    s->load = l;
    s->conn = l->conns[i % l->o.connections]; /* those of one connection are not neighbours */
    buf_init(&s->text, KIB(4));
    buf_init(&s->head, KIB(4));
    buf_init(&s->body, MIB(1));
    buf_init(&s->location, KIB(4));
    buf_init(&s->message, KIB(4));
}

static void slot_deinit(struct slot *s)
{
    buf_deinit(&s->text);
    buf_deinit(&s->head);
    buf_deinit(&s->body);
    buf_deinit(&s->location);
    buf_deinit(&s->message);
}

static enum err make_slots(struct load *l, struct error *e)
{
    l->n_slots = l->o.connections * l->o.streams;
    l->slots = calloc(l->n_slots, sizeof *l->slots);
    l->idle = calloc(l->n_slots, sizeof(struct slot *));
    if (!l->slots || !l->idle)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < l->n_slots; i++) {
        slot_init(&l->slots[i], l, i);
        l->idle[l->n_idle++] = &l->slots[i];
    }
    return ERR_OK;
}

static void print_tally(const struct load *l, const char *name, const struct tally *t,
                        const char *comma)
{
    static const struct {
        const char *name;
        double q;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
    double seconds = (double)(l->last_ns - l->start_ns) / NS_PER_S;
    printf("%s\"%s\":{\"done\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"per_second\":%.1f"
           ",\"received\":%" PRIu64 ",\"mean_us\":%.1f",
           comma, name, t->done, t->failed, seconds > 0 ? (double)t->done / seconds : 0,
           t->received, t->done ? (double)t->durations.sum / (double)t->done / 1e3 : 0);
    for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++)
        printf(",\"%s_us\":%.1f", quantiles[i].name,
               (double)histogram_quantile(&t->durations, quantiles[i].q) / 1e3);
    printf(",\"max_us\":%.1f}", (double)t->durations.max / 1e3);
}

static enum err report(const struct load *l, struct error *e)
{
    const char *comma = "";
    uint64_t failed = 0;
    printf("{\"op\":\"%s\",\"seconds\":%.3f,\"next\":%" PRIu64 ",\"ops\":{", l->o.op,
           (double)(l->last_ns - l->start_ns) / NS_PER_S, l->next);
    for (size_t i = 0; i < n_ops; i++) {
        const struct tally *t = &l->tallies[i];
        failed += t->failed;
        if (!t->begun)
            continue;
        print_tally(l, ops[i].name, t, comma);
        comma = ",";
    }
    printf("}}\n");
    return failed ? FAIL(e, ERR_UNKNOWN, "load.failed", "%" PRIu64 " operations failed; first %.*s",
                         failed, STR_ARG(buf_view(&l->first_failure)))
                  : ERR_OK;
}

static enum err run_on_loop(struct load *l, const struct op *op, struct error *e)
{
    TRY(loop_new(&l->loop, e));
    TRY(connect_all(l, e));
    TRY(make_slots(l, e));
    TRY(run_operations(l, op, e));
    return report(l, e);
}

static void release(struct load *l)
{
    for (uint64_t i = 0; l->conns && i < l->o.connections; i++)
        h2_client_free(l->conns[i]);
    for (size_t i = 0; i < l->n_slots && l->slots; i++)
        slot_deinit(&l->slots[i]);
    if (l->loop)
        loop_free(l->loop);
    free(l->conns);
    free(l->slots);
    free(l->idle);
    free(l->hashes);
    buf_deinit(&l->first_failure);
}

enum err load_run(struct load *l, struct error *e)
{
    const struct op *op = op_find(str_c(l->o.op));
    buf_init(&l->first_failure, FAILURE_MAX);
    (void)signal(SIGTERM, end_early);
    l->random = 0x9e3779b97f4a7c15 ^ l->o.first;
    l->next = l->o.first;
    enum err err = op->needs_hashes ? load_learn(l, e) : ERR_OK;
    if (err == ERR_OK)
        err = run_on_loop(l, op, e);
    release(l);
    return err;
}
