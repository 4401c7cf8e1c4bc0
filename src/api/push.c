#include "api/push.h"

#include "api/api.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/status.h"
#include "store/store.h"

#include <stdlib.h>

enum { FIELD_ARTIFACT = 4 }; /* PushSkillRequest.artifact */

struct push {
    struct api *api;
    const struct grpc_context *call;
    struct spool *spool; /* NULL until the first byte */
};

/* A request of 64 KiB, the record with a SKILL.md of 1 MiB, and that once more as protobuf. */
#define PUSH_ARENA_MAX MIB(8)

static enum err push_begin(void *service, struct grpc_context *c, void **ret, struct error *e)
{
    struct push *p = calloc(1, sizeof(*p));
    if (!p)
        return FAIL_NOMEM(e);
    *p = (struct push){.api = service, .call = c};
    *ret = p;
    return ERR_OK;
}

static enum err write_piece(struct push *p, str piece, struct error *e)
{
    if (!p->spool) {
        TRY(skill_ready(p->api->skills, true, e)); /* before so much comes */
        TRY(store_spool(p->api->store, API_PUSH_MAX, &p->spool, e));
    }
    return spool_write(p->spool, piece.p, piece.len, e);
}

static enum err push_bytes(void *upload, str piece, struct error *e)
{
    struct push *p = upload;
    if (piece.len == 0)
        return ERR_OK;
    return api_status(p->call, write_piece(p, piece, e), e);
}

static enum err commit(struct push *p, str rest, struct arena *a, struct buf *out, struct error *e)
{
    struct skill_push request;
    struct skill skill;
    TRY(request_push(rest, p->spool ? spool_len(p->spool) : 0, a, &request, e));
    TRY(spool_seal(p->spool, e));
    TRY(skill_push(p->api->skills, &request, p->spool, a, &skill, e));
    return reply_skill(&skill, a, out, e);
}

static enum err push_finish(void *upload, str rest, struct grpc_reply *reply, struct error *e)
{
    struct push *p = upload;
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, PUSH_ARENA_MAX);
    return api_status(p->call, commit(p, rest, &a, &reply->message.head, e), e);
}

static void push_free(void *upload)
{
    struct push *p = upload;
    spool_free(p->spool);
    free(p);
}

const struct grpc_upload api_push = {
    .field = FIELD_ARTIFACT,
    .name = "artifact",
    .max_message = API_PUSH_MAX,
    .max_field = API_PUSH_MAX,
    .begin = push_begin,
    .bytes = push_bytes,
    .finish = push_finish,
    .free = push_free,
};
