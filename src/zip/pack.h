/*
 * The packer: a directory becomes the one archive that its content determines.
 *
 * The same files give the same bytes on any machine: entries sorted by name bytes, fixed times
 * (1980-01-01 00:00:00), UTF-8 flag, mode 0755 when the owner's execute bit is set and else 0644,
 * no directories, no extras, STORE when deflate does not help. Its output always passes zip_audit.
 * Left out: what API.md section 6 lists, and what `.skillignore` (gitignore syntax) says.
 * Symbolic links and special files are an error that names them. Streams: the archive is never
 * held in memory.
 */
#ifndef STIGMER_ZIP_PACK_H
#define STIGMER_ZIP_PACK_H

#include "base/err.h"
#include "base/str.h"

struct zip_pack_options {
    /* Called after each chunk read; total is the sum of the file sizes. May be NULL. */
    void (*progress)(void *ctx, uint64_t done, uint64_t total);
    /* Called for each file left out as a likely secret (private keys, .npmrc, …). May be NULL. */
    void (*warn_secret)(void *ctx, str path);
    void *ctx;
};

/* In: dirfd, the directory; out_fd, an empty file, read-write, seekable.
 * Out: *ret_size, the archive's bytes; *ret_files, how many files it holds.
 * Errors: INVALID_ARGUMENT (symlink, special file, name or size the profile refuses: names it),
 * what reading and writing files can give. */
enum err zip_pack(int dirfd, int out_fd, const struct zip_pack_options *options, uint64_t *ret_size,
                  uint32_t *ret_files, struct error *e);

#endif
