/* The push upload: bytes go to a spool as they arrive, the rest is known at the end. */
#ifndef STIGMER_API_PUSH_H
#define STIGMER_API_PUSH_H

#include "grpc/server.h"

/* For the method table; its service is a struct api. */
extern const struct grpc_upload api_push;

#endif
