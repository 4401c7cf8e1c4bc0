/* Copies of cached skills without write bits. */
#ifndef STIGMER_AGENT_COPY_H
#define STIGMER_AGENT_COPY_H

#include "agent/cache.h"

/* Copies what the manifest names, and nothing else, into the new directory `name` of parent;
 * without: mode bits that the copy lacks. Every file's bytes are hashed while they are copied:
 * DATA_LOSS when they are not those of the manifest. A failure leaves what was copied so far. */
enum err copy_tree(const struct agent_skill *s, int parent, const char *name, mode_t without,
                   struct error *e);
/* Gives the directories of a copy their write bits back, so that it can be removed. */
enum err copy_make_removable(int parent, const char *name, struct error *e);

#endif
