#include "agent/fetch.h"

#include "agent/download.h"
#include "base/sys.h"

/* Whether what came so far may be continued later. */
static bool interrupted(enum err err)
{
    return err == ERR_UNAVAILABLE || err == ERR_DEADLINE_EXCEEDED || err == ERR_CANCELLED;
}

static enum err download(struct agent_fetch *f, struct agent_slot *s, const struct digest *hash,
                         uint64_t *ret_size, struct error *e)
{
    struct agent_download d = {
        .timeout_ms = f->remote->transfer_timeout_ms,
        .hash = *hash,
        .fd = s->fd,
        .have = s->have,
        .progress = f->progress,
        .ctx = f->ctx,
    };
    TRY(agent_remote_client(f->remote, &d.client, e));
    enum err err = agent_download(&d, ret_size, e);
    f->n_downloads++;
    /* What was kept may be to blame: the second attempt is one from the start. */
    if (err == ERR_OK || d.have == 0 || interrupted(err))
        return err;
    d.have = 0;
    TRY(sys_ftruncate(s->fd, 0, e));
    return agent_download(&d, ret_size, e);
}

static enum err fill(struct agent_fetch *f, struct agent_slot *s, const struct digest *hash,
                     bool *ret_keep, struct error *e)
{
    uint64_t size = 0;
    enum err err = download(f, s, hash, &size, e);
    *ret_keep = interrupted(err);
    TRY(err);
    TRY(agent_slot_commit(s, size, e));
    return ERR_OK;
}

static bool absent(enum err err)
{
    return err == ERR_NOT_FOUND || err == ERR_DATA_LOSS;
}

/* Somebody may have been faster while we waited for the slot. */
static enum err get_or_fill(struct agent_fetch *f, struct agent_slot *s, const struct digest *hash,
                            struct agent_skill *ret, struct error *e)
{
    bool keep = false;
    enum err err = agent_cache_get(f->cache, hash, ret, e);
    if (absent(err)) {
        err = fill(f, s, hash, &keep, e);
        if (err == ERR_OK)
            err = agent_cache_get(f->cache, hash, ret, e);
    }
    agent_slot_close(s, keep);
    if (err != ERR_OK)
        return err_wrap(e, "skill %s", s->hex);
    return ERR_OK;
}

/* One skill; not wait: leaves it alone (ret->dirfd stays -1) while somebody else fetches it. */
static enum err fetch(struct agent_fetch *f, const struct digest *hash, bool wait,
                      struct agent_skill *ret, struct error *e)
{
    struct agent_slot slot = AGENT_SLOT_INIT;
    enum err err = agent_cache_get(f->cache, hash, ret, e);
    if (!absent(err))
        return err;
    TRY(agent_slot_open(f->cache, hash, wait, &slot, e));
    return slot.fd < 0 ? ERR_OK : get_or_fill(f, &slot, hash, ret, e);
}

enum err agent_fetch(struct agent_fetch *f, const struct digest *hashes, size_t n,
                     struct agent_skill *ret, struct error *e)
{
    size_t before = f->n_downloads;
    struct agent_pruned pruned;
    for (size_t i = 0; i < n; i++)
        ret[i] = AGENT_SKILL_INIT;
    /* What others are fetching is waited for when nothing else is left to do. */
    for (size_t i = 0; i < n; i++)
        TRY(fetch(f, &hashes[i], false, &ret[i], e));
    for (size_t i = 0; i < n; i++)
        if (ret[i].dirfd < 0)
            TRY(fetch(f, &hashes[i], true, &ret[i], e));
    if (f->n_downloads == before || f->max_cache == 0)
        return ERR_OK;
    return agent_cache_prune(f->cache, f->max_cache, &pruned, e);
}
