/*
 * The descriptors of the public .proto files, for server reflection. Built in: they always match
 * the code generated from the same files.
 */
#ifndef STIGMER_PROTO_DESCRIPTORS_H
#define STIGMER_PROTO_DESCRIPTORS_H

#include "base/str.h"

/* Views of the serialized google.protobuf.FileDescriptorProto messages, one per file, imports
 * before importers; at most max of them. Returns how many there are. Static storage. */
size_t proto_descriptors(str *out, size_t max);

#endif
