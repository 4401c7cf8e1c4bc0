/*
 * Small file systems of the laboratory's own, on loop devices, and a recorder of what is written
 * to one below the file system.
 *
 * All mounts are in a mount namespace of this process, loop devices free themselves with the last
 * use, and the recorder dies with its parent: however the laboratory ends, nothing of it stays.
 */
#ifndef STIGMER_TESTS_CRASH_DISK_H
#define STIGMER_TESTS_CRASH_DISK_H

#include "lab.h"

/* Why this machine cannot do it, or NULL. Enters the namespace otherwise. fs: ext4, xfs, btrfs. */
const char *disk_enter(const char *fs);

/* A fresh file system in a sparse file of the size that fs needs. */
void disk_make(const char *image, const char *fs);
/* Mounts the file system in image (a file, or what recorder_start exports), replaying its journal.
 */
void disk_mount(const char *image, const char *dir, const char *fs);
void disk_unmount(const char *dir);
/* A copy of a file, holes left out. */
void disk_copy(const char *from, const char *to);

/* --- recording --- */

/* Exports image as the file `export`; every write and flush that reaches it is logged in the
 * format of dm-log-writes before it is answered (qemu's blklogwrites). */
void recorder_start(const char *image, const char *export, const char *log);
/* The log is complete afterwards. The export must be unmounted. */
void recorder_stop(void);

/* --- what was recorded --- */

struct write {
    size_t data, end;     /* in the log: its bytes, and where it is complete */
    uint64_t offset, len; /* on the disk */
    bool flush, fua, discard;
};

struct writes {
    const uint8_t *log;
    size_t log_len;
    struct write *all;
    size_t n;
};

void writes_open(struct writes *ws, const char *log);
void writes_close(struct writes *ws);
/* Does to the disk in fd what write w did; of its bytes [from, from + len). */
void writes_apply(const struct writes *ws, const struct write *w, uint64_t from, uint64_t len,
                  int fd);

#endif
