#include "api/artifact.h"

#include "api/api.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/status.h"
#include "base/sys.h"
#include "store/store.h"

#include <stdlib.h>

/* On the loop (ret_defer given) only what was verified before is opened; otherwise *ret_defer. */
static enum err open_requested(struct api *api, str request, bool *ret_defer, struct artifact *ret,
                               int64_t *ret_offset, struct error *e)
{
    str key;
    TRY(request_artifact(request, &key, ret_offset, e));
    bool ready = true;
    TRY(skill_open_artifact(api->skills, key, ret_defer != NULL, &ready, ret, e));
    if (ret_defer)
        *ret_defer = !ready;
    return ERR_OK;
}

enum err artifact_get(void *service, struct grpc_context *c, str request, struct grpc_reply *reply,
                      bool *ret_defer, struct error *e)
{
    CLEANUP(artifact_deinit) struct artifact art = ARTIFACT_INIT;
    int64_t ignored;
    TRY(api_status(c, open_requested(service, request, ret_defer, &art, &ignored, e), e));
    if (ret_defer && *ret_defer)
        return ERR_OK;
    reply_artifact_head(art.len, &reply->message.head);
    TRY(buf_status(&reply->message.head, e));
    reply->message.fd = art.fd;
    reply->message.off = 0;
    reply->message.len = art.len;
    art.fd = -1; /* the reply owns it now */
    return ERR_OK;
}

struct download {
    struct artifact artifact;
    uint64_t sent; /* from the archive's start */
    char request_id[sizeof((struct grpc_context){0}.request_id)];
};

static void download_free(void *ctx)
{
    struct download *d = ctx;
    artifact_deinit(&d->artifact);
    free(d);
}

static enum err next_chunk(struct download *d, struct grpc_message *ret, struct error *e)
{
    uint64_t len = MIN(d->artifact.len - d->sent, (uint64_t)ARTIFACT_CHUNK);
    reply_chunk_head(d->artifact.len, d->sent, len, &ret->head);
    TRY(buf_status(&ret->head, e));
    TRY(sys_dup(d->artifact.fd, &ret->fd, e)); /* a message owns its descriptor */
    ret->off = d->sent;
    ret->len = len;
    d->sent += len;
    return ERR_OK;
}

static enum err download_next(void *ctx, struct grpc_message *ret, bool *ret_end, struct error *e)
{
    struct download *d = ctx;
    *ret_end = d->sent == d->artifact.len;
    if (*ret_end)
        return ERR_OK;
    struct grpc_context c = {.method = "streamArtifact"};
    memcpy(c.request_id, d->request_id, sizeof(c.request_id));
    return api_status(&c, next_chunk(d, ret, e), e);
}

enum err artifact_stream(void *service, struct grpc_context *c, str request,
                         struct grpc_reply *reply, bool *ret_defer, struct error *e)
{
    CLEANUP(artifact_deinit) struct artifact art = ARTIFACT_INIT;
    int64_t offset;
    TRY(api_status(c, open_requested(service, request, ret_defer, &art, &offset, e), e));
    if (ret_defer && *ret_defer)
        return ERR_OK;
    if ((uint64_t)offset > art.len)
        return FAIL(e, ERR_INVALID_ARGUMENT, "api.offset",
                    "validation error: offset: value must be at most the archive's %llu bytes",
                    (unsigned long long)art.len);
    struct download *d = calloc(1, sizeof(*d));
    if (!d)
        return FAIL_NOMEM(e);
    d->artifact = art;
    d->sent = (uint64_t)offset;
    art = ARTIFACT_INIT;
    memcpy(d->request_id, c->request_id, sizeof(d->request_id));
    reply->next = download_next;
    reply->free_ctx = download_free;
    reply->ctx = d;
    return ERR_OK;
}
