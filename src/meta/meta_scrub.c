/* How far the scrub has come, in info. */
#include "meta/codec.h"
#include "meta/record.h"

static struct meta_key scrub_key(void)
{
    struct meta_key k = META_KEY_INIT;
    key_add(&k, STR("scrub"));
    return k;
}

static struct meta_scrub from_record(const scrub_record *m)
{
    struct meta_scrub v = {
        .started_ns = m->started_ns,
        .archives = m->archives,
        .damaged = m->damaged,
        .completed_ns = m->completed_ns,
        .last_archives = m->last_archives,
        .last_damaged = m->last_damaged,
    };
    v.has_position = m->position.len == sizeof v.position.b;
    if (v.has_position)
        memcpy(v.position.b, m->position.data, sizeof v.position.b);
    return v;
}

enum err meta_scrub_get(struct meta_txn *t, struct meta_scrub *ret, struct error *e)
{
    scrub_record *m;
    struct meta_key key = scrub_key();
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, KIB(16));
    *ret = (struct meta_scrub){.started_ns = 0};
    enum err err = record_get_message(t, META_INFO, &key,
                                      &stigmer__storage__v1__scrub_record__descriptor, &a, &m, e);
    if (err == ERR_OK)
        *ret = from_record(m);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err meta_scrub_set(struct meta_txn *t, const struct meta_scrub *v, struct error *e)
{
    struct meta_key key = scrub_key();
    scrub_record m = STIGMER__STORAGE__V1__SCRUB_RECORD__INIT;
    m.started_ns = v->started_ns;
    if (v->has_position)
        m.position = bin_of(str_of(v->position.b, sizeof v->position.b));
    m.archives = v->archives;
    m.damaged = v->damaged;
    m.completed_ns = v->completed_ns;
    m.last_archives = v->last_archives;
    m.last_damaged = v->last_damaged;
    return record_put_message(t, META_INFO, &key, &m.base, e);
}
