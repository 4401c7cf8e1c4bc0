/* Tables versions, hashes, artifacts, refs and texts. */
#include "meta/codec.h"
#include "meta/record.h"

#define VERSION_ARENA_MAX MIB(8) /* for what a version's lists need while they are written */

static struct meta_key version_key(uint64_t number, uint64_t seq)
{
    struct meta_key k = META_KEY_INIT;
    key_add_u64(&k, number);
    key_add_u64(&k, seq);
    return k;
}

static struct meta_key hash_key(uint64_t number, const struct digest *d)
{
    struct meta_key k = META_KEY_INIT;
    key_add_u64(&k, number);
    key_add_digest(&k, d);
    return k;
}

static struct meta_key digest_key(const struct digest *d)
{
    struct meta_key k = META_KEY_INIT;
    key_add_digest(&k, d);
    return k;
}

enum err meta_version_get(struct meta_txn *t, uint64_t number, uint64_t seq, struct arena *a,
                          struct meta_version *ret, struct error *e)
{
    version_record *m;
    struct meta_key key = version_key(number, seq);
    TRY(record_get_message(t, META_VERSIONS, &key,
                           &stigmer__storage__v1__version_record__descriptor, a, &m, e));
    return codec_version_from(m, seq, a, ret, e);
}

static enum err version_put(struct meta_txn *t, uint64_t number, const struct meta_version *v,
                            struct error *e)
{
    struct arena a;
    version_record m;
    struct meta_key key = version_key(number, v->seq);
    arena_init(&a, VERSION_ARENA_MAX);
    enum err err = codec_version_to(v, &a, &m, e);
    if (err == ERR_OK)
        err = record_put_message(t, META_VERSIONS, &key, &m.base, e);
    arena_deinit(&a);
    return err;
}

static enum err hash_put(struct meta_txn *t, uint64_t number, const struct meta_version *v,
                         struct error *e)
{
    struct meta_key key = hash_key(number, &v->artifact);
    key_add_u64(&key, v->seq);
    return record_put_mark(t, META_HASHES, &key, e);
}

static enum err artifact_put(struct meta_txn *t, const struct meta_version *v, struct error *e)
{
    str payload;
    struct meta_key key = digest_key(&v->artifact);
    artifact_record m = STIGMER__STORAGE__V1__ARTIFACT_RECORD__INIT;
    enum err err = record_get(t, META_ARTIFACTS, &key, &payload, e);
    if (err != ERR_NOT_FOUND)
        return err;
    m.size = v->size;
    m.state = META_ARTIFACT_LIVE;
    m.created_at_ns = v->updated_at_ns;
    return record_put_message(t, META_ARTIFACTS, &key, &m.base, e);
}

static enum err ref_put(struct meta_txn *t, uint64_t number, const struct meta_version *v,
                        struct error *e)
{
    struct meta_key key = digest_key(&v->artifact);
    key_add_u64(&key, number);
    key_add_u64(&key, v->seq);
    return record_put_mark(t, META_REFS, &key, e);
}

enum err meta_version_add(struct meta_txn *t, uint64_t number, const struct meta_version *v,
                          struct error *e)
{
    TRY(version_put(t, number, v, e));
    TRY(hash_put(t, number, v, e));
    TRY(artifact_put(t, v, e));
    return ref_put(t, number, v, e);
}

enum err meta_hash_find(struct meta_txn *t, uint64_t number, const struct digest *artifact,
                        uint64_t *ret_seq, struct error *e)
{
    CLEANUP(scan_close) struct scan s = SCAN_INIT;
    struct meta_key prefix = hash_key(number, artifact), end = prefix;
    key_add_u64(&end, UINT64_MAX);
    TRY(scan_open(&s, t, META_HASHES, &prefix, e));
    TRY(scan_seek_before(&s, &end, e));
    *ret_seq = key_get_u64(s.key.p + prefix.len);
    return ERR_OK;
}

enum err meta_artifact_get(struct meta_txn *t, const struct digest *d, struct meta_artifact *ret,
                           struct error *e)
{
    struct arena a;
    artifact_record *m;
    struct meta_key key = digest_key(d);
    arena_init(&a, KIB(16));
    enum err err = record_get_message(
        t, META_ARTIFACTS, &key, &stigmer__storage__v1__artifact_record__descriptor, &a, &m, e);
    if (err == ERR_OK)
        *ret =
            (struct meta_artifact){m->size, m->state, m->created_at_ns, m->n_files, m->files_size};
    arena_deinit(&a);
    return err;
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

enum err meta_text_get(struct meta_txn *t, const struct digest *d, struct arena *a, str *ret,
                       struct error *e)
{
    str payload;
    struct meta_key key = digest_key(d);
    TRY(record_get(t, META_TEXTS, &key, &payload, e));
    return arena_dup(a, payload, ret) ? ERR_OK : FAIL_NOMEM(e);
}

enum err meta_text_put(struct meta_txn *t, const struct digest *d, str text, struct error *e)
{
    str payload;
    struct meta_key key = digest_key(d);
    enum err err = record_get(t, META_TEXTS, &key, &payload, e);
    return err == ERR_NOT_FOUND ? record_put(t, META_TEXTS, &key, text, e) : err;
}
