/*
 * What the disk allows: durable files and grouped commits with nothing around them.
 *
 *     bench_floor DIR THREADS SECONDS SIZE
 *
 * Each thread makes files of SIZE bytes in DIR one after the other (unnamed, write, fsync, link,
 * fsync of the directory) and, after each, waits until 1 KB about it is committed to an LMDB
 * database in DIR; one more thread commits all that wait in one transaction. Prints a line of JSON.
 * What it made stays: for half a minute after files are removed ext4 is slower at making new ones,
 * which would fall upon the next measurement.
 */
#include "base/clock.h"
#include "base/macro.h"
#include "base/sys.h"
#include "base/thread.h"
#include "load/histogram.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS_MAX 256
#define RECORD_LEN  1024
#define MAP_SIZE    ((size_t)1 << 34)

struct floor {
    const char *dir;
    size_t size;
    int64_t end_ns;
    _Atomic uint64_t next;
    /* the group: those who wait for `round` to be committed */
    pthread_mutex_t lock;
    pthread_cond_t more, done;
    uint64_t round, n_waiting, n_groups, n_committed;
    uint64_t waiting[THREADS_MAX];
    bool over;
    MDB_env *env;
    MDB_dbi dbi;
    struct histogram durations; /* under the lock */
};

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "bench_floor: %s\n", what);
    exit(1);
}

static void need(bool ok, const char *what)
{
    if (!ok)
        die(what);
}

/* --- files --- */

static void make_file(const struct floor *f, uint64_t n, const char *bytes)
{
    char name[40];
    struct error e;
    CLEANUP(sys_closep) int dir = -1;
    CLEANUP(sys_closep) int fd = -1;
    (void)snprintf(name, sizeof name, "%llu.bin", (unsigned long long)n);
    need(sys_openat(AT_FDCWD, f->dir, O_RDONLY | O_DIRECTORY, 0, &dir, &e) == ERR_OK &&
             sys_open_tmp(dir, &fd, &e) == ERR_OK &&
             sys_pwrite_full(fd, bytes, f->size, 0, &e) == ERR_OK && sys_fsync(fd, &e) == ERR_OK &&
             sys_link_fd(fd, dir, name, &e) == ERR_OK && sys_fsync(dir, &e) == ERR_OK,
         "cannot make a file");
}

/* --- the database --- */

static void open_database(struct floor *f)
{
    MDB_txn *txn;
    need(mdb_env_create(&f->env) == 0 && mdb_env_set_mapsize(f->env, MAP_SIZE) == 0 &&
             mdb_env_open(f->env, f->dir, 0, 0600) == 0 &&
             mdb_txn_begin(f->env, NULL, 0, &txn) == 0 &&
             mdb_dbi_open(txn, NULL, 0, &f->dbi) == 0 && mdb_txn_commit(txn) == 0,
         "cannot open a database");
}

static void commit_group(const struct floor *f, const uint64_t *keys, uint64_t n)
{
    static const char record[RECORD_LEN];
    MDB_txn *txn;
    need(mdb_txn_begin(f->env, NULL, 0, &txn) == 0, "cannot write");
    for (uint64_t i = 0; i < n; i++) {
        uint64_t key = __builtin_bswap64(keys[i]);
        MDB_val k = {sizeof key, &key}, v = {RECORD_LEN, (void *)(uintptr_t)record};
        need(mdb_put(txn, f->dbi, &k, &v, 0) == 0, "cannot put");
    }
    need(mdb_txn_commit(txn) == 0, "cannot commit");
}

static void *writer(void *arg)
{
    struct floor *f = arg;
    uint64_t keys[THREADS_MAX];
    pthread_mutex_lock(&f->lock);
    while (!f->over || f->n_waiting) {
        if (!f->n_waiting) {
            pthread_cond_wait(&f->more, &f->lock);
            continue;
        }
        uint64_t n = f->n_waiting;
        memcpy(keys, f->waiting, n * sizeof *keys);
        f->n_waiting = 0;
        f->n_groups++;
        f->round++;
        pthread_mutex_unlock(&f->lock);
        commit_group(f, keys, n);
        pthread_mutex_lock(&f->lock);
        f->n_committed = f->round;
        pthread_cond_broadcast(&f->done);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

static void commit(struct floor *f, uint64_t n, int64_t began_ns)
{
    pthread_mutex_lock(&f->lock);
    f->waiting[f->n_waiting++] = n;
    uint64_t mine = f->round + 1;
    pthread_cond_signal(&f->more);
    while (f->n_committed < mine)
        pthread_cond_wait(&f->done, &f->lock);
    histogram_add(&f->durations, clock_mono_ns() - began_ns);
    pthread_mutex_unlock(&f->lock);
}

/* --- all of it --- */

static void *maker(void *arg)
{
    struct floor *f = arg;
    char *bytes = malloc(f->size);
    need(bytes != NULL, "no memory");
    for (size_t i = 0; i < f->size; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    for (int64_t now = clock_mono_ns(); now < f->end_ns; now = clock_mono_ns()) {
        uint64_t n = atomic_fetch_add(&f->next, 1);
        make_file(f, n, bytes);
        commit(f, n, now);
    }
    free(bytes);
    return NULL;
}

static void run(struct floor *f, size_t n_threads, int64_t seconds)
{
    pthread_t makers[THREADS_MAX], committer;
    struct error e;
    int64_t began = clock_mono_ns();
    f->end_ns = began + seconds * NS_PER_S;
    need(thread_start("writer", writer, f, &committer, &e) == ERR_OK, "no thread");
    for (size_t i = 0; i < n_threads; i++)
        need(thread_start("maker", maker, f, &makers[i], &e) == ERR_OK, "no thread");
    for (size_t i = 0; i < n_threads; i++)
        pthread_join(makers[i], NULL);
    pthread_mutex_lock(&f->lock);
    f->over = true;
    pthread_cond_signal(&f->more);
    pthread_mutex_unlock(&f->lock);
    pthread_join(committer, NULL);
    double took = (double)(clock_mono_ns() - began) / NS_PER_S;
    printf("{\"done\":%llu,\"per_second\":%.1f,\"group\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
           (unsigned long long)f->durations.n, (double)f->durations.n / took,
           (double)f->durations.n / (double)MAX(f->n_groups, (uint64_t)1),
           (double)histogram_quantile(&f->durations, 0.5) / 1e3,
           (double)histogram_quantile(&f->durations, 0.99) / 1e3);
}

int main(int argc, char **argv)
{
    uint64_t threads, seconds, size;
    if (argc != 5 || !str_to_u64(str_c(argv[2]), &threads) || threads < 1 ||
        threads > THREADS_MAX || !str_to_u64(str_c(argv[3]), &seconds) ||
        !str_to_u64(str_c(argv[4]), &size) || size < 1)
        die("usage: bench_floor DIR THREADS SECONDS SIZE");
    struct floor *f = calloc(1, sizeof *f);
    need(f != NULL, "no memory");
    *f = (struct floor){.dir = argv[1], .size = (size_t)size};
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->more, NULL);
    pthread_cond_init(&f->done, NULL);
    open_database(f);
    run(f, (size_t)threads, (int64_t)seconds);
    mdb_env_close(f->env);
    free(f);
    return 0;
}
