/* The table of methods, and the handlers that are one step each. */
#include "api/api.h"
#include "api/artifact.h"
#include "api/push.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/server_status.h"
#include "api/status.h"

/* Requests other than push are a few names; so is push without its artifact. */
#define REQUEST_MAX KIB(64)

/* Most texts are a few KiB; a SKILL.md has at most 1 MiB. */
#define SKILL_MOST KIB(64)
#define SKILL_MAX  (MIB(1) + KIB(128))
/* Texts of SKILL_LIST_TEXT_MAX, and what else 100 skills have. */
#define PAGE_MOST KIB(256)
#define PAGE_MAX  (SKILL_LIST_TEXT_MAX + MIB(1))
/* 100 versions, with the tags that point at them; 1,000 files with the longest paths. */
#define VERSIONS_MAX MIB(2)
#define FILES_MAX    (MIB(1) + KIB(256))

#define STATE_MAX KIB(4)
#define TAG_MAX   KIB(64)

/* A handler's own memory for each byte of its answer: the text as a record, once more for protobuf,
 * and what belongs to it. */
#define ARENA_PER_REPLY 4

struct call {
    struct skill_service *skills;
    str request;
    struct arena a;
    struct buf *out;
};

typedef enum err step_fn(struct call *c, struct error *e);

/* Runs a step with an arena of its own. */
static enum err run(step_fn *step, void *service, const struct grpc_context *ctx, str request,
                    struct grpc_reply *reply, struct error *e)
{
    const struct api *api = service;
    struct call c = {.skills = api->skills, .request = request, .out = &reply->message.head};
    arena_init(&c.a, ARENA_PER_REPLY * c.out->max);
    enum err result = api_status(ctx, step(&c, e), e);
    arena_deinit(&c.a);
    return result;
}

#define HANDLER(step)                                                                              \
    static enum err handle_##step(void *service, struct grpc_context *ctx, str request,            \
                                  struct grpc_reply *reply, bool *ret_defer, struct error *e)      \
    {                                                                                              \
        (void)ret_defer;                                                                           \
        return run(step, service, ctx, request, reply, e);                                         \
    }

static enum err get(struct call *c, struct error *e)
{
    str id;
    struct skill skill;
    TRY(request_id(c->request, &id, e));
    TRY(skill_get(c->skills, id, &c->a, &skill, e));
    return reply_skill(&skill, &c->a, c->out, e);
}
HANDLER(get)

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
HANDLER(get_by_reference)

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
HANDLER(get_by_tag)

static enum err get_by_hash(struct call *c, struct error *e)
{
    struct skill_ref ref;
    TRY(request_by_hash(c->request, &c->a, &ref, e));
    return is_hash(ref.version) ? resolve(c, &ref, e) : version_not_found(c, &ref, e);
}
HANDLER(get_by_hash)

static enum err get_tag(struct call *c, struct error *e)
{
    struct skill_ref ref;
    struct skill_tag tag;
    TRY(request_reference(c->request, &c->a, &ref, e));
    TRY(skill_tag(c->skills, &ref, &c->a, &tag, e));
    return reply_tag(&tag, &c->a, c->out, e);
}
HANDLER(get_tag)

static enum err find_all(struct call *c, struct error *e)
{
    struct skill_find query;
    struct skill_list list;
    TRY(request_find(c->request, &c->a, &query, e));
    TRY(skill_find(c->skills, &query, &c->a, &list, e));
    return reply_list(&list, &c->a, c->out, e);
}
HANDLER(find_all)

static enum err list_versions(struct call *c, struct error *e)
{
    struct skill_versions query;
    struct skill_list list;
    TRY(request_versions(c->request, &c->a, &query, e));
    TRY(skill_versions(c->skills, &query, &c->a, &list, e));
    return reply_versions(&list, &c->a, c->out, e);
}
HANDLER(list_versions)

static enum err list_files(struct call *c, struct error *e)
{
    struct skill_files query;
    struct skill_file_list list;
    TRY(request_files(c->request, &c->a, &query, e));
    TRY(skill_files(c->skills, &query, &c->a, &list, e));
    return reply_files(&list, &c->a, c->out, e);
}
HANDLER(list_files)

static enum err delete_skill(struct call *c, struct error *e)
{
    str id;
    struct skill skill;
    TRY(request_id(c->request, &id, e));
    TRY(skill_delete(c->skills, id, STR_NULL, &c->a, &skill, e));
    return reply_skill(&skill, &c->a, c->out, e);
}
HANDLER(delete_skill)

static enum err move_tag(struct call *c, struct error *e)
{
    struct skill_ref ref;
    str tag;
    struct skill skill;
    TRY(request_move_tag(c->request, &c->a, &ref, &tag, e));
    TRY(skill_move_tag(c->skills, &ref, tag, STR_NULL, &c->a, &skill, e));
    return reply_skill(&skill, &c->a, c->out, e);
}
HANDLER(move_tag)

#define COMMAND(name) "/ai.stigmer.agentic.skill.v1.SkillCommandController/" name
#define QUERY(name)   "/ai.stigmer.agentic.skill.v1.SkillQueryController/" name

#define ONE_SKILL   .max_reply = SKILL_MAX, .first_reply = SKILL_MOST
#define A_PAGE      .max_reply = PAGE_MAX, .first_reply = PAGE_MOST
#define OF_VERSIONS .max_reply = VERSIONS_MAX, .first_reply = SKILL_MOST
#define OF_FILES    .max_reply = FILES_MAX, .first_reply = SKILL_MOST
#define A_CHANGE    .max_reply = SKILL_MAX

/* findAll may gather megabytes of texts and listFiles may have to audit: they leave the loop. */
const struct grpc_method api_methods[] = {
    {COMMAND("push"), GRPC_UPLOAD, REQUEST_MAX, NULL, &api_push, A_CHANGE},
    {COMMAND("delete"), GRPC_WORKER, REQUEST_MAX, handle_delete_skill, NULL, A_CHANGE},
    {COMMAND("moveTag"), GRPC_WORKER, REQUEST_MAX, handle_move_tag, NULL, A_CHANGE},
    {QUERY("get"), GRPC_INLINE, REQUEST_MAX, handle_get, NULL, ONE_SKILL},
    {QUERY("getByReference"), GRPC_INLINE, REQUEST_MAX, handle_get_by_reference, NULL, ONE_SKILL},
    {QUERY("getByTag"), GRPC_INLINE, REQUEST_MAX, handle_get_by_tag, NULL, ONE_SKILL},
    {QUERY("getTag"), GRPC_INLINE, REQUEST_MAX, handle_get_tag, NULL, .max_reply = TAG_MAX},
    {QUERY("getByHash"), GRPC_INLINE, REQUEST_MAX, handle_get_by_hash, NULL, ONE_SKILL},
    {QUERY("getArtifact"), GRPC_INLINE, REQUEST_MAX, artifact_get, NULL, .n_files = 1},
    {QUERY("streamArtifact"), GRPC_INLINE, REQUEST_MAX, artifact_stream, NULL, .n_files = 2},
    {QUERY("findAll"), GRPC_WORKER, REQUEST_MAX, handle_find_all, NULL, A_PAGE},
    {QUERY("listVersions"), GRPC_INLINE, REQUEST_MAX, handle_list_versions, NULL, OF_VERSIONS},
    {QUERY("listFiles"), GRPC_WORKER, REQUEST_MAX, handle_list_files, NULL, OF_FILES},
    {"/stigmer.server.v1.ServerStatus/get", GRPC_INLINE, REQUEST_MAX, server_status_get, NULL,
     .max_reply = STATE_MAX},
};
const size_t api_n_methods = ARRAY_SIZE(api_methods);
