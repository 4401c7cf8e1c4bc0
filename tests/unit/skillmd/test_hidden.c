#include "base/utf8.h"
#include "skillmd/skillmd.h"
#include "test.h"

#include <unicode/uset.h>
#include <unicode/ustring.h>

static struct arena a;
static struct error e;
static struct skillmd_report report;

static void look_at(str text)
{
    arena_deinit(&a);
    arena_init(&a, KIB(256));
    CHECK_OK(skillmd_check(text, &a, &report, &e), &e);
}

/* Every finding as "line:column id message", with a "!" before the id where it refuses. */
static void check_found(const char *text, const char *want)
{
    struct buf b;
    look_at(str_c(text));
    buf_init(&b, KIB(64));
    for (size_t i = 0; i < report.n_findings; i++) {
        const struct skillmd_finding *f = &report.findings[i];
        buf_addf(&b, "%s%u:%u %s%s %s", i ? "; " : "", f->line, f->column, f->refuses ? "!" : "",
                 f->rule->id, f->message);
    }
    CHECK_STR(buf_view(&b), str_c(want));
    buf_deinit(&b);
}

static void check_clean(const char *text)
{
    check_found(text, "");
}

/* Exactly one finding, under that rule. */
static void check_one(const char *text, const char *id, bool refuses, unsigned line,
                      unsigned column)
{
    look_at(str_c(text));
    CHECK_INT(report.n_findings + report.n_dropped, 1);
    CHECK_STR(str_c(report.findings[0].rule->id), str_c(id));
    CHECK_INT(report.findings[0].refuses, refuses);
    CHECK_INT(report.refused, refuses);
    CHECK_INT(report.findings[0].line, line);
    CHECK_INT(report.findings[0].column, column);
}

static void check_warned(const char *text)
{
    look_at(str_c(text));
    CHECK(report.n_findings >= 1 && !report.refused);
    CHECK_STR(str_c(report.findings[0].rule->id), STR("skill-md-hidden"));
}

/* before, the code point, after. */
static const char *with(const char *before, uint32_t cp, const char *after)
{
    static char text[256];
    struct buf b;
    buf_init(&b, sizeof text - 1);
    buf_add_c(&b, before);
    utf8_add(&b, cp);
    buf_add_c(&b, after);
    CHECK_OK(buf_status(&b, &e), &e);
    memcpy(text, b.p, b.len);
    text[b.len] = '\0';
    buf_deinit(&b);
    return text;
}

TEST(ordinary_text_has_no_findings)
{
    check_clean(
        "# Title\n\n\tcode\r\n* täxt “quoted” — 漢字 ελληνικά русский עברית العربية हिन्दी ไทย\n");
    check_clean(
        "© ™ € ½ ∑ → ☃ \u00a0 \u3000 \u2009 \ue0a0 \U0001f600 \U0001f1e9\U0001f1ea e\u0301\n");
}

/* --- direction --- */

TEST(overrides_and_embeddings_refuse)
{
    for (uint32_t cp = 0x202a; cp <= 0x202e; cp++)
        check_one(with("a\nb", cp, "c"), "skill-md-bidi", true, 2, 2);
    check_found("ab\u202ecd", "1:3 !skill-md-bidi bidirectional override U+202E (RIGHT-TO-LEFT "
                              "OVERRIDE) in \"ab\\u{202e}cd\"; remove it");
    check_one(with("a", 0x2029, "b"), "skill-md-hidden", false, 1, 2); /* the ones beside */
    check_clean(with("a", 0x202f, "b"));
}

TEST(isolates_and_marks_are_warnings)
{
    static const uint32_t controls[] = {0x200e, 0x200f, 0x061c, 0x2066, 0x2067, 0x2068, 0x2069};
    for (size_t i = 0; i < ARRAY_SIZE(controls); i++)
        check_one(with("a", controls[i], "b"), "skill-md-bidi", false, 1, 2);
    check_one(with("a", 0x206a, "b"), "skill-md-hidden", false, 1, 2);
    check_found("a\u200e\u200fb", "1:2 skill-md-bidi 2 bidirectional controls from U+200E "
                                  "(LEFT-TO-RIGHT MARK) on in \"a\\u{200e}\\u{200f}b\"");
    check_clean(with("a", 0x061b, "b"));
    check_clean(with("a", 0x2010, "b"));
}

/* --- tags --- */

/* "#" stands for a black flag, every other character for its tag, "$" for the cancel tag. */
static const char *tagged(const char *spec)
{
    static char text[1024];
    struct buf b;
    buf_init(&b, sizeof text - 1);
    for (; *spec; spec++)
        utf8_add(&b, *spec == '#'   ? 0x1f3f4
                     : *spec == '$' ? 0xe007f
                                    : 0xe0000 + (uint32_t)(uint8_t)*spec);
    memcpy(text, b.p, b.len);
    text[b.len] = '\0';
    buf_deinit(&b);
    return text;
}

TEST(tag_characters_refuse_and_are_read_out)
{
    check_found(tagged("ignore \"all\""),
                "1:1 !skill-md-tags 12 tag characters from U+E0069 (TAG LATIN SMALL LETTER I) on, "
                "which hide \"ignore \\\"all\\\"\"; remove them");
    check_found(tagged("no"), "1:1 !skill-md-tags 2 tag characters from U+E006E (TAG LATIN SMALL "
                              "LETTER N) on, which hide \"no\"; remove them");
    check_one(with("x", 0xe0000, "y"), "skill-md-tags", true, 1, 2);
    check_one(with("x", 0xe0001, "y"), "skill-md-tags", true, 1, 2);
    check_one(with("x", 0xe007f, "y"), "skill-md-tags", true, 1, 2);
    check_one(with("x", 0xe0080, "y"), "skill-md-hidden", false, 1, 2);
    check_one(with("x", 0xdffff, "\u200b"), "skill-md-hidden", false, 1, 3);
}

TEST(flags_may_have_tags)
{
    check_clean(tagged("#gbeng$"));
    check_clean(tagged("#gbsct$"));
    check_clean(tagged("#gbwls$#gbwls$"));
    check_clean(tagged("##"));
    check_found(tagged("#ustx$"),
                "1:2 skill-md-tags a flag that most fonts show as black, with the "
                "tags \"ustx\"");
    static const char *const valid[] = {"#abc$", "#a1b2c3$", "#123$", "#zz9zz9$"};
    for (size_t i = 0; i < ARRAY_SIZE(valid); i++)
        check_one(tagged(valid[i]), "skill-md-tags", false, 1, 2);
}

TEST(nothing_belongs_behind_the_tags_of_a_flag)
{
    char text[128];
    static const char *const behind[] = {"\ufe0f", "\u200d\U0001f525", "\u200cمی"};
    for (size_t i = 0; i < ARRAY_SIZE(behind); i++) {
        (void)snprintf(text, sizeof text, "%s%s", tagged("#gbeng$"), behind[i]);
        check_one(text, "skill-md-hidden", false, 1, 8);
    }
}

TEST(what_is_no_flag_refuses)
{
    static const char *const bad[] = {"#ab$",   "#abcdefg$", "#gbeng", "#gbENG$", "#gb-en$",
                                      "#gben ", "#$",        "#a",     "gbeng$",  "#gbengx$x"};
    for (size_t i = 0; i < ARRAY_SIZE(bad) - 1; i++)
        check_one(tagged(bad[i]), "skill-md-tags", true, 1, bad[i][0] == '#' ? 2 : 1);
    look_at(str_c(tagged("#gbeng$x")));
    CHECK(report.refused);
    CHECK_INT(report.findings[0].column, 8);
    look_at(str_c(tagged("#gbengx$x")));
    CHECK(report.refused);
    CHECK_INT(report.n_findings, 2);
}

/* --- zero width --- */

TEST(invisible_characters_are_warnings)
{
    static const uint32_t invisible[] = {0x00ad,  0x034f,  0x115f,  0x1160, 0x17b4, 0x180b, 0x180e,
                                         0x200b,  0x200c,  0x200d,  0x2060, 0x2064, 0x2065, 0x206f,
                                         0x3164,  0xfeff,  0xffa0,  0xfff0, 0xfff9, 0xfffb, 0x1bca0,
                                         0x1d173, 0xe0fff, 0xe01f0, 0x2028};
    for (size_t i = 0; i < ARRAY_SIZE(invisible); i++)
        check_one(with("pass", invisible[i], "word"), "skill-md-hidden", false, 1, 5);
    check_found("a\npass\u200bword\n", "2:5 skill-md-hidden invisible character U+200B (ZERO WIDTH "
                                       "SPACE) in \"pass\\u{200b}word\"");
}

TEST(a_run_is_one_finding)
{
    check_found("a\u200b\u200c\u2060b\u200b",
                "1:2 skill-md-hidden 3 invisible characters from U+200B (ZERO WIDTH SPACE) on in "
                "\"a\\u{200b}\\u{200c}\\u{2060}b\\u{200b}\"; "
                "1:6 skill-md-hidden invisible character U+200B (ZERO WIDTH SPACE) in "
                "\"a\\u{200b}\\u{200c}\\u{2060}b\\u{200b}\"");
    look_at(str_c(with("\u202e", 0xe0041, "\u202e")));
    CHECK_INT(report.n_findings, 3); /* kinds are kept apart */
}

TEST(a_byte_order_mark_may_be_first_only)
{
    check_clean("\xef\xbb\xbftext");
    check_one("\xef\xbb\xbf\xef\xbb\xbftext", "skill-md-hidden", false, 1, 1);
    check_one("text\n\xef\xbb\xbf", "skill-md-hidden", false, 2, 1);
}

TEST(control_characters_are_warnings)
{
    for (uint32_t cp = 1; cp < 0xa0; cp++) {
        bool shown = (cp >= ' ' && cp <= '~') || cp == '\t' || cp == '\n' || cp == '\r';
        if (shown)
            check_clean(with("a", cp, "b"));
        else
            check_one(with("a", cp, "b"), "skill-md-hidden", false, 1, 2);
    }
    check_found("\x1b[31mred\x1b[0m",
                "1:1 skill-md-hidden control character U+001B in \"\\x1b[31mred\\x1b[0m\"; "
                "1:9 skill-md-hidden control character U+001B in \"\\x1b[31mred\\x1b[0m\"");
}

/* --- where they belong --- */

TEST(emoji_may_be_joined)
{
    check_clean(
        "\U0001f469\u200d\U0001f4bb \U0001f468\u200d\U0001f469\u200d\U0001f467"); /* family */
    check_clean("\u2764\ufe0f\u200d\U0001f525 \U0001f3f3\ufe0f\u200d\U0001f308");
    check_clean("\U0001f469\U0001f3fd\u200d\U0001f680 \U0001f9d1\U0001f3fb\u200d\u2695\ufe0f");
    check_clean("\U0001f3f4\u200d\u2620\ufe0f \U0001f408\u200d\u2b1b");
    check_one("\U0001f469\u200d", "skill-md-hidden", false, 1, 2);
    check_one("\U0001f469\u200dx", "skill-md-hidden", false, 1, 2);
    check_one("x\u200d\U0001f469", "skill-md-hidden", false, 1, 2);
    check_one("\U0001f469\u200d\n\U0001f469", "skill-md-hidden", false, 1, 2);
    check_one("\U0001f469\u0301\u200d\U0001f469", "skill-md-hidden", false, 1, 3);
    check_one("\U0001f469\n\u200d\U0001f469", "skill-md-hidden", false, 2, 1);
    check_warned("\U0001f469\u200d\u200d\U0001f469");
    check_warned("\U0001f469\u200b\u200d\U0001f469");
}

/* ICU lists the sequences of UTS 51's set RGI_Emoji. */
TEST(every_recommended_emoji_is_clean)
{
    UErrorCode status = U_ZERO_ERROR;
    USet *set = uset_openPattern(u"[:RGI_Emoji:]", -1, &status);
    UChar units[32];
    char text[128];
    UChar32 first, last;
    int sequences = 0;
    CHECK(U_SUCCESS(status));
    for (int i = 0; i < uset_getItemCount(set); i++) {
        int32_t n = uset_getItem(set, i, &first, &last, units, ARRAY_SIZE(units), &status);
        if (n < 2) /* a range of single characters */
            continue;
        u_strToUTF8(text, sizeof text, NULL, units, n, &status);
        CHECK(U_SUCCESS(status));
        check_clean(text);
        sequences++;
    }
    CHECK(sequences > 2000);
    uset_close(set);
}

TEST(emoji_may_be_presented)
{
    check_clean("\u2764\ufe0f \u2600\ufe0e 1\ufe0f\u20e3 #\ufe0f\u20e3 \u00a9\ufe0f \u2605\ufe0f");
    check_one("x\ufe0f", "skill-md-hidden", false, 1, 2);
    check_one(" \ufe0f", "skill-md-hidden", false, 1, 2);
    check_one("\u2764\ufe0f\ufe0f", "skill-md-hidden", false, 1, 3);
    check_one("\u2764\u0301\ufe0f", "skill-md-hidden", false, 1, 3);
    check_one("\u2764\ufe05", "skill-md-hidden", false, 1, 2);
}

TEST(variants_follow_what_has_variants)
{
    check_clean(
        "\U0001d49c\ufe00 \u2229\ufe00 \u4e0d\ufe00 \u3001\ufe01 \u1000\ufe00 \u8fbb\U000e0100");
    check_one("a\ufe00", "skill-md-hidden", false, 1, 2);
    check_one("\u00e9\ufe00", "skill-md-hidden", false, 1, 2);
    check_one("\u8fbb\U000e0100\U000e0101", "skill-md-hidden", false, 1, 3);
    check_one("\u3042\U000e0100", "skill-md-hidden", false, 1, 2);
    check_one("\u8fbb\ufe00\ufe01", "skill-md-hidden", false, 1, 3);
    check_one("\ufe00", "skill-md-hidden", false, 1, 1);
    check_one("\u00a0\ufe00", "skill-md-hidden", false, 1, 2);
    check_clean("\u00a1\ufe00");
}

TEST(bytes_in_variation_selectors_are_read_out)
{
    /* h = 16 + 0x58, i = 16 + 0x59, LF = 10 */
    check_found("\U0001f600\U000e0158\U000e0159\ufe0a",
                "1:2 skill-md-hidden 3 variation selectors from U+E0158 (VARIATION SELECTOR-105) "
                "on, which hide \"hi\\x0a\"");
    check_found("a\U000e0100\ufe00", "1:2 skill-md-hidden 2 variation selectors from U+E0100 "
                                     "(VARIATION SELECTOR-17) on, which hide \"\\x10\\x00\"");
}

TEST(scripts_that_need_joiners_have_them)
{
    check_clean("می\u200cخواهم کتاب\u200cها کار\u200cها جزء\u200cها"); /* Persian */
    check_clean("PDF\u200cها ۱۲\u200cام ه\u200d.");
    check_clean("क्\u200dष र्\u200dय श्री\u200dमान क\u0947\u200cका"); /* Devanagari */
    check_clean("ක්\u200dර র\u200d্যা ന്\u200d ཀ\u200c"); /* Sinhala, Bengali, Malayalam, Tibetan */
    check_clean("ب\u064e\u200cا");                     /* behind a vowel mark */
    check_clean("ᠠ\u180eᠠ ᠭ\u180b");
    check_warned("auf\u200clage");
    check_warned("می\u200c\u200cخواهم");
    check_warned("می\u200b\u200cخواهم");
    check_warned("a\u180e");
    check_warned("ب\u180b");
    check_warned("\u0430\u200d\u0431");
    check_warned("\n\u200cx");
    check_one("\n\u200cمی", "skill-md-hidden", false, 2, 1);
    check_one("\r\u200cمی", "skill-md-hidden", false, 2, 1);
}

TEST(scripts_without_spaces_may_have_breaks)
{
    check_clean("ភាសា\u200bខ្មែរ ไทย\u200bไทย ລາວ\u200b မြန်\u200bမာ API\u200bខ្មែរ");
    check_warned("漢\u200b字");
    check_warned("ខ\u200b\u200bខ");
    check_warned("a\u200bb");
}

/* --- places and messages --- */

TEST(lines_end_at_cr_lf_and_both)
{
    check_one("\n\n\u200b", "skill-md-hidden", false, 3, 1);
    check_one("\r\r\u200b", "skill-md-hidden", false, 3, 1);
    check_one("\r\n\r\n\u200b", "skill-md-hidden", false, 3, 1);
    check_one("\n\r\u200b", "skill-md-hidden", false, 3, 1);
    check_one("\r\n\n\ré\u200b", "skill-md-hidden", false, 4, 2);
    check_found("a\u2028\u2029b",
                "1:2 skill-md-hidden 2 line separators from U+2028 (LINE SEPARATOR) "
                "on in \"a\\u{2028}\\u{2029}b\"");
    check_clean("a\u2027b");
    check_found("a\u2028\u200bb",
                "1:2 skill-md-hidden line separator U+2028 (LINE SEPARATOR) in "
                "\"a\\u{2028}\\u{200b}b\"; "
                "1:3 skill-md-hidden invisible character U+200B (ZERO WIDTH SPACE) in "
                "\"a\\u{2028}\\u{200b}b\"");
}

TEST(columns_count_characters_and_offsets_bytes)
{
    check_one("äö漢\U0001f600\u200b", "skill-md-hidden", false, 1, 5);
    CHECK_INT(report.findings[0].offset, 11);
    check_one("\xef\xbb\xbfx\u200b", "skill-md-hidden", false, 1, 2);
    CHECK_INT(report.findings[0].offset, 4);
}

TEST(what_stands_around_is_shown_escaped_and_cut)
{
    check_found("before\nsay \"\\é\"\u200b\x07\nafter",
                "2:9 skill-md-hidden invisible character U+200B (ZERO WIDTH SPACE) in "
                "\"say \\\"\\\\\\u{e9}\\\"\\u{200b}\\x07\"; "
                "2:10 skill-md-hidden control character U+0007 in "
                "\"say \\\"\\\\\\u{e9}\\\"\\u{200b}\\x07\"");
    char text[512];
    (void)snprintf(text, sizeof text, "%0100d\u200b%0100d", 1, 2);
    look_at(str_c(text));
    CHECK_STR(str_c(report.findings[0].message),
              STR("invisible character U+200B (ZERO WIDTH SPACE) in "
                  "\"000000000000000000000001\\u{200b}"
                  "000000000000000000000000000000000000000000000000000000000\""));
    (void)snprintf(text, sizeof text,
                   "漢漢漢漢漢漢漢漢漢漢\u200b漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢");
    look_at(str_c(text));
    CHECK_STR(str_c(report.findings[0].message),
              STR("invisible character U+200B (ZERO WIDTH SPACE) in "
                  "\"\\u{6f22}\\u{6f22}\\u{6f22}\\u{6f22}\\u{6f22}\\u{6f22}\\u{6f22}\\u{6f22}"
                  "\\u{200b}\\u{6f22}\\u{6f22}\\u{6f22}\\u{6f22}\\u{6f22}...\""));
    /* 24 bytes before and 60 from there on, whole characters only */
    look_at(STR("漢漢漢漢漢漢漢漢é\u200bé漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢"));
    CHECK_CONTAINS(str_c(report.findings[0].message),
                   STR("in \"\\u{6f22}\\u{6f22}\\u{6f22}\\u{6f22}\\u{6f22}\\u{6f22}\\u{6f22}\\u{e9}"
                       "\\u{200b}"));
    (void)snprintf(text, sizeof text, "\u200b%056dé", 1);
    look_at(str_c(text));
    CHECK_CONTAINS(str_c(report.findings[0].message), STR("00001\""));
    (void)snprintf(text, sizeof text, "\u200b%055dé", 1);
    look_at(str_c(text));
    CHECK_CONTAINS(str_c(report.findings[0].message), STR("00001\\u{e9}\""));
}
