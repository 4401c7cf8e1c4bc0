#include "store/store.h"

#include "base/log.h"
#include "base/sys.h"
#include "store/backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* How often a put starts again because somebody else put or spoiled the same artifact meanwhile. */
#define PUT_TRIES 8

struct spool {
    struct store *store;
    struct sha256 *hash;
    int fd;
    uint64_t len, max_len;
    enum { SPOOL_OPEN, SPOOL_SEALED, SPOOL_SYNCED, SPOOL_FAILED } state;
    struct digest digest;
};

enum err store_init(struct store *s, const struct store_ops *ops, struct error *e)
{
    s->ops = ops;
    return seen_new(&s->seen, e);
}

void store_deinit(struct store *s)
{
    seen_free(s->seen);
    s->seen = NULL;
}

void store_close(struct store *s)
{
    if (s)
        s->ops->close(s);
}

/* A full disk is the one failure of the operating system that a client can do something about:
 * its errno is replaced by a sentence without any of this machine's details. */
static enum err plain(enum err err, struct error *e)
{
    if (err == ERR_OK)
        return err;
    if (e->sys == ENOSPC || e->sys == EDQUOT)
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "store.full",
                    "the server's storage is full; nothing was stored. Ask its operator to free "
                    "space, then try again");
    return err;
}

/* --- writing --- */

enum err store_spool(struct store *s, uint64_t max_len, struct spool **ret, struct error *e)
{
    struct spool *sp = calloc(1, sizeof *sp);
    if (!sp)
        return FAIL_NOMEM(e);
    *sp = (struct spool){.store = s, .fd = -1, .max_len = max_len};
    enum err err = sha256_new(&sp->hash, e);
    if (!err)
        err = plain(s->ops->spool_open(s, &sp->fd, e), e);
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

static enum err append(struct spool *sp, const void *p, size_t len, struct error *e)
{
    if (len > sp->max_len - sp->len)
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "store.too_large",
                    "the artifact is larger than the limit of %llu bytes",
                    (unsigned long long)sp->max_len);
    TRY(sha256_update(sp->hash, p, len, e));
    TRY(plain(sp->store->ops->spool_write(sp->store, sp->fd, p, len, sp->len, e), e));
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
static enum err verify(struct store *s, const struct digest *d, const struct artifact *a,
                       const struct blob_version *v, struct error *e)
{
    struct digest got;
    if (seen_level(s->seen, d, v) >= SEEN_VERIFIED)
        return ERR_OK;
    TRY(sha256_of_file(a->fd, a->len, &got, e));
    if (!digest_eq(&got, d))
        return fail_damaged(e);
    seen_add(s->seen, d, v, SEEN_VERIFIED);
    return ERR_OK;
}

static enum err put_aside(struct store *s, const struct digest *d, const struct blob_version *v,
                          struct error *e)
{
    char hex[SHA256_HEX_LEN + 1];
    enum err err = s->ops->quarantine(s, d, v, e);
    if (err == ERR_NOT_FOUND) /* somebody else did */
        return ERR_OK;
    TRY(err);
    digest_to_hex(d, hex);
    log_error("damaged artifact quarantined", LOG_C("hash", hex), LOG_INT("bytes", v->len));
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
    enum err err = sp->store->ops->spool_sync(sp->store, sp->fd, e);
    sp->state = err ? SPOOL_FAILED : SPOOL_SYNCED;
    return err;
}

/* Makes room for a good artifact, but only once the good bytes are safe. */
static enum err evict(struct spool *sp, const struct blob_version *bad, struct error *e)
{
    TRY(sync_once(sp, e));
    return put_aside(sp->store, &sp->digest, bad, e);
}

/* An artifact that is already there is believed after its length and hash were checked and it was
 * made durable: who put it may be about to, or may have died before. NOT_FOUND: there is none (or
 * it was wrong and is gone). */
static enum err believe(struct spool *sp, struct error *e)
{
    struct store *s = sp->store;
    struct blob_version v;
    CLEANUP(artifact_deinit) struct artifact a = ARTIFACT_INIT;
    TRY(s->ops->head(s, &sp->digest, &v, e));
    if (seen_level(s->seen, &sp->digest, &v) == SEEN_DURABLE)
        return ERR_OK;
    enum err err = open_verified(s, &sp->digest, &a, &v, e);
    if (err == ERR_DATA_LOSS) {
        TRY(evict(sp, &v, e));
        return fail_not_found(&sp->digest, e);
    }
    if (!err)
        err = s->ops->persist(s, &a, e);
    if (!err)
        seen_add(s->seen, &sp->digest, &v, SEEN_DURABLE);
    return err;
}

static enum err publish(struct spool *sp, struct error *e)
{
    TRY(sync_once(sp, e));
    enum err err = sp->store->ops->publish(sp->store, sp->fd, sp->len, &sp->digest, e);
    if (err && err != ERR_ALREADY_EXISTS)
        sp->state = SPOOL_FAILED;
    return err;
}

static enum err put(struct spool *sp, bool *ret_existed, struct error *e)
{
    for (int i = 0; i < PUT_TRIES; i++) {
        enum err err = believe(sp, e);
        *ret_existed = err == ERR_OK;
        if (err != ERR_NOT_FOUND)
            return err;
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
    TRY(plain(put(sp, &existed, e), e));
    if (ret_existed)
        *ret_existed = existed;
    return ERR_OK;
}

/* --- reading --- */

void artifact_deinit(struct artifact *a)
{
    sys_closep(&a->fd);
    a->len = 0;
}

enum err store_open(struct store *s, const struct digest *d, struct artifact *ret, struct error *e)
{
    struct blob_version v;
    *ret = ARTIFACT_INIT;
    enum err err = open_verified(s, d, ret, &v, e);
    if (err == ERR_NOT_FOUND)
        return fail_not_found(d, e);
    if (err != ERR_DATA_LOSS)
        return err;
    if (put_aside(s, d, &v, e)) /* it is not served in any case */
        log_error("damaged artifact left in place", LOG_ERROR_FIELDS(e));
    return fail_damaged(e);
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
    enum err err = s->ops->remove(s, d, e);
    return err == ERR_NOT_FOUND ? fail_not_found(d, e) : plain(err, e);
}

/* --- keys --- */

void store_key(const struct digest *d, char out[STORE_KEY_MAX])
{
    char hex[SHA256_HEX_LEN + 1];
    digest_to_hex(d, hex);
    (void)snprintf(out, STORE_KEY_MAX, "skills/%s.zip", hex);
}

bool store_key_parse(str key, struct digest *ret)
{
    str prefix = STR("skills/"), suffix = STR(".zip");
    if (key.len != prefix.len + SHA256_HEX_LEN + suffix.len || !str_starts_with(key, prefix) ||
        !str_ends_with(key, suffix))
        return false;
    return digest_from_hex(str_head(str_skip(key, prefix.len), SHA256_HEX_LEN), ret);
}
