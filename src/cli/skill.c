#include "cli/skill.h"

#include "base/clock.h"
#include "cli/remote.h"

#include <stdlib.h>

static int64_t seconds_of(const PB_TIMESTAMP *t)
{
    return t ? t->seconds : 0;
}

struct skill_view skill_view_of(const PB_SKILL(Skill) * s)
{
    struct skill_view v = {0};
    if (s->metadata) {
        v.name = str_c(s->metadata->name);
        v.id = str_c(s->metadata->id);
        v.org = str_c(s->metadata->org);
        v.slug = str_c(s->metadata->slug);
    }
    if (s->spec) {
        v.tag = str_c(s->spec->tag);
        v.skill_md = str_c(s->spec->skill_md);
    }
    if (!s->status)
        return v;
    v.hash = str_c(s->status->version_hash);
    v.storage_key = str_c(s->status->artifact_storage_key);
    if (s->status->audit && s->status->audit->spec_audit) {
        v.created_s = seconds_of(s->status->audit->spec_audit->created_at);
        v.updated_s = seconds_of(s->status->audit->spec_audit->updated_at);
    }
    return v;
}

void skill_print_ref(const struct term *t, const struct skill_view *v)
{
    if (v->org.len) {
        term_printf(t, "@");
        term_foreign(t, v->org);
        term_printf(t, "/");
    }
    term_foreign(t, v->slug);
}

void skill_add_ref(struct buf *b, const struct skill_view *v)
{
    if (v->org.len) {
        buf_add_char(b, '@');
        buf_add(b, v->org);
        buf_add_char(b, '/');
    }
    buf_add(b, v->slug);
}

void skill_format_time(int64_t seconds, char out[SKILL_TIME_MAX])
{
    char text[CLOCK_RFC3339_MAX];
    /* as far as nanoseconds reach; a server that says otherwise is shown the end of time */
    int64_t s = MIN(MAX(seconds, 0), INT64_MAX / NS_PER_S);
    clock_format_rfc3339(s * NS_PER_S, text);
    (void)snprintf(out, SKILL_TIME_MAX, "%.10s %.8s", text, text + 11);
}

void skill_message_freep(PB_SKILL(Skill) * *s)
{
    if (*s)
        protobuf_c_message_free_unpacked(&(*s)->base, NULL);
    *s = NULL;
}

enum err skill_ref_arg(const struct cli *c, struct ref *ret, struct error *e)
{
    TRY(ref_parse(str_c(c->args.positional[0]), ret, e));
    str org = str_c(c->args.org);
    if (ret->org.len && org.len && !str_eq(ret->org, org))
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE,
                    "--org %s and the organization in \"%s\" differ: give one of them", c->args.org,
                    c->args.positional[0]);
    if (org.len)
        TRY(ref_check_org(org, e));
    ret->org = org.len ? org : ret->org;
    return ERR_OK;
}

PB_RES(ApiResourceReference) skill_wire_ref(const struct ref *r, char text[SKILL_REF_TEXT])
{
    PB_RES(ApiResourceReference) w = PB_RES_C(API_RESOURCE_REFERENCE__INIT);
    char *org = text;
    char *slug = org + r->org.len + 1;
    char *version = slug + r->slug.len + 1;
    (void)snprintf(text, SKILL_REF_TEXT, "%.*s%c%.*s%c%.*s", STR_ARG(r->org), '\0',
                   STR_ARG(r->slug), '\0', STR_ARG(r->version));
    w.scope = r->org.len ? PB_RES_C(API_RESOURCE_OWNER_SCOPE__organization)
                         : PB_RES_C(API_RESOURCE_OWNER_SCOPE__api_resource_owner_scope_unspecified);
    w.kind = AI__STIGMER__COMMONS__APIRESOURCE__APIRESOURCEKIND__API_RESOURCE_KIND__skill;
    w.org = org;
    w.slug = slug;
    w.version = version;
    return w;
}

enum err skill_lookup(const struct cli *c, struct grpc_client *client, const struct ref *ref,
                      PB_SKILL(Skill) * *ret, struct error *e)
{
    char text[SKILL_REF_TEXT];
    PB_RES(ApiResourceReference) w = skill_wire_ref(ref, text);
    return remote_call(c, client, REMOTE_QUERY("getByReference"), &w.base,
                       &pb_skill(skill__descriptor), ret, e);
}

enum err skill_open(struct cli *c, struct grpc_client **ret_client, struct ref *ret_ref,
                    PB_SKILL(Skill) * *ret, struct error *e)
{
    TRY(skill_ref_arg(c, ret_ref, e));
    TRY(remote_open(c, false, ret_client, e));
    return skill_lookup(c, *ret_client, ret_ref, ret, e);
}

static void print_line(const struct term *t, const char *label, str value)
{
    term_printf(t, "%-14s", label);
    term_foreign(t, value);
    term_printf(t, "\n");
}

void skill_print(const struct term *t, const struct skill_view *v)
{
    char created[SKILL_TIME_MAX], updated[SKILL_TIME_MAX];
    skill_format_time(v->created_s, created);
    skill_format_time(v->updated_s, updated);
    print_line(t, "Name:", v->name);
    term_printf(t, "%-14s", "Reference:");
    skill_print_ref(t, v);
    term_printf(t, "\n");
    print_line(t, "Id:", v->id);
    print_line(t, "Version Hash:", v->hash);
    print_line(t, "Tag:", v->tag);
    print_line(t, "Storage Key:", v->storage_key);
    term_printf(t, "%-14s%s UTC\n%-14s%s UTC\n", "Created:", created, "Updated:", updated);
}
