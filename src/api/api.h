/*
 * The skill services on the wire: requests are decoded and validated, the skill service does the
 * work, its results become protobuf.
 *
 * Model: one table of methods for grpc_server_new, whose `service` is a struct api.
 * Errors: INVALID_ARGUMENT lists every field that is wrong. What speaks of this machine (paths,
 * errno texts) is logged here under the call's request id and replaced by a text for clients.
 * Threads: as the handlers of grpc/server.h.
 */
#ifndef STIGMER_API_API_H
#define STIGMER_API_API_H

#include "grpc/server.h"

struct skill_service;
struct store;

/* What ServerStatus/get answers. */
struct api_state {
    bool takes_pushes, takes_deletes;
    char reason[ERR_MSG_MAX]; /* when not both; for clients */
    uint64_t failed_commits;
    int64_t scrub_completed_ns; /* of the last whole one; 0 = there was none */
    uint64_t scrub_archives, scrub_damaged, scrub_damaged_so_far;
};

struct api {
    struct skill_service *skills; /* borrowed */
    struct store *store;          /* borrowed: uploads spool here */
    /* The state now; any thread, must not wait. NULL: all is well. */
    void (*state)(void *ctx, struct api_state *ret);
    void *state_ctx;
};

/* Bytes of a push message. The archive limit of 100 MiB is the audit's to refuse, with its own
 * text; what is larger than this is not even read. */
#define API_PUSH_MAX (MIB(100) + MIB(1))

extern const struct grpc_method api_methods[];
extern const size_t api_n_methods;

#endif
