/* Databases of other versions: migrated in one transaction, or refused with a sentence. */
#include "meta/record.h"
#include "meta/schema.h"
#include "test.h"

static struct error e;

static enum err open_with(const struct meta_schema *schema, bool read_only, struct meta **ret)
{
    struct meta_backend *b = NULL;
    struct meta_lmdb_options o = {.read_only = read_only};
    struct meta_limits limits = META_LIMITS_DEFAULT;
    limits.schema = schema;
    CHECK_OK(meta_lmdb_new(test_dir(), &o, &b, &e), &e);
    return meta_new(b, &limits, ret, &e);
}

static struct meta *open_as(const struct meta_schema *schema)
{
    struct meta *m = NULL;
    CHECK_OK(open_with(schema, false, &m), &e);
    return m;
}

/* --- a product with three schemas: a text's record says which steps it has seen --- */

static struct meta_key note_key(void)
{
    struct meta_key k = META_KEY_INIT;
    key_add(&k, STR("note"));
    return k;
}

static enum err put_note(struct meta_txn *t, void *arg, struct error *er)
{
    struct meta_key k = note_key();
    return record_put(t, META_EVENTS, &k, str_c(arg), er);
}

static enum err get_note(struct meta_txn *t, str *ret, struct error *er)
{
    struct meta_key k = note_key();
    return record_get(t, META_EVENTS, &k, ret, er);
}

static enum err append(struct meta_txn *t, char c, struct error *er)
{
    str old;
    char now[16];
    struct meta_key k = note_key();
    TRY(get_note(t, &old, er));
    memcpy(now, old.p, old.len);
    now[old.len] = c;
    return record_put(t, META_EVENTS, &k, str_of(now, old.len + 1), er);
}

static enum err to_2(struct meta_txn *t, struct error *er)
{
    return append(t, '2', er);
}

static enum err to_3(struct meta_txn *t, struct error *er)
{
    return append(t, '3', er);
}

static enum err to_3_and_fails(struct meta_txn *t, struct error *er)
{
    TRY(append(t, '!', er));
    return FAIL(er, ERR_DATA_LOSS, "test.step", "a record makes no sense");
}

static enum err (*const steps[])(struct meta_txn *, struct error *) = {to_2, to_3};
static enum err (*const bad_steps[])(struct meta_txn *, struct error *) = {to_2, to_3_and_fails};
static const struct meta_schema v1 = {1, 1, NULL}, v2 = {2, 1, steps}, v3 = {3, 1, steps},
                                bad_v3 = {3, 1, bad_steps}, v3_from_2 = {3, 2, steps + 1};

static void make(const struct meta_schema *schema)
{
    char note[] = "1";
    struct meta *m = open_as(schema);
    CHECK_OK(meta_write(m, put_note, note, &e), &e);
    meta_close(m);
}

static void check_note(const struct meta_schema *schema, const char *want)
{
    str got;
    struct meta *m = open_as(schema);
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    CHECK_OK(get_note(&t, &got, &e), &e);
    CHECK_STR(got, str_c(want));
    meta_read_end(&t);
    meta_close(m);
}

static void check_refused(const struct meta_schema *schema, bool read_only, const char *why)
{
    struct meta *m = NULL;
    CHECK_ERR(open_with(schema, read_only, &m), ERR_FAILED_PRECONDITION, &e);
    CHECK_CONTAINS(str_c(e.msg), str_c(why));
    CHECK(!m);
}

TEST(an_older_database_is_migrated_step_by_step_and_once)
{
    make(&v1);
    check_note(&v3, "123");
    check_note(&v3, "123");
    check_refused(&v2, false,
                  "written by a newer stigmer-server (schema 3, this one knows up to 2)");
}

TEST(each_version_is_migrated_from_where_it_is)
{
    make(&v1);
    check_note(&v2, "12");
    check_note(&v3, "123");
}

TEST(a_step_that_fails_changes_nothing)
{
    struct meta *m = NULL;
    make(&v1);
    CHECK_ERR(open_with(&bad_v3, false, &m), ERR_DATA_LOSS, &e);
    CHECK_STR(str_c(e.msg),
              STR("the database cannot be migrated from schema 2 to 3: a record makes "
                  "no sense"));
    check_note(&v1, "1");
    check_note(&v3, "123");
}

TEST(a_version_too_old_is_refused_and_kept)
{
    make(&v1);
    check_refused(&v3_from_2, false,
                  "too old for this one (schema 1, this one migrates from 2 on)");
    check_note(&v1, "1");
}

TEST(who_only_reads_does_not_migrate)
{
    make(&v1);
    check_refused(&v3, true, "start this server once, it migrates the database");
    check_note(&v1, "1");
}

static enum err forget_schema(struct meta_txn *t, void *arg, struct error *er)
{
    struct meta_key k = META_KEY_INIT;
    (void)arg;
    key_add(&k, STR("schema"));
    return record_del(t, META_INFO, &k, er);
}

TEST(data_without_a_version_is_not_taken_for_a_new_database)
{
    make(&v1);
    struct meta *m = open_as(&v1);
    CHECK_OK(meta_write(m, forget_schema, NULL, &e), &e);
    meta_close(m);
    check_refused(&v1, false, "holds data but not the version of its schema");
    check_refused(&v1, true, "holds no stigmer database");
}

TEST(the_schema_of_this_server_has_all_its_steps)
{
    const struct meta_schema *s = &meta_schema_default;
    CHECK_INT(s->version, META_SCHEMA_VERSION);
    CHECK(s->oldest >= 1 && s->oldest <= s->version);
    for (uint32_t v = s->oldest; v < s->version; v++)
        CHECK(s->steps && s->steps[v - s->oldest]);
}
