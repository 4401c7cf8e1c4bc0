/* What never goes into an archive, whatever `.skillignore` says (docs/ZIP_PROFILE.md lists it). */
#ifndef STIGMER_ZIP_EXCLUDE_H
#define STIGMER_ZIP_EXCLUDE_H

#include "base/err.h"
#include "base/str.h"

enum exclude {
    EXCLUDE_NO,
    EXCLUDE_JUNK,   /* caches, build products, version control */
    EXCLUDE_SECRET, /* likely a secret: the user is told */
};

/* By its last component. kind: S_IFREG, S_IFDIR, S_IFLNK, … */
enum exclude exclude_name(str name, unsigned kind);
/* Whether a regular file of that name may hold a private key, so that its content decides. */
bool exclude_may_hold_key(str name);
/* Whether the file's first 64 KiB announce a private key (RFC 7468). */
enum err exclude_holds_key(int fd, bool *ret, struct error *e);

#endif
