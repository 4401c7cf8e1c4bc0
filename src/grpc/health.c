/* grpc.health.v1.Health: Check is an inline method; Watch is a stream that never ends by itself. */
#include "grpc/gather.h"
#include "grpc/message.h"
#include "grpc/server_impl.h"

#include "grpc/health/v1/health.pb-c.h"

#include <stdlib.h>

#define REQUEST_MAX 1024

typedef Grpc__Health__V1__HealthCheckRequest health_request;
typedef Grpc__Health__V1__HealthCheckResponse health_response;
typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus health_status;

/* Whom a question is about. */
enum { WHO_ALL = -1, WHO_UNKNOWN = -2 };

static int find_service(const struct grpc_server *s, str name)
{
    for (size_t i = 0; i < s->n_services; i++)
        if (str_eq(s->services[i], name))
            return (int)i;
    return name.len == 0 ? WHO_ALL : WHO_UNKNOWN;
}

static enum err read_request(const struct grpc_server *s, str request, int *ret_who,
                             struct error *e)
{
    health_request *r;
    enum err err =
        message_unpack(request, &grpc__health__v1__health_check_request__descriptor, &r, e);
    if (err == ERR_DATA_LOSS)
        return FAIL(e, ERR_INVALID_ARGUMENT, "grpc.health.request",
                    "the request is not a HealthCheckRequest");
    TRY(err);
    *ret_who = find_service(s, str_c(r->service));
    grpc__health__v1__health_check_request__free_unpacked(r, NULL);
    return ERR_OK;
}

static bool is_ailing(const struct grpc_server *s, int who)
{
    if (who >= 0)
        return atomic_load(&s->ailing[who]);
    for (size_t i = 0; i < s->n_services; i++)
        if (atomic_load(&s->ailing[i]))
            return true;
    return false;
}

static health_status current(const struct grpc_server *s, int who)
{
    return atomic_load(&s->serving) && !is_ailing(s, who)
               ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
               : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
}

static void write_response(health_status status, struct buf *out)
{
    health_response r = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    r.status = status;
    char *p = buf_reserve(out, grpc__health__v1__health_check_response__get_packed_size(&r));
    if (p)
        out->len += grpc__health__v1__health_check_response__pack(&r, (uint8_t *)p);
}

static enum err check(void *service, struct grpc_context *c, str request, struct grpc_reply *reply,
                      bool *ret_defer, struct error *e)
{
    const struct grpc_server *s = service;
    int who;
    (void)c, (void)ret_defer;
    TRY(read_request(s, request, &who, e));
    if (who == WHO_UNKNOWN)
        return FAIL(e, ERR_NOT_FOUND, "grpc.health.service", "unknown service");
    write_response(current(s, who), &reply->message.head);
    return ERR_OK;
}

const struct grpc_method health_check_method = {
    .path = "/grpc.health.v1.Health/Check",
    .kind = GRPC_INLINE,
    .max_request = REQUEST_MAX,
    .handle = check,
};

/* --- Watch --- */

struct watch_state {
    struct gather gather;
    struct buf request;
    int who;
    health_status told; /* 0: nothing yet */
};

static health_status watched(const struct call *c)
{
    const struct watch_state *w = c->state;
    return w->who != WHO_UNKNOWN
               ? current(c->server, w->who)
               : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;
}

static enum err next_status(void *ctx, struct grpc_message *ret, enum send_what *ret_what,
                            struct error *e)
{
    struct call *c = ctx;
    struct watch_state *w = c->state;
    health_status now = watched(c);
    bool stopping = atomic_load(&c->server->stopping);
    *ret_what = SEND_WAIT;
    if (now != w->told) {
        w->told = now;
        *ret_what = SEND_MESSAGE;
        write_response(now, &ret->head);
    } else if (stopping) {
        return FAIL(e, ERR_UNAVAILABLE, "grpc.stopping", "the server is stopping");
    }
    return ERR_OK;
}

static void watch_start(struct call *c)
{
    struct error e;
    struct watch_state *w = calloc(1, sizeof *w);
    if (!w) {
        FAIL_NOMEM(&e);
        call_fail(c, &e);
        return;
    }
    buf_init(&w->request, REQUEST_MAX);
    gather_init(&w->gather, &w->request, c->may_gzip, true);
    c->state = w;
}

static enum err watch_feed(struct call *c, str bytes, struct error *e)
{
    struct watch_state *w = c->state;
    TRY(gather_feed(&w->gather, bytes, e));
    return call_hold_request(c, gather_memory(&w->gather), e);
}

static void watch_data(struct call *c, str bytes)
{
    struct error e;
    if (!c->answered && watch_feed(c, bytes, &e) != ERR_OK)
        call_fail(c, &e);
    if (c->stream)
        h2_stream_consume(c->stream, bytes.len);
}

static void watch_end(struct call *c)
{
    struct watch_state *w = c->state;
    struct error e;
    if (c->answered)
        return;
    if (gather_end(&w->gather, &e) != ERR_OK ||
        read_request(c->server, buf_view(&w->request), &w->who, &e) != ERR_OK) {
        call_fail(c, &e);
        return;
    }
    server_listen(c);
    call_stream(c, next_status);
}

static void watch_drop(struct call *c)
{
    (void)c;
}

static void watch_free(struct call *c)
{
    struct watch_state *w = c->state;
    gather_deinit(&w->gather);
    buf_deinit(&w->request);
    free(w);
}

const struct call_kind watch_kind = {watch_start, watch_data, watch_end, watch_drop, watch_free};
const struct grpc_method health_watch_method = {
    .path = "/grpc.health.v1.Health/Watch",
    .max_request = REQUEST_MAX,
};
