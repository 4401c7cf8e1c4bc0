/*
 * Calls to the server.
 *
 * remote_open connects to the address that the options and the environment give. When nothing
 * answers there and the command allows it, the local server is started first.
 */
#ifndef STIGMER_CLI_REMOTE_H
#define STIGMER_CLI_REMOTE_H

#include "cli/address.h"
#include "cli/cli.h"
#include "grpc/message.h"

enum {
    REMOTE_CALL_TIMEOUT_S = 60,      /* without --timeout */
    REMOTE_TRANSFER_TIMEOUT_S = 900, /* uploads and downloads */
    REMOTE_CONNECT_TIMEOUT_MS = 10000,
};

#define REMOTE_QUERY(method)   "/ai.stigmer.agentic.skill.v1.SkillQueryController/" method
#define REMOTE_COMMAND(method) "/ai.stigmer.agentic.skill.v1.SkillCommandController/" method

static inline void grpc_client_closep(struct grpc_client **c)
{
    if (*c)
        grpc_client_close(*c);
}

/* UNAVAILABLE "Cannot connect to stigmer-server", with c->hint telling how to start it. */
enum err remote_open(struct cli *c, bool may_start, struct grpc_client **ret, struct error *e);
/* One connection, no message, no start: UNAVAILABLE says why not. */
enum err remote_connect(const struct cli *c, const struct address *a, int64_t timeout_ms,
                        struct grpc_client **ret, struct error *e);
/* Whether the server at a answers its health check with SERVING; UNAVAILABLE otherwise. */
enum err remote_health(const struct cli *c, const struct address *a, int64_t timeout_ms,
                       struct error *e);

/* --timeout, or default_s, in milliseconds. */
int64_t remote_timeout_ms(const struct cli *c, int64_t default_s);

/* A unary call. *ret: release with protobuf_c_message_free_unpacked(…, NULL). DATA_LOSS when the
 * answer is no such message. */
enum err remote_call(const struct cli *c, struct grpc_client *client, const char *path,
                     const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer,
                     void *ret, struct error *e);

#endif
