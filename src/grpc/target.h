/* "host:port" as a client is given it: "localhost:7234", "127.0.0.1:7234", "[::1]:7234". */
#ifndef STIGMER_GRPC_TARGET_H
#define STIGMER_GRPC_TARGET_H

#include "base/err.h"
#include "base/str.h"

#define TARGET_HOST_MAX 256

/* The host without brackets. INVALID_ARGUMENT says which form is wanted. */
enum err target_parse(str target, char ret_host[TARGET_HOST_MAX], uint16_t *ret_port,
                      struct error *e);

#endif
