/* `.skillignore` patterns: a table of cases, each of which git itself must see the same way. */
#include "ziptest.h"

#include "base/buf.h"
#include "zip/ignore.h"

#include <stdio.h>

struct row {
    const char *patterns; /* lines */
    const char *path;     /* a directory's ends in '/' */
    bool left_out;
};

static const struct row table[] = {
    {"a", "a", true},
    {"a", "d/a", true},
    {"a", "ab", false},
    {"/a", "a", true},
    {"/a", "d/a", false},
    {"d/a", "d/a", true},
    {"d/a", "x/d/a", false},
    {"a/", "a/", true},
    {"a/", "a", false},
    {"d/a/", "d/a/", true},
    {"*.txt", "x.txt", true},
    {"*.txt", "d/e/x.txt", true},
    {"*.txt", "x.txt.md", false},
    {"d/*", "d/x", true},
    {"/*.c", "a.c", true},
    {"/*.c", "d/a.c", false},
    {"*", ".hidden", true},
    {"?", "a", true},
    {"?", "ab", false},
    {"[a-c]x", "bx", true},
    {"[a-c]x", "dx", false},
    {"[!a]x", "bx", true},
    {"[^a]x", "ax", false},
    {"[[:digit:]]x", "7x", true},
    {"**/x", "x", true},
    {"**/x", "a/b/x", true},
    {"a/**/b", "a/b", true},
    {"a/**/b", "a/x/y/b", true},
    {"a/**/b", "x/a/b", false},
    {"a/**", "a/x", true},
    {"a/**", "a/", false},
    {"**/a/**/b", "x/a/y/b", true},
    {"**/a/**/b", "x/b", false},
    {"a/**/b/**/c", "a/b/b/x/c", true},
    {"a**b", "axxb", true},
    {"a\n!a", "a", false},
    {"!a\na", "a", true},
    {"*\n!*.md", "x.md", false},
    {"*\n!*.md", "x.txt", true},
    {"*.log\n!keep.log\nkeep.log", "keep.log", true},
    {"# a", "a", false},
    {"#a", "#a", false},
    {"\\#a", "#a", true},
    {"\\!a", "!a", true},
    {"a ", "a", true},
    {"a\\ ", "a ", true},
    {"a\\ ", "a", false},
    {" a", " a", true},
    {"a\\*b", "a*b", true},
    {"a\\*b", "axb", false},
    {"a\\", "a", false},
    {"\n\n", "a", false},
    {"/", "a", false},
    {"\xef\xbb\xbf"
     "a",
     "a", true},
    {"A", "a", false},
    {"d/**/", "d/x/", true},
    {"d/**/", "d/x", false},
    {"a//b", "a/b", false},
    {"foo/*", "foo/bar/", true},
    {"*/x", "a/x", true},
    {"*/x", "a/b/x", false},
    {"**", "a", true},
    {"\303\251*", "\303\251t\303\251", true},
};

static bool matches(const char *patterns, const char *path)
{
    struct arena a;
    struct ignore ig;
    struct error e;
    str p = str_c(path);
    bool directory = str_ends_with(p, STR("/"));
    p.len -= directory;
    arena_init(&a, MIB(1));
    CHECK_OK(ignore_parse(str_c(patterns), &a, &ig, &e), &e);
    bool r = ignore_match(&ig, p, directory);
    arena_deinit(&a);
    return r;
}

TEST(patterns_mean_what_gitignore_says)
{
    int failed = 0;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        const struct row *r = &table[i];
        if (matches(r->patterns, r->path) == r->left_out)
            continue;
        printf("# pattern \"%s\", path \"%s\": want %d\n", r->patterns, r->path, r->left_out);
        failed++;
    }
    CHECK_INT(failed, 0);
}

/* Each row again by `git check-ignore` in a repository that has the path; git looks at the parent
 * directories too, which the rows avoid. */
TEST(git_agrees_with_every_row)
{
    char file[300], script[4000];
    zt_need("git");
    CHECK(zt_run("git init -q \"$DIR/repo\""));
    snprintf(file, sizeof file, "%s/path", test_dir());
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        const struct row *r = &table[i];
        char ignore[300];
        snprintf(ignore, sizeof ignore, "%s/repo/.gitignore", test_dir());
        zt_write(ignore, str_c(r->patterns));
        zt_write(file, str_c(r->path));
        snprintf(script, sizeof script,
                 "cd \"$DIR/repo\" && p=$(cat ../path; printf x) && p=${p%%x} && "
                 "case \"$p\" in */) p=${p%%/}; mkdir -p -- \"$p\";; */*) mkdir -p -- "
                 "\"${p%%/*}\"; touch -- \"$p\";; *) touch -- \"$p\";; esac; "
                 "git check-ignore -q --no-index -- \"$p\"; got=$?; cd .. ; rm -rf repo/* "
                 "\"repo/$p\"; [ $got = %d ] || { echo \"# row %zu: git says $got\"; exit 1; }",
                 r->left_out ? 0 : 1, i);
        CHECK(zt_run(script));
    }
}

TEST(carriage_returns_of_windows_are_no_part_of_a_pattern)
{
    CHECK(matches("a\r\nb\r\n", "a"));
    CHECK(matches("a\r\nb\r\n", "b"));
}

/* The number of steps must not explode with the asterisks. */
TEST(a_nasty_pattern_ends_soon)
{
    struct buf path, pattern;
    buf_init(&path, 1000);
    buf_init(&pattern, 1000);
    for (size_t i = 0; i < 60; i++)
        buf_add(&path, STR("a/"));
    for (size_t i = 0; i < 20; i++)
        buf_add(&pattern, STR("**/a/"));
    buf_add(&path, STR("b"));
    buf_add(&pattern, STR("c"));
    CHECK(!matches(buf_cstr(&pattern), buf_cstr(&path)));
    buf_deinit(&path);
    buf_deinit(&pattern);
}

TEST(a_path_with_too_many_parts_is_not_matched)
{
    struct buf deep;
    buf_init(&deep, 1000);
    for (size_t i = 0; i < IGNORE_DEPTH; i++)
        buf_add(&deep, STR("a/"));
    buf_add(&deep, STR("b"));
    CHECK(!matches(buf_cstr(&deep), "b"));
    CHECK(!matches("zzz", buf_cstr(&deep)));
    buf_deinit(&deep);
}
