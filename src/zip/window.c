#include "zip/window.h"

#include "base/sys.h"

#include <stdlib.h>

enum err window_init(struct window *w, int fd, uint64_t size, struct error *e)
{
    size_t cap = (size_t)MIN(size, (uint64_t)WINDOW_CAP);
    *w = (struct window){.fd = fd, .size = size, .cap = cap, .stride = cap};
    w->p = malloc(cap ? cap : 1);
    return w->p ? ERR_OK : FAIL_NOMEM(e);
}

void window_deinit(struct window *w)
{
    free(w->p);
    *w = (struct window){.fd = -1};
}

static bool holds(const struct window *w, uint64_t off, size_t n)
{
    return off >= w->off && off - w->off <= w->len && w->len - (off - w->off) >= n;
}

static enum err slide(struct window *w, uint64_t off, size_t min, struct error *e)
{
    size_t n = (size_t)MIN(w->size - off, (uint64_t)MAX(min, w->stride));
    w->len = 0;
    TRY(sys_pread_full(w->fd, w->p, n, off, e));
    w->off = off;
    w->len = n;
    return ERR_OK;
}

enum err window_view(struct window *w, uint64_t off, size_t n, const uint8_t **ret, struct error *e)
{
    if (!holds(w, off, n))
        TRY(slide(w, off, n, e));
    *ret = w->p + (off - w->off);
    return ERR_OK;
}

enum err window_some(struct window *w, uint64_t off, size_t min, uint64_t max, str *ret,
                     struct error *e)
{
    if (!holds(w, off, min))
        TRY(slide(w, off, min, e));
    size_t at = (size_t)(off - w->off);
    *ret = str_of(w->p + at, (size_t)MIN(max, (uint64_t)(w->len - at)));
    return ERR_OK;
}
