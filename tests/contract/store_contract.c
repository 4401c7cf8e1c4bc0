/* One suite over every store backend: each CONTRACT runs once per backend. */
#include "base/sys.h"
#include "store_kit.h"
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CONTRACT(ident)                                                                            \
    static void contract_##ident(const struct backend *b);                                         \
    TEST(fs_##ident)                                                                               \
    {                                                                                              \
        contract_##ident(&backend_fs);                                                             \
    }                                                                                              \
    TEST(mem_##ident)                                                                              \
    {                                                                                              \
        contract_##ident(&backend_mem);                                                            \
    }                                                                                              \
    TEST(faulty_##ident)                                                                           \
    {                                                                                              \
        contract_##ident(&backend_faulty);                                                         \
    }                                                                                              \
    static void contract_##ident(const struct backend *b)

#define HELLO STR("hello, store")

CONTRACT(what_was_put_is_served)
{
    struct store *s = kit_open(b);
    struct digest d, want = kit_digest(HELLO);
    CHECK(!kit_put(s, HELLO, &d));
    CHECK(digest_eq(&d, &want));
    kit_check_served(s, HELLO);
    CHECK_INT(kit_count(s), 1);
    store_close(s);
}

CONTRACT(an_empty_artifact_is_one_too)
{
    struct store *s = kit_open(b);
    CHECK(!kit_put(s, STR(""), NULL));
    CHECK(kit_put(s, STR(""), NULL));
    kit_check_served(s, STR(""));
    store_close(s);
}

CONTRACT(many_writes_make_one_artifact)
{
    enum { CHUNK = 300000, N = 64 }; /* 19 MB: several write-back steps, none of them even */
    struct store *s = kit_open(b);
    struct error e;
    struct spool *sp = NULL;
    char *all = malloc((size_t)CHUNK * N);
    CHECK(all);
    CHECK_OK(store_spool(s, (uint64_t)CHUNK * N, &sp, &e), &e);
    for (size_t i = 0; i < N; i++) {
        memset(all + i * CHUNK, (int)i, CHUNK);
        CHECK_OK(spool_write(sp, all + i * CHUNK, CHUNK, &e), &e);
    }
    CHECK_OK(spool_seal(sp, &e), &e);
    CHECK_INT(spool_len(sp), CHUNK * N);
    CHECK_OK(store_put(s, sp, NULL, &e), &e);
    spool_free(sp);
    kit_check_served(s, str_of(all, (size_t)CHUNK * N));
    free(all);
    store_close(s);
}

CONTRACT(a_sealed_spool_can_be_read)
{
    struct store *s = kit_open(b);
    struct error e;
    struct spool *sp = kit_spool(s, HELLO);
    char got[32];
    CHECK_INT(spool_len(sp), HELLO.len);
    CHECK_OK(sys_pread_full(spool_fd(sp), got, HELLO.len, 0, &e), &e);
    CHECK_STR(str_of(got, HELLO.len), HELLO);
    spool_free(sp);
    store_close(s);
}

CONTRACT(artifacts_cannot_be_written_through)
{
    struct store *s = kit_open(b);
    struct error e;
    struct digest d;
    struct artifact a;
    kit_put(s, HELLO, &d);
    CHECK_OK(store_open(s, &d, &a, &e), &e);
    CHECK_INT(pwrite(a.fd, "x", 1, 0), -1);
    artifact_deinit(&a);
    CHECK_INT(a.fd, -1);
    store_close(s);
}

static struct stat stat_of(struct store *s, const struct digest *d)
{
    struct error e;
    struct stat st;
    struct artifact a;
    CHECK_OK(store_open(s, d, &a, &e), &e);
    CHECK_OK(sys_fstat(a.fd, &st, &e), &e);
    artifact_deinit(&a);
    return st;
}

CONTRACT(putting_again_rewrites_nothing)
{
    struct store *s = kit_open(b);
    struct digest d;
    CHECK(!kit_put(s, HELLO, &d));
    struct stat before = stat_of(s, &d);
    for (int i = 0; i < 3; i++) {
        kit_settle(); /* the second round finds it remembered as durable */
        CHECK(kit_put(s, HELLO, NULL));
    }
    struct stat after = stat_of(s, &d);
    CHECK_INT(after.st_ino, before.st_ino);
    CHECK_INT(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
    CHECK_INT(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
    CHECK_INT(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
    CHECK_INT(kit_count(s), 1);
    store_close(s);
}

CONTRACT(unknown_artifacts_are_not_found)
{
    struct store *s = kit_open(b);
    struct error e;
    struct digest d = kit_digest(HELLO);
    struct artifact a;
    bool verified = true;
    char hex[SHA256_HEX_LEN + 1];
    digest_to_hex(&d, hex);
    kit_put(s, STR("something else"), NULL);
    CHECK_ERR(store_open(s, &d, &a, &e), ERR_NOT_FOUND, &e);
    CHECK_CONTAINS(str_c(e.msg), str_c(hex));
    CHECK_INT(e.sys, 0);
    CHECK_ERR(store_open_fast(s, &d, &a, &verified, &e), ERR_NOT_FOUND, &e);
    CHECK(!verified);
    CHECK_INT(e.sys, 0);
    CHECK_ERR(store_remove(s, &d, &e), ERR_NOT_FOUND, &e);
    CHECK_INT(e.sys, 0);
    store_close(s);
}

struct seen_lens {
    uint64_t sum;
    size_t n, stop_after;
};

static enum err add_len(void *ctx, const struct store_info *info, struct error *e)
{
    struct seen_lens *l = ctx;
    l->sum += info->len;
    if (++l->n == l->stop_after)
        return FAIL(e, ERR_CANCELLED, "test.enough", "enough");
    return ERR_OK;
}

CONTRACT(each_tells_every_artifact_once)
{
    struct store *s = kit_open(b);
    struct error e;
    struct seen_lens l = {0};
    CHECK_INT(kit_count(s), 0);
    for (size_t i = 0; i < 10; i++)
        kit_put(s, str_of("0123456789", i), NULL);
    CHECK_OK(store_each(s, add_len, &l, &e), &e);
    CHECK_INT(l.n, 10);
    CHECK_INT(l.sum, 45);
    l = (struct seen_lens){.stop_after = 3};
    CHECK_ERR(store_each(s, add_len, &l, &e), ERR_CANCELLED, &e);
    CHECK_INT(l.n, 3);
    store_close(s);
}

/* Whether what was put for sp is still there. */
static bool confirmed(struct store *s, const struct spool *sp)
{
    bool there;
    struct error e;
    CHECK_OK(store_confirm(s, sp, &there, &e), &e);
    return there;
}

CONTRACT(what_was_put_is_confirmed_until_it_is_removed)
{
    struct store *s = kit_open(b);
    struct error e;
    struct spool *first = kit_spool(s, STR("x")), *second = kit_spool(s, STR("x")), *third;
    CHECK_OK(store_put(s, first, NULL, &e), &e);
    CHECK(confirmed(s, first));
    CHECK_OK(store_put(s, second, NULL, &e), &e); /* existed */
    CHECK(confirmed(s, second));
    CHECK_OK(store_remove(s, spool_digest(first), &e), &e);
    CHECK(!confirmed(s, first) && !confirmed(s, second));
    CHECK_OK(spool_copy(first, &third, &e), &e);
    CHECK(digest_eq(spool_digest(third), spool_digest(first)));
    CHECK_OK(store_put(s, third, NULL, &e), &e);
    CHECK(confirmed(s, third));
    CHECK(!confirmed(s, first) && !confirmed(s, second)); /* the same bytes, another file */
    kit_check_served(s, STR("x"));
    spool_free(first);
    spool_free(second);
    spool_free(third);
    store_close(s);
}

CONTRACT(a_spool_is_copied_whole)
{
    struct store *s = kit_open(b);
    struct error e;
    struct spool *sp, *copy;
    char *data = malloc(MIB(1) + 7);
    CHECK(data);
    for (size_t i = 0; i < MIB(1) + 7; i++)
        data[i] = (char)(i * 31 >> 3);
    sp = kit_spool(s, str_of(data, MIB(1) + 7));
    CHECK_OK(spool_copy(sp, &copy, &e), &e);
    CHECK_INT(spool_len(copy), MIB(1) + 7);
    CHECK(digest_eq(spool_digest(sp), spool_digest(copy)));
    spool_free(sp);
    spool_free(copy);
    free(data);
    store_close(s);
}

CONTRACT(a_store_is_held_by_many_or_by_one)
{
    struct store *s = kit_open(b);
    struct error e;
    int one, two, alone;
    CHECK_OK(store_hold(s, STORE_HOLD_SHARED, &one, &e), &e);
    CHECK_OK(store_hold(s, STORE_HOLD_SHARED, &two, &e), &e);
    CHECK_ERR(store_hold(s, STORE_HOLD_ALONE, &alone, &e), ERR_UNAVAILABLE, &e);
    sys_closep(&one);
    CHECK_ERR(store_hold(s, STORE_HOLD_ALONE, &alone, &e), ERR_UNAVAILABLE, &e);
    sys_closep(&two);
    CHECK_OK(store_hold(s, STORE_HOLD_ALONE, &alone, &e), &e);
    CHECK_ERR(store_hold(s, STORE_HOLD_ALONE, &two, &e), ERR_UNAVAILABLE, &e);
    CHECK(!kit_put(s, STR("x"), NULL)); /* pushes need no hold */
    sys_closep(&alone);
    store_close(s);
}

CONTRACT(what_was_removed_is_gone_until_put_again)
{
    struct store *s = kit_open(b);
    struct error e;
    struct digest d;
    struct artifact held;
    char got[32];
    kit_put(s, HELLO, &d);
    kit_put(s, STR("stays"), NULL);
    CHECK_OK(store_open(s, &d, &held, &e), &e);
    CHECK_OK(store_remove(s, &d, &e), &e);
    kit_check_absent(s, &d);
    CHECK_ERR(store_remove(s, &d, &e), ERR_NOT_FOUND, &e);
    CHECK_OK(sys_pread_full(held.fd, got, HELLO.len, 0, &e), &e); /* who holds it can read on */
    CHECK_STR(str_of(got, HELLO.len), HELLO);
    artifact_deinit(&held);
    CHECK_INT(kit_count(s), 1);
    CHECK(!kit_put(s, HELLO, NULL));
    kit_check_served(s, HELLO);
    kit_check_served(s, STR("stays"));
    store_close(s);
}

CONTRACT(a_spool_takes_its_limit_and_no_byte_more)
{
    struct store *s = kit_open(b);
    struct error e;
    struct spool *sp = NULL;
    CHECK_OK(store_spool(s, 10, &sp, &e), &e);
    CHECK_OK(spool_write(sp, "12345", 5, &e), &e);
    CHECK_OK(spool_write(sp, "67890", 5, &e), &e);
    CHECK_OK(spool_write(sp, "", 0, &e), &e);
    CHECK_ERR(spool_write(sp, "x", 1, &e), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_STR(str_c(e.reason), STR("store.too_large"));
    CHECK_CONTAINS(str_c(e.msg), STR("limit of 10 bytes"));
    CHECK_ERR(spool_write(sp, "", 0, &e), ERR_INTERNAL, &e);
    CHECK_ERR(spool_seal(sp, &e), ERR_INTERNAL, &e);
    CHECK_ERR(store_put(s, sp, NULL, &e), ERR_INTERNAL, &e);
    spool_free(sp);
    CHECK_INT(kit_count(s), 0);
    CHECK(!kit_put(s, STR("1234567890"), NULL)); /* exactly the limit */
    store_close(s);
}

CONTRACT(a_spool_is_used_in_order)
{
    struct store *s = kit_open(b), *other = kit_open(&backend_mem);
    struct error e;
    struct spool *sp = NULL;
    bool existed = true;
    CHECK_OK(store_spool(s, 10, &sp, &e), &e);
    CHECK_ERR(store_put(s, sp, NULL, &e), ERR_INTERNAL, &e);
    CHECK_OK(spool_seal(sp, &e), &e);
    CHECK_ERR(spool_seal(sp, &e), ERR_INTERNAL, &e);
    CHECK_ERR(spool_write(sp, "x", 1, &e), ERR_INTERNAL, &e);
    CHECK_ERR(store_put(other, sp, NULL, &e), ERR_INTERNAL, &e);
    CHECK_OK(store_put(s, sp, &existed, &e), &e);
    CHECK(!existed);
    CHECK_OK(store_put(s, sp, &existed, &e), &e);
    CHECK(existed);
    spool_free(sp);
    spool_free(NULL);
    store_close(other);
    store_close(s);
    store_close(NULL);
}

CONTRACT(what_is_not_put_vanishes)
{
    struct store *s = kit_open(b);
    struct error e;
    struct spool *sp = NULL;
    CHECK_OK(store_spool(s, 100, &sp, &e), &e);
    CHECK_OK(spool_write(sp, "half", 4, &e), &e);
    CHECK_INT(kit_count(s), 0);
    spool_free(sp);
    spool_free(kit_spool(s, HELLO));
    CHECK_INT(kit_count(s), 0);
    store_close(s);
}

/* Not served, neither fast nor slow; and told only once, as it is in quarantine then. */
static void check_damaged(struct store *s, str data)
{
    struct error e;
    struct digest d = kit_digest(data);
    struct artifact a;
    bool verified = true;
    CHECK_OK(store_open_fast(s, &d, &a, &verified, &e), &e);
    CHECK(!verified);
    CHECK_INT(a.fd, -1);
    CHECK_ERR(store_open(s, &d, &a, &e), ERR_DATA_LOSS, &e);
    CHECK_INT(a.fd, -1);
    CHECK_INT(e.sys, 0);
    CHECK_CONTAINS(str_c(e.msg), STR("push the skill again"));
    kit_check_absent(s, &d);
    CHECK_INT(kit_count(s), 0);
}

CONTRACT(damaged_bytes_are_never_served_and_a_push_heals)
{
    struct store *s = kit_open(b);
    kit_put(s, HELLO, NULL);
    kit_flip_first_byte(s, HELLO);
    check_damaged(s, HELLO);
    CHECK(!kit_put(s, HELLO, NULL));
    kit_check_served(s, HELLO);
    store_close(s);
}

CONTRACT(another_length_is_damage)
{
    struct store *s = kit_open(b);
    const uint64_t lens[] = {0, 5, HELLO.len + 1};
    for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
        kit_put(s, HELLO, NULL);
        kit_resize(s, HELLO, lens[i]);
        check_damaged(s, HELLO);
    }
    store_close(s);
}

CONTRACT(a_push_over_damage_replaces_it)
{
    struct store *s = kit_open(b);
    kit_put(s, HELLO, NULL);
    kit_settle();
    CHECK(kit_put(s, HELLO, NULL)); /* remembered as durable */
    kit_flip_first_byte(s, HELLO);
    CHECK(!kit_put(s, HELLO, NULL));
    kit_check_served(s, HELLO);
    kit_resize(s, HELLO, 3);
    CHECK(!kit_put(s, HELLO, NULL));
    kit_check_served(s, HELLO);
    CHECK_INT(kit_count(s), 1);
    store_close(s);
}

static bool is_fast(struct store *s, str data)
{
    struct error e;
    struct digest d = kit_digest(data);
    struct artifact a;
    bool verified;
    CHECK_OK(store_open_fast(s, &d, &a, &verified, &e), &e);
    CHECK_INT(a.fd >= 0, verified);
    CHECK_INT(a.len, verified ? data.len : 0);
    artifact_deinit(&a);
    return verified;
}

CONTRACT(hashed_once_then_fast_until_it_changes)
{
    struct store *s = kit_open(b);
    kit_put(s, HELLO, NULL);
    kit_settle();
    CHECK(!is_fast(s, HELLO));
    kit_check_served(s, HELLO);
    CHECK(is_fast(s, HELLO));
    kit_flip_first_byte(s, HELLO);
    CHECK(!is_fast(s, HELLO));
    kit_put(s, HELLO, NULL);
    kit_settle();
    CHECK(!is_fast(s, HELLO)); /* another file now */
    kit_check_served(s, HELLO);
    CHECK(is_fast(s, HELLO));
    store_close(s);
}

/* --- threads --- */

#define N_THREADS 16

struct crowd {
    struct store *s;
    pthread_barrier_t start;
    _Atomic unsigned n_new, n_lost, n_served, next;
    void (*act)(struct crowd *c, unsigned i);
};

static void *crowd_member(void *arg)
{
    struct crowd *c = arg;
    unsigned i = atomic_fetch_add(&c->next, 1);
    pthread_barrier_wait(&c->start);
    c->act(c, i);
    return NULL;
}

static void crowd_run(struct crowd *c)
{
    pthread_t threads[N_THREADS];
    pthread_barrier_init(&c->start, NULL, N_THREADS);
    for (size_t i = 0; i < N_THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, crowd_member, c), 0);
    for (size_t i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&c->start);
}

static void put_same(struct crowd *c, unsigned i)
{
    (void)i;
    c->n_new += !kit_put(c->s, HELLO, NULL);
    kit_check_served(c->s, HELLO);
}

static void put_own(struct crowd *c, unsigned i)
{
    char data[40];
    for (unsigned k = 0; k < 8; k++) {
        int n = snprintf(data, sizeof data, "artifact %u of thread %u", k, i);
        c->n_new += !kit_put(c->s, str_of(data, (size_t)n), NULL);
        c->n_new += !kit_put(c->s, STR("shared by all"), NULL);
        kit_check_served(c->s, str_of(data, (size_t)n));
    }
}

CONTRACT(threads_put_the_same_bytes_once)
{
    struct crowd c = {.s = kit_open(b), .act = put_same};
    crowd_run(&c);
    CHECK_INT(c.n_new, 1);
    CHECK_INT(kit_count(c.s), 1);
    store_close(c.s);
}

CONTRACT(threads_put_what_they_like)
{
    struct crowd c = {.s = kit_open(b), .act = put_own};
    crowd_run(&c);
    CHECK_INT(c.n_new, 8 * N_THREADS + 1);
    CHECK_INT(kit_count(c.s), 8 * N_THREADS + 1);
    store_close(c.s);
}

/* Readers meet damage while others push the good bytes: whoever wins, nothing bad is served and
 * no reader moves a good file away. */
static void heal_or_read(struct crowd *c, unsigned i)
{
    struct error e;
    struct digest d = kit_digest(HELLO);
    struct artifact a;
    if (i % 2) {
        c->n_new += !kit_put(c->s, HELLO, NULL);
        kit_check_served(c->s, HELLO);
        return;
    }
    enum err err = store_open(c->s, &d, &a, &e);
    CHECK(!err || err == ERR_DATA_LOSS || err == ERR_NOT_FOUND);
    c->n_lost += err == ERR_DATA_LOSS;
    c->n_served += err == ERR_OK;
    artifact_deinit(&a);
}

CONTRACT(threads_heal_and_read_damage)
{
    for (int round = 0; round < 10; round++) {
        struct crowd c = {.s = kit_open(b), .act = heal_or_read};
        kit_put(c.s, HELLO, NULL);
        kit_flip_first_byte(c.s, HELLO);
        crowd_run(&c);
        CHECK_INT(c.n_new, 1);
        CHECK(c.n_lost + c.n_served <= N_THREADS / 2);
        CHECK_INT(kit_count(c.s), 1);
        kit_check_served(c.s, HELLO);
        store_close(c.s);
    }
}
