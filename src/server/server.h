/*
 * The server, put together: which backends, how many threads, which budgets.
 *
 * This folder is the only place that names concrete backends; everything it calls knows the
 * contracts only.
 * Threads: all calls from the main thread. Errors: for whoever starts the server, with paths.
 */
#ifndef STIGMER_SERVER_SERVER_H
#define STIGMER_SERVER_SERVER_H

#include "server/config.h"

struct server;

/* Locks the directories, opens the backends, listens, and serves from its return on. The config is
 * borrowed. */
enum err server_start(const struct config *c, struct server **ret, struct error *e);
/* The port listened on. */
uint16_t server_port(const struct server *s);
/* The addresses listened on, separated by commas. */
const char *server_addresses(const struct server *s);
/* Reads the TLS files again; without TLS there is nothing to do. On failure the old ones stay. */
enum err server_reload(struct server *s, struct error *e);
/* Takes no more calls and waits at most drain_ms for those in progress. */
void server_stop(struct server *s, int64_t drain_ms);
/* After server_stop; NULL is fine. */
void server_free(struct server *s);

#endif
