/*
 * LMDB's file, page by page, without LMDB: its pages carry no checksum, and the library trusts
 * every number in them. Private to src/check.
 *
 * The format is that of LMDB 0.9 on a 64-bit little-endian machine (mdb.c: MDB_page, MDB_node,
 * MDB_meta, MDB_db): two meta pages, of which the one with the higher transaction is current; B+
 * trees for the free list, for the tables' names and for each table; large values on runs of pages
 * of their own.
 */
#ifndef STIGMER_CHECK_PAGES_H
#define STIGMER_CHECK_PAGES_H

#include "base/err.h"
#include "base/str.h"

struct pages_options {
    int fd; /* data.mdb; borrowed */
    /* Which state to read: the transaction that pins it; 0 = the newest. */
    uint64_t txn;
    /* table: its name. Views, valid during the call. May be NULL. */
    enum err (*record)(void *ctx, str table, str key, str value, struct error *e);
    /* A table is there and says that it has so many records; before them. May be NULL. */
    void (*table)(void *ctx, str name, uint64_t records);
    /* What is wrong with the file, a sentence. */
    void (*wrong)(void *ctx, const char *text);
    void *ctx;
};

struct pages_report {
    uint64_t txn;   /* whose state was read */
    uint64_t pages; /* of the file, in use or free */
    uint64_t lost;  /* neither reached nor free: what a crashed reader can leave; no damage */
    uint64_t records;
    uint64_t wrong; /* how often `wrong` was called */
};

/* Walks all trees and reports what cannot be right: numbers out of bounds, keys out of order or
 * outside of what their parents say, pages used twice, counts that differ. FAILED_PRECONDITION: the
 * file is no such database at all. Also the errors of `record`, and of reading. */
enum err pages_walk(const struct pages_options *o, struct pages_report *ret, struct error *e);

#endif
