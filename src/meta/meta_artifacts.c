/* Table artifacts: hash -> what is known of the archive. */
#include "meta/artifact.h"
#include "meta/codec.h"
#include "meta/record.h"

#define ARTIFACT_ARENA_MAX KIB(16)

static struct meta_key digest_key(const struct digest *d)
{
    struct meta_key k = META_KEY_INIT;
    key_add_digest(&k, d);
    return k;
}

/* *ret lives in the arena. NOT_FOUND. */
static enum err get(struct meta_txn *t, const struct digest *d, struct arena *a,
                    artifact_record **ret, struct error *e)
{
    struct meta_key key = digest_key(d);
    return record_get_message(t, META_ARTIFACTS, &key,
                              &stigmer__storage__v1__artifact_record__descriptor, a, ret, e);
}

static enum err put(struct meta_txn *t, const struct digest *d, const artifact_record *m,
                    struct error *e)
{
    struct meta_key key = digest_key(d);
    return record_put_message(t, META_ARTIFACTS, &key, &m->base, e);
}

static struct meta_artifact from_record(const artifact_record *m)
{
    return (struct meta_artifact){m->size, m->state, m->created_at_ns, m->n_files, m->files_size};
}

enum err meta_artifact_get(struct meta_txn *t, const struct digest *d, struct meta_artifact *ret,
                           struct error *e)
{
    artifact_record *m;
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, ARTIFACT_ARENA_MAX);
    TRY(get(t, d, &a, &m, e));
    *ret = from_record(m);
    return ERR_OK;
}

enum err meta_artifact_referenced(struct meta_txn *t, const struct digest *d, bool *ret,
                                  struct error *e)
{
    CLEANUP(scan_close) struct scan s = SCAN_INIT;
    struct meta_key prefix = digest_key(d);
    TRY(scan_open(&s, t, META_REFS, &prefix, e));
    enum err err = scan_seek(&s, &prefix, e);
    *ret = err == ERR_OK;
    return scan_done(err);
}

enum err meta_artifact_holders(struct meta_txn *t, const struct digest *d,
                               enum err (*fn)(void *ctx, uint64_t number, uint64_t seq,
                                              struct error *),
                               void *ctx, struct error *e)
{
    CLEANUP(scan_close) struct scan s = SCAN_INIT;
    struct meta_key prefix = digest_key(d);
    TRY(scan_open(&s, t, META_REFS, &prefix, e));
    enum err err = scan_seek(&s, &prefix, e);
    for (; err == ERR_OK; err = scan_next(&s, e)) {
        const char *at = s.key.p + prefix.len;
        TRY(fn(ctx, key_get_u64(at), key_get_u64(at + sizeof(uint64_t)), e));
    }
    return scan_done(err);
}

/* --- coming into use --- */

enum err artifact_hold(struct meta_txn *t, const struct meta_version *v, struct error *e)
{
    artifact_record fresh = STIGMER__STORAGE__V1__ARTIFACT_RECORD__INIT, *m = &fresh;
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, ARTIFACT_ARENA_MAX);
    enum err err = get(t, &v->artifact, &a, &m, e);
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        return err;
    if (err == ERR_OK && m->state == META_ARTIFACT_LIVE)
        return ERR_OK;
    if (err == ERR_OK && m->state != META_ARTIFACT_CONDEMNED)
        return FAIL(e, ERR_FAILED_PRECONDITION, "meta.artifact_deleting",
                    "the archive is being deleted");
    if (err == ERR_NOT_FOUND)
        fresh.created_at_ns = v->updated_at_ns;
    m->size = v->size;
    m->state = META_ARTIFACT_LIVE;
    return put(t, &v->artifact, m, e);
}

/* --- going --- */

/* One whose record the database knows nothing about is as good as condemned: its file may belong to
 * a push that has not got so far yet, which finds it so. */
static enum err condemn_unknown(struct meta_txn *t, const struct digest *d, uint64_t size,
                                int64_t now_ns, struct error *e)
{
    artifact_record m = STIGMER__STORAGE__V1__ARTIFACT_RECORD__INIT;
    m.size = size;
    m.state = META_ARTIFACT_CONDEMNED;
    m.created_at_ns = now_ns;
    return put(t, d, &m, e);
}

/* From a state into the next, if the archive is in it and no version holds it. */
static enum err advance(struct meta_txn *t, const struct digest *d, uint32_t from, uint32_t to,
                        bool *ret_done, struct error *e)
{
    artifact_record *m;
    bool referenced;
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, ARTIFACT_ARENA_MAX);
    *ret_done = false;
    TRY(get(t, d, &a, &m, e));
    TRY(meta_artifact_referenced(t, d, &referenced, e));
    if (referenced || m->state != from)
        return ERR_OK;
    *ret_done = true;
    m->state = to;
    return put(t, d, m, e);
}

enum err meta_artifact_condemn(struct meta_txn *t, const struct digest *d, uint64_t size,
                               int64_t now_ns, bool *ret_done, struct error *e)
{
    enum err err = advance(t, d, META_ARTIFACT_LIVE, META_ARTIFACT_CONDEMNED, ret_done, e);
    if (err != ERR_NOT_FOUND)
        return err;
    *ret_done = true;
    return condemn_unknown(t, d, size, now_ns, e);
}

enum err meta_artifact_claim(struct meta_txn *t, const struct digest *d, bool *ret_done,
                             struct error *e)
{
    enum err err = advance(t, d, META_ARTIFACT_CONDEMNED, META_ARTIFACT_DELETING, ret_done, e);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err meta_artifact_forget(struct meta_txn *t, const struct digest *d, bool *ret_done,
                              struct error *e)
{
    artifact_record *m;
    struct meta_key key = digest_key(d);
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, ARTIFACT_ARENA_MAX);
    *ret_done = false;
    enum err err = get(t, d, &a, &m, e);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && m->state != META_ARTIFACT_DELETING))
        return ERR_OK;
    TRY(err);
    *ret_done = true;
    TRY(files_forget(t, d, m->n_files, e));
    return record_del(t, META_ARTIFACTS, &key, e);
}

/* --- listing --- */

static enum err take_entry(const struct scan *s, struct meta_artifact_entry *ret, struct error *e)
{
    artifact_record *m;
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, ARTIFACT_ARENA_MAX);
    if (s->key.len != sizeof ret->digest.b)
        return FAIL(e, ERR_DATA_LOSS, "meta.artifact_key",
                    "a record of the server's database is damaged; restore it from a backup");
    memcpy(ret->digest.b, s->key.p, sizeof ret->digest.b);
    TRY(record_unpack(s->payload, &stigmer__storage__v1__artifact_record__descriptor, &a, &m, e));
    ret->artifact = from_record(m);
    return ERR_OK;
}

static enum err read_entries(struct meta_txn *t, const struct digest *after,
                             struct meta_artifact_entry *ret, size_t max, size_t *ret_n,
                             struct error *e)
{
    CLEANUP(scan_close) struct scan s = SCAN_INIT;
    struct meta_key all = META_KEY_INIT, from = META_KEY_INIT;
    if (after) {
        from = digest_key(after);
        key_add_byte(&from, 0); /* the smallest key above it */
    }
    TRY(scan_open(&s, t, META_ARTIFACTS, &all, e));
    enum err err = scan_seek(&s, &from, e);
    for (; err == ERR_OK && *ret_n < max; err = scan_next(&s, e))
        TRY(take_entry(&s, &ret[(*ret_n)++], e));
    return scan_done(err);
}

enum err meta_artifact_list(struct meta_txn *t, const struct digest *after,
                            struct meta_artifact_entry *ret, size_t max, size_t *ret_n,
                            struct error *e)
{
    *ret_n = 0;
    TRY(read_entries(t, after, ret, max, ret_n, e));
    for (size_t i = 0; i < *ret_n; i++)
        TRY(meta_artifact_referenced(t, &ret[i].digest, &ret[i].referenced, e));
    return ERR_OK;
}
