/* A sound store is found sound; each thing that is broken in it is found, and the skill is named.
 */
#include "check/check.h"

#include "base/sys.h"
#include "kit.h"
#include "meta/record.h"
#include "stigmer/storage/v1/record.pb-c.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct kit k;
static char told[8000]; /* kinds, texts and skills, one a line */
static struct check_report report;

static const char *path(const char *name)
{
    static char p[400];
    (void)snprintf(p, sizeof p, "%s/%s", test_dir(), name);
    return p;
}

static void note(void *ctx, const struct check_finding *f)
{
    size_t n = strlen(told);
    (void)ctx;
    (void)snprintf(told + n, sizeof told - n, "%s: %s [%s]\n", f->kind, f->text,
                   f->skill ? f->skill : "");
}

static enum err check(struct error *e)
{
    char db[400], storage[400];
    (void)snprintf(db, sizeof db, "%s/db", test_dir());
    (void)snprintf(storage, sizeof storage, "%s/storage", test_dir());
    const struct check_options o = {.db_path = db, .storage_path = storage, .found = note};
    told[0] = '\0';
    return check_store(&o, &report, e);
}

/* Two skills with tags, one in an org; one that was deleted; one with two lives, the first purged.
 */
static void make_store(void)
{
    struct skill_gc_report r;
    struct skill s;
    const struct skill_gc purge = {.purge_deleted = true};
    kit_open(&k, true);
    s = kit_push(&k, "lives@old", "before");
    CHECK_OK(skill_delete(k.service, s.id, STR_NULL, &k.a, &s, &k.e), &k.e);
    CHECK_OK(skill_gc(k.service, &purge, &r, &k.e), &k.e);
    kit_push(&k, "lives@new", "now");
    kit_push(&k, "acme/calc@v1", "one");
    kit_push(&k, "acme/calc@v2", "two");
    struct skill_ref ref = kit_ref("acme/calc@v1");
    CHECK_OK(skill_move_tag(k.service, &ref, STR("stable"), STR_NULL, &k.a, &s, &k.e), &k.e);
    kit_push(&k, "plain", "one");
    s = kit_push(&k, "gone@v1", "gone");
    CHECK_OK(skill_delete(k.service, s.id, STR_NULL, &k.a, &s, &k.e), &k.e);
}

static void check_sound(void)
{
    struct error e;
    CHECK_OK(check(&e), &e);
    CHECK_STR(str_c(told), STR(""));
    CHECK_INT(report.findings, 0);
}

TEST(a_sound_store)
{
    make_store();
    check_sound(); /* beside who has it open */
    CHECK_INT(report.skills, 4);
    CHECK_INT(report.versions, 5);
    CHECK_INT(report.artifacts, 4);
    CHECK_INT(report.garbage, 0);
    CHECK(report.bytes > 400 && report.records > 40 && report.pages > 20);
    struct spool *sp = kit_archive(&k, "left behind");
    CHECK_OK(store_put(k.store, sp, NULL, &k.e), &k.e);
    spool_free(sp);
    check_sound(); /* garbage is no damage */
    CHECK_INT(report.garbage, 1);
    kit_close(&k);
    check_sound();
}

/* Short tags of skills with neighbouring numbers once had the same place in a table. */
TEST(many_short_tags)
{
    char what[32], text[32];
    kit_open(&k, true);
    for (int n = 0; n < 400; n++) {
        (void)snprintf(what, sizeof what, "skill%d@t%d", n % 4, n / 4);
        (void)snprintf(text, sizeof text, "%d", n);
        kit_push(&k, what, text);
        kit_forget(&k);
    }
    kit_close(&k);
    check_sound();
}

TEST(a_store_without_anything)
{
    kit_open(&k, true);
    kit_close(&k);
    check_sound();
}

TEST(what_is_no_store)
{
    struct error e;
    CHECK_ERR(check(&e), ERR_NOT_FOUND, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("there is no database at DB_PATH="));
    CHECK(mkdir(path("db"), 0700) == 0);
    int fd = open(path("db/data.mdb"), O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0 && write(fd, "no database", 11) == 11);
    close(fd);
    CHECK_ERR(check(&e), ERR_FAILED_PRECONDITION, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("data.mdb is not a database"));
}

TEST(a_database_that_is_cut_off)
{
    struct error e;
    make_store();
    kit_close(&k);
    CHECK(truncate(path("db/data.mdb"), 10 * 4096 + 100) == 0);
    CHECK_OK(check(&e), &e);
    CHECK_CONTAINS(str_c(told), STR("page: the database is damaged: the file ends after 10 of "));
    CHECK(truncate(path("db/data.mdb"), 4096 - 1) == 0);
    CHECK_ERR(check(&e), ERR_FAILED_PRECONDITION, &e);
}

/* --- records ---------------------------------------------------------------------------------- */

/* The first key of the table that holds the part; empty: the first of all. */
static struct meta_key find_key(struct meta_txn *t, enum meta_table table, str part)
{
    struct error e;
    struct meta_key all = META_KEY_INIT, found = META_KEY_INIT;
    struct scan s = SCAN_INIT;
    CHECK_OK(scan_open(&s, t, table, &all, &e), &e);
    enum err err = scan_seek(&s, &all, &e);
    while (err == ERR_OK && part.len && !memmem(s.key.p, s.key.len, part.p, part.len))
        err = scan_next(&s, &e);
    CHECK_OK(err, &e);
    key_add(&found, s.key);
    scan_close(&s);
    return found;
}

struct breakage {
    enum meta_table table;
    const char *part; /* of the key that is broken */
    enum { REMOVE, EMPTY, ADD } how;
    const char *want; /* in what is told */
};

static enum err do_break(struct meta_txn *t, void *arg, struct error *e)
{
    const struct breakage *b = arg;
    struct meta_key key = META_KEY_INIT;
    if (b->how == ADD)
        key_add(&key, str_c(b->part));
    else
        key = find_key(t, b->table, str_c(b->part));
    if (b->how == REMOVE)
        return record_del(t, b->table, &key, e);
    return record_put(t, b->table, &key, STR_NULL, e);
}

static const struct breakage breakages[] = {
    {META_SKILLS, "calc", REMOVE, "event: event 5 is about a skill that there is not"},
    {META_SKILLS, "calc", EMPTY, "record: the number of org/acme/skill/calc is missing"},
    {META_LIVE, "calc", REMOVE,
     "reference: @acme/calc is not in the list of live skills [@acme/calc]"},
    {META_LIVE, "platform/skill/gone", ADD, "reference: gone is deleted and in the list"},
    {META_LIVE, "org/x/skill/nobody", ADD, "the list of live skills has one that there is not"},
    {META_SLUGS, "calc", REMOVE, "reference: @acme/calc is not found by its slug"},
    {META_SLUGS, "calc", EMPTY, "a slug leads to a skill that there is not"},
    {META_VERSIONS, "", REMOVE, "the record of lives (version 2) is missing [lives (version 2)]"},
    {META_VERSIONS, "", EMPTY, "the record of lives (version 2) cannot be read"},
    {META_VERSIONS, "\1\2\3\4\5\6\7\10\1\2\3\4\5\6\7\10", ADD, "and no such version"},
    {META_VERSIONS, "0123456789abcdefx", ADD, "has a key that no server makes"},
    {META_HASHES, "", REMOVE, "lives (version 2) is not found by its hash"},
    {META_HASHES, "12345678x", ADD, "a hash leads to a version that does not have it"},
    {META_REFS, "", REMOVE, "its archive does not know of it"},
    {META_REFS, "0123456789abcdef0123456789abcdefx", ADD, "held by a version that does not"},
    {META_ARTIFACTS, "", REMOVE, "its archive is not recorded"},
    {META_ARTIFACTS, "", EMPTY, "the record of an archive makes no sense"},
    {META_FILES, "", REMOVE, "the list of an archive's files is incomplete"},
    {META_FILES, "0123456789abcdef0123456789abcdefx", ADD,
     "a list of files of an archive that is not recorded"},
    {META_TEXTS, "", REMOVE, "its SKILL.md is missing"},
    {META_TEXTS, "", EMPTY, "lives (version 2): its SKILL.md has another hash"},
    {META_TEXTS, "\1\2\3\4\5\6\7\10\1\2\3\4\5\6\7\10", ADD, "a SKILL.md that no version has"},
    {META_TAGS, "stable", REMOVE, "event: a tag that points at @acme/calc (version 1) is missing"},
    {META_TAGS, "stable", EMPTY, "which there is not"},
    {META_TAGGED, "stable", REMOVE, "@acme/calc (version 1) does not know a tag that points at it"},
    {META_TAGGED, "0123456789abcdef", ADD, "a version knows a tag that does not point at it"},
    {META_EVENTS, "\1", REMOVE, "events 1 to 1 are missing"},
    {META_EVENTS, "\5", REMOVE, "event: @acme/calc (version 1): no event tells of it"},
    {META_EVENTS, "\2", REMOVE, "cannot have happened to lives then"},
    {META_INFO, "clock", REMOVE, "the last sequence number is missing"},
    {META_INFO, "clock", EMPTY, "the last sequence number is not that of the last event"},
    {META_INFO, "live/acme", EMPTY, "the number of live skills is recorded wrongly"},
    {META_INFO, "schema", REMOVE, "the version of the database's schema is missing"},
};

static void try_breakage(const struct breakage *b)
{
    struct error e;
    struct breakage copy = *b;
    CHECK_OK(meta_write(k.meta, do_break, &copy, &k.e), &k.e);
    CHECK_OK(check(&e), &e);
    CHECK(report.findings > 0);
    if (!strstr(told, b->want))
        test_fail(__FILE__, __LINE__, "table %s, key \"%s\", way %d: want \"%s\" in:\n%s",
                  meta_table_name(b->table), b->part, b->how, b->want, told);
}

/* Each in a transaction's worth of its own store. */
TEST(what_records_say_of_each_other)
{
    char command[1000];
    make_store();
    kit_close(&k);
    (void)snprintf(command, sizeof command, "cp -r %s/db %s/keep", test_dir(), test_dir());
    CHECK(system(command) == 0);
    for (size_t i = 0; i < ARRAY_SIZE(breakages); i++) {
        (void)snprintf(command, sizeof command, "rm -r %s/db && cp -r %s/keep %s/db", test_dir(),
                       test_dir(), test_dir());
        CHECK(system(command) == 0);
        kit_open(&k, true);
        try_breakage(&breakages[i]);
        kit_close(&k);
    }
}

/* Version 1 of acme/calc is said to share the text of version 2. */
static enum err share_later(struct meta_txn *t, void *arg, struct error *e)
{
    Stigmer__Storage__V1__VersionRecord *m;
    struct meta_key key = META_KEY_INIT;
    struct meta_skill s;
    (void)arg;
    TRY(meta_skill_get(t, STR("org/acme/skill/calc"), &k.a, &s, e));
    key_add_u64(&key, s.number);
    key_add_u64(&key, 1);
    TRY(record_get_message(t, META_VERSIONS, &key,
                           &stigmer__storage__v1__version_record__descriptor, &k.a, &m, e));
    m->text_seq = 2;
    return record_put_message(t, META_VERSIONS, &key, &m->base, e);
}

TEST(a_text_is_shared_with_versions_before)
{
    struct error e;
    make_store();
    CHECK_OK(meta_write(k.meta, share_later, NULL, &k.e), &k.e);
    CHECK_OK(check(&e), &e);
    CHECK_CONTAINS(str_c(told), STR("@acme/calc (version 1) shares the SKILL.md of a version that "
                                    "is not before it [@acme/calc (version 1)]"));
    CHECK_CONTAINS(str_c(told), STR("@acme/calc (version 1): its SKILL.md has another hash"));
    CHECK_CONTAINS(str_c(told), STR("there is a SKILL.md that no version has"));
    kit_close(&k);
}

static enum err newer(struct meta_txn *t, void *arg, struct error *e)
{
    struct meta_key key = META_KEY_INIT;
    Stigmer__Storage__V1__SchemaRecord m = STIGMER__STORAGE__V1__SCHEMA_RECORD__INIT;
    (void)arg;
    m.version = META_SCHEMA_VERSION + 1;
    key_add(&key, STR("schema"));
    return record_put_message(t, META_INFO, &key, &m.base, e);
}

TEST(another_schema_is_not_judged)
{
    struct error e;
    make_store();
    CHECK_OK(meta_write(k.meta, newer, NULL, &k.e), &k.e);
    CHECK_ERR(check(&e), ERR_FAILED_PRECONDITION, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("the database has schema 4 and this program checks schema 3"));
}

static enum err damage(struct meta_txn *t, void *arg, struct error *e)
{
    struct meta_key key = find_key(t, META_VERSIONS, STR_NULL);
    (void)arg;
    return t->meta->backend->ops->put(t->b, META_VERSIONS, key_view(&key), STR("\1 not its sum"),
                                      e);
}

TEST(a_record_with_a_wrong_sum)
{
    struct error e;
    make_store();
    CHECK_OK(meta_write(k.meta, damage, NULL, &k.e), &k.e);
    CHECK_OK(check(&e), &e);
    CHECK_CONTAINS(str_c(told), STR("record: a record of table versions is damaged"));
    CHECK_CONTAINS(str_c(told), STR("the record of lives (version 2) is missing"));
}

/* --- archives --------------------------------------------------------------------------------- */

static const char *archive_of(const char *what)
{
    static char file[500];
    char hex[SHA256_HEX_LEN + 1];
    struct skill s = kit_resolve(&k, what);
    digest_to_hex(&s.hash, hex);
    (void)snprintf(file, sizeof file, "%s/storage/skills/%s.zip", test_dir(), hex);
    return file;
}

static void check_archive(const char *want)
{
    struct error e;
    CHECK_OK(check(&e), &e);
    CHECK_INT(report.findings, 1);
    CHECK_CONTAINS(str_c(told), str_c(want));
    CHECK_CONTAINS(str_c(told), STR("[@acme/calc (version 1), plain (version 1)]"));
}

TEST(archives)
{
    make_store();
    const char *file = archive_of("acme/calc@v1");
    char other[500];
    (void)snprintf(other, sizeof other, "%s", archive_of("acme/calc@v2"));
    file = archive_of("acme/calc@v1");
    int fd = open(file, O_RDWR);
    CHECK(fd >= 0);
    CHECK(pwrite(fd, "X", 1, 5) == 1);
    check_archive("does not hold what was pushed; push the files of @acme/calc (version 1), plain "
                  "(version 1) again");
    CHECK(ftruncate(fd, 20) == 0);
    check_archive("has another size than was pushed");
    CHECK(unlink(file) == 0);
    check_archive("is missing");
    CHECK(mkdir(file, 0700) == 0);
    check_archive("has another size than was pushed");
    CHECK(rmdir(file) == 0 && symlink(other, file) == 0);
    check_archive("is not a file");
    CHECK(unlink(file) == 0 && link(other, file) == 0); /* swapped: the size is the same */
    check_archive("does not hold what was pushed");
    close(fd);
}
