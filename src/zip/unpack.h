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

/* What the audit keeps in a zip_entry: left_out, and mode but for files that start with "#!".
 * executable: an execute bit in its Unix mode. */
bool zip_unpack_leaves_out(str name);
uint16_t zip_unpack_mode(str name, bool executable);

#endif
