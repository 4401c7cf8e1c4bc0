/* The table of methods, and the handlers that are one step each. */
#include "api/api.h"
#include "api/artifact.h"
#include "api/push.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/status.h"

/* Requests other than push are a few names; so is push without its artifact. */
#define REQUEST_MAX KIB(64)

/* One skill with a SKILL.md of 1 MiB, or a page of files with the longest paths, as a record and as
 * protobuf, and the request. */
#define SKILL_ARENA_MAX MIB(8)
/* A page of 100 such skills. */
#define LIST_ARENA_MAX MIB(256)

struct call {
    struct skill_service *skills;
    str request;
    struct arena a;
    struct buf *out;
};

typedef enum err step_fn(struct call *c, struct error *e);

/* Runs a step with an arena of its own. */
static enum err run(step_fn *step, size_t arena_max, void *service, const struct grpc_context *ctx,
                    str request, struct grpc_reply *reply, struct error *e)
{
    const struct api *api = service;
    struct call c = {.skills = api->skills, .request = request, .out = &reply->message.head};
    arena_init(&c.a, arena_max);
    enum err result = api_status(ctx, step(&c, e), e);
    arena_deinit(&c.a);
    return result;
}

#define HANDLER(step, arena_max)                                                                   \
    static enum err handle_##step(void *service, struct grpc_context *ctx, str request,            \
                                  struct grpc_reply *reply, bool *ret_defer, struct error *e)      \
    {                                                                                              \
        (void)ret_defer;                                                                           \
        return run(step, (arena_max), service, ctx, request, reply, e);                            \
    }

static enum err get(struct call *c, struct error *e)
{
    str id;
    struct skill skill;
    TRY(request_id(c->request, &id, e));
    TRY(skill_get(c->skills, id, &c->a, &skill, e));
    return reply_skill(&skill, &c->a, c->out, e);
}
HANDLER(get, SKILL_ARENA_MAX)

static enum err resolve(struct call *c, const struct skill_ref *ref, struct error *e)
{
    struct skill skill;
    TRY(skill_resolve(c->skills, ref, &c->a, &skill, e));
    return reply_skill(&skill, &c->a, c->out, e);
}

static enum err get_by_reference(struct call *c, struct error *e)
{
    struct skill_ref ref;
    TRY(request_reference(c->request, &c->a, &ref, e));
    return resolve(c, &ref, e);
}
HANDLER(get_by_reference, SKILL_ARENA_MAX)

static bool is_hash(str s)
{
    struct digest d;
    return digest_from_hex(s, &d);
}

/* No such version, unless there is not even such a skill. */
static enum err version_not_found(struct call *c, const struct skill_ref *ref, struct error *e)
{
    struct skill_ref current = *ref;
    struct skill skill;
    current.version = STR_NULL;
    TRY(skill_resolve(c->skills, &current, &c->a, &skill, e));
    return FAIL(e, ERR_NOT_FOUND, "skill.version_not_found", "skill version not found: %.*s:%.*s",
                STR_ARG(ref->slug), STR_ARG(ref->version));
}

/* A reference's version may be a tag or a hash; these two calls mean one of them only. */
static enum err get_by_tag(struct call *c, struct error *e)
{
    struct skill_ref ref;
    TRY(request_by_tag(c->request, &c->a, &ref, e));
    return is_hash(ref.version) ? version_not_found(c, &ref, e) : resolve(c, &ref, e);
}
HANDLER(get_by_tag, SKILL_ARENA_MAX)

static enum err get_by_hash(struct call *c, struct error *e)
{
    struct skill_ref ref;
    TRY(request_by_hash(c->request, &c->a, &ref, e));
    return is_hash(ref.version) ? resolve(c, &ref, e) : version_not_found(c, &ref, e);
}
HANDLER(get_by_hash, SKILL_ARENA_MAX)

static enum err find_all(struct call *c, struct error *e)
{
    struct skill_find query;
    struct skill_list list;
    TRY(request_find(c->request, &c->a, &query, e));
    TRY(skill_find(c->skills, &query, &c->a, &list, e));
    return reply_list(&list, &c->a, c->out, e);
}
HANDLER(find_all, LIST_ARENA_MAX)

static enum err list_versions(struct call *c, struct error *e)
{
    struct skill_versions query;
    struct skill_list list;
    TRY(request_versions(c->request, &c->a, &query, e));
    TRY(skill_versions(c->skills, &query, &c->a, &list, e));
    return reply_versions(&list, &c->a, c->out, e);
}
HANDLER(list_versions, SKILL_ARENA_MAX)

static enum err list_files(struct call *c, struct error *e)
{
    struct skill_files query;
    struct skill_file_list list;
    TRY(request_files(c->request, &c->a, &query, e));
    TRY(skill_files(c->skills, &query, &c->a, &list, e));
    return reply_files(&list, &c->a, c->out, e);
}
HANDLER(list_files, SKILL_ARENA_MAX)

static enum err delete_skill(struct call *c, struct error *e)
{
    str id;
    struct skill skill;
    TRY(request_id(c->request, &id, e));
    TRY(skill_delete(c->skills, id, STR_NULL, &c->a, &skill, e));
    return reply_skill(&skill, &c->a, c->out, e);
}
HANDLER(delete_skill, SKILL_ARENA_MAX)

static enum err move_tag(struct call *c, struct error *e)
{
    struct skill_ref ref;
    str tag;
    struct skill skill;
    TRY(request_move_tag(c->request, &c->a, &ref, &tag, e));
    TRY(skill_move_tag(c->skills, &ref, tag, STR_NULL, &c->a, &skill, e));
    return reply_skill(&skill, &c->a, c->out, e);
}
HANDLER(move_tag, SKILL_ARENA_MAX)

#define COMMAND(name) "/ai.stigmer.agentic.skill.v1.SkillCommandController/" name
#define QUERY(name)   "/ai.stigmer.agentic.skill.v1.SkillQueryController/" name

/* findAll may gather megabytes of texts and listFiles may have to audit: they leave the loop. */
const struct grpc_method api_methods[] = {
    {COMMAND("push"), GRPC_UPLOAD, REQUEST_MAX, NULL, &api_push},
    {COMMAND("delete"), GRPC_WORKER, REQUEST_MAX, handle_delete_skill, NULL},
    {COMMAND("moveTag"), GRPC_WORKER, REQUEST_MAX, handle_move_tag, NULL},
    {QUERY("get"), GRPC_INLINE, REQUEST_MAX, handle_get, NULL},
    {QUERY("getByReference"), GRPC_INLINE, REQUEST_MAX, handle_get_by_reference, NULL},
    {QUERY("getByTag"), GRPC_INLINE, REQUEST_MAX, handle_get_by_tag, NULL},
    {QUERY("getByHash"), GRPC_INLINE, REQUEST_MAX, handle_get_by_hash, NULL},
    {QUERY("getArtifact"), GRPC_INLINE, REQUEST_MAX, artifact_get, NULL},
    {QUERY("streamArtifact"), GRPC_INLINE, REQUEST_MAX, artifact_stream, NULL},
    {QUERY("findAll"), GRPC_WORKER, REQUEST_MAX, handle_find_all, NULL},
    {QUERY("listVersions"), GRPC_INLINE, REQUEST_MAX, handle_list_versions, NULL},
    {QUERY("listFiles"), GRPC_WORKER, REQUEST_MAX, handle_list_files, NULL},
};
const size_t api_n_methods = ARRAY_SIZE(api_methods);
