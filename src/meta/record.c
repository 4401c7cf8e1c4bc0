#include "meta/record.h"

#include <stdlib.h>

static enum err check_key(enum meta_table table, const struct meta_key *k, struct error *e)
{
    bool too_long = k->too_long || k->len > meta_key_most(table);
    if (too_long || k->len < meta_key_least(table))
        return FAIL(e, ERR_INVALID_ARGUMENT, "meta.key", "a name is %s for the database",
                    too_long ? "too long" : "too short");
    return ERR_OK;
}

/* One from which on there are keys, or with which they begin. */
static enum err check_start(const struct meta_key *k, struct error *e)
{
    return k->too_long
               ? FAIL(e, ERR_INVALID_ARGUMENT, "meta.key", "a name is too long for the database")
               : ERR_OK;
}

/* --- values --- */

static enum err unseal(enum meta_table table, str key, str value, str *ret_payload, struct error *e)
{
    if (record_unseal(table, key, value, ret_payload))
        return ERR_OK;
    return FAIL(e, ERR_DATA_LOSS, "meta.checksum",
                "a record of the server's database (%s) is damaged; restore it from a backup",
                meta_table_name(table));
}

enum err record_get(struct meta_txn *t, enum meta_table table, const struct meta_key *key,
                    str *ret_payload, struct error *e)
{
    str value;
    TRY(check_key(table, key, e));
    TRY(t->meta->backend->ops->get(t->b, table, key_view(key), &value, e));
    return unseal(table, key_view(key), value, ret_payload, e);
}

static void *arena_allocator(void *arena, size_t n)
{
    return arena_alloc(arena, n);
}

static void arena_free_nothing(void *arena, void *p)
{
    (void)arena, (void)p;
}

enum err record_unpack(str payload, const ProtobufCMessageDescriptor *type, struct arena *a,
                       void *ret, struct error *e)
{
    ProtobufCAllocator allocator = {arena_allocator, arena_free_nothing, a};
    static const uint8_t nothing[1];
    const uint8_t *p = payload.len ? (const uint8_t *)payload.p : nothing;
    /* The checksum was right, so only memory can be the reason. */
    ProtobufCMessage *m = protobuf_c_message_unpack(type, &allocator, payload.len, p);
    if (!m)
        return FAIL_NOMEM(e);
    *(ProtobufCMessage **)ret = m;
    return ERR_OK;
}

enum err record_get_message(struct meta_txn *t, enum meta_table table, const struct meta_key *key,
                            const ProtobufCMessageDescriptor *type, struct arena *a, void *ret,
                            struct error *e)
{
    str payload;
    TRY(record_get(t, table, key, &payload, e));
    return record_unpack(payload, type, a, ret, e);
}

/* value: RECORD_HEADER_LEN bytes to fill, then the payload. */
static enum err seal_and_put(struct meta_txn *t, enum meta_table table, const struct meta_key *key,
                             char *value, size_t len, struct error *e)
{
    str payload = str_of(value + RECORD_HEADER_LEN, len - RECORD_HEADER_LEN);
    record_seal(table, key_view(key), payload, value);
    TRY(check_key(table, key, e));
    t->wrote = true;
    return t->meta->backend->ops->put(t->b, table, key_view(key), str_of(value, len), e);
}

static enum err value_new(size_t payload_len, char **ret, struct error *e)
{
    if (payload_len > META_VALUE_MAX)
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "meta.record_too_large",
                    "a record of %zu bytes is too large for the database (max: %d)", payload_len,
                    META_VALUE_MAX);
    *ret = malloc(RECORD_HEADER_LEN + payload_len);
    return *ret ? ERR_OK : FAIL_NOMEM(e);
}

enum err record_put(struct meta_txn *t, enum meta_table table, const struct meta_key *key,
                    str payload, struct error *e)
{
    CLEANUP(freep) char *value = NULL;
    TRY(value_new(payload.len, &value, e));
    if (payload.len)
        memcpy(value + RECORD_HEADER_LEN, payload.p, payload.len);
    return seal_and_put(t, table, key, value, RECORD_HEADER_LEN + payload.len, e);
}

enum err record_put_message(struct meta_txn *t, enum meta_table table, const struct meta_key *key,
                            const ProtobufCMessage *m, struct error *e)
{
    CLEANUP(freep) char *value = NULL;
    size_t len = protobuf_c_message_get_packed_size(m);
    TRY(value_new(len, &value, e));
    protobuf_c_message_pack(m, (uint8_t *)value + RECORD_HEADER_LEN);
    return seal_and_put(t, table, key, value, RECORD_HEADER_LEN + len, e);
}

enum err record_put_mark(struct meta_txn *t, enum meta_table table, const struct meta_key *key,
                         struct error *e)
{
    return record_put(t, table, key, STR_NULL, e);
}

enum err record_del(struct meta_txn *t, enum meta_table table, const struct meta_key *key,
                    struct error *e)
{
    TRY(check_key(table, key, e));
    t->wrote = true;
    enum err err = t->meta->backend->ops->del(t->b, table, key_view(key), e);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* --- scans --- */

enum err scan_open(struct scan *s, struct meta_txn *t, enum meta_table table,
                   const struct meta_key *prefix, struct error *e)
{
    s->t = t;
    s->table = table;
    s->prefix = *prefix;
    TRY(check_start(prefix, e));
    return t->meta->backend->ops->cursor_open(t->b, table, key_view(prefix), &s->cursor, e);
}

static enum err arrive(struct scan *s, str value, struct error *e)
{
    if (!str_starts_with(s->key, key_view(&s->prefix)))
        return FAIL(e, ERR_NOT_FOUND, "meta.no_key", "no such record");
    return unseal(s->table, s->key, value, &s->payload, e);
}

enum err scan_seek(struct scan *s, const struct meta_key *from, struct error *e)
{
    str value;
    TRY(check_start(from, e));
    TRY(s->cursor->ops->seek(s->cursor, key_view(from), &s->key, &value, e));
    return arrive(s, value, e);
}

enum err scan_next(struct scan *s, struct error *e)
{
    str value;
    TRY(s->cursor->ops->next(s->cursor, &s->key, &value, e));
    return arrive(s, value, e);
}

enum err scan_seek_before(struct scan *s, const struct meta_key *before, struct error *e)
{
    str value;
    TRY(check_start(before, e));
    TRY(s->cursor->ops->seek_before(s->cursor, key_view(before), &s->key, &value, e));
    return arrive(s, value, e);
}

void scan_close(struct scan *s)
{
    if (s->cursor)
        s->cursor->ops->cursor_close(s->cursor);
    s->cursor = NULL;
}
