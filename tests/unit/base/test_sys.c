#include "base/sys.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int make_file(const char *name, str content)
{
    struct error e;
    int fd = -1;
    CHECK_OK(sys_openat(test_dirfd(), name, O_CREAT | O_EXCL | O_RDWR, 0644, &fd, &e), &e);
    CHECK_OK(sys_write_full(fd, content.p, content.len, &e), &e);
    return fd;
}

static mode_t mode_of(const char *name)
{
    struct error e;
    struct stat st;
    CHECK_OK(sys_fstatat(test_dirfd(), name, AT_SYMLINK_NOFOLLOW, &st, &e), &e);
    return st.st_mode & 07777;
}

static bool exists(const char *name)
{
    struct error e;
    struct stat st;
    return sys_fstatat(test_dirfd(), name, AT_SYMLINK_NOFOLLOW, &st, &e) == ERR_OK;
}

TEST(errnos_become_codes)
{
    CHECK_INT(sys_err(ENOENT), ERR_NOT_FOUND);
    CHECK_INT(sys_err(ENOTDIR), ERR_NOT_FOUND);
    CHECK_INT(sys_err(EEXIST), ERR_ALREADY_EXISTS);
    CHECK_INT(sys_err(ENOTEMPTY), ERR_ALREADY_EXISTS);
    const int full[] = {ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM};
    for (size_t i = 0; i < ARRAY_SIZE(full); i++)
        CHECK_INT(sys_err(full[i]), ERR_RESOURCE_EXHAUSTED);
    const int denied[] = {EACCES, EPERM, EROFS, ELOOP, EXDEV};
    for (size_t i = 0; i < ARRAY_SIZE(denied); i++)
        CHECK_INT(sys_err(denied[i]), ERR_PERMISSION_DENIED);
    CHECK_INT(sys_err(EIO), ERR_INTERNAL);
    CHECK_INT(sys_err(0), ERR_INTERNAL);
}

TEST(an_error_names_the_call_and_the_file)
{
    struct error e;
    int fd = -1;
    CHECK_ERR(sys_openat(test_dirfd(), "absent", O_RDONLY, 0, &fd, &e), ERR_NOT_FOUND, &e);
    CHECK_INT(fd, -1);
    CHECK_INT(e.sys, ENOENT);
    CHECK_STR(str_c(e.reason), STR("sys.open"));
    CHECK_STR(str_c(e.msg), STR("open \"absent\": No such file or directory"));
}

TEST(descriptors_do_not_leak_into_programs)
{
    struct error e;
    int fds[4];
    CHECK_OK(sys_openat(test_dirfd(), ".", O_DIRECTORY | O_RDONLY, 0, &fds[0], &e), &e);
    CHECK_OK(sys_open_tmp(test_dirfd(), &fds[1], &e), &e);
    CHECK_OK(sys_memfd("x", &fds[2], &e), &e);
    CHECK_OK(sys_dup(fds[1], &fds[3], &e), &e);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        CHECK(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
        sys_closep(&fds[i]);
        CHECK_INT(fds[i], -1);
    }
    sys_closep(&fds[0]); /* -1 again: nothing happens */
}

TEST(stealing_disarms_the_cleanup)
{
    CLEANUP(sys_closep) int fd = make_file("x", STR("abc"));
    int taken = sys_steal(&fd);
    CHECK_INT(fd, -1);
    CHECK_INT(fcntl(taken, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(taken);
}

TEST(beneath_means_beneath)
{
    struct error e;
    CLEANUP(sys_closep) int fd = -1;
    CHECK_INT(mkdirat(test_dirfd(), "sub", 0700), 0);
    CHECK_INT(symlinkat("/etc/passwd", test_dirfd(), "absolute"), 0);
    CHECK_INT(symlinkat("sub", test_dirfd(), "inside"), 0);
    close(make_file("sub/file", STR("abc")));
    const char *outside[] = {"..",     "/etc/passwd", "sub/../..",       "absolute",
                             "inside", "inside/file", "../../etc/passwd"};
    for (size_t i = 0; i < ARRAY_SIZE(outside); i++)
        CHECK_ERR(sys_open_beneath(test_dirfd(), outside[i], O_RDONLY, 0, &fd, &e),
                  ERR_PERMISSION_DENIED, &e);
    CHECK_ERR(sys_open_beneath(test_dirfd(), "sub/none", O_RDONLY, 0, &fd, &e), ERR_NOT_FOUND, &e);
    CHECK_OK(sys_open_beneath(test_dirfd(), "sub/../sub/file", O_RDONLY, 0, &fd, &e), &e);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    sys_closep(&fd);
    CHECK_OK(sys_open_beneath(test_dirfd(), "sub/new", O_CREAT | O_WRONLY, 0600, &fd, &e), &e);
    CHECK_INT(mode_of("sub/new"), 0600);
}

TEST(an_unnamed_file_gets_a_name_once)
{
    struct error e;
    CLEANUP(sys_closep) int fd = -1;
    umask(0777);
    CHECK_OK(sys_open_tmp(test_dirfd(), &fd, &e), &e);
    CHECK_OK(sys_write_full(fd, "abc", 3, &e), &e);
    CHECK_OK(sys_link_fd(fd, test_dirfd(), "name", &e), &e);
    CHECK_INT(mode_of("name"), 0600); /* whatever the umask */
    CHECK_ERR(sys_link_fd(fd, test_dirfd(), "name", &e), ERR_ALREADY_EXISTS, &e);
    CHECK_ERR(sys_link_fd(fd, test_dirfd(), "no/dir", &e), ERR_NOT_FOUND, &e);
}

TEST(memory_files_are_private_and_can_be_reopened)
{
    struct error e;
    CLEANUP(sys_closep) int fd = -1;
    CLEANUP(sys_closep) int again = -1;
    struct stat st;
    char got[3];
    CHECK_OK(sys_memfd("label", &fd, &e), &e);
    CHECK_OK(sys_fstat(fd, &st, &e), &e);
    CHECK_INT(st.st_mode & 07777, 0600);
    CHECK_OK(sys_write_full(fd, "abc", 3, &e), &e);
    CHECK_OK(sys_reopen(fd, O_RDONLY, &again, &e), &e);
    CHECK_OK(sys_pread_full(again, got, 3, 0, &e), &e);
    CHECK_STR(str_of(got, 3), STR("abc"));
    CHECK_INT(lseek(again, 0, SEEK_CUR), 0); /* an offset of its own */
    CHECK_ERR(sys_write_full(again, "x", 1, &e), ERR_INTERNAL, &e);
    CHECK_INT(e.sys, EBADF);
}

TEST(renaming)
{
    struct error e;
    close(make_file("a", STR("a")));
    close(make_file("b", STR("bb")));
    struct stat st;
    CHECK_ERR(sys_renameat_noreplace(test_dirfd(), "a", test_dirfd(), "b", &e), ERR_ALREADY_EXISTS,
              &e);
    CHECK(exists("a"));
    CHECK_OK(sys_renameat(test_dirfd(), "a", test_dirfd(), "b", &e), &e);
    CHECK(!exists("a"));
    CHECK_OK(sys_fstatat(test_dirfd(), "b", 0, &st, &e), &e);
    CHECK_INT(st.st_size, 1);
    CHECK_OK(sys_renameat_noreplace(test_dirfd(), "b", test_dirfd(), "c", &e), &e);
    CHECK_ERR(sys_renameat(test_dirfd(), "b", test_dirfd(), "c", &e), ERR_NOT_FOUND, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("\"b\" to \"c\""));
}

TEST(unlinking)
{
    struct error e;
    close(make_file("a", STR("a")));
    CHECK_OK(sys_mkdirat(test_dirfd(), "d", 0700, &e), &e);
    CHECK_ERR(sys_mkdirat(test_dirfd(), "d", 0700, &e), ERR_ALREADY_EXISTS, &e);
    close(make_file("d/x", STR("x")));
    CHECK_ERR(sys_unlinkat(test_dirfd(), "d", AT_REMOVEDIR, &e), ERR_ALREADY_EXISTS, &e);
    CHECK_OK(sys_unlinkat(test_dirfd(), "d/x", 0, &e), &e);
    CHECK_OK(sys_unlinkat(test_dirfd(), "d", AT_REMOVEDIR, &e), &e);
    CHECK_OK(sys_unlinkat(test_dirfd(), "a", 0, &e), &e);
    CHECK_ERR(sys_unlinkat(test_dirfd(), "a", 0, &e), ERR_NOT_FOUND, &e);
}

/* --- directories --- */

static char path_buf[300];

static const char *path(const char *below)
{
    CHECK(snprintf(path_buf, sizeof path_buf, "%s/%s", test_dir(), below) > 0);
    return path_buf;
}

TEST(parents_are_made_with_exactly_the_mode)
{
    struct error e;
    umask(0777);
    CHECK_OK(sys_mkdir_parents(path("a/b/c"), 0700, &e), &e);
    CHECK_OK(sys_mkdir_parents(path("a//b/./d/"), 0750, &e), &e);
    CHECK_INT(mode_of("a"), 0700);
    CHECK_INT(mode_of("a/b/c"), 0700);
    CHECK_INT(mode_of("a/b/d"), 0750);
    CHECK_OK(sys_mkdir_parents(path("a/b/c"), 0777, &e), &e);
    CHECK_INT(mode_of("a/b/c"), 0700); /* what exists stays as it is */
    CHECK_INT(chdir(test_dir()), 0);
    CHECK_OK(sys_mkdir_parents("relative/x", 0700, &e), &e);
    CHECK_INT(mode_of("relative/x"), 0700);
    CHECK_OK(sys_mkdir_parents("/", 0700, &e), &e);
}

TEST(a_file_in_the_way_of_parents)
{
    struct error e;
    close(make_file("f", STR("x")));
    CHECK_ERR(sys_mkdir_parents(path("f"), 0700, &e), ERR_NOT_FOUND, &e);
    CHECK_ERR(sys_mkdir_parents(path("f/below"), 0700, &e), ERR_NOT_FOUND, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("\"f\""));
}

/* A test that stands for an ordinary user, whoever runs it. */
static void become_user(void)
{
    if (getuid() != 0)
        return;
    CHECK_INT(chown(test_dir(), 65534, 65534), 0);
    CHECK_INT(setresuid(65534, 65534, 65534), 0);
}

TEST(parents_that_may_be_passed_but_not_read)
{
    struct error e;
    become_user();
    CHECK_OK(sys_mkdir_parents(path("home/me"), 0700, &e), &e);
    CHECK_INT(chmod(path("home"), 0100), 0); /* as /home often is for others */
    enum err err = sys_mkdir_parents(path("home/me/x"), 0700, &e);
    CHECK_INT(chmod(path("home"), 0700), 0);
    CHECK_OK(err, &e);
    CHECK_INT(mode_of("home/me/x"), 0700);
}

TEST(parents_that_may_not_be_written)
{
    struct error e;
    become_user();
    CHECK_OK(sys_mkdir_parents(path("locked"), 0500, &e), &e);
    CHECK_ERR(sys_mkdir_parents(path("locked/x"), 0700, &e), ERR_PERMISSION_DENIED, &e);
    CHECK_INT(e.sys, EACCES);
}

struct names {
    int n, stop_after;
    bool saw_dot;
};

static enum err count(void *ctx, const char *name, struct error *e)
{
    struct names *c = ctx;
    c->saw_dot |= name[0] == '.' && (name[1] == '\0' || name[1] == '.');
    if (++c->n == c->stop_after)
        return FAIL(e, ERR_CANCELLED, "test.stop", "stop");
    return ERR_OK;
}

TEST(each_name_of_a_directory)
{
    struct error e;
    struct names c = {0};
    char name[20];
    CHECK_OK(sys_each_name(test_dirfd(), count, &c, &e), &e);
    CHECK_INT(c.n, 0);
    for (int i = 0; i < 300; i++) {
        CHECK(snprintf(name, sizeof name, ".%d", i) > 0);
        close(make_file(name, STR("")));
    }
    for (int round = 0; round < 2; round++) { /* the descriptor's position does not matter */
        c = (struct names){0};
        CHECK_OK(sys_each_name(test_dirfd(), count, &c, &e), &e);
        CHECK_INT(c.n, 300);
        CHECK(!c.saw_dot);
    }
    c = (struct names){.stop_after = 5};
    CHECK_ERR(sys_each_name(test_dirfd(), count, &c, &e), ERR_CANCELLED, &e);
    CHECK_INT(c.n, 5);
}

TEST(each_name_of_what_is_no_directory)
{
    struct error e;
    struct names c = {0};
    CLEANUP(sys_closep) int fd = make_file("f", STR("x"));
    CHECK_ERR(sys_each_name(fd, count, &c, &e), ERR_NOT_FOUND, &e);
    CHECK_INT(e.sys, ENOTDIR);
}

static void make_tree(const char *top)
{
    struct error e;
    char name[64];
    CHECK_OK(sys_mkdirat(test_dirfd(), top, 0700, &e), &e);
    for (int i = 0; i < 100; i++) {
        CHECK(snprintf(name, sizeof name, "%s/%d", top, i) > 0);
        close(make_file(name, STR("x")));
    }
    CHECK(snprintf(name, sizeof name, "%s/sub", top) > 0);
    CHECK_OK(sys_mkdirat(test_dirfd(), name, 0700, &e), &e);
    CHECK(snprintf(name, sizeof name, "%s/sub/link", top) > 0);
    CHECK_INT(symlinkat("../../kept", test_dirfd(), name), 0);
}

TEST(a_tree_is_removed_without_following_links)
{
    struct error e;
    make_tree("kept");
    make_tree("gone");
    CHECK_OK(sys_remove_tree(test_dirfd(), "gone", &e), &e);
    CHECK(!exists("gone"));
    CHECK(exists("kept/99"));
    CHECK_INT(symlinkat("kept", test_dirfd(), "link"), 0);
    CHECK_OK(sys_remove_tree(test_dirfd(), "link", &e), &e);
    CHECK_OK(sys_remove_tree(test_dirfd(), "kept/0", &e), &e);
    CHECK(!exists("link") && !exists("kept/0") && exists("kept/sub/link"));
    CHECK_ERR(sys_remove_tree(test_dirfd(), "none", &e), ERR_NOT_FOUND, &e);
}

/* --- bytes --- */

TEST(truncating)
{
    struct error e;
    struct stat st;
    CLEANUP(sys_closep) int fd = make_file("f", STR("0123456789"));
    CHECK_OK(sys_ftruncate(fd, 4, &e), &e);
    CHECK_OK(sys_fstat(fd, &st, &e), &e);
    CHECK_INT(st.st_size, 4);
    CHECK_ERR(sys_ftruncate(-1, 4, &e), ERR_INTERNAL, &e);
}

TEST(reading_at_an_offset)
{
    struct error e;
    CLEANUP(sys_closep) int fd = make_file("f", STR("0123456789"));
    char got[16];
    size_t n;
    CHECK_OK(sys_pread_full(fd, got, 4, 3, &e), &e);
    CHECK_STR(str_of(got, 4), STR("3456"));
    CHECK_OK(sys_pread_full(fd, got, 0, 99, &e), &e);
    CHECK_OK(sys_pread(fd, got, 16, 8, &n, &e), &e);
    CHECK_STR(str_of(got, n), STR("89"));
    CHECK_OK(sys_pread(fd, got, 16, 10, &n, &e), &e);
    CHECK_INT(n, 0);
    CHECK_ERR(sys_pread_full(fd, got, 4, 8, &e), ERR_DATA_LOSS, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("2 bytes early"));
    CHECK_INT(lseek(fd, 0, SEEK_CUR), 10); /* where writing left it */
}

TEST(writing_at_an_offset)
{
    struct error e;
    CLEANUP(sys_closep) int fd = make_file("f", STR("0123456789"));
    char got[12];
    CHECK_OK(sys_pwrite_full(fd, "ab", 2, 4, &e), &e);
    CHECK_OK(sys_pwrite_full(fd, "cd", 2, 10, &e), &e);
    CHECK_OK(sys_pread_full(fd, got, 12, 0, &e), &e);
    CHECK_STR(str_of(got, 12), STR("0123ab6789cd"));
    CHECK_OK(sys_fsync(fd, &e), &e);
    CHECK_OK(sys_fdatasync(fd, &e), &e);
    sys_sync_range(fd, 0, 12);
    sys_sync_range(-1, 0, 12); /* a hint only */
}

TEST(calls_on_a_bad_descriptor_say_so)
{
    struct error e;
    struct stat st;
    size_t n;
    bool locked;
    char c = 0;
    int fd = -1;
    CHECK_ERR(sys_read(-1, &c, 1, &n, &e), ERR_INTERNAL, &e);
    CHECK_INT(e.sys, EBADF);
    CHECK_ERR(sys_pread(-1, &c, 1, 0, &n, &e), ERR_INTERNAL, &e);
    CHECK_ERR(sys_write_full(-1, &c, 1, &e), ERR_INTERNAL, &e);
    CHECK_ERR(sys_pwrite_full(-1, &c, 1, 0, &e), ERR_INTERNAL, &e);
    CHECK_ERR(sys_fsync(-1, &e), ERR_INTERNAL, &e);
    CHECK_ERR(sys_fdatasync(-1, &e), ERR_INTERNAL, &e);
    CHECK_ERR(sys_fchmod(-1, 0600, &e), ERR_INTERNAL, &e);
    CHECK_ERR(sys_fstat(-1, &st, &e), ERR_INTERNAL, &e);
    CHECK_ERR(sys_lock(-1, &e), ERR_INTERNAL, &e);
    CHECK_ERR(sys_try_lock(-1, &locked, &e), ERR_INTERNAL, &e);
    CHECK_ERR(sys_dup(-1, &fd, &e), ERR_INTERNAL, &e);
    CHECK_INT(fd, -1);
}

static void *drain(void *arg)
{
    int fd = *(int *)arg;
    struct error e;
    size_t n = 1, sum = 0;
    char chunk[5000];
    while (n) {
        CHECK_OK(sys_read(fd, chunk, sizeof chunk, &n, &e), &e);
        sum += n;
    }
    return (void *)sum;
}

TEST(partial_writes_are_completed)
{
    struct error e;
    int p[2];
    pthread_t t;
    void *sum;
    char *data = calloc(1, MIB(1));
    CHECK(data);
    CHECK_INT(pipe2(p, O_CLOEXEC), 0);
    CHECK_INT(pthread_create(&t, NULL, drain, &p[0]), 0);
    CHECK_OK(sys_write_full(p[1], data, MIB(1), &e), &e);
    close(p[1]);
    pthread_join(t, &sum);
    CHECK_INT((size_t)sum, MIB(1));
    free(data);
}

static volatile sig_atomic_t n_signals;

static void on_alarm(int sig)
{
    (void)sig;
    n_signals++;
}

/* Signals every few milliseconds that interrupt what waits. */
static void start_interruptions(void)
{
    struct sigaction sa = {.sa_handler = on_alarm}; /* without SA_RESTART */
    struct itimerval it = {.it_interval.tv_usec = 3000, .it_value.tv_usec = 3000};
    sigaction(SIGALRM, &sa, NULL);
    CHECK_INT(setitimer(ITIMER_REAL, &it, NULL), 0);
}

TEST(interrupted_reads_go_on)
{
    struct error e;
    int p[2];
    size_t n;
    char c;
    CHECK_INT(pipe2(p, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        usleep(50000);
        _exit(write(p[1], "x", 1) != 1);
    }
    start_interruptions();
    CHECK_OK(sys_read(p[0], &c, 1, &n, &e), &e);
    CHECK_INT(n, 1);
    CHECK(n_signals > 0);
}

static int open_again(const char *name)
{
    struct error e;
    int fd = -1;
    CHECK_OK(sys_openat(test_dirfd(), name, O_RDWR, 0, &fd, &e), &e);
    return fd;
}

TEST(a_lock_has_one_holder)
{
    struct error e;
    int a = make_file("lock", STR("")), b = open_again("lock");
    bool locked = false;
    CHECK_OK(sys_try_lock(a, &locked, &e), &e);
    CHECK(locked);
    CHECK_OK(sys_try_lock(b, &locked, &e), &e);
    CHECK(!locked);
    close(a);
    CHECK_OK(sys_try_lock(b, &locked, &e), &e);
    CHECK(locked);
    close(b);
}

TEST(a_lock_is_waited_for_through_interruptions)
{
    struct error e;
    int p[2];
    char c;
    close(make_file("lock", STR("")));
    CHECK_INT(pipe2(p, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_OK(sys_lock(open_again("lock"), &e), &e);
        CHECK_INT(write(p[1], "x", 1), 1);
        usleep(50000);
        _exit(0); /* which releases it */
    }
    CHECK_INT(read(p[0], &c, 1), 1);
    start_interruptions();
    CHECK_OK(sys_lock(open_again("lock"), &e), &e);
    while (n_signals == 0) /* ThreadSanitizer hands them over later */
        usleep(1000);
}

TEST(random_bytes_differ)
{
    struct error e;
    uint8_t a[1000] = {0}, b[1000] = {0};
    CHECK_OK(sys_random(a, sizeof a, &e), &e);
    CHECK_OK(sys_random(b, sizeof b, &e), &e);
    CHECK(memcmp(a, b, sizeof a) != 0);
    CHECK(memcmp(a + 500, b + 500, 500) != 0); /* to the last byte */
    CHECK_OK(sys_random(a, 0, &e), &e);
}

TEST(a_file_can_be_cut_and_grown)
{
    struct error e;
    struct stat st;
    CLEANUP(sys_closep) int fd = -1;
    CHECK_OK(sys_memfd("cut", &fd, &e), &e);
    CHECK_OK(sys_write_full(fd, "hello", 5, &e), &e);
    CHECK_OK(sys_ftruncate(fd, 2, &e), &e);
    CHECK_OK(sys_fstat(fd, &st, &e), &e);
    CHECK_INT(st.st_size, 2);
    CHECK_OK(sys_ftruncate(fd, 9, &e), &e);
    CHECK_OK(sys_fstat(fd, &st, &e), &e);
    CHECK_INT(st.st_size, 9);
    CHECK_ERR(sys_ftruncate(-1, 0, &e), ERR_INTERNAL, &e);
}

TEST(a_tree_is_removed_and_links_are_not_followed)
{
    struct error e;
    struct stat st;
    CLEANUP(sys_closep) int kept = -1;
    CHECK_OK(sys_openat(test_dirfd(), "kept", O_CREAT | O_WRONLY, 0600, &kept, &e), &e);
    CHECK_OK(sys_mkdirat(test_dirfd(), "d", 0700, &e), &e);
    CHECK_OK(sys_mkdirat(test_dirfd(), "d/e", 0700, &e), &e);
    CHECK_OK(sys_mkdirat(test_dirfd(), "d/e/f", 0700, &e), &e);
    CHECK(symlinkat("../kept", test_dirfd(), "d/link") == 0);
    CHECK(symlinkat("..", test_dirfd(), "d/e/up") == 0);
    CHECK_OK(sys_remove_tree(test_dirfd(), "d", &e), &e);
    CHECK_ERR(sys_fstatat(test_dirfd(), "d", 0, &st, &e), ERR_NOT_FOUND, &e);
    CHECK_OK(sys_fstatat(test_dirfd(), "kept", 0, &st, &e), &e);
    CHECK_OK(sys_remove_tree(test_dirfd(), "kept", &e), &e);
    CHECK_ERR(sys_remove_tree(test_dirfd(), "kept", &e), ERR_NOT_FOUND, &e);
}

/* --- room, and what the cache knows --- */

static int file_with(const char *name, str text)
{
    struct error err;
    int fd;
    CHECK_OK(sys_openat(test_dirfd(), name, O_RDWR | O_CREAT | O_EXCL, 0600, &fd, &err), &err);
    CHECK_OK(sys_pwrite_full(fd, text.p, text.len, 0, &err), &err);
    return fd;
}

TEST(two_names_change_places)
{
    struct error err;
    char got[3];
    int a = file_with("a", STR("one")), b = file_with("b", STR("two"));
    CHECK_OK(sys_exchange(test_dirfd(), "a", test_dirfd(), "b", &err), &err);
    sys_closep(&a);
    CHECK_OK(sys_openat(test_dirfd(), "a", O_RDONLY, 0, &a, &err), &err);
    CHECK_OK(sys_pread_full(a, got, 3, 0, &err), &err);
    CHECK_STR(str_of(got, 3), STR("two"));
    CHECK_ERR(sys_exchange(test_dirfd(), "a", test_dirfd(), "missing", &err), ERR_NOT_FOUND, &err);
    close(a);
    close(b);
}

TEST(room_is_reserved_without_a_longer_file)
{
    struct error err;
    struct stat st;
    int fd = file_with("a", STR("one"));
    CHECK_OK(sys_allocate(fd, 0, MIB(1), &err), &err);
    CHECK_OK(sys_fstat(fd, &st, &err), &err);
    CHECK_INT(st.st_size, 3);
    CHECK(st.st_blocks * 512 >= (blkcnt_t)MIB(1));
    CHECK_ERR(sys_allocate(fd, 0, (uint64_t)1 << 62, &err), ERR_INTERNAL, &err);
    close(fd);
}

TEST(the_room_of_a_file_system_is_known)
{
    struct error err;
    struct sys_room r;
    CHECK_OK(sys_room(test_dirfd(), &r, &err), &err);
    CHECK(r.free_bytes > 0 && r.free_bytes <= r.total_bytes);
    CHECK(r.free_files > 0 && r.free_files <= r.total_files);
    CHECK_ERR(sys_room(-1, &r, &err), ERR_INTERNAL, &err);
}

TEST(a_file_out_of_the_cache_reads_the_same)
{
    struct error err;
    char got[3];
    int fd = file_with("a", STR("one"));
    sys_drop_cache(fd);
    sys_drop_cache(-1);
    CHECK_OK(sys_pread_full(fd, got, 3, 0, &err), &err);
    CHECK_STR(str_of(got, 3), STR("one"));
    close(fd);
}
