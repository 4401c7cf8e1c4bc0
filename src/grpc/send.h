/*
 * The sending side of a stream: messages cut into what the transport pulls. Bytes of files are
 * read straight into the transport's buffer, so a message of any size costs no memory.
 */
#ifndef STIGMER_GRPC_SEND_H
#define STIGMER_GRPC_SEND_H

#include "grpc/frames.h"
#include "grpc/server.h"

enum send_what { SEND_MESSAGE, SEND_WAIT, SEND_END };

struct send {
    /* The next message; NULL: there is none. */
    enum err (*next)(void *ctx, struct grpc_message *ret, enum send_what *ret_what,
                     struct error *e);
    void *ctx;
    struct grpc_message message; /* owned */
    bool active;                 /* message is being sent */
    uint8_t prefix[FRAMES_PREFIX];
    uint64_t at; /* bytes of prefix and message that are out */
};

void grpc_message_init(struct grpc_message *m);
void grpc_message_deinit(struct grpc_message *m);
void grpc_reply_init(struct grpc_reply *r);
void grpc_reply_deinit(struct grpc_reply *r);

void send_init(struct send *s);
void send_deinit(struct send *s);
/* Sends this message first; takes it. INTERNAL when it is longer than a prefix can say. */
enum err send_message(struct send *s, struct grpc_message *take, struct error *e);
/* Writes at most cap bytes to `to`. *ret_more: H2_MORE, H2_WAIT, H2_END, or H2_FAIL with *e filled
 * (what was written before still counts). */
size_t send_read(struct send *s, char *to, size_t cap, enum h2_more *ret_more, struct error *e);

#endif
