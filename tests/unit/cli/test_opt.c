#include "cli/opt.h"

#include "test.h"

static const struct opt table[] = {
    OPT_ROW_FLAG('y', "yes", yes, "yes"),
    OPT_ROW_FLAG('f', "force", force, "force"),
    OPT_ROW_STRING('t', "tag", tag, "TAG", "tag"),
    OPT_ROW_NUMBER(0, "limit", limit, "N", 1, 100, "limit"),
    OPT_ROW_LIST('e', "env", env, "NAME", "env"),
    OPT_ROW_END,
};
static const struct opt *const options[] = {table, opt_table_json, NULL};
static const struct command cmd = {
    .name = "cmd", .args = "REF [DIR]", .options = options, .min_args = 1, .max_args = 2};

#define PARSE(args, e, ...)                                                                        \
    opt_parse(&cmd, (const char *[]){__VA_ARGS__},                                                 \
              sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (args), (e))

TEST(long_options)
{
    struct cli_args a;
    struct error e;
    CHECK_OK(PARSE(&a, &e, "--tag=v1", "ref", "--yes", "--limit", "7", "dir", "--json"), &e);
    CHECK_STR(str_c(a.tag), STR("v1"));
    CHECK(a.yes && a.json && !a.force);
    CHECK_INT(a.limit, 7);
    CHECK_INT(a.n_positional, 2);
    CHECK_STR(str_c(a.positional[0]), STR("ref"));
    CHECK_STR(str_c(a.positional[1]), STR("dir"));
}

TEST(short_options)
{
    struct cli_args a;
    struct error e;
    CHECK_OK(PARSE(&a, &e, "-yf", "-tv1", "ref"), &e);
    CHECK(a.yes && a.force);
    CHECK_STR(str_c(a.tag), STR("v1"));
    CHECK_OK(PARSE(&a, &e, "-yt", "v2", "-j", "ref"), &e);
    CHECK(a.yes && a.json && !a.force);
    CHECK_STR(str_c(a.tag), STR("v2"));
}

TEST(values_may_be_empty_or_look_like_options)
{
    struct cli_args a;
    struct error e;
    CHECK_OK(PARSE(&a, &e, "--tag=", "ref"), &e);
    CHECK_STR(str_c(a.tag), STR(""));
    CHECK(a.tag != NULL);
    CHECK_OK(PARSE(&a, &e, "--tag", "--yes", "ref"), &e);
    CHECK_STR(str_c(a.tag), STR("--yes"));
    CHECK(!a.yes);
}

TEST(the_last_one_wins)
{
    struct cli_args a;
    struct error e;
    CHECK_OK(PARSE(&a, &e, "--tag", "a", "-tb", "ref"), &e);
    CHECK_STR(str_c(a.tag), STR("b"));
}

TEST(two_dashes_end_the_options)
{
    struct cli_args a;
    struct error e;
    CHECK_OK(PARSE(&a, &e, "-y", "--", "--yes", "-"), &e);
    CHECK_INT(a.n_positional, 2);
    CHECK_STR(str_c(a.positional[0]), STR("--yes"));
    CHECK_STR(str_c(a.positional[1]), STR("-"));
}

TEST(where_the_two_dashes_were_is_known)
{
    struct cli_args a;
    struct error e;
    CHECK_OK(PARSE(&a, &e, "ref", "--", "--yes"), &e);
    CHECK(a.dashes);
    CHECK_INT(a.n_before, 1);
    CHECK_INT(a.n_positional, 2);
    CHECK_OK(PARSE(&a, &e, "ref"), &e);
    CHECK(!a.dashes);
}

TEST(lists_keep_all)
{
    const char *words[2 * (CLI_LIST_MAX + 1)];
    struct cli_args a;
    struct error e;
    CHECK_OK(PARSE(&a, &e, "ref"), &e);
    CHECK_INT(a.env.n, 0);
    CHECK_OK(PARSE(&a, &e, "--env", "A", "-eB", "ref", "--env=C"), &e);
    CHECK_INT(a.env.n, 3);
    CHECK_STR(str_c(a.env.items[0]), STR("A"));
    CHECK_STR(str_c(a.env.items[2]), STR("C"));
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        words[i] = i % 2 ? "X" : "--env";
    CHECK_ERR(opt_parse(&cmd, words, ARRAY_SIZE(words), &a, &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("--env is given more than 64 times"));
}

TEST(help_ends_all_checks)
{
    struct cli_args a;
    struct error e;
    CHECK_OK(PARSE(&a, &e, "--help"), &e);
    CHECK(a.help);
    CHECK_OK(PARSE(&a, &e, "-h", "--nonsense"), &e);
    CHECK(a.help);
}

#define CHECK_USAGE(call, why)                                                                     \
    do {                                                                                           \
        struct cli_args a;                                                                         \
        struct error e;                                                                            \
        CHECK_ERR(call, ERR_INVALID_ARGUMENT, &e);                                                 \
        CHECK_STR(str_c(e.reason), STR(CLI_USAGE));                                                \
        CHECK_CONTAINS(str_c(e.msg), str_c(why));                                                  \
    } while (0)

TEST(usage_errors)
{
    CHECK_USAGE(PARSE(&a, &e, "--nonsense", "ref"), "unknown option --nonsense");
    CHECK_USAGE(PARSE(&a, &e, "--ta=x", "ref"), "unknown option --ta");
    CHECK_USAGE(PARSE(&a, &e, "-x", "ref"), "unknown option -x");
    CHECK_USAGE(PARSE(&a, &e, "--yes=1", "ref"), "--yes takes no value");
    CHECK_USAGE(PARSE(&a, &e, "ref", "--tag"), "--tag needs a value: --tag TAG");
    CHECK_USAGE(PARSE(&a, &e, "ref", "-t"), "--tag needs a value");
    CHECK_USAGE(PARSE(&a, &e, "--yes"), "missing argument: REF [DIR]");
    CHECK_USAGE(PARSE(&a, &e, "a", "b", "c"), "superfluous argument \"c\"");
}

TEST(numbers_are_bounded)
{
    struct cli_args ok;
    struct error no;
    CHECK_OK(PARSE(&ok, &no, "--limit=100", "ref"), &no);
    CHECK_USAGE(PARSE(&a, &e, "--limit=0", "ref"), "from 1 to 100, not \"0\"");
    CHECK_USAGE(PARSE(&a, &e, "--limit=101", "ref"), "from 1 to 100");
    CHECK_USAGE(PARSE(&a, &e, "--limit=-1", "ref"), "from 1 to 100");
    CHECK_USAGE(PARSE(&a, &e, "--limit=ten", "ref"), "from 1 to 100");
    CHECK_USAGE(PARSE(&a, &e, "--limit=", "ref"), "from 1 to 100");
    CHECK_USAGE(PARSE(&a, &e, "--limit=99999999999999999999", "ref"), "from 1 to 100");
}

TEST(iteration_covers_every_table_and_help)
{
    struct opt_iter it = {.cmd = &cmd};
    const char *const want[] = {"yes", "force", "tag", "limit", "env", "json", "help"};
    for (size_t i = 0; i < ARRAY_SIZE(want); i++)
        CHECK_STR(str_c(opt_next(&it)->long_name), str_c(want[i]));
    CHECK(!opt_next(&it));
}
