/* Clients that change things until something breaks. */
#include "lab.h"

void client_init(struct client *c, unsigned id, const char *epoch, const struct server *s,
                 uint64_t seed)
{
    *c = (struct client){.id = id, .epoch = epoch, .server = s};
    c->random = (seed + 1) * 0x9e3779b97f4a7c15u ^ (id + 1) * 0xd1b54a32d192ed03u;
    for (int i = 0; i < 8; i++)
        (void)lab_random(&c->random);
}

static enum err change(struct client *c, struct grpc_client *g, bool *ret_full)
{
    *ret_full = !world_choose(&c->done, c->id, &c->random, &c->pending);
    if (*ret_full)
        return ERR_OK;
    c->in_flight = true;
    TRY(api_do(g, c->epoch, c->id, &c->pending, &c->e));
    world_apply(&c->done, &c->pending);
    c->in_flight = false;
    c->n_acked++;
    if (c->on_ack)
        c->on_ack(c);
    return ERR_OK;
}

static void *run(void *arg)
{
    struct client *c = arg;
    struct grpc_client *g = NULL;
    bool full = false;
    c->err = api_open(c->server, &g, &c->e);
    while (!c->err && !full && !(c->stop && atomic_load(c->stop)))
        c->err = change(c, g, &full);
    if (g)
        grpc_client_close(g);
    atomic_store(&c->ended, true);
    return NULL;
}

void client_start(struct client *c)
{
    c->err = ERR_OK;
    atomic_store(&c->ended, false);
    if (pthread_create(&c->thread, NULL, run, c) != 0)
        lab_die("no thread");
}

void client_join(struct client *c)
{
    (void)pthread_join(c->thread, NULL);
}
