/* stigmer agent resolve [REF...] */
#include "base/clock.h"
#include "cli/agent.h"
#include "cli/json.h"
#include "cli/opt.h"
#include "cli/skill.h"

/* --- moves --- */

static void print_version(const struct term *t, const char *label, const struct agent_pin *p)
{
    char hex[SHA256_HEX_LEN + 1], pushed[SKILL_TIME_MAX];
    digest_to_hex(&p->hash, hex);
    skill_format_time(p->pushed_ns / NS_PER_S, pushed);
    term_printf(t, "  %s %s, pushed %s UTC by ", label, hex, pushed);
    term_foreign(t, p->pushed_by.len ? p->pushed_by : STR("nobody known"));
    term_printf(t, "\n");
}

static void print_mover(const struct term *t, const struct agent_move *m)
{
    char moved[SKILL_TIME_MAX];
    if (!m->moved_ns)
        return;
    skill_format_time(m->moved_ns / NS_PER_S, moved);
    term_printf(t, "  moved %s UTC by ", moved);
    term_foreign(t, m->moved_by.len ? m->moved_by : STR("nobody known"));
    term_printf(t, "\n");
}

static void print_moves(const struct agent_session *s)
{
    const struct term *t = &s->c->err;
    for (size_t i = 0; i < s->resolution.n_moves; i++) {
        const struct agent_move *m = &s->resolution.moves[i];
        term_styled(t, TERM_YELLOW, "Moved:");
        term_printf(t, " ");
        term_foreign(t, m->old->reference);
        term_printf(t, m->back ? " went back to an older version\n" : "\n");
        print_version(t, "old", m->old);
        print_version(t, "new", m->new);
        print_mover(t, m);
    }
}

/* --- JSON --- */

static json_t *of_time(int64_t ns)
{
    char text[CLOCK_RFC3339_MAX];
    clock_format_rfc3339(ns, text);
    return ns ? json_string(text) : json_null();
}

static json_t *of_pin(const struct agent_pin *p)
{
    char hex[SHA256_HEX_LEN + 1];
    digest_to_hex(&p->hash, hex);
    return json_pack("{so ss so so so so so so}", "reference", json_of_text(p->reference),
                     "versionHash", hex, "name", json_of_text(p->name), "org", json_of_text(p->org),
                     "slug", json_of_text(p->slug), "tag", json_of_text(p->tag), "pushedAt",
                     of_time(p->pushed_ns), "pushedBy", json_of_text(p->pushed_by));
}

static json_t *of_move(const struct agent_move *m)
{
    return json_pack("{so so so sb so so}", "reference", json_of_text(m->old->reference), "old",
                     of_pin(m->old), "new", of_pin(m->new), "backward", m->back, "movedAt",
                     of_time(m->moved_ns), "movedBy", json_of_text(m->moved_by));
}

static enum err print_json(const struct agent_session *s, const char *lock, struct error *e)
{
    const struct agent_resolution *r = &s->resolution;
    json_t *skills = json_array(), *moves = json_array();
    for (size_t i = 0; i < r->n_pins; i++)
        (void)json_array_append_new(skills, of_pin(&r->pins[i]));
    for (size_t i = 0; i < r->n_moves; i++)
        (void)json_array_append_new(moves, of_move(&r->moves[i]));
    return json_print(&s->c->out,
                      json_pack("{so so so}", "skills", skills, "moves", moves, "lock",
                                json_of_name(str_c(lock))),
                      e);
}

/* --- the command --- */

static void print_text(const struct agent_session *s)
{
    for (size_t i = 0; i < s->resolution.n_pins; i++) {
        const struct agent_pin *p = &s->resolution.pins[i];
        char hex[SHA256_HEX_LEN + 1];
        digest_to_hex(&p->hash, hex);
        term_printf(&s->c->out, "%s  ", hex);
        term_foreign(&s->c->out, p->reference);
        term_printf(&s->c->out, "\n");
    }
}

static enum err run(struct cli *c, struct error *e)
{
    CLEANUP(agent_session_deinit) struct agent_session s = AGENT_SESSION_INIT;
    unsigned flags = AGENT_RESOLVE_UPDATE | (c->args.backward ? AGENT_RESOLVE_BACKWARD : 0);
    enum err err = agent_session_resolve(&s, c, c->args.positional, c->args.n_positional, flags, e);
    print_moves(&s);
    TRY(err);
    if (!c->args.frozen)
        TRY(lockfile_update(s.lock_path, s.resolution.pins, s.resolution.n_pins, e));
    if (c->args.json)
        return print_json(&s, s.lock_path, e);
    print_text(&s);
    return ERR_OK;
}

static const struct opt table[] = {
    OPT_ROW_FLAG(0, "allow-backward", backward, "accept tags that went back to an older version"),
    OPT_ROW_END,
};
static const struct opt *const options[] = {
    table, opt_table_refs, opt_table_json, opt_table_connect, opt_table_timeout, NULL};

const struct command cmd_agent_resolve = {
    .name = "resolve",
    .args = "[REF...]",
    .summary = "find the exact version of each reference and lock it",
    .text =
        "Prints the hash that each REF means, in order, and pins them in skills.lock; without\n"
        "REF all references of the lock file are looked up again. A tag that has moved since is\n"
        "shown with both versions; one that went back to an older version is an error. If one\n"
        "REF cannot be resolved, all that cannot are named and nothing is locked.\n"
        "With --frozen the lock file stays as it is, and its versions are printed.\n",
    .max_args = CLI_ANY_NUMBER,
    .options = options,
    .run = run,
};
