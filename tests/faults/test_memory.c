/* Every allocation that the server makes for a call fails once, whoever makes it: the layer below,
 * the handler, the database, a library. The call ends with a status or its connection does; then
 * the same call works. Nothing is lost: after all of them as much is allocated as before. */
#include "calls.h"
#include "grpc/client.h"
#include "server/server.h"
#include "test.h"

#include "../unit/api/archive.h"
#include "base/hex.h"
#include "digest/sha256.h"

#include <stdio.h>

#define CALLS_MAX  5000
#define SKILL_KIND 43 /* ApiResourceKind.skill */
#define LOST_MAX   20 /* what libraries keep for threads; a leak would be there many times */

static struct error e;
static struct config config;
static struct server *server;
static unsigned version; /* what is pushed differs with it */

/* --- a server --- */

static const char *environment(const char *name)
{
    static char storage[120], db[120];
    (void)snprintf(storage, sizeof storage, "%s/storage", test_dir());
    (void)snprintf(db, sizeof db, "%s/db", test_dir());
    return strcmp(name, "HOME") == 0           ? test_dir()
           : strcmp(name, "GRPC_PORT") == 0    ? "0"
           : strcmp(name, "GRPC_LISTEN") == 0  ? "127.0.0.1"
           : strcmp(name, "STORAGE_PATH") == 0 ? storage
           : strcmp(name, "DB_PATH") == 0      ? db
                                               : NULL;
}

static void start(void)
{
    calls_spare_me();
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, 2);
    CHECK_OK(config_load(&config, environment, &e), &e);
    CHECK_OK(server_start(&config, &server, &e), &e);
}

static void stop(void)
{
    server_stop(server, 5000);
    server_free(server);
    config_deinit(&config);
}

/* --- requests: protobuf by hand --- */

static void add_varint(struct buf *b, size_t n)
{
    for (; n >= 0x80; n >>= 7)
        buf_add_char(b, (char)(n | 0x80));
    buf_add_char(b, (char)n);
}

static void add(struct buf *b, unsigned field, str value)
{
    buf_add_char(b, (char)(field << 3 | 2));
    add_varint(b, value.len);
    buf_add(b, value);
}

static void add_number(struct buf *b, unsigned field, size_t n)
{
    buf_add_char(b, (char)(field << 3));
    add_varint(b, n);
}

/* An ApiResourceReference to that version of demo. */
static void add_ref(struct buf *b, const char *v)
{
    add_number(b, 3, SKILL_KIND);
    add(b, 4, STR("demo"));
    if (v[0])
        add(b, 5, str_c(v));
}

static void archive_of(struct buf *b, unsigned n)
{
    char text[64];
    (void)snprintf(text, sizeof text, "# version %u\n", n);
    archive_make(b, str_c(text));
}

static void hash_of(unsigned n, char hex[SHA256_HEX_LEN + 1])
{
    struct digest d;
    CLEANUP(buf_deinit) struct buf archive;
    archive_of(&archive, n);
    CHECK_OK(sha256_of(buf_view(&archive), &d, &e), &e);
    digest_to_hex(&d, hex);
}

static void add_push(struct buf *b, const char *name, unsigned n)
{
    CLEANUP(buf_deinit) struct buf archive;
    archive_of(&archive, n);
    add(b, 1, str_c(name));
    add(b, 4, buf_view(&archive));
    add(b, 5, STR("t"));
}

static void push(struct buf *b)
{
    add_push(b, "Demo", version);
}

static void push_doomed(struct buf *b)
{
    add_push(b, "Doomed", 1);
}

static void doomed(struct buf *b)
{
    add(b, 1, STR("platform/skill/doomed"));
}

static void id(struct buf *b)
{
    add(b, 1, STR("platform/skill/demo"));
}

static void reference(struct buf *b)
{
    add_ref(b, "t");
}

static void move(struct buf *b)
{
    char tag[32];
    CLEANUP(buf_deinit) struct buf r;
    buf_init(&r, KIB(1));
    add_ref(&r, "t");
    add(b, 1, buf_view(&r));
    (void)snprintf(tag, sizeof tag, "moved%u", version);
    add(b, 2, str_c(tag));
}

static void by_tag(struct buf *b)
{
    add(b, 1, STR("demo"));
    add(b, 2, STR("t"));
}

static void by_hash(struct buf *b)
{
    char hex[SHA256_HEX_LEN + 1];
    hash_of(0, hex);
    add(b, 1, STR("demo"));
    add(b, 2, str_c(hex));
}

static void artifact(struct buf *b)
{
    char hex[SHA256_HEX_LEN + 1], key[96];
    hash_of(0, hex);
    (void)snprintf(key, sizeof key, "skills/%s.zip", hex);
    add(b, 1, str_c(key));
}

static void of_demo(struct buf *b)
{
    CLEANUP(buf_deinit) struct buf r;
    buf_init(&r, KIB(1));
    add_ref(&r, "");
    add(b, 1, buf_view(&r));
}

static void nothing(struct buf *b)
{
    (void)b;
}

#define COMMAND(name) "/ai.stigmer.agentic.skill.v1.SkillCommandController/" name
#define QUERY(name)   "/ai.stigmer.agentic.skill.v1.SkillQueryController/" name

struct rpc {
    const char *path;
    void (*request)(struct buf *b);
    void (*before)(struct buf *b); /* a push that it needs each time, or NULL */
    bool stream;
};

static const struct rpc rpcs[] = {
    {COMMAND("push"), push, NULL, false},
    {COMMAND("moveTag"), move, NULL, false},
    {COMMAND("delete"), doomed, push_doomed, false},
    {QUERY("get"), id, NULL, false},
    {QUERY("getByReference"), reference, NULL, false},
    {QUERY("getByTag"), by_tag, NULL, false},
    {QUERY("getByHash"), by_hash, NULL, false},
    {QUERY("getTag"), reference, NULL, false},
    {QUERY("getArtifact"), artifact, NULL, false},
    {QUERY("streamArtifact"), artifact, NULL, true},
    {QUERY("findAll"), nothing, NULL, false},
    {QUERY("listVersions"), of_demo, NULL, false},
    {QUERY("listFiles"), of_demo, NULL, false},
    {"/stigmer.server.v1.ServerStatus/get", nothing, NULL, false},
    {"/grpc.health.v1.Health/Check", nothing, NULL, false},
};

/* --- calls, each on a connection of its own --- */

static enum err count(void *ctx, str message, struct error *er)
{
    (void)message, (void)er;
    ++*(size_t *)ctx;
    return ERR_OK;
}

static enum err ask(struct grpc_client *c, const struct grpc_request *r, bool stream)
{
    size_t n = 0;
    CLEANUP(buf_deinit) struct buf answer;
    buf_init(&answer, MIB(1));
    if (!stream)
        return grpc_client_call(c, r, &answer, &e);
    TRY(grpc_client_stream(c, r, count, &n, &e));
    CHECK(n > 0);
    return ERR_OK;
}

static enum err call(const char *path, void (*make)(struct buf *b), bool stream)
{
    char target[32];
    struct grpc_client *client = NULL;
    CLEANUP(buf_deinit) struct buf request;
    buf_init(&request, MIB(1));
    make(&request);
    (void)snprintf(target, sizeof target, "127.0.0.1:%u", server_port(server));
    const struct grpc_client_options o = {.target = str_c(target), .connect_timeout_ms = 20000};
    const struct grpc_request r = {
        .path = path, .head = buf_view(&request), .fd = -1, .timeout_ms = 20000};
    TRY(grpc_client_open(&o, &client, &e));
    enum err err = ask(client, &r, stream);
    grpc_client_close(client);
    return err;
}

static enum err run(const struct rpc *r)
{
    return call(r->path, r->request, r->stream);
}

static void must(const struct rpc *r, const char *what, unsigned n)
{
    if (run(r) != ERR_OK)
        test_fail(__FILE__, __LINE__, "%s %s allocation %u: %s: %s", r->path, what, n,
                  err_name(e.code), e.msg);
}

/* What questions are about. */
static void push_first(void)
{
    version = 0;
    CHECK_OK(call(COMMAND("push"), push, false), &e);
}

static void prepare(const struct rpc *r)
{
    version++;
    if (r->before)
        CHECK_OK(call(COMMAND("push"), r->before, false), &e);
}

/* RESOURCE_EXHAUSTED where it can be told; a connection that could not be served breaks; a library
 * may have its own word for it. A deadline would be a lock that is held. */
static bool is_clean(enum err err)
{
    return err == ERR_OK || err == ERR_RESOURCE_EXHAUSTED || err == ERR_UNAVAILABLE ||
           err == ERR_INTERNAL || err == ERR_CANCELLED;
}

/* False: there is no such allocation any more. */
static bool try_allocation(const struct rpc *r, unsigned n)
{
    prepare(r);
    calls_arm(&(struct calls_fault){.kind = CALLS_ALLOC, .n = n});
    enum err err = run(r);
    bool struck = calls_disarm();
    if (!is_clean(err))
        test_fail(__FILE__, __LINE__, "%s with allocation %u failing: %s: %s", r->path, n,
                  err_name(err), e.msg);
    if (r->before) /* it may have been done, and answered by nobody */
        CHECK_OK(call(COMMAND("push"), r->before, false), &e);
    must(r, "after", n);
    return struck;
}

static void each_allocation(const struct rpc *r)
{
    unsigned n = 1;
    prepare(r);
    must(r, "before", 0);
    while (try_allocation(r, n))
        CHECK(n++ < CALLS_MAX);
    CHECK(n > 3);
    printf("# %s: %u allocations\n", r->path, n - 1);
}

static void all_calls_once(void)
{
    start();
    push_first();
    for (size_t i = 0; i < ARRAY_SIZE(rpcs); i++) {
        prepare(&rpcs[i]);
        must(&rpcs[i], "without failing", 0);
    }
    stop();
}

TEST(an_allocation_that_fails_fails_one_call_and_nothing_is_lost)
{
    all_calls_once(); /* what is allocated once and kept */
    long live = calls_live();
    start();
    push_first();
    for (size_t i = 0; i < ARRAY_SIZE(rpcs); i++)
        each_allocation(&rpcs[i]);
    stop();
    printf("# %ld more allocated than before\n", calls_live() - live);
    CHECK(calls_live() - live <= LOST_MAX);
}
