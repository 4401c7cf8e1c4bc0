/*
 * Table files: the manifest of an archive in parts of PART_ROWS files, so that one page is read and
 * one record is written in bounded memory whatever the whole has. Its totals are in artifacts.
 */
#include "meta/artifact.h"
#include "meta/codec.h"
#include "meta/record.h"

#define PART_ROWS 64u      /* some 70 KiB with the longest names */
#define PATHS_MAX KIB(256) /* what their paths may take meanwhile */

static struct meta_key artifact_key(const struct digest *artifact)
{
    struct meta_key k = META_KEY_INIT;
    key_add_digest(&k, artifact);
    return k;
}

static struct meta_key part_key(const struct digest *artifact, uint32_t part)
{
    struct meta_key k = artifact_key(artifact);
    key_add_u64(&k, part);
    return k;
}

/* The file with a path that stays. */
static enum err get_copy(const struct meta_file_source *files, uint32_t i, struct arena *a,
                         struct meta_file *ret, struct error *e)
{
    TRY(files->get(files->ctx, i, ret, e));
    return arena_dup(a, ret->path, &ret->path) ? ERR_OK : FAIL_NOMEM(e);
}

/* Puts the files from number first on, as many as a part holds, and adds up their sizes. */
static enum err part_put(struct meta_txn *t, const struct digest *artifact,
                         const struct meta_file_source *files, uint32_t first, uint64_t *size,
                         struct error *e)
{
    struct meta_file file[PART_ROWS];
    file_record rows[PART_ROWS], *items[PART_ROWS];
    files_record m = STIGMER__STORAGE__V1__FILES_RECORD__INIT;
    struct meta_key key = part_key(artifact, first / PART_ROWS);
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, PATHS_MAX);
    m.items = items;
    for (; m.n_items < PART_ROWS && first + m.n_items < files->n; m.n_items++) {
        size_t i = m.n_items;
        TRY(get_copy(files, first + (uint32_t)i, &a, &file[i], e));
        codec_file_to(&file[i], &rows[i]);
        items[i] = &rows[i];
        *size += file[i].size;
    }
    return record_put_message(t, META_FILES, &key, &m.base, e);
}

static enum err put_all(struct meta_txn *t, const struct digest *artifact, artifact_record *m,
                        const struct meta_file_source *files, struct error *e)
{
    struct meta_key key = artifact_key(artifact);
    m->n_files = files->n;
    m->files_size = 0;
    for (uint32_t i = 0; i < files->n; i += PART_ROWS)
        TRY(part_put(t, artifact, files, i, &m->files_size, e));
    return record_put_message(t, META_ARTIFACTS, &key, &m->base, e);
}

enum err meta_files_put(struct meta_txn *t, const struct digest *artifact,
                        const struct meta_file_source *files, struct error *e)
{
    artifact_record *m;
    struct meta_key key = artifact_key(artifact);
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, KIB(16));
    TRY(record_get_message(t, META_ARTIFACTS, &key,
                           &stigmer__storage__v1__artifact_record__descriptor, &a, &m, e));
    return m->n_files ? ERR_OK : put_all(t, artifact, m, files, e);
}

enum err files_forget(struct meta_txn *t, const struct digest *d, uint32_t n_files, struct error *e)
{
    for (uint32_t i = 0; i < n_files; i += PART_ROWS) {
        struct meta_key key = part_key(d, i / PART_ROWS);
        TRY(record_del(t, META_FILES, &key, e));
    }
    return ERR_OK;
}

static enum err missing(struct error *e)
{
    return FAIL(e, ERR_DATA_LOSS, "meta.files_missing",
                "a manifest of the server's database is incomplete; restore it from a backup");
}

/* The files of one part from number first of it on, at most max. */
static enum err part_get(struct meta_txn *t, const struct digest *artifact, uint32_t part,
                         uint32_t first, uint32_t max, struct arena *a, struct meta_file *ret,
                         uint32_t *ret_n, struct error *e)
{
    files_record *m;
    struct meta_key key = part_key(artifact, part);
    enum err err = record_get_message(t, META_FILES, &key,
                                      &stigmer__storage__v1__files_record__descriptor, a, &m, e);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && m->n_items <= first))
        return missing(e);
    TRY(err);
    *ret_n = (uint32_t)MIN(m->n_items - first, (size_t)max);
    for (uint32_t i = 0; i < *ret_n; i++)
        TRY(codec_file_from(m->items[first + i], &ret[i], e));
    return ERR_OK;
}

enum err meta_files_get(struct meta_txn *t, const struct digest *artifact, uint32_t first,
                        uint32_t n, struct arena *a, struct meta_file *ret, struct error *e)
{
    for (uint32_t done = 0, got; done < n; done += got) {
        uint32_t at = first + done;
        TRY(part_get(t, artifact, at / PART_ROWS, at % PART_ROWS, n - done, a, ret + done, &got,
                     e));
    }
    return ERR_OK;
}
