#include "cli/isolated.h"

#include "cli/json.h"
#include "sandbox/sandbox.h"
#include "skillmd/skillmd.h"

#include <stdlib.h>
#include <string.h>

const struct opt opt_table_isolated[] = {
    OPT_ROW_STRING('w', "workspace", workspace, "DIR",
                   "the directory that /workspace is, writable (default: an empty one in memory)"),
    OPT_ROW_LIST('e', "env", env, "NAME[=VALUE]", "a variable for the command; may be repeated"),
    OPT_ROW_LIST('b', "bind", binds, "SRC[:DST][:rw]",
                 "show a file or directory of the host, read-only without rw; may be repeated"),
    OPT_ROW_FLAG(0, "net", net, "with the host's network, its loopback included"),
    OPT_ROW_FLAG(0, "best-effort", best_effort,
                 "run also where a limit cannot be enforced, and say which"),
    OPT_ROW_NUMBER(0, "time", time_limit_s, "SECONDS", 1, 86400,
                   "end it after that (default: 300)"),
    OPT_ROW_STRING(0, "memory", memory, "SIZE", "of all its processes (default: 1G)"),
    OPT_ROW_NUMBER(0, "processes", processes, "N", 1, 10000, "and threads at once (default: 64)"),
    OPT_ROW_STRING(0, "file-size", file_size, "SIZE", "of any file it writes (default: 256M)"),
    OPT_ROW_STRING(0, "disk", disk, "SIZE",
                   "of each directory in memory, and that DIR may hold (default: 256M)"),
    OPT_ROW_STRING(0, "output", output, "SIZE", "of what it prints on each stream (default: 16M)"),
    OPT_ROW_END,
};

const char isolated_text[] =
    "The command starts in /workspace and finds the skills below /bin/skills/HASH/, read-only and\n"
    "first in its PATH. It sees nothing of the host but /usr: no files, no processes, no network,\n"
    "no variables, unless --workspace, --bind, --net and --env give them. It has no capabilities,\n"
    "and every process is gone at the end. What could not be enforced is an error that names it.\n"
    "With --json the result is one object on standard output: exitCode, durationMs, peakMemory,\n"
    "stdout and stderr (bytes, truncated, text), denied (the limits it ran into), skills.\n";

const char isolated_exit_codes[] =
    "the command's own, 128+N when signal N ended it; 124 its time was over, 125 it was not\n"
    "started, 2 usage";

struct isolated {
    struct agent_session session;
    struct sandbox sandbox;
    struct sandbox_result result;
    struct sandbox_skill *skills;
    struct sandbox_bind binds[CLI_LIST_MAX];
    const char *env[CLI_LIST_MAX];
    struct skillmd_report *reports; /* one a skill */
    struct buf captured[2];         /* with --json */
    struct arena arena;
    char place[SYS_PATH_MAX], workspace[SYS_PATH_MAX];
};

static void isolated_deinit(struct isolated *x)
{
    agent_session_deinit(&x->session);
    buf_deinit(&x->captured[0]);
    buf_deinit(&x->captured[1]);
    arena_deinit(&x->arena);
}

/* --- options ---------------------------------------------------------------------------------- */

static enum err read_size(const char *name, const char *given, uint64_t *to, struct error *e)
{
    if (!given || (size_parse(str_c(given), to) && *to > 0))
        return ERR_OK;
    return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE,
                "--%s needs a size: a number, perhaps with K, M, G or T, not \"%s\"", name, given);
}

static enum err read_limits(const struct cli_args *args, struct sandbox_limits *l, struct error *e)
{
    *l = sandbox_limits_default;
    if (args->time_limit_s)
        l->time_ms = args->time_limit_s * 1000;
    if (args->processes)
        l->processes = args->processes;
    TRY(read_size("memory", args->memory, &l->memory, e));
    TRY(read_size("file-size", args->file_size, &l->file_size, e));
    TRY(read_size("disk", args->disk, &l->disk, e));
    return read_size("output", args->output, &l->output, e);
}

static enum err copy_text(struct isolated *x, str text, const char **ret, struct error *e)
{
    *ret = arena_dup_c(&x->arena, text);
    return *ret ? ERR_OK : FAIL_NOMEM(e);
}

/* NAME=VALUE, or NAME for the value that this process has. */
static enum err read_variable(struct isolated *x, const char *given, const char **ret,
                              struct error *e)
{
    const char *value = strchr(given, '=') ? NULL : getenv(given);
    *ret = given;
    if (strchr(given, '='))
        return ERR_OK;
    if (!value)
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE, "--env %s: there is no such variable",
                    given);
    *ret = arena_printf(&x->arena, "%s=%s", given, value);
    return *ret ? ERR_OK : FAIL_NOMEM(e);
}

/* SRC[:DST][:rw|:ro]. */
static enum err read_bind(struct isolated *x, const char *given, struct sandbox_bind *ret,
                          struct error *e)
{
    char real[SYS_PATH_MAX];
    const char *path;
    str source, target, mode = STR_NULL;
    bool two = str_cut(str_c(given), ':', &source, &target);
    if (two && !str_cut(target, ':', &target, &mode) &&
        (str_eq(target, STR("rw")) || str_eq(target, STR("ro")))) {
        mode = target;
        target = STR_NULL;
    }
    bool writable = str_eq(mode, STR("rw"));
    if (mode.len && !writable && !str_eq(mode, STR("ro")))
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE, "--bind takes SRC[:DST][:rw], not \"%s\"",
                    given);
    TRY(copy_text(x, source, &path, e));
    if (sys_realpath(path, real, e) != ERR_OK)
        return err_wrap(e, "--bind %s", given);
    TRY(copy_text(x, str_c(real), &ret->source, e));
    ret->writable = writable;
    return copy_text(x, two && target.len ? target : str_c(real), &ret->target, e);
}

static enum err read_options(struct isolated *x, const struct cli_args *args, struct error *e)
{
    struct sandbox *s = &x->sandbox;
    TRY(read_limits(args, &s->limits, e));
    for (; s->n_env < args->env.n; s->n_env++)
        TRY(read_variable(x, args->env.items[s->n_env], &x->env[s->n_env], e));
    for (; s->n_binds < args->binds.n; s->n_binds++)
        TRY(read_bind(x, args->binds.items[s->n_binds], &x->binds[s->n_binds], e));
    s->env = x->env;
    s->binds = x->binds;
    s->network = args->net;
    s->best_effort = args->best_effort;
    if (!args->workspace)
        return ERR_OK;
    if (sys_realpath(args->workspace, x->workspace, e) != ERR_OK)
        return err_wrap(e, "the workspace %s cannot be used", args->workspace);
    s->workspace = x->workspace;
    return ERR_OK;
}

static enum err read_command(struct isolated *x, const struct cli *c, struct error *e)
{
    const struct cli_args *args = &c->args;
    size_t n = args->n_positional - args->n_before;
    if (!args->dashes || n == 0)
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE,
                    "give the command behind \"--\": stigmer agent %s REF -- CMD",
                    c->command->name);
    char **argv = arena_calloc(&x->arena, n + 1, sizeof *argv);
    if (!argv)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++)
        argv[i] = (char *)(uintptr_t)args->positional[args->n_before + i]; /* never written */
    x->sandbox.argv = argv;
    return ERR_OK;
}

/* --- skills ----------------------------------------------------------------------------------- */

static enum err read_needs(struct isolated *x, size_t i, struct error *e)
{
    CLEANUP(buf_deinit) struct buf text;
    buf_init(&text, SKILLMD_MAX);
    TRY(agent_skill_text(&x->session.skills[i], &text, e));
    return skillmd_check(buf_view(&text), &x->arena, &x->reports[i], e);
}

static enum err take_skills(struct isolated *x, struct error *e)
{
    const struct agent_session *s = &x->session;
    x->skills = arena_calloc(&x->arena, s->n_skills + 1, sizeof *x->skills);
    x->reports = arena_calloc(&x->arena, s->n_skills + 1, sizeof *x->reports);
    if (!x->skills || !x->reports)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < s->n_skills; i++) {
        x->skills[i] = (struct sandbox_skill){s->skills[i].path, s->skills[i].hex};
        TRY(read_needs(x, i, e));
    }
    x->sandbox.skills = x->skills;
    x->sandbox.n_skills = s->n_skills;
    return ERR_OK;
}

static void show_line(const struct term *t, str reference, const char *what, str text)
{
    if (text.len == 0)
        return;
    term_foreign(t, reference);
    term_printf(t, " %s ", what);
    term_foreign(t, text);
    term_printf(t, "\n");
}

/* What the skills say that they use, before anything runs. */
static void show_needs(const struct isolated *x, const struct term *t)
{
    const struct agent_session *s = &x->session;
    for (size_t i = 0; i < s->resolution.n_pins; i++) {
        const struct frontmatter *front = &x->reports[s->skill_of[i]].front;
        show_line(t, s->resolution.pins[i].reference, "uses the tools", front->allowed_tools);
        show_line(t, s->resolution.pins[i].reference, "is for:", front->compatibility);
    }
}

/* --- output ----------------------------------------------------------------------------------- */

/* On a terminal escaped: what a skill prints must not move its cursor or answer its questions. */
static enum err pass_on(void *ctx, enum sandbox_stream stream, str bytes, struct error *e)
{
    const struct cli *c = ctx;
    const struct term *t = stream == SANDBOX_OUT ? &c->out : &c->err;
    if (t->tty)
        term_foreign_lines(t, bytes);
    else
        term_raw(t, bytes);
    return term_flush(t, e);
}

static enum err capture(void *ctx, enum sandbox_stream stream, str bytes, struct error *e)
{
    struct isolated *x = ctx;
    buf_add(&x->captured[stream], bytes);
    return buf_status(&x->captured[stream], e);
}

static json_t *of_bits(unsigned bits, const char *(*name_of)(unsigned bit))
{
    json_t *list = json_array();
    for (unsigned bit = 1; name_of(bit); bit <<= 1)
        if (bits & bit)
            (void)json_array_append_new(list, json_string(name_of(bit)));
    return list;
}

static json_t *of_stream(const struct isolated *x, enum sandbox_stream stream)
{
    uint64_t written = x->result.written[stream];
    return json_pack("{sI sb so}", "bytes", (json_int_t)written, "truncated",
                     written > x->captured[stream].len, "text",
                     json_of_text(buf_view(&x->captured[stream])));
}

static json_t *of_skills(const struct isolated *x)
{
    const struct agent_session *s = &x->session;
    json_t *list = json_array();
    for (size_t i = 0; i < s->resolution.n_pins; i++) {
        const char *hex = s->skills[s->skill_of[i]].hex;
        const struct frontmatter *front = &x->reports[s->skill_of[i]].front;
        (void)json_array_append_new(
            list, json_pack("{so ss ss++ so so}", "reference",
                            json_of_text(s->resolution.pins[i].reference), "versionHash", hex,
                            "location", SANDBOX_SKILLS "/", hex, "/", "allowedTools",
                            json_of_text(front->allowed_tools), "compatibility",
                            json_of_text(front->compatibility)));
    }
    return list;
}

static enum err print_result(const struct isolated *x, const struct cli *c, struct error *e)
{
    const struct sandbox_result *r = &x->result;
    return json_print(&c->out,
                      json_pack("{si sI sI so so so so so}", "exitCode", c->exit_code, "durationMs",
                                (json_int_t)(r->duration_ns / NS_PER_MS), "peakMemory",
                                (json_int_t)r->peak_memory, "stdout", of_stream(x, SANDBOX_OUT),
                                "stderr", of_stream(x, SANDBOX_ERR), "denied",
                                of_bits(r->denied, sandbox_denial_name), "notEnforced",
                                of_bits(r->gaps, sandbox_gap_name), "skills", of_skills(x)),
                      e);
}

static void say(const struct cli *c, const char *what, unsigned bits,
                const char *(*name_of)(unsigned bit))
{
    for (unsigned bit = 1; name_of(bit); bit <<= 1)
        if (bits & bit)
            term_printf(&c->err, "stigmer: %s: %s\n", what, name_of(bit));
}

static enum err report(const struct isolated *x, struct cli *c, struct error *e)
{
    const struct sandbox_result *r = &x->result;
    c->exit_code = r->exit_code;
    if (r->denied & SANDBOX_DENIED_TIME)
        c->exit_code = ISOLATED_EXIT_TIME;
    if (r->signal)
        c->exit_code = 128 + r->signal;
    if (c->args.json)
        return print_result(x, c, e);
    say(c, "the command ran into its limit", r->denied, sandbox_denial_name);
    say(c, "not enforced", r->gaps, sandbox_gap_name);
    return ERR_OK;
}

/* --- all of it -------------------------------------------------------------------------------- */

static enum err prepare(struct isolated *x, struct cli *c, struct error *e)
{
    TRY(read_command(x, c, e));
    TRY(read_options(x, &c->args, e));
    TRY(agent_session_resolve(&x->session, c, c->args.positional, c->args.n_before,
                              AGENT_RESOLVE_NAMELESS, e));
    TRY(agent_session_fetch(&x->session, e));
    TRY(take_skills(x, e));
    return sandbox_place(x->session.cache.fd, x->session.cache.path, x->place, sizeof x->place, e);
}

enum err isolated_run(struct cli *c, struct error *e)
{
    CLEANUP(isolated_deinit) struct isolated x = {.session = AGENT_SESSION_INIT};
    arena_init(&x.arena, MIB(64));
    buf_init(&x.captured[0], SIZE_MAX / 2);
    buf_init(&x.captured[1], SIZE_MAX / 2);
    TRY(prepare(&x, c, e));
    x.sandbox.place = x.place;
    x.sandbox.write = c->args.json ? capture : pass_on;
    x.sandbox.ctx = c->args.json ? (void *)&x : (void *)c;
    x.sandbox.to[SANDBOX_OUT] = c->args.json ? -1 : fileno(c->out.f);
    x.sandbox.to[SANDBOX_ERR] = c->args.json ? -1 : fileno(c->err.f);
    if (!c->args.json)
        show_needs(&x, &c->err);
    TRY(sandbox_run(&x.sandbox, &x.result, e));
    return report(&x, c, e);
}
