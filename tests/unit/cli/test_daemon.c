#include "cli/daemon.h"

#include "base/sys.h"
#include "cli/pidfile.h"

#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A stand-in for the server: a copy of sleep(1) under its name. */
static pid_t start_sleeper(const char *name)
{
    char path[SYS_PATH_MAX], command[2 * SYS_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    (void)snprintf(command, sizeof command, "cp /bin/sleep '%s'", path);
    CHECK_INT(system(command), 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        (void)execl(path, name, "60", (char *)NULL);
        _exit(127);
    }
    while (!sys_proc_is(pid, name))
        sys_sleep_ms(1);
    return pid;
}

static void open_home(struct daemon *d)
{
    struct error e;
    CHECK_INT(setenv("HOME", test_dir(), 1), 0);
    CHECK_OK(daemon_open(d, true, &e), &e);
}

TEST(directories_are_private)
{
    CLEANUP(daemon_close) struct daemon d;
    struct error e;
    struct stat st;
    (void)umask(0);
    open_home(&d);
    CHECK_OK(sys_fstat(d.data_fd, &st, &e), &e);
    CHECK_INT(st.st_mode & 07777, 0700);
    CHECK_OK(sys_fstatat(test_dirfd(), ".stigmer/logs", 0, &st, &e), &e);
    CHECK_INT(st.st_mode & 07777, 0700);
    CHECK_CONTAINS(str_c(d.log_path), STR("/.stigmer/logs/stigmer-server.log"));
}

TEST(looking_makes_nothing)
{
    CLEANUP(daemon_close) struct daemon d;
    struct error e;
    struct stat st;
    CHECK_INT(setenv("HOME", test_dir(), 1), 0);
    CHECK_OK(daemon_open(&d, false, &e), &e);
    CHECK_INT(d.data_fd, -1);
    CHECK_OK(daemon_find(&d, &e), &e);
    CHECK_INT(d.pidfd, -1);
    CHECK_ERR(sys_fstatat(test_dirfd(), ".stigmer", 0, &st, &e), ERR_NOT_FOUND, &e);
}

TEST(home_must_be_absolute)
{
    CLEANUP(daemon_close) struct daemon d = DAEMON_INIT;
    struct error e;
    CHECK_INT(setenv("HOME", "relative", 1), 0);
    CHECK_ERR(daemon_open(&d, true, &e), ERR_FAILED_PRECONDITION, &e);
    CHECK_INT(unsetenv("HOME"), 0);
    CHECK_ERR(daemon_open(&d, true, &e), ERR_FAILED_PRECONDITION, &e);
}

TEST(a_live_server_is_found_and_stopped)
{
    CLEANUP(daemon_close) struct daemon d;
    struct error e;
    pid_t found;
    open_home(&d);
    pid_t pid = start_sleeper("stigmer-server");
    CHECK_OK(pidfile_write(d.data_fd, pid, &e), &e);
    CHECK_OK(daemon_find(&d, &e), &e);
    CHECK(d.pidfd >= 0);
    CHECK_INT(d.pid, pid);
    CHECK_OK(daemon_stop(&d, 5000, false, &e), &e);
    CHECK_INT(d.pidfd, -1);
    CHECK_ERR(pidfile_read(d.data_fd, &found, &e), ERR_NOT_FOUND, &e);
}

TEST(a_dead_process_is_stale_even_when_not_collected)
{
    CLEANUP(daemon_close) struct daemon d;
    struct error e;
    siginfo_t info;
    open_home(&d);
    pid_t pid = start_sleeper("stigmer-server");
    CHECK_OK(pidfile_write(d.data_fd, pid, &e), &e);
    CHECK_INT(kill(pid, SIGKILL), 0);
    CHECK_INT(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    CHECK_OK(daemon_find(&d, &e), &e);
    CHECK_INT(d.pidfd, -1);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    CHECK_OK(daemon_find(&d, &e), &e);
    CHECK_INT(d.pidfd, -1);
}

TEST(another_program_under_that_pid_is_stale)
{
    CLEANUP(daemon_close) struct daemon d;
    struct error e;
    open_home(&d);
    pid_t pid = start_sleeper("stigmer-other");
    CHECK_OK(pidfile_write(d.data_fd, pid, &e), &e);
    CHECK_OK(daemon_find(&d, &e), &e);
    CHECK_INT(d.pidfd, -1);
    CHECK_INT(kill(pid, SIGKILL), 0);
}

TEST(a_server_whose_file_was_replaced_is_still_the_server)
{
    CLEANUP(daemon_close) struct daemon d;
    struct error e;
    open_home(&d);
    pid_t pid = start_sleeper("stigmer-server");
    CHECK_OK(pidfile_write(d.data_fd, pid, &e), &e);
    CHECK_OK(sys_unlinkat(test_dirfd(), "stigmer-server", 0, &e), &e);
    CHECK_OK(daemon_find(&d, &e), &e);
    CHECK(d.pidfd >= 0);
    CHECK_OK(daemon_stop(&d, 5000, false, &e), &e);
}

TEST(stop_times_out_and_force_kills)
{
    CLEANUP(daemon_close) struct daemon d;
    struct error e;
    pid_t found;
    open_home(&d);
    CHECK(signal(SIGTERM, SIG_IGN) != SIG_ERR); /* passed on by fork and exec */
    pid_t pid = start_sleeper("stigmer-server");
    CHECK_OK(pidfile_write(d.data_fd, pid, &e), &e);
    CHECK_OK(daemon_find(&d, &e), &e);
    CHECK_ERR(daemon_stop(&d, 50, false, &e), ERR_DEADLINE_EXCEEDED, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("still running"));
    CHECK_OK(pidfile_read(d.data_fd, &found, &e), &e);
    CHECK_OK(daemon_stop(&d, 50, true, &e), &e);
    CHECK_ERR(pidfile_read(d.data_fd, &found, &e), ERR_NOT_FOUND, &e);
}

TEST(the_lock_is_held_by_one)
{
    CLEANUP(daemon_close) struct daemon d;
    CLEANUP(sys_closep) int first = -1;
    CLEANUP(sys_closep) int second = -1;
    struct error e;
    open_home(&d);
    CHECK_OK(daemon_lock(&d, 0, &first, &e), &e);
    CHECK_ERR(daemon_lock(&d, 60, &second, &e), ERR_DEADLINE_EXCEEDED, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("another stigmer command"));
    sys_closep(&first);
    CHECK_OK(daemon_lock(&d, 0, &second, &e), &e);
}

TEST(the_log_tail_is_escaped_and_short)
{
    CLEANUP(daemon_close) struct daemon d;
    CLEANUP(buf_deinit) struct buf out;
    buf_init(&out, MIB(1));
    open_home(&d);
    FILE *f = fopen(d.log_path, "we");
    CHECK(f);
    (void)fprintf(f, "before\n");
    long offset = ftell(f);
    for (int i = 0; i < 30; i++)
        (void)fprintf(f, "line %d\n", i);
    (void)fprintf(f, "bad \x1b[31m\n");
    (void)fclose(f);
    daemon_log_tail(&d, (uint64_t)offset, &out);
    CHECK(str_starts_with(buf_view(&out), STR("  line 19\n")));
    CHECK(str_ends_with(buf_view(&out), STR("  line 29\n  bad \\x1b[31m\n")));
}

TEST(the_log_tail_starts_where_this_server_did)
{
    CLEANUP(daemon_close) struct daemon d;
    CLEANUP(buf_deinit) struct buf out;
    buf_init(&out, MIB(1));
    open_home(&d);
    FILE *f = fopen(d.log_path, "we");
    CHECK(f);
    (void)fprintf(f, "before\nown\n");
    (void)fclose(f);
    daemon_log_tail(&d, 7, &out);
    CHECK_STR(buf_view(&out), STR("  own\n"));
}

TEST(executable_in_path)
{
    char path[SYS_PATH_MAX], want[SYS_PATH_MAX];
    struct error e;
    CHECK_INT(setenv("PATH", "/nonexistent", 1), 0);
    CHECK_ERR(daemon_executable(path, &e), ERR_NOT_FOUND, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("PATH"));
    (void)snprintf(want, sizeof want, "%s/stigmer-server", test_dir());
    FILE *f = fopen(want, "we");
    CHECK(f);
    (void)fclose(f);
    CHECK_INT(setenv("PATH", test_dir(), 1), 0);
    CHECK_ERR(daemon_executable(path, &e), ERR_NOT_FOUND, &e);
    CHECK_INT(chmod(want, 0755), 0);
    CHECK_OK(daemon_executable(path, &e), &e);
    CHECK_STR(str_c(path), str_c(want));
}

static void put_server_in_path(void)
{
    char command[SYS_PATH_MAX];
    (void)snprintf(command, sizeof command, "cp /bin/true %s/stigmer-server", test_dir());
    CHECK_INT(system(command), 0);
    CHECK_INT(setenv("PATH", test_dir(), 1), 0);
}

/* Starts a server with a log of that size before; its lines begin at *ret_offset. */
static void start_with_log(off_t size, uint64_t *ret_offset, struct stat *ret_old)
{
    CLEANUP(daemon_close) struct daemon d;
    char old[SYS_PATH_MAX + 2];
    struct error e;
    open_home(&d);
    (void)snprintf(old, sizeof old, "%s.1", d.log_path);
    FILE *f = fopen(d.log_path, "we");
    CHECK(f);
    CHECK_INT(ftruncate(fileno(f), size), 0);
    (void)fclose(f);
    CHECK_OK(daemon_spawn(&d, 1, ret_offset, &e), &e);
    *ret_old = (struct stat){0};
    (void)stat(old, ret_old);
}

TEST(a_long_log_is_set_aside_at_the_start)
{
    uint64_t offset;
    struct stat old;
    put_server_in_path();
    start_with_log(MIB(16), &offset, &old);
    CHECK_INT(offset, MIB(16));
    CHECK_INT(old.st_size, 0);
    start_with_log(MIB(16) + 1, &offset, &old);
    CHECK_INT(offset, 0);
    CHECK_INT(old.st_size, MIB(16) + 1);
    start_with_log(MIB(16) + 2, &offset, &old);
    CHECK_INT(old.st_size, MIB(16) + 2);
}

TEST(relative_paths_are_refused_for_a_daemon)
{
    CLEANUP(daemon_close) struct daemon d;
    struct error e;
    uint64_t offset;
    open_home(&d);
    put_server_in_path();
    CHECK_INT(setenv("DB_PATH", "relative/db", 1), 0);
    CHECK_ERR(daemon_spawn(&d, 1, &offset, &e), ERR_FAILED_PRECONDITION, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("DB_PATH"));
}
