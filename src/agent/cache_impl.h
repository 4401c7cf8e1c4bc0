/* What the files of the cache share. */
#ifndef STIGMER_AGENT_CACHE_IMPL_H
#define STIGMER_AGENT_CACHE_IMPL_H

#include "agent/cache.h"

/* Whether what fd is open on is what `name` in dirfd names now. */
enum err cache_is_named(int fd, int dirfd, const char *name, bool *ret, struct error *e);
enum err cache_read_manifest(const struct agent_cache *c, const char *hex, struct manifest *ret,
                             struct error *e);
/* Removes `name` in dirfd, whatever it is; fine when it is not there. */
enum err cache_discard(const struct agent_cache *c, int dirfd, const char *name, struct error *e);

#endif
