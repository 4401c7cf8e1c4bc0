/*
 * The server as the agent's side sees it: dialled when it is first needed, so that what is cached
 * works without one. Nothing that it answers is believed without a check.
 */
#ifndef STIGMER_AGENT_REMOTE_H
#define STIGMER_AGENT_REMOTE_H

#include "digest/sha256.h"
#include "grpc/message.h"

struct agent_remote {
    /* Dials; called at most once, and never when `offline`. */
    enum err (*connect)(void *ctx, struct grpc_client **ret, struct error *e);
    void *ctx;
    bool offline;                /* no server may be asked: UNAVAILABLE instead */
    int64_t call_timeout_ms;     /* of lookups */
    int64_t transfer_timeout_ms; /* of downloads */
    struct grpc_client *client;  /* NULL until it is needed */
};

/* The connection, made now if it is not there yet. Borrowed. */
enum err agent_remote_client(struct agent_remote *r, struct grpc_client **ret, struct error *e);
void agent_remote_deinit(struct agent_remote *r);

#define AGENT_QUERY(method) "/ai.stigmer.agentic.skill.v1.SkillQueryController/" method

#endif
