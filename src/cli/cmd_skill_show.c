/* stigmer skill show REF */
#include "cli/json.h"
#include "cli/opt.h"
#include "cli/remote.h"
#include "cli/skill.h"

/* A pipe or a file gets the text as it is; a terminal nothing that it would obey. CR LF ends a
 * line as LF does. */
static void print_text(const struct term *t, str text)
{
    str line;
    if (!t->tty) {
        term_raw(t, text);
        return;
    }
    while (str_cut(text, '\n', &line, &text)) {
        if (str_ends_with(line, STR("\r")))
            line.len--;
        term_foreign_lines(t, line);
        term_printf(t, "\n");
    }
    term_foreign_lines(t, line);
    if (line.len)
        term_printf(t, "\n");
}

static enum err run(struct cli *c, struct error *e)
{
    CLEANUP(grpc_client_closep) struct grpc_client *client = NULL;
    CLEANUP(skill_message_freep) PB_SKILL(Skill) *skill = NULL;
    struct ref ref;
    TRY(skill_open(c, &client, &ref, &skill, e));
    struct skill_view v = skill_view_of(skill);
    if (c->args.json)
        return json_print(&c->out,
                          json_pack("{so so}", "versionHash", json_of_text(v.hash), "skillMd",
                                    json_of_text(v.skill_md)),
                          e);
    print_text(&c->out, v.skill_md);
    return ERR_OK;
}

static const struct opt *const options[] = {opt_table_ref, opt_table_json, opt_table_connect,
                                            opt_table_timeout, NULL};

const struct command cmd_skill_show = {
    .name = "show",
    .args = "REF",
    .summary = "print the SKILL.md of a version",
    .text = "Prints the SKILL.md of the version that REF names: [@ORG/]SLUG[:TAG|@HASH]. Into a\n"
            "file or pipe byte for byte; on a terminal with control characters made visible.\n",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .run = run,
};
