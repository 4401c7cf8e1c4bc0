#include "cli/json.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "pb.h"

#include <stdlib.h>

enum { REPLACEMENT = 0xfffd, NAME_TEXT_MAX = 64, DEL = 0x7f };

json_t *json_of_text(str s)
{
    CLEANUP(buf_deinit) struct buf b;
    buf_init(&b, s.len * 3 + 1);
    while (s.len) {
        uint32_t cp = REPLACEMENT;
        if (!utf8_next(&s, &cp))
            s = str_skip(s, 1);
        utf8_add(&b, cp);
    }
    return b.failed ? NULL : json_stringn_nocheck(b.p ? b.p : "", b.len);
}

json_t *json_of_name(str s)
{
    if (utf8_valid(s))
        return json_stringn_nocheck(s.p ? s.p : "", s.len);
    CLEANUP(buf_deinit) struct buf b;
    buf_init(&b, s.len * UTF8_ESCAPED_MAX);
    utf8_add_escaped(&b, s);
    return b.failed ? NULL : json_stringn_nocheck(b.p, b.len);
}

/* protobuf JSON mapping: an underscore goes, the letter behind it becomes upper case. */
static void camel_case(const char *name, char out[NAME_TEXT_MAX])
{
    size_t n = 0;
    bool up = false;
    for (; *name && n < NAME_TEXT_MAX - 1; name++) {
        if (*name == '_') {
            up = true;
            continue;
        }
        out[n++] = up && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
        up = false;
    }
    out[n] = '\0';
}

/* Bounded to what nanoseconds since the epoch can say: the numbers are the server's. */
static json_t *of_time(const ProtobufCMessage *m)
{
    char text[CLOCK_RFC3339_MAX];
    const PB_TIMESTAMP *t = (const PB_TIMESTAMP *)m;
    int64_t seconds = MIN(MAX(t->seconds, 0), INT64_MAX / NS_PER_S - 1);
    int32_t nanos = MIN(MAX(t->nanos, 0), (int32_t)NS_PER_S - 1);
    clock_format_rfc3339(seconds * NS_PER_S + nanos, text);
    return json_string(text);
}

static json_t *of_enum(const ProtobufCEnumDescriptor *d, int value)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(d, value);
    return v ? json_string(v->name) : json_integer(value);
}

static json_t *of_value(const ProtobufCFieldDescriptor *f, const void *p)
{
    const char *text;
    const ProtobufCMessage *m;
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        text = *(const char *const *)p;
        return json_of_text(str_c(text));
    case PROTOBUF_C_TYPE_MESSAGE:
        m = *(const ProtobufCMessage *const *)p;
        return m ? json_of_message(m) : json_null();
    case PROTOBUF_C_TYPE_ENUM:
        return of_enum(f->descriptor, *(const int *)p);
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)p);
    case PROTOBUF_C_TYPE_INT32:
        return json_integer(*(const int32_t *)p);
    case PROTOBUF_C_TYPE_UINT32:
        return json_integer(*(const uint32_t *)p);
    case PROTOBUF_C_TYPE_INT64:
        return json_integer(*(const int64_t *)p);
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_BYTES:
        break;
    }
    return json_null(); /* no answer of the contract has such a field */
}

/* Every type that of_value knows: pointers, or its own size. */
static size_t size_of_value(const ProtobufCFieldDescriptor *f)
{
    switch ((int)f->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_INT64:
        return sizeof(int64_t);
    default:
        return sizeof(int32_t);
    }
}

/* A map<string, string> arrives as messages with the fields key and value. */
static bool is_map(const ProtobufCFieldDescriptor *f)
{
    const ProtobufCMessageDescriptor *d = f->descriptor;
    return f->type == PROTOBUF_C_TYPE_MESSAGE && str_ends_with(str_c(d->name), STR("Entry")) &&
           d->n_fields == 2 && str_eq(str_c(d->fields[0].name), STR("key"));
}

static bool add_map_entry(json_t *to, const ProtobufCMessage *entry)
{
    const ProtobufCFieldDescriptor *f = entry->descriptor->fields;
    CLEANUP(json_decrefp) json_t *key = of_value(&f[0], (const char *)entry + f[0].offset);
    json_t *value = of_value(&f[1], (const char *)entry + f[1].offset);
    return json_object_set_new_nocheck(to, key ? json_string_value(key) : "", value) == 0;
}

static json_t *of_repeated(const ProtobufCFieldDescriptor *f, size_t n, const char *items)
{
    bool map = is_map(f), ok = true;
    CLEANUP(json_decrefp) json_t *j = map ? json_object() : json_array();
    for (size_t i = 0; i < n && ok; i++) {
        const char *item = items + i * size_of_value(f);
        ok = map ? add_map_entry(j, *(const ProtobufCMessage *const *)(const void *)item)
                 : json_array_append_new(j, of_value(f, item)) == 0;
    }
    return ok ? STEAL(j) : NULL;
}

static json_t *of_field(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    const char *p = (const char *)m + f->offset;
    if (f->label != PROTOBUF_C_LABEL_REPEATED)
        return of_value(f, p);
    const size_t *n = (const size_t *)(const void *)((const char *)m + f->quantifier_offset);
    return of_repeated(f, *n, *(const char *const *)(const void *)p);
}

json_t *json_of_message(const ProtobufCMessage *m)
{
    char name[NAME_TEXT_MAX];
    if (str_eq(str_c(m->descriptor->name), STR("google.protobuf.Timestamp")))
        return of_time(m);
    CLEANUP(json_decrefp) json_t *j = json_object();
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        camel_case(f->name, name);
        if (json_object_set_new(j, name, of_field(m, f)) < 0)
            return NULL;
    }
    return STEAL(j);
}

/* DEL is the one byte of ASCII that jansson leaves as it is and a terminal may act on. */
static void write_text(const struct term *t, const char *text)
{
    for (const char *del; (del = strchr(text, DEL)); text = del + 1)
        term_printf(t, "%.*s\\u007f", (int)(del - text), text);
    term_printf(t, "%s\n", text);
}

static enum err print(const struct term *t, json_t *j, size_t flags, struct error *e)
{
    CLEANUP(json_decrefp) json_t *owned = j;
    if (t->tty)
        flags |= JSON_ENSURE_ASCII;
    CLEANUP(freep) char *text = owned ? json_dumps(owned, flags) : NULL;
    if (!text)
        return FAIL_NOMEM(e);
    write_text(t, text);
    return ERR_OK;
}

enum err json_print(const struct term *t, json_t *j, struct error *e)
{
    return print(t, j, JSON_INDENT(2), e);
}

enum err json_print_line(const struct term *t, json_t *j, struct error *e)
{
    return print(t, j, JSON_COMPACT | JSON_ENSURE_ASCII, e);
}
