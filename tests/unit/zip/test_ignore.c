/* `.skillignore` patterns: a table of cases, each of which git itself must see the same way. */
#include "ziptest.h"

#include "base/buf.h"
#include "zip/ignore.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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

TEST(bytes_behind_a_nul_are_no_part_of_a_pattern)
{
    struct arena a;
    struct ignore ig;
    struct error e;
    arena_init(&a, MIB(1));
    CHECK_OK(ignore_parse(STR("a\0b\nc\0"), &a, &ig, &e), &e);
    CHECK(ignore_match(&ig, STR("a"), false));
    CHECK(ignore_match(&ig, STR("c"), false));
    CHECK(!ignore_match(&ig, STR("b"), false));
    arena_deinit(&a);
}

/* --- random patterns, paths and trees: git must see them the same way --- */

#define N_TREES 400
#define N_NODES 16

static uint64_t rng_state = 42;

static size_t below(size_t n)
{
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(rng_state >> 33) % n;
}

/* A path below its tree; a directory's has no slash at the end. */
struct node {
    char path[200];
    bool directory;
};

static const char *pick(const char *const *list, size_t n)
{
    return list[below(n)];
}

#define PICK(list) pick((list), ARRAY_SIZE(list))

static void random_patterns(struct buf *b)
{
    static const char *const pieces[] = {
        "a",   "a",           "b",       "b",    "ab",   "x.c",   ".",  "-",  "\303\251", "*",
        "*",   "*",           "**",      "**",   "***",  "?",     "/",  "/",  "/",        "**/",
        "/**", "/**/",        "[ab]",    "[!a]", "[^b]", "[",     "]",  "[]", "[a-c]",    "[]-a]",
        "[a",  "[[:alpha:]]", "[[:x:]]", "[:]",  "[a-]", "[\\]]", "!",  "#",  " ",        "\\",
        "\\ ", "\\*",         "\\!",     "\\#",  "\r",   "[/]",   "\\/"};
    buf_clear(b);
    for (size_t lines = 1 + below(3); lines; lines--) {
        if (below(4) == 0)
            buf_add_char(b, '!');
        for (size_t n = 1 + below(5); n; n--)
            buf_add_c(b, PICK(pieces));
        buf_add_c(b, below(5) ? "\n" : "/\n");
    }
}

static const char *random_name(void)
{
    static const char *const names[] = {
        "a",   "b",  "ab", "abc",      "x.c", "a b", "-",   "[a", "]", "*a", "!a", "#a", "\\a",
        "a\\", "a ", "?",  "\303\251", "aa",  "ba",  "a.b", "c",  "B", "[]", "a]", "a-"};
    return PICK(names);
}

/* Whether the tree has that path already: a file and a directory cannot share it. */
static bool is_taken(const struct node *nodes, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(nodes[i].path, path) == 0)
            return true;
    return false;
}

static size_t random_tree(struct node *nodes)
{
    size_t n = 0;
    for (size_t tries = 0; tries < N_NODES; tries++) {
        struct node *to = &nodes[n];
        const struct node *in = n ? &nodes[below(n)] : NULL;
        bool inside = in && in->directory && strlen(in->path) < 100;
        snprintf(to->path, sizeof to->path, "%.150s%s%s", inside ? in->path : "", inside ? "/" : "",
                 random_name());
        to->directory = below(2);
        n += !is_taken(nodes, n, to->path);
    }
    return n;
}

/* As the packer asks: what lies below something left out is never asked about. */
static bool is_left_out(const struct ignore *ig, const struct node *node)
{
    str path = str_c(node->path);
    for (size_t i = 0; i < path.len; i++)
        if (path.p[i] == '/' && ignore_match(ig, str_head(path, i), true))
            return true;
    return ignore_match(ig, path, node->directory);
}

static void make_node(size_t tree, const struct node *node)
{
    char path[300];
    snprintf(path, sizeof path, "repo/%zu/%.199s", tree, node->path);
    if (node->directory)
        CHECK(mkdirat(test_dirfd(), path, 0700) == 0);
    else
        CHECK(close(openat(test_dirfd(), path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)) == 0);
}

/* Makes tree number i with its .gitignore; adds its paths to all and what is left out to ours. */
static void try_tree(size_t i, struct buf *all, struct buf *ours)
{
    struct node nodes[N_NODES];
    struct arena a;
    struct ignore ig;
    struct error e;
    struct buf patterns;
    char path[300];
    buf_init(&patterns, 4000);
    random_patterns(&patterns);
    snprintf(path, sizeof path, "%s/repo/%zu", test_dir(), i);
    CHECK(mkdir(path, 0700) == 0);
    snprintf(path, sizeof path, "%s/repo/%zu/.gitignore", test_dir(), i);
    zt_write(path, buf_view(&patterns));
    arena_init(&a, MIB(1));
    CHECK_OK(ignore_parse(buf_view(&patterns), &a, &ig, &e), &e);
    for (size_t k = 0, n = random_tree(nodes); k < n; k++) {
        make_node(i, &nodes[k]);
        snprintf(path, sizeof path, "%zu/%.199s", i, nodes[k].path);
        buf_add(all, str_of(path, strlen(path) + 1));
        if (is_left_out(&ig, &nodes[k]))
            buf_add(ours, str_of(path, strlen(path) + 1));
    }
    arena_deinit(&a);
    buf_deinit(&patterns);
}

/* The first path of one list that is not in the other, for the message. */
static void show_difference(str ours, str gits)
{
    str a, b;
    while (ours.len || gits.len) {
        (void)str_cut(ours, '\0', &a, &ours);
        (void)str_cut(gits, '\0', &b, &gits);
        if (!str_eq(a, b))
            test_fail(__FILE__, __LINE__, "we leave out %.*s, git %.*s", STR_ARG(a), STR_ARG(b));
    }
}

TEST(git_agrees_with_random_patterns_and_trees)
{
    struct buf all, ours;
    char path[200];
    zt_need("git");
    CHECK(zt_run("git init -q \"$DIR/repo\""));
    buf_init(&all, MIB(4));
    buf_init(&ours, MIB(4));
    for (size_t i = 0; i < N_TREES; i++)
        try_tree(i, &all, &ours);
    snprintf(path, sizeof path, "%s/all", test_dir());
    zt_write(path, buf_view(&all));
    CHECK(zt_run("cd \"$DIR/repo\" && HOME=\"$DIR\" git check-ignore --no-index -z --stdin <../all "
                 ">../gits || [ $? = 1 ]"));
    snprintf(path, sizeof path, "%s/gits", test_dir());
    str gits = zt_read(path);
    printf("# %zu bytes of paths, %zu left out\n", all.len, ours.len);
    CHECK(ours.len > 1000);
    show_difference(buf_view(&ours), gits);
    free((void *)(uintptr_t)gits.p);
    buf_deinit(&all);
    buf_deinit(&ours);
}
