#include "api/request.h"

#include "api/check.h"
#include "api/decode.h"
#include "base/macro.h"
#include "pb.h"

#include <stdio.h>

/* Declares `PB *r`, the decoded request. */
#define DECODE(PB, r, descriptor, bytes, a, e)                                                     \
    PB *r;                                                                                         \
    {                                                                                              \
        ProtobufCMessage *decoded_;                                                                \
        TRY(decode_message(&(descriptor), (bytes), (a), &decoded_, (e)));                          \
        r = (PB *)decoded_;                                                                        \
    }

enum err request_push(str rest, uint64_t artifact_len, struct arena *a, struct skill_push *ret,
                      struct error *e)
{
    DECODE(PB_SKILL(PushSkillRequest), r, pb_skill(push_skill_request__descriptor), rest, a, e);
    *ret = (struct skill_push){
        .name = str_c(r->name),
        .scope = (enum skill_scope)r->scope,
        .org = str_c(r->org),
        .tag = str_c(r->tag),
    };
    struct check c = CHECK_INIT;
    check_text(&c, "name", ret->name, CHECK_REQUIRED, SKILL_NAME_MAX);
    check_scope(&c, "scope", (int)r->scope);
    check_org(&c, "org", ret->org, (int)r->scope);
    check_required(&c, "artifact", artifact_len > 0);
    check_text(&c, "tag", ret->tag, CHECK_LABEL | CHECK_NOT_HASH, SKILL_TAG_MAX);
    return check_end(&c, e);
}

enum err request_id(str bytes, str *ret_id, struct error *e)
{
    TRY(decode_text(&pb_skill(skill_id__descriptor), bytes, ret_id, e));
    struct check c = CHECK_INIT;
    check_required(&c, "value", ret_id->len);
    return check_end(&c, e);
}

/* prefix: the path to the reference within its request, with the dot. */
static void check_reference(struct check *c, const char *prefix, const struct skill_ref *ref)
{
    c->prefix = prefix;
    check_scope(c, "scope", (int)ref->scope);
    check_org(c, "org", ref->org, (int)ref->scope);
    check_text(c, "slug", ref->slug, CHECK_ANY, SKILL_SLUG_MAX);
    check_text(c, "version", ref->version, CHECK_LABEL, SKILL_TAG_MAX);
    c->prefix = "";
}

static struct skill_ref take_reference(const PB_RES(ApiResourceReference) * r)
{
    return (struct skill_ref){
        .scope = (enum skill_scope)r->scope,
        .org = str_c(r->org),
        .slug = str_c(r->slug),
        .version = str_c(r->version),
    };
}

static enum err need_slug(const struct skill_ref *ref, struct error *e)
{
    if (ref->slug.len == 0)
        return FAIL(e, ERR_INVALID_ARGUMENT, "api.slug_required", "slug is required in reference");
    return ERR_OK;
}

enum err request_reference(str bytes, struct arena *a, struct skill_ref *ret, struct error *e)
{
    DECODE(PB_RES(ApiResourceReference), r, pb_res(api_resource_reference__descriptor), bytes, a,
           e);
    *ret = take_reference(r);
    struct check c = CHECK_INIT;
    check_reference(&c, "", ret);
    TRY(check_end(&c, e));
    return need_slug(ret, e);
}

enum err request_by_tag(str bytes, struct arena *a, struct skill_ref *ret, struct error *e)
{
    DECODE(PB_SKILL(GetSkillByTagRequest), r, pb_skill(get_skill_by_tag_request__descriptor), bytes,
           a, e);
    *ret = (struct skill_ref){
        .scope = (enum skill_scope)r->scope,
        .org = str_c(r->org),
        .slug = str_c(r->slug),
        .version = str_c(r->tag),
    };
    struct check c = CHECK_INIT;
    check_text(&c, "slug", ret->slug, CHECK_REQUIRED, SKILL_SLUG_MAX);
    check_text(&c, "tag", ret->version, CHECK_REQUIRED, SKILL_TAG_MAX);
    check_org(&c, "org", ret->org, (int)r->scope);
    check_scope(&c, "scope", (int)r->scope);
    return check_end(&c, e);
}

enum err request_by_hash(str bytes, struct arena *a, struct skill_ref *ret, struct error *e)
{
    DECODE(PB_SKILL(GetSkillByHashRequest), r, pb_skill(get_skill_by_hash_request__descriptor),
           bytes, a, e);
    *ret = (struct skill_ref){
        .scope = (enum skill_scope)r->scope,
        .org = str_c(r->org),
        .slug = str_c(r->slug),
        .version = str_c(r->version_hash),
    };
    struct check c = CHECK_INIT;
    check_text(&c, "slug", ret->slug, CHECK_REQUIRED, SKILL_SLUG_MAX);
    check_required(&c, "version_hash", ret->version.len);
    check_org(&c, "org", ret->org, (int)r->scope);
    check_scope(&c, "scope", (int)r->scope);
    return check_end(&c, e);
}

enum err request_artifact(str bytes, str *ret_key, int64_t *ret_offset, struct error *e)
{
    enum { OFFSET = 2 };
    TRY(decode_text(&pb_skill(get_artifact_request__descriptor), bytes, ret_key, e));
    *ret_offset = decode_number(bytes, OFFSET);
    struct check c = CHECK_INIT;
    check_required(&c, "artifact_storage_key", ret_key->len);
    if (*ret_offset < 0)
        check_add(&c, "offset", "value must not be negative");
    return check_end(&c, e);
}

/* Of a negative number, which is refused anyway, nothing in particular. */
static uint32_t page_size(int32_t n, int32_t by_default, int32_t max)
{
    return (uint32_t)MIN(n ? n : by_default, max);
}

/* The first that is given. */
static int32_t first_set(int32_t a, int32_t b)
{
    return a != 0 ? a : b;
}

enum err request_find(str bytes, struct arena *a, struct skill_find *ret, struct error *e)
{
    DECODE(PB_RES(FindApiResourcesRequest), r, pb_res(find_api_resources_request__descriptor),
           bytes, a, e);
    PB_RES(PageInfo) none = PB_RES_C(PAGE_INFO__INIT);
    const PB_RES(PageInfo) *page = r->page ? r->page : &none;
    struct check c = CHECK_INIT;
    check_org(&c, "org", str_c(r->org), SKILL_SCOPE_UNSPECIFIED);
    if (r->kind[0] && !str_eq_nocase(str_c(r->kind), STR("skill")))
        check_add(&c, "kind", "value must be empty or \"Skill\": this method lists skills only");
    check_count(&c, "page.num", page->num);
    check_count(&c, "page.size", page->size);
    check_count(&c, "page_number", r->page_number);
    check_count(&c, "page_size", r->page_size);
    TRY(check_end(&c, e));
    *ret = (struct skill_find){
        .org = str_c(r->org),
        .page = (uint32_t)first_set(first_set(r->page_number, page->num), 1),
        .page_size =
            page_size(first_set(r->page_size, page->size), REQUEST_PAGE_DEFAULT, REQUEST_PAGE_MAX),
        .token = str_c(r->page_token),
    };
    return ERR_OK;
}

/* What the lists about one skill have in common. */
static enum err take_list(const PB_RES(ApiResourceReference) * r, int32_t n, struct skill_ref *ret,
                          struct error *e)
{
    struct check c = CHECK_INIT;
    check_required(&c, "reference", r != NULL);
    if (r) {
        *ret = take_reference(r);
        check_reference(&c, "reference.", ret);
    }
    check_count(&c, "page_size", n);
    TRY(check_end(&c, e));
    return need_slug(ret, e);
}

enum err request_versions(str bytes, struct arena *a, struct skill_versions *ret, struct error *e)
{
    DECODE(PB_SKILL(ListSkillVersionsRequest), r, pb_skill(list_skill_versions_request__descriptor),
           bytes, a, e);
    *ret = (struct skill_versions){
        .include_deleted = r->include_deleted,
        .page_size = page_size(r->page_size, REQUEST_PAGE_DEFAULT, REQUEST_PAGE_MAX),
        .token = str_c(r->page_token),
    };
    return take_list(r->reference, r->page_size, &ret->ref, e);
}

enum err request_files(str bytes, struct arena *a, struct skill_files *ret, struct error *e)
{
    DECODE(PB_SKILL(ListSkillFilesRequest), r, pb_skill(list_skill_files_request__descriptor),
           bytes, a, e);
    *ret = (struct skill_files){
        .page_size = page_size(r->page_size, SKILL_FILES_PAGE_MAX, SKILL_FILES_PAGE_MAX),
        .token = str_c(r->page_token),
    };
    return take_list(r->reference, r->page_size, &ret->ref, e);
}

enum err request_move_tag(str bytes, struct arena *a, struct skill_ref *ret_ref, str *ret_tag,
                          struct error *e)
{
    DECODE(PB_SKILL(MoveTagRequest), r, pb_skill(move_tag_request__descriptor), bytes, a, e);
    struct check c = CHECK_INIT;
    check_required(&c, "reference", r->reference != NULL);
    if (r->reference) {
        *ret_ref = take_reference(r->reference);
        check_reference(&c, "reference.", ret_ref);
    }
    *ret_tag = str_c(r->tag);
    check_text(&c, "tag", *ret_tag, CHECK_REQUIRED | CHECK_LABEL | CHECK_NOT_HASH, SKILL_TAG_MAX);
    TRY(check_end(&c, e));
    return need_slug(ret_ref, e);
}
