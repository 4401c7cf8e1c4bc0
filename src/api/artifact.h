/* Downloads: archives are sent from their files. */
#ifndef STIGMER_API_ARTIFACT_H
#define STIGMER_API_ARTIFACT_H

#include "grpc/server.h"

/* Bytes of archive in one ArtifactChunk: well below the 4 MiB that clients take by default. */
#define ARTIFACT_CHUNK MIB(1)

/* Handlers for the method table; the service is a struct api. */
enum err artifact_get(void *service, struct grpc_context *c, str request, struct grpc_reply *reply,
                      bool *ret_defer, struct error *e);
enum err artifact_stream(void *service, struct grpc_context *c, str request,
                         struct grpc_reply *reply, bool *ret_defer, struct error *e);

#endif
