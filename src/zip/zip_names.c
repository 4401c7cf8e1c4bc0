#include "zip/window.h"
#include "zip/zip.h"

#include <stdlib.h>
#include <xxhash.h>

/* A directory is read forwards or, where it is looked up, a name at a time. */
#define STRIDE KIB(8)

struct zip_names {
    struct window win;
};

void zip_names_close(struct zip_names *n)
{
    if (n)
        window_deinit(&n->win);
    free(n);
}

enum err zip_names_open(int fd, uint64_t size, struct zip_names **ret, struct error *e)
{
    CLEANUP(zip_names_closep) struct zip_names *n = calloc(1, sizeof *n);
    if (!n)
        return FAIL_NOMEM(e);
    TRY(window_init(&n->win, fd, size, e));
    n->win.stride = MIN(n->win.cap, STRIDE);
    *ret = STEAL(n);
    return ERR_OK;
}

static enum err changed(struct error *e)
{
    return FAIL(e, ERR_DATA_LOSS, "zip.changed", "the archive changed after it was audited");
}

enum err zip_names_get(struct zip_names *n, const struct zip_entry *z, str *ret, struct error *e)
{
    const uint8_t *p;
    if (z->name_at > n->win.size || n->win.size - z->name_at < z->name_len)
        return changed(e);
    TRY(window_view(&n->win, z->name_at, z->name_len, &p, e));
    *ret = str_of(p, z->name_len);
    return XXH3_64bits(p, z->name_len) == z->name_hash ? ERR_OK : changed(e);
}
