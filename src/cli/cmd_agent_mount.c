/* stigmer agent mount --root DIR [REF...] */
#include "agent/mount.h"
#include "cli/agent.h"
#include "cli/json.h"
#include "cli/opt.h"

struct mounting {
    struct agent_session session;
    struct agent_mount_place place;
    json_t *list; /* NULL without --json */
};

static void mounting_deinit(struct mounting *m)
{
    agent_mount_close(&m->place);
    agent_session_deinit(&m->session);
    json_decref(m->list);
}

static enum err add(struct mounting *m, size_t i, enum agent_mount_kind kind, struct error *e)
{
    CLEANUP(buf_deinit) struct buf path;
    const struct agent_session *s = &m->session;
    const struct agent_skill *skill = &s->skills[s->skill_of[i]];
    buf_init(&path, KIB(8));
    buf_addf(&path, "%s/" AGENT_SKILLS_DIR "/%s", s->c->args.root, skill->hex);
    TRY(buf_status(&path, e));
    if (!m->list) {
        term_foreign(&s->c->out, buf_view(&path));
        term_printf(&s->c->out, "\n");
        return ERR_OK;
    }
    json_t *j =
        json_pack("{so ss so ss}", "reference", json_of_text(s->resolution.pins[i].reference),
                  "versionHash", skill->hex, "path", json_of_name(buf_view(&path)), "kind",
                  kind == AGENT_MOUNT_BIND ? "bind" : "copy");
    return json_array_append_new(m->list, j) == 0 ? ERR_OK : FAIL_NOMEM(e);
}

static enum err mount_all(struct mounting *m, struct error *e)
{
    struct agent_session *s = &m->session;
    enum agent_mount_kind kind;
    for (size_t i = 0; i < s->resolution.n_pins; i++) {
        TRY(agent_mount(&m->place, &s->skills[s->skill_of[i]], s->c->args.copy, &kind, e));
        TRY(add(m, i, kind, e));
    }
    return m->list ? json_print(&s->c->out, json_incref(m->list), e) : ERR_OK;
}

static enum err run(struct cli *c, struct error *e)
{
    CLEANUP(mounting_deinit)
    struct mounting m = {.session = AGENT_SESSION_INIT, .place = AGENT_MOUNT_PLACE_INIT};
    if (!c->args.root)
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE, "--root DIR is needed");
    if (c->args.json)
        m.list = json_array();
    TRY(agent_session_resolve(&m.session, c, c->args.positional, c->args.n_positional,
                              AGENT_RESOLVE_NAMELESS, e));
    TRY(agent_session_fetch(&m.session, e));
    TRY(agent_mount_open(c->args.root, &m.place, e));
    return mount_all(&m, e);
}

static const struct opt table[] = {
    OPT_ROW_STRING('r', "root", root, "DIR", "the agent's root directory; needed"),
    OPT_ROW_FLAG(0, "copy", copy, "copy even where a bind mount is possible"),
    OPT_ROW_END,
};
static const struct opt *const options[] = {
    table, opt_table_refs, opt_table_json, opt_table_connect, opt_table_timeout, NULL};

const struct command cmd_agent_mount = {
    .name = "mount",
    .args = "[REF...]",
    .summary = "put skills below an agent's root directory, read-only",
    .text = "Gives DIR/bin/skills/HASH for each skill, in order, and prints it: a read-only bind\n"
            "mount where this process may mount, else a copy without write bits. Several versions\n"
            "of one skill can be there side by side. What is there already is verified.\n",
    .max_args = CLI_ANY_NUMBER,
    .options = options,
    .run = run,
};
