#include "cli/opt.h"

#include "base/macro.h"

const struct opt opt_table_help[] = {
    OPT_ROW_FLAG('h', "help", help, "show this text"),
    OPT_ROW_END,
};

const struct opt opt_table_json[] = {
    OPT_ROW_FLAG('j', "json", json, "print JSON"),
    OPT_ROW_END,
};

const struct opt opt_table_connect[] = {
    OPT_ROW_STRING('s', "server", server, "ADDR",
                   "HOST:PORT of the server (default: $STIGMER_SERVER_ADDR, else localhost:7234)"),
    OPT_ROW_FLAG(0, "tls", tls, "connect with TLS"),
    OPT_ROW_STRING(0, "ca-file", ca_file, "FILE",
                   "PEM certificates to trust instead of the system's; implies --tls"),
    OPT_ROW_END,
};

const struct opt opt_table_timeout[] = {
    OPT_ROW_TIMEOUT("give up after that long (default: 60, with an archive 900)"),
    OPT_ROW_END,
};

const struct opt opt_table_start[] = {
    OPT_ROW_FLAG(0, "no-start", no_start, "never start a local server"),
    OPT_ROW_END,
};

const struct opt opt_table_push[] = {
    OPT_ROW_STRING('o', "org", org, "ORG", "organization that owns the skill (default: local)"),
    OPT_ROW_STRING('t', "tag", tag, "TAG", "tag of this version (default: latest)"),
    OPT_ROW_STRING('n', "name", name, "NAME", "name of the skill (default: the directory's)"),
    OPT_ROW_FLAG(0, "dry-run", dry_run, "pack and check, but send nothing"),
    OPT_ROW_FLAG(0, "strict", strict, "take warnings about SKILL.md as errors"),
    OPT_ROW_END,
};

const struct opt opt_table_ref[] = {
    OPT_ROW_STRING('o', "org", org, "ORG", "organization of a REF that names none"),
    OPT_ROW_END,
};

const struct opt opt_table_page[] = {
    OPT_ROW_FLAG('a', "all", all, "all of them, not just the first page"),
    OPT_ROW_NUMBER(0, "limit", limit, "N", 1, 100, "items on a page (default: 20)"),
    OPT_ROW_STRING(0, "page-token", page_token, "TOKEN", "continue where a page ended"),
    OPT_ROW_END,
};

const struct opt opt_table_refs[] = {
    OPT_ROW_STRING('f', "refs-file", refs_file, "FILE",
                   "more references: JSON, or an agent's YAML; - is standard input"),
    OPT_ROW_STRING('l', "lock", lock, "FILE", "the lock file (default: skills.lock)"),
    OPT_ROW_FLAG(0, "frozen", frozen, "refuse what the lock file does not pin, never change it"),
    OPT_ROW_FLAG(0, "offline", offline, "ask no server"),
    OPT_ROW_STRING('o', "org", org, "ORG", "organization of references that name none"),
    OPT_ROW_END,
};

#define USAGE(e, ...) FAIL((e), ERR_INVALID_ARGUMENT, CLI_USAGE, __VA_ARGS__)

const struct opt *opt_next(struct opt_iter *it)
{
    const struct opt *const *tables = it->cmd->options;
    while (tables && tables[it->table]) {
        const struct opt *row = &tables[it->table][it->row++];
        if (row->long_name)
            return row;
        it->table++;
        it->row = 0;
    }
    const struct opt *help = &opt_table_help[it->row++];
    return help->long_name ? help : NULL;
}

static const struct opt *find_long(const struct command *cmd, str name)
{
    struct opt_iter it = {.cmd = cmd};
    const struct opt *o;
    while ((o = opt_next(&it)))
        if (str_eq(str_c(o->long_name), name))
            break;
    return o;
}

static const struct opt *find_short(const struct command *cmd, char name)
{
    struct opt_iter it = {.cmd = cmd};
    const struct opt *o;
    while ((o = opt_next(&it)))
        if (o->short_name == name)
            break;
    return o;
}

struct parser {
    const struct command *cmd;
    const char **words;
    size_t n_words, at; /* at: the next word */
    struct cli_args *args;
};

static enum err append(const struct opt *o, const char *value, struct cli_list *list,
                       struct error *e)
{
    if (list->n == ARRAY_SIZE(list->items))
        return USAGE(e, "--%s is given more than %zu times", o->long_name, list->n);
    list->items[list->n++] = value;
    return ERR_OK;
}

static enum err store(const struct opt *o, const char *value, struct cli_args *args,
                      struct error *e)
{
    void *to = (char *)args + o->offset;
    uint64_t n;
    switch (o->kind) {
    case OPT_FLAG:
        *(bool *)to = true;
        return ERR_OK;
    case OPT_STRING:
        *(const char **)to = value;
        return ERR_OK;
    case OPT_LIST:
        return append(o, value, to, e);
    case OPT_NUMBER:
        if (!str_to_u64(str_c(value), &n) || n < o->min || n > o->max)
            return USAGE(e, "--%s needs a number from %llu to %llu, not \"%s\"", o->long_name,
                         (unsigned long long)o->min, (unsigned long long)o->max, value);
        *(uint64_t *)to = n;
        return ERR_OK;
    }
    return ERR_OK;
}

/* attached: what stood behind "=" or behind the letter; NULL = nothing. */
static enum err store_value(struct parser *p, const struct opt *o, const char *attached,
                            struct error *e)
{
    if (o->kind == OPT_FLAG && attached)
        return USAGE(e, "--%s takes no value", o->long_name);
    if (o->kind != OPT_FLAG && !attached) {
        if (p->at == p->n_words)
            return USAGE(e, "--%s needs a value: --%s %s", o->long_name, o->long_name, o->arg);
        attached = p->words[p->at++];
    }
    return store(o, attached, p->args, e);
}

static enum err parse_long(struct parser *p, const char *word, struct error *e)
{
    str name = str_c(word), value;
    bool has_value = str_cut(name, '=', &name, &value);
    const struct opt *o = find_long(p->cmd, name);
    if (!o)
        return USAGE(e, "unknown option --%.*s", STR_ARG(name));
    return store_value(p, o, has_value ? value.p : NULL, e);
}

static enum err parse_short(struct parser *p, const char *letters, struct error *e)
{
    for (; *letters; letters++) {
        const struct opt *o = find_short(p->cmd, *letters);
        if (!o)
            return USAGE(e, "unknown option -%c", *letters);
        if (o->kind != OPT_FLAG)
            return store_value(p, o, letters[1] ? letters + 1 : NULL, e);
        TRY(store(o, NULL, p->args, e));
    }
    return ERR_OK;
}

static enum err add_positional(struct parser *p, const char *word, struct error *e)
{
    if (p->args->n_positional >= p->cmd->max_args)
        return USAGE(e, p->cmd->subs ? "unknown command \"%s\"" : "superfluous argument \"%s\"",
                     word);
    p->words[p->args->n_positional++] = word; /* never beyond what was read */
    return ERR_OK;
}

static enum err parse_word(struct parser *p, const char *word, bool *no_more, struct error *e)
{
    if (*no_more || word[0] != '-' || word[1] == '\0')
        return add_positional(p, word, e);
    if (word[1] != '-')
        return parse_short(p, word + 1, e);
    if (word[2] != '\0')
        return parse_long(p, word + 2, e);
    *no_more = true;
    p->args->dashes = true;
    p->args->n_before = p->args->n_positional;
    return ERR_OK;
}

enum err opt_parse(const struct command *cmd, const char **words, size_t n_words,
                   struct cli_args *ret, struct error *e)
{
    struct parser p = {.cmd = cmd, .words = words, .n_words = n_words, .args = ret};
    bool no_more = false;
    *ret = (struct cli_args){.positional = words};
    while (p.at < n_words && !ret->help)
        TRY(parse_word(&p, words[p.at++], &no_more, e));
    if (!ret->help && ret->n_positional < cmd->min_args)
        return USAGE(e, "missing argument: %s", cmd->args);
    return ERR_OK;
}
