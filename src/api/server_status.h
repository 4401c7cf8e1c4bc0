/* stigmer.server.v1.ServerStatus: what the server tells of itself. */
#ifndef STIGMER_API_SERVER_STATUS_H
#define STIGMER_API_SERVER_STATUS_H

#include "grpc/server.h"

enum err server_status_get(void *service, struct grpc_context *c, str request,
                           struct grpc_reply *reply, bool *ret_defer, struct error *e);

#endif
