#include "base/clock.h"
#include "base/macro.h"
#include "base/sys_host.h"
#include "server/command.h"
#include "server/server.h"

DEFINE_CLEANUP(struct server *, server_free);

enum { DRAIN_MS = 10000 };

static void log_started(const struct config *c, const struct server *s)
{
    log_info("server started", LOG_C("version", STIGMER_VERSION), LOG_C("env", c->env),
             LOG_C("address", server_addresses(s)), LOG_INT("port", server_port(s)),
             LOG_C("tls", c->tls_cert_file[0] ? "on" : "off"),
             LOG_C("storage_path", c->storage_path), LOG_C("db_path", c->db_path));
}

static void reload(struct server *s)
{
    struct error e;
    if (server_reload(s, &e) == ERR_OK)
        log_info("TLS files read again");
    else
        log_error("TLS files not usable, the old ones stay", LOG_ERROR_FIELDS(&e));
}

/* Until a signal ends it; *ret_name says which. */
static enum err wait_for_stop(struct server *s, const char **ret_name, struct error *e)
{
    for (;;) {
        enum sys_signal sig;
        TRY(sys_signal_wait(&sig, ret_name, e));
        if (sig == SYS_SIGNAL_STOP)
            return ERR_OK;
        reload(s);
    }
}

enum err command_serve(const struct config *c, struct error *e)
{
    CLEANUP(server_freep) struct server *s = NULL;
    const char *signal_name;
    log_setup(c->log_level, c->log_format, 2);
    TRY(sys_harden(e));
    sys_small_heap();
    TRY(sys_signals_hold(e)); /* before there are threads: they inherit it */
    TRY(server_start(c, &s, e));
    log_started(c, s);
    enum err r = wait_for_stop(s, &signal_name, e);
    TRY(sys_signals_release(e)); /* a second signal does not wait for the first */
    log_info("server stops", LOG_C("signal", r == ERR_OK ? signal_name : "none"));
    int64_t since = clock_mono_ns();
    server_stop(s, DRAIN_MS);
    TRY(sys_signals_hold(e)); /* what is left takes no time: a late signal changes nothing */
    log_info("server stopped", LOG_INT("drain_ms", (clock_mono_ns() - since) / NS_PER_MS));
    return r;
}
