/*
 * The cache of unpacked skills, by the hash of their archives.
 *
 *     skills/<hash>/        the skill as it is mounted: directories 0755, files 0755 or 0644
 *     manifests/<hash>      what it must consist of (manifest.h); its time is that of the last use
 *     downloads/<hash>      an archive that is on its way, and the lock of whoever fetches it
 *     trash/<random>        what is being removed
 *
 * Model: a skill is there when its directory and its manifest are and agree, which every use
 * checks down to the hash of each file. So nothing needs to be durable: whatever a crash or kill -9
 * leaves is either right or not there, and is then fetched again.
 * Processes: any number at once. Who uses a skill holds a shared lock on its directory; pruning
 * takes it exclusively and leaves what it does not get. Who fetches holds an exclusive lock on
 * the file below downloads/.
 */
#ifndef STIGMER_AGENT_CACHE_H
#define STIGMER_AGENT_CACHE_H

#include "agent/manifest.h"
#include "base/sys_proc.h"

struct agent_cache {
    char path[SYS_PATH_MAX]; /* absolute */
    int fd, skills, manifests, downloads, trash;
};

#define AGENT_CACHE_INIT                                                                           \
    ((struct agent_cache){.fd = -1, .skills = -1, .manifests = -1, .downloads = -1, .trash = -1})

/* path: an absolute directory; NULL = $XDG_CACHE_HOME/stigmer, else $HOME/.cache/stigmer. Made with
 * mode 0700 when it is not there. */
enum err agent_cache_open(const char *path, struct agent_cache *ret, struct error *e);
void agent_cache_close(struct agent_cache *c);

/* A skill that is there, verified, and not pruned while this is open. */
struct agent_skill {
    struct digest hash;
    char hex[SHA256_HEX_LEN + 1];
    int dirfd; /* its directory, locked */
    char path[SYS_PATH_MAX + SHA256_HEX_LEN + 16];
    struct manifest manifest;
};

#define AGENT_SKILL_INIT ((struct agent_skill){.dirfd = -1})

/* NOT_FOUND: it is not there. DATA_LOSS: it is damaged; what differs is in e. */
enum err agent_cache_get(const struct agent_cache *c, const struct digest *hash,
                         struct agent_skill *ret, struct error *e);
void agent_skill_close(struct agent_skill *s);
/* The verified bytes of its SKILL.md, appended to *ret. */
enum err agent_skill_text(const struct agent_skill *s, struct buf *ret, struct error *e);

/* --- adding: for fetch.c --- */

/* The right to add a skill, and the file that its archive is gathered in. */
struct agent_slot {
    const struct agent_cache *cache; /* borrowed */
    char hex[SHA256_HEX_LEN + 1];
    int fd;        /* read-write; -1: somebody else holds it */
    uint64_t have; /* bytes in it from an attempt that was interrupted */
};

#define AGENT_SLOT_INIT ((struct agent_slot){.fd = -1})

/* wait: until whoever holds it is done. Without, ret->fd is -1 when somebody holds it. */
enum err agent_slot_open(const struct agent_cache *c, const struct digest *hash, bool wait,
                         struct agent_slot *ret, struct error *e);
/* Audits the archive in the slot (size bytes, whose hash was checked) and its SKILL.md, unpacks it
 * and puts it in place of whatever was there. FAILED_PRECONDITION: it is refused, by which rule. */
enum err agent_slot_commit(struct agent_slot *s, uint64_t size, struct error *e);
/* Gives the right back; keep: the bytes are for a later attempt, else they go. */
void agent_slot_close(struct agent_slot *s, bool keep);

/* --- pruning --- */

struct agent_pruned {
    uint64_t kept, removed;           /* bytes of unpacked files and unfinished archives */
    size_t n_kept, n_removed, n_used; /* skills; used: kept since they are in use */
};
/* Removes what nobody uses, the longest unused first, until all is at most max_size bytes; and in
 * any case what was left half done. */
enum err agent_cache_prune(const struct agent_cache *c, uint64_t max_size, struct agent_pruned *ret,
                           struct error *e);

#endif
