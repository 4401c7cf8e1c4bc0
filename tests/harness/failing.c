/* Tests that fail on purpose, each in its own way; check_harness.py knows what the harness must
 * say about them. */
#include "test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(passes)
{
    CHECK(test_dir()[0] == '/');
    CHECK_INT(access(test_dir(), W_OK), 0);
}

TEST(skips)
{
    test_skip("no reason in particular");
}

TEST(fails_check)
{
    CHECK(1 + 1 == 3);
}

TEST(fails_check_int)
{
    CHECK_INT(1 + 1, 3);
}

TEST(fails_check_str)
{
    CHECK_STR(STR("a\033b"), STR("ab"));
}

TEST(fails_check_ok)
{
    struct error e;
    enum err err = FAIL(&e, ERR_NOT_FOUND, "test.reason", "the message");
    CHECK_OK(err, &e);
}

TEST(fails_check_err)
{
    struct error e = {0};
    CHECK_ERR(ERR_OK, ERR_NOT_FOUND, &e);
}

TEST(fails_check_contains)
{
    CHECK_CONTAINS(STR("haystack"), STR("needle"));
}

TEST(crashes)
{
    (void)raise(SIGSEGV);
}

TEST(aborts)
{
    abort();
}

TEST(exits_early)
{
    exit(0);
}

TEST(exits_with_an_error)
{
    exit(3);
}

/* As a server's threads do, with every signal blocked. */
TEST(hangs)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (;;)
        pause();
}

/* Prints the pid of what it leaves running. */
TEST(leaves_a_process_behind)
{
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    (void)printf("# left %d\n", (int)pid);
    CHECK(false);
}

TEST(leaves_files_behind)
{
    CHECK_INT(mkdirat(test_dirfd(), "deep", 0700), 0);
    CHECK_INT(symlinkat("/etc", test_dirfd(), "deep/link"), 0);
    (void)printf("# dir %s\n", test_dir());
    CHECK(false);
}

static void *volatile keep;

TEST(leaks)
{
    keep = malloc(1000);
    keep = NULL;
}

TEST(overflows)
{
    volatile size_t past = 8;
    volatile char *p = calloc(1, 8);
    p[past] = 1; /* inside what malloc rounds up to: only a sanitizer minds */
    free((void *)p);
}
