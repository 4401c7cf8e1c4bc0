/* Making the cache smaller, beside processes that use it. */
#include "agent/cache_impl.h"

#include "base/sys.h"

#include <fcntl.h>
#include <stdlib.h>

struct item {
    char hex[SHA256_HEX_LEN + 1];
    int64_t used_ns;
    uint64_t size;
};

struct pruning {
    const struct agent_cache *cache;
    struct item *items;
    size_t n_items, room;
    struct buf mounts; /* /proc/self/mountinfo */
    struct agent_pruned *result;
};

static void pruning_deinit(struct pruning *p)
{
    free(p->items);
    buf_deinit(&p->mounts);
}

/* --- what is there --- */

/* Bytes of its files. */
static uint64_t size_of(const struct agent_cache *c, const char *hex)
{
    CLEANUP(manifest_deinit) struct manifest m = {0};
    struct error ignored; /* a damaged one is worth nothing: the first to go */
    return cache_read_manifest(c, hex, &m, &ignored) == ERR_OK ? m.size : 0;
}

static enum err add_item(void *ctx, const char *name, struct error *e)
{
    struct pruning *p = ctx;
    struct digest hash;
    struct stat st;
    if (!digest_from_hex(str_c(name), &hash))
        return cache_discard(p->cache, p->cache->skills, name,
                             e); /* an unpacking that was cut off */
    if (p->n_items == p->room) {
        size_t room = MAX(2 * p->room, (size_t)64);
        struct item *more = reallocarray(p->items, room, sizeof *more);
        if (!more)
            return FAIL_NOMEM(e);
        p->items = more;
        p->room = room;
    }
    struct item *i = &p->items[p->n_items];
    *i = (struct item){0};
    digest_to_hex(&hash, i->hex);
    if (sys_fstatat(p->cache->manifests, name, AT_SYMLINK_NOFOLLOW, &st, e) == ERR_OK) {
        i->used_ns = st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec;
        i->size = size_of(p->cache, name);
    }
    p->n_items++;
    return ERR_OK;
}

static int longest_unused_first(const void *a, const void *b)
{
    int64_t x = ((const struct item *)a)->used_ns, y = ((const struct item *)b)->used_ns;
    return (x > y) - (x < y);
}

/* --- what may go --- */

/* What is mounted somewhere in sight is in use, though no process holds a lock. */
static enum err read_mounts(struct pruning *p, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    buf_init(&p->mounts, MIB(16));
    if (sys_openat(AT_FDCWD, "/proc/self/mountinfo", O_RDONLY, 0, &fd, e) != ERR_OK)
        return ERR_OK; /* no /proc here */
    for (size_t n = 1; n > 0;) {
        char *at = buf_reserve(&p->mounts, KIB(64));
        if (!at)
            return FAIL_NOMEM(e);
        TRY(sys_read(fd, at, KIB(64), &n, e));
        p->mounts.len += n;
    }
    return ERR_OK;
}

static bool is_mounted(const struct pruning *p, const char *hex)
{
    return str_find_str(buf_view(&p->mounts), str_c(hex)) >= 0;
}

/* With the slot nobody adds it, with its lock nobody uses it. */
static enum err remove_item(struct pruning *p, const struct item *i, bool *ret_removed,
                            struct error *e)
{
    CLEANUP(sys_closep) int dirfd = -1;
    struct agent_slot slot = AGENT_SLOT_INIT;
    struct digest hash;
    bool locked = false;
    (void)digest_from_hex(str_c(i->hex), &hash);
    *ret_removed = false;
    if (is_mounted(p, i->hex))
        return ERR_OK;
    TRY(agent_slot_open(p->cache, &hash, false, &slot, e));
    if (slot.fd < 0)
        return ERR_OK;
    enum err err =
        sys_openat(p->cache->skills, i->hex, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &dirfd, e);
    if (err == ERR_OK)
        err = sys_try_lock(dirfd, &locked, e);
    if (err == ERR_OK && locked)
        err = cache_discard(p->cache, p->cache->skills, i->hex, e);
    if (err == ERR_OK && locked)
        err = cache_discard(p->cache, p->cache->manifests, i->hex, e);
    *ret_removed = err == ERR_OK && locked;
    agent_slot_close(&slot, slot.have > 0);
    return err == ERR_NOT_FOUND ? ERR_OK : err; /* somebody else pruned it */
}

/* --- leftovers --- */

/* An archive that nobody fetches any more. */
static enum err drop_download(void *ctx, const char *name, struct error *e)
{
    struct pruning *p = ctx;
    struct agent_slot slot = AGENT_SLOT_INIT;
    struct digest hash;
    if (!digest_from_hex(str_c(name), &hash))
        return cache_discard(p->cache, p->cache->downloads, name, e);
    TRY(agent_slot_open(p->cache, &hash, false, &slot, e));
    if (slot.fd < 0)
        return ERR_OK;
    p->result->removed += slot.have;
    agent_slot_close(&slot, false);
    return ERR_OK;
}

static enum err drop_manifest(void *ctx, const char *name, struct error *e)
{
    struct pruning *p = ctx;
    struct stat st;
    enum err err = sys_fstatat(p->cache->skills, name, AT_SYMLINK_NOFOLLOW, &st, e);
    if (err != ERR_NOT_FOUND)
        return err;
    /* Whoever adds a skill writes its manifest first, and holds the slot. */
    struct agent_slot slot = AGENT_SLOT_INIT;
    struct digest hash;
    if (!digest_from_hex(str_c(name), &hash))
        return cache_discard(p->cache, p->cache->manifests, name, e);
    TRY(agent_slot_open(p->cache, &hash, false, &slot, e));
    if (slot.fd < 0)
        return ERR_OK;
    err = sys_fstatat(p->cache->skills, name, AT_SYMLINK_NOFOLLOW, &st, e);
    if (err == ERR_NOT_FOUND)
        err = cache_discard(p->cache, p->cache->manifests, name, e);
    agent_slot_close(&slot, slot.have > 0);
    return err;
}

static enum err drop_trash(void *ctx, const char *name, struct error *e)
{
    struct pruning *p = ctx;
    enum err err = sys_remove_tree(p->cache->trash, name, e);
    return err == ERR_NOT_FOUND ? ERR_OK : err; /* whoever put it there is removing it */
}

/* --- pruning --- */

static enum err remove_until(struct pruning *p, uint64_t max_size, struct error *e)
{
    struct agent_pruned *r = p->result;
    for (size_t i = 0; i < p->n_items; i++) {
        bool removed = false, too_large = r->kept > max_size || p->items[i].used_ns == 0;
        if (too_large)
            TRY(remove_item(p, &p->items[i], &removed, e));
        r->n_used += too_large && !removed;
        r->n_removed += removed;
        r->removed += removed ? p->items[i].size : 0;
        r->kept -= removed ? p->items[i].size : 0;
    }
    r->n_kept = p->n_items - r->n_removed;
    return ERR_OK;
}

enum err agent_cache_prune(const struct agent_cache *c, uint64_t max_size, struct agent_pruned *ret,
                           struct error *e)
{
    CLEANUP(pruning_deinit) struct pruning p = {.cache = c, .result = ret};
    *ret = (struct agent_pruned){0};
    TRY(read_mounts(&p, e));
    TRY(sys_each_name(c->trash, drop_trash, &p, e));
    TRY(sys_each_name(c->skills, add_item, &p, e));
    for (size_t i = 0; i < p.n_items; i++)
        ret->kept += p.items[i].size;
    if (p.n_items)
        qsort(p.items, p.n_items, sizeof *p.items, longest_unused_first);
    TRY(remove_until(&p, max_size, e));
    TRY(sys_each_name(c->downloads, drop_download, &p, e));
    return sys_each_name(c->manifests, drop_manifest, &p, e);
}
