/* A reader of one protobuf message's top level, for the serialized descriptors behind reflection.
 */
#ifndef STIGMER_GRPC_WIRE_H
#define STIGMER_GRPC_WIRE_H

#include "base/str.h"

struct wire_field {
    uint32_t number;
    bool is_bytes;
    str bytes; /* when is_bytes: a string, bytes or a message */
};

/* Takes the next field off *message. False at the end or at what is malformed (then *message is
 * not empty). */
bool wire_next(str *message, struct wire_field *ret);
/* The first bytes field of that number; the empty view without one. */
str wire_find(str message, uint32_t number);

#endif
