#include "meta/meta.h"

#include "meta/record.h"
#include "meta/schema.h"

#include <stdlib.h>

/* --- opening --- */

static enum err start(struct meta *m, const struct meta_limits *limits, struct error *e)
{
    enum schema_found found;
    TRY(schema_check(m, &found, e));
    if (m->backend->read_only)
        return ERR_OK;
    TRY(writer_start(&m->writer, m, limits, e));
    enum err err = schema_settle(m, found, e);
    if (err != ERR_OK)
        writer_stop(&m->writer);
    return err;
}

enum err meta_new(struct meta_backend *take, const struct meta_limits *limits, struct meta **ret,
                  struct error *e)
{
    const struct meta_limits *l = limits ? limits : &META_LIMITS_DEFAULT;
    struct meta *m = calloc(1, sizeof *m);
    if (m) {
        m->backend = take;
        m->schema = l->schema ? l->schema : &meta_schema_default;
    }
    enum err err = m ? start(m, l, e) : FAIL_NOMEM(e);
    if (err != ERR_OK) {
        take->ops->close(take);
        free(m);
        return err;
    }
    *ret = m;
    return ERR_OK;
}

enum err meta_open_mem(struct meta **ret, struct error *e)
{
    struct meta_backend *b;
    TRY(meta_mem_new(&b, e));
    return meta_new(b, NULL, ret, e);
}

enum err meta_open_lmdb(const char *dir, const struct meta_lmdb_options *options, struct meta **ret,
                        struct error *e)
{
    struct meta_backend *b;
    TRY(meta_lmdb_new(dir, options, &b, e));
    return meta_new(b, NULL, ret, e);
}

void meta_close(struct meta *m)
{
    if (!m)
        return;
    if (!m->backend->read_only)
        writer_stop(&m->writer);
    m->backend->ops->close(m->backend);
    free(m);
}

bool meta_writable(const struct meta *m)
{
    return !m->backend->read_only && atomic_load(&m->writer.state) == WRITER_OPEN;
}

uint64_t meta_failures(const struct meta *m)
{
    return atomic_load(&m->writer.n_failures);
}

void meta_metrics(struct meta *m, struct buf *out)
{
    writer_metrics(&m->writer, out);
}

/* --- transactions --- */

enum err meta_read_begin(struct meta *m, struct meta_txn *ret, struct error *e)
{
    ret->meta = m;
    return m->backend->ops->begin_read(m->backend, &ret->b, e);
}

void meta_read_end(struct meta_txn *t)
{
    if (t->b)
        t->meta->backend->ops->abort(t->b);
    t->b = NULL;
}

static enum err check_writable(const struct meta *m, struct error *e)
{
    if (m->backend->read_only)
        return FAIL(e, ERR_FAILED_PRECONDITION, "meta.read_only",
                    "the database was opened for reading only");
    return ERR_OK;
}

enum err meta_ready(struct meta *m, bool growing, struct error *e)
{
    TRY(check_writable(m, e));
    TRY(writer_ready(&m->writer, e));
    return growing ? m->backend->ops->room(m->backend, e) : ERR_OK;
}

enum err meta_write(struct meta *m, meta_fn *fn, void *arg, struct error *e)
{
    TRY(check_writable(m, e));
    return writer_run(&m->writer, fn, arg, false, e);
}

enum err meta_write_freeing(struct meta *m, meta_fn *fn, void *arg, struct error *e)
{
    TRY(check_writable(m, e));
    return writer_run(&m->writer, fn, arg, true, e);
}
