#include "store/store.h"

#include "base/log.h"
#include "base/macro.h"
#include "base/mutant.h"
#include "base/sys.h"
#include "store/backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* How often a put starts again because somebody else put or spoiled the same artifact meanwhile. */
#define PUT_TRIES 8

/* How often a spool that grows looks whether there is room. */
#define ROOM_STEP MIB(8)

struct spool {
    struct store *store;
    struct sha256 *hash;
    int fd;
    uint64_t len, max_len;
    enum { SPOOL_OPEN, SPOOL_SEALED, SPOOL_SYNCED, SPOOL_FAILED } state;
    struct digest digest;
    struct blob_version placed; /* what store_put left in the store */
};

void store_close(struct store *s)
{
    if (s)
        s->ops->close(s);
}

/* --- writing --- */

enum err store_spool(struct store *s, uint64_t max_len, struct spool **ret, struct error *e)
{
    TRY(store_ready(s, e));
    TRY(store_check_room(s, e));
    struct spool *sp = calloc(1, sizeof *sp);
    if (!sp)
        return FAIL_NOMEM(e);
    *sp = (struct spool){.store = s, .fd = -1, .max_len = max_len};
    enum err err = sha256_new(&sp->hash, e);
    if (!err)
        err = store_judge(s, s->ops->spool_open(s, &sp->fd, e), e);
    if (err) {
        spool_free(sp);
        return err;
    }
    *ret = sp;
    return ERR_OK;
}

void spool_free(struct spool *sp)
{
    if (!sp)
        return;
    sys_closep(&sp->fd);
    sha256_free(sp->hash);
    free(sp);
}

static enum err fail_state(struct error *e)
{
    return FAIL(e, ERR_INTERNAL, "store.spool_state",
                "a spool was used out of order or after a failure");
}

/* A long upload meets a disk that others fill, too. */
static enum err check_room(const struct spool *sp, size_t len, struct error *e)
{
    bool step = sp->len / ROOM_STEP != (sp->len + len) / ROOM_STEP;
    return step ? store_check_room(sp->store, e) : ERR_OK;
}

static enum err append(struct spool *sp, const void *p, size_t len, struct error *e)
{
    if (len > sp->max_len - sp->len)
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "store.too_large",
                    "the artifact is larger than the limit of %llu bytes",
                    (unsigned long long)sp->max_len);
    TRY(check_room(sp, len, e));
    TRY(sha256_update(sp->hash, p, len, e));
    TRY(store_judge(sp->store, sp->store->ops->spool_write(sp->store, sp->fd, p, len, sp->len, e),
                    e));
    sp->len += len;
    return ERR_OK;
}

enum err spool_write(struct spool *sp, const void *p, size_t len, struct error *e)
{
    if (sp->state != SPOOL_OPEN)
        return fail_state(e);
    enum err err = append(sp, p, len, e);
    if (err)
        sp->state = SPOOL_FAILED;
    return err;
}

enum err spool_seal(struct spool *sp, struct error *e)
{
    if (sp->state != SPOOL_OPEN)
        return fail_state(e);
    enum err err = sha256_finish(sp->hash, &sp->digest, e);
    sp->state = err ? SPOOL_FAILED : SPOOL_SEALED;
    return err;
}

enum err spool_fill(struct spool *sp, int fd, uint64_t len, struct error *e)
{
    char bytes[KIB(32)];
    for (uint64_t off = 0; off < len;) {
        size_t n = (size_t)MIN((uint64_t)sizeof bytes, len - off);
        TRY(sys_pread_full(fd, bytes, n, off, e));
        TRY(spool_write(sp, bytes, n, e));
        off += n;
    }
    return spool_seal(sp, e);
}

const struct digest *spool_digest(const struct spool *sp)
{
    return &sp->digest;
}

uint64_t spool_len(const struct spool *sp)
{
    return sp->len;
}

int spool_fd(const struct spool *sp)
{
    return sp->fd;
}

/* --- verification --- */

static enum err fail_not_found(const struct digest *d, struct error *e)
{
    char hex[SHA256_HEX_LEN + 1];
    digest_to_hex(d, hex);
    return FAIL(e, ERR_NOT_FOUND, "store.not_found", "artifact not found: %s", hex);
}

static enum err fail_damaged(struct error *e)
{
    return FAIL(e, ERR_DATA_LOSS, "store.damaged",
                "the stored artifact is damaged and was put aside; push the skill again");
}

/* Whether the bytes hash to d. DATA_LOSS when they do not. */
static enum err hash_matches(const struct digest *d, const struct artifact *a, struct error *e)
{
    struct digest got;
    TRY(sha256_of_file(a->fd, a->len, &got, e));
    return digest_eq(&got, d) ? ERR_OK : fail_damaged(e);
}

static enum err verify(struct store *s, const struct digest *d, const struct artifact *a,
                       const struct blob_version *v, struct error *e)
{
    if (seen_level(s->seen, d, v) >= SEEN_VERIFIED)
        return ERR_OK;
    TRY(hash_matches(d, a, e));
    seen_add(s->seen, d, v, SEEN_VERIFIED);
    return ERR_OK;
}

static void log_quarantined(const struct digest *d, const struct blob_version *v)
{
    char hex[SHA256_HEX_LEN + 1];
    digest_to_hex(d, hex);
    log_error("damaged artifact quarantined", LOG_C("hash", hex), LOG_INT("bytes", v->len));
}

static enum err put_aside(struct store *s, const struct digest *d, const struct blob_version *v,
                          struct error *e)
{
    enum err err = s->ops->quarantine(s, d, v, e);
    if (err == ERR_NOT_FOUND) /* somebody else did */
        return ERR_OK;
    TRY(err);
    log_quarantined(d, v);
    return ERR_OK;
}

static enum err open_verified(struct store *s, const struct digest *d, struct artifact *a,
                              struct blob_version *v, struct error *e)
{
    enum err err = s->ops->open(s, d, a, v, e);
    if (!err)
        err = verify(s, d, a, v, e);
    if (err)
        artifact_deinit(a);
    return err;
}

/* --- putting --- */

/* Once per spool: what a failed fsync left behind is unknown, and a second one may report success
 * for pages that were dropped (fsync(2), NOTES on errors). */
static enum err sync_once(struct spool *sp, struct error *e)
{
    if (sp->state == SPOOL_SYNCED)
        return ERR_OK;
    struct store *s = sp->store;
    enum err err = store_judge(s, s->ops->spool_sync(s, sp->fd, e), e);
    sp->state = err ? SPOOL_FAILED : SPOOL_SYNCED;
    return err;
}

/* Puts the good bytes in the place of wrong ones, once they are safe. NOT_FOUND: somebody else
 * dealt with it. */
static enum err replace(struct spool *sp, const struct blob_version *bad, struct error *e)
{
    struct store *s = sp->store;
    TRY(sync_once(sp, e));
    enum err err = store_judge(s, s->ops->replace(s, sp->fd, &sp->digest, bad, e), e);
    if (!err)
        log_quarantined(&sp->digest, bad);
    else if (err != ERR_NOT_FOUND)
        sp->state = SPOOL_FAILED;
    return err;
}

/* Made durable first and hashed then, from the disk: the bytes that a cache shows may be those of a
 * write that failed. */
static enum err make_sure(struct spool *sp, struct artifact *a, const struct blob_version *v,
                          struct error *e)
{
    struct store *s = sp->store;
    if (v->len != sp->len)
        return fail_damaged(e);
    TRY(store_judge(s, s->ops->persist(s, a, e), e));
    enum err err = hash_matches(&sp->digest, a, e);
    if (err && e->sys == EIO) /* bytes that cannot be read are as good as wrong ones */
        return fail_damaged(e);
    TRY(err);
    seen_add(s->seen, &sp->digest, v, SEEN_DURABLE);
    return ERR_OK;
}

/* An artifact that is already there is believed after it was made durable and its length and hash
 * were checked: who put it may be about to, or may have died before. A wrong one is replaced.
 * NOT_FOUND: there is none. */
static enum err believe(struct spool *sp, bool *ret_existed, struct error *e)
{
    struct store *s = sp->store;
    struct blob_version *v = &sp->placed;
    CLEANUP(artifact_deinit) struct artifact a = ARTIFACT_INIT;
    *ret_existed = true;
    TRY(s->ops->head(s, &sp->digest, v, e));
    if (seen_level(s->seen, &sp->digest, v) == SEEN_DURABLE || MUTANT(believe_unchecked))
        return ERR_OK;
    enum err err = s->ops->open(s, &sp->digest, &a, v, e);
    if (!err)
        err = make_sure(sp, &a, v, e);
    if (err != ERR_DATA_LOSS)
        return err;
    *ret_existed = false;
    return replace(sp, v, e);
}

static enum err publish(struct spool *sp, struct error *e)
{
    if (!MUTANT(link_before_fsync))
        TRY(sync_once(sp, e));
    struct store *s = sp->store;
    enum err err = store_judge(s, s->ops->publish(s, sp->fd, sp->len, &sp->digest, e), e);
    if (err && err != ERR_ALREADY_EXISTS)
        sp->state = SPOOL_FAILED;
    if (!err && MUTANT(link_before_fsync))
        err = sync_once(sp, e);
    return err;
}

/* What was published is the spool's own file. */
static enum err note_own(struct spool *sp, bool existed, struct error *e)
{
    return existed ? ERR_OK : blob_version_of_fd(sp->fd, &sp->placed, e);
}

static enum err put(struct spool *sp, bool *ret_existed, struct error *e)
{
    for (int i = 0; i < PUT_TRIES; i++) {
        enum err err = believe(sp, ret_existed, e);
        if (err != ERR_NOT_FOUND)
            return err;
        *ret_existed = false;
        err = publish(sp, e);
        if (err != ERR_ALREADY_EXISTS)
            return err;
    }
    return FAIL(e, ERR_UNAVAILABLE, "store.contended",
                "the artifact keeps changing in the store; try again");
}

enum err store_put(struct store *s, struct spool *sp, bool *ret_existed, struct error *e)
{
    bool existed = false;
    if (sp->store != s || (sp->state != SPOOL_SEALED && sp->state != SPOOL_SYNCED))
        return fail_state(e);
    TRY(store_ready(s, e));
    TRY(store_plain(put(sp, &existed, e), e));
    TRY(note_own(sp, existed, e));
    if (ret_existed)
        *ret_existed = existed;
    return ERR_OK;
}

enum err store_confirm(struct store *s, const struct spool *sp, bool *ret, struct error *e)
{
    struct blob_version now;
    enum err err = s->ops->head(s, &sp->digest, &now, e);
    *ret = err == ERR_OK && blob_version_same(&now, &sp->placed);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err spool_copy(const struct spool *from, struct spool **ret, struct error *e)
{
    struct spool *to;
    TRY(store_spool(from->store, from->len, &to, e));
    enum err err = spool_fill(to, from->fd, from->len, e);
    if (err == ERR_OK)
        *ret = to;
    else
        spool_free(to);
    return err;
}

/* --- reading --- */

void artifact_deinit(struct artifact *a)
{
    sys_closep(&a->fd);
    a->len = 0;
}

/* What err means to who reads: damage is put aside. */
static enum err judge_read(struct store *s, const struct digest *d, const struct blob_version *v,
                           enum err err, struct error *e)
{
    if (err == ERR_NOT_FOUND)
        return fail_not_found(d, e);
    if (err != ERR_DATA_LOSS)
        return err;
    if (put_aside(s, d, v, e)) /* it is not served in any case */
        log_error("damaged artifact left in place", LOG_ERROR_FIELDS(e));
    return fail_damaged(e);
}

enum err store_open(struct store *s, const struct digest *d, struct artifact *ret, struct error *e)
{
    struct blob_version v;
    *ret = ARTIFACT_INIT;
    enum err err = open_verified(s, d, ret, &v, e);
    return judge_read(s, d, &v, err, e);
}

enum err store_length(struct store *s, const struct digest *d, uint64_t *ret, struct error *e)
{
    struct blob_version v;
    enum err err = s->ops->head(s, d, &v, e);
    if (err == ERR_NOT_FOUND)
        return fail_not_found(d, e);
    *ret = v.len;
    return err;
}

enum err store_verify(struct store *s, const struct digest *d, uint64_t len, struct error *e)
{
    struct blob_version v;
    CLEANUP(artifact_deinit) struct artifact a = ARTIFACT_INIT;
    enum err err = s->ops->open(s, d, &a, &v, e);
    if (err == ERR_OK && a.len != len)
        err = fail_damaged(e);
    if (err == ERR_OK) {
        sys_drop_cache(a.fd);
        err = hash_matches(d, &a, e);
    }
    return judge_read(s, d, &v, err, e);
}

enum err store_open_fast(struct store *s, const struct digest *d, struct artifact *ret,
                         bool *ret_verified, struct error *e)
{
    struct blob_version v;
    *ret = ARTIFACT_INIT;
    *ret_verified = false;
    enum err err = s->ops->open(s, d, ret, &v, e);
    *ret_verified = !err && seen_level(s->seen, d, &v) >= SEEN_VERIFIED;
    if (!*ret_verified)
        artifact_deinit(ret);
    if (err == ERR_NOT_FOUND)
        return fail_not_found(d, e);
    return err == ERR_DATA_LOSS ? ERR_OK : err; /* store_open deals with the damage */
}

enum err store_each(struct store *s,
                    enum err (*fn)(void *ctx, const struct store_info *, struct error *), void *ctx,
                    struct error *e)
{
    return s->ops->each(s, fn, ctx, e);
}

enum err store_remove(struct store *s, const struct digest *d, struct error *e)
{
    TRY(store_ready(s, e));
    enum err err = s->ops->remove(s, d, e);
    return err == ERR_NOT_FOUND ? fail_not_found(d, e) : store_judge(s, err, e);
}

/* --- holding --- */

enum err store_lock(int fd, enum store_hold how, int *ret_fd, struct error *e)
{
    CLEANUP(sys_closep) int own = fd;
    bool locked = true;
    TRY(how == STORE_HOLD_ALONE ? sys_try_lock(own, &locked, e) : sys_lock_shared(own, e));
    if (!locked)
        return FAIL(
            e, ERR_UNAVAILABLE, "store.held",
            "a backup, a check or another garbage collection is under way; try again when it is "
            "done");
    *ret_fd = sys_steal(&own);
    return ERR_OK;
}

enum err store_hold(struct store *s, enum store_hold how, int *ret_fd, struct error *e)
{
    return s->ops->hold(s, how, ret_fd, e);
}

/* --- keys --- */

void store_key(const struct digest *d, char out[STORE_KEY_MAX])
{
    static const char before[] = "skills/", after[] = ".zip";
    memcpy(out, before, sizeof before - 1);
    digest_to_hex(d, out + sizeof before - 1);
    memcpy(out + sizeof before - 1 + SHA256_HEX_LEN, after, sizeof after);
}

bool store_key_parse(str key, struct digest *ret)
{
    str prefix = STR("skills/"), suffix = STR(".zip");
    if (key.len != prefix.len + SHA256_HEX_LEN + suffix.len || !str_starts_with(key, prefix) ||
        !str_ends_with(key, suffix))
        return false;
    return digest_from_hex(str_head(str_skip(key, prefix.len), SHA256_HEX_LEN), ret);
}
