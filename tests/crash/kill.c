/*
 * kill -9 at random times under parallel clients.
 *
 * A round: clients change things; the server is killed, mostly some time after it has acknowledged
 * the round's first change; it is started again, must hold what it acknowledged and take the
 * changes that were under way once more. The server of one round is that of the next. After some
 * rounds the store is looked through as a whole and replaced by an empty one, so that rounds stay
 * short and first starts are killed, too.
 */
#include "lab.h"
#include "options.h"

#include <time.h>

enum { ROUNDS_A_STORE = 20, DELAY_MAX_US = 16000, PERCENT_AT_START = 6, PERCENT_EARLY = 10 };

struct kills {
    struct server server;
    struct client clients[LAB_CLIENTS];
    uint64_t random, n_acked, n_acked_min, n_in_flight, n_applied, n_at_start;
    atomic_bool acked; /* in this round */
    unsigned rounds, round, store;
    const char *scratch;
    char epoch[32];
};

static struct kills k_all; /* of the process: clients' threads report to it */

static void note_ack(struct client *c)
{
    (void)c;
    atomic_store(&k_all.acked, true);
}

static void sleep_us(uint64_t us)
{
    struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    (void)nanosleep(&t, NULL);
}

static void new_store(struct kills *k)
{
    char name[32], dir[LAB_PATH_MAX];
    const char *program = k->server.program;
    (void)snprintf(name, sizeof name, "store-%u", ++k->store);
    (void)snprintf(k->epoch, sizeof k->epoch, "e%u", k->store);
    lab_path(dir, k->scratch, name);
    server_init(&k->server, program, dir);
    for (unsigned i = 0; i < LAB_CLIENTS; i++) {
        client_init(&k->clients[i], i, k->epoch, &k->server, lab_random(&k->random));
        k->clients[i].on_ack = note_ack;
    }
}

/* Every artifact through the API; the files; the server's own opinion. */
static void end_store(struct kills *k)
{
    struct error e;
    struct grpc_client *g = NULL;
    if (api_open(&k->server, &g, &e) != ERR_OK) {
        lab_violation("no connection: %s", e.msg);
        return;
    }
    for (unsigned i = 0; i < LAB_CLIENTS; i++)
        for (unsigned s = 0; s < LAB_SKILLS; s++) {
            const struct world_skill *w = &k->clients[i].done.skills[s];
            for (unsigned v = 0; v < w->n_versions; v++)
                if (api_fetch(g, &w->versions[v].digest, &e) != ERR_OK)
                    lab_violation("client %u, skill %u, version %u: %s: %s", i, s, v + 1,
                                  err_name(e.code), e.msg);
        }
    grpc_client_close(g);
    verify_files(&k->server, k->clients, LAB_CLIENTS);
    verify_check(&k->server);
    server_kill(&k->server);
    lab_remove_tree(k->server.dir);
}

static void verify(struct kills *k)
{
    struct error e;
    bool ok[LAB_CLIENTS], applied[LAB_CLIENTS];
    struct grpc_client *g = NULL;
    if (api_open(&k->server, &g, &e) != ERR_OK) {
        lab_violation("no connection: %s", e.msg);
        return;
    }
    for (unsigned i = 0; i < LAB_CLIENTS; i++) {
        ok[i] = verify_client(g, &k->clients[i], &applied[i]);
        k->n_in_flight += k->clients[i].in_flight;
        k->n_applied += applied[i];
    }
    verify_files(&k->server, k->clients, LAB_CLIENTS); /* a retry would heal */
    for (unsigned i = 0; i < LAB_CLIENTS; i++)
        if (ok[i])
            verify_retry(g, &k->clients[i], applied[i]);
    grpc_client_close(g);
    verify_files(&k->server, k->clients, LAB_CLIENTS);
}

static void join_clients(struct kills *k)
{
    for (unsigned i = 0; i < LAB_CLIENTS; i++) {
        struct client *c = &k->clients[i];
        client_join(c);
        k->n_acked += c->n_acked;
        c->n_acked = 0;
        if (c->err && c->err != ERR_UNAVAILABLE)
            lab_violation("client %u: %s: %s", i, err_name(c->err), c->e.msg);
    }
}

/* Killed while it starts; clients see nothing of it. */
static void kill_start(struct kills *k)
{
    server_spawn(&k->server);
    sleep_us(lab_below(&k->random, 9000));
    server_kill(&k->server);
    k->n_at_start++;
}

static bool some_client_runs(struct kills *k)
{
    for (unsigned i = 0; i < LAB_CLIENTS; i++)
        if (!atomic_load(&k->clients[i].ended))
            return true;
    return false;
}

/* The moment of the kill: in some rounds while clients connect, else after the first answer, so
 * that there is something to lose. */
static void wait_for_moment(struct kills *k)
{
    if (lab_below(&k->random, 100) >= PERCENT_EARLY) {
        while (!atomic_load(&k->acked) && some_client_runs(k))
            sleep_us(200);
        k->n_acked_min++;
    }
    sleep_us(lab_below(&k->random, DELAY_MAX_US));
}

static void round_of(struct kills *k)
{
    atomic_store(&k->acked, false);
    lab_context("round %u", k->round);
    if (!k->server.pid && !server_start(&k->server))
        return;
    for (unsigned i = 0; i < LAB_CLIENTS; i++)
        client_start(&k->clients[i]);
    wait_for_moment(k);
    server_kill(&k->server);
    join_clients(k);
    if (lab_below(&k->random, 100) < PERCENT_AT_START)
        kill_start(k);
    if (server_start(&k->server))
        verify(k);
}

static void run_rounds(struct kills *k)
{
    for (k->round = 1; k->round <= k->rounds && !lab_full(); k->round++) {
        if (k->round % ROUNDS_A_STORE == 1)
            new_store(k);
        round_of(k);
        if (k->server.pid && (k->round % ROUNDS_A_STORE == 0 || k->round == k->rounds))
            end_store(k);
    }
    server_kill(&k->server);
    if (k->n_acked < k->n_acked_min)
        lab_violation("only %llu changes were acknowledged, at least %llu were due",
                      (unsigned long long)k->n_acked, (unsigned long long)k->n_acked_min);
}

int lab_kill(int argc, char **argv)
{
    struct kills *k = &k_all;
    struct options o;
    options_parse(&o, argc, argv);
    k->server.program = o.server;
    k->rounds = o.n;
    k->random = o.seed;
    k->scratch = lab_scratch(true);
    run_rounds(k);
    printf("# result {\"part\": \"kill -9\", \"states\": %u, \"acknowledged\": %llu, "
           "\"under_way\": %llu, \"of_them_done\": %llu, \"killed_at_start\": %llu, "
           "\"violations\": %u}\n",
           k->rounds, (unsigned long long)k->n_acked, (unsigned long long)k->n_in_flight,
           (unsigned long long)k->n_applied, (unsigned long long)k->n_at_start, lab_violations());
    return options_verdict(&o, "kill -9 under 8 clients loses and breaks nothing");
}
