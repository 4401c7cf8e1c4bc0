/* Unicode as names need it: folding, CP437, skeletons, what is hidden. And: ASCII is free. */
#include "ziptest.h"

#include "zip/names.h"
#include "zip/unicode.h"

#include <stdio.h>
#include <unicode/uchar.h>

static struct error e;

static void check_fold(const char *name, const char *want)
{
    struct unicode u;
    str got;
    unicode_init(&u);
    CHECK_OK(unicode_fold(&u, str_c(name), &got, &e), &e);
    CHECK_STR(got, str_c(want));
    unicode_deinit(&u);
}

TEST(folding_is_nfkc_and_full_case_folding)
{
    check_fold("SKILL.md", "skill.md");
    check_fold("", "");
    check_fold("\xe2\x84\xaa", "k");      /* Kelvin sign */
    check_fold("\xef\xac\x81le", "file"); /* ligature */
    check_fold("Stra\xc3\x9f"
               "e",
               "strasse");                              /* sharp s */
    check_fold("cafe\xcc\x81", "caf\xc3\xa9");          /* decomposed */
    check_fold("\xef\xbc\xa1", "a");                    /* fullwidth */
    check_fold("\xcf\x82\xce\xa3", "\xcf\x83\xcf\x83"); /* both sigmas */
    check_fold("\xc4\xb0", "i\xcc\x87");                /* dotted I */
}

TEST(ascii_names_never_open_icu)
{
    struct unicode u;
    str got;
    unicode_init(&u);
    CHECK_OK(unicode_fold(&u, STR("A/Long/Path.TXT"), &got, &e), &e);
    CHECK_STR(got, STR("a/long/path.txt"));
    CHECK(u.icu == NULL);
    CHECK_OK(unicode_fold(&u, STR("\xc3\x89"), &got, &e), &e);
    CHECK(u.icu != NULL);
    unicode_deinit(&u);
}

/* The longest expansion there is, over the longest name there is. */
TEST(the_longest_folding_fits)
{
    struct unicode u;
    str got;
    char name[NAME_PATH_MAX + 1];
    for (size_t i = 0; i < NAME_PATH_MAX; i++)
        name[i] = "\xef\xb7\xba"[i % 3];
    unicode_init(&u);
    CHECK_OK(unicode_fold(&u, str_of(name, NAME_PATH_MAX / 3 * 3), &got, &e), &e);
    CHECK_INT(got.len, NAME_PATH_MAX / 3 * 33);
    unicode_deinit(&u);
}

TEST(cp437_maps_every_byte)
{
    struct unicode u;
    str got;
    unicode_init(&u);
    CHECK_OK(unicode_fold_cp437(&u, STR("\x82\xe1\x90"), &got, &e), &e);
    CHECK_STR(got, STR("\xc3\xa9ss\xc3\xa9")); /* e acute, sharp s, E acute */
    for (int c = 0x80; c < 0x100; c++) {
        char byte = (char)c;
        CHECK_OK(unicode_fold_cp437(&u, str_of(&byte, 1), &got, &e), &e);
        CHECK(got.len > 0 && !str_eq(got, STR("\xef\xbf\xbd")));
    }
    unicode_deinit(&u);
}

TEST(latin1_maps_bytes_to_the_code_points_of_their_value)
{
    struct unicode u;
    str got;
    unicode_init(&u);
    CHECK_OK(unicode_fold_latin1(&u, STR("A\xe9\xdf\xff"), &got, &e), &e);
    CHECK_STR(got, STR("a\xc3\xa9ss\xc3\xbf"));
    unicode_deinit(&u);
}

TEST(oem_translates_as_unzip_does)
{
    struct unicode u;
    str got;
    unicode_init(&u);
    CHECK_OK(unicode_fold_oem(&u, STR("A/caf\xc3\xa9"), &got, &e), &e);
    CHECK_STR(got, STR("a/caf+\xae")); /* what unzip 6.0 makes of a jar's name */
    CHECK_OK(unicode_fold_oem(&u, STR("\x80\x98\xff"), &got, &e), &e);
    CHECK_STR(got, STR("\xc7\xa0"));
    unicode_deinit(&u);
}

static void check_skeleton(struct unicode *u, const char *name, const char *want)
{
    str got;
    CHECK_OK(unicode_skeleton(u, str_c(name), &got, &e), &e);
    CHECK_STR(got, str_c(want));
}

/* skill_md.c relies on these, and does ASCII by itself. */
TEST(skeletons_of_skill_md)
{
    struct unicode u;
    unicode_init(&u);
    check_skeleton(&u, "SKILL.md", "SKlLL.rnd");
    check_skeleton(&u, "skill.md", "skill.rnd");
    check_skeleton(&u, "S\xd0\x9aILL.md", "SKlLL.rnd");
    check_skeleton(&u, "I", "l");
    check_skeleton(&u, "1", "l");
    check_skeleton(&u, "|", "l");
    check_skeleton(&u, "0", "O");
    check_skeleton(&u, "m", "rn");
    unicode_deinit(&u);
}

TEST(no_other_ascii_letter_has_a_skeleton_of_the_name)
{
    struct unicode u;
    unicode_init(&u);
    for (char c = '!'; c < 0x7f; c++) {
        char name[2] = {c, 0};
        str got;
        CHECK_OK(unicode_skeleton(&u, str_of(name, 1), &got, &e), &e);
        bool ours = strchr("I1|0m", c) != NULL;
        if (!ours && !str_eq(got, str_of(name, 1)) && strpbrk("skilmdrnoSKILMDRNO.", name))
            test_fail(__FILE__, __LINE__, "%c becomes %.*s", c, STR_ARG(got));
    }
    unicode_deinit(&u);
}

TEST(hidden_characters_are_told_from_others)
{
    static const uint32_t hidden[] = {0xad,   0x61c,  0x200b, 0x200e, 0x2028,  0x2029,
                                      0x202a, 0x2066, 0xfeff, 0xfe0f, 0xe0001, 0xe000,
                                      0x378,  0xfdd0, 0xfffb, 0x1fffe};
    static const uint32_t fine[] = {'a',   0xe9,  0x301,  0x4f60, 0x1f600,
                                    0x5d0, 0x627, 0xfffd, 0xa0,   0x3042};
    for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
        if (!unicode_hidden(hidden[i]))
            test_fail(__FILE__, __LINE__, "U+%04X is not hidden", hidden[i]);
    for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
        if (unicode_hidden(fine[i]))
            test_fail(__FILE__, __LINE__, "U+%04X is hidden", fine[i]);
}

TEST(ascii_is_ascii)
{
    CHECK(str_is_ascii(STR("")));
    CHECK(str_is_ascii(STR("abc\x7f")));
    CHECK(!str_is_ascii(STR("ab\x80")));
}
