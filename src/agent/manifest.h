/*
 * What an unpacked skill consists of: every file with its mode, size and SHA-256, and the
 * directories that the archive names. Made from the audit of the sealed archive, kept beside the
 * unpacked directory, and compared with that directory on each use.
 *
 *     stigmer-manifest 1
 *     f 0755 1234 <64 hex digits> scripts/run.sh
 *     d empty/
 *     sha256 <of all lines above>
 *
 * Lines are in byte order of their paths. The last line makes a torn or bent file evident.
 * Ownership: a manifest owns its text; paths are views into it.
 */
#ifndef STIGMER_AGENT_MANIFEST_H
#define STIGMER_AGENT_MANIFEST_H

#include "base/buf.h"
#include "zip/zip.h"

#include <sys/types.h>

struct manifest_entry {
    str path; /* relative; a directory's ends with "/" */
    uint64_t size;
    struct digest sha256;
    mode_t mode; /* 0755 or 0644 */
    bool directory;
};

struct manifest {
    struct buf text;
    struct manifest_entry *entries;
    size_t n_entries;
    uint64_t size; /* bytes of all files */
};

#define MANIFEST_MAX MIB(16) /* bytes of the text: 10,000 paths of 1,024 bytes fit */

void manifest_deinit(struct manifest *m);

/* In: the accepted report (with ZIP_AUDIT_DIGESTS) of the archive fd, size bytes long.
 * Out: text, appended. */
enum err manifest_write(int fd, uint64_t size, const struct zip_report *report, struct buf *text,
                        struct error *e);
/* Takes the bytes of *text, which is empty afterwards, also after an error. DATA_LOSS: it is no
 * manifest, or a damaged one. */
enum err manifest_read(struct buf *text, struct manifest *ret, struct error *e);

/* Compares the directory dirfd with the manifest: the same files and directories, none more and
 * none less, each with its size, mode and content. without: mode bits that are off in it (0222 for
 * copies that nobody may write). DATA_LOSS names the first difference. */
enum err manifest_check(const struct manifest *m, int dirfd, mode_t without, struct error *e);

/* Index of the entry of that path, or of the first behind it. */
size_t manifest_search(const struct manifest *m, str path);

#endif
