/* stigmer skill list */
#include "cli/listing.h"
#include "cli/opt.h"
#include "cli/remote.h"
#include "cli/skill.h"

enum { HASH_SHOWN = 12 };

static void add_row(struct table *t, const ProtobufCMessage *item)
{
    char updated[SKILL_TIME_MAX];
    struct skill_view v = skill_view_of((const PB_SKILL(Skill) *)item);
    CLEANUP(buf_deinit) struct buf ref;
    buf_init(&ref, KIB(64));
    skill_add_ref(&ref, &v);
    skill_format_time(v.updated_s, updated);
    table_add(t, buf_view(&ref));
    table_add(t, v.tag);
    table_add(t, str_head(v.hash, HASH_SHOWN));
    table_add(t, str_c(updated));
    table_add(t, v.name);
}

static enum err fetch_page(struct listing *l, struct grpc_client *client, void *ctx,
                           struct error *e)
{
    (void)ctx;
    const char *org = l->c->args.org;
    PB_RES(FindApiResourcesRequest) r = PB_RES_C(FIND_API_RESOURCES_REQUEST__INIT);
    PB_SKILL(SkillList) *page = NULL;
    char kind[] = "Skill";
    r.org = org ? (char *)(uintptr_t)org : r.org;
    r.kind = kind;
    r.page_size = listing_page_size(l);
    r.page_token = l->next_token;
    TRY(remote_call(l->c, client, REMOTE_QUERY("findAll"), &r.base,
                    &pb_skill(skill_list__descriptor), &page, e));
    enum err err = listing_add(l, (ProtobufCMessage **)page->items, page->n_items, add_row,
                               page->next_page_token, page->total, e);
    protobuf_c_message_free_unpacked(&page->base, NULL);
    return err;
}

static enum err run(struct cli *c, struct error *e)
{
    static const char *const heads[] = {"SKILL", "TAG", "VERSION", "UPDATED (UTC)", "NAME", NULL};
    CLEANUP(listing_deinit) struct listing l;
    TRY(listing_init(&l, c, heads, e));
    TRY(listing_fetch(&l, fetch_page, NULL, e));
    return listing_print(&l, "skills", e);
}

static const struct opt table[] = {
    OPT_ROW_STRING('o', "org", org, "ORG", "only skills of this organization"),
    OPT_ROW_END,
};
static const struct opt *const options[] = {
    table, opt_table_page, opt_table_json, opt_table_connect, opt_table_timeout, NULL};

const struct command cmd_skill_list = {
    .name = "list",
    .summary = "list the skills",
    .text = "Lists live skills in a stable order, with the version that is current.\n",
    .options = options,
    .run = run,
};
