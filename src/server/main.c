/* stigmer-server: the command line. */
#include "base/macro.h"
#include "server/command.h"
#include "server/incomplete.h"

#include <stdio.h>
#include <stdlib.h>

/* Exit statuses, as --help tells them. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };
/* Of check, as fsck's kind: looked and found, could not look. */
enum { EXIT_DAMAGED = 1, EXIT_NOT_CHECKED = 2 };

static const char usage[] =
    "usage: stigmer-server [serve]         serve until SIGTERM or SIGINT\n"
    "       stigmer-server dump [--json]   print every record, also beside a running server\n"
    "       stigmer-server check [--no-archives] [--repair] [--json]\n"
    "                                      look for damage, also beside a running server; with\n"
    "                                      --no-archives only in the database; with --repair,\n"
    "                                      while no server runs, mend what can be mended first\n"
    "       stigmer-server gc [--dry-run] [--purge-deleted] [--json]\n"
    "                                      remove archives that no version holds, also beside a\n"
    "                                      running server; with --purge-deleted first all "
    "versions\n"
    "                                      of deleted skills; with --dry-run only tell\n"
    "       stigmer-server backup DIR|- [--json]\n"
    "                                      copy all that is stored into DIR, also beside a "
    "running\n"
    "                                      server; what DIR has from before is not copied again\n"
    "       stigmer-server restore DIR|- [--json]\n"
    "                                      copy a backup into an empty DB_PATH and STORAGE_PATH\n"
    "       stigmer-server version         print the version\n"
    "       stigmer-server --help          print this text\n";

static const char signals[] =
    "Signals: SIGTERM and SIGINT finish the calls in progress (at most 10 s) and stop; a second\n"
    "one ends the server at once. SIGHUP reads the TLS files again.\n"
    "\n"
    "Exit status: 0 stopped or done, 1 failed, 2 wrong usage. Of check: 0 sound, 1 damaged,\n"
    "2 it could not be looked at.\n";

static const char *environment(const char *name)
{
    return getenv(name);
}

static int print_help(void)
{
    CLEANUP(buf_deinit) struct buf b;
    buf_init(&b, KIB(64));
    buf_addf(&b, "stigmer-server %s: stores skills by their hash and serves them over gRPC.\n\n",
             STIGMER_VERSION);
    buf_addf(&b, "%s\nEnvironment (an empty value counts as not set):\n\n", usage);
    config_help(&b);
    buf_addf(&b, "\n%s", signals);
    const char *text = buf_cstr(&b);
    return text && fputs(text, stdout) >= 0 && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

static int print_version(void)
{
    return printf("stigmer-server %s\n", STIGMER_VERSION) > 0 && fflush(stdout) == 0 ? EXIT_OK
                                                                                     : EXIT_FAILED;
}

static int wrong_usage(const char *what)
{
    (void)fprintf(stderr, "stigmer-server: do not know \"%s\"\n%s", what, usage);
    return EXIT_USAGE;
}

static int missing_word(const char *command)
{
    (void)fprintf(stderr, "stigmer-server: %s needs a directory, or - for a stream\n%s", command,
                  usage);
    return EXIT_USAGE;
}

/* --- commands ------------------------------------------------------------------------------------
 */

enum flag { JSON = 1, DRY_RUN = 2, PURGE_DELETED = 4, NO_ARCHIVES = 8, REPAIR = 16 };

static const struct {
    const char *word;
    enum flag flag;
} flag_words[] = {{"--json", JSON},
                  {"--dry-run", DRY_RUN},
                  {"--purge-deleted", PURGE_DELETED},
                  {"--no-archives", NO_ARCHIVES},
                  {"--repair", REPAIR}};

/* What is called: flags, and the word that some commands take. */
struct call {
    unsigned flags;
    const char *word;
};

static enum err run_serve(const struct config *c, const struct call *call, int *ret_status,
                          struct error *e)
{
    (void)call, (void)ret_status;
    return command_serve(c, e);
}

static enum err run_dump(const struct config *c, const struct call *call, int *ret_status,
                         struct error *e)
{
    (void)ret_status;
    return command_dump(c, call->flags & JSON, e);
}

static enum err run_check(const struct config *c, const struct call *call, int *ret_status,
                          struct error *e)
{
    bool sound;
    const struct check_words w = {call->flags & NO_ARCHIVES, call->flags & JSON,
                                  call->flags & REPAIR};
    enum err err = command_check(c, &w, &sound, e);
    *ret_status = err == ERR_OK && !sound ? EXIT_DAMAGED : EXIT_OK;
    return err;
}

static enum err run_gc(const struct config *c, const struct call *call, int *ret_status,
                       struct error *e)
{
    const struct gc_words w = {call->flags & DRY_RUN, call->flags & PURGE_DELETED,
                               call->flags & JSON};
    (void)ret_status;
    return command_gc(c, &w, e);
}

static enum err run_backup(const struct config *c, const struct call *call, int *ret_status,
                           struct error *e)
{
    (void)ret_status;
    return command_backup(c, call->word, call->flags & JSON, e);
}

static enum err run_restore(const struct config *c, const struct call *call, int *ret_status,
                            struct error *e)
{
    (void)ret_status;
    return command_restore(c, call->word, call->flags & JSON, e);
}

/* What needs the configuration. */
static const struct command {
    const char *name;
    unsigned flags; /* that it takes */
    bool word;      /* it takes one word besides, which must be there */
    int failed;     /* the exit status of an error */
    enum err (*run)(const struct config *c, const struct call *call, int *ret_status,
                    struct error *e);
} commands[] = {
    {"serve", 0, false, EXIT_FAILED, run_serve},
    {"dump", JSON, false, EXIT_FAILED, run_dump},
    {"check", JSON | NO_ARCHIVES | REPAIR, false, EXIT_NOT_CHECKED, run_check},
    {"gc", JSON | DRY_RUN | PURGE_DELETED, false, EXIT_FAILED, run_gc},
    {"backup", JSON, true, EXIT_FAILED, run_backup},
    {"restore", JSON, true, EXIT_FAILED, run_restore},
};

static enum err run_with(const struct config *c, const struct command *command,
                         const struct call *call, int *ret_status, struct error *e)
{
    if (command->run != run_restore) /* which goes on where it was interrupted */
        TRY(incomplete_check(c->db_path, e));
    return command->run(c, call, ret_status, e);
}

static int run_configured(const struct command *command, const struct call *call)
{
    struct config c;
    struct error e;
    int status = EXIT_OK;
    enum err r = config_load(&c, environment, &e);
    if (r == ERR_OK)
        r = run_with(&c, command, call, &status, &e);
    if (r != ERR_OK)
        (void)fprintf(stderr, "stigmer-server: %s\n", e.msg);
    config_deinit(&c);
    return r == ERR_OK ? status : command->failed;
}

/* 0: no flag of that name. */
static unsigned flag_of(const char *word)
{
    for (size_t i = 0; i < ARRAY_SIZE(flag_words); i++)
        if (str_eq(str_c(word), str_c(flag_words[i].word)))
            return flag_words[i].flag;
    return 0;
}

/* "-" is one: a stream. */
static bool is_word(const char *word)
{
    return word[0] && (word[0] != '-' || word[1] == '\0');
}

static int run_command(const struct command *command, int n, char **words)
{
    struct call call = {0};
    for (int i = 0; i < n; i++) {
        unsigned flag = flag_of(words[i]) & command->flags;
        bool takes = command->word && !call.word && is_word(words[i]);
        if (!flag && !takes)
            return wrong_usage(words[i]);
        call.flags |= flag;
        call.word = flag ? call.word : words[i];
    }
    if (command->word && !call.word)
        return missing_word(command->name);
    return run_configured(command, &call);
}

static bool is(str word, const char *a, const char *b)
{
    return str_eq(word, str_c(a)) || str_eq(word, str_c(b));
}

int main(int argc, char **argv)
{
    str name = argc > 1 ? str_c(argv[1]) : STR("serve");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (str_eq(name, str_c(commands[i].name)))
            return run_command(&commands[i], MAX(argc - 2, 0), argv + 2);
    if (argc > 2)
        return wrong_usage(argv[2]);
    if (is(name, "version", "--version"))
        return print_version();
    if (is(name, "--help", "-h") || is(name, "help", "help"))
        return print_help();
    return wrong_usage(argv[1]);
}
