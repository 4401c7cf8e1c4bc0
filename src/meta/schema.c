#include "meta/schema.h"

#include "base/log.h"
#include "meta/artifact.h"
#include "meta/record.h"
#include "stigmer/storage/v1/record.pb-c.h"

/* --- from former versions --- */

/* Version 2 knew which archive has which text, which version 3 does not need. */
static enum err step_1(struct meta_txn *t, struct error *e)
{
    (void)t, (void)e;
    return ERR_OK;
}

/* Before version 3 each table had a tree of its own, under its own name. */
static const enum meta_table moved[] = {META_VERSIONS,  META_TAGS, META_TAGGED,
                                        META_ARTIFACTS, META_REFS, META_FILES};

static const char *const dropped[] = {"hashes", "texts", "textrefs"};

struct move {
    struct meta_txn *t;
    enum meta_table table;
};

/* As it is: its checksum is over table and key, not over where it lies. */
static enum err move_record(void *ctx, str key, str value, struct error *e)
{
    const struct move *m = ctx;
    if (key.len < meta_key_least(m->table) || key.len > meta_key_most(m->table))
        return FAIL(e, ERR_DATA_LOSS, "meta.former_key",
                    "a record of the server's database (%s) is damaged; restore it from a backup",
                    meta_table_name(m->table));
    return m->t->meta->backend->ops->put(m->t->b, m->table, key, value, e);
}

static enum err move_table(struct meta_txn *t, enum meta_table table, struct error *e)
{
    const struct meta_ops *ops = t->meta->backend->ops;
    struct move m = {t, table};
    TRY(ops->former_each(t->b, meta_table_name(table), move_record, &m, e));
    return ops->former_drop(t->b, meta_table_name(table), e);
}

struct former_text {
    uint64_t number, seq, text_seq, life; /* of the version before */
    struct digest text;
};

/* A text that is missing or damaged stays missing: whoever asks for it is told. */
static enum err move_text(struct meta_txn *t, uint64_t number, const struct meta_version *v,
                          struct error *e)
{
    str value, text, key = str_of(v->text.b, sizeof v->text.b);
    enum err err = t->meta->backend->ops->former_get(t->b, "texts", key, &value, e);
    if (err != ERR_OK)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    return record_unseal(META_TEXTS, key, value, &text) ? meta_text_put(t, number, v->seq, text, e)
                                                        : ERR_OK;
}

/* Each version has its text, or shares the one before's; and is found by its hash. */
static enum err settle_version(struct meta_txn *t, void *ctx, uint64_t number,
                               const struct meta_version *v, struct error *e)
{
    struct former_text *last = ctx;
    struct meta_version shares = *v;
    bool shared = last->number == number && last->seq + 1 == v->seq && last->life == v->life &&
                  digest_eq(&last->text, &v->text);
    shares.text_seq = shared ? last->text_seq : v->seq;
    *last = (struct former_text){number, v->seq, shares.text_seq, v->life, v->text};
    TRY(hash_put(t, number, v, e));
    return shared ? version_put(t, number, &shares, e) : move_text(t, number, v, e);
}

/* Version 3 has what is read together side by side: versions with their texts and the ways to them
 * by skill, with the newest first by hash; what is known of an archive by archive. */
static enum err step_2(struct meta_txn *t, struct error *e)
{
    const struct meta_ops *ops = t->meta->backend->ops;
    struct former_text last = {.number = 0};
    if (!ops->former_each)
        return ERR_OK;
    for (size_t i = 0; i < ARRAY_SIZE(moved); i++)
        TRY(move_table(t, moved[i], e));
    TRY(versions_each(t, settle_version, &last, e));
    for (size_t i = 0; i < ARRAY_SIZE(dropped); i++)
        TRY(ops->former_drop(t->b, dropped[i], e));
    return ERR_OK;
}

static enum err (*const steps[])(struct meta_txn *t, struct error *e) = {step_1, step_2};
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
