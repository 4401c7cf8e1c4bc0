#include "base/sys.h"
#include "base/sys_proc.h"
#include "kit.h"
#include "store/faulty.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* --- what there is --- */

static struct skill_gc_report collect(struct kit *k, bool purge)
{
    struct skill_gc_report r;
    const struct skill_gc o = {.purge_deleted = purge, .actor = STR("ops")};
    CHECK_OK(skill_gc(k->service, &o, &r, &k->e), &k->e);
    return r;
}

static struct skill_gc_report tell(struct kit *k, bool purge)
{
    struct skill_gc_report r;
    const struct skill_gc o = {.dry_run = true, .purge_deleted = purge};
    CHECK_OK(skill_gc(k->service, &o, &r, &k->e), &k->e);
    return r;
}

static void drop(struct kit *k, const struct skill *s)
{
    struct skill was;
    CHECK_OK(skill_delete(k->service, s->id, STR_NULL, &k->a, &was, &k->e), &k->e);
}

static enum err opens(struct kit *k, const struct skill *s)
{
    char key[STORE_KEY_MAX];
    bool ready;
    CLEANUP(artifact_deinit) struct artifact a = ARTIFACT_INIT;
    store_key(&s->hash, key);
    return skill_open_artifact(k->service, str_c(key), false, &ready, &a, &k->e);
}

static void check_opens(struct kit *k, const struct skill *s)
{
    CHECK_OK(opens(k, s), &k->e);
}

static void check_gone(struct kit *k, const struct skill *s)
{
    CHECK_ERR(opens(k, s), ERR_NOT_FOUND, &k->e);
}

static enum err count_one(void *ctx, const struct store_info *info, struct error *e)
{
    (void)info, (void)e;
    ++*(size_t *)ctx;
    return ERR_OK;
}

static size_t n_files(struct kit *k)
{
    size_t n = 0;
    CHECK_OK(store_each(k->store, count_one, &n, &k->e), &k->e);
    return n;
}

static struct meta_txn reading(struct kit *k)
{
    struct meta_txn t = META_TXN_INIT;
    CHECK_OK(meta_read_begin(k->meta, &t, &k->e), &k->e);
    return t;
}

/* Whether any version of the first skills has that text. */
static bool has_text(struct kit *k, const char *text)
{
    str got;
    bool found = false;
    struct meta_txn t = reading(k);
    for (uint64_t number = 1; number < 20; number++)
        for (uint64_t seq = 1; seq < 20; seq++) {
            enum err err = meta_text_get(&t, number, seq, &k->a, &got, &k->e);
            CHECK(err == ERR_OK || err == ERR_NOT_FOUND);
            found = found || (err == ERR_OK && str_eq(got, str_c(text)));
        }
    meta_read_end(&t);
    return found;
}

static uint32_t state_of(struct kit *k, const struct digest *d)
{
    struct meta_artifact a = {0};
    struct meta_txn t = reading(k);
    enum err err = meta_artifact_get(&t, d, &a, &k->e);
    meta_read_end(&t);
    return err == ERR_OK ? a.state : 0;
}

static struct skill_list history(struct kit *k, const char *what)
{
    struct skill_list l;
    const struct skill_versions q = {kit_ref(what), true, 100, STR_NULL};
    CHECK_OK(skill_versions(k->service, &q, &k->a, &l, &k->e), &k->e);
    return l;
}

/* --- what is garbage --- */

BOTH(what_a_version_holds_stays)
{
    struct skill one = kit_push(k, "calc@v1", "one"), two = kit_push(k, "calc", "two");
    struct skill_gc_report r = collect(k, true);
    CHECK_INT(r.archives + r.versions + r.skills + r.unrecorded, 0);
    check_opens(k, &one);
    check_opens(k, &two);
    kit_check_version(k, "calc@v1", 1);
}

BOTH(a_deleted_skill_is_kept_until_it_is_purged)
{
    struct skill s = kit_push(k, "acme/calc@v1", "one");
    drop(k, &s);
    CHECK_INT(collect(k, false).archives, 0);
    check_opens(k, &s);
    CHECK_INT(history(k, "acme/calc").n_items, 1);
    struct skill_gc_report r = collect(k, true);
    CHECK_INT(r.archives, 1);
    CHECK_INT(r.bytes, s.size);
    CHECK_INT(r.versions, 1);
    CHECK_INT(r.skills, 1);
    CHECK_INT(r.unrecorded, 0);
    check_gone(k, &s);
    CHECK(!has_text(k, "one"));
    CHECK_INT(n_files(k), 0);
    CHECK_INT(state_of(k, &s.hash), 0);
    CHECK_INT(history(k, "acme/calc").n_items, 0);
    CHECK_INT(history(k, "acme/calc").total, 0);
    CHECK_INT(collect(k, true).versions, 0); /* once */
}

BOTH(a_purge_is_an_event)
{
    struct meta_event ev;
    struct skill s = kit_push(k, "calc", "one");
    drop(k, &s);
    (void)collect(k, true);
    struct meta_txn t = reading(k);
    CHECK_OK(meta_event_get(&t, 3, &k->a, &ev, &k->e), &k->e);
    CHECK_STR(ev.what, STR("purged"));
    CHECK_STR(ev.who, STR("ops"));
    CHECK_STR(ev.id, s.id);
    CHECK_INT(ev.seq, 1);
    meta_read_end(&t);
}

BOTH(what_lives_again_loses_its_earlier_life_only)
{
    struct skill old = kit_push(k, "calc@v1", "one");
    drop(k, &old);
    struct skill now = kit_push(k, "calc", "two");
    struct skill_gc_report r = collect(k, true);
    CHECK_INT(r.versions, 1);
    CHECK_INT(r.archives, 1);
    check_gone(k, &old);
    check_opens(k, &now);
    kit_check_version(k, "calc", 2);
    CHECK_INT(history(k, "calc").n_items, 1);
    struct skill again = kit_push(k, "calc@v1", "one"); /* the same bytes once more */
    CHECK_INT(again.version_no, 3);
    CHECK_STR(kit_resolve(k, "calc@v1").skill_md, STR("one"));
    check_opens(k, &again);
}

BOTH(what_others_share_stays)
{
    struct skill a = kit_push(k, "acme/calc", "same"), b = kit_push(k, "calc", "same");
    const struct kit_file files[] = {{"SKILL.md", "same", 0}, {"more.txt", "x", 0}};
    struct skill c = kit_push_files(k, "other", files, 2);
    CHECK(digest_eq(&a.hash, &b.hash) && !digest_eq(&a.hash, &c.hash));
    drop(k, &a);
    CHECK_INT(collect(k, true).archives, 0);
    check_opens(k, &b);
    drop(k, &b);
    CHECK_INT(collect(k, true).archives, 1);
    CHECK(has_text(k, "same")); /* of another skill */
    CHECK_STR(kit_resolve(k, "other").skill_md, STR("same"));
    drop(k, &c);
    CHECK_INT(collect(k, true).archives, 1);
    CHECK(!has_text(k, "same"));
}

/* Versions of two lives with one text, which the first of each has; the archives differ. */
BOTH(a_text_that_versions_share_goes_with_the_last)
{
    struct kit_file files[] = {{"SKILL.md", "same", 0}, {"tool", "1", 0}};
    kit_push_files(k, "calc@v1", files, 2);
    files[1].data = "2";
    kit_push_files(k, "calc@v2", files, 2);
    files[1].data = "3";
    kit_push_files(k, "calc@v3", files, 2);
    files[0].data = "other";
    struct skill s = kit_push_files(k, "calc@v4", files, 2);
    CHECK_STR(kit_resolve(k, "calc@v3").skill_md, STR("same"));
    CHECK_STR(kit_resolve(k, "calc@v4").skill_md, STR("other"));
    drop(k, &s);
    files[0].data = "same";
    kit_push_files(k, "calc@v5", files, 2);
    CHECK_INT(collect(k, true).versions, 4);
    CHECK_STR(kit_resolve(k, "calc@v5").skill_md, STR("same"));
    CHECK(!has_text(k, "other"));
    s = kit_resolve(k, "calc");
    drop(k, &s);
    CHECK_INT(collect(k, true).versions, 1);
    CHECK(!has_text(k, "same"));
}

BOTH(what_a_push_left_behind_goes)
{
    struct spool *sp = kit_archive(k, "never pushed");
    CHECK_OK(store_put(k->store, sp, NULL, &k->e), &k->e);
    CHECK_INT(n_files(k), 1);
    struct skill_gc_report r = collect(k, false);
    CHECK_INT(r.archives, 1);
    CHECK_INT(r.unrecorded, 1);
    CHECK_INT(r.bytes, spool_len(sp));
    CHECK_INT(n_files(k), 0);
    CHECK_INT(state_of(k, spool_digest(sp)), 0);
    spool_free(sp);
}

BOTH(a_dry_run_tells_what_would_go)
{
    struct skill a = kit_push(k, "calc", "one"), b = kit_push(k, "calc", "two");
    struct skill shared = kit_push(k, "other", "two");
    struct spool *sp = kit_archive(k, "never pushed");
    CHECK_OK(store_put(k->store, sp, NULL, &k->e), &k->e);
    spool_free(sp);
    drop(k, &a);
    CHECK_INT(tell(k, false).archives, 1);
    struct skill_gc_report dry = tell(k, true);
    CHECK_INT(dry.archives, 2); /* "two" is held by another skill */
    check_opens(k, &a);
    CHECK_INT(n_files(k), 3);
    struct skill_gc_report done = collect(k, true);
    CHECK(memcmp(&dry, &done, sizeof dry) == 0);
    check_opens(k, &shared);
    check_opens(k, &b);
    check_gone(k, &a);
}

BOTH(a_long_history_goes_in_steps)
{
    char text[16];
    struct skill s = {0};
    for (int i = 0; i < 150; i++) {
        (void)snprintf(text, sizeof text, "v%d", i);
        s = kit_push(k, "calc@moving", text);
    }
    drop(k, &s);
    struct skill_gc_report r = collect(k, true);
    CHECK_INT(r.versions, 150);
    CHECK_INT(r.archives, 150);
    CHECK_INT(r.skills, 1);
    CHECK_INT(n_files(k), 0);
}

/* --- interrupted --- */

struct step {
    struct digest d;
    bool done;
};

static enum err claim(struct meta_txn *t, void *arg, struct error *e)
{
    struct step *s = arg;
    TRY(meta_artifact_condemn(t, &s->d, 1, 1, &s->done, e));
    return meta_artifact_claim(t, &s->d, &s->done, e);
}

static enum err condemn(struct meta_txn *t, void *arg, struct error *e)
{
    struct step *s = arg;
    return meta_artifact_condemn(t, &s->d, 1, 1, &s->done, e);
}

static struct step run_step(struct kit *k, const struct digest *d, meta_fn *fn)
{
    struct step s = {.d = *d};
    CHECK_OK(meta_write(k->meta, fn, &s, &k->e), &k->e);
    return s;
}

BOTH(an_interrupted_one_is_finished_by_the_next)
{
    struct spool *sp = kit_archive(k, "one");
    CHECK_OK(store_put(k->store, sp, NULL, &k->e), &k->e);
    CHECK(run_step(k, spool_digest(sp), claim).done);
    CHECK_INT(state_of(k, spool_digest(sp)), META_ARTIFACT_DELETING);
    CHECK_INT(collect(k, false).archives, 1);
    CHECK_INT(n_files(k), 0);
    /* … also when the file had been removed. */
    CHECK(run_step(k, spool_digest(sp), claim).done);
    CHECK_INT(collect(k, false).archives, 1);
    CHECK_INT(state_of(k, spool_digest(sp)), 0);
    spool_free(sp);
}

BOTH(a_push_finishes_what_was_interrupted)
{
    struct skill old = kit_push(k, "other", "one");
    drop(k, &old);
    (void)collect(k, true);
    struct spool *sp = kit_archive(k, "one");
    CHECK(run_step(k, spool_digest(sp), claim).done);
    spool_free(sp);
    struct skill s = kit_push(k, "calc", "one");
    check_opens(k, &s);
    CHECK_INT(state_of(k, &s.hash), META_ARTIFACT_LIVE);
    CHECK_INT(collect(k, true).archives, 0);
    check_opens(k, &s);
}

BOTH(what_is_condemned_comes_back_to_life)
{
    struct spool *sp = kit_archive(k, "one");
    CHECK(run_step(k, spool_digest(sp), condemn).done);
    CHECK_INT(state_of(k, spool_digest(sp)), META_ARTIFACT_CONDEMNED);
    struct skill s = kit_push(k, "calc", "one");
    CHECK(digest_eq(&s.hash, spool_digest(sp)));
    CHECK_INT(state_of(k, &s.hash), META_ARTIFACT_LIVE);
    CHECK(!run_step(k, &s.hash, condemn).done); /* a version holds it */
    CHECK(!run_step(k, &s.hash, claim).done);
    check_opens(k, &s);
    spool_free(sp);
}

BOTH(a_held_store_is_left_alone)
{
    int hold;
    struct skill_gc_report r;
    const struct skill_gc o = {.purge_deleted = true};
    struct skill s = kit_push(k, "calc", "one");
    drop(k, &s);
    CHECK_OK(store_hold(k->store, STORE_HOLD_SHARED, &hold, &k->e), &k->e);
    CHECK_ERR(skill_gc(k->service, &o, &r, &k->e), ERR_UNAVAILABLE, &k->e);
    CHECK_CONTAINS(str_c(k->e.msg),
                   STR("a backup, a check or another garbage collection is under way"));
    check_opens(k, &s);
    CHECK_INT(tell(k, true).archives, 1); /* telling harms nobody */
    sys_closep(&hold);
    CHECK_INT(collect(k, true).archives, 1);
}

static void *hold_a_moment(void *arg)
{
    int *hold = arg;
    sys_sleep_ms(50);
    sys_closep(hold);
    return NULL;
}

/* As a push does that finishes what was interrupted. */
BOTH(a_store_held_for_a_moment_is_waited_for)
{
    int hold;
    pthread_t thread;
    struct skill s = kit_push(k, "calc", "one");
    drop(k, &s);
    CHECK_OK(store_hold(k->store, STORE_HOLD_ALONE, &hold, &k->e), &k->e);
    CHECK(pthread_create(&thread, NULL, hold_a_moment, &hold) == 0);
    CHECK_INT(collect(k, true).archives, 1);
    (void)pthread_join(thread, NULL);
}

static bool stop_at_once(void *ctx)
{
    (void)ctx;
    return true;
}

BOTH(it_can_be_told_to_end)
{
    struct skill_gc_report r;
    const struct skill_gc o = {.purge_deleted = true, .stop = stop_at_once};
    struct skill s = kit_push(k, "calc", "one");
    drop(k, &s);
    CHECK_OK(skill_gc(k->service, &o, &r, &k->e), &k->e);
    CHECK_INT(r.versions, 0);
    check_opens(k, &s);
}

static enum err forget(struct meta_txn *t, void *arg, struct error *e)
{
    struct step *s = arg;
    return meta_artifact_forget(t, &s->d, &s->done, e);
}

BOTH(only_what_is_being_deleted_is_forgotten)
{
    struct skill s = kit_push(k, "calc", "one");
    CHECK(!run_step(k, &s.hash, forget).done);
    CHECK_INT(state_of(k, &s.hash), META_ARTIFACT_LIVE);
    struct spool *sp = kit_archive(k, "two");
    CHECK(!run_step(k, spool_digest(sp), forget).done);
    CHECK(run_step(k, spool_digest(sp), condemn).done);
    CHECK(!run_step(k, spool_digest(sp), forget).done);
    CHECK_INT(state_of(k, spool_digest(sp)), META_ARTIFACT_CONDEMNED);
    spool_free(sp);
}

/* The archive goes between its being put and the transaction: the store says so there. */
TEST(a_push_whose_archive_was_collected_puts_it_again)
{
    struct kit k;
    kit_open(&k, true);
    CHECK_OK(store_open_faulty(k.store, &k.store, &k.e), &k.e);
    skill_service_free(k.service);
    CHECK_OK(skill_service_new(k.store, k.meta, NULL, NULL, &k.service, &k.e), &k.e);
    store_faulty_arm(
        k.store, &(struct store_fault){.op = STORE_OP_HEAD, .nth = 2, .times = 1, .sys = ENOENT});
    struct skill s = kit_push(&k, "calc", "one");
    CHECK_INT(store_faulty_calls(k.store, STORE_OP_HEAD), 4);
    check_opens(&k, &s);
    kit_close(&k);
}

/* --- beside pushes --- */

enum { N_CLIENTS = 4, N_TEXTS = 3, N_ROUNDS = 120 };

struct race {
    struct kit *k;
    atomic_int running;
    atomic_bool failed;
    char why[600];
};

struct client {
    struct race *race;
    unsigned number;
};

static void note_failure(struct race *r, const char *what, const struct error *e)
{
    if (!atomic_exchange(&r->failed, true))
        (void)snprintf(r->why, sizeof r->why, "%s: %s", what, e->msg);
}

/* What was acknowledged can be downloaded, whatever was collected meanwhile. */
static bool push_and_delete(struct client *c, struct kit *own, int round)
{
    char name[32], text[16];
    struct skill s, was;
    (void)snprintf(name, sizeof name, "skill%u", c->number);
    (void)snprintf(text, sizeof text, "text %d", (round + (int)c->number) % N_TEXTS);
    kit_forget(own);
    if (kit_try_push(own, name, text, &s) != ERR_OK)
        note_failure(c->race, "push", &own->e);
    else if (opens(own, &s) != ERR_OK)
        note_failure(c->race, "open", &own->e);
    else if (skill_delete(own->service, s.id, STR_NULL, &own->a, &was, &own->e) != ERR_OK)
        note_failure(c->race, "delete", &own->e);
    return !atomic_load(&c->race->failed);
}

static void *run_client(void *arg)
{
    struct client *c = arg;
    const struct kit *k = c->race->k;
    struct kit own = {.store = k->store, .meta = k->meta, .service = k->service};
    arena_init(&own.a, MIB(8));
    for (int round = 0; round < N_ROUNDS && push_and_delete(c, &own, round); round++)
        ;
    arena_deinit(&own.a);
    atomic_fetch_sub(&c->race->running, 1);
    return NULL;
}

BOTH(pushes_and_deletes_beside_collections)
{
    struct race race = {.k = k, .running = N_CLIENTS};
    struct client clients[N_CLIENTS];
    pthread_t threads[N_CLIENTS];
    uint64_t collected = 0;
    for (unsigned i = 0; i < N_CLIENTS; i++) {
        clients[i] = (struct client){&race, i};
        CHECK(pthread_create(&threads[i], NULL, run_client, &clients[i]) == 0);
    }
    while (atomic_load(&race.running) > 0)
        collected += collect(k, true).archives;
    for (unsigned i = 0; i < N_CLIENTS; i++)
        (void)pthread_join(threads[i], NULL);
    if (atomic_load(&race.failed))
        test_fail(__FILE__, __LINE__, "%s", race.why);
    CHECK(collected > 0);
    (void)collect(k, true);
    CHECK_INT(n_files(k), 0);
    CHECK_INT(tell(k, true).archives, 0);
}
