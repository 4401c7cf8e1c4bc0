#include "base/str.h"

#include "test.h"

#include <stdlib.h>

TEST(views)
{
    CHECK_INT(STR("a\0b").len, 3);
    CHECK_INT(str_c(NULL).len, 0);
    CHECK_INT(str_c("abc").len, 3);
    CHECK_STR(str_skip(STR("abc"), 1), STR("bc"));
    CHECK_STR(str_skip(STR("abc"), 3), STR(""));
    CHECK_STR(str_skip(STR_NULL, 0), STR(""));
    CHECK_STR(str_head(STR("abc"), 2), STR("ab"));
    CHECK_STR(str_head(STR("abc"), 5), STR("abc"));
    CHECK_STR(str_head(STR_NULL, 5), STR(""));
}

TEST(equality)
{
    CHECK(str_eq(STR("abc"), STR("abc")));
    CHECK(str_eq(STR_NULL, STR("")));
    CHECK(!str_eq(STR("abc"), STR("abd")));
    CHECK(!str_eq(STR("abc"), STR("ab")));
    CHECK(!str_eq(STR("a\0b"), STR("a\0c")));
    CHECK(str_eq_nocase(STR("Content-TYPE"), STR("content-type")));
    CHECK(!str_eq_nocase(STR("a"), STR("ab")));
    CHECK(!str_eq_nocase(STR("["), STR("{"))); /* differ by the case bit only */
    CHECK(!str_eq_nocase(STR("\xc3\x84"), STR("\xc3\xa4")));
}

TEST(order_is_by_bytes)
{
    CHECK_INT(str_cmp(STR("a"), STR("a")), 0);
    CHECK_INT(str_cmp(STR_NULL, STR("")), 0);
    CHECK(str_cmp(STR("a"), STR("b")) < 0);
    CHECK(str_cmp(STR("b"), STR("a")) > 0);
    CHECK(str_cmp(STR("a"), STR("ab")) < 0);
    CHECK(str_cmp(STR("ab"), STR("a")) > 0);
    CHECK(str_cmp(STR_NULL, STR("a")) < 0);
    CHECK(str_cmp(STR("\xff"), STR("a")) > 0);
    CHECK(str_cmp(STR("Z"), STR("a")) < 0);
}

TEST(prefixes_and_suffixes)
{
    CHECK(str_starts_with(STR("abc"), STR("ab")));
    CHECK(str_starts_with(STR("abc"), STR_NULL));
    CHECK(str_starts_with(STR_NULL, STR_NULL));
    CHECK(!str_starts_with(STR("a"), STR("ab")));
    CHECK(!str_starts_with(STR("abc"), STR("b")));
    CHECK(str_ends_with(STR("abc"), STR("bc")));
    CHECK(str_ends_with(STR("abc"), STR_NULL));
    CHECK(!str_ends_with(STR("c"), STR("bc")));
    CHECK(!str_ends_with(STR("abc"), STR("b")));
}

TEST(searching)
{
    CHECK_INT(str_find(STR("abca"), 'a'), 0);
    CHECK_INT(str_find(STR("abca"), 'c'), 2);
    CHECK_INT(str_find(STR("abca"), 'x'), -1);
    CHECK_INT(str_find(STR_NULL, 'x'), -1);
    CHECK_INT(str_find(STR("a\0b"), 'b'), 2);
    CHECK_INT(str_rfind(STR("abca"), 'a'), 3);
    CHECK_INT(str_rfind(STR("abca"), 'x'), -1);
    CHECK_INT(str_rfind(STR_NULL, 'x'), -1);
    CHECK_INT(str_find_str(STR("abcabc"), STR("ca")), 2);
    CHECK_INT(str_find_str(STR("abc"), STR("")), 0);
    CHECK_INT(str_find_str(STR_NULL, STR("")), 0);
    CHECK_INT(str_find_str(STR_NULL, STR("a")), -1);
    CHECK_INT(str_find_str(STR("ab"), STR("abc")), -1);
}

static void check_cut(str s, bool want, str want_head, str want_tail)
{
    str head, tail;
    CHECK_INT(str_cut(s, ':', &head, &tail), want);
    CHECK_STR(head, want_head);
    CHECK_STR(tail, want_tail);
}

TEST(cutting)
{
    check_cut(STR("a:b"), true, STR("a"), STR("b"));
    check_cut(STR("a:b:c"), true, STR("a"), STR("b:c"));
    check_cut(STR(":"), true, STR(""), STR(""));
    check_cut(STR("abc"), false, STR("abc"), STR(""));
    check_cut(STR_NULL, false, STR(""), STR(""));
    str s = STR("x:y");
    CHECK(str_cut(s, ':', &s, &(str){0})); /* an output may be the input */
    CHECK_STR(s, STR("x"));
}

TEST(trimming)
{
    CHECK_STR(str_trim(STR(" \t\r\na b\n ")), STR("a b"));
    CHECK_STR(str_trim(STR(" \n ")), STR(""));
    CHECK_STR(str_trim(STR_NULL), STR(""));
    CHECK_STR(str_trim(STR("\va\f")), STR("\va\f"));
}

TEST(copies_as_c_strings)
{
    char *c = str_dup_c(STR("abc"));
    CHECK_STR(str_c(c), STR("abc"));
    free(c);
    c = str_dup_c(STR_NULL);
    CHECK_STR(str_c(c), STR(""));
    free(c);
}

TEST(numbers)
{
    uint64_t v = 0;
    CHECK(str_to_u64(STR("0"), &v));
    CHECK_INT(v, 0);
    CHECK(str_to_u64(STR("007"), &v));
    CHECK_INT(v, 7);
    CHECK(str_to_u64(STR("18446744073709551615"), &v));
    CHECK(v == UINT64_MAX);
    v = 5;
    const str bad[] = {STR(""),
                       STR("-1"),
                       STR("+1"),
                       STR(" 1"),
                       STR("1 "),
                       STR("1a"),
                       STR("0x1"),
                       STR("18446744073709551616"),
                       STR("1\0"),
                       STR("\xb2"),
                       STR("1e3"),
                       STR("99999999999999999999"),
                       STR("1_0"),
                       STR("1.0"),
                       STR("000000000000000000001")};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK(!str_to_u64(bad[i], &v));
    CHECK_INT(v, 5);
}

TEST(labels)
{
    CHECK(str_is_label(STR("v1.0_rc-2")));
    CHECK(str_is_label(STR("Z")));
    CHECK(str_is_label(STR("..")));
    const str bad[] = {STR(""),    STR("a b"), STR("a/b"), STR("a\0"), STR("\xc3\xa9"),
                       STR("a:b"), STR("@"),   STR("["),   STR("`"),   STR("{")};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK(!str_is_label(bad[i]));
}

TEST(macros)
{
    CHECK_INT(MIN(3, 2), 2);
    CHECK_INT(MAX(3, 2), 3);
    CHECK_INT(KIB(2), 2048);
    CHECK_INT(MIB(1), 1048576);
    char *p = malloc(1);
    CLEANUP(freep) char *q = STEAL(p);
    CHECK(!p);
    CHECK(q);
}
