#include "descriptors.h"

#include "base/macro.h"

/* Generated from the .proto files: one serialized google.protobuf.FileDescriptorSet. */
extern const unsigned char proto_descriptor_set[];
extern const size_t proto_descriptor_set_len;

/* FileDescriptorSet has one field, `repeated FileDescriptorProto file = 1`: tag 0x0a, a varint
 * length, the bytes. The input is our own build's, so its shape is known. */
static str next_entry(str *set)
{
    size_t at = 1, len = 0;
    for (unsigned shift = 0;; shift += 7) {
        unsigned char c = (unsigned char)set->p[at++];
        len |= (size_t)(c & 0x7f) << shift;
        if (!(c & 0x80))
            break;
    }
    str entry = str_of(set->p + at, len);
    *set = str_skip(*set, at + len);
    return entry;
}

size_t proto_descriptors(str *out, size_t max)
{
    str set = str_of(proto_descriptor_set, proto_descriptor_set_len);
    size_t n = 0;
    while (set.len > 0) {
        str entry = next_entry(&set);
        if (n < max)
            out[n] = entry;
        n++;
    }
    return n;
}
