#include "server/server.h"

#include "api/api.h"
#include "base/macro.h"
#include "base/sys.h"
#include "base/sys_host.h"
#include "descriptors.h"
#include "h2/limits.h"
#include "meta/meta.h"
#include "net/tls.h"
#include "server/chores.h"
#include "server/dbcheck.h"
#include "server/keeper.h"
#include "server/lock.h"
#include "server/metrics.h"
#include "skill/skill.h"
#include "store/store.h"

#include <stdlib.h>

enum {
    MAX_DESCRIPTORS = 32,
    MAX_LOOPS = 8,
    /* Few workers compute at a time, so that the loops get their turn; pushes that wait for the
     * disk are many, since those that wait together share an fsync (group commit). */
    MAX_ACTIVE = 32,
    WORKERS = 64,
    MAX_QUEUED = 16384, /* as many calls as the transport lets in */
};

/* Upload bytes in memory, all calls together: what is received and not yet spooled. */
#define UPLOAD_BUDGET MIB(16)
/* Other requests that have come in part or wait: mostly some tens of bytes each. */
#define REQUEST_BUDGET MIB(8)

/* Freed in the reverse order. */
struct server {
    const struct config *config;
    int storage_lock, db_lock;
    struct store *store;
    struct meta *meta;
    struct skill_service *skills;
    struct api api;
    struct tls_server *tls;
    struct pool *workers;
    str descriptors[MAX_DESCRIPTORS];
    struct grpc_server *grpc;
    struct keeper *keeper;
    struct chores *chores;
    struct metrics *metrics;
    uint16_t port;
    struct buf addresses;
};

static enum err open_backends(struct server *s, struct error *e)
{
    const struct config *c = s->config;
    TRY(lock_dir("STORAGE_PATH", c->storage_path, "storage.lock", &s->storage_lock, e));
    TRY(lock_dir("DB_PATH", c->db_path, "database.lock", &s->db_lock, e));
    TRY(store_open_fs(c->storage_path, &s->store, e));
    TRY(dbcheck_pages(c->db_path, e));
    TRY(meta_open_lmdb(c->db_path, NULL, &s->meta, e));
    return ERR_OK;
}

static unsigned clamp(unsigned n, unsigned min, unsigned max)
{
    return n < min ? min : n > max ? max : n;
}

static enum err load_tls(struct server *s, struct error *e)
{
    const struct config *c = s->config;
    if (!c->tls_cert_file[0])
        return ERR_OK;
    if (tls_server_new(c->tls_cert_file, c->tls_key_file, &s->tls, e) != ERR_OK)
        return err_wrap(e, "TLS_CERT_FILE=%s TLS_KEY_FILE=%s", c->tls_cert_file, c->tls_key_file);
    return ERR_OK;
}

static enum err make_service(struct server *s, struct error *e)
{
    unsigned n_active = clamp(sys_n_cpus(), 2, MAX_ACTIVE);
    TRY(pool_new("worker", n_active, WORKERS, MAX_QUEUED, &s->workers, e));
    TRY(skill_service_new(s->store, s->meta, s->workers, NULL, &s->skills, e));
    s->api = (struct api){.skills = s->skills, .store = s->store};
    return ERR_OK;
}

/* Downloads leave most descriptors to connections, uploads and the store. */
static struct h2_limits limits_here(void)
{
    struct h2_limits l = h2_limits_default;
    l.open_files = (int64_t)MIN((size_t)l.open_files, sys_max_files() / 4);
    return l;
}

static enum err make_grpc(struct server *s, struct error *e)
{
    struct h2_limits limits = limits_here();
    TRY(load_tls(s, e));
    size_t n_descriptors = proto_descriptors(s->descriptors, MAX_DESCRIPTORS);
    if (n_descriptors > MAX_DESCRIPTORS)
        return FAIL(e, ERR_INTERNAL, "server.descriptors", "MAX_DESCRIPTORS is too small");
    const struct grpc_server_options options = {
        .methods = api_methods,
        .n_methods = api_n_methods,
        .service = &s->api,
        .workers = s->workers,
        .descriptors = s->descriptors,
        .n_descriptors = n_descriptors,
        .limits = &limits,
        .tls = s->tls,
        .n_loops = clamp(sys_n_cpus(), 1, MAX_LOOPS),
        .upload_budget = UPLOAD_BUDGET,
        .request_budget = REQUEST_BUDGET,
    };
    return grpc_server_new(&options, &s->grpc, e);
}

/* Before the first call: who asks for the state finds it. */
static enum err keep(struct server *s, struct error *e)
{
    const struct keeper_options o = {
        .skills = s->skills, .store = s->store, .meta = s->meta, .grpc = s->grpc};
    TRY(keeper_start(&o, &s->keeper, e));
    s->api.state = keeper_state;
    s->api.state_ctx = s->keeper;
    return ERR_OK;
}

static enum err do_chores(struct server *s, struct error *e)
{
    const struct chores_options o = {
        .skills = s->skills,
        .gc_interval_s = s->config->gc_interval_s,
        .scrub_interval_s = s->config->scrub_interval_s,
        .scrub_rate = MIB(s->config->scrub_rate_mib),
    };
    return chores_start(&o, &s->chores, e);
}

/* --- metrics --- */

static void write_metrics(void *ctx, struct buf *out)
{
    const struct server *s = ctx;
    grpc_server_metrics(s->grpc, out);
    pool_metrics(s->workers, out);
    meta_metrics(s->meta, out);
    store_metrics(s->store, out);
    chores_metrics(s->chores, out);
}

/* All that is told of is there, and outlives them. */
static enum err show_metrics(struct server *s, struct error *e)
{
    const struct config *c = s->config;
    const struct metrics_options o = {.addresses = (const char *const *)c->metrics_listen.addresses,
                                      .n_addresses = c->metrics_listen.n,
                                      .port = c->metrics_port,
                                      .write = write_metrics,
                                      .ctx = s};
    return c->metrics_port ? metrics_start(&o, &s->metrics, e) : ERR_OK;
}

static enum err listen_on(struct server *s, const char *address, struct error *e)
{
    uint16_t want = s->port ? s->port : s->config->port;
    if (grpc_server_listen(s->grpc, address, want, &s->port, e) != ERR_OK)
        return err_wrap(e, "GRPC_PORT=%u", want);
    buf_addf(&s->addresses, "%s%s", s->addresses.len ? "," : "", address);
    return ERR_OK;
}

/* With GRPC_PORT=0 the first address chooses the port for all. By default a host without IPv6 (or
 * without IPv4) is served on what it has. */
static enum err listen_all(struct server *s, struct error *e)
{
    const struct config_listen *l = &s->config->listen;
    for (size_t i = 0; i < l->n; i++) {
        enum err r = listen_on(s, l->addresses[i], e);
        if (r == ERR_OK)
            continue;
        if (!l->by_default || r == ERR_ALREADY_EXISTS)
            return r;
        log_warn("address left out", LOG_C("address", l->addresses[i]), LOG_ERROR_FIELDS(e));
    }
    if (s->addresses.len == 0)
        return e->code; /* of the last address */
    return buf_cstr(&s->addresses) ? ERR_OK : buf_status(&s->addresses, e);
}

static enum err start(struct server *s, struct error *e)
{
    TRY(open_backends(s, e));
    TRY(make_service(s, e));
    TRY(make_grpc(s, e));
    TRY(keep(s, e));
    TRY(listen_all(s, e));
    TRY(do_chores(s, e));
    TRY(show_metrics(s, e));
    TRY(grpc_server_start(s->grpc, e));
    grpc_server_set_serving(s->grpc, true);
    return ERR_OK;
}

enum err server_start(const struct config *c, struct server **ret, struct error *e)
{
    struct server *s = calloc(1, sizeof(*s));
    if (!s)
        return FAIL_NOMEM(e);
    s->config = c;
    s->storage_lock = s->db_lock = -1;
    buf_init(&s->addresses, KIB(1));
    enum err r = start(s, e);
    if (r != ERR_OK) {
        server_free(s);
        return r;
    }
    *ret = s;
    return ERR_OK;
}

uint16_t server_port(const struct server *s)
{
    return s->port;
}

const char *server_addresses(const struct server *s)
{
    return s->addresses.p;
}

enum err server_reload(struct server *s, struct error *e)
{
    return s->tls ? tls_server_reload(s->tls, e) : ERR_OK;
}

void server_stop(struct server *s, int64_t drain_ms)
{
    grpc_server_stop(s->grpc, drain_ms);
}

void server_free(struct server *s)
{
    if (!s)
        return;
    if (s->grpc)
        grpc_server_stop(s->grpc, 0);
    metrics_stop(s->metrics);
    chores_stop(s->chores);
    keeper_stop(s->keeper);
    grpc_server_free(s->grpc);
    pool_free(s->workers);
    tls_server_free(s->tls);
    skill_service_free(s->skills);
    meta_close(s->meta);
    store_close(s->store);
    sys_closep(&s->db_lock);
    sys_closep(&s->storage_lock);
    buf_deinit(&s->addresses);
    free(s);
}
