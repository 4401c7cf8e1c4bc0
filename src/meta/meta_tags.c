/* Tables tags (number, tag -> where it points) and tagged (number, seq, tag: the way back). */
#include "meta/codec.h"
#include "meta/record.h"

#define FEW 16 /* tags of one version: read in one pass */

static struct meta_key tag_key(uint64_t number, str tag)
{
    struct meta_key k = META_KEY_INIT;
    key_add_u64(&k, number);
    key_add(&k, tag);
    return k;
}

static struct meta_key tagged_key(uint64_t number, uint64_t seq, str tag)
{
    struct meta_key k = META_KEY_INIT;
    key_add_u64(&k, number);
    key_add_u64(&k, seq);
    key_add(&k, tag);
    return k;
}

enum err meta_tag_get(struct meta_txn *t, uint64_t number, str tag, struct arena *a,
                      struct meta_tag *ret, struct error *e)
{
    tag_record *m;
    struct meta_key key = tag_key(number, tag);
    TRY(record_get_message(t, META_TAGS, &key, &stigmer__storage__v1__tag_record__descriptor, a, &m,
                           e));
    *ret = (struct meta_tag){m->seq, m->moved_at_ns, str_of_bin(m->moved_by)};
    return ERR_OK;
}

static enum err untag(struct meta_txn *t, uint64_t number, str tag, struct error *e)
{
    struct arena a;
    struct meta_tag old;
    arena_init(&a, KIB(16));
    enum err err = meta_tag_get(t, number, tag, &a, &old, e);
    arena_deinit(&a);
    if (err != ERR_OK)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    struct meta_key key = tagged_key(number, old.seq, tag);
    return record_del(t, META_TAGGED, &key, e);
}

enum err meta_tag_set(struct meta_txn *t, uint64_t number, str tag, const struct meta_tag *v,
                      struct error *e)
{
    struct meta_key key = tag_key(number, tag), back = tagged_key(number, v->seq, tag);
    tag_record m = STIGMER__STORAGE__V1__TAG_RECORD__INIT;
    m.seq = v->seq;
    m.moved_at_ns = v->moved_at_ns;
    m.moved_by = bin_of(v->moved_by);
    TRY(untag(t, number, tag, e));
    TRY(record_put_mark(t, META_TAGGED, &back, e));
    return record_put_message(t, META_TAGS, &key, &m.base, e);
}

enum err meta_tag_remove(struct meta_txn *t, uint64_t number, str tag, struct error *e)
{
    struct meta_key key = tag_key(number, tag);
    TRY(untag(t, number, tag, e));
    return record_del(t, META_TAGS, &key, e);
}

/* Reads as far as there is room; *ret_n is how many there are. */
static enum err tags_read(struct meta_txn *t, const struct meta_key *prefix, struct arena *a,
                          str *tags, size_t room, size_t *ret_n, struct error *e)
{
    CLEANUP(scan_close) struct scan s = SCAN_INIT;
    size_t n = 0;
    TRY(scan_open(&s, t, META_TAGGED, prefix, e));
    enum err err = scan_seek(&s, prefix, e);
    for (; err == ERR_OK; err = scan_next(&s, e), n++)
        if (n < room && !arena_dup(a, str_skip(s.key, prefix->len), &tags[n]))
            return FAIL_NOMEM(e);
    *ret_n = n;
    return scan_done(err);
}

enum err meta_tags_of(struct meta_txn *t, uint64_t number, uint64_t seq, struct arena *a,
                      const str **ret, size_t *ret_n, struct error *e)
{
    size_t n, room = FEW;
    struct meta_key prefix = tagged_key(number, seq, STR_NULL);
    for (;;) {
        str *tags = arena_calloc(a, room, sizeof *tags);
        if (!tags)
            return FAIL_NOMEM(e);
        TRY(tags_read(t, &prefix, a, tags, room, &n, e));
        *ret = tags;
        *ret_n = n;
        if (n <= room)
            return ERR_OK;
        room = n;
    }
}
