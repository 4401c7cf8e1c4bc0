/* stigmer skill tag REF NEW_TAG */
#include "cli/json.h"
#include "cli/opt.h"
#include "cli/remote.h"
#include "cli/skill.h"

static enum err move_tag(struct cli *c, const struct ref *ref, const char *tag,
                         PB_SKILL(Skill) * *ret, struct error *e)
{
    CLEANUP(grpc_client_closep) struct grpc_client *client = NULL;
    char text[SKILL_REF_TEXT];
    PB_RES(ApiResourceReference) w = skill_wire_ref(ref, text);
    PB_SKILL(MoveTagRequest) r = PB_SKILL_C(MOVE_TAG_REQUEST__INIT);
    r.reference = &w;
    r.tag = (char *)(uintptr_t)tag;
    TRY(remote_open(c, false, &client, e));
    return remote_call(c, client, REMOTE_COMMAND("moveTag"), &r.base, &pb_skill(skill__descriptor),
                       ret, e);
}

static enum err run(struct cli *c, struct error *e)
{
    CLEANUP(skill_message_freep) PB_SKILL(Skill) *skill = NULL;
    const char *tag = c->args.positional[1];
    struct ref ref;
    TRY(skill_ref_arg(c, &ref, e));
    TRY(ref_check_tag(str_c(tag), e));
    TRY(move_tag(c, &ref, tag, &skill, e));
    if (c->args.json)
        return json_print(&c->out, json_of_message(&skill->base), e);
    struct skill_view v = skill_view_of(skill);
    term_styled(&c->out, TERM_GREEN, "✓");
    term_printf(&c->out, " ");
    skill_print_ref(&c->out, &v);
    term_printf(&c->out, ":%s is now ", tag);
    term_foreign(&c->out, v.hash);
    term_printf(&c->out, "\n");
    return ERR_OK;
}

static const struct opt *const options[] = {opt_table_ref, opt_table_json, opt_table_connect,
                                            opt_table_timeout, NULL};

const struct command cmd_skill_tag = {
    .name = "tag",
    .args = "REF NEW_TAG",
    .summary = "point a tag at a version",
    .text = "Points NEW_TAG at the version that REF names, without sending its archive again. The\n"
            "tag \"latest\" cannot be moved: it follows the last push.\n",
    .min_args = 2,
    .max_args = 2,
    .options = options,
    .run = run,
};
