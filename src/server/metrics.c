#include "server/metrics.h"

#include "base/clock.h"
#include "base/macro.h"
#include "base/metric.h"
#include "base/sys.h"
#include "base/sys_host.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>

#define TEXT_MAX      MIB(1)
#define CONNECTIONS   16
#define IDLE_S        10
#define REQUEST_BYTES KIB(16) /* of a request's head, and buffers */
#define LISTEN_MAX    8

/* Loaded only when metrics are wanted: it brings GnuTLS and eight more libraries, 2.5 MB that are
 * resident at once and a second TLS library in the process, for what most servers do not use. */
#define LIBRARY "libmicrohttpd.so.12"
#define FUNCTIONS(X)                                                                               \
    X(MHD_start_daemon)                                                                            \
    X(MHD_stop_daemon)                                                                             \
    X(MHD_create_response_from_buffer)                                                             \
    X(MHD_add_response_header)                                                                     \
    X(MHD_queue_response)                                                                          \
    X(MHD_destroy_response)

static struct {
#define X(name) __typeof__(name) *name;
    FUNCTIONS(X)
#undef X
} mhd;

static enum err load_library(struct error *e)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL); /* stays until the process ends */
    bool whole = library != NULL;
#define X(name) whole = whole && (*(void **)(void *)&mhd.name = dlsym(library, #name));
    FUNCTIONS(X)
#undef X
    return whole ? ERR_OK
                 : FAIL(e, ERR_FAILED_PRECONDITION, "metrics.library",
                        "METRICS_PORT needs " LIBRARY ": install the package libmicrohttpd12");
}

struct metrics {
    struct metrics_options o;
    double started_s; /* since the epoch */
    struct MHD_Daemon *daemons[LISTEN_MAX];
    size_t n_daemons;
};

/* Names and meanings are those of Prometheus' own client libraries. */
static void process_metrics(const struct metrics *m, struct buf *out)
{
    const struct metric_label version[2] = {{"version", STIGMER_VERSION}};
    struct sys_usage u;
    sys_usage(&u);
    metric_family(out, "stigmer_build_info", "gauge", "1, with the server's version as a label.");
    metric_line(out, "stigmer_build_info", version, 1);
    metric_one(out, "process_start_time_seconds", "gauge", "Start time since the Unix epoch.",
               m->started_s);
    metric_one(out, "process_cpu_seconds_total", "counter", "User and system CPU time spent.",
               (double)u.cpu_ns / NS_PER_S);
    metric_one(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
               (double)u.resident);
    metric_one(out, "process_open_fds", "gauge", "Open file descriptors.", (double)u.files);
    metric_one(out, "process_max_fds", "gauge", "The most there may be.", (double)sys_max_files());
}

static struct MHD_Response *make_text(const struct metrics *m)
{
    CLEANUP(buf_deinit) struct buf b;
    buf_init(&b, TEXT_MAX);
    m->o.write(m->o.ctx, &b);
    process_metrics(m, &b);
    if (b.failed)
        return NULL;
    return mhd.MHD_create_response_from_buffer(b.len, b.p, MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *type,
                              struct MHD_Response *r)
{
    if (!r)
        return MHD_NO;
    (void)mhd.MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)mhd.MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = mhd.MHD_queue_response(c, status, r);
    mhd.MHD_destroy_response(r);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status, const char *text)
{
    return answer(c, status, "text/plain; charset=utf-8",
                  mhd.MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
                                                      MHD_RESPMEM_PERSISTENT));
}

/* Called when the head has come, and again for each piece of a body, which nobody wants. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_len, void **state)
{
    static int seen;
    (void)version, (void)body;
    if (!*state) {
        *state = &seen;
        return MHD_YES;
    }
    if (*body_len) {
        *body_len = 0;
        return MHD_YES;
    }
    if (strcmp(url, "/metrics") != 0)
        return refuse(c, MHD_HTTP_NOT_FOUND, "metrics are at /metrics\n");
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "metrics are for reading\n");
    return answer(c, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", make_text(ctx));
}

/* --- listening --- */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Of a numeric address, as the configuration has made sure. */
static union address parse(const char *text, uint16_t port)
{
    union address a = {.v4 = {.sin_family = AF_INET, .sin_port = htons(port)}};
    if (inet_pton(AF_INET, text, &a.v4.sin_addr) == 1)
        return a;
    a.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
    (void)inet_pton(AF_INET6, text, &a.v6.sin6_addr);
    return a;
}

static enum err fail_start(const struct metrics_options *o, const char *address, int error,
                           struct error *e)
{
    if (error == EADDRINUSE)
        return FAIL(e, ERR_ALREADY_EXISTS, "metrics.in_use",
                    "METRICS_PORT=%u is in use at %s; choose another one", o->port, address);
    return FAIL_SYS(e, sys_err(error), error, "metrics.listen",
                    "METRICS_PORT=%u METRICS_LISTEN=%s: cannot listen there", o->port, address);
}

static enum err listen_on(struct metrics *m, const char *text, struct error *e)
{
    union address a = parse(text, m->o.port);
    unsigned flags = MHD_USE_POLL_INTERNAL_THREAD;
    if (a.any.sa_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    errno = 0;
    struct MHD_Daemon *d = mhd.MHD_start_daemon(
        flags, m->o.port, NULL, NULL, on_request, m, MHD_OPTION_SOCK_ADDR, &a.any,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES,
        MHD_OPTION_END);
    if (!d)
        return fail_start(&m->o, text, errno, e);
    m->daemons[m->n_daemons++] = d;
    return ERR_OK;
}

enum err metrics_start(const struct metrics_options *o, struct metrics **ret, struct error *e)
{
    struct metrics *m = calloc(1, sizeof *m);
    if (!m)
        return FAIL_NOMEM(e);
    m->o = *o;
    m->started_s = (double)clock_real_ns() / NS_PER_S;
    enum err err = load_library(e);
    for (size_t i = 0; i < MIN(o->n_addresses, (size_t)LISTEN_MAX) && err == ERR_OK; i++)
        err = listen_on(m, o->addresses[i], e);
    if (err != ERR_OK) {
        metrics_stop(m);
        return err;
    }
    *ret = m;
    return ERR_OK;
}

void metrics_stop(struct metrics *m)
{
    if (!m)
        return;
    while (m->n_daemons)
        mhd.MHD_stop_daemon(m->daemons[--m->n_daemons]);
    free(m);
}
