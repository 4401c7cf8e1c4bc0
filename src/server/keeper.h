/*
 * Looks after the backends: whether they take changes, what health says of it, and that a storage
 * which failed is tried again.
 *
 * Threads: a thread of its own; keeper_state from any.
 */
#ifndef STIGMER_SERVER_KEEPER_H
#define STIGMER_SERVER_KEEPER_H

#include "api/api.h"

struct keeper;
struct meta;

struct keeper_options {
    struct skill_service *skills;
    struct store *store;
    struct meta *meta;
    struct grpc_server *grpc; /* whose health is set */
};

/* All are borrowed and must outlive the keeper. */
enum err keeper_start(const struct keeper_options *o, struct keeper **ret, struct error *e);
/* What the last look has found; keeper: a struct keeper. */
void keeper_state(void *keeper, struct api_state *ret);
/* NULL is fine. */
void keeper_stop(struct keeper *k);

#endif
