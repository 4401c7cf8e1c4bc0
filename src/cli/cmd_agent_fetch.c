/* stigmer agent fetch [REF...] */
#include "cli/agent.h"
#include "cli/json.h"
#include "cli/opt.h"

static json_t *of_skill(const struct agent_session *s, size_t i)
{
    const struct agent_skill *skill = &s->skills[s->skill_of[i]];
    return json_pack("{so ss so sI sI}", "reference", json_of_text(s->resolution.pins[i].reference),
                     "versionHash", skill->hex, "path", json_of_name(str_c(skill->path)), "entries",
                     (json_int_t)skill->manifest.n_entries, "size",
                     (json_int_t)skill->manifest.size);
}

static enum err print_json(const struct agent_session *s, struct error *e)
{
    json_t *skills = json_array();
    for (size_t i = 0; i < s->resolution.n_pins; i++)
        (void)json_array_append_new(skills, of_skill(s, i));
    return json_print(
        &s->c->out, json_pack("{so sI}", "skills", skills, "downloads", (json_int_t)s->n_downloads),
        e);
}

static enum err run(struct cli *c, struct error *e)
{
    CLEANUP(agent_session_deinit) struct agent_session s = AGENT_SESSION_INIT;
    TRY(agent_session_resolve(&s, c, c->args.positional, c->args.n_positional,
                              AGENT_RESOLVE_NAMELESS, e));
    TRY(agent_session_fetch(&s, e));
    if (c->args.json)
        return print_json(&s, e);
    for (size_t i = 0; i < s.resolution.n_pins; i++) {
        term_foreign(&c->out, str_c(s.skills[s.skill_of[i]].path));
        term_printf(&c->out, "\n");
    }
    return ERR_OK;
}

static const struct opt *const options[] = {opt_table_refs, opt_table_json, opt_table_connect,
                                            opt_table_timeout, NULL};

const struct command cmd_agent_fetch = {
    .name = "fetch",
    .args = "[REF...]",
    .summary = "make skills be in the cache, verified",
    .text =
        "Prints the directory of each skill in the cache, in order. What is not there is\n"
        "downloaded, its bytes checked against the hash, audited and unpacked; what is there is\n"
        "compared with its manifest, file by file. Cached versions need no server.\n",
    .max_args = CLI_ANY_NUMBER,
    .options = options,
    .run = run,
};
