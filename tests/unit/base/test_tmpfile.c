#include "base/tmpfile.h"

#include "base/sys.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static enum err count(void *ctx, const char *name, struct error *e)
{
    (void)name, (void)e;
    ++*(int *)ctx;
    return ERR_OK;
}

static int n_entries(void)
{
    struct error e;
    int n = 0;
    CHECK_OK(sys_each_name(test_dirfd(), count, &n, &e), &e);
    return n;
}

static void check_file(const char *name, str want)
{
    struct error e;
    struct stat st;
    char got[64];
    CLEANUP(sys_closep) int fd = -1;
    CHECK_OK(sys_openat(test_dirfd(), name, O_RDONLY, 0, &fd, &e), &e);
    CHECK_OK(sys_fstat(fd, &st, &e), &e);
    CHECK_INT(st.st_mode & 07777, 0600);
    CHECK_INT(st.st_size, want.len);
    CHECK_OK(sys_pread_full(fd, got, want.len, 0, &e), &e);
    CHECK_STR(str_of(got, want.len), want);
}

TEST(commit_gives_the_name)
{
    struct error e;
    CLEANUP(tmpfile_deinit) struct tmpfile t = TMPFILE_INIT;
    CHECK_OK(tmpfile_open(&t, test_dirfd(), &e), &e);
    CHECK_OK(tmpfile_write(&t, "abc", 3, &e), &e);
    CHECK_OK(tmpfile_write(&t, "", 0, &e), &e);
    CHECK_OK(tmpfile_write(&t, "def", 3, &e), &e);
    CHECK_INT(t.len, 6);
    CHECK_INT(n_entries(), 0);
    CHECK_OK(tmpfile_commit(&t, "name", &e), &e);
    tmpfile_deinit(&t);
    CHECK_INT(t.fd, -1);
    check_file("name", STR("abcdef"));
}

TEST(without_a_commit_it_vanishes)
{
    struct error e;
    struct tmpfile t = TMPFILE_INIT;
    CHECK_OK(tmpfile_open(&t, test_dirfd(), &e), &e);
    CHECK_OK(tmpfile_write(&t, "abc", 3, &e), &e);
    tmpfile_deinit(&t);
    tmpfile_deinit(&t);
    CHECK_INT(n_entries(), 0);
}

TEST(a_taken_name_is_kept_and_another_can_be_chosen)
{
    struct error e;
    CLEANUP(tmpfile_deinit) struct tmpfile t = TMPFILE_INIT;
    CLEANUP(tmpfile_deinit) struct tmpfile u = TMPFILE_INIT;
    CHECK_OK(tmpfile_open(&t, test_dirfd(), &e), &e);
    CHECK_OK(tmpfile_write(&t, "first", 5, &e), &e);
    CHECK_OK(tmpfile_commit(&t, "name", &e), &e);
    CHECK_OK(tmpfile_open(&u, test_dirfd(), &e), &e);
    CHECK_OK(tmpfile_write(&u, "second", 6, &e), &e);
    CHECK_ERR(tmpfile_commit(&u, "name", &e), ERR_ALREADY_EXISTS, &e);
    check_file("name", STR("first"));
    CHECK_OK(tmpfile_commit(&u, "other", &e), &e);
    check_file("other", STR("second"));
}

TEST(a_killed_process_leaves_nothing)
{
    int p[2];
    char c;
    CHECK_INT(pipe2(p, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct error e;
        struct tmpfile t = TMPFILE_INIT;
        CHECK_OK(tmpfile_open(&t, test_dirfd(), &e), &e);
        CHECK_OK(tmpfile_write(&t, "abc", 3, &e), &e);
        CHECK_INT(write(p[1], "x", 1), 1);
        pause();
    }
    CHECK_INT(read(p[0], &c, 1), 1);
    CHECK_INT(kill(pid, SIGKILL), 0);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    CHECK_INT(n_entries(), 0);
}

TEST(large_files_start_their_way_to_the_disk_early)
{
    struct error e;
    CLEANUP(tmpfile_deinit) struct tmpfile t = TMPFILE_INIT;
    CLEANUP(freep) char *chunk = calloc(1, MIB(3));
    CHECK(chunk);
    CHECK_OK(tmpfile_open(&t, test_dirfd(), &e), &e);
    for (uint64_t i = 1; i <= 7; i++) {
        CHECK_OK(tmpfile_write(&t, chunk, MIB(3), &e), &e);
        CHECK_INT(t.len, i * MIB(3));
        CHECK(t.len - t.synced < MIB(8));
    }
    CHECK(t.synced >= MIB(9));
}

TEST(no_directory_no_file)
{
    struct error e;
    struct tmpfile t = TMPFILE_INIT;
    CHECK_ERR(tmpfile_open(&t, -1, &e), ERR_INTERNAL, &e);
    CHECK_INT(t.fd, -1);
    tmpfile_deinit(&t);
}
