/* stigmer skill delete REF */
#include "base/sys_proc.h"
#include "cli/json.h"
#include "cli/opt.h"
#include "cli/remote.h"
#include "cli/skill.h"

static bool is_yes(str answer)
{
    answer = str_trim(answer);
    return str_eq_nocase(answer, STR("y")) || str_eq_nocase(answer, STR("yes"));
}

/* Asks the person at the terminal; without one --yes is needed. */
static enum err confirm(struct cli *c, const struct skill_view *v, struct error *e)
{
    char answer[16] = "";
    if (c->args.yes)
        return ERR_OK;
    if (!sys_isatty(fileno(stdin)) || !sys_isatty(fileno(stderr)))
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE,
                    "nobody is there to ask: give --yes to delete");
    term_printf(&c->err, "Delete ");
    skill_print_ref(&c->err, v);
    term_printf(&c->err, "? Its name becomes free, its history is kept. [y/N] ");
    (void)fflush(stderr);
    if (!fgets(answer, sizeof answer, stdin) || !is_yes(str_c(answer)))
        return FAIL(e, ERR_CANCELLED, "delete.declined", "not deleted");
    return ERR_OK;
}

static enum err delete (struct cli *c, struct grpc_client *client, const PB_SKILL(Skill) * skill,
                        PB_SKILL(Skill) * *ret, struct error *e) {
    PB_SKILL(SkillId) id = PB_SKILL_C(SKILL_ID__INIT);
    if (!skill->metadata) return FAIL(e, ERR_DATA_LOSS, "remote.malformed",
                                      "the server's answer has no metadata");
    id.value = skill->metadata->id;
    return remote_call(c, client, REMOTE_COMMAND("delete"), &id.base, &pb_skill(skill__descriptor),
                       ret, e);
}

static enum err run(struct cli *c, struct error *e)
{
    CLEANUP(grpc_client_closep) struct grpc_client *client = NULL;
    CLEANUP(skill_message_freep) PB_SKILL(Skill) *found = NULL;
    CLEANUP(skill_message_freep) PB_SKILL(Skill) *deleted = NULL;
    struct ref ref;
    TRY(skill_ref_arg(c, &ref, e));
    if (ref.version.len)
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE,
                    "a skill is deleted as a whole: leave out \"%.*s\"", STR_ARG(ref.version));
    TRY(remote_open(c, false, &client, e));
    TRY(skill_lookup(c, client, &ref, &found, e));
    struct skill_view v = skill_view_of(found);
    TRY(confirm(c, &v, e));
    TRY(delete (c, client, found, &deleted, e));
    if (c->args.json)
        return json_print(&c->out, json_of_message(&deleted->base), e);
    term_styled(&c->out, TERM_GREEN, "✓");
    term_printf(&c->out, " Deleted ");
    skill_print_ref(&c->out, &v);
    term_printf(&c->out, "\n");
    return ERR_OK;
}

static const struct opt table[] = {
    OPT_ROW_FLAG('y', "yes", yes, "do not ask"),
    OPT_ROW_END,
};
static const struct opt *const options[] = {
    table, opt_table_ref, opt_table_json, opt_table_connect, opt_table_timeout, NULL};

const struct command cmd_skill_delete = {
    .name = "delete",
    .args = "REF",
    .summary = "delete a skill",
    .text = "Takes the skill out of the live set. Its versions stay in the history and their\n"
            "archives stay in the store. Asks first; without a terminal --yes is needed.\n",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .run = run,
};
