#include "skill/manifest.h"

#include <stdlib.h>

enum err manifest_of(const struct zip_report *report, int fd, uint64_t size, struct manifest *ret,
                     struct error *e)
{
    *ret = (struct manifest){.report = report};
    ret->files = calloc(report->n_entries + 1, sizeof *ret->files);
    if (!ret->files)
        return FAIL_NOMEM(e);
    for (uint32_t i = 0; i < report->n_entries; i++)
        if (!report->entries[i].directory && !report->entries[i].left_out)
            ret->files[ret->n++] = i;
    TRY(zip_names_open(fd, size, &ret->names, e));
    return zip_names_sort(ret->names, report->entries, ret->files, ret->n, e);
}

static enum err get_file(void *ctx, uint32_t i, struct meta_file *ret, struct error *e)
{
    const struct manifest *m = ctx;
    const struct zip_entry *z = &m->report->entries[m->files[i]];
    *ret = (struct meta_file){.size = z->usize, .sha256 = z->sha256, .mode = z->mode};
    return zip_names_get(m->names, z, &ret->path, e);
}

enum err manifest_put(struct meta_txn *t, const struct digest *archive, struct manifest *m,
                      struct error *e)
{
    const struct meta_file_source files = {.get = get_file, .ctx = m, .n = m->n};
    return meta_files_put(t, archive, &files, e);
}

void manifest_deinit(struct manifest *m)
{
    zip_names_close(m->names);
    free(m->files);
    *m = MANIFEST_INIT;
}
