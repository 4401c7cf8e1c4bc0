#include "base/buf.h"
#include "skill/frontmatter.h"
#include "test.h"

#include <stdio.h>

static struct arena a;
static struct error e;
static struct frontmatter fm;

static void parse(str text)
{
    arena_deinit(&a);
    arena_init(&a, MIB(1));
    CHECK_OK(frontmatter_parse(text, &a, &fm, &e), &e);
}

static void parse_c(const char *text)
{
    parse(str_c(text));
}

/* The warnings, joined by "; ". */
static void check_warnings(const char *want)
{
    struct buf b;
    buf_init(&b, KIB(8));
    for (size_t i = 0; i < fm.n_warnings; i++)
        buf_addf(&b, "%s%s", i ? "; " : "", fm.warnings[i]);
    CHECK_STR(buf_view(&b), str_c(want));
    buf_deinit(&b);
}

/* A whole front matter with one more line. */
static void parse_with(const char *line)
{
    static char text[8192];
    (void)snprintf(text, sizeof text, "---\nname: calc\ndescription: Adds.\n%s\n---\nbody\n", line);
    parse_c(text);
}

TEST(a_complete_one_is_read)
{
    parse_c("---\n"
            "name: pdf-tools\n"
            "description: \"Reads: PDFs.\"\n"
            "license: Apache-2.0\n"
            "compatibility: needs python3\n"
            "metadata:\n"
            "  author: ada\n"
            "  version: \"1.0\"\n"
            "allowed-tools: Bash(git:*) Read\n"
            "---\n"
            "# Body\n");
    check_warnings("");
    CHECK(fm.present);
    CHECK_STR(fm.name, STR("pdf-tools"));
    CHECK_STR(fm.description, STR("Reads: PDFs."));
    CHECK_STR(fm.license, STR("Apache-2.0"));
    CHECK_STR(fm.compatibility, STR("needs python3"));
    CHECK_STR(fm.allowed_tools, STR("Bash(git:*) Read"));
    CHECK_INT(fm.n_metadata, 2);
    CHECK_STR(fm.metadata[0].key, STR("author"));
    CHECK_STR(fm.metadata[1].value, STR("1.0"));
}

TEST(none_is_fine)
{
    static const char *const none[] = {
        "",      "# Title\n", "--\nname: x\n--\n", "\n---\nname: x\n---\n", "----\nname: x\n----\n",
        " ---\n"};
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        parse_c(none[i]);
        CHECK(!fm.present);
        check_warnings("");
    }
}

TEST(byte_order_mark_carriage_returns_and_blanks_after_the_fence)
{
    parse_c("\xef\xbb\xbf--- \r\nname: calc\r\ndescription: d\r\n---\t\r\nbody");
    check_warnings("");
    CHECK_STR(fm.name, STR("calc"));
    CHECK_STR(fm.description, STR("d"));
}

TEST(what_is_missing_is_told)
{
    parse_c("---\nname: x\n---\n");
    check_warnings("the front matter has no description");
    parse_c("---\n---\n");
    check_warnings("the front matter has no name; the front matter has no description");
    parse_c("---\nname: x\n");
    check_warnings("the front matter is not closed by a line of three hyphens");
    CHECK(fm.present);
    CHECK_STR(fm.name, STR(""));
}

TEST(names_outside_the_rule_are_told)
{
    static const char *const bad[] = {"''", "Calc", "a_b", "-a",
                                      "a-", "a--b", "a b", "\"\\u00e9\""};
    static const char *const good[] = {"a", "0", "a-b-c", "x1"};
    static const char *const all = "name should be 1 to 64 of a-z, 0-9 and single hyphens inside";
    char text[300];
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        (void)snprintf(text, sizeof text, "---\nname: %s\ndescription: d\n---\n", bad[i]);
        parse_c(text);
        check_warnings(all);
    }
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        (void)snprintf(text, sizeof text, "---\nname: %s\ndescription: d\n---\n", good[i]);
        parse_c(text);
        check_warnings("");
    }
    for (int n = 64; n <= 65; n++) {
        (void)snprintf(text, sizeof text, "---\nname: %0*d\ndescription: d\n---\n", n, 0);
        parse_c(text);
        check_warnings(n == 64 ? "" : all);
    }
}

/* "description: ééé…" of n characters and the like. */
static void parse_long(const char *field, int n)
{
    struct buf b;
    buf_init(&b, KIB(8));
    buf_addf(&b, "---\nname: x\n%s%s: \"", field[0] == 'd' ? "" : "description: d\n", field);
    for (int i = 0; i < n; i++)
        buf_add_c(&b, "é");
    buf_add_c(&b, "\"\n---\n");
    parse(buf_view(&b));
    buf_deinit(&b);
}

TEST(lengths_count_characters)
{
    parse_long("description", 1024);
    check_warnings("");
    parse_long("description", 1025);
    check_warnings("description should have 1 to 1024 characters");
    parse_long("description", 0);
    check_warnings("description should have 1 to 1024 characters");
    parse_long("compatibility", 500);
    check_warnings("");
    parse_long("compatibility", 501);
    check_warnings("compatibility should have 1 to 500 characters");
}

TEST(other_shapes_are_told_and_skipped)
{
    parse_with("license: [a, {b: c}]");
    check_warnings("license should be a text");
    parse_with("allowed-tools:\n  - Read\n  - Write");
    check_warnings("allowed-tools should be a text of names between spaces");
    parse_with("metadata: text");
    check_warnings("metadata should be a map of texts");
    parse_with("metadata:\n  a: [1, 2]\n  [x, y]: z\n  b: c");
    check_warnings("the values of metadata should be texts; the keys of metadata should be texts");
    CHECK_INT(fm.n_metadata, 1);
    CHECK_STR(fm.metadata[0].key, STR("b"));
    parse_with("homepage: {deep: [1, 2, {x: y}]}");
    check_warnings("the front matter has a field that the specification does not know");
    parse_with("? {complex: key}\n: value");
    check_warnings("the front matter has a field that the specification does not know");
    parse_with("name: again");
    check_warnings("the front matter has a field twice; the first one counts");
    CHECK_STR(fm.name, STR("calc"));
    CHECK_STR(fm.description, STR("Adds."));
}

TEST(what_is_no_map_is_told)
{
    parse_c("---\n- a\n- b\n---\n");
    check_warnings("the front matter should be a map");
    parse_c("---\ntext\n---\n");
    check_warnings("the front matter should be a map");
    parse_c("---\nname: 'x\n---\n");
    check_warnings("the front matter is not valid YAML");
    parse_c("---\nname: \xff\n---\n");
    check_warnings("the front matter is not valid YAML");
}

TEST(anchors_and_aliases_are_not_followed)
{
    parse_with("metadata: &m\n  a: b");
    check_warnings("the front matter uses anchors or aliases, which are not followed");
    parse_with("license: &l MIT");
    check_warnings("the front matter uses anchors or aliases, which are not followed");
    parse_with("license: *l");
    check_warnings("the front matter uses anchors or aliases, which are not followed");
    parse_with("x: &s [1]");
    check_warnings("the front matter uses anchors or aliases, which are not followed");
}

TEST(depth_is_bounded)
{
    parse_with("x: [[[[[[[1]]]]]]]"); /* the map and seven lists */
    check_warnings("the front matter has a field that the specification does not know");
    parse_with("x: [[[[[[[[1]]]]]]]]");
    check_warnings("the front matter has a field that the specification does not know; "
                   "the front matter is nested too deeply");
}

/* head, then before, a number of six digits and after, n times. */
static void parse_repeated(const char *head, const char *before, const char *after, int n)
{
    struct buf b;
    buf_init(&b, MIB(1));
    buf_addf(&b, "---\nname: x\ndescription: d\n%s", head);
    for (int i = 0; i < n; i++)
        buf_addf(&b, "%s%06d%s", before, i, after);
    buf_add_c(&b, "\n---\n");
    parse(buf_view(&b));
    buf_deinit(&b);
}

TEST(the_number_of_values_is_bounded)
{
    parse_repeated("metadata:\n", " k", ": v\n", 64);
    check_warnings("");
    CHECK_INT(fm.n_metadata, 64);
    parse_repeated("metadata:\n", " k", ": v\n", 65);
    check_warnings("metadata has more than 64 entries");
    parse_repeated("license:\n", " - ", "\n", 5000);
    check_warnings("license should be a text; the front matter holds too many values");
}

TEST(the_length_is_bounded)
{
    parse_repeated("#", "", "234567\n#", 4500);
    check_warnings("");
    parse_repeated("#", "", "234567\n#", 5000);
    check_warnings("the front matter is longer than 64 KiB and was not read");
    CHECK_STR(fm.name, STR(""));
}

TEST(the_number_of_warnings_is_bounded)
{
    parse_repeated("", "x", ": y\n", 100);
    CHECK_INT(fm.n_warnings, FRONTMATTER_WARNINGS_MAX);
}

TEST(a_full_arena_is_an_error)
{
    struct arena small;
    arena_init(&small, KIB(8));
    static char text[KIB(32)];
    (void)snprintf(text, sizeof text, "---\nname: x\ndescription: %020000d\n---\n", 1);
    CHECK_ERR(frontmatter_parse(str_c(text), &small, &fm, &e), ERR_RESOURCE_EXHAUSTED, &e);
    arena_deinit(&small);
    arena_init(&small, 0);
    CHECK_ERR(frontmatter_parse(STR(""), &small, &fm, &e), ERR_RESOURCE_EXHAUSTED, &e);
}
