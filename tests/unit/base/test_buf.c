#include "base/buf.h"

#include "test.h"

#include <stdlib.h>

TEST(appends_in_every_form)
{
    CLEANUP(buf_deinit) struct buf b;
    struct error e;
    buf_init(&b, 100);
    CHECK_STR(buf_view(&b), STR(""));
    buf_add(&b, STR("a"));
    buf_add(&b, STR_NULL);
    buf_add_c(&b, "bc");
    buf_add_char(&b, '\0');
    buf_add_zero(&b, 2);
    buf_addf(&b, "%d%s", 12, "x");
    CHECK_STR(buf_view(&b), STR("abc\0\0\00012x"));
    CHECK_OK(buf_status(&b, &e), &e);
}

TEST(exactly_the_maximum_fits)
{
    for (size_t max = 0; max < 200; max++) {
        CLEANUP(buf_deinit) struct buf b;
        buf_init(&b, max);
        for (size_t i = 0; i < max; i++)
            buf_add_char(&b, 'x');
        CHECK(!b.failed);
        CHECK_INT(b.len, max);
        CHECK_INT(strlen(buf_cstr(&b)), max);
        CHECK(!b.failed);
        buf_add_char(&b, 'x');
        CHECK(b.failed);
        CHECK_INT(b.len, max);
    }
}

TEST(failure_sticks_until_cleared)
{
    CLEANUP(buf_deinit) struct buf b;
    struct error e;
    buf_init(&b, 5);
    buf_add_c(&b, "abc");
    buf_add_c(&b, "def"); /* too long: not even a part of it */
    buf_add_c(&b, "g");
    CHECK_STR(buf_view(&b), STR("abc"));
    CHECK_ERR(buf_status(&b, &e), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("5 bytes"));
    CHECK(!buf_cstr(&b));
    CHECK(!buf_reserve(&b, 0));
    buf_clear(&b);
    CHECK_OK(buf_status(&b, &e), &e);
    buf_add_c(&b, "defgh");
    CHECK_STR(buf_view(&b), STR("defgh"));
}

TEST(formatted_text_is_whole_or_absent)
{
    CLEANUP(buf_deinit) struct buf b;
    buf_init(&b, 10);
    buf_addf(&b, "%s", "0123456789");
    CHECK_STR(buf_view(&b), STR("0123456789"));
    buf_clear(&b);
    buf_addf(&b, "%s", "0123456789x");
    CHECK(b.failed);
    CHECK_STR(buf_view(&b), STR(""));
}

TEST(reserve_then_bump)
{
    CLEANUP(buf_deinit) struct buf b;
    buf_init(&b, 1000);
    buf_add_c(&b, "head");
    char *to = buf_reserve(&b, 900);
    CHECK(to);
    memset(to, 'x', 900);
    CHECK_STR(buf_view(&b), STR("head"));
    b.len += 900;
    CHECK_INT(buf_view(&b).p[903], 'x');
    CHECK(!buf_reserve(&b, 97));
    CHECK(b.failed);
}

TEST(lengths_that_would_wrap_are_refused)
{
    CLEANUP(buf_deinit) struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_add_c(&b, "abc");
    CHECK(!buf_reserve(&b, SIZE_MAX));
    buf_clear(&b);
    CHECK(!buf_reserve(&b, SIZE_MAX - 3));
    buf_clear(&b);
    buf_add_c(&b, "def");
    CHECK_STR(buf_view(&b), STR("def"));
}

TEST(drop_from_the_front)
{
    CLEANUP(buf_deinit) struct buf b;
    buf_init(&b, 10);
    buf_add_c(&b, "abcdef");
    buf_drop(&b, 2);
    CHECK_STR(buf_view(&b), STR("cdef"));
    buf_drop(&b, 0);
    buf_drop(&b, 4);
    CHECK_STR(buf_view(&b), STR(""));
    buf_add_c(&b, "0123456789");
    CHECK(!b.failed);
}

TEST(cstr_ends_with_a_nul_that_does_not_count)
{
    CLEANUP(buf_deinit) struct buf b;
    buf_init(&b, 3);
    CHECK_STR(str_c(buf_cstr(&b)), STR(""));
    buf_add_c(&b, "abc");
    CHECK_STR(str_c(buf_cstr(&b)), STR("abc"));
    CHECK_INT(b.len, 3);
}

TEST(deinit_twice_and_zeroed)
{
    struct buf zeroed = {0}, b;
    buf_deinit(&zeroed);
    buf_add_c(&zeroed, "x"); /* no maximum was given: holds nothing */
    CHECK(zeroed.failed);
    buf_deinit(&zeroed);
    buf_init(&b, 10);
    buf_add_c(&b, "x");
    buf_deinit(&b);
    buf_deinit(&b);
    buf_add_c(&b, "0123456789");
    CHECK(!b.failed);
    buf_deinit(&b);
}
