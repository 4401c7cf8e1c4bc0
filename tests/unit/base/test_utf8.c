#include "base/utf8.h"

#include "test.h"

static void check_one(str s, uint32_t want)
{
    uint32_t cp = 0;
    str rest = s;
    CHECK(utf8_next(&rest, &cp));
    CHECK_INT(cp, want);
    CHECK_INT(rest.len, 0);
    CHECK(utf8_valid(s));
    struct buf b;
    buf_init(&b, 8);
    utf8_add(&b, want);
    CHECK_STR(buf_view(&b), s);
    buf_deinit(&b);
}

TEST(the_bounds_of_each_length)
{
    check_one(STR("\0"), 0);
    check_one(STR("\x7f"), 0x7f);
    check_one(STR("\xc2\x80"), 0x80);
    check_one(STR("\xdf\xbf"), 0x7ff);
    check_one(STR("\xe0\xa0\x80"), 0x800);
    check_one(STR("\xed\x9f\xbf"), 0xd7ff);
    check_one(STR("\xee\x80\x80"), 0xe000);
    check_one(STR("\xef\xbf\xbf"), 0xffff);
    check_one(STR("\xf0\x90\x80\x80"), 0x10000);
    check_one(STR("\xf4\x8f\xbf\xbf"), 0x10ffff);
}

TEST(every_scalar_value_survives)
{
    for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
        char text[8];
        struct buf b = {.p = text, .cap = sizeof text, .max = 7};
        uint32_t got = 0;
        if (cp >= 0xd800 && cp <= 0xdfff)
            continue;
        utf8_add(&b, cp);
        str s = buf_view(&b);
        CHECK(utf8_next(&s, &got));
        CHECK(got == cp && s.len == 0);
    }
}

/* RFC 3629 sections 3 and 4; each class of malformed sequence. */
static const str malformed[] = {
    STR("\x80"), /* a continuation alone */
    STR("\xbf"),
    STR("\xc0\x80"), /* overlong */
    STR("\xc1\xbf"),
    STR("\xe0\x80\x80"),
    STR("\xe0\x9f\xbf"),
    STR("\xf0\x80\x80\x80"),
    STR("\xf0\x8f\xbf\xbf"),
    STR("\xed\xa0\x80"), /* surrogates */
    STR("\xed\xbf\xbf"),
    STR("\xf4\x90\x80\x80"), /* above U+10FFFF */
    STR("\xf5\x80\x80\x80"),
    STR("\xf7\xbf\xbf\xbf"),
    STR("\xf8\x88\x80\x80\x80"),
    STR("\xfc\x84\x80\x80\x80\x80"),
    STR("\xfe"),
    STR("\xff"),
    STR("\xc2"), /* cut short */
    STR("\xe2\x82"),
    STR("\xf0\x9f\x98"),
    STR("\xc2\x41"), /* a start where a continuation belongs */
    STR("\xe2\x82\x41"),
    STR("\xe2\x41\x80"),
    STR("\xf0\x9f\x98\x41"),
    STR("\xc2\xc2"),
};

TEST(malformed_sequences_are_refused)
{
    for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
        str s = malformed[i];
        uint32_t cp;
        CHECK(!utf8_next(&s, &cp));
        CHECK_INT(s.len, malformed[i].len);
        CHECK(!utf8_valid(malformed[i]));
    }
}

TEST(one_bad_byte_anywhere_spoils_a_text)
{
    CHECK(utf8_valid(STR("ab\xc3\xa9\xf0\x9f\x98\x80z")));
    CHECK(utf8_valid(STR_NULL));
    CHECK(!utf8_valid(STR("ab\xc3\xa9\xf0\x9f\x98z")));
    CHECK(!utf8_valid(STR("ab\xc3")));
    CHECK(!utf8_valid(STR("\xa9z")));
}

TEST(nothing_has_no_first_character)
{
    str s = STR_NULL;
    uint32_t cp;
    CHECK(!utf8_next(&s, &cp));
}

static void check_escaped(str s, str want)
{
    struct buf b;
    buf_init(&b, 1000);
    utf8_add_escaped(&b, s);
    CHECK_STR(buf_view(&b), want);
    buf_deinit(&b);
}

TEST(plain_text_is_shown_as_it_is)
{
    check_escaped(STR("Agent 你好 é 😀 \"quoted\""), STR("Agent 你好 é 😀 \"quoted\""));
    check_escaped(STR_NULL, STR(""));
}

TEST(what_moves_the_cursor_is_escaped)
{
    check_escaped(STR("a\033[2Jb"), STR("a\\x1b[2Jb"));
    check_escaped(STR("\n\r\t\0\x7f"), STR("\\x0a\\x0d\\x09\\x00\\x7f"));
    check_escaped(STR("\xc2\x9b"), STR("\\u{9b}")); /* C1 CSI */
    check_escaped(STR("\\x41"), STR("\\\\x41"));    /* no text can pretend to be an escape */
}

TEST(what_hides_or_reorders_is_escaped)
{
    const uint32_t hidden[] = {0xad,   0x61c,  0x180e, 0x200b, 0x200e, 0x200f, 0x2028, 0x2029,
                               0x202a, 0x202e, 0x2060, 0x2066, 0x2069, 0xfeff, 0xfff9, 0xe0041};
    for (size_t i = 0; i < ARRAY_SIZE(hidden); i++) {
        struct buf in, out;
        buf_init(&in, 10);
        buf_init(&out, 40);
        utf8_add(&in, hidden[i]);
        utf8_add_escaped(&out, buf_view(&in));
        CHECK(str_starts_with(buf_view(&out), STR("\\u{")));
        buf_deinit(&in);
        buf_deinit(&out);
    }
}

TEST(invalid_bytes_are_escaped_one_by_one)
{
    for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
        struct buf b;
        buf_init(&b, 100);
        utf8_add_escaped(&b, malformed[i]);
        CHECK(utf8_valid(buf_view(&b)));
        CHECK(str_starts_with(buf_view(&b), STR("\\x")));
        buf_deinit(&b);
    }
    check_escaped(STR("a\xe2\x82z"), STR("a\\xe2\\x82z"));
    check_escaped(STR("\xed\xa0\x80"), STR("\\xed\\xa0\\x80"));
}
