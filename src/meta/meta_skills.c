/* Tables skills, live, slugs and the counters in info. */
#include "meta/codec.h"
#include "meta/record.h"

static struct meta_key id_key(str id)
{
    struct meta_key k = META_KEY_INIT;
    key_add(&k, id);
    return k;
}

/* slug, NUL (which no slug holds), scope, org: the skills of one slug are neighbours. */
static struct meta_key slug_prefix(str slug)
{
    struct meta_key k = META_KEY_INIT;
    key_add(&k, slug);
    key_add_byte(&k, 0);
    return k;
}

static struct meta_key slug_key(const struct meta_skill *s)
{
    struct meta_key k = slug_prefix(s->slug);
    key_add_byte(&k, (uint8_t)s->scope);
    key_add(&k, s->org);
    return k;
}

/* --- counters --- */

static struct meta_key count_key(str org)
{
    struct meta_key k = META_KEY_INIT;
    key_add(&k, STR("live"));
    if (org.len)
        key_add(&k, STR("/"));
    key_add(&k, org);
    return k;
}

enum err meta_live_count(struct meta_txn *t, str org, uint64_t *ret_n, struct error *e)
{
    struct arena a;
    count_record *m;
    struct meta_key key = count_key(org);
    arena_init(&a, KIB(16));
    enum err err = record_get_message(t, META_INFO, &key,
                                      &stigmer__storage__v1__count_record__descriptor, &a, &m, e);
    if (err == ERR_OK)
        *ret_n = m->n;
    else if (err == ERR_NOT_FOUND)
        *ret_n = 0;
    arena_deinit(&a);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err count_change(struct meta_txn *t, str org, bool up, struct error *e)
{
    struct meta_key key = count_key(org);
    count_record m = STIGMER__STORAGE__V1__COUNT_RECORD__INIT;
    TRY(meta_live_count(t, org, &m.n, e));
    if (!up && m.n == 0)
        return FAIL(e, ERR_DATA_LOSS, "meta.count",
                    "a counter of the server's database is wrong; restore it from a backup");
    m.n = up ? m.n + 1 : m.n - 1;
    return record_put_message(t, META_INFO, &key, &m.base, e);
}

static enum err count_skill(struct meta_txn *t, const struct meta_skill *s, struct error *e)
{
    TRY(count_change(t, STR_NULL, s->live, e));
    return s->org.len ? count_change(t, s->org, s->live, e) : ERR_OK;
}

/* --- records --- */

enum err meta_skill_get(struct meta_txn *t, str id, struct arena *a, struct meta_skill *ret,
                        struct error *e)
{
    str own_id;
    skill_record *m;
    struct meta_key key = id_key(id);
    TRY(record_get_message(t, META_SKILLS, &key, &stigmer__storage__v1__skill_record__descriptor, a,
                           &m, e));
    if (!arena_dup(a, id, &own_id))
        return FAIL_NOMEM(e);
    codec_skill_from(m, own_id, ret);
    return ERR_OK;
}

static enum err was_live(struct meta_txn *t, str id, bool *ret, struct error *e)
{
    str payload;
    struct meta_key key = id_key(id);
    enum err err = record_get(t, META_LIVE, &key, &payload, e);
    *ret = err == ERR_OK;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err list_live(struct meta_txn *t, const struct meta_skill *s, struct error *e)
{
    struct meta_key id = id_key(s->id), slug = slug_key(s);
    slug_record m = STIGMER__STORAGE__V1__SLUG_RECORD__INIT;
    m.id = bin_of(s->id);
    TRY(record_put_mark(t, META_LIVE, &id, e));
    return record_put_message(t, META_SLUGS, &slug, &m.base, e);
}

static enum err unlist_live(struct meta_txn *t, const struct meta_skill *s, struct error *e)
{
    struct meta_key id = id_key(s->id), slug = slug_key(s);
    TRY(record_del(t, META_LIVE, &id, e));
    return record_del(t, META_SLUGS, &slug, e);
}

enum err meta_skill_put(struct meta_txn *t, const struct meta_skill *s, struct error *e)
{
    bool was;
    skill_record m;
    struct meta_key key = id_key(s->id);
    TRY(was_live(t, s->id, &was, e));
    codec_skill_to(s, &m);
    TRY(record_put_message(t, META_SKILLS, &key, &m.base, e));
    if (was == s->live)
        return ERR_OK;
    TRY(count_skill(t, s, e));
    return s->live ? list_live(t, s, e) : unlist_live(t, s, e);
}

/* --- lists --- */

/* The first key to look at: after `after`, or the prefix itself. */
static struct meta_key start_after(str prefix, str after)
{
    struct meta_key k = id_key(after.len ? after : prefix);
    if (after.len)
        key_add_byte(&k, 0); /* the smallest key above it */
    return k;
}

enum err meta_live_list(struct meta_txn *t, str prefix, str after, uint64_t skip, struct arena *a,
                        str *ret_ids, size_t max, size_t *ret_n, struct error *e)
{
    CLEANUP(scan_close) struct scan s = SCAN_INIT;
    struct meta_key bound = id_key(prefix), from = start_after(prefix, after);
    size_t n = 0;
    TRY(scan_open(&s, t, META_LIVE, &bound, e));
    enum err err = scan_seek(&s, &from, e);
    for (; err == ERR_OK && n < max; err = scan_next(&s, e)) {
        if (skip > 0)
            skip--;
        else if (!arena_dup(a, s.key, &ret_ids[n++]))
            return FAIL_NOMEM(e);
    }
    *ret_n = n;
    return scan_done(err);
}

static enum err slug_id(const struct scan *s, struct arena *a, str *ret, struct error *e)
{
    slug_record *m;
    TRY(record_unpack(s->payload, &stigmer__storage__v1__slug_record__descriptor, a, &m, e));
    *ret = str_of_bin(m->id);
    return ERR_OK;
}

enum err meta_slug_list(struct meta_txn *t, str slug, struct arena *a, str *ret_ids, size_t max,
                        size_t *ret_n, struct error *e)
{
    CLEANUP(scan_close) struct scan s = SCAN_INIT;
    struct meta_key prefix = slug_prefix(slug);
    size_t n = 0;
    TRY(scan_open(&s, t, META_SLUGS, &prefix, e));
    enum err err = scan_seek(&s, &prefix, e);
    for (; err == ERR_OK && n < max; err = scan_next(&s, e))
        TRY(slug_id(&s, a, &ret_ids[n++], e));
    *ret_n = n;
    return scan_done(err);
}

enum err meta_skill_next(struct meta_txn *t, str after, struct arena *a, struct meta_skill *ret,
                         struct error *e)
{
    CLEANUP(scan_close) struct scan s = SCAN_INIT;
    struct meta_key all = META_KEY_INIT, from = start_after(STR_NULL, after);
    skill_record *m;
    str id;
    TRY(scan_open(&s, t, META_SKILLS, &all, e));
    TRY(scan_seek(&s, &from, e));
    TRY(record_unpack(s.payload, &stigmer__storage__v1__skill_record__descriptor, a, &m, e));
    if (!arena_dup(a, s.key, &id))
        return FAIL_NOMEM(e);
    codec_skill_from(m, id, ret);
    return ERR_OK;
}

static enum err each_one(const struct scan *s,
                         enum err (*fn)(void *ctx, const struct meta_skill *, struct error *),
                         void *ctx, struct error *e)
{
    struct arena a;
    skill_record *m;
    struct meta_skill skill;
    arena_init(&a, KIB(64));
    enum err err =
        record_unpack(s->payload, &stigmer__storage__v1__skill_record__descriptor, &a, &m, e);
    if (err == ERR_OK) {
        codec_skill_from(m, s->key, &skill);
        err = fn(ctx, &skill, e);
    }
    arena_deinit(&a);
    return err;
}

enum err meta_skill_each(struct meta_txn *t,
                         enum err (*fn)(void *ctx, const struct meta_skill *, struct error *),
                         void *ctx, struct error *e)
{
    CLEANUP(scan_close) struct scan s = SCAN_INIT;
    struct meta_key all = META_KEY_INIT;
    TRY(scan_open(&s, t, META_SKILLS, &all, e));
    enum err err = scan_seek(&s, &all, e);
    for (; err == ERR_OK; err = scan_next(&s, e))
        TRY(each_one(&s, fn, ctx, e));
    return scan_done(err);
}
