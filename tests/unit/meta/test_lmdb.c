/* What only a database on disk can show. */
#include "meta/record.h"
#include "stigmer/storage/v1/record.pb-c.h"
#include "test.h"

#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct error e;

static const char *path(const char *name)
{
    static char p[200];
    (void)snprintf(p, sizeof p, "%s/%s", test_dir(), name);
    return p;
}

static struct meta *open_db(const struct meta_lmdb_options *options)
{
    struct meta *m = NULL;
    CHECK_OK(meta_open_lmdb(path("a/db"), options, &m, &e), &e);
    return m;
}

static void check_mode(const char *name, mode_t want)
{
    struct stat st;
    CHECK(stat(path(name), &st) == 0);
    CHECK_INT(st.st_mode & 07777, want);
}

TEST(nobody_else_can_read_the_files)
{
    umask(0);
    meta_close(open_db(NULL));
    check_mode("a", 0700);
    check_mode("a/db", 0700);
    check_mode("a/db/data.mdb", 0600);
    check_mode("a/db/lock.mdb", 0600);
}

static enum err write_schema(struct meta_txn *t, void *arg, struct error *er)
{
    struct meta_key key = META_KEY_INIT;
    Stigmer__Storage__V1__SchemaRecord m = STIGMER__STORAGE__V1__SCHEMA_RECORD__INIT;
    m.version = *(const uint32_t *)arg;
    key_add(&key, STR("schema"));
    return record_put_message(t, META_INFO, &key, &m.base, er);
}

TEST(a_newer_schema_is_refused_with_a_sentence)
{
    struct meta *m = open_db(NULL);
    struct meta_lmdb_options ro = {.read_only = true};
    uint32_t newer = META_SCHEMA_VERSION + 1, same = META_SCHEMA_VERSION;
    CHECK_OK(meta_write(m, write_schema, &same, &e), &e);
    meta_close(m);
    m = open_db(NULL);
    CHECK_OK(meta_write(m, write_schema, &newer, &e), &e);
    meta_close(m);
    CHECK_ERR(meta_open_lmdb(path("a/db"), NULL, &m, &e), ERR_FAILED_PRECONDITION, &e);
    CHECK_STR(str_c(e.msg),
              STR("the database was written by a newer stigmer-server (schema 4, this "
                  "one knows up to 3); start that version or a later one"));
    CHECK_ERR(meta_open_lmdb(path("a/db"), &ro, &m, &e), ERR_FAILED_PRECONDITION, &e);
}

TEST(reading_needs_a_database)
{
    struct meta *m;
    struct meta_lmdb_options ro = {.read_only = true};
    CHECK_ERR(meta_open_lmdb(path("nowhere"), &ro, &m, &e), ERR_NOT_FOUND, &e);
    CHECK(mkdir(path("empty"), 0700) == 0);
    CHECK_ERR(meta_open_lmdb(path("empty"), &ro, &m, &e), ERR_NOT_FOUND, &e);
}

TEST(a_directory_that_cannot_be_made_is_an_error)
{
    struct meta *m;
    int fd = open(path("file"), O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0);
    close(fd);
    CHECK(meta_open_lmdb(path("file/db"), NULL, &m, &e) != ERR_OK);
    CHECK(e.sys != 0); /* the operator's, no client's */
}

TEST(a_file_that_is_no_database_is_refused)
{
    struct meta *m;
    static char junk[8192];
    memset(junk, 'j', sizeof junk);
    CHECK(mkdir(path("db"), 0700) == 0);
    int fd = open(path("db/data.mdb"), O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0 && write(fd, junk, sizeof junk) == (ssize_t)sizeof junk);
    close(fd);
    CHECK_ERR(meta_open_lmdb(path("db"), NULL, &m, &e), ERR_INTERNAL, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("the database cannot be opened"));
}

/* A database as a server that did not know the table yet has left it. */
static void drop_table(const char *name)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    CHECK_INT(mdb_env_create(&env), 0);
    CHECK_INT(mdb_env_set_maxdbs(env, 1), 0);
    CHECK_INT(mdb_env_open(env, path("a/db"), 0, 0600), 0);
    CHECK_INT(mdb_txn_begin(env, NULL, 0, &txn), 0);
    CHECK_INT(mdb_dbi_open(txn, name, 0, &dbi), 0);
    CHECK_INT(mdb_drop(txn, dbi, 1), 0);
    CHECK_INT(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static enum err look_into_files(struct meta *m)
{
    struct arena a;
    struct meta_file file;
    struct digest d = {{1}};
    struct meta_key all = META_KEY_INIT;
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    CLEANUP(scan_close) struct scan s = SCAN_INIT;
    arena_init(&a, KIB(16));
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    CHECK_ERR(meta_files_get(&t, &d, 0, 1, &a, &file, &e), ERR_DATA_LOSS, &e);
    CHECK_OK(scan_open(&s, &t, META_FILES, &all, &e), &e);
    return scan_seek(&s, &all, &e);
}

TEST(a_missing_table_reads_as_empty_and_is_made_by_who_writes)
{
    struct meta_lmdb_options ro = {.read_only = true};
    meta_close(open_db(NULL));
    drop_table("by_archive");
    struct meta *m = open_db(&ro);
    CHECK_ERR(look_into_files(m), ERR_NOT_FOUND, &e);
    meta_close(m);
    meta_close(open_db(NULL));
    m = open_db(&ro);
    CHECK_ERR(look_into_files(m), ERR_NOT_FOUND, &e);
    meta_close(m);
    drop_table("by_archive"); /* it was there */
    drop_table("info");
    CHECK_ERR(meta_open_lmdb(path("a/db"), &ro, &m, &e), ERR_FAILED_PRECONDITION, &e);
    CHECK_STR(str_c(e.msg), STR("the directory holds no stigmer database"));
}

/* --- a full database --- */

struct text {
    uint64_t n;
    size_t len;
};

static enum err put_text(struct meta_txn *t, void *arg, struct error *er)
{
    static char bytes[100000];
    const struct text *x = arg;
    return meta_text_put(t, 1, x->n, str_of(bytes, x->len), er);
}

static bool has_text(struct meta *m, uint64_t n)
{
    str got;
    struct arena a;
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    arena_init(&a, MIB(1));
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    enum err err = meta_text_get(&t, 1, n, &a, &got, &e);
    CHECK(err == ERR_OK || err == ERR_NOT_FOUND);
    arena_deinit(&a);
    return err == ERR_OK;
}

static enum err del_text(struct meta_txn *t, void *arg, struct error *er)
{
    const struct text *x = arg;
    struct meta_key key = META_KEY_INIT;
    key_add_u64(&key, 1);
    key_add_u64(&key, x->n);
    return record_del(t, META_TEXTS, &key, er);
}

/* Writes texts of 100,000 bytes until that is refused; how many there are then. */
static uint64_t fill(struct meta *m, const char *why)
{
    struct text x = {.n = 0, .len = 100000};
    enum err err;
    while ((err = meta_write(m, put_text, &x, &e)) == ERR_OK)
        x.n++;
    CHECK_ERR(err, ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_CONTAINS(str_c(e.msg), str_c(why));
    CHECK_INT(e.sys, 0);
    CHECK_ERR(meta_ready(m, true, &e), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK(meta_writable(m));
    for (uint64_t i = 0; i < x.n; i++)
        CHECK(has_text(m, i));
    CHECK(!has_text(m, x.n));
    return x.n;
}

/* Deletes go on in what is full, one commit each, and make room. */
static void check_deletes_make_room(struct meta *m, uint64_t n)
{
    struct text x = {.n = n, .len = 100000};
    for (uint64_t i = 0; i < n; i++)
        CHECK_OK(meta_write_freeing(m, del_text, &(struct text){.n = i}, &e), &e);
    CHECK_OK(meta_ready(m, true, &e), &e);
    CHECK_OK(meta_write(m, put_text, &x, &e), &e);
    CHECK(has_text(m, n) && !has_text(m, 0));
}

TEST(a_full_map_refuses_and_deletes_make_room)
{
    struct meta_lmdb_options small = {.map_size = MIB(1)};
    struct meta *m = open_db(&small);
    uint64_t n = fill(m, "the server's database is full");
    CHECK(n >= 5 && n < 11);
    struct text little = {.n = 1000, .len = 10};
    CHECK_ERR(meta_write(m, put_text, &little, &e), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_OK(meta_write_freeing(m, put_text, &little, &e), &e);
    check_deletes_make_room(m, n);
    meta_close(m);
}

TEST(a_full_map_can_be_opened_again_and_a_larger_one_helps)
{
    struct meta_lmdb_options small = {.map_size = MIB(1)};
    struct meta *m = open_db(&small);
    uint64_t n = fill(m, "the server's database is full");
    meta_close(m);
    m = open_db(&small);
    CHECK_ERR(meta_ready(m, true, &e), ERR_RESOURCE_EXHAUSTED, &e);
    meta_close(m);
    m = open_db(NULL);
    CHECK_OK(meta_write(m, put_text, &(struct text){.n = n, .len = 100000}, &e), &e);
    CHECK(has_text(m, 0) && has_text(m, n));
    meta_close(m);
}

TEST(a_full_disk_refuses_and_deletes_make_room)
{
    test_mount("tmpfs", "size=8m");
    struct meta *m = open_db(NULL);
    uint64_t n = fill(m, "the disk of the server's database is full");
    CHECK(n > 50 && n < 84);
    check_deletes_make_room(m, n);
    meta_close(m);
}

/* Takes what is left of the disk. */
static int hog(void)
{
    static char bytes[65536];
    int fd = open(path("hog"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    while (write(fd, bytes, sizeof bytes) > 0)
        ;
    return fd;
}

TEST(others_cannot_take_the_room_that_deletes_need)
{
    test_mount("tmpfs", "size=8m");
    struct meta *m = open_db(NULL);
    for (uint64_t i = 0; i < 60; i++)
        CHECK_OK(meta_write(m, put_text, &(struct text){.n = i, .len = 1000}, &e), &e);
    int fd = hog();
    struct text more = {.n = 1000, .len = 3000};
    enum err err;
    for (; (err = meta_write(m, put_text, &more, &e)) == ERR_OK; more.n++)
        CHECK(more.n < 3000); /* from what was reserved ahead */
    CHECK_ERR(err, ERR_RESOURCE_EXHAUSTED, &e);
    for (uint64_t i = 0; i < 60; i++)
        CHECK_OK(meta_write_freeing(m, del_text, &(struct text){.n = i}, &e), &e);
    CHECK(!has_text(m, 59) && has_text(m, 1000));
    CHECK(meta_writable(m));
    CHECK_INT(meta_failures(m), 0);
    CHECK(ftruncate(fd, 0) == 0);
    close(fd);
    CHECK_OK(meta_write(m, put_text, &more, &e), &e); /* by itself */
    meta_close(m);
}

TEST(a_database_opens_on_a_full_disk)
{
    test_mount("tmpfs", "size=8m");
    meta_close(open_db(NULL));
    struct meta *m = open_db(NULL);
    CHECK_OK(meta_write(m, put_text, &(struct text){.n = 1, .len = 10}, &e), &e);
    meta_close(m);
    close(hog());
    m = open_db(NULL);
    CHECK(has_text(m, 1));
    CHECK_OK(meta_write_freeing(m, del_text, &(struct text){.n = 1}, &e), &e);
    meta_close(m);
}

/* --- other processes --- */

/* A child that runs fn and reports one byte at a time on the returned descriptor. */
static pid_t spawn(void (*fn)(int out), int *ret_fd)
{
    int p[2];
    CHECK(pipe(p) == 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(p[0]);
        fn(p[1]);
        _exit(0);
    }
    close(p[1]);
    *ret_fd = p[0];
    return pid;
}

static void server_with_one_text(int out)
{
    struct meta *m = open_db(NULL);
    CHECK_OK(meta_write(m, put_text, &(struct text){1, 10}, &e), &e);
    CHECK(write(out, "1", 1) == 1);
    for (uint64_t n = 2;; n++) /* and goes on writing until it is killed */
        CHECK_OK(meta_write(m, put_text, &(struct text){n, 10}, &e), &e);
}

TEST(reading_beside_a_running_server)
{
    int fd;
    char byte;
    struct meta_lmdb_options ro = {.read_only = true};
    pid_t pid = spawn(server_with_one_text, &fd);
    CHECK(read(fd, &byte, 1) == 1);
    struct meta *m = open_db(&ro);
    CHECK(has_text(m, 1));
    CHECK(!meta_writable(m));
    CHECK_ERR(meta_write(m, put_text, &(struct text){5, 10}, &e), ERR_FAILED_PRECONDITION, &e);
    for (uint64_t n = 2; n < 50; n++) /* what it writes meanwhile appears */
        while (!has_text(m, n))
            ;
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK(waitpid(pid, NULL, 0) == pid);
    CHECK(has_text(m, 49));
    meta_close(m);
    close(fd);
}

enum { N_THREADS = 8 };

struct writer_thread {
    pthread_t thread;
    struct meta *m;
    int out;
    uint64_t first;
};

/* Reports each number once it is durable. */
static void *write_and_report(void *arg)
{
    const struct writer_thread *w = arg;
    struct error er;
    for (uint64_t n = w->first;; n += N_THREADS) {
        CHECK_OK(meta_write(w->m, put_text, &(struct text){n, 100 + n % 9000}, &er), &er);
        CHECK(write(w->out, &n, sizeof n) == (ssize_t)sizeof n);
    }
}

static void many_writers(int out)
{
    static struct writer_thread ws[N_THREADS];
    struct meta *m = open_db(NULL);
    for (int i = 0; i < N_THREADS; i++) {
        ws[i] = (struct writer_thread){.m = m, .out = out, .first = (uint64_t)i + 1};
        CHECK(pthread_create(&ws[i].thread, NULL, write_and_report, &ws[i]) == 0);
    }
    pthread_join(ws[0].thread, NULL);
}

/* Kills a writing process after some reports; how many are known then. */
static size_t kill_in_the_midst(uint64_t *acknowledged, size_t max, size_t kill_after)
{
    int fd;
    size_t n = 0;
    pid_t pid = spawn(many_writers, &fd);
    while (n < max && read(fd, &acknowledged[n], sizeof *acknowledged) == sizeof *acknowledged)
        if (++n == kill_after)
            CHECK(kill(pid, SIGKILL) == 0);
    CHECK(waitpid(pid, NULL, 0) == pid);
    close(fd);
    return n;
}

TEST(what_was_acknowledged_survives_kill_9)
{
    static uint64_t acknowledged[20000];
    for (size_t round = 1; round <= 5; round++) {
        size_t n = kill_in_the_midst(acknowledged, ARRAY_SIZE(acknowledged), 150 * round);
        CHECK(n >= 150 * round && n < ARRAY_SIZE(acknowledged));
        struct meta *m = open_db(NULL);
        for (size_t i = 0; i < n; i++)
            CHECK(has_text(m, acknowledged[i]));
        CHECK_OK(meta_write(m, put_text, &(struct text){999999 + round, 10}, &e), &e);
        meta_close(m);
    }
}

/* --- readers --- */

TEST(more_readers_at_once_than_are_kept_for_reuse)
{
    enum { N = 200 };
    static struct meta_txn ts[N];
    struct meta *m = open_db(NULL);
    CHECK_OK(meta_write(m, put_text, &(struct text){1, 10}, &e), &e);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++)
            CHECK_OK(meta_read_begin(m, &ts[i], &e), &e);
        CHECK(has_text(m, 1));
        for (int i = 0; i < N; i++)
            meta_read_end(&ts[i]);
    }
    meta_close(m);
}

TEST(too_many_readers_are_refused_and_room_comes_back)
{
    enum { N = 1100 };
    static struct meta_txn ts[N];
    struct meta *m = open_db(NULL);
    int n = 0;
    while (n < N && meta_read_begin(m, &ts[n], &e) == ERR_OK)
        n++;
    CHECK(n > 900 && n < N);
    CHECK_INT(e.code, ERR_RESOURCE_EXHAUSTED);
    CHECK_CONTAINS(str_c(e.msg), STR("too many readers"));
    ts[n].b = NULL;
    while (n > 0)
        meta_read_end(&ts[--n]);
    CHECK(!has_text(m, 1));
    meta_close(m);
}
