#include "agent/resolve.h"

#include "base/clock.h"
#include "base/macro.h"
#include "base/utf8.h"
#include "pb.h"

#include <stdlib.h>

enum { ACTOR_MAX = 256 };

#define ANSWER_MAX MIB(4) /* a SKILL.md of 1 MiB and the fields around it */

struct resolver {
    struct agent_remote *remote;
    const struct lockfile *lock;
    unsigned flags;
    struct agent_resolution *to;
};

void agent_resolution_deinit(struct agent_resolution *r)
{
    arena_deinit(&r->arena);
    *r = (struct agent_resolution){0};
}

/* --- one question --------------------------------------------------------------------------------
 */

static enum err ask(struct agent_remote *remote, const char *path, const struct ref *r,
                    const ProtobufCMessageDescriptor *type, void *ret, struct error *e)
{
    char text[1024];
    struct grpc_client *client;
    PB_RES(ApiResourceReference) w = PB_RES_C(API_RESOURCE_REFERENCE__INIT);
    const struct message_call call = {
        .path = path, .timeout_ms = remote->call_timeout_ms, .answer_max = ANSWER_MAX};
    TRY(agent_remote_client(remote, &client, e));
    w.org = text;
    w.slug = w.org + r->org.len + 1;
    w.version = w.slug + r->slug.len + 1;
    (void)snprintf(text, sizeof text, "%.*s%c%.*s%c%.*s", STR_ARG(r->org), '\0', STR_ARG(r->slug),
                   '\0', STR_ARG(r->version));
    if (r->org.len)
        w.scope = PB_RES_C(API_RESOURCE_OWNER_SCOPE__organization);
    w.kind = AI__STIGMER__COMMONS__APIRESOURCE__APIRESOURCEKIND__API_RESOURCE_KIND__skill;
    return message_call(client, &call, &w.base, type, ret, e);
}

static enum err wrong(struct error *e, const char *what)
{
    return FAIL(e, ERR_DATA_LOSS, "resolve.answer", "the server's answer is wrong: %s", what);
}

/* The answer must be about the skill, and for a hash about the version, that was asked for. */
static enum err check_answer(const struct ref *r, const struct agent_pin *p, struct error *e)
{
    struct digest exact;
    if (!str_eq(p->slug, r->slug))
        return wrong(e, "it is about another skill");
    if (r->org.len && !str_eq(p->org, r->org))
        return wrong(e, "it is about another organization's skill");
    if (p->org.len && !str_is_label(p->org))
        return wrong(e, "it names no organization");
    if (digest_from_hex(r->version, &exact) && !digest_eq(&exact, &p->hash))
        return wrong(e, "it is another version");
    if (!pin_name_is_safe(p->name))
        return wrong(e, "the skill's name holds what no name may hold");
    return ERR_OK;
}

static int64_t ns_of(const PB_TIMESTAMP *t)
{
    if (!t || t->seconds <= 0 || t->seconds > INT64_MAX / NS_PER_S - 1)
        return 0;
    return t->seconds * NS_PER_S + MIN(MAX(t->nanos, 0), (int32_t)NS_PER_S - 1);
}

static bool is_actor(str id)
{
    return id.len <= ACTOR_MAX && utf8_valid(id);
}

static void take_audit(const PB_SKILL(Skill) * s, struct agent_pin *p)
{
    const PB_RES(ApiResourceAudit) *audit = s->status->audit;
    const PB_RES(ApiResourceAuditInfo) *info = audit ? audit->spec_audit : NULL;
    if (!info)
        return;
    p->pushed_ns = ns_of(info->updated_at);
    p->pushed_by = info->updated_by ? str_c(info->updated_by->id) : STR_NULL;
    if (!is_actor(p->pushed_by))
        p->pushed_by = STR_NULL;
}

static enum err take_answer(const struct ref *r, const PB_SKILL(Skill) * s, struct agent_pin *p,
                            struct error *e)
{
    if (!s->metadata || !s->status || !digest_from_hex(str_c(s->status->version_hash), &p->hash))
        return wrong(e, "it names no version");
    p->name = str_c(s->metadata->name);
    p->org = str_c(s->metadata->org);
    p->slug = str_c(s->metadata->slug);
    p->resolved_ns = clock_real_ns();
    take_audit(s, p);
    return check_answer(r, p, e);
}

static bool keep_texts(struct arena *a, const struct ref *r, struct agent_pin *p)
{
    struct digest exact;
    str tag = digest_from_hex(r->version, &exact) || str_eq(r->version, STR("latest")) ? STR_NULL
                                                                                       : r->version;
    return arena_dup(a, p->name, &p->name) && arena_dup(a, p->org, &p->org) &&
           arena_dup(a, p->slug, &p->slug) && arena_dup(a, tag, &p->tag) &&
           arena_dup(a, p->pushed_by, &p->pushed_by);
}

static enum err resolve_remote(struct resolver *v, const struct ref *r, struct agent_pin *ret,
                               struct error *e)
{
    PB_SKILL(Skill) *s = NULL;
    v->to->asked = true;
    TRY(ask(v->remote, AGENT_QUERY("getByReference"), r, &pb_skill(skill__descriptor), &s, e));
    enum err err = take_answer(r, s, ret, e);
    if (err == ERR_OK && !keep_texts(&v->to->arena, r, ret))
        err = FAIL_NOMEM(e);
    protobuf_c_message_free_unpacked(&s->base, NULL);
    return err;
}

/* --- with the lock file --------------------------------------------------------------------------
 */

/* Two lines of a lock file may outlive each other: texts are copied. */
static bool copy_pin(struct arena *a, const struct agent_pin *from, struct agent_pin *to)
{
    *to = *from;
    return arena_dup(a, from->reference, &to->reference) && arena_dup(a, from->name, &to->name) &&
           arena_dup(a, from->org, &to->org) && arena_dup(a, from->slug, &to->slug) &&
           arena_dup(a, from->tag, &to->tag) && arena_dup(a, from->pushed_by, &to->pushed_by);
}

/* Who moved the tag, and when: for people, so that a server that cannot tell is no error. */
static enum err tell_mover(struct resolver *v, const struct ref *r, struct agent_move *move,
                           struct error *e)
{
    PB_SKILL(SkillTag) *t = NULL;
    struct error ignored;
    struct digest hash;
    if (ask(v->remote, AGENT_QUERY("getTag"), r, &pb_skill(skill_tag__descriptor), &t, &ignored) !=
        ERR_OK)
        return ERR_OK;
    bool ok = true;
    if (digest_from_hex(str_c(t->version_hash), &hash) && digest_eq(&hash, &move->new->hash) &&
        t->moved_by && is_actor(str_c(t->moved_by->id))) {
        move->moved_ns = ns_of(t->moved_at);
        ok = arena_dup(&v->to->arena, str_c(t->moved_by->id), &move->moved_by);
    }
    protobuf_c_message_free_unpacked(&t->base, NULL);
    return ok ? ERR_OK : FAIL_NOMEM(e);
}

static enum err add_move(struct resolver *v, const struct ref *r, const struct agent_pin *old,
                         const struct agent_pin *answer, bool *ret_back, struct error *e)
{
    struct agent_pin *copy = ARENA_NEW(&v->to->arena, struct agent_pin);
    if (!copy)
        return FAIL_NOMEM(e);
    *copy = *answer;
    *ret_back = answer->pushed_ns < old->pushed_ns;
    struct agent_move *move = &v->to->moves[v->to->n_moves++];
    *move = (struct agent_move){.old = old, .new = copy, .back = *ret_back};
    return tell_mover(v, r, move, e);
}

static enum err went_back(struct error *e)
{
    return FAIL(e, ERR_FAILED_PRECONDITION, "resolve.back",
                "it went back to a version that was pushed before the locked one: "
                "--allow-backward accepts that");
}

/* Asks about a reference that is pinned. */
static enum err update(struct resolver *v, const struct ref *r, const struct agent_pin *old,
                       struct agent_pin *ret, struct error *e)
{
    bool frozen = v->flags & AGENT_RESOLVE_FROZEN, back = false;
    struct agent_pin answer = {.reference = ret->reference};
    enum err err = resolve_remote(v, r, &answer, e);
    if (err != ERR_OK && !frozen)
        return err;
    if (err == ERR_OK && !digest_eq(&answer.hash, &old->hash))
        TRY(add_move(v, r, old, &answer, &back, e));
    if (frozen)
        return copy_pin(&v->to->arena, old, ret) ? ERR_OK : FAIL_NOMEM(e);
    if (back && !(v->flags & AGENT_RESOLVE_BACKWARD))
        return went_back(e);
    *ret = answer;
    return ERR_OK;
}

/* A hash says itself which version is meant. */
static enum err take_hash(struct resolver *v, const struct ref *r, struct agent_pin *ret,
                          struct error *e)
{
    ret->org = r->org;
    ret->slug = r->slug;
    ret->resolved_ns = clock_real_ns();
    return keep_texts(&v->to->arena, r, ret) ? ERR_OK : FAIL_NOMEM(e);
}

static enum err resolve_one(struct resolver *v, const struct ref *r, struct agent_pin *ret,
                            struct error *e)
{
    if (!pin_reference(r, &v->to->arena, &ret->reference))
        return FAIL_NOMEM(e);
    const struct agent_pin *old = v->lock ? lockfile_find(v->lock, ret->reference) : NULL;
    if (old && (v->flags & AGENT_RESOLVE_UPDATE))
        return update(v, r, old, ret, e);
    if (old)
        return copy_pin(&v->to->arena, old, ret) ? ERR_OK : FAIL_NOMEM(e);
    if (v->flags & AGENT_RESOLVE_FROZEN)
        return FAIL(e, ERR_FAILED_PRECONDITION, "resolve.frozen",
                    "it is not in the lock file, and --frozen forbids to change that");
    if (v->flags & AGENT_RESOLVE_NAMELESS && digest_from_hex(r->version, &ret->hash))
        return take_hash(v, r, ret, e);
    return resolve_remote(v, r, ret, e);
}

/* What would be the same for every reference. */
static bool hopeless(enum err err)
{
    return err == ERR_UNAVAILABLE || err == ERR_DEADLINE_EXCEEDED || err == ERR_CANCELLED ||
           err == ERR_UNAUTHENTICATED || err == ERR_RESOURCE_EXHAUSTED;
}

static enum err add_failure(struct agent_resolution *to, str reference, struct error *e)
{
    struct agent_failure *f = &to->failures[to->n_failures];
    *f = (struct agent_failure){.reference = reference, .code = e->code};
    if (!arena_dup(&to->arena, str_c(e->msg), &f->message))
        return FAIL_NOMEM(e);
    to->n_failures++;
    return ERR_OK;
}

enum err agent_resolve(struct agent_remote *remote, const struct lockfile *lock,
                       const struct ref *refs, size_t n_refs, unsigned flags,
                       struct agent_resolution *ret, struct error *e)
{
    struct resolver v = {.remote = remote, .lock = lock, .flags = flags, .to = ret};
    *ret = (struct agent_resolution){0};
    arena_init(&ret->arena, MIB(64));
    ret->pins = arena_calloc(&ret->arena, n_refs + 1, sizeof *ret->pins);
    ret->moves = arena_calloc(&ret->arena, n_refs + 1, sizeof *ret->moves);
    ret->failures = arena_calloc(&ret->arena, n_refs + 1, sizeof *ret->failures);
    if (!ret->pins || !ret->moves || !ret->failures)
        return FAIL_NOMEM(e);
    for (; ret->n_pins < n_refs; ret->n_pins++) {
        struct agent_pin *pin = &ret->pins[ret->n_pins];
        enum err err = resolve_one(&v, &refs[ret->n_pins], pin, e);
        if (err != ERR_OK && hopeless(err))
            return err;
        if (err != ERR_OK)
            TRY(add_failure(ret, pin->reference, e));
    }
    return ERR_OK;
}
