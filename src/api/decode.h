/*
 * Bytes from the wire become protobuf-c messages in the request's arena.
 *
 * protobuf-c keeps strings as C strings and looks at no character of them: what it would cut at a
 * NUL, or pass on though it is not UTF-8, is refused here first, naming the field.
 */
#ifndef STIGMER_API_DECODE_H
#define STIGMER_API_DECODE_H

#include "base/arena.h"
#include "base/err.h"

#include <protobuf-c/protobuf-c.h>

/* *ret lives in the arena and is not to be freed. INVALID_ARGUMENT: malformed, or a string that is
 * not UTF-8 or holds a NUL. RESOURCE_EXHAUSTED: the arena is full. */
enum err decode_message(const ProtobufCMessageDescriptor *type, str bytes, struct arena *a,
                        ProtobufCMessage **ret, struct error *e);
/* For a type whose only string is field 1 (an id, a key): a view into bytes, which may hold
 * NULs. A name like that is nobody's, which the caller finds out by looking it up. */
enum err decode_text(const ProtobufCMessageDescriptor *type, str bytes, str *ret, struct error *e);
/* The int64 field `wanted` of a message that decode_text took; 0 when it is not there. */
int64_t decode_number(str bytes, uint32_t wanted);

#endif
