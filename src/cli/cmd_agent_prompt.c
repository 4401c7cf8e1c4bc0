/* stigmer agent prompt [REF...] */
#include "agent/prompt.h"
#include "cli/agent.h"
#include "cli/json.h"
#include "cli/opt.h"

#include <stdlib.h>

enum { LARGEST_NAMED = 5 };

struct prompt {
    struct agent_session session;
    struct buf *texts; /* one a version, NUL after it not counted */
    struct prompt_skill *skills;
    size_t *pin_of; /* skill of the prompt -> its reference */
    uint64_t *tokens;
    size_t n; /* of skills, pin_of and tokens */
    struct buf section;
};

static void prompt_deinit(struct prompt *p)
{
    for (size_t i = 0; p->texts && i < p->session.n_skills; i++)
        buf_deinit(&p->texts[i]);
    free(p->texts);
    free(p->skills);
    free(p->pin_of);
    free(p->tokens);
    buf_deinit(&p->section);
    agent_session_deinit(&p->session);
}

static enum err read_texts(struct prompt *p, struct error *e)
{
    struct agent_session *s = &p->session;
    p->texts = calloc(s->n_skills + 1, sizeof *p->texts);
    if (!p->texts)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < s->n_skills; i++) {
        buf_init(&p->texts[i], MIB(2));
        TRY(agent_skill_text(&s->skills[i], &p->texts[i], e));
    }
    return ERR_OK;
}

static bool is_there(const struct prompt *p, const struct prompt_skill *skill)
{
    for (size_t i = 0; i < p->n; i++)
        if (str_eq(p->skills[i].name, skill->name) && str_eq(p->skills[i].hash, skill->hash))
            return true;
    return false;
}

/* Two references to one version under one name are one skill. */
static enum err list_skills(struct prompt *p, struct error *e)
{
    struct agent_session *s = &p->session;
    size_t n = s->resolution.n_pins;
    const char *root = s->c->args.root ? s->c->args.root : "";
    p->skills = calloc(n + 1, sizeof *p->skills);
    p->pin_of = calloc(n + 1, sizeof *p->pin_of);
    p->tokens = calloc(n + 1, sizeof *p->tokens);
    if (!p->skills || !p->pin_of || !p->tokens)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++) {
        size_t at = s->skill_of[i];
        struct prompt_skill skill = {.name = s->resolution.pins[i].name,
                                     .hash = str_c(s->skills[at].hex),
                                     .root = root,
                                     .text = buf_view(&p->texts[at])};
        if (is_there(p, &skill))
            continue;
        p->pin_of[p->n] = i;
        p->skills[p->n++] = skill;
    }
    return ERR_OK;
}

static enum err count_tokens(struct prompt *p, struct error *e)
{
    CLEANUP(buf_deinit) struct buf part;
    buf_init(&part, MIB(4));
    for (size_t i = 0; i < p->n; i++) {
        buf_clear(&part);
        prompt_add_skill(&part, &p->skills[i]);
        TRY(buf_status(&part, e));
        p->tokens[i] = prompt_tokens(buf_view(&part));
    }
    return ERR_OK;
}

/* --- the budget --- */

static void add_largest(struct prompt *p)
{
    struct buf *hint = &p->session.c->hint;
    for (unsigned k = 0; k < LARGEST_NAMED && k < p->n; k++) {
        size_t largest = 0;
        for (size_t i = 1; i < p->n; i++)
            if (p->tokens[i] > p->tokens[largest])
                largest = i;
        buf_addf(hint, "%10llu tokens  ", (unsigned long long)p->tokens[largest]);
        text_add_safe(hint, p->session.resolution.pins[p->pin_of[largest]].reference, "");
        buf_add_char(hint, '\n');
        p->tokens[largest] = 0;
    }
}

static enum err check_budget(struct prompt *p, struct error *e)
{
    uint64_t budget = p->session.c->args.budget, needed = prompt_tokens(buf_view(&p->section));
    if (budget == 0 || needed <= budget)
        return ERR_OK;
    add_largest(p);
    return FAIL(
        e, ERR_RESOURCE_EXHAUSTED, "prompt.budget",
        "the skills need about %llu tokens, %llu more than the budget of %llu; the largest:",
        (unsigned long long)needed, (unsigned long long)(needed - budget),
        (unsigned long long)budget);
}

/* --- output --- */

static json_t *of_skill(const struct prompt *p, size_t i)
{
    CLEANUP(buf_deinit) struct buf location;
    const struct agent_pin *pin = &p->session.resolution.pins[p->pin_of[i]];
    buf_init(&location, KIB(8));
    prompt_add_location(&location, &p->skills[i]);
    return json_pack("{so so so so so so sI}", "reference", json_of_text(pin->reference), "name",
                     json_of_text(pin->name), "versionHash", json_of_text(p->skills[i].hash),
                     "location", json_of_name(buf_view(&location)), "skillMd",
                     json_of_text(p->skills[i].text), "org", json_of_text(pin->org), "tokens",
                     (json_int_t)p->tokens[i]);
}

static enum err print_json(const struct prompt *p, struct error *e)
{
    json_t *skills = json_array();
    for (size_t i = 0; i < p->n; i++)
        (void)json_array_append_new(skills, of_skill(p, i));
    return json_print(&p->session.c->out,
                      json_pack("{so so sI}", "skills", skills, "prompt",
                                json_of_text(buf_view(&p->section)), "tokens",
                                (json_int_t)prompt_tokens(buf_view(&p->section))),
                      e);
}

static enum err choose_format(const struct cli *c, bool *ret_json, struct error *e)
{
    str format = c->args.format ? str_c(c->args.format) : STR("text");
    *ret_json = c->args.json || str_eq(format, STR("json"));
    if (str_eq(format, STR("text")) || str_eq(format, STR("json")))
        return ERR_OK;
    return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE, "--format is text or json, not \"%s\"",
                c->args.format);
}

static enum err make(struct prompt *p, struct cli *c, struct error *e)
{
    TRY(agent_session_resolve(&p->session, c, c->args.positional, c->args.n_positional, 0, e));
    TRY(agent_session_fetch(&p->session, e));
    TRY(read_texts(p, e));
    TRY(list_skills(p, e));
    TRY(count_tokens(p, e));
    prompt_add_section(&p->section, p->skills, p->n);
    TRY(buf_status(&p->section, e));
    return check_budget(p, e);
}

static enum err run(struct cli *c, struct error *e)
{
    CLEANUP(prompt_deinit) struct prompt p = {.session = AGENT_SESSION_INIT};
    bool json;
    buf_init(&p.section, PROMPT_MAX);
    TRY(choose_format(c, &json, e));
    TRY(make(&p, c, e));
    if (json)
        return print_json(&p, e);
    /* A person sees it escaped where it must be, a program gets the bytes. */
    if (c->out.tty)
        term_foreign_lines(&c->out, buf_view(&p.section));
    else
        term_raw(&c->out, buf_view(&p.section));
    return ERR_OK;
}

static const struct opt table[] = {
    OPT_ROW_STRING('r', "root", root, "DIR",
                   "the skills are below DIR, as `mount --root DIR` puts them (default: /)"),
    OPT_ROW_STRING(0, "format", format, "FORMAT", "text (default) or json"),
    OPT_ROW_NUMBER(0, "budget", budget, "TOKENS", 1, 1000000000,
                   "fail when it is more, naming the largest skills"),
    OPT_ROW_END,
};
static const struct opt *const options[] = {
    table, opt_table_refs, opt_table_json, opt_table_connect, opt_table_timeout, NULL};

const struct command cmd_agent_prompt = {
    .name = "prompt",
    .args = "[REF...]",
    .summary = "print what the agent's system prompt says about its skills",
    .text =
        "Prints the section \"Available Skills\": each skill's name, LOCATION and SKILL.md, from\n"
        "the verified files. LOCATION is /bin/skills/HASH/, where the sandbox has the skill;\n"
        "with --root it is where `mount` put it. Tokens are estimated: a quarter of the ASCII\n"
        "characters, plus one for each other character.\n",
    .max_args = CLI_ANY_NUMBER,
    .options = options,
    .run = run,
};
