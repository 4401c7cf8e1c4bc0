/*
 * The test harness. Declaring a test runs it:
 *
 *     TEST(cut_without_separator) { CHECK(!str_cut(…)); CHECK_STR(head, "a"); }
 *
 * Each test runs in a process of its own (a crash, a leak under ASan or a hang fails that test and
 * no other; so does an exit(0) in the middle) and has TEST_TIMEOUT_S seconds, which the environment
 * variable of that name overrides. Output is TAP version 13. Arguments choose tests by
 * substring; `--list` prints the names. A failed CHECK prints both values and ends the test.
 * test_skip() ends it as skipped, with a reason that is printed.
 */
#ifndef STIGMER_TESTS_TEST_H
#define STIGMER_TESTS_TEST_H

#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"

#define TEST_TIMEOUT_S 120

struct test {
    const char *name;
    void (*run)(void);
};

/* The entries must lie side by side: no red zones. gcc leaves named sections alone by itself. */
#ifdef __clang__
#define TEST_NO_REDZONE no_sanitize("address")
#else
#define TEST_NO_REDZONE
#endif

#define TEST(ident)                                                                                \
    static void test_##ident(void);                                                                \
    static const struct test test_entry_##ident                                                    \
        __attribute__((section("tests"), used, aligned(sizeof(void *)), TEST_NO_REDZONE)) = {      \
            #ident, test_##ident};                                                                 \
    static void test_##ident(void)

/* A fresh empty directory (mode 0700), removed with its content after the test. Static storage. */
const char *test_dir(void);
/* An open descriptor of test_dir(), owned by the harness. */
int test_dirfd(void);

/* A file system of its own over test_dir(), gone with the test; skips where that is not allowed. */
void test_mount(const char *type, const char *options);

_Noreturn void test_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void test_skip(const char *reason);
void test_check_str(const char *file, int line, str got, str want);
void test_check_int(const char *file, int line, const char *expr, long long got, long long want);
void test_check_err(const char *file, int line, const char *expr, enum err got, enum err want,
                    const struct error *e);
void test_check_contains(const char *file, int line, str got, str part);

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            test_fail(__FILE__, __LINE__, "CHECK(%s)", #cond);                                     \
    } while (0)
#define CHECK_INT(got, want)                                                                       \
    test_check_int(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))
/* Compares two views. */
#define CHECK_STR(got, want) test_check_str(__FILE__, __LINE__, (got), (want))
/* The call succeeds; prints the error when it does not. */
#define CHECK_OK(call, e) test_check_err(__FILE__, __LINE__, #call, (call), ERR_OK, (e))
/* The call fails with exactly that code. */
#define CHECK_ERR(call, want, e)  test_check_err(__FILE__, __LINE__, #call, (call), (want), (e))
#define CHECK_CONTAINS(got, part) test_check_contains(__FILE__, __LINE__, (got), (part))

#endif
