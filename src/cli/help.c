#include "cli/help.h"

#include "base/macro.h"
#include "cli/opt.h"

enum { TEXT_COLUMN = 26, LINE_MAX_COLUMN = 96 };

/* Breaks text at spaces so that it stays in its column. */
static void print_wrapped(const struct term *t, str text)
{
    const size_t width = LINE_MAX_COLUMN - TEXT_COLUMN;
    while (text.len > width) {
        ptrdiff_t at = str_rfind(str_head(text, width + 1), ' ');
        if (at <= 0)
            break;
        term_printf(t, "%.*s\n%*s", (int)at, text.p, TEXT_COLUMN, "");
        text = str_skip(text, (size_t)at + 1);
    }
    term_printf(t, "%.*s\n", STR_ARG(text));
}

static void print_row(const struct term *t, const char *left, const char *text)
{
    size_t len = strlen(left);
    term_printf(t, "  %s%*s", left, len + 4 > TEXT_COLUMN ? 0 : (int)(TEXT_COLUMN - len - 2), "");
    if (len + 4 > TEXT_COLUMN)
        term_printf(t, "\n%*s", TEXT_COLUMN, "");
    print_wrapped(t, str_c(text));
}

static void print_options(const struct term *t, const struct command *cmd)
{
    struct opt_iter it = {.cmd = cmd};
    const struct opt *o;
    term_styled(t, TERM_BOLD, "\nOptions:\n");
    while ((o = opt_next(&it))) {
        char left[64], letter[8] = "    ";
        if (o->short_name)
            (void)snprintf(letter, sizeof letter, "-%c, ", o->short_name);
        (void)snprintf(left, sizeof left, "%s--%s%s%s", letter, o->long_name, o->arg ? " " : "",
                       o->arg ? o->arg : "");
        print_row(t, left, o->text);
    }
}

static void print_commands(const struct term *t, const struct command *cmd)
{
    term_styled(t, TERM_BOLD, "\nCommands:\n");
    for (const struct command *const *sub = cmd->subs; *sub; sub++) {
        char left[64];
        (void)snprintf(left, sizeof left, "%s%s%s", (*sub)->name, (*sub)->args ? " " : "",
                       (*sub)->args ? (*sub)->args : "");
        print_row(t, left, (*sub)->summary);
    }
}

void help_print(const struct term *t, const struct command *cmd, const char *path)
{
    term_styled(t, TERM_BOLD, "Usage:");
    term_printf(t, " %s%s%s%s\n\n", path, cmd->subs ? " COMMAND" : "", cmd->args ? " " : "",
                cmd->args ? cmd->args : "");
    term_printf(t, "%s", cmd->text);
    if (cmd->subs)
        print_commands(t, cmd);
    print_options(t, cmd);
    term_printf(t, "\nExit codes: %s.\n",
                cmd->exit_codes ? cmd->exit_codes : "0 done, 1 failure, 2 wrong usage");
    if (cmd->subs)
        term_printf(t, "See \"%s COMMAND --help\" for a command's options.\n", path);
}
