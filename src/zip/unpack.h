/*
 * Unpacking an audited archive into a directory that did not exist before.
 *
 * Everything is written into a new directory beside the target and renamed into place at the end;
 * a failure leaves nothing. Files are opened with openat2 (RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS)
 * and O_EXCL, every CRC is checked again. Modes: 0755 for .sh .py .js .ts .rb .pl files, files
 * with an execute bit in the archive and files that start with "#!", else 0644; directories 0755.
 * `__MACOSX/` and `.DS_Store` are left out. Nothing is fsynced: what a crash leaves is either a
 * hidden directory `.unpack-…` or, on some file systems, files still to be written.
 */
#ifndef STIGMER_ZIP_UNPACK_H
#define STIGMER_ZIP_UNPACK_H

#include "zip/zip.h"

/* In: fd and the accepted report of that very descriptor; parent, the directory that will hold
 * `name`; progress may be NULL (bytes written so far of report->uncompressed).
 * Errors: FAILED_PRECONDITION when the report has findings; ALREADY_EXISTS when name exists;
 * DATA_LOSS when the bytes differ from what was audited. */
enum err zip_unpack(int fd, const struct zip_report *report, int parent, const char *name,
                    void (*progress)(void *ctx, uint64_t done), void *ctx, struct error *e);

/* Whether unpacking (and any list of an archive's files) leaves the entry out. */
bool zip_unpack_leaves_out(const struct zip_entry *z);
/* The mode of the file, 0755 or 0644. head: its first bytes, at least 2 where it has them. The
 * audit keeps it in the entry. */
uint16_t zip_unpack_mode(const struct zip_entry *z, str head);

#endif
