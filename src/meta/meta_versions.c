/* Tables versions, hashes, refs and texts. */
#include "meta/artifact.h"
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

static struct meta_key hash_prefix(uint64_t number, const struct digest *d)
{
    struct meta_key k = META_KEY_INIT;
    key_add_u64(&k, number);
    key_add_digest(&k, d);
    return k;
}

/* The newest comes first. */
static struct meta_key hash_key(uint64_t number, const struct meta_version *v)
{
    struct meta_key k = hash_prefix(number, &v->artifact);
    key_add_u64(&k, ~v->seq);
    return k;
}

static struct meta_key ref_key(uint64_t number, const struct meta_version *v)
{
    struct meta_key k = META_KEY_INIT;
    key_add_digest(&k, &v->artifact);
    key_add_u64(&k, number);
    key_add_u64(&k, v->seq);
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

enum err version_put(struct meta_txn *t, uint64_t number, const struct meta_version *v,
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

enum err hash_put(struct meta_txn *t, uint64_t number, const struct meta_version *v,
                  struct error *e)
{
    struct meta_key key = hash_key(number, v);
    return record_put_mark(t, META_HASHES, &key, e);
}

static enum err ref_put(struct meta_txn *t, uint64_t number, const struct meta_version *v,
                        struct error *e)
{
    struct meta_key key = ref_key(number, v);
    return record_put_mark(t, META_REFS, &key, e);
}

static enum err ways_del(struct meta_txn *t, uint64_t number, const struct meta_version *v,
                         struct error *e)
{
    struct meta_key hash = hash_key(number, v), ref = ref_key(number, v);
    TRY(record_del(t, META_HASHES, &hash, e));
    return record_del(t, META_REFS, &ref, e);
}

enum err meta_version_add(struct meta_txn *t, uint64_t number, const struct meta_version *v,
                          struct error *e)
{
    TRY(version_put(t, number, v, e));
    TRY(artifact_hold(t, v, e));
    TRY(hash_put(t, number, v, e));
    return ref_put(t, number, v, e);
}

enum err meta_hash_find(struct meta_txn *t, uint64_t number, const struct digest *artifact,
                        uint64_t *ret_seq, struct error *e)
{
    CLEANUP(scan_close) struct scan s = SCAN_INIT;
    struct meta_key prefix = hash_prefix(number, artifact);
    TRY(scan_open(&s, t, META_HASHES, &prefix, e));
    TRY(scan_seek(&s, &prefix, e));
    *ret_seq = ~key_get_u64(s.key.p + prefix.len);
    return ERR_OK;
}

/* The number and seq of the first version from there on. */
static enum err first_version(struct meta_txn *t, const struct meta_key *from, uint64_t *ret_number,
                              uint64_t *ret_seq, struct error *e)
{
    CLEANUP(scan_close) struct scan s = SCAN_INIT;
    struct meta_key all = META_KEY_INIT;
    TRY(scan_open(&s, t, META_VERSIONS, &all, e));
    TRY(scan_seek(&s, from, e));
    *ret_number = key_get_u64(s.key.p);
    *ret_seq = key_get_u64(s.key.p + sizeof(uint64_t));
    return ERR_OK;
}

enum err versions_each(struct meta_txn *t,
                       enum err (*fn)(struct meta_txn *t, void *ctx, uint64_t number,
                                      const struct meta_version *v, struct error *e),
                       void *ctx, struct error *e)
{
    struct meta_version v;
    uint64_t number, seq;
    struct meta_key from = META_KEY_INIT;
    enum err err;
    while ((err = first_version(t, &from, &number, &seq, e)) == ERR_OK) {
        CLEANUP(arena_deinit) struct arena a;
        arena_init(&a, VERSION_ARENA_MAX);
        TRY(meta_version_get(t, number, seq, &a, &v, e));
        TRY(fn(t, ctx, number, &v, e));
        from = version_key(number, seq);
        key_add_byte(&from, 0); /* the smallest key above it */
    }
    return scan_done(err);
}

/* --- removing --- */

static enum err untag_all(struct meta_txn *t, uint64_t number, uint64_t seq, struct arena *a,
                          struct error *e)
{
    const str *tags;
    size_t n;
    TRY(meta_tags_of(t, number, seq, a, &tags, &n, e));
    for (size_t i = 0; i < n; i++)
        TRY(meta_tag_remove(t, number, tags[i], e));
    return ERR_OK;
}

/* The versions that share a text follow one another: it goes with the last of them. */
static enum err forget_text(struct meta_txn *t, uint64_t number, const struct meta_version *v,
                            struct arena *a, struct error *e)
{
    struct meta_version next;
    struct meta_key key = version_key(number, v->text_seq);
    enum err err = meta_version_get(t, number, v->seq + 1, a, &next, e);
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        return err;
    bool shared = err == ERR_OK && next.text_seq == v->text_seq;
    return shared ? ERR_OK : record_del(t, META_TEXTS, &key, e);
}

enum err meta_version_remove(struct meta_txn *t, uint64_t number, uint64_t seq, struct error *e)
{
    struct meta_version v;
    struct meta_key key = version_key(number, seq);
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, VERSION_ARENA_MAX);
    TRY(meta_version_get(t, number, seq, &a, &v, e));
    TRY(untag_all(t, number, seq, &a, e));
    TRY(ways_del(t, number, &v, e));
    TRY(forget_text(t, number, &v, &a, e));
    return record_del(t, META_VERSIONS, &key, e);
}

/* --- texts --- */

enum err meta_text_get(struct meta_txn *t, uint64_t number, uint64_t text_seq, struct arena *a,
                       str *ret, struct error *e)
{
    str payload;
    struct meta_key key = version_key(number, text_seq);
    TRY(record_get(t, META_TEXTS, &key, &payload, e));
    return arena_dup(a, payload, ret) ? ERR_OK : FAIL_NOMEM(e);
}

enum err meta_text_put(struct meta_txn *t, uint64_t number, uint64_t text_seq, str text,
                       struct error *e)
{
    struct meta_key key = version_key(number, text_seq);
    return record_put(t, META_TEXTS, &key, text, e);
}
