#include "cli/complete.h"

#include "cli/opt.h"

typedef void visit_fn(const struct term *t, const struct command *cmd, const char *path);

static void visit(const struct term *t, const struct command *cmd, const char *parent, visit_fn *fn)
{
    char path[COMMAND_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s%s%s", parent, *parent ? " " : "", cmd->name);
    fn(t, cmd, path);
    for (const struct command *const *sub = cmd->subs; sub && *sub; sub++)
        visit(t, *sub, path, fn);
}

static void print_path_case(const struct term *t, const struct command *cmd, const char *path)
{
    if (cmd != &cmd_root)
        term_printf(t, "            \"%s\") path=\"%s\" ;;\n", path, path);
}

/* Options whose value is a file, or anything else that must not complete to options. */
static void print_value_cases(const struct term *t, const struct command *cmd, const char *path)
{
    struct opt_iter it = {.cmd = cmd};
    const struct opt *o;
    while ((o = opt_next(&it))) {
        bool file = str_eq(str_c(o->arg), STR("FILE"));
        if (o->kind == OPT_FLAG)
            continue;
        term_printf(t, "        \"%s --%s\"", path, o->long_name);
        if (o->short_name)
            term_printf(t, "|\"%s -%c\"", path, o->short_name);
        term_printf(t, ") %sreturn ;;\n", file ? "_stigmer_paths -f; " : "");
    }
}

static void print_words(const struct term *t, const struct command *cmd)
{
    for (const struct command *const *sub = cmd->subs; sub && *sub; sub++)
        term_printf(t, "%s%s", sub == cmd->subs ? "" : " ", (*sub)->name);
    if (cmd->complete == COMPLETE_SHELL)
        term_printf(t, "bash zsh");
    if (cmd->complete == COMPLETE_COMMAND)
        print_words(t, &cmd_root);
}

static void print_word_case(const struct term *t, const struct command *cmd, const char *path)
{
    struct opt_iter it = {.cmd = cmd};
    const struct opt *o;
    const char *separator = "";
    term_printf(t, "        \"%s\") options=\"", path);
    while ((o = opt_next(&it))) {
        term_printf(t, "%s--%s", separator, o->long_name);
        separator = " ";
    }
    term_printf(t, "\"; words=\"");
    print_words(t, cmd);
    term_printf(t, "\"%s ;;\n",
                cmd->complete == COMPLETE_DIR    ? "; paths=-d"
                : cmd->complete == COMPLETE_FILE ? "; paths=-f"
                                                 : "");
}

void complete_print_bash(const struct term *t)
{
    term_printf(t, "# bash completion for stigmer; made by \"stigmer completion bash\"\n"
                   "_stigmer_paths()\n{\n"
                   "    compopt -o filenames 2>/dev/null\n"
                   "    mapfile -t COMPREPLY < <(compgen \"$1\" -- \"$cur\")\n"
                   "}\n"
                   "_stigmer()\n{\n"
                   "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                   "    local path=stigmer options=\"\" words=\"\" paths=\"\" i\n"
                   "    COMPREPLY=()\n"
                   "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                   "        case \"$path ${COMP_WORDS[i]}\" in\n");
    visit(t, &cmd_root, "", print_path_case);
    term_printf(t, "        esac\n    done\n"
                   "    case \"$path $prev\" in\n");
    visit(t, &cmd_root, "", print_value_cases);
    term_printf(t, "    esac\n"
                   "    case $path in\n");
    visit(t, &cmd_root, "", print_word_case);
    term_printf(t, "    esac\n"
                   "    if [[ $cur == -* ]]; then\n"
                   "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
                   "    elif [[ $paths ]]; then\n"
                   "        _stigmer_paths \"$paths\"\n"
                   "    else\n"
                   "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                   "    fi\n"
                   "}\n"
                   "complete -F _stigmer stigmer\n");
}
