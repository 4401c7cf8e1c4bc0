#include "base/buf.h"

#include "base/macro.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = MIN(max, (size_t)PTRDIFF_MAX)}; /* so that max + 1 never wraps */
}

void buf_deinit(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

/* One spare byte is always allocated for buf_cstr's NUL. */
static bool grow(struct buf *b, size_t need)
{
    size_t cap = MAX(b->cap * 2, (size_t)64);
    cap = MIN(cap, b->max + 1);
    cap = MAX(cap, need + 1);
    char *p = realloc(b->p, cap);
    if (!p)
        return false;
    b->p = p;
    b->cap = cap;
    return true;
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (b->failed)
        return NULL;
    if (n > b->max - b->len || (b->len + n + 1 > b->cap && !grow(b, b->len + n))) {
        b->failed = true;
        return NULL;
    }
    return b->p + b->len;
}

void buf_add(struct buf *b, str s)
{
    char *to = buf_reserve(b, s.len);
    if (to && s.len) {
        memcpy(to, s.p, s.len);
        b->len += s.len;
    }
}

void buf_add_c(struct buf *b, const char *c)
{
    buf_add(b, str_c(c));
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, str_of(&c, 1));
}

void buf_add_zero(struct buf *b, size_t n)
{
    char *to = buf_reserve(b, n);
    if (to) {
        memset(to, 0, n);
        b->len += n;
    }
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *to = n < 0 ? NULL : buf_reserve(b, (size_t)n);
    if (!to) {
        b->failed = true;
        return;
    }
    va_start(ap, fmt);
    (void)vsnprintf(to, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void buf_drop(struct buf *b, size_t n)
{
    b->len -= n;
    if (b->len)
        memmove(b->p, b->p + n, b->len);
}

enum err buf_status(const struct buf *b, struct error *e)
{
    if (b->failed)
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "buf.full",
                    "a buffer limit of %zu bytes was reached", b->max);
    return ERR_OK;
}

const char *buf_cstr(struct buf *b)
{
    if (!buf_reserve(b, 0))
        return NULL;
    b->p[b->len] = '\0';
    return b->p;
}
