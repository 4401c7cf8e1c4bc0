#include "base/err.h"

#include "base/utf8.h"
#include "test.h"

#include <errno.h>

TEST(codes_are_grpc_status_codes)
{
    CHECK_INT(ERR_OK, 0);
    CHECK_INT(ERR_INVALID_ARGUMENT, 3);
    CHECK_INT(ERR_NOT_FOUND, 5);
    CHECK_INT(ERR_RESOURCE_EXHAUSTED, 8);
    CHECK_INT(ERR_DATA_LOSS, 15);
    CHECK_INT(ERR_UNAUTHENTICATED, 16);
}

TEST(the_table_is_complete)
{
    for (int code = 0; code <= ERR_UNAUTHENTICATED; code++) {
        CHECK(err_name((enum err)code)[0]);
        CHECK(err_text((enum err)code)[0]);
        CHECK(err_http_status((enum err)code) >= 200);
    }
    CHECK_STR(str_c(err_name(ERR_NOT_FOUND)), STR("NOT_FOUND"));
    CHECK_STR(str_c(err_text(ERR_NOT_FOUND)), STR("not found"));
    CHECK_INT(err_http_status(ERR_NOT_FOUND), 404);
}

TEST(values_outside_the_table_are_unknown)
{
    const int outside[] = {-1, 17, 1000};
    for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
        CHECK_STR(str_c(err_name((enum err)outside[i])), STR("UNKNOWN"));
        CHECK_INT(err_http_status((enum err)outside[i]), 500);
    }
}

TEST(fail_fills_everything)
{
    struct error e;
    memset(&e, 0xff, sizeof e);
    CHECK_INT(FAIL(&e, ERR_NOT_FOUND, "test.reason", "no %s at %d", "thing", 7), ERR_NOT_FOUND);
    CHECK_INT(e.code, ERR_NOT_FOUND);
    CHECK_INT(e.sys, 0);
    CHECK_STR(str_c(e.reason), STR("test.reason"));
    CHECK_STR(str_c(e.msg), STR("no thing at 7"));
    CHECK(str_ends_with(str_c(e.file), STR("test_err.c")));
    CHECK(e.line > 0);
}

TEST(fail_sys_keeps_the_errno)
{
    struct error e;
    CHECK_INT(FAIL_SYS(&e, ERR_INTERNAL, EIO, "test.io", "reading"), ERR_INTERNAL);
    CHECK_INT(e.sys, EIO);
    CHECK_STR(str_c(e.msg), STR("reading: Input/output error"));
}

TEST(wrap_puts_the_context_before)
{
    struct error e;
    (void)FAIL_SYS(&e, ERR_NOT_FOUND, ENOENT, "test.open", "open");
    CHECK_INT(err_wrap(&e, "reading %s", "config"), ERR_NOT_FOUND);
    CHECK_STR(str_c(e.msg), STR("reading config: open: No such file or directory"));
    CHECK_STR(str_c(e.reason), STR("test.open"));
    CHECK_INT(e.sys, ENOENT);
}

TEST(long_texts_are_cut)
{
    struct error e;
    char text[1000];
    memset(text, 'x', sizeof text);
    (void)FAIL(&e, ERR_INTERNAL, "test.long", "%.*s", (int)sizeof text, text);
    CHECK_INT(strlen(e.msg), ERR_MSG_MAX - 1);
    (void)err_wrap(&e, "%.*s", (int)sizeof text, text);
    CHECK_INT(strlen(e.msg), ERR_MSG_MAX - 1);
    (void)err_wrap(&e, "ab");
    CHECK_INT(strlen(e.msg), ERR_MSG_MAX - 1);
    CHECK(str_starts_with(str_c(e.msg), STR("ab: xxx")));
    (void)FAIL_SYS(&e, ERR_INTERNAL, EIO, "test.long", "%.*s", (int)sizeof text, text);
    CHECK_INT(strlen(e.msg), ERR_MSG_MAX - 1);
}

TEST(texts_are_cut_between_characters)
{
    const char *chars[] = {"é", "€", "😀"};
    for (size_t i = 0; i < ARRAY_SIZE(chars); i++)
        for (size_t shift = 0; shift < 4; shift++) {
            CLEANUP(buf_deinit) struct buf b;
            struct error e;
            buf_init(&b, 2000);
            buf_add(&b, str_of("1234", shift));
            while (b.len < 600)
                buf_add_c(&b, chars[i]);
            (void)FAIL(&e, ERR_INTERNAL, "test.utf8", "%s", buf_cstr(&b));
            CHECK(utf8_valid(str_c(e.msg)));
            CHECK(strlen(e.msg) > ERR_MSG_MAX - 5);
        }
}

TEST(bytes_that_are_not_utf8_are_cut_anywhere)
{
    struct error e;
    char text[600];
    memset(text, 0x80, sizeof text);
    (void)FAIL(&e, ERR_INTERNAL, "test.bytes", "%.*s", (int)sizeof text, text);
    CHECK(strlen(e.msg) >= ERR_MSG_MAX - 4);
}

TEST(an_error_can_speak_of_itself)
{
    struct error e;
    (void)FAIL(&e, ERR_NOT_FOUND, "test.inner", "inner text");
    (void)FAIL(&e, ERR_INTERNAL, "test.outer", "outer (%s)", e.msg);
    CHECK_STR(str_c(e.msg), STR("outer (inner text)"));
    (void)err_wrap(&e, "again %s", e.msg);
    CHECK_STR(str_c(e.msg), STR("again outer (inner text): outer (inner text)"));
}

static enum err twice(enum err first, int *n, struct error *e)
{
    TRY(first ? FAIL(e, first, "test.first", "first") : ERR_OK);
    ++*n;
    return ERR_OK;
}

TEST(try_forwards)
{
    struct error e = {0};
    int n = 0;
    CHECK_OK(twice(ERR_OK, &n, &e), &e);
    CHECK_INT(n, 1);
    CHECK_ERR(twice(ERR_ABORTED, &n, &e), ERR_ABORTED, &e);
    CHECK_INT(n, 1);
    CHECK_INT(FAIL_NOMEM(&e), ERR_RESOURCE_EXHAUSTED);
}
