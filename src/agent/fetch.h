/* Skills by hash: from the cache, or from the server into the cache. */
#ifndef STIGMER_AGENT_FETCH_H
#define STIGMER_AGENT_FETCH_H

#include "agent/cache.h"
#include "agent/remote.h"

struct agent_fetch {
    const struct agent_cache *cache;
    struct agent_remote *remote;
    uint64_t max_cache; /* bytes: after a download the cache is pruned to this; 0 = never */
    void (*progress)(void *ctx, uint64_t done, uint64_t total); /* of a download; may be NULL */
    void *ctx;
    size_t n_downloads; /* counted */
};

/* Makes every skill of hashes be there and opens it; ret has room for n, which is to be closed
 * with agent_skill_close also after an error. Only what is not in the cache, or is damaged there,
 * is downloaded, by one process at a time. Errors: those of agent_download and agent_slot_commit.
 * NOT_FOUND: the server does not have it. */
enum err agent_fetch(struct agent_fetch *f, const struct digest *hashes, size_t n,
                     struct agent_skill *ret, struct error *e);

#endif
