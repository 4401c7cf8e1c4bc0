/*
 * The memory of what was verified: which version of which artifact had the right bytes.
 *
 * Model: a table of fixed size, four places per bucket; what does not fit pushes out the oldest of
 * its bucket, which is then only hashed again. Allocated whole at the start, touched as it fills.
 * Threads: any.
 */
#ifndef STIGMER_STORE_SEEN_H
#define STIGMER_STORE_SEEN_H

#include "digest/sha256.h"

/* Tells two states of a stored object apart: same version, same bytes. The values are the
 * backend's own. */
struct blob_version {
    uint64_t len;
    uint64_t id[4];
    bool settled; /* a change from now on would show in id; see blob_version_of_fd */
};

/* The version of an open file: length, device, inode, mtime, ctime. */
enum err blob_version_of_fd(int fd, struct blob_version *ret, struct error *e);
/* The same of a name in a directory, of the link itself where it is one. NOT_FOUND. */
enum err blob_version_of_name(int dirfd, const char *name, struct blob_version *ret,
                              struct error *e);
/* Whether two versions are of one file, whatever names it has been given or has lost since. */
bool blob_version_same(const struct blob_version *a, const struct blob_version *b);
bool blob_version_eq(const struct blob_version *a, const struct blob_version *b);

enum seen_level {
    SEEN_NOTHING,
    SEEN_VERIFIED, /* its bytes hash to its name */
    SEEN_DURABLE,  /* and it is known to survive a power cut */
};

struct seen;

enum err seen_new(struct seen **ret, struct error *e);
/* NULL is fine. */
void seen_free(struct seen *t);
enum seen_level seen_level(struct seen *t, const struct digest *d, const struct blob_version *v);
/* Forgets everything. */
void seen_clear(struct seen *t);
/* Remembers, unless v is not settled. Never lowers the level of the same version. */
void seen_add(struct seen *t, const struct digest *d, const struct blob_version *v,
              enum seen_level level);

#endif
