#include "agent/cache.h"

#include "agent/cache_impl.h"
#include "base/hex.h"
#include "base/sys.h"

#include <fcntl.h>
#include <stdlib.h>

enum { TRIES = 1000 }; /* of a look at a name that somebody changes at the same time */

/* --- opening --- */

static enum err choose_path(const char *given, char out[SYS_PATH_MAX], struct error *e)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n;
    if (given)
        n = snprintf(out, SYS_PATH_MAX, "%s", given);
    else if (xdg && xdg[0] == '/') /* the specification wants others ignored */
        n = snprintf(out, SYS_PATH_MAX, "%s/stigmer", xdg);
    else if (home && home[0] == '/')
        n = snprintf(out, SYS_PATH_MAX, "%s/.cache/stigmer", home);
    else
        return FAIL(e, ERR_FAILED_PRECONDITION, "cache.home",
                    "no place for the cache: set XDG_CACHE_HOME or HOME to an absolute path");
    /* room for "/skills/<hash>" */
    if (n + SHA256_HEX_LEN + 16 > SYS_PATH_MAX)
        return FAIL(e, ERR_INVALID_ARGUMENT, "cache.path", "the cache's path is too long");
    return ERR_OK;
}

static enum err open_dir(int at, const char *name, int *ret, struct error *e)
{
    enum err err = sys_mkdirat(at, name, 0700, e);
    if (err != ERR_OK && err != ERR_ALREADY_EXISTS && err != ERR_PERMISSION_DENIED)
        return err;
    return sys_openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, ret, e);
}

static enum err open_all(struct agent_cache *c, struct error *e)
{
    if (sys_openat(AT_FDCWD, c->path, O_RDONLY | O_DIRECTORY, 0, &c->fd, e) != ERR_OK) {
        TRY(sys_mkdir_parents(c->path, 0700, e));
        TRY(sys_openat(AT_FDCWD, c->path, O_RDONLY | O_DIRECTORY, 0, &c->fd, e));
    }
    TRY(open_dir(c->fd, "skills", &c->skills, e));
    TRY(open_dir(c->fd, "manifests", &c->manifests, e));
    TRY(open_dir(c->fd, "downloads", &c->downloads, e));
    return open_dir(c->fd, "trash", &c->trash, e);
}

enum err agent_cache_open(const char *path, struct agent_cache *ret, struct error *e)
{
    *ret = AGENT_CACHE_INIT;
    TRY(choose_path(path, ret->path, e));
    if (open_all(ret, e) == ERR_OK)
        return ERR_OK;
    agent_cache_close(ret);
    return err_wrap(e, "the cache %s cannot be used", ret->path);
}

void agent_cache_close(struct agent_cache *c)
{
    sys_closep(&c->fd);
    sys_closep(&c->skills);
    sys_closep(&c->manifests);
    sys_closep(&c->downloads);
    sys_closep(&c->trash);
}

/* --- using --- */

enum err cache_is_named(int fd, int dirfd, const char *name, bool *ret, struct error *e)
{
    struct stat open, named;
    TRY(sys_fstat(fd, &open, e));
    enum err err = sys_fstatat(dirfd, name, AT_SYMLINK_NOFOLLOW, &named, e);
    *ret = err == ERR_OK && open.st_dev == named.st_dev && open.st_ino == named.st_ino;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* The lock is only worth something on the directory that still has the name. */
static enum err open_locked(const struct agent_cache *c, const char *hex, int *ret_fd,
                            struct error *e)
{
    for (int i = 0; i < TRIES; i++) {
        CLEANUP(sys_closep) int fd = -1;
        bool named;
        TRY(sys_openat(c->skills, hex, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, e));
        TRY(sys_lock_shared(fd, e));
        TRY(cache_is_named(fd, c->skills, hex, &named, e));
        if (named) {
            *ret_fd = sys_steal(&fd);
            return ERR_OK;
        }
    }
    return FAIL(e, ERR_ABORTED, "cache.busy", "the cached skill is changed all the time");
}

enum err cache_read_manifest(const struct agent_cache *c, const char *hex, struct manifest *ret,
                             struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    CLEANUP(buf_deinit) struct buf text;
    struct stat st;
    buf_init(&text, MANIFEST_MAX);
    TRY(sys_openat(c->manifests, hex, O_RDONLY | O_NOFOLLOW, 0, &fd, e));
    TRY(sys_fstat(fd, &st, e));
    size_t len = (size_t)MIN((uint64_t)MAX(st.st_size, 0), (uint64_t)MANIFEST_MAX);
    char *at = buf_reserve(&text, len);
    if (!at)
        return FAIL_NOMEM(e);
    TRY(sys_pread_full(fd, at, len, 0, e));
    text.len = len;
    return manifest_read(&text, ret, e);
}

/* When it was used last; a cache of others may be read-only. */
static void touch(const struct agent_cache *c, const char *hex)
{
    CLEANUP(sys_closep) int fd = -1;
    struct error ignored;
    if (sys_openat(c->manifests, hex, O_RDONLY | O_NOFOLLOW, 0, &fd, &ignored) == ERR_OK)
        (void)sys_touch(fd, &ignored);
}

static enum err get(const struct agent_cache *c, struct agent_skill *s, struct error *e)
{
    TRY(open_locked(c, s->hex, &s->dirfd, e));
    TRY(cache_read_manifest(c, s->hex, &s->manifest, e));
    touch(c, s->hex);
    return manifest_check(&s->manifest, s->dirfd, 0, e);
}

enum err agent_cache_get(const struct agent_cache *c, const struct digest *hash,
                         struct agent_skill *ret, struct error *e)
{
    *ret = AGENT_SKILL_INIT;
    ret->hash = *hash;
    digest_to_hex(hash, ret->hex);
    (void)snprintf(ret->path, sizeof ret->path, "%s/skills/%s", c->path, ret->hex);
    enum err err = get(c, ret, e);
    if (err != ERR_OK)
        agent_skill_close(ret);
    return err;
}

void agent_skill_close(struct agent_skill *s)
{
    sys_closep(&s->dirfd);
    manifest_deinit(&s->manifest);
}

enum err agent_skill_text(const struct agent_skill *s, struct buf *ret, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    struct digest got;
    size_t at = manifest_search(&s->manifest, STR("SKILL.md"));
    const struct manifest_entry *want = &s->manifest.entries[at];
    if (at == s->manifest.n_entries || !str_eq(want->path, STR("SKILL.md")))
        return FAIL(e, ERR_DATA_LOSS, "cache.text", "the skill %s has no SKILL.md", s->hex);
    size_t len = (size_t)MIN(want->size, (uint64_t)zip_limits_default.max_skill_md);
    char *to = buf_reserve(ret, len);
    if (!to)
        return FAIL_NOMEM(e);
    TRY(sys_open_beneath(s->dirfd, "SKILL.md", O_RDONLY | O_NOFOLLOW, 0, &fd, e));
    TRY(sys_pread_full(fd, to, len, 0, e));
    TRY(sha256_of(str_of(to, len), &got, e));
    if (!digest_eq(&got, &want->sha256))
        return FAIL(e, ERR_DATA_LOSS, "cache.text", "SKILL.md of the skill %s was changed", s->hex);
    ret->len += len;
    return ERR_OK;
}

/* --- removing --- */

/* Out of sight at one stroke, then piece by piece. */
enum err cache_discard(const struct agent_cache *c, int dirfd, const char *name, struct error *e)
{
    uint8_t random[8];
    char aside[2 * sizeof random + 1];
    TRY(sys_random(random, sizeof random, e));
    hex_encode(random, sizeof random, aside);
    enum err err = sys_renameat(dirfd, name, c->trash, aside, e);
    if (err != ERR_OK)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    err = sys_remove_tree(c->trash, aside, e);
    return err == ERR_NOT_FOUND ? ERR_OK : err; /* whoever prunes removes it, too */
}
