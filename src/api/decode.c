#include "api/decode.h"

#include "base/utf8.h"

#include <stdio.h>

/* Wire types (protobuf encoding guide). Groups, 3 and 4, are older than proto3. */
enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LENGTH = 2, WIRE_FIXED32 = 5 };

enum { PATH_MAX_LEN = 96 };

static bool cut_varint(str *s, uint64_t *ret)
{
    *ret = 0;
    for (unsigned shift = 0; shift < 70 && s->len > 0; shift += 7) {
        uint8_t c = (uint8_t)s->p[0];
        *s = str_skip(*s, 1);
        if (shift == 63 && c > 1)
            return false; /* beyond 64 bits */
        *ret |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80))
            return true;
    }
    return false;
}

static bool cut_bytes(str *s, uint64_t n, str *ret)
{
    if (n > s->len)
        return false;
    *ret = str_head(*s, n);
    *s = str_skip(*s, n);
    return true;
}

/* Cuts one field off *s; *ret_value is empty for other wire types than LENGTH, *ret_n is the number
 * of a VARINT. */
static bool cut_field(str *s, uint32_t *ret_number, unsigned *ret_type, str *ret_value,
                      uint64_t *ret_n)
{
    uint64_t key, n;
    if (!cut_varint(s, &key) || key >> 3 == 0 || key >> 3 > 0x1fffffff)
        return false;
    *ret_number = (uint32_t)(key >> 3);
    *ret_type = key & 7;
    switch (*ret_type) {
    case WIRE_VARINT:
        return cut_varint(s, ret_n);
    case WIRE_FIXED64:
        return cut_bytes(s, 8, ret_value);
    case WIRE_FIXED32:
        return cut_bytes(s, 4, ret_value);
    case WIRE_LENGTH:
        return cut_varint(s, &n) && cut_bytes(s, n, ret_value);
    default:
        return false;
    }
}

static enum err malformed(const ProtobufCMessageDescriptor *type, struct error *e)
{
    return FAIL(e, ERR_INVALID_ARGUMENT, "api.malformed",
                "the request is not a valid %s message: its protobuf encoding is damaged",
                type->name);
}

static enum err check_utf8(str value, const char *prefix, const char *name, struct error *e)
{
    if (utf8_valid(value))
        return ERR_OK;
    return FAIL(e, ERR_INVALID_ARGUMENT, "api.utf8",
                "validation error: %s%s: value must be valid UTF-8", prefix, name);
}

static enum err check_string(str value, const char *prefix, const char *name, struct error *e)
{
    TRY(check_utf8(value, prefix, name, e));
    if (str_find(value, '\0') >= 0)
        return FAIL(e, ERR_INVALID_ARGUMENT, "api.nul",
                    "validation error: %s%s: value must not contain NUL characters", prefix, name);
    return ERR_OK;
}

/* Recursion ends because no request type contains itself. */
static enum err check_strings(const ProtobufCMessageDescriptor *type, str bytes, const char *prefix,
                              struct error *e);

static enum err check_nested(const ProtobufCFieldDescriptor *f, str value, const char *prefix,
                             struct error *e)
{
    char path[PATH_MAX_LEN];
    (void)snprintf(path, sizeof(path), "%s%s.", prefix, f->name);
    return check_strings(f->descriptor, value, path, e);
}

static enum err check_strings(const ProtobufCMessageDescriptor *type, str bytes, const char *prefix,
                              struct error *e)
{
    while (bytes.len > 0) {
        uint32_t number;
        unsigned wire_type;
        uint64_t n;
        str value = STR_NULL;
        if (!cut_field(&bytes, &number, &wire_type, &value, &n))
            return malformed(type, e);
        const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(type, number);
        if (!f || wire_type != WIRE_LENGTH)
            continue;
        if (f->type == PROTOBUF_C_TYPE_STRING)
            TRY(check_string(value, prefix, f->name, e));
        if (f->type == PROTOBUF_C_TYPE_MESSAGE)
            TRY(check_nested(f, value, prefix, e));
    }
    return ERR_OK;
}

/* protobuf-c cannot say why it failed, so the allocator remembers. */
struct arena_source {
    struct arena *a;
    bool exhausted;
};

static void *source_alloc(void *data, size_t n)
{
    struct arena_source *s = data;
    void *p = arena_alloc(s->a, n);
    if (!p)
        s->exhausted = true;
    return p;
}

static void source_free(void *data, void *p)
{
    (void)data; /* released with the arena */
    (void)p;
}

enum err decode_message(const ProtobufCMessageDescriptor *type, str bytes, struct arena *a,
                        ProtobufCMessage **ret, struct error *e)
{
    TRY(check_strings(type, bytes, "", e));
    struct arena_source source = {.a = a};
    ProtobufCAllocator allocator = {
        .alloc = source_alloc, .free = source_free, .allocator_data = &source};
    *ret = protobuf_c_message_unpack(type, &allocator, bytes.len, (const uint8_t *)bytes.p);
    if (*ret)
        return ERR_OK;
    return source.exhausted ? FAIL_NOMEM(e) : malformed(type, e);
}

enum err decode_text(const ProtobufCMessageDescriptor *type, str bytes, str *ret, struct error *e)
{
    *ret = STR_NULL;
    while (bytes.len > 0) {
        uint32_t number;
        unsigned wire_type;
        uint64_t n;
        str value = STR_NULL;
        if (!cut_field(&bytes, &number, &wire_type, &value, &n) ||
            (number == 1 && wire_type != WIRE_LENGTH))
            return malformed(type, e);
        if (number != 1)
            continue;
        TRY(check_utf8(value, "", type->fields[0].name, e));
        *ret = value; /* the last one counts */
    }
    return ERR_OK;
}

int64_t decode_number(str bytes, uint32_t wanted)
{
    uint32_t number;
    unsigned wire_type;
    uint64_t n = 0;
    int64_t found = 0;
    str value;
    while (cut_field(&bytes, &number, &wire_type, &value, &n))
        if (number == wanted && wire_type == WIRE_VARINT)
            found = (int64_t)n; /* the last one counts */
    return found;
}
