#include "server/config.h"

#include "base/macro.h"

#include <arpa/inet.h>

/* A parser writes *to (which the row's offset gives) or says no; the row says what is allowed. */
typedef bool parse_fn(struct config *c, void *to, str value, config_env_fn *env);

struct row {
    const char *name;
    const char *value; /* the default */
    parse_fn *parse;
    size_t offset;
    const char *allowed;
    const char *text;
    bool secret;
};

#define ARENA_MAX    KIB(256)
#define INTERVAL_MAX 31536000
#define RATE_MAX     10000

static bool parse_port(struct config *c, void *to, str value, config_env_fn *env)
{
    (void)c;
    (void)env;
    uint64_t n;
    if (!str_to_u64(value, &n) || n > UINT16_MAX)
        return false;
    *(uint16_t *)to = (uint16_t)n;
    return true;
}

/* Seconds; at most a year. */
static bool parse_interval(struct config *c, void *to, str value, config_env_fn *env)
{
    (void)c;
    (void)env;
    uint64_t n;
    if (!str_to_u64(value, &n) || n > INTERVAL_MAX)
        return false;
    *(uint32_t *)to = (uint32_t)n;
    return true;
}

static bool parse_rate(struct config *c, void *to, str value, config_env_fn *env)
{
    (void)c;
    (void)env;
    uint64_t n;
    if (!str_to_u64(value, &n) || n < 1 || n > RATE_MAX)
        return false;
    *(uint32_t *)to = (uint32_t)n;
    return true;
}

static bool is_numeric_address(const char *s)
{
    unsigned char addr[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, s, addr) == 1 || inet_pton(AF_INET6, s, addr) == 1;
}

static bool parse_listen(struct config *c, void *to, str value, config_env_fn *env)
{
    (void)env;
    struct config_listen *l = to;
    *l = (struct config_listen){0};
    bool more = true;
    while (more) {
        str one;
        more = str_cut(value, ',', &one, &value);
        char *address = arena_dup_c(&c->arena, str_trim(one));
        if (l->n == CONFIG_LISTEN_MAX || !address || !is_numeric_address(address))
            return false;
        l->addresses[l->n++] = address;
    }
    return true;
}

/* "~" and "~/…" mean $HOME. */
static bool parse_path(struct config *c, void *to, str value, config_env_fn *env)
{
    char **ret = to;
    if (!str_eq(value, STR("~")) && !str_starts_with(value, STR("~/"))) {
        *ret = arena_dup_c(&c->arena, value);
        return *ret != NULL;
    }
    const char *home = env("HOME");
    if (!home || home[0] != '/')
        return false;
    *ret = arena_printf(&c->arena, "%s%.*s", home, STR_ARG(str_skip(value, 1)));
    return *ret != NULL;
}

static bool parse_text(struct config *c, void *to, str value, config_env_fn *env)
{
    (void)env;
    char **ret = to;
    *ret = arena_dup_c(&c->arena, value);
    return *ret != NULL;
}

static bool parse_host_port(struct config *c, void *to, str value, config_env_fn *env)
{
    ptrdiff_t colon = str_rfind(value, ':');
    uint64_t port;
    if (colon < 1 || !str_to_u64(str_skip(value, (size_t)colon + 1), &port) || port < 1 ||
        port > UINT16_MAX)
        return false;
    return parse_text(c, to, value, env);
}

static bool parse_log_level(struct config *c, void *to, str value, config_env_fn *env)
{
    (void)c;
    (void)env;
    return log_level_parse(value, to);
}

static bool parse_log_format(struct config *c, void *to, str value, config_env_fn *env)
{
    static const struct {
        str name;
        enum log_format format;
    } formats[] = {{STR("auto"), LOG_FORMAT_AUTO},
                   {STR("pretty"), LOG_FORMAT_PRETTY},
                   {STR("json"), LOG_FORMAT_JSON}};
    (void)c;
    (void)env;
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
        if (str_eq_nocase(value, formats[i].name)) {
            *(enum log_format *)to = formats[i].format;
            return true;
        }
    return false;
}

static bool parse_storage_mode(struct config *c, void *to, str value, config_env_fn *env)
{
    return str_eq(value, STR("local")) && parse_text(c, to, value, env);
}

#define R2_ALLOWED "any text"
#define R2_TEXT    "for storage mode cloud; not used by this build"
#define AT(field)  offsetof(struct config, field)

static const struct row rows[] = {
    {"GRPC_PORT", "7234", parse_port, AT(port), "a number from 0 to 65535",
     "TCP port; 0 takes any free one and logs it", false},
    {"GRPC_LISTEN", "127.0.0.1,::1", parse_listen, AT(listen),
     "up to 8 numeric IPv4 or IPv6 addresses, separated by commas", "addresses to listen on",
     false},
    {"DB_PATH", "~/.stigmer/stigmer.db", parse_path, AT(db_path),
     "a directory (\"~\" needs an absolute HOME)", "directory of the metadata", false},
    {"STORAGE_PATH", "~/.stigmer/storage", parse_path, AT(storage_path),
     "a directory (\"~\" needs an absolute HOME)", "directory of the artifacts, in skills/", false},
    {"GC_INTERVAL", "86400", parse_interval, AT(gc_interval_s),
     "a number of seconds from 0 to 31536000",
     "how often archives that no version holds are removed; 0: never", false},
    {"SCRUB_INTERVAL", "604800", parse_interval, AT(scrub_interval_s),
     "a number of seconds from 0 to 31536000",
     "how often database and archives are read again, to find damage early; 0: never", false},
    {"SCRUB_RATE", "16", parse_rate, AT(scrub_rate_mib), "a number from 1 to 10000",
     "MiB of archives that this reads in a second, on average", false},
    {"METRICS_PORT", "0", parse_port, AT(metrics_port), "a number from 0 to 65535",
     "TCP port of Prometheus metrics, plain HTTP at /metrics; 0: none", false},
    {"METRICS_LISTEN", "127.0.0.1", parse_listen, AT(metrics_listen),
     "up to 8 numeric IPv4 or IPv6 addresses, separated by commas",
     "addresses to listen on for metrics", false},
    {"LOG_LEVEL", "info", parse_log_level, AT(log_level), "debug, info, warn or error",
     "the least important events that are logged", false},
    {"LOG_FORMAT", "auto", parse_log_format, AT(log_format), "auto, pretty or json",
     "auto: pretty on a terminal, JSON lines otherwise", false},
    {"TLS_CERT_FILE", "", parse_path, AT(tls_cert_file), "a PEM file, together with TLS_KEY_FILE",
     "certificate chain; with TLS_KEY_FILE turns TLS on; read again on SIGHUP", false},
    {"TLS_KEY_FILE", "", parse_path, AT(tls_key_file), "a PEM file, together with TLS_CERT_FILE",
     "private key", false},
    {"ENV", "local", parse_text, AT(env), "any text", "name of the environment, for the log",
     false},
    {"STIGMER_STORAGE_MODE", "local", parse_storage_mode, AT(storage_mode),
     "local (this build has no cloud storage)", "where artifacts and metadata are kept", false},
    {"SKILL_ARTIFACT_R2_BUCKET", "", parse_text, AT(r2_bucket), R2_ALLOWED, R2_TEXT, false},
    {"SKILL_ARTIFACT_R2_ENDPOINT", "", parse_text, AT(r2_endpoint), R2_ALLOWED, R2_TEXT, false},
    {"SKILL_ARTIFACT_R2_REGION", "auto", parse_text, AT(r2_region), R2_ALLOWED, R2_TEXT, false},
    {"SKILL_ARTIFACT_R2_ACCESS_KEY_ID", "", parse_text, AT(r2_access_key_id), R2_ALLOWED, R2_TEXT,
     true},
    {"SKILL_ARTIFACT_R2_SECRET_ACCESS_KEY", "", parse_text, AT(r2_secret_access_key), R2_ALLOWED,
     R2_TEXT, true},
    {"TEMPORAL_HOST_PORT", "localhost:7233", parse_host_port, AT(temporal_host_port), "host:port",
     "for workflows; not used by this build", false},
    {"TEMPORAL_NAMESPACE", "default", parse_text, AT(temporal_namespace), "any text",
     "for workflows; not used by this build", false},
};

static enum err load_row(struct config *c, const struct row *row, config_env_fn *env,
                         struct error *e)
{
    const char *set = env(row->name);
    str value = str_c(set && set[0] ? set : row->value);
    if (row->parse(c, (char *)c + row->offset, value, env))
        return ERR_OK;
    return FAIL(e, ERR_INVALID_ARGUMENT, "config.value", "%s=%s is not valid: it must be %s",
                row->name, row->secret ? "(secret)" : value.p, row->allowed);
}

enum err config_load(struct config *c, config_env_fn *env, struct error *e)
{
    *c = (struct config){0};
    arena_init(&c->arena, ARENA_MAX);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        TRY(load_row(c, &rows[i], env, e));
    const char *listen = env("GRPC_LISTEN");
    c->listen.by_default = !listen || !listen[0];
    if (!c->tls_cert_file[0] != !c->tls_key_file[0])
        return FAIL(e, ERR_INVALID_ARGUMENT, "config.tls",
                    "TLS_CERT_FILE and TLS_KEY_FILE must be set together: %s is missing",
                    c->tls_cert_file[0] ? "TLS_KEY_FILE" : "TLS_CERT_FILE");
    return ERR_OK;
}

void config_deinit(struct config *c)
{
    arena_deinit(&c->arena);
}

void config_help(struct buf *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct row *r = &rows[i];
        buf_addf(out, "  %s\n      %s.\n      Must be %s.", r->name, r->text, r->allowed);
        if (r->value[0])
            buf_addf(out, " Default: %s", r->value);
        buf_add_c(out, "\n");
    }
}
