#include "skill/slug.h"
#include "test.h"

static void check_slug(const char *name, const char *want)
{
    struct buf b;
    buf_init(&b, 512);
    slug_from_name(str_c(name), &b);
    CHECK_STR(buf_view(&b), str_c(want));
    buf_deinit(&b);
}

TEST(the_contract_s_examples)
{
    check_slug("My Calculator", "my-calculator");
    check_slug("Email_Tool", "emailtool");
    check_slug("Agent@123!", "agent123");
    check_slug("  a  b ", "a-b");
    check_slug("Agent 你好", "agent");
    check_slug("\u212a", "k");
    check_slug("\u0130", "i");
    check_slug("!!!", "");
}

TEST(hyphens_collapse_and_are_trimmed)
{
    check_slug("--a---b--", "a-b");
    check_slug("a - b", "a-b");
    check_slug("a-!-b", "a-b");
    check_slug("- -", "");
    check_slug("", "");
}

TEST(only_the_ascii_space_separates)
{
    check_slug("a\tb", "ab");
    check_slug("a\u00a0b", "ab");
    check_slug("a\u3000b", "ab");
}

TEST(letters_whose_lower_case_is_not_ascii_are_dropped)
{
    check_slug("\u00c4pfel", "pfel");
    check_slug("stra\u00dfe", "strae");
    check_slug("\uff21b", "b"); /* full-width A */
}

TEST(what_was_in_the_buffer_stays)
{
    struct buf b;
    buf_init(&b, 512);
    buf_add_c(&b, "skill/");
    slug_from_name(STR(" A b"), &b);
    CHECK_STR(buf_view(&b), STR("skill/a-b"));
    buf_deinit(&b);
}
