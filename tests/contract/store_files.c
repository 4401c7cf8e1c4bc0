/* What only the file backend promises: names, modes, processes, full disks, strange entries. */
#include "base/buf.h"
#include "base/sys.h"
#include "store_kit.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELLO STR("hello, files")

static struct stat stat_of(const char *name)
{
    struct error e;
    struct stat st;
    CHECK_OK(sys_fstatat(test_dirfd(), name, AT_SYMLINK_NOFOLLOW, &st, &e), &e);
    return st;
}

static int mode_of(const char *name)
{
    return (int)stat_of(name).st_mode & 07777;
}

/* The path of an artifact below test_dir(). */
static const char *path_of(str data)
{
    static char path[STORE_KEY_MAX];
    struct digest d = kit_digest(data);
    store_key(&d, path);
    return path;
}

TEST(the_file_is_where_operators_look)
{
    struct error e;
    struct store *s = kit_open(&backend_fs);
    CLEANUP(sys_closep) int fd = -1;
    char got[32];
    size_t n;
    kit_put(s, HELLO, NULL);
    CHECK_OK(sys_openat(test_dirfd(), path_of(HELLO), O_RDONLY, 0, &fd, &e), &e);
    CHECK_OK(sys_pread(fd, got, sizeof got, 0, &n, &e), &e);
    CHECK_STR(str_of(got, n), HELLO);
    CHECK_INT(stat_of(path_of(HELLO)).st_nlink, 1);
    store_close(s);
}

TEST(another_store_on_the_directory_sees_the_same)
{
    struct store *s = kit_open(&backend_fs), *t = kit_open(&backend_fs);
    CHECK(!kit_put(s, HELLO, NULL));
    kit_check_served(t, HELLO);
    CHECK(kit_put(t, HELLO, NULL));
    store_close(s);
    kit_check_served(t, HELLO);
    store_close(t);
}

static void check_modes(mode_t mask)
{
    char dir[200];
    struct error e;
    struct store *s = NULL;
    (void)snprintf(dir, sizeof dir, "%s/a%o/b", test_dir(), (unsigned)mask);
    umask(mask);
    CHECK_OK(store_open_fs(dir, &s, &e), &e);
    kit_put(s, HELLO, NULL);
    umask(022);
    (void)snprintf(dir, sizeof dir, "a%o/b/%s", (unsigned)mask, path_of(HELLO));
    CHECK_INT(mode_of(dir), 0600);
    for (char *cut = strrchr(dir, '/'); cut; cut = strrchr(dir, '/')) {
        *cut = '\0';
        CHECK_INT(mode_of(dir), 0700);
    }
    store_close(s);
}

TEST(modes_whatever_the_umask)
{
    check_modes(0);
    check_modes(022);
    check_modes(0177);
    check_modes(0777);
}

TEST(directories_that_were_open_to_others_are_closed)
{
    struct error e;
    CHECK_OK(sys_mkdirat(test_dirfd(), "skills", 0755, &e), &e);
    CHECK_OK(sys_mkdirat(test_dirfd(), "quarantine", 0777, &e), &e);
    store_close(kit_open(&backend_fs));
    CHECK_INT(mode_of("skills"), 0700);
    CHECK_INT(mode_of("quarantine"), 0700);
}

TEST(damage_is_kept_for_the_operator)
{
    struct store *s = kit_open(&backend_fs);
    struct error e;
    struct digest d = kit_digest(HELLO);
    struct artifact a;
    kit_put(s, HELLO, NULL);
    kit_resize(s, HELLO, 5);
    CHECK_ERR(store_open(s, &d, &a, &e), ERR_DATA_LOSS, &e);
    kit_put(s, HELLO, NULL);
    kit_flip_first_byte(s, HELLO);
    CHECK(!kit_put(s, HELLO, NULL)); /* found by a push this time */
    CHECK_INT(kit_n_entries("quarantine"), 2);
    CHECK_INT(kit_n_entries("skills"), 1);
    store_close(s);
}

/* What the log says of a piece of work. */
static void logged(void (*work)(void), char *out, size_t max)
{
    int p[2];
    size_t n;
    struct error e;
    CHECK_INT(pipe(p), 0);
    int err = dup(2);
    dup2(p[1], 2);
    close(p[1]);
    work();
    dup2(err, 2);
    close(err);
    CHECK_OK(sys_read(p[0], out, max - 1, &n, &e), &e);
    out[n] = '\0';
    close(p[0]);
}

static void heal_by_push(void)
{
    struct store *s = kit_open(&backend_fs);
    kit_put(s, HELLO, NULL);
    kit_flip_first_byte(s, HELLO);
    kit_put(s, HELLO, NULL);
    store_close(s);
}

TEST(damage_is_logged_with_its_hash)
{
    char log[2000], hex[SHA256_HEX_LEN + 1];
    struct digest d = kit_digest(HELLO);
    digest_to_hex(&d, hex);
    logged(heal_by_push, log, sizeof log);
    CHECK_CONTAINS(str_c(log), STR("damaged artifact quarantined"));
    CHECK_CONTAINS(str_c(log), str_c(hex));
}

/* --- what else may have the name --- */

static void make_dir(const char *name)
{
    CHECK_INT(mkdirat(test_dirfd(), name, 0700), 0);
}

static void make_link(const char *name)
{
    CHECK_INT(symlinkat("/etc/passwd", test_dirfd(), name), 0);
}

static void make_dangling_link(const char *name)
{
    CHECK_INT(symlinkat("nowhere", test_dirfd(), name), 0);
}

static void make_fifo(const char *name)
{
    CHECK_INT(mkfifoat(test_dirfd(), name, 0600), 0);
}

static void make_socket(const char *name)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(chdir(test_dir()), 0);
    (void)snprintf(sa.sun_path, sizeof sa.sun_path, "%s", name);
    CHECK_INT(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    close(fd);
}

static void make_other_file(const char *name)
{
    int fd = openat(test_dirfd(), name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    CHECK_INT(write(fd, "planted", 7), 7);
    close(fd);
}

static void (*const intruders[])(const char *) = {make_dir,  make_link,   make_dangling_link,
                                                  make_fifo, make_socket, make_other_file};

TEST(what_is_no_artifact_is_never_served)
{
    struct store *s = kit_open(&backend_fs);
    struct digest d = kit_digest(HELLO);
    struct error e;
    struct artifact a;
    bool verified = true;
    for (size_t i = 0; i < ARRAY_SIZE(intruders); i++) {
        intruders[i](path_of(HELLO));
        CHECK_OK(store_open_fast(s, &d, &a, &verified, &e), &e);
        CHECK(!verified);
        CHECK_ERR(store_open(s, &d, &a, &e), ERR_DATA_LOSS, &e);
        CHECK_INT(a.fd, -1);
        kit_check_absent(s, &d);
        CHECK_INT(kit_n_entries("quarantine"), i + 1);
    }
    store_close(s);
}

TEST(a_push_replaces_what_is_no_artifact)
{
    struct store *s = kit_open(&backend_fs);
    struct error e;
    struct digest d = kit_digest(HELLO);
    for (size_t i = 0; i < ARRAY_SIZE(intruders); i++) {
        intruders[i](path_of(HELLO));
        CHECK_INT(kit_count(s), intruders[i] == make_other_file);
        CHECK(!kit_put(s, HELLO, NULL));
        kit_check_served(s, HELLO);
        CHECK_OK(store_remove(s, &d, &e), &e);
    }
    store_close(s);
}

TEST(other_names_are_not_listed)
{
    struct store *s = kit_open(&backend_fs);
    char upper[] = "skills/ABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCD.zip";
    kit_put(s, HELLO, NULL);
    make_other_file("skills/README");
    make_other_file("skills/abc.zip");
    make_other_file(upper);
    CHECK_INT(kit_count(s), 1);
    store_close(s);
}

/* --- processes --- */

static void wait_for(pid_t pid)
{
    int status;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void hold_spools(int ready)
{
    struct error e;
    struct store *s = kit_open(&backend_fs);
    struct spool *sp;
    CHECK_OK(store_spool(s, 100, &sp, &e), &e);
    CHECK_OK(spool_write(sp, "half of it", 10, &e), &e);
    CHECK(kit_spool(s, HELLO));
    CHECK_INT(write(ready, "x", 1), 1);
    pause();
}

TEST(a_killed_process_leaves_nothing)
{
    int p[2];
    char c;
    CHECK_INT(pipe(p), 0);
    pid_t pid = fork();
    if (pid == 0) {
        hold_spools(p[1]);
        _exit(1);
    }
    CHECK_INT(read(p[0], &c, 1), 1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    CHECK_INT(kit_n_entries("skills"), 0);
    CHECK_INT(kit_n_entries("quarantine"), 0);
    struct store *s = kit_open(&backend_fs);
    CHECK(!kit_put(s, HELLO, NULL));
    store_close(s);
}

static void put_many(void)
{
    struct store *s = kit_open(&backend_fs);
    char data[16];
    for (int i = 0; i < 50; i++) {
        int n = snprintf(data, sizeof data, "data %d", i);
        kit_put(s, str_of(data, (size_t)n), NULL);
        kit_check_served(s, str_of(data, (size_t)n));
    }
    store_close(s);
}

TEST(processes_put_the_same_bytes)
{
    pid_t pids[4];
    for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            put_many();
            _exit(0);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
        wait_for(pids[i]);
    struct store *s = kit_open(&backend_fs);
    CHECK_INT(kit_count(s), 50);
    CHECK_INT(kit_n_entries("skills"), 50);
    CHECK_INT(kit_n_entries("quarantine"), 0);
    store_close(s);
}

/* --- disks --- */

TEST(a_full_disk_refuses_and_recovers)
{
    test_mount("tmpfs", "size=1m");
    struct store *s = kit_open(&backend_fs);
    struct error e;
    struct spool *sp = NULL;
    char *data = calloc(1, MIB(2));
    CHECK(data);
    kit_put(s, HELLO, NULL);
    CHECK_OK(store_spool(s, MIB(2), &sp, &e), &e);
    CHECK_ERR(spool_write(sp, data, MIB(2), &e), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("storage is full"));
    CHECK_INT(e.sys, 0);
    spool_free(sp);
    CHECK_INT(kit_count(s), 1);
    CHECK(!kit_put(s, str_of(data, KIB(512)), NULL)); /* its space was given back */
    kit_check_served(s, HELLO);
    free(data);
    store_close(s);
}

TEST(a_disk_without_inodes_refuses_and_recovers)
{
    test_mount("tmpfs", "nr_inodes=7"); /* the root, two directories, a lock, three files */
    struct store *s = kit_open(&backend_fs);
    struct error e;
    struct digest d;
    struct spool *sp = NULL;
    kit_put(s, HELLO, &d);
    kit_put(s, STR("2"), NULL);
    kit_put(s, STR("3"), NULL);
    CHECK_ERR(store_spool(s, 1, &sp, &e), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_STR(str_c(e.reason), STR("store.full"));
    CHECK(!sp);
    CHECK_OK(store_remove(s, &d, &e), &e);
    CHECK(!kit_put(s, STR("4"), NULL));
    store_close(s);
}

/* The reserve is what others, and deletes, still find. */
TEST(a_push_is_refused_before_the_disk_is_full)
{
    test_mount("tmpfs", "size=4m");
    struct store *s = kit_open(&backend_fs);
    struct error e;
    struct digest d;
    struct spool *sp = NULL;
    char *data = calloc(1, MIB(4));
    CHECK(data);
    store_set_reserve(s, &(struct store_reserve){.bytes = KIB(200), .files = 10});
    CHECK(!kit_put(s, str_of(data, KIB(3900)), &d)); /* 196 KiB are left */
    CHECK_ERR(store_check_room(s, &e), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_ERR(store_spool(s, 1, &sp, &e), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_STR(str_c(e.reason), STR("store.full"));
    kit_check_served(s, str_of(data, KIB(3900)));
    CHECK_OK(store_remove(s, &d, &e), &e);
    CHECK_OK(store_check_room(s, &e), &e);
    kit_put(s, HELLO, NULL);
    free(data);
    store_close(s);
}

TEST(a_long_upload_is_refused_while_it_comes)
{
    test_mount("tmpfs", "size=24m");
    struct store *s = kit_open(&backend_fs);
    struct error e;
    struct spool *sp = NULL;
    char *data = calloc(1, MIB(1));
    size_t n = 0;
    CHECK(data);
    store_set_reserve(s, &(struct store_reserve){.bytes = MIB(1), .files = 10});
    CHECK_OK(store_spool(s, MIB(100), &sp, &e), &e);
    int other = openat(test_dirfd(), "other", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(posix_fallocate(other, 0, (off_t)KIB(16600)) == 0); /* somebody else's */
    while (spool_write(sp, data, MIB(1), &e) == ERR_OK)
        n++;
    CHECK_INT(e.code, ERR_RESOURCE_EXHAUSTED);
    CHECK_STR(str_c(e.reason), STR("store.full"));
    CHECK_INT(n, 7); /* before the eighth MiB 0.8 MiB were left */
    spool_free(sp);
    CHECK_INT(ftruncate(other, 0), 0);
    close(other);
    CHECK_OK(store_check_room(s, &e), &e);
    free(data);
    store_close(s);
}

TEST(a_small_disk_is_not_all_reserve)
{
    test_mount("tmpfs", "size=2m,nr_inodes=100");
    struct store *s = kit_open(&backend_fs);
    struct error e;
    char *data = calloc(1, KIB(1900));
    CHECK(data);
    CHECK(!kit_put(s, str_of(data, KIB(1900)), NULL));
    CHECK_OK(store_check_room(s, &e), &e);
    free(data);
    store_close(s);
}

/* --- damage and crashes --- */

TEST(the_name_of_a_damaged_artifact_is_never_missing)
{
    struct store *s = kit_open(&backend_fs);
    struct stat st;
    kit_put(s, HELLO, NULL);
    kit_flip_first_byte(s, HELLO);
    pid_t pid = fork();
    if (pid == 0) { /* until it is killed: the name must always be there */
        while (fstatat(test_dirfd(), path_of(HELLO), &st, 0) == 0)
            ;
        _exit(1);
    }
    for (int i = 0; i < 5; i++) {
        CHECK(!kit_put(s, HELLO, NULL));
        kit_flip_first_byte(s, HELLO);
    }
    kill(pid, SIGKILL);
    int status;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
    CHECK_INT(kit_n_entries("quarantine"), 5);
    store_close(s);
}

TEST(a_file_system_without_unnamed_files_is_refused_at_the_start)
{
    test_mount("bpf", NULL);
    struct error e;
    struct store *s = NULL;
    CHECK_ERR(store_open_fs(test_dir(), &s, &e), ERR_FAILED_PRECONDITION, &e);
    CHECK_CONTAINS(str_c(e.msg), str_c(test_dir()));
    CHECK_CONTAINS(str_c(e.msg), STR("use one that can"));
    CHECK(!s);
}

TEST(a_read_only_disk_is_refused_at_the_start)
{
    test_mount("tmpfs", "ro");
    struct error e;
    struct store *s = NULL;
    CHECK_ERR(store_open_fs(test_dir(), &s, &e), ERR_PERMISSION_DENIED, &e);
    CHECK_INT(e.sys, EROFS);
    CHECK_CONTAINS(str_c(e.msg), str_c(test_dir()));
}

TEST(a_file_in_the_way_is_told_at_the_start)
{
    struct error e;
    struct store *s = NULL;
    char path[200];
    make_other_file("skills");
    CHECK_ERR(store_open_fs(test_dir(), &s, &e), ERR_NOT_FOUND, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("\"skills\""));
    (void)snprintf(path, sizeof path, "%s/skills/below", test_dir());
    CHECK_ERR(store_open_fs(path, &s, &e), ERR_NOT_FOUND, &e);
    CHECK_CONTAINS(str_c(e.msg), str_c(path));
}
