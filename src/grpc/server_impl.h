/* What the parts of the server share: the method table, jobs, health, and who listens to it. */
#ifndef STIGMER_GRPC_SERVER_IMPL_H
#define STIGMER_GRPC_SERVER_IMPL_H

#include "grpc/call.h"
#include "grpc/server.h"
#include "grpc/symbols.h"

#include "base/ledger.h"
#include "base/metric.h"

#include <pthread.h>

struct grpc_server {
    struct h2_server *h2;
    struct pool *workers;
    struct ledger upload_budget, request_budget;
    struct symbols *symbols;
    const str *descriptors;
    size_t n_descriptors;
    struct call_method *methods; /* sorted by path */
    size_t n_methods;
    str *services;        /* full names, sorted, each once */
    _Atomic bool *ailing; /* of each: NOT_SERVING */
    size_t n_services;
    struct method_stats *stats[METRIC_STRIPES]; /* of each method, then of all unknown ones */
    _Atomic bool serving;
    _Atomic bool stopping; /* streams without an end of their own are to end */
    _Atomic bool stopped;  /* the loops have ended: what is left runs on the stopping thread */
    pthread_mutex_t lock;  /* of the rest */
    pthread_cond_t no_jobs;
    size_t n_jobs;
    struct list listeners;
};

#define SERVER_N_CODES 17 /* gRPC's */

struct method_stats {
    struct counter codes[SERVER_N_CODES], bytes_in, bytes_out;
    struct metric_buckets seconds;
};
enum err stats_new(struct grpc_server *s, struct error *e);
void stats_free(struct grpc_server *s);
/* A call has ended. */
void stats_add(const struct call *c);

/* The method of that path, or NULL. */
const struct call_method *server_find(const struct grpc_server *s, str path);
/* 16 hex digits and a NUL. */
void server_request_id(char out[17]);

/* As pool_submit; the job ends with server_job_done, after it handed its result on. */
enum err server_submit(struct grpc_server *s, struct job *job, struct error *e);
void server_job_done(struct grpc_server *s);

/* Resumes the call's stream whenever health changes or the server stops. */
void server_listen(struct call *c);
/* Harmless when it does not listen. */
void server_unlisten(struct call *c);

/* The kinds, and the methods that come with every server. */
extern const struct call_kind unary_kind, upload_kind, watch_kind, reflection_kind;
extern const struct grpc_method health_check_method, health_watch_method;
extern const struct grpc_method reflection_method, reflection_alpha_method;

#endif
