#include "meta/schema.h"

#include "base/log.h"
#include "meta/artifact.h"
#include "meta/record.h"
#include "stigmer/storage/v1/record.pb-c.h"

/* Version 2 knows which archive has which text. */
static enum err step_1(struct meta_txn *t, struct error *e)
{
    return versions_each(t, artifact_set_text, e);
}

static enum err (*const steps[])(struct meta_txn *t, struct error *e) = {step_1};
const struct meta_schema meta_schema_default = {
    .version = META_SCHEMA_VERSION,
    .oldest = 1,
    .steps = steps,
};

static struct meta_key schema_key(void)
{
    struct meta_key k = META_KEY_INIT;
    key_add(&k, STR("schema"));
    return k;
}

/* NOT_FOUND. */
static enum err version_get(struct meta_txn *t, uint32_t *ret, struct error *e)
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

enum err schema_touch(struct meta_txn *t, void *arg, struct error *e)
{
    (void)arg;
    Stigmer__Storage__V1__SchemaRecord m = STIGMER__STORAGE__V1__SCHEMA_RECORD__INIT;
    struct meta_key key = schema_key();
    m.version = t->meta->schema->version;
    return record_put_message(t, META_INFO, &key, &m.base, e);
}

/* --- what is there --- */

static enum err table_is_empty(struct meta_txn *t, enum meta_table table, bool *ret,
                               struct error *e)
{
    struct meta_key all = META_KEY_INIT;
    CLEANUP(scan_close) struct scan s = SCAN_INIT;
    TRY(scan_open(&s, t, table, &all, e));
    enum err err = scan_seek(&s, &all, e);
    *ret = err == ERR_NOT_FOUND;
    return scan_done(err);
}

/* A database without its version is one of ours that lost it, or somebody else's: either way a
 * server that began afresh on it would bury what it holds. */
static enum err check_empty(struct meta_txn *t, struct error *e)
{
    for (int i = 0; i < META_N_TABLES; i++) {
        bool empty;
        TRY(table_is_empty(t, (enum meta_table)i, &empty, e));
        if (!empty)
            return FAIL(e, ERR_FAILED_PRECONDITION, "meta.schema_missing",
                        "the database holds data but not the version of its schema: it is damaged; "
                        "restore it from a backup");
    }
    return ERR_OK;
}

static enum err check_version(const struct meta *m, uint32_t version, struct error *e)
{
    const struct meta_schema *s = m->schema;
    if (version > s->version)
        return FAIL(e, ERR_FAILED_PRECONDITION, "meta.schema_newer",
                    "the database was written by a newer stigmer-server (schema %u, this one knows "
                    "up to %u); start that version or a later one",
                    version, s->version);
    if (version < s->oldest)
        return FAIL(e, ERR_FAILED_PRECONDITION, "meta.schema_older",
                    "the database was written by a stigmer-server that is too old for this one "
                    "(schema %u, this one migrates from %u on); start a version between the two "
                    "first",
                    version, s->oldest);
    if (version < s->version && m->backend->read_only)
        return FAIL(e, ERR_FAILED_PRECONDITION, "meta.schema_old",
                    "the database was written by an older stigmer-server (schema %u, this one "
                    "reads %u); start this server once, it migrates the database",
                    version, s->version);
    return ERR_OK;
}

enum err schema_check(struct meta *m, enum schema_found *ret, struct error *e)
{
    uint32_t version;
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    TRY(meta_read_begin(m, &t, e));
    enum err err = version_get(&t, &version, e);
    *ret = SCHEMA_NONE;
    if (err == ERR_NOT_FOUND && m->backend->read_only)
        return FAIL(e, ERR_FAILED_PRECONDITION, "meta.not_a_database",
                    "the directory holds no stigmer database");
    if (err == ERR_NOT_FOUND)
        return check_empty(&t, e);
    TRY(err);
    TRY(check_version(m, version, e));
    *ret = version == m->schema->version ? SCHEMA_CURRENT : SCHEMA_OLD;
    return ERR_OK;
}

/* --- making it current --- */

static enum err migrate(struct meta_txn *t, void *arg, struct error *e)
{
    const struct meta_schema *s = t->meta->schema;
    uint32_t version;
    (void)arg;
    TRY(version_get(t, &version, e));
    for (; version < s->version; version++)
        if (s->steps[version - s->oldest](t, e) != ERR_OK)
            return err_wrap(e, "the database cannot be migrated from schema %u to %u", version,
                            version + 1);
    return schema_touch(t, NULL, e);
}

enum err schema_settle(struct meta *m, enum schema_found found, struct error *e)
{
    if (found == SCHEMA_CURRENT)
        return ERR_OK;
    if (found == SCHEMA_NONE)
        return meta_write_freeing(m, schema_touch, NULL, e); /* a small disk is no reason yet */
    TRY(meta_write(m, migrate, NULL, e));
    log_info("database migrated", LOG_INT("schema", m->schema->version));
    return ERR_OK;
}
