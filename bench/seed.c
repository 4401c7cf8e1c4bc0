/*
 * A store with many skills, for measuring how things go with as many.
 *
 *     bench_seed STORAGE_PATH DB_PATH SKILLS VERSIONS
 *
 * Skill number n is named bench-<n, six digits> and has VERSIONS versions with the tags v1, v2, ….
 * All go through skill_push, like those of clients, but their commits are not made durable. The
 * archives are 1,000 (or fewer, or, when there are more versions than that, as many as those),
 * shared by the skills, so that each version has another one and the store few files. Both
 * directories must be empty or not exist. Prints a line of JSON.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/sys.h"
#include "base/thread.h"
#include "load/load.h"
#include "meta/meta.h"
#include "skill/skill.h"
#include "store/store.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define N_THREADS    64 /* they share commits */
#define N_ARCHIVES   1000
#define ARCHIVE_SIZE 900
#define ARENA_MAX    MIB(1)
#define STEP_NS      NS_PER_S /* between two lines of progress */

struct seed {
    uint64_t skills, versions, archives;
    struct store *store;
    struct meta *meta;
    struct skill_service *service;
    _Atomic uint64_t next, done; /* skills begun, versions made */
    atomic_bool failed;
    struct error e; /* of the first that failed */
};

/* --- pushing --- */

static enum err spool_archive(const struct seed *s, uint64_t n, struct spool **ret, struct error *e)
{
    CLEANUP(buf_deinit) struct buf b;
    buf_init(&b, KIB(64));
    make_archive(&b, n, ARCHIVE_SIZE);
    TRY(buf_status(&b, e));
    TRY(store_spool(s->store, b.len, ret, e));
    TRY(spool_write(*ret, b.p, b.len, e));
    return spool_seal(*ret, e);
}

static enum err push_one(const struct seed *s, uint64_t skill, uint64_t version, struct error *e)
{
    char name[32], tag[32];
    struct skill pushed;
    struct spool *spool = NULL;
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, ARENA_MAX);
    (void)snprintf(name, sizeof name, SEED_SLUG, skill);
    (void)snprintf(tag, sizeof tag, SEED_TAG, version);
    const struct skill_push in = {.name = str_c(name), .tag = str_c(tag)};
    uint64_t archive = (skill * s->versions + version) % s->archives;
    enum err err = spool_archive(s, archive, &spool, e);
    if (err == ERR_OK)
        err = skill_push(s->service, &in, spool, &a, &pushed, e);
    spool_free(spool);
    return err;
}

static enum err push_skill(struct seed *s, uint64_t skill, struct error *e)
{
    for (uint64_t v = 1; v <= s->versions; v++) {
        TRY(push_one(s, skill, v, e));
        atomic_fetch_add(&s->done, 1);
    }
    return ERR_OK;
}

static void *worker(void *arg)
{
    struct seed *s = arg;
    struct error e;
    for (uint64_t n = atomic_fetch_add(&s->next, 1); n < s->skills && !atomic_load(&s->failed);
         n = atomic_fetch_add(&s->next, 1))
        if (push_skill(s, n, &e) != ERR_OK && !atomic_exchange(&s->failed, true))
            s->e = e;
    return NULL;
}

/* --- all of it --- */

static enum err check_empty(const char *dir, struct error *e)
{
    if (rmdir(dir) != 0 && access(dir, F_OK) == 0)
        return FAIL(e, ERR_FAILED_PRECONDITION, "seed.not_empty", "%s is there and not empty", dir);
    return ERR_OK;
}

static enum err open_all(struct seed *s, const char *storage, const char *db, struct error *e)
{
    const struct meta_lmdb_options o = {.no_sync = true};
    TRY(check_empty(storage, e));
    TRY(check_empty(db, e));
    TRY(store_open_fs(storage, &s->store, e));
    TRY(meta_open_lmdb(db, &o, &s->meta, e));
    return skill_service_new(s->store, s->meta, NULL, NULL, &s->service, e);
}

static void close_all(struct seed *s)
{
    skill_service_free(s->service);
    meta_close(s->meta);
    store_close(s->store);
}

static void tell_progress(const struct seed *s)
{
    uint64_t all = s->skills * s->versions;
    while (isatty(STDERR_FILENO) && atomic_load(&s->done) < all && !atomic_load(&s->failed)) {
        (void)fprintf(stderr, "\r%" PRIu64 " of %" PRIu64, atomic_load(&s->done), all);
        (void)usleep(STEP_NS / 1000);
    }
}

static enum err run(struct seed *s, struct error *e)
{
    pthread_t threads[N_THREADS];
    int64_t began = clock_mono_ns();
    for (size_t i = 0; i < N_THREADS; i++)
        TRY(thread_start("seed", worker, s, &threads[i], e));
    tell_progress(s);
    for (size_t i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    if (atomic_load(&s->failed)) {
        *e = s->e;
        return e->code;
    }
    printf("{\"skills\":%" PRIu64 ",\"versions\":%" PRIu64 ",\"seconds\":%.1f}\n", s->skills,
           s->skills * s->versions, (double)(clock_mono_ns() - began) / NS_PER_S);
    return ERR_OK;
}

int main(int argc, char **argv)
{
    static struct seed s;
    struct error e;
    if (argc != 5 || !str_to_u64(str_c(argv[3]), &s.skills) || s.skills < 1 ||
        !str_to_u64(str_c(argv[4]), &s.versions) || s.versions < 1) {
        (void)fprintf(stderr, "usage: bench_seed STORAGE_PATH DB_PATH SKILLS VERSIONS\n");
        return 2;
    }
    log_setup(LOG_LEVEL_WARN, LOG_FORMAT_AUTO, STDERR_FILENO);
    s.archives = MAX(MIN(s.skills * s.versions, (uint64_t)N_ARCHIVES), s.versions);
    enum err err = open_all(&s, argv[1], argv[2], &e);
    if (err == ERR_OK)
        err = run(&s, &e);
    close_all(&s);
    if (err != ERR_OK)
        (void)fprintf(stderr, "bench_seed: %s\n", e.msg);
    return err == ERR_OK ? 0 : 1;
}
