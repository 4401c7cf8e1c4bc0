/* The scrub: every archive is read again, slowly, before somebody needs it. */
#include "base/log.h"
#include "base/macro.h"
#include "base/sys_proc.h"
#include "skill/record.h"
#include "store/store.h"

#define PAGE     32
#define SLICE_MS 100
#define SAVE_NS  (30 * NS_PER_S) /* what is read again after a crash */

struct scrub {
    struct skill_service *s;
    const struct skill_scrub *o;
    struct meta_scrub state;
    int64_t began_ns, saved_ns; /* monotonic */
    uint64_t bytes;             /* read since began_ns */
};

static bool stops(const struct scrub *sc)
{
    return sc->o->stop && sc->o->stop(sc->o->ctx);
}

/* --- what is remembered --- */

static enum err save_txn(struct meta_txn *t, void *arg, struct error *e)
{
    return meta_scrub_set(t, arg, e);
}

/* Where it cannot be saved now, the next time it can. */
static void save(struct scrub *sc)
{
    struct error e;
    sc->saved_ns = clock_mono_ns();
    if (meta_write_freeing(sc->s->meta, save_txn, &sc->state, &e) != ERR_OK)
        log_debug("scrub not saved", LOG_ERROR_FIELDS(&e));
}

static enum err load(struct skill_service *s, struct meta_scrub *ret, struct error *e)
{
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    TRY(meta_read_begin(s->meta, &t, e));
    return meta_scrub_get(&t, ret, e);
}

/* --- one archive --- */

/* An average over the pass: a large archive is paid for afterwards. */
static void slow_down(struct scrub *sc)
{
    int64_t due =
        sc->began_ns + (int64_t)((double)sc->bytes / (double)sc->o->rate * (double)NS_PER_S);
    while (clock_mono_ns() < due && !stops(sc))
        sys_sleep_ms(MIN((due - clock_mono_ns()) / NS_PER_MS + 1, SLICE_MS));
}

static enum err is_held(struct scrub *sc, const struct digest *d, bool *ret, struct error *e)
{
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    TRY(meta_read_begin(sc->s->meta, &t, e));
    return meta_artifact_referenced(&t, d, ret, e);
}

/* What is missing may have been collected since the page was read. */
static enum err note_missing(struct scrub *sc, const struct digest *d, struct error *e)
{
    char hex[SHA256_HEX_LEN + 1];
    bool held;
    TRY(is_held(sc, d, &held, e));
    if (!held)
        return ERR_OK;
    digest_to_hex(d, hex);
    log_error("artifact missing", LOG_C("hash", hex));
    sc->state.damaged++;
    return ERR_OK;
}

static enum err read_again(struct scrub *sc, const struct meta_artifact_entry *entry,
                           struct error *e)
{
    enum err err = store_verify(sc->s->store, &entry->digest, entry->artifact.size, e);
    sc->bytes += entry->artifact.size;
    sc->state.archives++;
    if (err == ERR_NOT_FOUND)
        return note_missing(sc, &entry->digest, e);
    sc->state.damaged += err == ERR_DATA_LOSS;
    return err == ERR_DATA_LOSS ? ERR_OK : err;
}

/* --- all of them --- */

static enum err next_page(struct scrub *sc, struct meta_artifact_entry *page, size_t *ret_n,
                          struct error *e)
{
    const struct meta_scrub *st = &sc->state;
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    TRY(meta_read_begin(sc->s->meta, &t, e));
    return meta_artifact_list(&t, st->has_position ? &st->position : NULL, page, PAGE, ret_n, e);
}

static enum err scrub_entry(struct scrub *sc, const struct meta_artifact_entry *entry,
                            struct error *e)
{
    if (entry->referenced)
        TRY(read_again(sc, entry, e));
    sc->state.has_position = true;
    sc->state.position = entry->digest;
    slow_down(sc);
    if (clock_mono_ns() - sc->saved_ns > SAVE_NS)
        save(sc);
    return ERR_OK;
}

static enum err scrub_all(struct scrub *sc, bool *ret_done, struct error *e)
{
    struct meta_artifact_entry page[PAGE];
    size_t n;
    do {
        TRY(next_page(sc, page, &n, e));
        for (size_t i = 0; i < n && !stops(sc); i++)
            TRY(scrub_entry(sc, &page[i], e));
    } while (n == PAGE && !stops(sc));
    *ret_done = !stops(sc);
    return ERR_OK;
}

static void begin(struct scrub *sc)
{
    struct meta_scrub *st = &sc->state;
    if (st->started_ns)
        return;
    *st = (struct meta_scrub){
        .started_ns = sc->s->clock(),
        .damaged = sc->o->damaged,
        .completed_ns = st->completed_ns,
        .last_archives = st->last_archives,
        .last_damaged = st->last_damaged,
    };
}

static void complete(struct scrub *sc)
{
    struct meta_scrub *st = &sc->state;
    log_info("scrub completed", LOG_INT("archives", (int64_t)st->archives),
             LOG_INT("damaged", (int64_t)st->damaged));
    *st = (struct meta_scrub){
        .completed_ns = sc->s->clock(),
        .last_archives = st->archives,
        .last_damaged = st->damaged,
    };
}

enum err skill_scrub(struct skill_service *s, const struct skill_scrub *o, struct error *e)
{
    struct scrub sc = {.s = s, .o = o, .began_ns = clock_mono_ns(), .saved_ns = clock_mono_ns()};
    bool done = false;
    TRY(load(s, &sc.state, e));
    begin(&sc);
    enum err err = scrub_all(&sc, &done, e);
    if (done)
        complete(&sc);
    save(&sc);
    return err;
}

enum err skill_scrub_state(struct skill_service *s, struct skill_scrub_state *ret, struct error *e)
{
    struct meta_scrub st;
    TRY(load(s, &st, e));
    *ret = (struct skill_scrub_state){st.started_ns,   st.archives,      st.damaged,
                                      st.completed_ns, st.last_archives, st.last_damaged};
    return ERR_OK;
}
