#include "cli/pidfile.h"

#include "base/sys.h"

#include "test.h"

#include <fcntl.h>
#include <unistd.h>

static void write_raw(str text)
{
    struct error e;
    CLEANUP(sys_closep) int fd = -1;
    CHECK_OK(sys_openat(test_dirfd(), PIDFILE_NAME, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd, &e),
             &e);
    CHECK_OK(sys_write_full(fd, text.p, text.len, &e), &e);
}

TEST(digits_only_and_private)
{
    struct error e;
    struct stat st;
    char text[16];
    size_t n;
    CLEANUP(sys_closep) int fd = -1;
    (void)umask(0);
    CHECK_OK(pidfile_write(test_dirfd(), 4711, &e), &e);
    CHECK_OK(sys_openat(test_dirfd(), PIDFILE_NAME, O_RDONLY, 0, &fd, &e), &e);
    CHECK_OK(sys_fstat(fd, &st, &e), &e);
    CHECK_INT(st.st_mode & 07777, 0600);
    CHECK_OK(sys_pread(fd, text, sizeof text, 0, &n, &e), &e);
    CHECK_STR(str_of(text, n), STR("4711"));
}

TEST(written_and_read_back)
{
    struct error e;
    pid_t pid;
    CHECK_OK(pidfile_write(test_dirfd(), 1, &e), &e);
    CHECK_OK(pidfile_write(test_dirfd(), getpid(), &e), &e);
    CHECK_OK(pidfile_read(test_dirfd(), &pid, &e), &e);
    CHECK_INT(pid, getpid());
}

TEST(a_newline_by_somebody_else_is_fine)
{
    struct error e;
    pid_t pid;
    write_raw(STR("42\n"));
    CHECK_OK(pidfile_read(test_dirfd(), &pid, &e), &e);
    CHECK_INT(pid, 42);
}

TEST(what_is_no_pid_is_not_found)
{
    const char *const bad[] = {"", "x", "0", "-1", "12x", "99999999999", "1 2"};
    struct error e;
    pid_t pid;
    CHECK_ERR(pidfile_read(test_dirfd(), &pid, &e), ERR_NOT_FOUND, &e);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        write_raw(str_c(bad[i]));
        CHECK_ERR(pidfile_read(test_dirfd(), &pid, &e), ERR_NOT_FOUND, &e);
    }
}

TEST(a_link_is_not_followed)
{
    struct error e;
    pid_t pid;
    CHECK_INT(symlinkat("/proc/sys/kernel/pid_max", test_dirfd(), PIDFILE_NAME), 0);
    CHECK_ERR(pidfile_read(test_dirfd(), &pid, &e), ERR_PERMISSION_DENIED, &e);
    CHECK_OK(pidfile_write(test_dirfd(), 5, &e), &e);
    CHECK_OK(pidfile_read(test_dirfd(), &pid, &e), &e);
    CHECK_INT(pid, 5);
}

TEST(removed_twice)
{
    struct error e;
    pid_t pid;
    CHECK_OK(pidfile_write(test_dirfd(), 5, &e), &e);
    CHECK_OK(pidfile_remove(test_dirfd(), &e), &e);
    CHECK_OK(pidfile_remove(test_dirfd(), &e), &e);
    CHECK_ERR(pidfile_read(test_dirfd(), &pid, &e), ERR_NOT_FOUND, &e);
}
