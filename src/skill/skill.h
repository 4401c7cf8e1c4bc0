/*
 * What the product does with skills: push, resolve, list, tag, delete.
 *
 * Model: a skill is (scope, org, slug) with a stable id and a growing history of versions; each
 * version is a sealed archive (by hash) plus its SKILL.md, tag and audit record. One version is
 * current. Deleting ends a life; a later push of the slug starts a new one under the same id.
 * Ownership: results are views into the caller's arena. Requests are only read.
 * Threads: the service may be used by any thread. Calls marked [blocks] wait for the disk and
 * belong on a worker; the others are short reads that may run in an event loop.
 * Errors carry the code and text that API.md sections 3 and 4 give, ready for the wire.
 */
#ifndef STIGMER_SKILL_SKILL_H
#define STIGMER_SKILL_SKILL_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "digest/sha256.h"

struct meta;
struct store;
struct spool;
struct artifact;

/* The wire's numbers (ApiResourceOwnerScope). */
enum skill_scope {
    SKILL_SCOPE_UNSPECIFIED = 0,
    SKILL_SCOPE_PLATFORM = 1,
    SKILL_SCOPE_ORGANIZATION = 2,
    SKILL_SCOPE_IDENTITY_ACCOUNT = 3,
};

/* Bounds in bytes; the validation of API.md section 3 uses them. */
enum {
    SKILL_NAME_MAX = 256,
    SKILL_SLUG_MAX = 256,
    SKILL_TAG_MAX = 128,
    SKILL_ORG_MAX = 128,
    SKILL_LIST_TEXT_MAX = 3 << 20, /* of all texts in one page: gRPC clients take 4 MiB */
    SKILL_FILES_PAGE_MAX = 1000,   /* files in one page: some 1.1 MiB with the longest paths */
};

struct skill_pair {
    str key, value;
};

/* One version of one skill, as answered. */
struct skill {
    str id, name, slug, org;
    enum skill_scope scope;
    uint64_t version_no; /* 1 for the first version ever pushed under this id */
    str skill_md;        /* empty where a list leaves it out */
    str tag;             /* as pushed; may be empty */
    struct digest hash;
    uint64_t size; /* archive bytes */
    str created_by, updated_by, event;
    int64_t created_at_ns, updated_at_ns; /* since the epoch */
    bool current;                         /* the newest of a live skill */
    bool deleted;                         /* belongs to an ended life */
    const str *tags_pointing; /* tags that point at this version now (versions list only) */
    size_t n_tags_pointing;
    const struct skill_pair *labels, *annotations; /* metadata kept across updates */
    size_t n_labels, n_annotations;
    const str *resource_tags; /* ApiResourceMetadata.tags */
    size_t n_resource_tags;
};

struct pool;
struct skill_service;

/* store, meta and workers are borrowed and must outlive the service. workers: help with large
 * archives; may be NULL. clock: NULL = the real one. */
enum err skill_service_new(struct store *store, struct meta *meta, struct pool *workers,
                           clock_fn *clock, struct skill_service **ret, struct error *e);
void skill_service_free(struct skill_service *s);

/* What every change (growing: that needs room) is refused for now, before any work: UNAVAILABLE
 * while storage or database are read-only after a failure, RESOURCE_EXHAUSTED when they are full.
 * The sentences are for clients. */
enum err skill_ready(struct skill_service *s, bool growing, struct error *e);

struct skill_push {
    str name;
    enum skill_scope scope;
    str org;
    str tag;
    str actor; /* who pushes; empty = "system" */
};

/* [blocks] Audits the sealed spool, makes it durable, commits version, tag, current record and
 * event in one transaction. The request's fields were validated by the caller (API.md section 3);
 * slug and scope rules are checked here, before any work on the archive.
 * INVALID_ARGUMENT "invalid skill name: …" or "failed to extract SKILL.md: …". */
enum err skill_push(struct skill_service *s, const struct skill_push *in, struct spool *spool,
                    struct arena *a, struct skill *ret, struct error *e);

/* The current version of a live skill. NOT_FOUND "Skill not found: <id>". */
enum err skill_get(struct skill_service *s, str id, struct arena *a, struct skill *ret,
                   struct error *e);

struct skill_ref {
    enum skill_scope scope;
    str org, slug;
    str version; /* "" or "latest", 64 lower-case hex digits, or a tag */
};
/* API.md section 4, "Versions" and "Scope and reference". */
enum err skill_resolve(struct skill_service *s, const struct skill_ref *ref, struct arena *a,
                       struct skill *ret, struct error *e);

struct skill_tag {
    str tag; /* "latest" for a reference without a version */
    struct digest hash;
    int64_t moved_at_ns;
    str moved_by;
};

/* Where the tag in ref->version points. INVALID_ARGUMENT: that is a hash. Else as skill_resolve. */
enum err skill_tag(struct skill_service *s, const struct skill_ref *ref, struct arena *a,
                   struct skill_tag *ret, struct error *e);

/* [blocks] Takes the skill out of the live set; *ret is what it was. actor as in skill_push. */
enum err skill_delete(struct skill_service *s, str id, str actor, struct arena *a,
                      struct skill *ret, struct error *e);

/* [blocks] Points `tag` at the version that ref names. `latest` and 64 hex digits are refused. */
enum err skill_move_tag(struct skill_service *s, const struct skill_ref *ref, str tag, str actor,
                        struct arena *a, struct skill *ret, struct error *e);

struct skill_list {
    struct skill *items;
    size_t n_items;
    uint64_t total; /* of all that match */
    str next_token; /* empty: no more */
};

struct skill_find {
    str org;            /* empty = all */
    uint32_t page;      /* from 1; used when token is empty */
    uint32_t page_size; /* 1 to 100 */
    str token;          /* from next_token; INVALID_ARGUMENT when it is not one */
};
/* Live skills in a stable order (id). SKILL.md is included up to the first one with which the page
 * would exceed SKILL_LIST_TEXT_MAX; from there on it is left out and skill_get gives it.
 * Numbered pages reach the first 100,000 skills, tokens all. */
enum err skill_find(struct skill_service *s, const struct skill_find *q, struct arena *a,
                    struct skill_list *ret, struct error *e);

struct skill_versions {
    struct skill_ref ref; /* version is ignored */
    bool include_deleted; /* earlier lives too; then a deleted skill is found as well, by the
                           * scope and org it had */
    uint32_t page_size;   /* 1 to 100 */
    str token;
};
/* Newest first, without SKILL.md, with the tags that point at each. */
enum err skill_versions(struct skill_service *s, const struct skill_versions *q, struct arena *a,
                        struct skill_list *ret, struct error *e);

/* One file of a version, as it is when unpacked. */
struct skill_file {
    str path; /* relative, '/' between components; UTF-8 without control characters */
    uint64_t size;
    struct digest sha256;
    uint32_t mode; /* 0755 or 0644 */
};

struct skill_file_list {
    struct digest hash; /* of the version */
    struct skill_file *items;
    size_t n_items;
    uint32_t total;      /* files of the version */
    uint64_t total_size; /* bytes of all of them */
    str next_token;      /* empty: no more */
};

struct skill_files {
    struct skill_ref ref;
    uint32_t page_size; /* 1 to SKILL_FILES_PAGE_MAX */
    str token;          /* leads on in the version that the list began with */
};
/* [blocks] The manifest of the version that ref names, in byte order of the paths. It was recorded
 * with the push; of a version pushed before manifests were, the stored archive is audited now and
 * the manifest recorded. Errors as skill_resolve and skill_open_artifact; FAILED_PRECONDITION: that
 * audit refuses the archive. */
enum err skill_files(struct skill_service *s, const struct skill_files *q, struct arena *a,
                     struct skill_file_list *ret, struct error *e);

/* The artifact for a storage key; anything but a well-formed, known key is NOT_FOUND
 * "skill artifact not found: <key>"; DATA_LOSS as store_open. [blocks] unless fast: with fast
 * true, *ret_ready false means "call again on a worker with fast false". */
enum err skill_open_artifact(struct skill_service *s, str key, bool fast, bool *ret_ready,
                             struct artifact *ret, struct error *e);

/* --- garbage --- */

struct skill_gc {
    bool dry_run;       /* only tells what there is */
    bool purge_deleted; /* the versions of ended lives first */
    str actor;          /* of the purge's events; empty = "system" */
    /* Asked now and then whether to end early; may be NULL. What is begun is finished later. */
    bool (*stop)(void *ctx);
    void *ctx;
};

struct skill_gc_report {
    uint64_t archives, bytes;  /* removed, or to be */
    uint64_t unrecorded;       /* of the archives: left by pushes that never ended */
    uint64_t skills, versions; /* purged, or to be */
};

/* Removes the archives that no version holds, with all that is known of them. [blocks]
 * Beside pushes, reads and another process's; an archive that a push comes to hold stays. Nothing
 * is lost when it is interrupted at any point: the next one goes on. UNAVAILABLE: another one, a
 * backup or a check is under way, and is still after a second; the storage takes no changes. ret
 * tells what was done also after an error.
 */
enum err skill_gc(struct skill_service *s, const struct skill_gc *o, struct skill_gc_report *ret,
                  struct error *e);

/* --- scrub --- */

struct skill_scrub {
    uint64_t rate;           /* bytes per second that are read, on average */
    uint64_t damaged;        /* found beside it when the pass began: counted with it */
    bool (*stop)(void *ctx); /* as in struct skill_gc */
    void *ctx;
};

/* Reads every archive that a version holds again, from the disk, and puts aside what is damaged, as
 * a read does; goes on where the last one stopped, also after a restart. [blocks, for hours] Damage
 * is logged and counted, not an error. */
enum err skill_scrub(struct skill_service *s, const struct skill_scrub *o, struct error *e);

struct skill_scrub_state {
    int64_t started_ns;         /* of the pass that is under way; 0 = none is */
    uint64_t archives, damaged; /* so far */
    int64_t completed_ns;       /* of the last whole pass; 0 = there was none */
    uint64_t last_archives, last_damaged;
};
/* A short read. */
enum err skill_scrub_state(struct skill_service *s, struct skill_scrub_state *ret, struct error *e);

#endif
