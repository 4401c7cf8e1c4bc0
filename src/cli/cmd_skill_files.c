/* stigmer skill files REF */
#include "cli/listing.h"
#include "cli/opt.h"
#include "cli/remote.h"
#include "cli/skill.h"
#include "zip/zip.h"

#include <stdlib.h>

enum { PAGE = 1000, HASH_SHOWN = 12, MODE_TEXT_MAX = 16 };

struct manifest {
    struct ref ref;
    char *version_hash; /* owned; as the server says */
    int64_t total_size;
};

static void manifest_deinit(struct manifest *m)
{
    free(m->version_hash);
}

static void add_row(struct table *t, const ProtobufCMessage *item)
{
    const PB_SKILL(SkillFile) *f = (const PB_SKILL(SkillFile) *)item;
    char mode[MODE_TEXT_MAX], size[SIZE_TEXT_MAX];
    (void)snprintf(mode, sizeof mode, "%04o", (unsigned)f->mode);
    size_format((uint64_t)MAX(f->size, 0), size);
    table_add(t, str_c(mode));
    table_add(t, str_c(size));
    table_add(t, str_head(str_c(f->sha256), HASH_SHOWN));
    table_add(t, str_c(f->path));
}

static enum err add_page(struct listing *l, struct manifest *m,
                         const PB_SKILL(SkillFileList) * page, struct error *e)
{
    free(m->version_hash);
    m->version_hash = str_dup_c(str_c(page->version_hash));
    m->total_size = page->total_size;
    if (!m->version_hash)
        return FAIL_NOMEM(e);
    if (page->n_items > zip_limits_default.max_entries - l->n_items)
        return FAIL(e, ERR_DATA_LOSS, "files.too_many",
                    "the server lists more files than an archive can have");
    return listing_add(l, (ProtobufCMessage **)page->items, page->n_items, add_row,
                       page->next_page_token, page->total, e);
}

static enum err fetch_page(struct listing *l, struct grpc_client *client, void *ctx,
                           struct error *e)
{
    struct manifest *m = ctx;
    char text[SKILL_REF_TEXT];
    PB_RES(ApiResourceReference) w = skill_wire_ref(&m->ref, text);
    PB_SKILL(ListSkillFilesRequest) r = PB_SKILL_C(LIST_SKILL_FILES_REQUEST__INIT);
    PB_SKILL(SkillFileList) *page = NULL;
    r.reference = &w;
    r.page_size = PAGE;
    r.page_token = l->next_token;
    TRY(remote_call(l->c, client, REMOTE_QUERY("listFiles"), &r.base,
                    &pb_skill(skill_file_list__descriptor), &page, e));
    enum err err = add_page(l, m, page, e);
    protobuf_c_message_free_unpacked(&page->base, NULL);
    return err;
}

static enum err print(struct listing *l, const struct manifest *m, struct error *e)
{
    if (!l->c->args.json)
        return listing_print(l, "files", e);
    json_t *j =
        json_pack("{so sO si sI}", "versionHash", json_of_text(str_c(m->version_hash)), "items",
                  l->items, "total", (int)l->total, "totalSize", (json_int_t)m->total_size);
    return json_print(&l->c->out, j, e);
}

static enum err run(struct cli *c, struct error *e)
{
    static const char *const heads[] = {"MODE", "SIZE", "SHA-256", "PATH", NULL};
    CLEANUP(manifest_deinit) struct manifest m = {0};
    CLEANUP(listing_deinit) struct listing l = {0};
    TRY(skill_ref_arg(c, &m.ref, e));
    c->args.all = true; /* all pages: a part of a manifest proves nothing */
    TRY(listing_init(&l, c, heads, e));
    TRY(listing_fetch(&l, fetch_page, &m, e));
    return print(&l, &m, e);
}

static const struct opt *const options[] = {opt_table_ref, opt_table_json, opt_table_connect,
                                            opt_table_timeout, NULL};

const struct command cmd_skill_files = {
    .name = "files",
    .args = "REF",
    .summary = "list the files of a version",
    .text = "Lists the files of the version that REF names, as they are when it is pulled: mode,\n"
            "size, SHA-256 (the first digits; with --json all) and path.\n",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .run = run,
};
