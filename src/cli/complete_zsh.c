#include "cli/complete.h"

#include "cli/opt.h"

/* Text inside '…' inside […] of an _arguments spec: zshcompsys(1) gives ] : and \ a meaning. */
static void print_quoted(const struct term *t, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            term_printf(t, "'\\''");
        else if (strchr("[]:\\", *text))
            term_printf(t, "\\%c", *text);
        else
            term_printf(t, "%c", *text);
    }
}

/* '(-t --tag)'{-t,--tag}'[text]:TAG: ' */
static void print_option(const struct term *t, const struct opt *o)
{
    const char *equals = o->arg ? "=" : "";
    term_printf(t, "                ");
    if (o->short_name)
        term_printf(t, "'(-%c --%s)'{-%c%s,--%s%s}", o->short_name, o->long_name, o->short_name,
                    o->arg ? "+" : "", o->long_name, equals);
    else
        term_printf(t, "--%s%s", o->long_name, equals);
    term_printf(t, "'[");
    print_quoted(t, o->text);
    term_printf(t, "]");
    if (o->arg)
        term_printf(t, ":%s:%s", o->arg, str_eq(str_c(o->arg), STR("FILE")) ? "_files" : " ");
    term_printf(t, "' \\\n");
}

static void print_names(const struct term *t, const struct command *group)
{
    for (const struct command *const *sub = group->subs; *sub; sub++)
        term_printf(t, "%s%s", sub == group->subs ? "" : " ", (*sub)->name);
}

static void print_arguments(const struct term *t, const struct command *cmd)
{
    switch (cmd->complete) {
    case COMPLETE_DIR:
        term_printf(t, "                '*:directory:_files -/'\n");
        return;
    case COMPLETE_FILE:
        term_printf(t, "                '*:file:_files'\n");
        return;
    case COMPLETE_SHELL:
        term_printf(t, "                '1:shell:(bash zsh)'\n");
        return;
    case COMPLETE_COMMAND:
        term_printf(t, "                '1:command:(");
        print_names(t, &cmd_root);
        term_printf(t, ")'\n");
        return;
    case COMPLETE_NONE:
        break;
    }
    term_printf(t, "                '*::argument: '\n");
}

static void print_leaf(const struct term *t, const struct command *cmd, const char *path)
{
    struct opt_iter it = {.cmd = cmd};
    const struct opt *o;
    term_printf(t, "        (%s)\n            _arguments -s \\\n", path);
    while ((o = opt_next(&it)))
        print_option(t, o);
    print_arguments(t, cmd);
    term_printf(t, "            ;;\n");
}

static void print_group(const struct term *t, const struct command *group, const char *path)
{
    term_printf(t, "        (%s)\n            local -a commands=(\n", path);
    for (const struct command *const *sub = group->subs; *sub; sub++) {
        term_printf(t, "                '%s:", (*sub)->name);
        print_quoted(t, (*sub)->summary);
        term_printf(t, "'\n");
    }
    term_printf(t, "            )\n            _describe -t commands command commands\n"
                   "            ;;\n");
}

/* Paths are joined with "-" here: "skill-push"; the root is "-". */
static void print_tree(const struct term *t, const struct command *group, const char *path)
{
    print_group(t, group, *path ? path : "-");
    for (const struct command *const *sub = group->subs; *sub; sub++) {
        char below[COMMAND_PATH_MAX];
        (void)snprintf(below, sizeof below, "%s%s%s", path, *path ? "-" : "", (*sub)->name);
        if ((*sub)->subs)
            print_tree(t, *sub, below);
        else
            print_leaf(t, *sub, below);
    }
}

void complete_print_zsh(const struct term *t)
{
    term_printf(t, "#compdef stigmer\n"
                   "# zsh completion for stigmer; made by \"stigmer completion zsh\"\n"
                   "_stigmer()\n{\n"
                   "    local at=-\n"
                   "    if ((CURRENT > 2)); then\n"
                   "        at=$words[2]; shift words; ((CURRENT--))\n"
                   "        if [[ $at == (");
    const char *separator = "";
    for (const struct command *const *sub = cmd_root.subs; *sub; sub++) {
        if (!(*sub)->subs)
            continue;
        term_printf(t, "%s%s", separator, (*sub)->name);
        separator = "|";
    }
    term_printf(t, ") ]] && ((CURRENT > 2)); then\n"
                   "            at=$at-$words[2]; shift words; ((CURRENT--))\n"
                   "        fi\n"
                   "    fi\n"
                   "    case $at in\n");
    print_tree(t, &cmd_root, "");
    term_printf(t, "    esac\n"
                   "}\n"
                   "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n"
                   "    _stigmer \"$@\"\n"
                   "else\n"
                   "    compdef _stigmer stigmer\n"
                   "fi\n");
}
