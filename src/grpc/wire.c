#include "grpc/wire.h"

static bool take_varint(str *s, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < s->len && i < 10; i++) {
        uint8_t b = (uint8_t)s->p[i];
        v |= (uint64_t)(b & 0x7f) << (7 * i);
        if (!(b & 0x80)) {
            *s = str_skip(*s, i + 1);
            *ret = v;
            return true;
        }
    }
    return false;
}

static bool take_bytes(str *s, uint64_t n, str *ret)
{
    if (n > s->len)
        return false;
    *ret = str_head(*s, n);
    *s = str_skip(*s, n);
    return true;
}

static bool take_value(str *s, unsigned wire, struct wire_field *ret)
{
    uint64_t n;
    ret->is_bytes = wire == 2;
    switch (wire) {
    case 0:
        return take_varint(s, &n);
    case 1:
        return take_bytes(s, 8, &ret->bytes);
    case 2:
        return take_varint(s, &n) && take_bytes(s, n, &ret->bytes);
    case 5:
        return take_bytes(s, 4, &ret->bytes);
    default:
        return false;
    }
}

bool wire_next(str *message, struct wire_field *ret)
{
    str s = *message;
    uint64_t tag;
    if (!s.len || !take_varint(&s, &tag) || tag >> 35 || !take_value(&s, tag & 7, ret))
        return false;
    ret->number = (uint32_t)(tag >> 3);
    *message = s;
    return true;
}

str wire_find(str message, uint32_t number)
{
    struct wire_field f;
    while (wire_next(&message, &f))
        if (f.number == number && f.is_bytes)
            return f.bytes;
    return STR_NULL;
}
