/*
 * The command line `stigmer`: one file a command, every command a row of data.
 *
 * Model: a command names its arguments, its option tables and its function; parsing, --help and
 * shell completion are generated from that. A command's function prints its result on stdout and
 * returns an error otherwise; main prints "Error: <text>" on stderr and chooses the exit code.
 * What the server sent is never trusted: it reaches a terminal only through term.h's escaping.
 */
#ifndef STIGMER_CLI_CLI_H
#define STIGMER_CLI_CLI_H

#include "base/buf.h"
#include "base/err.h"
#include "base/macro.h"
#include "cli/term.h"

#include <limits.h>

/* Documented in --help and in stigmer(1). */
enum cli_exit {
    CLI_EXIT_OK = 0,
    CLI_EXIT_FAILURE = 1,
    CLI_EXIT_USAGE = 2,
    CLI_EXIT_NOT_RUNNING = 3, /* `server status` only */
};

/* An error with this reason is a usage error: exit 2 and a pointer to --help. */
#define CLI_USAGE "cli.usage"

#define CLI_LIST_MAX 64

/* An option that may be given several times. */
struct cli_list {
    const char *items[CLI_LIST_MAX];
    size_t n;
};

/* Where the option tables store what was given. */
struct cli_args {
    bool help, version, json, tls, no_start, dry_run, yes, deleted, all, force, archive_only,
        strict, frozen, offline, backward, copy, net, best_effort;
    const char *server, *ca_file, *org, *tag, *name, *zip, *page_token, *files_from, *refs_file,
        *lock, *root, *format, *max_size, *workspace, *memory, *file_size, *disk, *output;
    struct cli_list env, binds;
    uint64_t budget;               /* 0 = not given */
    uint64_t timeout_s;            /* 0 = not given */
    uint64_t limit;                /* 0 = not given */
    uint64_t time_limit_s;         /* 0 = not given */
    uint64_t processes;            /* 0 = not given */
    const char *const *positional; /* in the words given to opt_parse */
    size_t n_positional;
    bool dashes;     /* "--" was among the words */
    size_t n_before; /* of the arguments, how many were before it */
};

struct cli {
    const struct command *command;
    struct cli_args args;
    struct term out, err;
    int exit_code;   /* what a successful command wants to exit with */
    struct buf hint; /* printed after the error: what to do next; safe text */
};

/* What a positional argument completes to. */
enum cli_complete {
    COMPLETE_NONE,
    COMPLETE_DIR,
    COMPLETE_FILE, /* and directories */
    COMPLETE_SHELL,
    COMPLETE_COMMAND,
};

#define CLI_ANY_NUMBER UINT_MAX /* of arguments */

struct command {
    const char *name;
    const char *args;    /* "REF [DIR]", as shown in usage lines; NULL = none */
    const char *summary; /* one line, no full stop */
    const char *text;    /* paragraphs for --help */
    unsigned min_args, max_args;
    enum cli_complete complete;
    const char *exit_codes;            /* for --help; NULL = those of most commands */
    int failure;                       /* the exit code of an error; 0 = CLI_EXIT_FAILURE */
    const struct opt *const *options;  /* tables, NULL-terminated; NULL = only --help */
    const struct command *const *subs; /* NULL-terminated; a group has these and no run */
    enum err (*run)(struct cli *c, struct error *e);
};

/* The whole tree; its name is "stigmer". */
extern const struct command cmd_root;

extern const struct command cmd_apply, cmd_audit, cmd_skill, cmd_server, cmd_version,
    cmd_completion, cmd_help;
extern const struct command cmd_skill_push, cmd_skill_get, cmd_skill_list, cmd_skill_versions,
    cmd_skill_files, cmd_skill_show, cmd_skill_tag, cmd_skill_delete, cmd_skill_pull;
extern const struct command cmd_agent, cmd_agent_resolve, cmd_agent_fetch, cmd_agent_mount,
    cmd_agent_unmount, cmd_agent_prompt, cmd_agent_exec, cmd_agent_run;
extern const struct command cmd_cache, cmd_cache_prune;
extern const struct command cmd_server_start, cmd_server_stop, cmd_server_status, cmd_server_run;

/* The sub-command of that name, or NULL. */
const struct command *command_find(const struct command *group, str name);
/* Follows words into *cmd as far as they name commands; returns how many were used. path, at least
 * COMMAND_PATH_MAX bytes, gets "stigmer skill push". */
enum { COMMAND_PATH_MAX = 64 };
size_t command_walk(const struct command **cmd, const char *const *words, size_t n_words,
                    char *path);

/* Runs the program; returns its exit code. */
int cli_main(int argc, char **argv);

#endif
