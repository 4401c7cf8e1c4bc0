/*
 * The metadata: skills, versions, tags, references and events, under transactions.
 *
 * Model: one database of typed records in ordered tables (backend.h). Reads see a snapshot. Writes
 * are closures run by one writer thread, which commits whatever waits together: many writers, one
 * fsync. Every record carries a checksum over its table, key and value, verified when it is read.
 * Order is by sequence number; times come from meta_next, which never repeats and never goes back.
 * Nothing is cached outside the database, so that several processes may share it.
 * Ownership: what a read answers lives in the caller's arena.
 * Threads: a meta may be used by any thread; a transaction by one. Reads never wait for writes and
 * take microseconds: they may run in an event loop. meta_write waits for the disk: it may not.
 * Errors: NOT_FOUND where a function says so; DATA_LOSS when a record does not match its checksum;
 * UNAVAILABLE when writing has stopped (see meta_write).
 */
#ifndef STIGMER_META_META_H
#define STIGMER_META_META_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"
#include "digest/sha256.h"
#include "meta/format.h"

struct meta;
struct meta_btxn;

/* Bounds of what goes into keys, in bytes; the caller has checked them. */
enum {
    META_ID_MAX = 420,
    META_SLUG_MAX = 256,
    META_ORG_MAX = 128,
    META_TAG_MAX = 128,
    META_VALUE_MAX = 4 << 20, /* one record; a larger one is RESOURCE_EXHAUSTED */
};

#define META_SCHEMA_VERSION 3

/* --- opening --- */

struct meta_lmdb_options {
    uint64_t map_size; /* address space reserved, the most the database can grow to; 0 = 64 GiB */
    bool read_only;    /* beside a running server; meta_write is refused */
    bool no_sync;      /* commits are not durable: for what can be made again (bench/seed.c) */
};

/* A directory of files (LMDB); made with mode 0700, the files with 0600. options: NULL = defaults.
 * One process must not open the same directory twice.
 * An older schema is migrated in one transaction (read_only: refused).
 * FAILED_PRECONDITION: written by a newer server, or by one too old (says which schema), or not a
 * database. NOT_FOUND: read_only and no such directory. */
enum err meta_open_lmdb(const char *dir, const struct meta_lmdb_options *options, struct meta **ret,
                        struct error *e);
/* Writes the database in the directory dir, as of one transaction, to the file fd: only what is in
 * use, not yet durable. Also beside who has it open, in another process. NOT_FOUND: there is none.
 * Its pages must be sound (check.h). */
enum err meta_copy_lmdb(const char *dir, int fd, struct error *e);
/* In memory, for tests. */
enum err meta_open_mem(struct meta **ret, struct error *e);
/* Waits for the writer to end. No transaction is open, nobody is in meta_write. NULL is fine. */
void meta_close(struct meta *m);

/* Whether changes are taken now. */
bool meta_writable(const struct meta *m);
/* The families stigmer_database_…; not of one opened read_only. */
void meta_metrics(struct meta *m, struct buf *out);
/* How often a commit has failed since the start. */
uint64_t meta_failures(const struct meta *m);
/* What meta_write (growing) or meta_write_freeing would answer at once: UNAVAILABLE while the
 * metadata is read-only, RESOURCE_EXHAUSTED when there is no room to grow. For whoever wants to
 * refuse before work is done. */
enum err meta_ready(struct meta *m, bool growing, struct error *e);

/* --- transactions --- */

struct meta_txn {
    struct meta *meta;
    struct meta_btxn *b; /* NULL when ended */
    bool wrote;          /* something was put or deleted, or tried to be */
};
#define META_TXN_INIT ((struct meta_txn){0})

/* CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT; TRY(meta_read_begin(m, &t, e)); */
enum err meta_read_begin(struct meta *m, struct meta_txn *ret, struct error *e);
/* Accepts META_TXN_INIT. */
void meta_read_end(struct meta_txn *t);

/* Runs on the writer thread. May be run more than once, each time on a fresh transaction: all it
 * does follows from the transaction and arg, and what it writes to arg it writes anew. Its error
 * undoes its own writes only and is what meta_write answers. */
typedef enum err meta_fn(struct meta_txn *t, void *arg, struct error *e);

/* Queues fn and waits until its batch is durable (or fn failed).
 * RESOURCE_EXHAUSTED: too many writers wait, or the database or its disk is full: nothing changed.
 * UNAVAILABLE: the commit failed, or an earlier one did and the metadata is still read-only. What
 * was in the commit is not acknowledged, whether or not it was saved. The writer opens the database
 * again, reads all of it and makes a commit that holds nothing before it takes changes again; it
 * tries that by itself until it succeeds.
 * FAILED_PRECONDITION: opened read_only. */
enum err meta_write(struct meta *m, meta_fn *fn, void *arg, struct error *e);
/* As meta_write, for what makes room (deletes, garbage collection): it may use the reserve that
 * meta_write keeps. */
enum err meta_write_freeing(struct meta *m, meta_fn *fn, void *arg, struct error *e);

/* --- records --- */

struct meta_skill {
    str id;
    uint64_t number; /* stands for the id elsewhere; never reused */
    uint32_t scope;
    str org, slug;
    bool live;
    uint64_t life;                /* 1 for the first */
    uint64_t first_seq, last_seq; /* of this (or the last) life; over all lives */
    int64_t created_at_ns;        /* of this (or the last) life */
    str created_by;
    int64_t deleted_at_ns; /* 0 while live */
    str deleted_by;
    uint64_t purged_seq; /* versions up to this one are gone */
};

struct meta_pair {
    str key, value;
};

struct meta_version {
    uint64_t seq; /* 1, 2, 3 … per skill, over all its lives */
    str name, tag;
    struct digest artifact; /* of the archive */
    uint64_t size;
    struct digest text; /* of SKILL.md */
    uint64_t text_seq;  /* the version that has it: this one, or one before it with which all
                           between share it */
    uint64_t life;
    uint64_t sequence; /* of its event */
    int64_t created_at_ns, updated_at_ns;
    str created_by, updated_by, event;
    const struct meta_pair *labels, *annotations;
    size_t n_labels, n_annotations;
    const str *resource_tags;
    size_t n_resource_tags;
};

struct meta_tag {
    uint64_t seq;
    int64_t moved_at_ns;
    str moved_by;
};

struct meta_event {
    uint64_t sequence;
    str what, id, who;
    uint64_t seq; /* the version it is about, or 0 */
    int64_t time_ns;
    str detail; /* the tag that moved */
};

struct meta_artifact {
    uint64_t size;
    uint32_t state; /* META_ARTIFACT_… */
    int64_t created_at_ns;
    uint32_t n_files;    /* in its manifest; 0 = not recorded (an archive has at least one) */
    uint64_t files_size; /* bytes of all of them */
};
/* How garbage goes (ARCHITECTURE.md, "Garbage"): no version holds what is not live. */
enum { META_ARTIFACT_LIVE = 1, META_ARTIFACT_CONDEMNED = 2, META_ARTIFACT_DELETING = 3 };

/* One file of an archive's manifest. */
struct meta_file {
    str path;
    uint64_t size;
    struct digest sha256;
    uint32_t mode;
};

/* --- skills --- */

/* NOT_FOUND. */
enum err meta_skill_get(struct meta_txn *t, str id, struct arena *a, struct meta_skill *ret,
                        struct error *e);
/* Adds or replaces, and keeps the list of live skills, the slugs and the counters in step.
 * id, number, scope, org and slug never change once written. */
enum err meta_skill_put(struct meta_txn *t, const struct meta_skill *s, struct error *e);
/* How many live skills; of one org, or of all when org is empty. */
enum err meta_live_count(struct meta_txn *t, str org, uint64_t *ret_n, struct error *e);
/* Live skills whose id starts with prefix, in order of id; those after the id `after` (empty: from
 * the start), leaving out the first `skip`. At most max ids. */
enum err meta_live_list(struct meta_txn *t, str prefix, str after, uint64_t skip, struct arena *a,
                        str *ret_ids, size_t max, size_t *ret_n, struct error *e);
/* The live skills of that slug in any scope and org, at most max ids. */
enum err meta_slug_list(struct meta_txn *t, str slug, struct arena *a, str *ret_ids, size_t max,
                        size_t *ret_n, struct error *e);
/* The skill, live or not, with the smallest id above `after` (empty: the first). NOT_FOUND: none.
 */
enum err meta_skill_next(struct meta_txn *t, str after, struct arena *a, struct meta_skill *ret,
                         struct error *e);
/* Every skill, live or not, in order of id, until fn fails. */
enum err meta_skill_each(struct meta_txn *t,
                         enum err (*fn)(void *ctx, const struct meta_skill *, struct error *),
                         void *ctx, struct error *e);

/* --- versions --- */

/* NOT_FOUND. */
enum err meta_version_get(struct meta_txn *t, uint64_t number, uint64_t seq, struct arena *a,
                          struct meta_version *ret, struct error *e);
/* Adds v and makes it findable by its archive's hash; the archive is recorded, live and referenced.
 * FAILED_PRECONDITION: the archive is being deleted. */
enum err meta_version_add(struct meta_txn *t, uint64_t number, const struct meta_version *v,
                          struct error *e);
/* The newest version with that archive. NOT_FOUND. */
enum err meta_hash_find(struct meta_txn *t, uint64_t number, const struct digest *artifact,
                        uint64_t *ret_seq, struct error *e);
/* Removes a version and its tags, what referred to it, and its text unless the next version shares
 * it: to be called for the versions of a skill in order. NOT_FOUND. */
enum err meta_version_remove(struct meta_txn *t, uint64_t number, uint64_t seq, struct error *e);

/* --- archives --- */

/* NOT_FOUND. */
enum err meta_artifact_get(struct meta_txn *t, const struct digest *d, struct meta_artifact *ret,
                           struct error *e);
/* Whether any version of any skill holds the archive. */
enum err meta_artifact_referenced(struct meta_txn *t, const struct digest *d, bool *ret,
                                  struct error *e);

/* The versions that hold an archive, until fn fails. */
enum err meta_artifact_holders(struct meta_txn *t, const struct digest *d,
                               enum err (*fn)(void *ctx, uint64_t number, uint64_t seq,
                                              struct error *),
                               void *ctx, struct error *e);

struct meta_artifact_entry {
    struct digest digest;
    struct meta_artifact artifact;
    bool referenced;
};
/* The recorded archives after `after` (NULL: from the first), in order of hash, at most max. */
enum err meta_artifact_list(struct meta_txn *t, const struct digest *after,
                            struct meta_artifact_entry *ret, size_t max, size_t *ret_n,
                            struct error *e);

/* The three steps of removing an archive that no version holds; each does nothing where it does
 * not apply, and says so. */
/* Live or not recorded -> condemned. A version that comes to hold it makes it live again. size: in
 * bytes, for one that is not recorded. */
enum err meta_artifact_condemn(struct meta_txn *t, const struct digest *d, uint64_t size,
                               int64_t now_ns, bool *ret_done, struct error *e);
/* Condemned -> deleting: from here on no version can come to hold it, and its file may be removed.
 */
enum err meta_artifact_claim(struct meta_txn *t, const struct digest *d, bool *ret_done,
                             struct error *e);
/* Deleting -> not recorded, with its manifest. To be called when the file is durably gone. */
enum err meta_artifact_forget(struct meta_txn *t, const struct digest *d, bool *ret_done,
                              struct error *e);

/* --- manifests --- */

/* The n files of a manifest; get gives the i-th. Its path may end with the next call. */
struct meta_file_source {
    enum err (*get)(void *ctx, uint32_t i, struct meta_file *ret, struct error *e);
    void *ctx;
    uint32_t n;
};

/* Records the manifest of an archive that meta_version_add recorded, in the order given; one that
 * is there is left alone. n > 0. At most a few hundred KiB of memory besides what the backend needs
 * for a transaction. NOT_FOUND: no such archive. Also the errors of get. */
enum err meta_files_put(struct meta_txn *t, const struct digest *artifact,
                        const struct meta_file_source *files, struct error *e);
/* The n files from number first on, all of which the archive's n_files promises; the memory needed
 * grows with n alone. DATA_LOSS when they are not there. */
enum err meta_files_get(struct meta_txn *t, const struct digest *artifact, uint32_t first,
                        uint32_t n, struct arena *a, struct meta_file *ret, struct error *e);

/* --- texts --- */

/* SKILL.md's bytes, as the versions with that text_seq have them. NOT_FOUND. */
enum err meta_text_get(struct meta_txn *t, uint64_t number, uint64_t text_seq, struct arena *a,
                       str *ret, struct error *e);
enum err meta_text_put(struct meta_txn *t, uint64_t number, uint64_t text_seq, str text,
                       struct error *e);

/* --- tags --- */

/* NOT_FOUND. */
enum err meta_tag_get(struct meta_txn *t, uint64_t number, str tag, struct arena *a,
                      struct meta_tag *ret, struct error *e);
enum err meta_tag_set(struct meta_txn *t, uint64_t number, str tag, const struct meta_tag *v,
                      struct error *e);
/* Nothing to remove is fine. */
enum err meta_tag_remove(struct meta_txn *t, uint64_t number, str tag, struct error *e);
/* The tags that point at version seq now, in byte order. */
enum err meta_tags_of(struct meta_txn *t, uint64_t number, uint64_t seq, struct arena *a,
                      const str **ret, size_t *ret_n, struct error *e);

/* --- order and time --- */

/* The next sequence number, and the time max(last + 1, now_ns). */
enum err meta_next(struct meta_txn *t, int64_t now_ns, uint64_t *ret_sequence, int64_t *ret_time_ns,
                   struct error *e);
/* Under ev->sequence, which meta_next gave. */
enum err meta_event_add(struct meta_txn *t, const struct meta_event *ev, struct error *e);
/* NOT_FOUND. */
enum err meta_event_get(struct meta_txn *t, uint64_t sequence, struct arena *a,
                        struct meta_event *ret, struct error *e);

/* --- scrub --- */

/* How far reading all archives again has come. */
struct meta_scrub {
    int64_t started_ns; /* of the pass that is under way; 0 = none is */
    bool has_position;
    struct digest position;     /* the last archive it has read */
    uint64_t archives, damaged; /* so far */
    int64_t completed_ns;       /* of the last whole pass; 0 = there was none */
    uint64_t last_archives, last_damaged;
};
/* Zeroes before the first. */
enum err meta_scrub_get(struct meta_txn *t, struct meta_scrub *ret, struct error *e);
enum err meta_scrub_set(struct meta_txn *t, const struct meta_scrub *v, struct error *e);

/* --- salvage --- */

/* Takes a record over from a damaged database (its payload, as format.h unseals it) into this one,
 * and makes all anew that follows from it: lists, references, counters. What follows from others is
 * left out, so every record that is found may be given, archives before versions. One that cannot
 * be read is left out, too. */
enum err meta_salvage(struct meta_txn *t, enum meta_table table, str key, str payload,
                      struct error *e);
/* After the last: the order of events goes on after the last one. */
enum err meta_salvage_end(struct meta_txn *t, struct error *e);

#endif
