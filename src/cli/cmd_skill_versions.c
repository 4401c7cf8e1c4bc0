/* stigmer skill versions REF */
#include "cli/listing.h"
#include "cli/opt.h"
#include "cli/remote.h"
#include "cli/skill.h"

enum { NUMBER_TEXT_MAX = 24 };

static void add_tags(struct table *t, const PB_SKILL(SkillVersion) * v)
{
    CLEANUP(buf_deinit) struct buf tags;
    buf_init(&tags, MIB(1));
    for (size_t i = 0; i < v->n_tags; i++) {
        buf_add_c(&tags, i ? "," : "");
        buf_add_c(&tags, v->tags[i]);
    }
    table_add(t, tags.len ? buf_view(&tags) : STR("-"));
}

static void add_row(struct table *t, const ProtobufCMessage *item)
{
    const PB_SKILL(SkillVersion) *v = (const PB_SKILL(SkillVersion) *)item;
    char number[NUMBER_TEXT_MAX], size[SIZE_TEXT_MAX], pushed[SKILL_TIME_MAX];
    (void)snprintf(number, sizeof number, "%lld", (long long)v->number);
    size_format((uint64_t)MAX(v->size, 0), size);
    skill_format_time(v->updated_at ? v->updated_at->seconds : 0, pushed);
    table_add(t, str_c(number));
    table_add(t, str_c(v->version_hash));
    add_tags(t, v);
    table_add(t, str_c(size));
    table_add(t, str_c(pushed));
    table_add(t, v->current ? STR("current") : v->deleted ? STR("deleted") : STR("-"));
}

static enum err fetch_page(struct listing *l, struct grpc_client *client, void *ctx,
                           struct error *e)
{
    char text[SKILL_REF_TEXT];
    PB_RES(ApiResourceReference) w = skill_wire_ref(ctx, text);
    PB_SKILL(ListSkillVersionsRequest) r = PB_SKILL_C(LIST_SKILL_VERSIONS_REQUEST__INIT);
    PB_SKILL(SkillVersionList) *page = NULL;
    r.reference = &w;
    r.page_size = listing_page_size(l);
    r.page_token = l->next_token;
    r.include_deleted = l->c->args.deleted;
    TRY(remote_call(l->c, client, REMOTE_QUERY("listVersions"), &r.base,
                    &pb_skill(skill_version_list__descriptor), &page, e));
    enum err err = listing_add(l, (ProtobufCMessage **)page->items, page->n_items, add_row,
                               page->next_page_token, page->total, e);
    protobuf_c_message_free_unpacked(&page->base, NULL);
    return err;
}

static enum err run(struct cli *c, struct error *e)
{
    static const char *const heads[] = {"NO",           "VERSION HASH", "TAGS", "SIZE",
                                        "PUSHED (UTC)", "STATE",        NULL};
    struct ref ref;
    CLEANUP(listing_deinit) struct listing l = {0};
    TRY(skill_ref_arg(c, &ref, e));
    if (ref.version.len)
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE,
                    "all versions are listed: leave out \"%.*s\"", STR_ARG(ref.version));
    TRY(listing_init(&l, c, heads, e));
    TRY(listing_fetch(&l, fetch_page, &ref, e));
    return listing_print(&l, "versions", e);
}

static const struct opt table[] = {
    OPT_ROW_FLAG('d', "deleted", deleted, "also versions from before the skill was deleted"),
    OPT_ROW_END,
};
static const struct opt *const options[] = {
    table, opt_table_ref, opt_table_page, opt_table_json, opt_table_connect, opt_table_timeout,
    NULL};

const struct command cmd_skill_versions = {
    .name = "versions",
    .args = "REF",
    .summary = "list the versions of a skill",
    .text = "Lists the versions of a skill, newest first, with the tags that point at each.\n",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .run = run,
};
