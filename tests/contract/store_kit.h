/* What the store's suites share. Everything here ends the test when it fails. */
#ifndef STIGMER_TESTS_STORE_KIT_H
#define STIGMER_TESTS_STORE_KIT_H

#include "store/store.h"

struct backend {
    const char *name;
    /* Opens it below test_dir(); what a former call stored is there again iff persistent. */
    enum err (*open)(struct store **ret, struct error *e);
};

/* One store per backend under test, by name: "fs", "mem", "faulty". */
extern const struct backend backend_fs, backend_mem, backend_faulty;

struct store *kit_open(const struct backend *b);
/* A sealed spool of those bytes. */
struct spool *kit_spool(struct store *s, str data);
/* Spools and puts. Returns whether it existed. */
bool kit_put(struct store *s, str data, struct digest *ret);
struct digest kit_digest(str data);
/* Opens and compares every byte. */
void kit_check_served(struct store *s, str data);
/* Opening fails with NOT_FOUND. */
void kit_check_absent(struct store *s, const struct digest *d);
size_t kit_count(struct store *s);
/* Damages a stored artifact behind the store's back, on any backend: overwrites its first byte, or
 * gives it another length. Unlike a real fault it has waited until the damage shows in ctime. */
void kit_flip_first_byte(struct store *s, str data);
void kit_resize(struct store *s, str data, uint64_t len);
/* Waits until what was just written counts as settled. */
void kit_settle(void);
/* Entries of a directory below test_dir(). */
size_t kit_n_entries(const char *subdir);
/* Open descriptors of this process. */
size_t kit_n_fds(void);

#endif
