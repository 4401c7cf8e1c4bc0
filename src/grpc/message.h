/* Calls of which request and answer are protobuf messages. */
#ifndef STIGMER_GRPC_MESSAGE_H
#define STIGMER_GRPC_MESSAGE_H

#include "grpc/client.h"

#include <protobuf-c/protobuf-c.h>

/* Appends the serialized message. */
enum err message_pack(const ProtobufCMessage *m, struct buf *to, struct error *e);
/* *ret: release with protobuf_c_message_free_unpacked(…, NULL). DATA_LOSS: no such message.
 * RESOURCE_EXHAUSTED: no memory for it. */
enum err message_unpack(str bytes, const ProtobufCMessageDescriptor *d, void *ret, struct error *e);

struct message_call {
    const char *path; /* "/package.Service/method" */
    int64_t timeout_ms;
    size_t answer_max; /* bytes */
};
/* A unary call. *ret: as of message_unpack. */
enum err message_call(struct grpc_client *client, const struct message_call *call,
                      const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer,
                      void *ret, struct error *e);

#endif
