#include "skill/manifest.h"

#include "zip/unpack.h"

#include <stdlib.h>

static int by_path(const void *a, const void *b)
{
    return str_cmp(((const struct meta_file *)a)->path, ((const struct meta_file *)b)->path);
}

static struct meta_file file_of(const struct zip_entry *z)
{
    return (struct meta_file){
        .path = z->name,
        .size = z->usize,
        .sha256 = z->sha256,
        .mode = z->mode,
    };
}

enum err manifest_of(const struct zip_report *report, struct manifest *ret, struct error *e)
{
    *ret = (struct manifest){.files = calloc(report->n_entries + 1, sizeof *ret->files)};
    if (!ret->files)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < report->n_entries; i++)
        if (!report->entries[i].directory && !zip_unpack_leaves_out(&report->entries[i]))
            ret->files[ret->n++] = file_of(&report->entries[i]);
    qsort(ret->files, ret->n, sizeof *ret->files, by_path);
    return ERR_OK;
}

void manifest_deinit(struct manifest *m)
{
    free(m->files);
    *m = MANIFEST_INIT;
}
