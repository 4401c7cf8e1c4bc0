/*
 * What backup and restore have in common: a bundle is a directory with stigmer.db/ and storage/, as
 * a server has them, complete unless it is marked (incomplete.h). Copying goes from one pair of
 * directories to another: the archives first, the database last.
 * Errors: for whoever runs the command, with paths.
 */
#ifndef STIGMER_SERVER_BUNDLE_H
#define STIGMER_SERVER_BUNDLE_H

#include "base/sys_proc.h"
#include "meta/meta.h"
#include "server/config.h"

struct bundle {
    char db[SYS_PATH_MAX], storage[SYS_PATH_MAX];
};
enum err bundle_of_dir(const char *dir, struct bundle *ret, struct error *e);
enum err bundle_of_config(const struct config *c, struct bundle *ret, struct error *e);

/* Whether there is a database; that it cannot be looked at does not mean that there is none. */
enum err bundle_has_database(const struct bundle *b, bool *ret, struct error *e);

struct bundle_report {
    uint64_t archives, bytes; /* copied */
    uint64_t there;           /* archives that were there already */
    uint64_t damaged;         /* archives that could not be copied, each told on standard error */
};

/* The database of `from`, found sound, into to->db under a name that nobody reads yet. */
enum err bundle_copy_database(const struct bundle *from, const struct bundle *to, struct error *e);
/* The archives that this copy refers to and that `to` does not have. */
enum err bundle_copy_archives(const struct bundle *from, const struct bundle *to,
                              struct bundle_report *ret, struct error *e);
/* Calls fn for each archive that a version holds, in one transaction, until fn fails. */
enum err bundle_each_archive(struct meta *meta,
                             enum err (*fn)(void *ctx, const struct meta_artifact_entry *entry,
                                            struct error *e),
                             void *ctx, struct error *e);
/* Counts and tells an archive that cannot be copied: NOT_FOUND or DATA_LOSS. */
void bundle_tell_missing(const struct digest *d, enum err why, struct bundle_report *report);
/* Checks a database that came from elsewhere and lies where bundle_copy_database puts its copy: it
 * is sound, and what it refers to is there; what is not is told and counted. DATA_LOSS. */
enum err bundle_check_copy(const struct bundle *to, struct bundle_report *ret, struct error *e);
/* Puts the copied database in place, at one stroke. */
enum err bundle_finish(const struct bundle *to, struct error *e);

#endif
