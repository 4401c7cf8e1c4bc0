/* The environment: defaults, every variable's good and bad values. */
#include "server/config.h"
#include "test.h"

/* One variable besides HOME. */
static const char *set_name, *set_value, *home = "/home/me";

static const char *env(const char *name)
{
    if (strcmp(name, "HOME") == 0)
        return home;
    return set_name && strcmp(name, set_name) == 0 ? set_value : NULL;
}

TEST(defaults)
{
    struct config c;
    struct error e;
    CHECK_OK(config_load(&c, env, &e), &e);
    CHECK_INT(c.port, 7234);
    CHECK_INT(c.listen.n, 2);
    CHECK_STR(str_c(c.listen.addresses[0]), STR("127.0.0.1"));
    CHECK_STR(str_c(c.listen.addresses[1]), STR("::1"));
    CHECK(c.listen.by_default);
    CHECK_STR(str_c(c.db_path), STR("/home/me/.stigmer/stigmer.db"));
    CHECK_STR(str_c(c.storage_path), STR("/home/me/.stigmer/storage"));
    CHECK_INT(c.log_level, LOG_LEVEL_INFO);
    CHECK_INT(c.log_format, LOG_FORMAT_AUTO);
    CHECK_STR(str_c(c.env), STR("local"));
    CHECK_STR(str_c(c.temporal_host_port), STR("localhost:7233"));
    CHECK_STR(str_c(c.temporal_namespace), STR("default"));
    CHECK_STR(str_c(c.storage_mode), STR("local"));
    CHECK_STR(str_c(c.r2_region), STR("auto"));
    CHECK_STR(str_c(c.tls_cert_file), STR(""));
    config_deinit(&c);
}

static const struct {
    const char *name, *value;
    const char *allowed; /* NULL: fine */
} rows[] = {
    {"GRPC_PORT", "0", NULL},
    {"GRPC_PORT", "65535", NULL},
    {"GRPC_PORT", "", NULL}, /* as if it were not set */
    {"GRPC_PORT", "65536", "a number from 0 to 65535"},
    {"GRPC_PORT", "-1", "a number from 0 to 65535"},
    {"GRPC_PORT", "7234 ", "a number from 0 to 65535"},
    {"GRPC_PORT", "abc", "a number from 0 to 65535"},
    {"GRPC_LISTEN", "0.0.0.0", NULL},
    {"GRPC_LISTEN", " ::1 , 10.0.0.1", NULL},
    {"GRPC_LISTEN", "1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4,1.1.1.5,1.1.1.6,1.1.1.7,1.1.1.8", NULL},
    {"GRPC_LISTEN", "::1,::1,::1,::1,::1,::1,::1,::1,::1", "up to 8 numeric"},
    {"GRPC_LISTEN", "localhost", "up to 8 numeric"},
    {"GRPC_LISTEN", "127.0.0.1,", "up to 8 numeric"},
    {"GRPC_LISTEN", "[::1]", "up to 8 numeric"},
    {"DB_PATH", "relative/dir", NULL},
    {"DB_PATH", "~other/x", NULL}, /* a name like any other */
    {"STORAGE_PATH", "~", NULL},
    {"LOG_LEVEL", "DEBUG", NULL},
    {"LOG_LEVEL", "warning", NULL},
    {"LOG_LEVEL", "loud", "debug, info, warn or error"},
    {"LOG_FORMAT", "JSON", NULL},
    {"LOG_FORMAT", "pretty", NULL},
    {"LOG_FORMAT", "xml", "auto, pretty or json"},
    {"ENV", "production", NULL},
    {"TEMPORAL_HOST_PORT", "temporal.example:443", NULL},
    {"TEMPORAL_HOST_PORT", "temporal", "host:port"},
    {"TEMPORAL_HOST_PORT", ":7233", "host:port"},
    {"TEMPORAL_HOST_PORT", "temporal:0", "host:port"},
    {"TEMPORAL_HOST_PORT", "temporal:99999", "host:port"},
    {"TEMPORAL_HOST_PORT", "temporal:", "host:port"},
    {"STIGMER_STORAGE_MODE", "local", NULL},
    {"STIGMER_STORAGE_MODE", "cloud", "local (this build has no cloud storage)"},
    {"STIGMER_STORAGE_MODE", "LOCAL", "local (this build has no cloud storage)"},
    {"SKILL_ARTIFACT_R2_BUCKET", "skills", NULL},
};

TEST(every_variable_is_checked)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct config c;
        struct error e = {0};
        set_name = rows[i].name;
        set_value = rows[i].value;
        enum err got = config_load(&c, env, &e);
        config_deinit(&c);
        if (!rows[i].allowed) {
            CHECK_OK(got, &e);
            continue;
        }
        CHECK_ERR(got, ERR_INVALID_ARGUMENT, &e);
        CHECK(str_starts_with(str_c(e.msg), str_c(rows[i].name)));
        CHECK_CONTAINS(str_c(e.msg), str_c(rows[i].value));
        CHECK_CONTAINS(str_c(e.msg), str_c(rows[i].allowed));
    }
}

TEST(values_reach_the_config)
{
    struct config c;
    struct error e;
    set_name = "GRPC_LISTEN";
    set_value = " ::1 , 10.0.0.1";
    CHECK_OK(config_load(&c, env, &e), &e);
    CHECK_INT(c.listen.n, 2);
    CHECK_STR(str_c(c.listen.addresses[1]), STR("10.0.0.1"));
    CHECK(!c.listen.by_default);
    config_deinit(&c);
    set_name = "STORAGE_PATH";
    set_value = "~/a~b";
    CHECK_OK(config_load(&c, env, &e), &e);
    CHECK_STR(str_c(c.storage_path), STR("/home/me/a~b"));
    config_deinit(&c);
}

TEST(home_is_needed_for_a_tilde)
{
    struct config c;
    struct error e;
    home = NULL;
    CHECK_ERR(config_load(&c, env, &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("HOME"));
    config_deinit(&c);
    home = "not/absolute";
    CHECK_ERR(config_load(&c, env, &e), ERR_INVALID_ARGUMENT, &e);
    config_deinit(&c);
}

TEST(tls_needs_both_files)
{
    struct config c;
    struct error e;
    set_name = "TLS_CERT_FILE";
    set_value = "/etc/cert.pem";
    CHECK_ERR(config_load(&c, env, &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("TLS_KEY_FILE is missing"));
    config_deinit(&c);
    set_name = "TLS_KEY_FILE";
    CHECK_ERR(config_load(&c, env, &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("TLS_CERT_FILE is missing"));
    config_deinit(&c);
}

TEST(help_names_every_variable)
{
    struct buf b;
    buf_init(&b, KIB(64));
    config_help(&b);
    CHECK(!b.failed);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        CHECK_CONTAINS(buf_view(&b), str_c(rows[i].name));
    buf_deinit(&b);
}
