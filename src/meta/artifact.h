/* Archives, for the other files of src/meta. Private to it. */
#ifndef STIGMER_META_ARTIFACT_H
#define STIGMER_META_ARTIFACT_H

#include "meta/meta.h"

/* Records the archive of v, or makes it live again. FAILED_PRECONDITION: it is being deleted. */
enum err artifact_hold(struct meta_txn *t, const struct meta_version *v, struct error *e);
/* Removes the manifest of an archive with that many files. Of meta_files.c. */
enum err files_forget(struct meta_txn *t, const struct digest *d, uint32_t n_files,
                      struct error *e);

/* Parts of meta_version_add: the record of v; that it is found by its hash. Of meta_versions.c. */
enum err hash_put(struct meta_txn *t, uint64_t number, const struct meta_version *v,
                  struct error *e);
enum err version_put(struct meta_txn *t, uint64_t number, const struct meta_version *v,
                     struct error *e);
/* Calls fn, which may write, for each version of every skill. Of meta_versions.c. */
enum err versions_each(struct meta_txn *t,
                       enum err (*fn)(struct meta_txn *t, void *ctx, uint64_t number,
                                      const struct meta_version *v, struct error *e),
                       void *ctx, struct error *e);

#endif
