/*
 * A window that slides over a file: bounded reads with few system calls.
 *
 * Views stay valid until the next call. Who calls keeps offsets within the file's size; a file that
 * turns out shorter is DATA_LOSS.
 */
#ifndef STIGMER_ZIP_WINDOW_H
#define STIGMER_ZIP_WINDOW_H

#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"

/* Holds the longest header: 46 bytes and three fields of 65,535. */
#define WINDOW_CAP KIB(256)

struct window {
    int fd;
    uint64_t size; /* of the file */
    uint64_t off;  /* of the bytes held */
    size_t len, cap;
    size_t stride; /* bytes to read at least, where there are so many: cap, or less for who jumps */
    uint8_t *p;
};

enum err window_init(struct window *w, int fd, uint64_t size, struct error *e);
/* Accepts a zeroed struct. */
void window_deinit(struct window *w);

/* n bytes at off, n <= WINDOW_CAP, off + n <= size. */
enum err window_view(struct window *w, uint64_t off, size_t n, const uint8_t **ret,
                     struct error *e);
/* As many bytes at off as are at hand, min to max; 0 < min <= WINDOW_CAP, min <= max,
 * off + max <= size. */
enum err window_some(struct window *w, uint64_t off, size_t min, uint64_t max, str *ret,
                     struct error *e);

#endif
