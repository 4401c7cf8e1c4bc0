/*
 * Bounded growing buffers. There is no unlimited form: a buffer cannot exist without a maximum.
 *
 * Errors are sticky: once an append does not fit (or memory is out) the buffer is `failed`, later
 * appends do nothing, and buf_status says so. Write a whole text, then check once.
 */
#ifndef STIGMER_BASE_BUF_H
#define STIGMER_BASE_BUF_H

#include "base/err.h"
#include "base/str.h"

struct buf {
    char *p;    /* owned; NULL until the first byte */
    size_t len; /* bytes in use */
    size_t cap; /* bytes allocated */
    size_t max; /* len never exceeds it */
    bool failed;
};

/* An empty buffer that will hold at most max bytes; allocates nothing. */
void buf_init(struct buf *b, size_t max);
/* Frees; the buffer may be inited again. Accepts a zeroed struct. */
void buf_deinit(struct buf *b);
/* Empties, keeps the allocation, clears `failed`. */
void buf_clear(struct buf *b);

void buf_add(struct buf *b, str s);
void buf_add_c(struct buf *b, const char *c);
void buf_add_char(struct buf *b, char c);
void buf_add_zero(struct buf *b, size_t n);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Room for n more bytes at p + len, or NULL (and failed). Bump len after writing. */
char *buf_reserve(struct buf *b, size_t n);
/* Drops the first n bytes; n <= len. */
void buf_drop(struct buf *b, size_t n);

static inline str buf_view(const struct buf *b)
{
    return str_of(b->p, b->len);
}

/* ERR_OK, or ERR_RESOURCE_EXHAUSTED when something did not fit. */
enum err buf_status(const struct buf *b, struct error *e);
/* NUL-terminates (the NUL is not counted in len) and returns p; NULL when failed. Borrowed. */
const char *buf_cstr(struct buf *b);

#endif
