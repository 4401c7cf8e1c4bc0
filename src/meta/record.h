/* Records in tables: reading, writing, scanning. Private to src/meta. */
#ifndef STIGMER_META_RECORD_H
#define STIGMER_META_RECORD_H

#include "meta/backend.h"
#include "meta/format.h"
#include "meta/meta.h"
#include "meta/writer.h"

#include <protobuf-c/protobuf-c.h>

struct meta {
    struct meta_backend *backend;
    const struct meta_schema *schema;
    struct writer writer; /* not running when the backend is read_only */
};

/* --- values --- */

/* *ret_payload is valid until the transaction ends or writes. NOT_FOUND, DATA_LOSS. */
enum err record_get(struct meta_txn *t, enum meta_table table, const struct meta_key *key,
                    str *ret_payload, struct error *e);
/* As record_get, unpacked into the arena; free nothing. */
enum err record_get_message(struct meta_txn *t, enum meta_table table, const struct meta_key *key,
                            const ProtobufCMessageDescriptor *type, struct arena *a, void *ret,
                            struct error *e);
enum err record_put(struct meta_txn *t, enum meta_table table, const struct meta_key *key,
                    str payload, struct error *e);
enum err record_put_message(struct meta_txn *t, enum meta_table table, const struct meta_key *key,
                            const ProtobufCMessage *m, struct error *e);
/* An entry that is its key alone. */
enum err record_put_mark(struct meta_txn *t, enum meta_table table, const struct meta_key *key,
                         struct error *e);
/* Nothing to delete is fine. */
enum err record_del(struct meta_txn *t, enum meta_table table, const struct meta_key *key,
                    struct error *e);

/* Unpacks payload into the arena: *ret is a message pointer of that type. */
enum err record_unpack(str payload, const ProtobufCMessageDescriptor *type, struct arena *a,
                       void *ret, struct error *e);

/* --- scans --- */

/* The records whose key starts with a prefix, upwards.
 *     CLEANUP(scan_close) struct scan s = SCAN_INIT;
 *     TRY(scan_open(&s, t, table, &prefix, e));
 *     enum err err = scan_seek(&s, &from, e);
 *     for (; err == ERR_OK; err = scan_next(&s, e)) … s.key, s.payload …
 *     return scan_done(err); */
struct scan {
    struct meta_txn *t;
    enum meta_table table;
    struct meta_key prefix;
    struct meta_bcursor *cursor;
    str key, payload; /* valid until the next step */
};
#define SCAN_INIT ((struct scan){.cursor = NULL})
enum err scan_open(struct scan *s, struct meta_txn *t, enum meta_table table,
                   const struct meta_key *prefix, struct error *e);
/* The first key >= from, which starts with the prefix. NOT_FOUND: no more. */
enum err scan_seek(struct scan *s, const struct meta_key *from, struct error *e);
enum err scan_next(struct scan *s, struct error *e);
/* The last key < before that has the prefix. NOT_FOUND: none. */
enum err scan_seek_before(struct scan *s, const struct meta_key *before, struct error *e);
void scan_close(struct scan *s);
/* The end of a scan is not an error. */
static inline enum err scan_done(enum err err)
{
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

#endif
