#include "grpc/server_impl.h"

#include "base/hex.h"
#include "base/sys.h"
#include "grpc/http.h"

#include <stdlib.h>

/* --- the method table --- */

static const struct {
    const struct grpc_method *method;
    const struct call_kind *kind;
} built_in[] = {
    {&health_check_method, &unary_kind},
    {&health_watch_method, &watch_kind},
    {&reflection_method, &reflection_kind},
    {&reflection_alpha_method, &reflection_kind},
};

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct call_method *)a)->method->path,
                  ((const struct call_method *)b)->method->path);
}

static int key_to_path(const void *key, const void *row)
{
    return str_cmp(*(const str *)key, str_c(((const struct call_method *)row)->method->path));
}

const struct call_method *server_find(const struct grpc_server *s, str path)
{
    return bsearch(&path, s->methods, s->n_methods, sizeof *s->methods, key_to_path);
}

/* "/package.Service/method" → "package.Service" */
static str service_of(const char *path)
{
    str service, method;
    (void)str_cut(str_skip(str_c(path), 1), '/', &service, &method);
    return service;
}

static enum err check_method(const struct grpc_method *m, struct error *e)
{
    str path = str_c(m->path);
    bool upload = m->kind == GRPC_UPLOAD;
    if (path.len < 4 || path.p[0] != '/' || str_find(str_skip(path, 1), '/') < 1)
        return FAIL(e, ERR_INVALID_ARGUMENT, "grpc.table", "method path \"%s\"", m->path);
    if (upload ? !m->upload : !m->handle)
        return FAIL(e, ERR_INVALID_ARGUMENT, "grpc.table", "method %s has no handler", m->path);
    return ERR_OK;
}

static enum err add_methods(struct grpc_server *s, const struct grpc_server_options *o,
                            struct error *e)
{
    s->methods = calloc(o->n_methods + ARRAY_SIZE(built_in), sizeof *s->methods);
    if (!s->methods)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < o->n_methods; i++) {
        const struct grpc_method *m = &o->methods[i];
        TRY(check_method(m, e));
        s->methods[s->n_methods++] = (struct call_method){
            m, o->service, m->kind == GRPC_UPLOAD ? &upload_kind : &unary_kind};
    }
    for (size_t i = 0; i < ARRAY_SIZE(built_in); i++)
        s->methods[s->n_methods++] = (struct call_method){built_in[i].method, s, built_in[i].kind};
    qsort(s->methods, s->n_methods, sizeof *s->methods, by_path);
    for (size_t i = 1; i < s->n_methods; i++)
        if (by_path(&s->methods[i - 1], &s->methods[i]) == 0)
            return FAIL(e, ERR_INVALID_ARGUMENT, "grpc.table", "method %s is there twice",
                        s->methods[i].method->path);
    return ERR_OK;
}

static enum err add_services(struct grpc_server *s, struct error *e)
{
    s->services = calloc(s->n_methods, sizeof *s->services);
    s->ailing = calloc(s->n_methods, sizeof *s->ailing);
    if (!s->services || !s->ailing)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < s->n_methods; i++) {
        str name = service_of(s->methods[i].method->path);
        if (!s->n_services || !str_eq(s->services[s->n_services - 1], name))
            s->services[s->n_services++] = name;
    }
    return ERR_OK;
}

void server_request_id(char out[17])
{
    /* One system call for many ids. */
    static _Thread_local uint8_t pool[512];
    static _Thread_local size_t left;
    struct error e;
    if (left == 0) {
        if (sys_random(pool, sizeof pool, &e) != ERR_OK)
            abort(); /* getrandom(2) cannot fail once the kernel has started */
        left = sizeof pool;
    }
    left -= 8;
    hex_encode(pool + left, 8, out);
}

/* --- jobs --- */

enum err server_submit(struct grpc_server *s, struct job *job, struct error *e)
{
    pthread_mutex_lock(&s->lock);
    s->n_jobs++;
    pthread_mutex_unlock(&s->lock);
    enum err err = pool_submit(s->workers, job, e);
    if (err != ERR_OK)
        server_job_done(s);
    return err;
}

void server_job_done(struct grpc_server *s)
{
    pthread_mutex_lock(&s->lock);
    if (--s->n_jobs == 0)
        pthread_cond_broadcast(&s->no_jobs);
    pthread_mutex_unlock(&s->lock);
}

static void wait_for_jobs(struct grpc_server *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->n_jobs)
        pthread_cond_wait(&s->no_jobs, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

/* --- listeners --- */

static void listener_run(struct task *t)
{
    struct call *c = CONTAINER_OF(t, struct call, listener.task);
    pthread_mutex_lock(&c->server->lock);
    c->listener.posted = false;
    bool registered = c->listener.registered;
    pthread_mutex_unlock(&c->server->lock);
    if (registered)
        h2_stream_resume(c->stream);
    else
        call_unref(c);
}

void server_listen(struct call *c)
{
    call_ref(c);
    c->listener.task.run = listener_run;
    pthread_mutex_lock(&c->server->lock);
    c->listener.registered = true;
    list_push_back(&c->server->listeners, &c->listener.link);
    pthread_mutex_unlock(&c->server->lock);
}

/* The listener's reference goes with it, or with the task that is still on its way. */
void server_unlisten(struct call *c)
{
    pthread_mutex_lock(&c->server->lock);
    bool last = c->listener.registered && !c->listener.posted;
    c->listener.registered = false;
    list_del(&c->listener.link);
    pthread_mutex_unlock(&c->server->lock);
    if (last)
        call_unref(c);
}

static void tell_listeners(struct grpc_server *s)
{
    pthread_mutex_lock(&s->lock);
    LIST_FOR_EACH (node, &s->listeners) {
        struct call *c = CONTAINER_OF(node, struct call, listener.link);
        if (!c->listener.posted)
            loop_post(c->loop, &c->listener.task);
        c->listener.posted = true;
    }
    pthread_mutex_unlock(&s->lock);
}

/* --- what the transport tells --- */

static void on_headers(void *ctx, struct h2_stream *stream, const struct h2_header *h, size_t n)
{
    call_new(ctx, stream, h, n);
}

static void on_data(void *ctx, struct h2_stream *stream, str bytes)
{
    struct call *c = h2_stream_user(stream);
    (void)ctx;
    if (c)
        c->bytes_in += bytes.len;
    if (c && c->state)
        c->kind->data(c, bytes);
    else
        h2_stream_consume(stream, bytes.len);
    if (c && c->refused)
        call_refused(c, false);
}

/* What is not gRPC is answered when it is complete: before that, HTTP/2 would have to cut it. */
static void on_end(void *ctx, struct h2_stream *stream)
{
    struct call *c = h2_stream_user(stream);
    (void)ctx;
    if (c && c->http_status != HTTP_OK)
        http_refuse(stream, c->http_status);
    else if (c && c->refused)
        call_refused(c, true);
    else if (c && c->state)
        c->kind->end(c);
}

static void on_close(void *ctx, struct h2_stream *stream, uint32_t error)
{
    struct call *c = h2_stream_user(stream);
    (void)ctx;
    if (c)
        call_closed(c, error);
}

static void on_room(void *ctx, struct h2_stream *stream)
{
    struct call *c = h2_stream_user(stream);
    (void)ctx;
    c->kind->room(c);
}

static const struct h2_handler handler = {
    .on_headers = on_headers,
    .on_data = on_data,
    .on_end = on_end,
    .on_close = on_close,
    .on_room = on_room,
};

/* --- the server --- */

static enum err build(struct grpc_server *s, const struct grpc_server_options *o, struct error *e)
{
    struct h2_server_options h2 = {
        .limits = o->limits,
        .tls = o->tls,
        .n_loops = o->n_loops,
        .handler = &handler,
        .ctx = s,
    };
    TRY(add_methods(s, o, e));
    TRY(add_services(s, e));
    TRY(stats_new(s, e));
    TRY(symbols_new(s->descriptors, s->n_descriptors, &s->symbols, e));
    return h2_server_new(&h2, &s->h2, e);
}

enum err grpc_server_new(const struct grpc_server_options *o, struct grpc_server **ret,
                         struct error *e)
{
    struct grpc_server *s = calloc(1, sizeof *s);
    if (!s)
        return FAIL_NOMEM(e);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->no_jobs, NULL);
    list_init(&s->listeners);
    ledger_init(&s->upload_budget, o->upload_budget);
    ledger_init(&s->request_budget, o->request_budget);
    s->workers = o->workers;
    s->descriptors = o->descriptors;
    s->n_descriptors = o->n_descriptors;
    enum err err = build(s, o, e);
    if (err != ERR_OK) {
        grpc_server_free(s);
        return err;
    }
    *ret = s;
    return ERR_OK;
}

enum err grpc_server_listen(struct grpc_server *s, const char *address, uint16_t port,
                            uint16_t *ret_port, struct error *e)
{
    return h2_server_listen(s->h2, address, port, ret_port, e);
}

enum err grpc_server_start(struct grpc_server *s, struct error *e)
{
    atomic_store(&s->serving, true);
    return h2_server_start(s->h2, e);
}

void grpc_server_set_serving(struct grpc_server *s, bool serving)
{
    atomic_store(&s->serving, serving);
    tell_listeners(s);
}

void grpc_server_set_service(struct grpc_server *s, str name, bool serving)
{
    for (size_t i = 0; i < s->n_services; i++)
        if (str_eq(s->services[i], name))
            atomic_store(&s->ailing[i], !serving);
    tell_listeners(s);
}

void grpc_server_stop(struct grpc_server *s, int64_t drain_ms)
{
    atomic_store(&s->serving, false);
    atomic_store(&s->stopping, true);
    tell_listeners(s);
    h2_server_stop(s->h2, drain_ms);
    wait_for_jobs(s);
    atomic_store(&s->stopped, true);
}

void grpc_server_free(struct grpc_server *s)
{
    if (!s)
        return;
    if (s->h2)
        grpc_server_stop(s, 0);
    h2_server_free(s->h2);
    symbols_free(s->symbols);
    free(s->methods);
    free(s->services);
    free((void *)s->ailing);
    stats_free(s);
    pthread_cond_destroy(&s->no_jobs);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
