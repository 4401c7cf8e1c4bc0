/*
 * The server's configuration: environment variables, one row each (config.c).
 *
 * Ownership: the values live in the config's arena until config_deinit.
 * Errors: INVALID_ARGUMENT naming the variable, its value (unless secret) and what is allowed.
 */
#ifndef STIGMER_SERVER_CONFIG_H
#define STIGMER_SERVER_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"

enum { CONFIG_LISTEN_MAX = 8 };

struct config_listen {
    char *addresses[CONFIG_LISTEN_MAX]; /* numeric */
    size_t n;
    bool by_default; /* nobody asked for these: one that the host lacks is only a warning */
};

struct config {
    struct arena arena;
    uint16_t port;         /* 0 = any */
    uint16_t metrics_port; /* 0 = none */
    struct config_listen metrics_listen;
    struct config_listen listen;
    char *db_path, *storage_path;             /* "~" is expanded */
    uint32_t gc_interval_s, scrub_interval_s; /* 0 = never */
    uint32_t scrub_rate_mib;                  /* a second */
    enum log_level log_level;
    enum log_format log_format;
    char *env;
    char *temporal_host_port, *temporal_namespace;
    char *storage_mode;
    char *tls_cert_file, *tls_key_file; /* "" = plaintext */
    char *r2_bucket, *r2_endpoint, *r2_region, *r2_access_key_id, *r2_secret_access_key;
};

/* As getenv: NULL for what is not set. Results are read during config_load only. */
typedef const char *config_env_fn(const char *name);

/* An empty value counts as not set. config_deinit is needed also after a failure. */
enum err config_load(struct config *c, config_env_fn *env, struct error *e);
void config_deinit(struct config *c);
/* A table of all variables, for --help. */
void config_help(struct buf *out);

#endif
