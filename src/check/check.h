/*
 * Looking for damage in what a server stores: its database page by page and record by record, what
 * the records say of each other, and every byte of every archive.
 *
 * Shares only the format of records (meta/format.h) with those who write them: what they get wrong
 * shows here. Reads only. Beside a running server it sees one state of the database.
 * Threads: one check by one thread.
 */
#ifndef STIGMER_CHECK_CHECK_H
#define STIGMER_CHECK_CHECK_H

#include "base/err.h"
#include "base/str.h"
#include "meta/format.h"

/* One thing that is wrong. Texts are valid during the call; what comes from the store is escaped.
 */
struct check_finding {
    const char *kind;  /* "page", "record", "reference", "event", "counter", "artifact" */
    const char *skill; /* which versions it concerns: "@org/slug (version 3), …"; NULL = none */
    const char *text;  /* a sentence */
};

struct check_options {
    const char *db_path, *storage_path;
    bool skip_artifacts; /* only the database is looked at */
    void (*found)(void *ctx, const struct check_finding *f);
    void *ctx;
};

struct check_report {
    uint64_t findings;
    uint64_t pages, records;
    uint64_t skills, versions;
    uint64_t artifacts, bytes; /* read */
    uint64_t garbage;    /* archives that no version holds: no damage, collection removes them */
    uint64_t lost_pages; /* of the database, that nothing uses: no damage, some room */
};

/* NOT_FOUND: there is no database. FAILED_PRECONDITION: it is not one of this server's. Other
 * errors: it could not be looked at; ret tells how far it got. */
enum err check_store(const struct check_options *o, struct check_report *ret, struct error *e);
/* Only the pages of the database, not what its records hold: some milliseconds for 10 MiB. */
enum err check_pages(const struct check_options *o, struct check_report *ret, struct error *e);

/* What a tree says that it has, and what of it was found. */
struct check_tree {
    bool there;
    uint64_t records, sound;
};
/* Calls fn for each record that can still be found and whose checksum is right, in the order of the
 * trees' names and the keys there; views, valid during the call. Ends with fn's error. Reads only;
 * nobody writes meanwhile. */
enum err check_each_sound(const char *db_path,
                          enum err (*fn)(void *ctx, enum meta_table table, str key, str payload,
                                         struct error *e),
                          void *ctx, struct check_tree ret[META_N_TREES], struct error *e);

#endif
