/*
 * A file that commits or vanishes.
 *
 *     CLEANUP(tmpfile_deinit) struct tmpfile t = TMPFILE_INIT;
 *     TRY(tmpfile_open(&t, dirfd, e));      an unnamed file: a crash leaves nothing
 *     TRY(tmpfile_write(&t, p, len, e));
 *     TRY(tmpfile_commit(&t, "name", e));   fsync, link, fsync directory
 *
 * Without the commit, tmpfile_deinit (or the death of the process) makes it vanish.
 * Owner: one thread at a time. dirfd is borrowed and must outlive the object.
 */
#ifndef STIGMER_BASE_TMPFILE_H
#define STIGMER_BASE_TMPFILE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct tmpfile {
    int fd; /* -1 when closed; read-write, mode 0600 */
    int dirfd;
    uint64_t len;    /* bytes written through tmpfile_write */
    uint64_t synced; /* bytes whose write-back was started */
};

#define TMPFILE_INIT ((struct tmpfile){.fd = -1, .dirfd = -1})

enum err tmpfile_open(struct tmpfile *t, int dirfd, struct error *e);
/* Appends. Starts write-back every 8 MiB so that the final fsync is short (DESIGN.md 2.11). */
enum err tmpfile_write(struct tmpfile *t, const void *p, size_t len, struct error *e);
/* Makes it durable under `name` in the directory: fsync, linkat, fsync of the directory.
 * ALREADY_EXISTS when the name is taken (the object stays usable); any other error: unknown
 * whether the name exists, and the object must not be committed again. */
enum err tmpfile_commit(struct tmpfile *t, const char *name, struct error *e);
void tmpfile_deinit(struct tmpfile *t);

#endif
