#include "api/server_status.h"

#include "api/api.h"
#include "base/clock.h"
#include "stigmer/server/v1/status.pb-c.h"

enum err server_status_get(void *service, struct grpc_context *c, str request,
                           struct grpc_reply *reply, bool *ret_defer, struct error *e)
{
    const struct api *api = service;
    struct api_state s = {.takes_pushes = true, .takes_deletes = true};
    Stigmer__Server__V1__ServerState m = STIGMER__SERVER__V1__SERVER_STATE__INIT;
    char version[] = STIGMER_VERSION;
    (void)c, (void)request, (void)ret_defer; /* there is nothing to ask for */
    if (api->state)
        api->state(api->state_ctx, &s);
    m.version = version;
    m.takes_pushes = s.takes_pushes;
    m.takes_deletes = s.takes_deletes;
    m.reason = s.reason;
    m.failed_commits = s.failed_commits;
    m.scrub_completed_at = s.scrub_completed_ns / NS_PER_S;
    m.scrub_archives = s.scrub_archives;
    m.scrub_damaged = s.scrub_damaged;
    m.scrub_damaged_so_far = s.scrub_damaged_so_far;
    size_t len = protobuf_c_message_get_packed_size(&m.base);
    char *p = buf_reserve(&reply->message.head, len);
    if (!p)
        return buf_status(&reply->message.head, e);
    reply->message.head.len += protobuf_c_message_pack(&m.base, (uint8_t *)p);
    return ERR_OK;
}
