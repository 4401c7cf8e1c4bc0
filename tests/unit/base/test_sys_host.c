#include "base/sys_host.h"

#include "base/sys.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(a_hardened_process)
{
    struct error e;
    struct rlimit r;
    struct stat st;
    int fd = -1;
    CHECK_OK(sys_harden(&e), &e);
    CHECK_INT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    CHECK(getrlimit(RLIMIT_CORE, &r) == 0);
    CHECK_INT(r.rlim_cur, 0);
    CHECK_INT(r.rlim_max, 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &r) == 0);
    CHECK_INT(r.rlim_cur, r.rlim_max);
    CHECK_INT(sys_max_files(), r.rlim_max);
    CHECK_OK(sys_openat(test_dirfd(), "f", O_CREAT | O_WRONLY, 0666, &fd, &e), &e);
    CHECK_OK(sys_fstat(fd, &st, &e), &e);
    CHECK_INT(st.st_mode & 0777, 0600);
    sys_closep(&fd);
    CHECK_OK(sys_harden(&e), &e); /* once more does no harm */
}

TEST(there_is_a_processor)
{
    CHECK(sys_n_cpus() >= 1);
}

static void check_signal(int sig, enum sys_signal want, const char *want_name)
{
    struct error e;
    enum sys_signal got;
    const char *name;
    CHECK(kill(getpid(), sig) == 0);
    CHECK_OK(sys_signal_wait(&got, &name, &e), &e);
    CHECK_INT(got, want);
    CHECK_STR(str_c(name), str_c(want_name));
}

TEST(held_signals_are_waited_for)
{
    struct error e;
    CHECK_OK(sys_signals_hold(&e), &e);
    check_signal(SIGTERM, SYS_SIGNAL_STOP, "SIGTERM");
    check_signal(SIGINT, SYS_SIGNAL_STOP, "SIGINT");
    check_signal(SIGHUP, SYS_SIGNAL_RELOAD, "SIGHUP");
    CHECK(kill(getpid(), SIGPIPE) == 0); /* ignored */
}

TEST(released_signals_end_the_process)
{
    struct error e;
    CHECK_OK(sys_signals_hold(&e), &e);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (sys_signals_release(&e) == ERR_OK)
            (void)kill(getpid(), SIGTERM);
        _exit(3);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}
