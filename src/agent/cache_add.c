/* Adding to the cache: the slot, and what becomes of an archive whose hash was checked. */
#include "agent/cache_impl.h"

#include "base/arena.h"
#include "base/sys.h"
#include "skillmd/skillmd.h"
#include "zip/unpack.h"

#include <fcntl.h>

enum { TRIES = 1000 };

/* One look: -1 in *ret_fd when it is locked by somebody else, or was given up meanwhile. */
static enum err try_open(struct agent_slot *s, bool wait, bool *ret_locked, struct error *e)
{
    bool named = false;
    CLEANUP(sys_closep) int fd = -1;
    TRY(sys_openat(s->cache->downloads, s->hex, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, &fd, e));
    *ret_locked = true;
    if (wait)
        TRY(sys_lock(fd, e));
    else
        TRY(sys_try_lock(fd, ret_locked, e));
    if (*ret_locked)
        TRY(cache_is_named(fd, s->cache->downloads, s->hex, &named, e));
    s->fd = named ? sys_steal(&fd) : -1;
    return ERR_OK;
}

enum err agent_slot_open(const struct agent_cache *c, const struct digest *hash, bool wait,
                         struct agent_slot *ret, struct error *e)
{
    struct stat st;
    *ret = (struct agent_slot){.cache = c, .fd = -1};
    digest_to_hex(hash, ret->hex);
    for (int i = 0; i < TRIES && ret->fd < 0; i++) {
        bool locked;
        TRY(try_open(ret, wait, &locked, e));
        if (!locked)
            return ERR_OK;
    }
    if (ret->fd < 0)
        return FAIL(e, ERR_ABORTED, "cache.busy", "the download is taken over all the time");
    TRY(sys_fstat(ret->fd, &st, e));
    ret->have = (uint64_t)MAX(st.st_size, 0);
    return ERR_OK;
}

/* Nothing is not worth keeping. */
static bool holds_bytes(const struct agent_slot *s)
{
    struct stat st;
    struct error ignored;
    return sys_fstat(s->fd, &st, &ignored) == ERR_OK && st.st_size > 0;
}

void agent_slot_close(struct agent_slot *s, bool keep)
{
    struct error ignored; /* a file that stays is found by the next fetch, or by prune */
    if (s->fd >= 0 && !(keep && holds_bytes(s)))
        (void)sys_unlinkat(s->cache->downloads, s->hex, 0, &ignored);
    sys_closep(&s->fd);
}

/* --- what may come in --- */

static enum err refuse_text(str text, struct error *e)
{
    struct arena a;
    struct skillmd_report report;
    arena_init(&a, KIB(512));
    enum err err = skillmd_check(text, &a, &report, e);
    if (err == ERR_OK && report.refused) {
        const char *reason = skillmd_reason(&report, &a);
        err = FAIL(e, ERR_FAILED_PRECONDITION, "cache.refused", "the skill is refused: %s",
                   reason ? reason : "out of memory");
    }
    arena_deinit(&a);
    return err;
}

static enum err audit(const struct agent_slot *s, uint64_t size, struct zip_report *report,
                      struct error *e)
{
    const struct zip_audit_options options = {.flags = ZIP_AUDIT_DIGESTS};
    TRY(zip_audit(s->fd, size, &options, report, e));
    if (zip_report_accepted(report))
        return refuse_text(buf_view(&report->skill_md), e);
    const char *reason = zip_report_reason(report);
    return FAIL(e, ERR_FAILED_PRECONDITION, "cache.refused", "the archive is refused: %s",
                reason ? reason : "out of memory");
}

/* In place at once: one that a crash tore is no manifest. */
static enum err put_manifest(const struct agent_slot *s, uint64_t size,
                             const struct zip_report *report, struct error *e)
{
    CLEANUP(buf_deinit) struct buf text;
    CLEANUP(sys_closep) int fd = -1;
    buf_init(&text, MANIFEST_MAX);
    TRY(manifest_write(s->fd, size, report, &text, e));
    TRY(sys_openat(s->cache->manifests, s->hex, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, &fd,
                   e));
    return sys_write_full(fd, text.p, text.len, e);
}

enum err agent_slot_commit(struct agent_slot *s, uint64_t size, struct error *e)
{
    CLEANUP(zip_report_deinit) struct zip_report report = {0};
    const struct agent_cache *c = s->cache;
    TRY(audit(s, size, &report, e));
    TRY(cache_discard(c, c->skills, s->hex, e));
    TRY(cache_discard(c, c->manifests, s->hex, e));
    TRY(put_manifest(s, size, &report, e));
    return zip_unpack(s->fd, &report, c->skills, s->hex, NULL, NULL, e);
}
