/*
 * The packer: a directory becomes the one archive that its content determines.
 *
 * The same files give the same bytes, whatever their times, owner, readdir order or umask: entries
 * sorted by name bytes, fixed times (1980-01-01 00:00:00), UTF-8 flag where a name is not ASCII,
 * mode 0755 when the owner's execute bit is set and else 0644, no directories, no extras. Deflate
 * at zlib's level 6; STORE when that makes a file no smaller, or so small that it looks like a
 * bomb. Which bytes deflate gives is zlib's choice: all releases of zlib itself agree at a given
 * level (Debian 12's 1.2.13 is the reference, held by a golden hash); a replacement such as zlib-ng
 * gives another, equally valid archive of the same files.
 * Its output is audited before it is handed over: what zip_audit refuses is an error here.
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
 * Errors: INVALID_ARGUMENT (symlink, special file, name or size the profile refuses: names it,
 * SKILL.md missing, empty, too large or not text), ABORTED (a file changed meanwhile), what reading
 * and writing files can give. */
enum err zip_pack(int dirfd, int out_fd, const struct zip_pack_options *options, uint64_t *ret_size,
                  uint32_t *ret_files, struct error *e);

#endif
