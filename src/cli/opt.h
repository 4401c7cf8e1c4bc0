/*
 * Options as data: a table row per option, parsed, listed in --help and completed by the shell.
 *
 * Syntax: --name, --name=VALUE, --name VALUE, -n, -nVALUE, -n VALUE, -ab for flags, -- ends the
 * options; options and arguments mix. The last one given wins, but for lists, which keep all. No
 * abbreviations of long names.
 */
#ifndef STIGMER_CLI_OPT_H
#define STIGMER_CLI_OPT_H

#include "cli/cli.h"

enum opt_kind { OPT_FLAG, OPT_STRING, OPT_NUMBER, OPT_LIST };

struct opt {
    char short_name; /* 0 = none */
    enum opt_kind kind;
    const char *long_name;
    size_t offset;   /* in struct cli_args: bool, const char *, uint64_t or struct cli_list */
    const char *arg; /* "TAG"; NULL for a flag. "FILE" completes to files */
    const char *text;
    uint64_t min, max; /* of a number */
};

#define OPT_IN(member) offsetof(struct cli_args, member)
#define OPT_ROW_FLAG(s, l, member, txt)                                                            \
    {                                                                                              \
        (s), OPT_FLAG, (l), OPT_IN(member), NULL, (txt), 0, 0                                      \
    }
#define OPT_ROW_STRING(s, l, member, a, txt)                                                       \
    {                                                                                              \
        (s), OPT_STRING, (l), OPT_IN(member), (a), (txt), 0, 0                                     \
    }
#define OPT_ROW_LIST(s, l, member, a, txt)                                                         \
    {                                                                                              \
        (s), OPT_LIST, (l), OPT_IN(member), (a), (txt), 0, 0                                       \
    }
#define OPT_ROW_NUMBER(s, l, member, a, lo, hi, txt)                                               \
    {                                                                                              \
        (s), OPT_NUMBER, (l), OPT_IN(member), (a), (txt), (lo), (hi)                               \
    }
#define OPT_ROW_TIMEOUT(txt) OPT_ROW_NUMBER(0, "timeout", timeout_s, "SECONDS", 1, 86400, (txt))
#define OPT_ROW_END                                                                                \
    {                                                                                              \
        0                                                                                          \
    }

/* Tables that several commands share. */
extern const struct opt opt_table_help[];    /* --help; every command has it */
extern const struct opt opt_table_json[];    /* --json */
extern const struct opt opt_table_connect[]; /* --server --tls --ca-file */
extern const struct opt opt_table_timeout[]; /* --timeout of calls */
extern const struct opt opt_table_start[];   /* --no-start */
extern const struct opt opt_table_push[];    /* --org --tag --name --dry-run --strict */
extern const struct opt opt_table_ref[];     /* --org, for commands that take a REF */
extern const struct opt opt_table_page[];    /* --all --limit --page-token */
extern const struct opt opt_table_refs[];    /* --refs-file --lock --frozen --offline --org */

/* All rows of a command, --help last. */
struct opt_iter {
    const struct command *cmd;
    size_t table, row;
};
const struct opt *opt_next(struct opt_iter *it);

/* Parses the words after the command's name; the arguments among them are moved to the front, where
 * ret->positional finds them. INVALID_ARGUMENT with reason CLI_USAGE: an unknown
 * option, a missing or superfluous value, a number out of bounds, too few or too many arguments
 * (not looked at once --help was given). ret's pointers are those of argv. */
enum err opt_parse(const struct command *cmd, const char **words, size_t n_words,
                   struct cli_args *ret, struct error *e);

#endif
