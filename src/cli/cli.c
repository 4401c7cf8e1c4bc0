#include "cli/cli.h"

#include "agent/ref.h"
#include "base/macro.h"
#include "cli/help.h"
#include "cli/opt.h"

/* "Error: <text>", and below it what to do next. */
static void report(struct cli *c, const struct error *e)
{
    (void)fflush(stdout);
    term_styled(&c->err, TERM_RED, "Error:");
    term_printf(&c->err, " ");
    term_foreign_lines(&c->err, str_c(e->msg));
    term_printf(&c->err, "\n");
    term_raw(&c->err, buf_view(&c->hint));
}

static int fail(struct cli *c, const char *path, const struct error *e)
{
    str reason = str_c(e->reason);
    bool usage = str_eq(reason, STR(CLI_USAGE)) || str_eq(reason, STR(REF_SYNTAX));
    report(c, e);
    if (usage)
        term_printf(&c->err, "See \"%s --help\".\n", path);
    if (usage)
        return CLI_EXIT_USAGE;
    return c->command->failure ? c->command->failure : CLI_EXIT_FAILURE;
}

static enum err run(struct cli *c, const char *path, struct error *e)
{
    if (c->args.help) {
        help_print(&c->out, c->command, path);
    } else if (c->args.version) {
        TRY(cmd_version.run(c, e));
    } else if (!c->command->run) {
        help_print(&c->err, c->command, path);
        c->exit_code = CLI_EXIT_USAGE;
    } else {
        TRY(c->command->run(c, e));
    }
    return term_flush(&c->out, e);
}

int cli_main(int argc, char **argv)
{
    const char **words = (const char **)argv + (argc > 0);
    size_t n_words = argc > 0 ? (size_t)argc - 1 : 0;
    char path[COMMAND_PATH_MAX];
    struct error e;
    struct cli c = {.command = &cmd_root, .exit_code = CLI_EXIT_OK};
    buf_init(&c.hint, KIB(64));
    term_init(&c.out, stdout);
    term_init(&c.err, stderr);
    size_t used = command_walk(&c.command, words, n_words, path);
    enum err err = opt_parse(c.command, words + used, n_words - used, &c.args, &e);
    if (err == ERR_OK)
        err = run(&c, path, &e);
    int code = err == ERR_OK ? c.exit_code : fail(&c, path, &e);
    buf_deinit(&c.hint);
    return code;
}
