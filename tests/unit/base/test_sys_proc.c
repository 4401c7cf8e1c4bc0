#include "base/sys_proc.h"

#include "base/clock.h"
#include "base/sys.h"

#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char *args(char *out[4], const char *script)
{
    static char sh[] = "sh", c[] = "-c";
    static char text[4000];
    (void)snprintf(text, sizeof text, "%s", script);
    out[0] = sh;
    out[1] = c;
    out[2] = text;
    out[3] = NULL;
    return text;
}

static int open_out(void)
{
    struct error e;
    int fd;
    CHECK_OK(sys_openat(test_dirfd(), "out", O_RDWR | O_CREAT | O_APPEND, 0600, &fd, &e), &e);
    return fd;
}

/* Runs the script as a daemon and gives back what it wrote. */
static str daemon_output(const char *script)
{
    static char text[4000];
    char *argv[4];
    struct error e;
    size_t n;
    pid_t pid;
    bool ended = false;
    CLEANUP(sys_closep) int out = open_out();
    CLEANUP(sys_closep) int pidfd = -1;
    (void)args(argv, script);
    CHECK_OK(sys_spawn_daemon("/bin/sh", argv, out, &pid, &e), &e);
    if (sys_pidfd_open(pid, &pidfd, &e) == ERR_OK) {
        CHECK_OK(sys_pidfd_wait(pidfd, 10000, &ended, &e), &e);
        CHECK(ended);
    }
    CHECK_OK(sys_pread(out, text, sizeof text, 0, &n, &e), &e);
    return str_of(text, n);
}

TEST(daemon_has_no_terminal_and_clean_surroundings)
{
    CHECK_STR(daemon_output("pwd; umask; readlink /proc/self/fd/0; read x || echo eof"),
              STR("/\n0077\n/dev/null\neof\n"));
}

TEST(daemon_is_not_a_session_leader_and_in_a_session_of_its_own)
{
    char want[32];
    (void)snprintf(want, sizeof want, "%d", (int)getsid(0));
    /* proc(5): field 6 of stat is the session */
    str out = daemon_output("set -- $(cat /proc/$$/stat); echo $6; test $6 != $$ && echo follower");
    CHECK_CONTAINS(out, STR("follower\n"));
    str session;
    (void)str_cut(out, '\n', &session, &out);
    CHECK(!str_eq(session, str_c(want)));
}

TEST(daemon_inherits_no_descriptors)
{
    CLEANUP(sys_closep) int extra = open("/dev/null", O_RDONLY); /* not close-on-exec */
    CHECK(extra > 2);
    /* 3 and above: only what the shell and ls open for themselves */
    char script[100];
    (void)snprintf(script, sizeof script, "test -e /proc/$$/fd/%d && echo leaked; echo done",
                   extra);
    CHECK_STR(daemon_output(script), STR("done\n"));
}

TEST(daemon_has_default_signals)
{
    CHECK(signal(SIGTERM, SIG_IGN) != SIG_ERR);
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    str out = daemon_output("grep SigIgn /proc/$$/status");
    CHECK_CONTAINS(out, STR("0000000000000000"));
}

TEST(daemon_program_that_cannot_run)
{
    char *argv[4];
    struct error e;
    pid_t pid;
    CLEANUP(sys_closep) int out = open_out();
    (void)args(argv, "");
    CHECK_ERR(sys_spawn_daemon("/nonexistent", argv, out, &pid, &e), ERR_NOT_FOUND, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("cannot execute \"/nonexistent\""));
    CHECK_ERR(sys_spawn_daemon("/etc/passwd", argv, out, &pid, &e), ERR_PERMISSION_DENIED, &e);
}

static pid_t start_child(void)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        (void)execl("/bin/sleep", "sleep", "60", (char *)NULL);
        _exit(127);
    }
    while (!sys_proc_is(pid, "sleep"))
        sys_sleep_ms(1);
    return pid;
}

TEST(a_process_is_waited_for_and_signalled)
{
    struct error e;
    bool ended;
    CLEANUP(sys_closep) int pidfd = -1;
    pid_t pid = start_child();
    CHECK_OK(sys_pidfd_open(pid, &pidfd, &e), &e);
    int64_t before = clock_mono_ns();
    CHECK_OK(sys_pidfd_wait(pidfd, 30, &ended, &e), &e);
    CHECK(!ended);
    CHECK(clock_mono_ns() - before >= 30 * NS_PER_MS);
    CHECK_OK(sys_pidfd_signal(pidfd, SIGTERM, &e), &e);
    CHECK_OK(sys_pidfd_wait(pidfd, 5000, &ended, &e), &e);
    CHECK(ended); /* although nobody has collected it yet */
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    CHECK_ERR(sys_pidfd_signal(pidfd, SIGTERM, &e), ERR_NOT_FOUND, &e);
}

TEST(a_process_that_is_not_there)
{
    struct error e;
    int fd;
    int64_t s;
    pid_t pid = start_child();
    CHECK_INT(kill(pid, SIGKILL), 0);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    CHECK_ERR(sys_pidfd_open(pid, &fd, &e), ERR_NOT_FOUND, &e);
    CHECK_ERR(sys_proc_uptime(pid, &s, &e), ERR_NOT_FOUND, &e);
    CHECK(!sys_proc_is(pid, "sleep"));
}

TEST(names_of_processes)
{
    pid_t pid = start_child();
    CHECK(sys_proc_is(pid, "sleep"));
    CHECK(!sys_proc_is(pid, "slee"));
    CHECK(!sys_proc_is(pid, "leep"));
    CHECK_INT(kill(pid, SIGKILL), 0);
}

TEST(uptime_is_small_for_a_new_process)
{
    struct error e;
    int64_t s;
    CHECK_OK(sys_proc_uptime(getpid(), &s, &e), &e);
    CHECK(s >= 0 && s < 60);
}

TEST(paths)
{
    char path[SYS_PATH_MAX], want[SYS_PATH_MAX];
    struct error e;
    CHECK_OK(sys_realpath(test_dir(), want, &e), &e);
    CHECK_INT(chdir(test_dir()), 0);
    CHECK_INT(mkdir("sub", 0700), 0);
    CHECK_INT(symlink("sub", "link"), 0);
    CHECK_OK(sys_realpath("./link/..//.", path, &e), &e);
    CHECK_STR(str_c(path), str_c(want));
    CHECK_ERR(sys_realpath("missing", path, &e), ERR_NOT_FOUND, &e);
    CHECK_OK(sys_self_exe(path, &e), &e);
    CHECK(sys_is_executable(path));
    CHECK(!sys_is_executable("sub"));
    CHECK(!sys_is_executable("missing"));
}

TEST(umask_is_only_looked_at)
{
    (void)umask(027);
    CHECK_INT(sys_umask(), 027);
    CHECK_INT(sys_umask(), 027);
}
