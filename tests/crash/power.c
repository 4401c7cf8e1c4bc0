/*
 * Power failure: what a disk may hold when it stops, checked state by state.
 *
 * Clients change things on a server whose file system lies on a disk that logs each write and each
 * flush before it answers them. Then disks are made as they could be found after the power failed
 * with the log at some length P: every write before the last flush that is complete at P, of the
 * later ones those with FUA, and of the others any. The server is started on each, after the file
 * system replayed its journal.
 *
 * What must hold in such a state: a client looks at the log's length when an answer has reached it
 * (A). Whatever flushes the answer waited for are complete by then, so they are below A. When
 * A <= P they are also in each state of P: the change must be there. The client's next change
 * starts later than A, so it may be there in part, and must be so as a whole or not at all. The one
 * after it starts when the log is longer than P: nothing of it can be there. That is what
 * verify_client compares.
 *
 * An entry is logged when its request is done. So a write that went on beside a flush may stand
 * before it and count as covered: a state may be kinder than a disk, but never harsher.
 */
#include "disk.h"
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STATES_A_RECORDING = 500,
    ACKS_A_RECORDING = 400,
    OPS_MAX = ACKS_A_RECORDING + LAB_CLIENTS,
    BLOCK = 4096, /* what a disk writes as a whole or not at all */
};

/* Which of the writes that no flush covers are kept. */
enum keep { KEEP_ALL, KEEP_NONE, KEEP_SOME, KEEP_MOST, KEEP_BLOCKS, N_KEEP };
static const char *const keep_names[] = {"all", "none", "some", "most", "some blocks"};

/* A client, and when it was told of what it did. */
struct witness {
    struct client client;
    struct op ops[OPS_MAX];
    uint64_t acked_at[OPS_MAX]; /* length of the log */
    size_t n;
    struct world done; /* of the state that is looked at: after its first n_done changes */
    size_t n_done;
};

static struct power {
    struct server server;
    struct witness witnesses[LAB_CLIENTS];
    struct writes writes;
    atomic_bool stop;
    _Atomic unsigned n_acked;
    uint64_t random, n_dropped, n_unacked_done, total_acked, total_writes, total_flushes;
    const char *fs;
    char dir[LAB_PATH_MAX], image[LAB_PATH_MAX], export[LAB_PATH_MAX], log[LAB_PATH_MAX];
    char base[LAB_PATH_MAX], state[LAB_PATH_MAX];
    int base_fd;
    size_t settled; /* writes that are in the base */
    unsigned number;
} power;

/* --- recording --- */

static void note_ack(struct client *c)
{
    struct stat st;
    struct witness *w = CONTAINER_OF(c, struct witness, client);
    if (w->n == OPS_MAX || stat(power.log, &st) != 0)
        lab_die("an answer cannot be noted: errno %d", errno);
    w->ops[w->n] = c->pending;
    w->acked_at[w->n++] = (uint64_t)st.st_size;
    if (atomic_fetch_add(&power.n_acked, 1) + 1 >= ACKS_A_RECORDING)
        atomic_store(&power.stop, true);
}

static void start_client(struct power *p, unsigned i)
{
    struct witness *w = &p->witnesses[i];
    *w = (struct witness){.n = 0};
    client_init(&w->client, i, "power", &p->server, lab_random(&p->random));
    w->client.on_ack = note_ack;
    w->client.stop = &p->stop;
    client_start(&w->client);
}

static void run_clients(struct power *p)
{
    atomic_store(&p->stop, false);
    atomic_store(&p->n_acked, 0);
    for (unsigned i = 0; i < LAB_CLIENTS; i++)
        start_client(p, i);
    for (unsigned i = 0; i < LAB_CLIENTS; i++) {
        struct client *c = &p->witnesses[i].client;
        client_join(c);
        if (c->err)
            lab_die("client %u: %s: %s", i, err_name(c->err), c->e.msg);
    }
    p->total_acked += atomic_load(&p->n_acked);
}

static void record(struct power *p)
{
    lab_context("recording");
    disk_make(p->image, p->fs);
    disk_copy(p->image, p->base);
    recorder_start(p->image, p->export, p->log);
    disk_mount(p->export, p->dir, p->fs);
    if (!server_start(&p->server))
        lab_die("the server does not start");
    run_clients(p);
    server_kill(&p->server);
    disk_unmount(p->dir);
    recorder_stop();
    writes_open(&p->writes, p->log);
}

/* --- making a state --- */

static void settle(struct power *p, size_t until)
{
    for (; p->settled < until; p->settled++) {
        const struct write *w = &p->writes.all[p->settled];
        writes_apply(&p->writes, w, 0, w->len, p->base_fd);
        p->total_flushes += w->flush;
        p->total_writes += !w->flush;
    }
}

/* Of one write that may or may not have reached the disk. */
static void maybe_apply(struct power *p, const struct write *w, enum keep keep, int fd)
{
    uint64_t step = keep == KEEP_BLOCKS ? BLOCK : MAX(w->len, (uint64_t)1);
    uint64_t percent_lost[N_KEEP] = {0, 100, 50, 5, 50};
    for (uint64_t at = 0; at < w->len; at += step) {
        bool lost = !w->fua && lab_below(&p->random, 100) < percent_lost[keep];
        p->n_dropped += lost;
        if (!lost)
            writes_apply(&p->writes, w, at, MIN(step, w->len - at), fd);
    }
}

/* The disk with the log as long as its first n writes. */
static void make_state(struct power *p, size_t n, enum keep keep)
{
    size_t flushed = n;
    while (flushed > p->settled && !p->writes.all[flushed - 1].flush)
        flushed--;
    settle(p, flushed);
    disk_copy(p->base, p->state);
    int fd = open(p->state, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        lab_die("%s: errno %d", p->state, errno);
    for (size_t i = p->settled; i < n; i++)
        maybe_apply(p, &p->writes.all[i], keep, fd);
    (void)close(fd);
}

/* --- looking at it --- */

/* The witness's client as it was when the log had that length. */
static struct client client_at(struct witness *w, uint64_t log_len)
{
    for (; w->n_done < w->n && w->acked_at[w->n_done] <= log_len; w->n_done++)
        world_apply(&w->done, &w->ops[w->n_done]);
    struct client c = w->client;
    c.done = w->done;
    c.in_flight = w->n_done < w->n;
    if (c.in_flight)
        c.pending = w->ops[w->n_done];
    return c;
}

static void look(struct power *p, uint64_t log_len)
{
    struct error e;
    struct client clients[LAB_CLIENTS];
    bool ok[LAB_CLIENTS], applied[LAB_CLIENTS];
    struct grpc_client *g = NULL;
    for (unsigned i = 0; i < LAB_CLIENTS; i++)
        clients[i] = client_at(&p->witnesses[i], log_len);
    if (!server_start(&p->server))
        return;
    if (api_open(&p->server, &g, &e) != ERR_OK)
        lab_die("no connection: %s", e.msg);
    for (unsigned i = 0; i < LAB_CLIENTS; i++) {
        ok[i] = verify_client(g, &clients[i], &applied[i]);
        p->n_unacked_done += applied[i];
    }
    verify_files(&p->server, clients, LAB_CLIENTS);
    verify_check(&p->server); /* both before a retry would heal */
    for (unsigned i = 0; i < LAB_CLIENTS; i++)
        if (ok[i])
            verify_retry(g, &clients[i], applied[i]);
    grpc_client_close(g);
    verify_files(&p->server, clients, LAB_CLIENTS);
}

static void try_state(struct power *p, size_t n)
{
    enum keep keep = (enum keep)lab_below(&p->random, N_KEEP);
    lab_context("state %u: %zu of %zu writes, unflushed: %s", ++p->number, n, p->writes.n,
                keep_names[keep]);
    make_state(p, n, keep);
    disk_mount(p->state, p->dir, p->fs);
    look(p, p->writes.all[n - 1].end);
    server_kill(&p->server);
    disk_unmount(p->dir);
}

static int compare(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* In the order of the log, so that the base only ever advances. */
static void try_states(struct power *p, unsigned n)
{
    size_t at[STATES_A_RECORDING];
    for (unsigned i = 0; i < n; i++)
        at[i] = 1 + lab_below(&p->random, p->writes.n);
    qsort(at, n, sizeof at[0], compare);
    p->base_fd = open(p->base, O_RDWR | O_CLOEXEC);
    p->settled = 0;
    for (unsigned i = 0; i < n && !lab_full(); i++)
        try_state(p, at[i]);
    (void)close(p->base_fd);
}

int lab_power(int argc, char **argv)
{
    static const char what[] = "a power failure loses and breaks nothing";
    struct power *p = &power;
    struct options o;
    options_parse(&o, argc, argv);
    const char *reason = disk_enter(o.fs);
    if (reason)
        return options_skip(what, reason);
    const char *scratch = lab_scratch(true);
    p->random = o.seed;
    p->fs = o.fs;
    lab_path(p->dir, scratch, "mounted");
    lab_path(p->image, scratch, "recorded.img");
    lab_path(p->export, scratch, "export.img");
    lab_path(p->log, scratch, "log");
    lab_path(p->base, scratch, "base.img");
    lab_path(p->state, scratch, "state.img");
    if (mkdir(p->dir, 0700) != 0)
        lab_die("%s: errno %d", p->dir, errno);
    server_init(&p->server, o.server, p->dir);
    for (unsigned left = o.n; left && !lab_full();) {
        unsigned n = MIN(left, (unsigned)STATES_A_RECORDING);
        record(p);
        try_states(p, n);
        writes_close(&p->writes);
        left -= n;
    }
    printf("# result {\"part\": \"power failure\", \"fs\": \"%s\", \"states\": %u, "
           "\"acknowledged\": %llu, \"writes\": %llu, \"flushes\": %llu, \"dropped\": %llu, "
           "\"unacknowledged_but_done\": %llu, \"violations\": %u}\n",
           o.fs, p->number, (unsigned long long)p->total_acked, (unsigned long long)p->total_writes,
           (unsigned long long)p->total_flushes, (unsigned long long)p->n_dropped,
           (unsigned long long)p->n_unacked_done, lab_violations());
    return options_verdict(&o, what);
}
