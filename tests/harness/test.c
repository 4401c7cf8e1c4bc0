#include "test.h"

#include "base/buf.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_SKIPPED 77

extern const struct test __start_tests[], __stop_tests[];

static char dir_path[64];
static int dir_fd = -1;
/* What a test's process tells the harness, in memory that both share. */
static struct verdict {
    volatile bool finished; /* set behind the test's last line */
    char skipped[128];      /* why */
} * verdict;

const char *test_dir(void)
{
    return dir_path;
}

int test_dirfd(void)
{
    if (dir_fd < 0)
        dir_fd = open(dir_path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    return dir_fd;
}

void test_mount(const char *type, const char *options)
{
    if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        test_skip("no mount namespaces here");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", test_dir(), type, 0, options) < 0)
        test_skip("this file system cannot be mounted here");
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)printf("# %s:%d: ", file, line);
    (void)vprintf(fmt, ap);
    (void)printf("\n");
    va_end(ap);
    (void)fflush(stdout);
    _exit(1);
}

void test_skip(const char *reason)
{
    (void)snprintf(verdict->skipped, sizeof verdict->skipped, "%s", reason);
    (void)fflush(stdout);
    _exit(EXIT_SKIPPED);
}

static void escaped(str s, char *out, size_t max)
{
    struct buf b;
    buf_init(&b, max - 1);
    utf8_add_escaped(&b, str_head(s, max / 10));
    (void)snprintf(out, max, "%.*s%s", STR_ARG(buf_view(&b)), s.len > max / 10 ? "…" : "");
    buf_deinit(&b);
}

void test_check_str(const char *file, int line, str got, str want)
{
    char g[4000], w[4000];
    if (str_eq(got, want))
        return;
    escaped(got, g, sizeof g);
    escaped(want, w, sizeof w);
    test_fail(file, line, "got \"%s\" (%zu bytes), want \"%s\" (%zu bytes)", g, got.len, w,
              want.len);
}

void test_check_contains(const char *file, int line, str got, str part)
{
    char g[4000], w[4000];
    if (str_find_str(got, part) >= 0)
        return;
    escaped(got, g, sizeof g);
    escaped(part, w, sizeof w);
    test_fail(file, line, "\"%s\" does not contain \"%s\"", g, w);
}

void test_check_int(const char *file, int line, const char *expr, long long got, long long want)
{
    if (got != want)
        test_fail(file, line, "%s is %lld, want %lld", expr, got, want);
}

void test_check_err(const char *file, int line, const char *expr, enum err got, enum err want,
                    const struct error *e)
{
    if (got == want)
        return;
    test_fail(file, line, "%s: got %s, want %s (%s:%d %s: %s)", expr, err_name(got), err_name(want),
              got ? e->file : "", got ? e->line : 0, got ? e->reason : "",
              got ? e->msg : "no error");
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

/* Seconds a test may take: TEST_TIMEOUT_S, or what the environment says. */
static int timeout_s(void)
{
    uint64_t v;
    str text = str_c(getenv("TEST_TIMEOUT_S"));
    return str_to_u64(text, &v) && v > 0 && v <= 3600 ? (int)v : TEST_TIMEOUT_S;
}

static _Noreturn void child_main(const struct test *t)
{
    setpgid(0, 0);
    t->run();
    verdict->finished = true;
    exit(0); /* runs LeakSanitizer, whose findings fail the test */
}

/* Waits from outside: whatever a test does to its signals, it ends. */
static void await(pid_t pid)
{
    struct pollfd p = {.fd = pidfd_open(pid, 0), .events = POLLIN};
    int r;
    do
        r = poll(&p, 1, timeout_s() * 1000);
    while (r < 0 && errno == EINTR);
    if (r == 0)
        (void)printf("# not done after %d s\n", timeout_s());
    close(p.fd);
    kill(-pid, SIGKILL); /* with what the test itself started */
    kill(pid, SIGKILL);
}

static int result_of(int status)
{
    if (WIFSIGNALED(status))
        (void)printf("# ended by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (!WIFEXITED(status))
        return 1;
    if (WEXITSTATUS(status) == 0 && !verdict->finished) {
        (void)printf("# called exit(0) before its end\n");
        return 1;
    }
    return WEXITSTATUS(status);
}

static int run_child(const struct test *t)
{
    int status = -1;
    *verdict = (struct verdict){0};
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) {
        (void)printf("# cannot fork\n");
        return 1;
    }
    if (pid == 0)
        child_main(t);
    await(pid);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return result_of(status);
}

static int run_test(const struct test *t)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(dir_path, sizeof dir_path, "%.30s/stigmer-test.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir_path)) {
        (void)printf("# cannot make %s\n", dir_path);
        return 1;
    }
    int r = run_child(t);
    nftw(dir_path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return r;
}

static bool chosen(const struct test *t, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strstr(t->name, argv[i]))
            return true;
    return argc < 2;
}

int main(int argc, char **argv)
{
    int n = 0, failed = 0;
    bool list = argc == 2 && strcmp(argv[1], "--list") == 0;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    verdict =
        mmap(NULL, sizeof *verdict, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (verdict == MAP_FAILED)
        return 1;
    if (!list)
        (void)printf("TAP version 13\n");
    for (const struct test *t = __start_tests; t < __stop_tests; t++) {
        if (list) {
            (void)printf("%s\n", t->name);
        } else if (chosen(t, argc, argv)) {
            int r = run_test(t);
            bool skipped = r == EXIT_SKIPPED;
            failed += r != 0 && !skipped;
            (void)printf("%sok %d - %s%s%s\n", r && !skipped ? "not " : "", ++n, t->name,
                         skipped ? " # SKIP " : "", skipped ? verdict->skipped : "");
        }
    }
    if (!list)
        (void)printf("1..%d\n", n);
    return failed || (!list && n == 0);
}
