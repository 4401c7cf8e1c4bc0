#include "agent/remote.h"

enum err agent_remote_client(struct agent_remote *r, struct grpc_client **ret, struct error *e)
{
    if (!r->client && r->offline)
        return FAIL(e, ERR_UNAVAILABLE, "agent.offline",
                    "that needs the server, and --offline forbids to ask it");
    if (!r->client)
        TRY(r->connect(r->ctx, &r->client, e));
    *ret = r->client;
    return ERR_OK;
}

void agent_remote_deinit(struct agent_remote *r)
{
    if (r->client)
        grpc_client_close(r->client);
    r->client = NULL;
}
