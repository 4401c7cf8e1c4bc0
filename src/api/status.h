/* What clients may know of a failure. */
#ifndef STIGMER_API_STATUS_H
#define STIGMER_API_STATUS_H

#include "grpc/server.h"

/*
 * The last step of every handler: result is what it returned. Failures that speak of this machine
 * (e->sys != 0, and every INTERNAL or UNKNOWN) are logged under the request id and *e becomes
 * what the client is told instead. Returns the code to answer.
 */
enum err api_status(const struct grpc_context *c, enum err result, struct error *e);

#endif
