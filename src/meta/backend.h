/*
 * The contract of a metadata backend: ordered key-value tables under transactions.
 *
 * Model: a fixed set of tables, each a map from byte keys (meta_key_least to meta_key_most bytes,
 * ordered as by memcmp, a prefix before what extends it) to byte values. A transaction sees one
 * state of all tables, the one of its begin plus its own writes, whatever others commit meanwhile.
 * What a record means, checksums, limits and the queue of writers are meta.c's: a backend moves
 * bytes.
 * Threads: any number of read transactions at once, each used by one thread at a time; write
 * transactions only by one thread of this process (meta.c sees to it).
 * Errors: NOT_FOUND where a callback says so, RESOURCE_EXHAUSTED when the database or memory is
 * full, else INTERNAL. A message that may name this machine's paths has sys set.
 */
#ifndef STIGMER_META_BACKEND_H
#define STIGMER_META_BACKEND_H

#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"
#include "meta/format.h"

/* Bases, embedded first in a backend's own structs. */
struct meta_backend {
    const struct meta_ops *ops;
    bool read_only;
};
struct meta_btxn {
    const struct meta_ops *ops;
    struct meta_backend *backend;
    bool write;
};
struct meta_bcursor {
    const struct meta_ops *ops;
};

struct meta_ops {
    const char *name; /* for logs */

    /* Frees everything; no transaction is open. */
    void (*close)(struct meta_backend *b);

    /* A read transaction. Must not wait for writers. */
    enum err (*begin_read)(struct meta_backend *b, struct meta_btxn **ret, struct error *e);

    /* A write transaction; waits for another process's. parent NULL: a top one. Otherwise a child:
     * it sees the parent's writes, its commit hands its own to the parent, its abort undoes them
     * alone; the parent must not be used meanwhile. Children do not nest further. */
    enum err (*begin_write)(struct meta_backend *b, struct meta_btxn *parent,
                            struct meta_btxn **ret, struct error *e);

    /* Ends a write transaction, also when it fails. Of a top one: durable when it returns ERR_OK.
     * RESOURCE_EXHAUSTED with sys 0: surely nothing was written. Any other error: unknown. */
    enum err (*commit)(struct meta_btxn *t, struct error *e);

    /* Ends any transaction without effect. NULL is not allowed. */
    void (*abort)(struct meta_btxn *t);

    /* *ret is a view, valid until the transaction ends or writes. NOT_FOUND. */
    enum err (*get)(struct meta_btxn *t, enum meta_table table, str key, str *ret, struct error *e);

    /* Adds or replaces. value may be empty, and must not be a view of this transaction. */
    enum err (*put)(struct meta_btxn *t, enum meta_table table, str key, str value,
                    struct error *e);

    /* NOT_FOUND when there is no such key. */
    enum err (*del)(struct meta_btxn *t, enum meta_table table, str key, struct error *e);

    /* A cursor over the keys that start with prefix, and maybe others; not yet anywhere. It must be
     * closed before its transaction ends, and is not used after a write. */
    enum err (*cursor_open)(struct meta_btxn *t, enum meta_table table, str prefix,
                            struct meta_bcursor **ret, struct error *e);
    void (*cursor_close)(struct meta_bcursor *c);

    /* To the first key >= key (the empty key: the first of all). The views are valid as those of
     * get, the key's until the next step. NOT_FOUND: there is none, and the cursor is nowhere. */
    enum err (*seek)(struct meta_bcursor *c, str key, str *ret_key, str *ret_value,
                     struct error *e);
    /* To the last key < key (the empty key: the last of all). */
    enum err (*seek_before)(struct meta_bcursor *c, str key, str *ret_key, str *ret_value,
                            struct error *e);
    /* One step from where the last successful call went. NOT_FOUND: there is none, and the cursor
     * is nowhere. */
    enum err (*next)(struct meta_bcursor *c, str *ret_key, str *ret_value, struct error *e);

    /* After a top commit whose outcome is unknown: lets go of all that is in memory and opens what
     * is stored, so that everything read from then on is what the disk has. *ret_kept: that commit
     * is there. Called by the writing thread outside of transactions; readers are waited for, but
     * not long. UNAVAILABLE: they do not end. When it fails it is to be tried again; until one
     * succeeds begin_read and begin_write may fail with UNAVAILABLE. */
    enum err (*reopen)(struct meta_backend *b, bool *ret_kept, struct error *e);

    /* What a former schema had, for its migration; NULL: this backend is younger than that. Each
     * calls fn, which may write to other tables, for the records of a tree; get finds nothing where
     * there is no such tree; drop removes it. */
    enum err (*former_each)(struct meta_btxn *t, const char *tree,
                            enum err (*fn)(void *ctx, str key, str value, struct error *e),
                            void *ctx, struct error *e);
    enum err (*former_get)(struct meta_btxn *t, const char *tree, str key, str *ret,
                           struct error *e);
    enum err (*former_drop)(struct meta_btxn *t, const char *tree, struct error *e);

    /* Whether there is room to grow. RESOURCE_EXHAUSTED, with a sentence for clients, when no more
     * is left than what deletes may need. Any thread; cheap unless room is scarce. */
    enum err (*room)(struct meta_backend *b, struct error *e);
};

struct meta;
struct meta_lmdb_options;

/* In memory: a persistent treap, so that snapshots and rollback are exact. For tests. */
enum err meta_mem_new(struct meta_backend **ret, struct error *e);
/* LMDB; see meta_open_lmdb. */
enum err meta_lmdb_new(const char *dir, const struct meta_lmdb_options *options,
                       struct meta_backend **ret, struct error *e);

struct meta_schema;

/* How much waits and goes together; a test may lower them. */
struct meta_limits {
    size_t queue_max;  /* writers that wait; one more is refused */
    size_t batch_max;  /* closures in one commit; at most META_BATCH_MAX */
    int64_t batch_ns;  /* a batch that took so long takes no more closures */
    int64_t retry_ns;  /* between tries to become writable again */
    int64_t verify_ns; /* reading everything again may take so long before writers are refused */
    const struct meta_schema *schema; /* NULL: meta_schema_default */
};
#define META_BATCH_MAX 256
#define META_LIMITS_DEFAULT                                                                        \
    ((struct meta_limits){                                                                         \
        .queue_max = 1024,                                                                         \
        .batch_max = META_BATCH_MAX,                                                               \
        .batch_ns = 50 * NS_PER_MS,                                                                \
        .retry_ns = NS_PER_S,                                                                      \
        .verify_ns = NS_PER_S,                                                                     \
    })

/* A meta over any backend, which it owns from here on, also when this fails. limits: NULL =
 * META_LIMITS_DEFAULT. */
enum err meta_new(struct meta_backend *take, const struct meta_limits *limits, struct meta **ret,
                  struct error *e);

#endif
