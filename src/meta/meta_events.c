/* Table events, and the clock in info. */
#include "meta/codec.h"
#include "meta/record.h"

static struct meta_key clock_key(void)
{
    struct meta_key k = META_KEY_INIT;
    key_add(&k, STR("clock"));
    return k;
}

static struct meta_key event_key(uint64_t sequence)
{
    struct meta_key k = META_KEY_INIT;
    key_add_u64(&k, sequence);
    return k;
}

/* Zeroes when nothing has happened yet. */
static enum err clock_get(struct meta_txn *t, uint64_t *ret_sequence, int64_t *ret_time_ns,
                          struct error *e)
{
    struct arena a;
    clock_record *m;
    struct meta_key key = clock_key();
    *ret_sequence = 0;
    *ret_time_ns = 0;
    arena_init(&a, KIB(16));
    enum err err = record_get_message(t, META_INFO, &key,
                                      &stigmer__storage__v1__clock_record__descriptor, &a, &m, e);
    if (err == ERR_OK) {
        *ret_sequence = m->sequence;
        *ret_time_ns = m->time_ns;
    }
    arena_deinit(&a);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err meta_next(struct meta_txn *t, int64_t now_ns, uint64_t *ret_sequence, int64_t *ret_time_ns,
                   struct error *e)
{
    uint64_t sequence;
    int64_t last_ns;
    struct meta_key key = clock_key();
    clock_record m = STIGMER__STORAGE__V1__CLOCK_RECORD__INIT;
    TRY(clock_get(t, &sequence, &last_ns, e));
    m.sequence = sequence + 1;
    m.time_ns = MAX(last_ns + 1, now_ns);
    TRY(record_put_message(t, META_INFO, &key, &m.base, e));
    *ret_sequence = m.sequence;
    *ret_time_ns = m.time_ns;
    return ERR_OK;
}

enum err meta_event_add(struct meta_txn *t, const struct meta_event *ev, struct error *e)
{
    struct meta_key key = event_key(ev->sequence);
    event_record m = STIGMER__STORAGE__V1__EVENT_RECORD__INIT;
    m.what = bin_of(ev->what);
    m.id = bin_of(ev->id);
    m.seq = ev->seq;
    m.who = bin_of(ev->who);
    m.time_ns = ev->time_ns;
    m.detail = bin_of(ev->detail);
    return record_put_message(t, META_EVENTS, &key, &m.base, e);
}

enum err meta_event_get(struct meta_txn *t, uint64_t sequence, struct arena *a,
                        struct meta_event *ret, struct error *e)
{
    event_record *m;
    struct meta_key key = event_key(sequence);
    TRY(record_get_message(t, META_EVENTS, &key, &stigmer__storage__v1__event_record__descriptor, a,
                           &m, e));
    *ret = (struct meta_event){
        .sequence = sequence,
        .what = str_of_bin(m->what),
        .id = str_of_bin(m->id),
        .who = str_of_bin(m->who),
        .seq = m->seq,
        .time_ns = m->time_ns,
        .detail = str_of_bin(m->detail),
    };
    return ERR_OK;
}
