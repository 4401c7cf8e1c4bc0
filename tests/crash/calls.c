/*
 * SIGKILL at every system call of a change.
 *
 * One change at a time is made on a server whose threads are traced, and the server is killed when
 * its k-th system call from then on begins, for each k until the change is answered before. After
 * it: started again, what was acknowledged is there, the change as a whole or not at all, files and
 * check, then the change once more. The same for `stigmer-server gc`, beside a running server.
 * backup and restore: e2e/backup.
 */
#include "options.h"
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DRAWS_MAX = 10000, CALLS_MAX = 5000 };

enum kind { PUSH, PUSH_SHARED, MOVE, DELETE, GC, N_KINDS };
static const char *const kind_names[N_KINDS] = {"push", "push of shared bytes", "tag move",
                                                "delete", "gc"};

/* A change on its way. */
struct doing {
    struct client *client;
    struct grpc_client *g;
    atomic_bool ended;
    pthread_t thread;
};

static struct calls {
    struct server server;
    struct client client;
    uint64_t random, n_states, n_acked, n_applied;
    unsigned epoch;
    char epoch_name[32], gone_name[32];
} calls;

/* --- preparing --- */

static struct grpc_client *connect(struct calls *c)
{
    struct error e;
    struct grpc_client *g = NULL;
    if (!c->server.pid && !server_start(&c->server))
        lab_die("the server does not start");
    server_drain(&c->server); /* beside gc it lives long: its log must not fill the pipe */
    if (api_open(&c->server, &g, &e) != ERR_OK)
        lab_die("no connection: %s", e.msg);
    return g;
}

static void new_epoch(struct calls *c)
{
    (void)snprintf(c->epoch_name, sizeof c->epoch_name, "e%u", ++c->epoch);
    client_init(&c->client, 0, c->epoch_name, &c->server, lab_random(&c->random));
}

static void do_now(struct calls *c, struct grpc_client *g)
{
    struct error e;
    struct client *cl = &c->client;
    if (api_do(g, cl->epoch, cl->id, &cl->pending, &e) != ERR_OK)
        lab_die("a change failed: %s", e.msg);
    world_apply(&cl->done, &cl->pending);
}

static bool is_of(const struct op *op, enum kind kind)
{
    bool shared = op->archive < LAB_SHARED;
    switch (kind) {
    case PUSH:
        return op->kind == OP_PUSH && !shared;
    case PUSH_SHARED:
        return op->kind == OP_PUSH && shared;
    case MOVE:
        return op->kind == OP_MOVE;
    case DELETE:
        return op->kind == OP_DELETE;
    case GC:
    case N_KINDS:
        break;
    }
    return false;
}

/* The next change of that kind; pushes that it needs are made. */
static void prepare(struct calls *c, struct grpc_client *g, enum kind kind)
{
    struct client *cl = &c->client;
    for (int i = 0; i < DRAWS_MAX; i++) {
        if (!world_choose(&cl->done, cl->id, &cl->random, &cl->pending)) {
            new_epoch(c);
            continue;
        }
        if (is_of(&cl->pending, kind))
            return;
        if (kind >= MOVE && is_of(&cl->pending, PUSH) && lab_below(&cl->random, 8) == 0)
            do_now(c, g);
    }
    lab_die("no %s can be made", kind_names[kind]);
}

/* --- afterwards --- */

static void verify(struct calls *c)
{
    bool applied;
    struct grpc_client *g = connect(c);
    bool ok = verify_client(g, &c->client, &applied);
    c->n_applied += applied;
    verify_files(&c->server, &c->client, 1);
    verify_check(&c->server);
    if (ok)
        verify_retry(g, &c->client, applied);
    grpc_client_close(g);
}

/* --- a change --- */

static void *do_pending(void *arg)
{
    struct doing *d = arg;
    struct client *cl = d->client;
    cl->err = api_do(d->g, cl->epoch, cl->id, &cl->pending, &cl->e);
    atomic_store(&d->ended, true);
    return NULL;
}

static void note_outcome(struct calls *c)
{
    struct client *cl = &c->client;
    if (cl->err == ERR_OK) {
        world_apply(&cl->done, &cl->pending);
        cl->in_flight = false;
        c->n_acked++;
    } else if (cl->err != ERR_UNAVAILABLE) {
        lab_violation("%s: %s", err_name(cl->err), cl->e.msg);
    }
}

/* Returns how many calls it took, or k. */
static unsigned change(struct calls *c, enum kind kind, unsigned k)
{
    bool alive;
    int status;
    struct doing d = {.client = &c->client, .g = connect(c)};
    prepare(c, d.g, kind);
    c->client.in_flight = true;
    trace_begin(c->server.pid);
    if (pthread_create(&d.thread, NULL, do_pending, &d) != 0)
        lab_die("no thread");
    unsigned n = trace_until(c->server.pid, k, &d.ended, &alive, &status);
    if (alive)
        trace_kill(c->server.pid);
    c->server.pid = 0;
    server_kill(&c->server);
    (void)pthread_join(d.thread, NULL);
    grpc_client_close(d.g);
    note_outcome(c);
    verify(c);
    return n;
}

/* --- garbage collection --- */

/* A skill that is deleted, for the purge, and an archive that nobody holds. */
static void make_garbage(struct calls *c, struct grpc_client *g, char orphan[LAB_PATH_MAX])
{
    struct error e;
    struct digest d;
    char name[SHA256_HEX_LEN + 32], hex[SHA256_HEX_LEN + 1];
    CLEANUP(buf_deinit) struct buf archive;
    struct op push = {.kind = OP_PUSH, .archive = lab_random(&c->random) >> 16};
    struct op gone = {.kind = OP_DELETE};
    (void)snprintf(c->gone_name, sizeof c->gone_name, "gone%llu", (unsigned long long)c->n_states);
    if (api_do(g, c->gone_name, 1, &push, &e) != ERR_OK ||
        api_do(g, c->gone_name, 1, &gone, &e) != ERR_OK)
        lab_die("a change failed: %s", e.msg);
    buf_init(&archive, KIB(64));
    archive_make(lab_random(&c->random) >> 16, &archive, &d);
    digest_to_hex(&d, hex);
    (void)snprintf(name, sizeof name, "storage/skills/%s.zip", hex);
    lab_path(orphan, c->server.dir, name);
    int fd = open(orphan, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, archive.p, archive.len) != (ssize_t)archive.len)
        lab_die("%s: errno %d", orphan, errno);
    (void)close(fd);
}

static unsigned collect(struct calls *c, unsigned k)
{
    bool alive;
    int status = 0;
    char orphan[LAB_PATH_MAX];
    const char *const args[] = {c->server.program, "gc", "--purge-deleted", NULL};
    CLEANUP(buf_deinit) struct buf out;
    buf_init(&out, MIB(1));
    struct grpc_client *g = connect(c);
    make_garbage(c, g, orphan);
    if (k == TRACE_COUNT) { /* once: what gc does grows with what is stored */
        prepare(c, g, PUSH);
        do_now(c, g);
    }
    grpc_client_close(g);
    pid_t pid = trace_spawn(&c->server, args);
    trace_begin(pid);
    unsigned n = trace_until(pid, k, NULL, &alive, &status);
    if (!WIFSIGNALED(status) && WEXITSTATUS(status) != 0)
        lab_violation("gc ended with %d", WEXITSTATUS(status));
    verify(c);
    if (server_run(&c->server, args, &out) != 0)
        lab_violation("gc again failed: %s", buf_cstr(&out));
    if (access(orphan, F_OK) == 0)
        lab_violation("an archive that nobody holds is still there");
    verify(c);
    return n;
}

/* --- all of them --- */

static unsigned try_one(struct calls *c, enum kind kind, unsigned k)
{
    lab_context("%s, call %u", kind_names[kind], k);
    c->n_states++;
    return kind == GC ? collect(c, k) : change(c, kind, k);
}

/* Some calls, at random; 0: each, until it ends before the k-th. */
static void try_kind(struct calls *c, enum kind kind, unsigned some)
{
    unsigned n_tried = 0;
    char dir[LAB_PATH_MAX];
    const char *program = c->server.program;
    lab_path(dir, lab_scratch(true), kind_names[kind]);
    server_init(&c->server, program, dir);
    new_epoch(c);
    unsigned n = try_one(c, kind, TRACE_COUNT);
    for (bool more = n > 0; more && !lab_full(); n_tried++) {
        unsigned k = some ? 1 + (unsigned)lab_below(&c->random, n) : n_tried + 1;
        bool killed = try_one(c, kind, k) >= k;
        more = some ? n_tried + 1 < some : killed && k < CALLS_MAX;
    }
    printf("# %s: %u calls, killed at %u\n", kind_names[kind], n, n_tried);
    server_kill(&c->server);
    lab_remove_tree(dir);
    if (n < 10)
        lab_violation("%s was not traced: %u calls", kind_names[kind], n);
}

int lab_calls(int argc, char **argv)
{
    static const char what[] = "SIGKILL at any system call of a change loses and breaks nothing";
    struct calls *c = &calls;
    struct options o;
    options_parse(&o, argc, argv);
    const char *reason = trace_missing();
    if (reason)
        return options_skip(what, reason);
    c->random = o.seed;
    c->server.program = o.server;
    for (int kind = 0; kind < N_KINDS && !lab_full(); kind++)
        try_kind(c, (enum kind)kind, o.n);
    printf("# result {\"part\": \"SIGKILL at system calls\", \"states\": %llu, \"acknowledged\": "
           "%llu, \"unacknowledged_but_done\": %llu, \"violations\": %u}\n",
           (unsigned long long)c->n_states, (unsigned long long)c->n_acked,
           (unsigned long long)c->n_applied, lab_violations());
    return options_verdict(&o, what);
}
