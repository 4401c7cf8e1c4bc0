#include "grpc/message.h"

#include "base/macro.h"

#include <stdlib.h>

#define REQUEST_MAX KIB(64)

enum err message_pack(const ProtobufCMessage *m, struct buf *to, struct error *e)
{
    size_t len = protobuf_c_message_get_packed_size(m);
    char *at = buf_reserve(to, len);
    if (!at)
        return FAIL_NOMEM(e);
    to->len += protobuf_c_message_pack(m, (uint8_t *)at);
    return ERR_OK;
}

/* protobuf-c does not tell malformed from out of memory. */
static void *note_failure(void *exhausted, size_t n)
{
    void *p = malloc(n);
    *(bool *)exhausted |= !p;
    return p;
}

static void release(void *exhausted, void *p)
{
    (void)exhausted;
    free(p);
}

enum err message_unpack(str bytes, const ProtobufCMessageDescriptor *d, void *ret, struct error *e)
{
    bool exhausted = false;
    ProtobufCAllocator allocator = {note_failure, release, &exhausted};
    ProtobufCMessage *m =
        protobuf_c_message_unpack(d, &allocator, bytes.len, (const uint8_t *)bytes.p);
    if (!m && exhausted)
        return FAIL_NOMEM(e);
    if (!m)
        return FAIL(e, ERR_DATA_LOSS, "message.malformed", "the server's answer cannot be read");
    *(ProtobufCMessage **)ret = m;
    return ERR_OK;
}

enum err message_call(struct grpc_client *client, const struct message_call *call,
                      const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer,
                      void *ret, struct error *e)
{
    CLEANUP(buf_deinit) struct buf in;
    CLEANUP(buf_deinit) struct buf out;
    buf_init(&in, REQUEST_MAX);
    buf_init(&out, call->answer_max);
    TRY(message_pack(request, &in, e));
    struct grpc_request r = {
        .path = call->path, .head = buf_view(&in), .fd = -1, .timeout_ms = call->timeout_ms};
    TRY(grpc_client_call(client, &r, &out, e));
    return message_unpack(buf_view(&out), answer, ret, e);
}
