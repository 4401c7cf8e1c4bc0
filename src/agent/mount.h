/*
 * Skills where an agent expects them: <root>/bin/skills/<hash>/, read-only, any number of versions
 * of one skill side by side.
 *
 * A bind mount of the cached directory where this process may mount (root, or root of its user
 * namespace), else a copy of which no file and no directory has a write bit. Nothing below root is
 * reached through a symbolic link. A copy is compared with the manifest before it gets its name.
 */
#ifndef STIGMER_AGENT_MOUNT_H
#define STIGMER_AGENT_MOUNT_H

#include "agent/cache.h"

/* Where the skills are, below a root directory. */
#define AGENT_SKILLS_DIR "bin/skills"

enum agent_mount_kind { AGENT_MOUNT_BIND, AGENT_MOUNT_COPY };

struct agent_mount_place {
    int skills; /* <root>/bin/skills */
    int root;
};

#define AGENT_MOUNT_PLACE_INIT ((struct agent_mount_place){.skills = -1, .root = -1})

/* root: made with its missing parents, mode 0755. PERMISSION_DENIED: a symbolic link is in the way.
 */
enum err agent_mount_open(const char *root, struct agent_mount_place *ret, struct error *e);
void agent_mount_close(struct agent_mount_place *p);

/* What is there already under the skill's hash is taken when it is right (verified like the cache),
 * and replaced when it is a damaged copy. only_copy: never a bind mount. */
enum err agent_mount(const struct agent_mount_place *p, const struct agent_skill *s, bool only_copy,
                     enum agent_mount_kind *ret, struct error *e);
/* Takes the skill of that hash away again. NOT_FOUND: it is not there. */
enum err agent_unmount(const struct agent_mount_place *p, const char *hex, struct error *e);
/* Calls fn with the hash of every skill that is there. */
enum err agent_mount_each(const struct agent_mount_place *p,
                          enum err (*fn)(void *ctx, const char *hex, struct error *e), void *ctx,
                          struct error *e);

#endif
