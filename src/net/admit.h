/*
 * How many connections there may be: in total and per address. Shared by the loops of a server.
 * Loopback addresses are this machine's own programs: for them only the total counts.
 * Threads: any.
 */
#ifndef STIGMER_NET_ADMIT_H
#define STIGMER_NET_ADMIT_H

#include "base/err.h"
#include "base/sys_net.h"

struct admit;

enum err admit_new(size_t max_total, size_t max_per_address, struct admit **ret, struct error *e);
void admit_free(struct admit *a);
/* RESOURCE_EXHAUSTED when it would be one too many. */
enum err admit_enter(struct admit *a, const struct sys_address *peer, struct error *e);
/* Once for each admit_enter that succeeded, with the same address. */
void admit_leave(struct admit *a, const struct sys_address *peer);
/* Since the start. */
struct admit_counts {
    uint64_t admitted, refused;
};
void admit_count(struct admit *a, struct admit_counts *ret);
/* Connections admitted now. */
size_t admit_total(struct admit *a);

#endif
