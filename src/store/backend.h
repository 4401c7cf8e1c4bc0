/*
 * What a store backend must do. Only store.c and the backends include this.
 *
 * Model: a backend moves bytes and names; hashing, limits, verification, the memory of what was
 * verified and the client's error texts are store.c's. It embeds `struct store` first in its own
 * struct, fills it with store_init and hands out the base.
 * What a backend on remote object storage will need is kept in mind: no operation assumes that
 * artifacts are local files, an artifact is opened into *some* descriptor, `head` is cheap, and a
 * repeated `publish` of the same bytes does no harm.
 * Threads: every callback may be called by any number of threads at once, except that one spool is
 * used by one thread at a time.
 * Errors: NOT_FOUND and ALREADY_EXISTS only where a callback names them. Everything that failed in
 * the operating system keeps its errno in struct error.sys.
 */
#ifndef STIGMER_STORE_BACKEND_H
#define STIGMER_STORE_BACKEND_H

#include "base/metric.h"
#include "base/sys.h"
#include "store/seen.h"
#include "store/store.h"

#include <stdatomic.h>

struct store_ops {
    const char *name; /* for the log */

    /* Frees what the backend owns, the struct included. Never fails; nothing is in flight. */
    void (*close)(struct store *s);

    /* A new empty file, open for reading and writing, that nobody else can reach and that vanishes
     * when the descriptor is closed or the process dies. */
    enum err (*spool_open)(struct store *s, int *ret_fd, struct error *e);

    /* Writes at off, which is always the end. A failure ends the spool. */
    enum err (*spool_write)(struct store *s, int fd, const void *p, size_t len, uint64_t off,
                            struct error *e);

    /* Makes the spool's bytes durable where `publish` needs that (else does nothing). Called once
     * per spool: after a failure it is never called again and the spool is never published. */
    enum err (*spool_sync)(struct store *s, int fd, struct error *e);

    /* Gives a synced spool of len bytes the name d, durably: what ERR_OK acknowledged survives a
     * power cut. Never replaces. ALREADY_EXISTS: the name is taken and nothing was changed. Any
     * other failure: unknown whether the artifact exists; if it does, its bytes are right. */
    enum err (*publish)(struct store *s, int fd, uint64_t len, const struct digest *d,
                        struct error *e);

    /* The version of the bytes that have the name d, without reading them. NOT_FOUND. */
    enum err (*head)(struct store *s, const struct digest *d, struct blob_version *ret,
                     struct error *e);

    /* Opens the bytes and tells their length and version. NOT_FOUND. DATA_LOSS: what has the name
     * cannot be an artifact (a directory, a link); *ret_version is valid, nothing is opened. */
    enum err (*open)(struct store *s, const struct digest *d, struct artifact *ret,
                     struct blob_version *ret_version, struct error *e);

    /* Gives a synced spool the name d in place of what has it now, durably and without a moment at
     * which the name is missing; what had it is kept as by `quarantine`. NOT_FOUND: what has the
     * name is not the version `bad` (any more); nothing was changed. */
    enum err (*replace)(struct store *s, int fd, const struct digest *d,
                        const struct blob_version *bad, struct error *e);

    /* Makes the bytes and the name of an opened artifact durable, as publish would have: it may
     * have been put a moment ago by somebody who is not done yet. What is read from it afterwards
     * comes from where it is durable, not from a cache that a failed write has left behind. */
    enum err (*persist)(struct store *s, const struct artifact *a, struct error *e);

    /* Takes the bytes away from the name d and keeps them for an operator to look at, provided
     * that they still are the version `bad`. NOT_FOUND: they are not, somebody else dealt with it;
     * nothing was changed. */
    enum err (*quarantine)(struct store *s, const struct digest *d, const struct blob_version *bad,
                           struct error *e);

    /* Calls fn for each name that is an artifact's, skipping what is not, until fn fails. */
    enum err (*each)(struct store *s,
                     enum err (*fn)(void *ctx, const struct store_info *, struct error *),
                     void *ctx, struct error *e);

    /* Removes the name, durably. NOT_FOUND. */
    enum err (*remove)(struct store *s, const struct digest *d, struct error *e);

    /* As store_hold. */
    enum err (*hold)(struct store *s, enum store_hold how, int *ret_fd, struct error *e);

    /* Whether something can be written durably and read back. */
    enum err (*probe)(struct store *s, struct error *e);

    /* How much room there is. */
    enum err (*room)(struct store *s, struct sys_room *ret, struct error *e);
};

struct store {
    const struct store_ops *ops;
    struct seen *seen; /* what was verified */
    struct store_reserve reserve;
    atomic_bool broken;          /* a write has failed: no changes until a probe succeeds */
    struct metric_buckets syncs; /* seconds of each fsync */
};

/* Fills the base of a backend. RESOURCE_EXHAUSTED when memory is out. */
enum err store_init(struct store *s, const struct store_ops *ops, struct error *e);
/* What a change that failed means for the store: forwards err, or turns the store read-only and
 * answers UNAVAILABLE. A full disk becomes a sentence for clients. */
enum err store_judge(struct store *s, enum err err, struct error *e);
/* A full disk is the one failure of the operating system that a client can do something about:
 * its errno is replaced by a sentence without any of this machine's details. */
enum err store_plain(enum err err, struct error *e);
/* Locks fd, which this takes over, for store_hold. For backends. */
enum err store_lock(int fd, enum store_hold how, int *ret_fd, struct error *e);
/* Undoes store_init; accepts a zeroed struct. For a backend's `close`. */
void store_deinit(struct store *s);

#endif
