#include "meta/meta.h"

#include "meta/record.h"
#include "stigmer/storage/v1/record.pb-c.h"

#include <stdlib.h>

const char *meta_table_name(enum meta_table t)
{
    static const char *const names[] = {
#define X(name, text) [META_##name] = (text),
        META_TABLES(X)
#undef X
    };
    return names[t];
}

/* --- schema --- */

static struct meta_key schema_key(void)
{
    struct meta_key k = META_KEY_INIT;
    key_add(&k, STR("schema"));
    return k;
}

static enum err schema_get(struct meta_txn *t, uint32_t *ret, struct error *e)
{
    struct arena a;
    Stigmer__Storage__V1__SchemaRecord *m;
    struct meta_key key = schema_key();
    arena_init(&a, KIB(16));
    enum err err = record_get_message(t, META_INFO, &key,
                                      &stigmer__storage__v1__schema_record__descriptor, &a, &m, e);
    if (err == ERR_OK)
        *ret = m->version;
    arena_deinit(&a);
    return err;
}

static enum err schema_check(struct meta *m, bool *ret_fresh, struct error *e)
{
    uint32_t version;
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    TRY(meta_read_begin(m, &t, e));
    enum err err = schema_get(&t, &version, e);
    *ret_fresh = err == ERR_NOT_FOUND;
    if (*ret_fresh)
        return ERR_OK;
    TRY(err);
    if (version > META_SCHEMA_VERSION)
        return FAIL(e, ERR_FAILED_PRECONDITION, "meta.schema_newer",
                    "the database was written by a newer stigmer-server (schema %u, this one knows "
                    "up to %d); start that version or a later one",
                    version, META_SCHEMA_VERSION);
    return ERR_OK;
}

static enum err schema_write(struct meta_txn *t, void *arg, struct error *e)
{
    (void)arg;
    Stigmer__Storage__V1__SchemaRecord m = STIGMER__STORAGE__V1__SCHEMA_RECORD__INIT;
    struct meta_key key = schema_key();
    m.version = META_SCHEMA_VERSION;
    return record_put_message(t, META_INFO, &key, &m.base, e);
}

/* --- opening --- */

static enum err start(struct meta *m, const struct meta_limits *limits, struct error *e)
{
    bool fresh;
    TRY(schema_check(m, &fresh, e));
    if (m->backend->read_only && fresh)
        return FAIL(e, ERR_FAILED_PRECONDITION, "meta.not_a_database",
                    "the directory holds no stigmer database");
    if (m->backend->read_only)
        return ERR_OK;
    TRY(writer_start(&m->writer, m, limits, e));
    enum err err = fresh ? meta_write(m, schema_write, NULL, e) : ERR_OK;
    if (err != ERR_OK)
        writer_stop(&m->writer);
    return err;
}

enum err meta_new(struct meta_backend *take, const struct meta_limits *limits, struct meta **ret,
                  struct error *e)
{
    struct meta *m = calloc(1, sizeof *m);
    if (m)
        m->backend = take;
    enum err err = m ? start(m, limits ? limits : &META_LIMITS_DEFAULT, e) : FAIL_NOMEM(e);
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
    return !m->backend->read_only && !atomic_load(&m->writer.broken);
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

enum err meta_write(struct meta *m, meta_fn *fn, void *arg, struct error *e)
{
    if (m->backend->read_only)
        return FAIL(e, ERR_FAILED_PRECONDITION, "meta.read_only",
                    "the database was opened for reading only");
    return writer_run(&m->writer, fn, arg, e);
}
