/*
 * The artifact store: sealed archives by the SHA-256 of their bytes.
 *
 * Model: bytes arrive in a spool (an unnamed file that is hashed while it grows), are sealed, and
 * store_put makes them durable under their hash: same content, one file, never rewritten. A spool
 * that is not put vanishes, also when the process dies. Reading gives a descriptor of bytes that
 * were verified against their name.
 * store.c does hashing, limits and verification for every backend; a backend (store_fs.c,
 * store_mem.c, store_faulty.c the decorator) moves bytes and exports only its constructor.
 * Ownership: spools and artifacts belong to the caller and must be freed before the store.
 * Threads: a store may be used by any thread; a spool or artifact by one at a time. All calls may
 * block on the disk: not for an event loop, but for store_open_fast.
 */
#ifndef STIGMER_STORE_STORE_H
#define STIGMER_STORE_STORE_H

#include "base/buf.h"
#include "base/err.h"
#include "digest/sha256.h"

struct store;
struct spool;

/* Frees the store; NULL is fine. */
void store_close(struct store *s);

/* --- whether it takes changes --- */

/* What is left free for everybody else, and for deletes. */
struct store_reserve {
    uint64_t bytes, files;
};
/* Before the store is used. Without this: 64 MiB and 1,000 files, or a twentieth of the file system
 * where that is less. */
void store_set_reserve(struct store *s, const struct store_reserve *r);

/* UNAVAILABLE while the store is read-only: a write or fsync has failed, and no probe has succeeded
 * since. Every change asks this first. */
enum err store_ready(const struct store *s, struct error *e);
/* RESOURCE_EXHAUSTED ("the server's storage is full") when what is left free is less than the
 * reserve. store_spool and spool_write ask it; so does whoever wants to refuse earlier. */
enum err store_check_room(struct store *s, struct error *e);
/* The families stigmer_storage_…. */
void store_metrics(const struct store *s, struct buf *out);
/* Tries whether the disk takes writes again; when it does, changes are taken again. It is tried
 * right after a failure; after that whoever looks after the store calls this now and then. */
enum err store_recover(struct store *s, struct error *e);

/* --- writing --- */

/* A new empty spool that takes at most max_len bytes. Also the errors of store_ready and
 * store_check_room. */
enum err store_spool(struct store *s, uint64_t max_len, struct spool **ret, struct error *e);
/* Appends. RESOURCE_EXHAUSTED: beyond max_len, or the disk is full ("the server's storage is
 * full"). After an error only spool_free is allowed. */
enum err spool_write(struct spool *sp, const void *p, size_t len, struct error *e);
/* Appends the first len bytes of the file fd and seals. As spool_write. */
enum err spool_fill(struct spool *sp, int fd, uint64_t len, struct error *e);
/* Ends writing; hash, length and fd are valid from here on. */
enum err spool_seal(struct spool *sp, struct error *e);
const struct digest *spool_digest(const struct spool *sp);
uint64_t spool_len(const struct spool *sp);
/* For reading with pread; owned by the spool. */
int spool_fd(const struct spool *sp);
/* Drops what was not put. NULL is fine. */
void spool_free(struct spool *sp);

/* Makes a sealed spool durable under its hash: file fsync, link, directory fsync. When the
 * artifact exists already, nothing is written; the existing one is believed after its size and,
 * once per process and file version, its hash were checked and it was made durable, and replaced
 * when it is wrong. *ret_existed (may be NULL) says which. After a failure the artifact may or may
 * not exist (never with wrong bytes), and most failures end the spool: push again with a new one.
 * RESOURCE_EXHAUSTED: the disk is full. UNAVAILABLE: it kept changing under us, or the disk failed
 * (see store_ready); try again. */
enum err store_put(struct store *s, struct spool *sp, bool *ret_existed, struct error *e);

/* Whether the artifact that store_put left for this spool is there still, that very file. To be
 * asked where nobody can begin to remove it: inside the transaction that records a version of it.
 */
enum err store_confirm(struct store *s, const struct spool *sp, bool *ret, struct error *e);
/* The same bytes in a new spool, sealed, for putting them once more. *from stays as it is. */
enum err spool_copy(const struct spool *from, struct spool **ret, struct error *e);

/* --- reading --- */

/* Bytes that hash to their name. */
struct artifact {
    int fd; /* read-only; owned; for pread */
    uint64_t len;
};
#define ARTIFACT_INIT ((struct artifact){.fd = -1})
void artifact_deinit(struct artifact *a);

/* Opens and verifies. NOT_FOUND; DATA_LOSS when the bytes do not hash to the name: the file is
 * moved to quarantine, logged, and never served (NOT_FOUND from then on, until it is put again; who
 * has a record of it should call that DATA_LOSS too). Verification is remembered for this process
 * per file version (device, inode, size, mtime, ctime), so a hot artifact is hashed once. */
enum err store_open(struct store *s, const struct digest *d, struct artifact *ret, struct error *e);
/* As store_open, but only when no hashing is needed: *ret_verified false (and nothing opened)
 * tells the caller to use store_open on a worker. NOT_FOUND. For the event loop. */
enum err store_open_fast(struct store *s, const struct digest *d, struct artifact *ret,
                         bool *ret_verified, struct error *e);

/* The length of what has the artifact's name, which is not read. NOT_FOUND. */
enum err store_length(struct store *s, const struct digest *d, uint64_t *ret, struct error *e);
/* Reads the artifact from where it is stored, whatever is remembered of it, as the one of that
 * size. NOT_FOUND; DATA_LOSS as store_open, with the same consequences. For the scrub. */
enum err store_verify(struct store *s, const struct digest *d, uint64_t len, struct error *e);

struct store_info {
    struct digest digest;
    uint64_t len;
};
/* Calls fn for each stored artifact, in no particular order, until fn fails. */
enum err store_each(struct store *s,
                    enum err (*fn)(void *ctx, const struct store_info *, struct error *), void *ctx,
                    struct error *e);
/* Removes an artifact durably. NOT_FOUND; UNAVAILABLE as store_ready. */
enum err store_remove(struct store *s, const struct digest *d, struct error *e);

enum store_hold { STORE_HOLD_SHARED, STORE_HOLD_ALONE };
/* Who removes artifacts holds the store alone, who copies or checks it as a whole holds it with
 * others, also beyond this process. Shared waits; alone does not: UNAVAILABLE when anybody holds
 * it. Given back by closing *ret_fd. Pushes and reads need no hold. */
enum err store_hold(struct store *s, enum store_hold how, int *ret_fd, struct error *e);

/* --- backends --- */

/* Files under dir/skills/<hash>.zip (directory 0700, files 0600), spool in the same file system,
 * dir/quarantine/ for what failed verification, dir/removal.lock for store_hold. Makes the
 * directories that are missing. */
enum err store_open_fs(const char *dir, struct store **ret, struct error *e);
/* In memory (memfd): for tests. */
enum err store_open_mem(struct store **ret, struct error *e);

/* "skills/<64 hex>.zip", the wire's storage key. */
#define STORE_KEY_MAX 76
void store_key(const struct digest *d, char out[STORE_KEY_MAX]);
/* False for anything but exactly that form (upper case, `..`, other lengths). */
bool store_key_parse(str key, struct digest *ret);

#endif
