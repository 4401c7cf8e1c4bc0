/* The files of a version: what a manifest holds, its pages, versions that have none yet. */
#include "kit.h"
#include "meta/record.h"
#include "skill/token.h"
#include "stigmer/storage/v1/record.pb-c.h"

#include <stdio.h>

static enum err try_files(struct kit *k, const char *what, uint32_t page_size, str token,
                          struct skill_file_list *ret)
{
    struct skill_files q = {.ref = kit_ref(what), .page_size = page_size, .token = token};
    return skill_files(k->service, &q, &k->a, ret, &k->e);
}

static struct skill_file_list files_of(struct kit *k, const char *what, uint32_t page_size,
                                       str token)
{
    struct skill_file_list list;
    CHECK_OK(try_files(k, what, page_size, token, &list), &k->e);
    return list;
}

static void check_refused(struct kit *k, const char *what, uint32_t page_size, str token,
                          enum err want, const char *text)
{
    struct skill_file_list list;
    CHECK_ERR(try_files(k, what, page_size, token, &list), want, &k->e);
    CHECK_CONTAINS(str_c(k->e.msg), str_c(text));
}

static void check_file(const struct skill_file *f, const char *path, const char *data,
                       unsigned mode)
{
    struct digest want;
    struct error e;
    CHECK_STR(f->path, str_c(path));
    CHECK_INT(f->size, strlen(data));
    CHECK_INT(f->mode, mode);
    CHECK_OK(sha256_of(str_c(data), &want, &e), &e);
    CHECK(digest_eq(&f->sha256, &want));
}

BOTH(the_manifest_is_what_unpacking_makes)
{
    static const struct kit_file files[] = {
        {"zeta.txt", "last", 0},
        {"SKILL.md", "# Files\n", 0644},
        {"empty", "", 0644},
        {"lib/", "", 040755},
        {"lib/run.sh", "true", 0644},
        {"lib/tool", "\177ELF", 0100755},
        {"lib-2", "#!/bin/sh", 0644},
        {"__MACOSX/._SKILL.md", "fork", 0644},
        {"lib/.DS_Store", "finder", 0644},
        {"\xc3\xa4.txt", "umlaut", 0644},
    };
    struct skill s = kit_push_files(k, "calc@v1", files, ARRAY_SIZE(files));
    struct skill_file_list list = files_of(k, "calc", 100, STR_NULL);
    CHECK(digest_eq(&list.hash, &s.hash));
    CHECK_INT(list.n_items, 7);
    CHECK_INT(list.total, 7);
    CHECK_INT(list.total_size, 8 + 0 + 9 + 4 + 4 + 4 + 6);
    CHECK_INT(list.next_token.len, 0);
    check_file(&list.items[0], "SKILL.md", "# Files\n", 0644);
    check_file(&list.items[1], "empty", "", 0644);
    check_file(&list.items[2], "lib-2", "#!/bin/sh", 0755);
    check_file(&list.items[3], "lib/run.sh", "true", 0755);
    check_file(&list.items[4], "lib/tool", "\177ELF", 0755);
    check_file(&list.items[5], "zeta.txt", "last", 0644);
    check_file(&list.items[6], "\xc3\xa4.txt", "umlaut", 0644);
}

enum { N_MANY = 25 };

/* SKILL.md and files f00 to f23, each holding its name and `text`. */
static struct skill push_many(struct kit *k, const char *what, const char *text)
{
    static char names[N_MANY][8], data[N_MANY][32];
    struct kit_file files[N_MANY] = {{"SKILL.md", "# Many\n", 0644}};
    for (int i = 1; i < N_MANY; i++) {
        (void)snprintf(names[i], sizeof names[i], "f%02d", i - 1);
        (void)snprintf(data[i], sizeof data[i], "%s %s", names[i], text);
        files[i] = (struct kit_file){names[i], data[i], 0644};
    }
    return kit_push_files(k, what, files, N_MANY);
}

/* The page continues with number `first` of push_many's manifest. */
static void check_many(const struct skill_file_list *list, size_t first, const char *text)
{
    for (size_t i = 0; i < list->n_items; i++) {
        char name[8], data[32];
        (void)snprintf(name, sizeof name, "f%02zu", first + i - 1);
        (void)snprintf(data, sizeof data, "%s %s", name, text);
        if (first + i > 0)
            check_file(&list->items[i], name, data, 0644);
    }
}

BOTH(pages_cover_everything_once)
{
    push_many(k, "calc", "x");
    for (uint32_t size = 1; size <= N_MANY + 1; size++) {
        size_t n = 0;
        str token = STR_NULL;
        do {
            struct skill_file_list list = files_of(k, "calc", size, token);
            CHECK_INT(list.n_items, MIN((size_t)size, N_MANY - n));
            CHECK_INT(list.total, N_MANY);
            check_many(&list, n, "x");
            n += list.n_items;
            token = list.next_token;
        } while (token.len);
        CHECK_INT(n, N_MANY);
    }
}

BOTH(a_list_stays_with_its_version)
{
    struct skill v1 = push_many(k, "acme/calc@v1", "one");
    struct skill_file_list first = files_of(k, "acme/calc", 10, STR_NULL);
    struct skill v2 = push_many(k, "acme/calc@v2", "two");
    struct skill_file_list second = files_of(k, "acme/calc", 10, first.next_token);
    CHECK(digest_eq(&second.hash, &v1.hash));
    check_many(&second, 10, "one");
    struct skill_file_list fresh = files_of(k, "acme/calc", 10, STR_NULL);
    CHECK(digest_eq(&fresh.hash, &v2.hash));
    check_many(&fresh, 0, "two");
    CHECK_INT(files_of(k, "acme/calc", 10, second.next_token).n_items, 5);
}

BOTH(every_reference_to_a_version_works)
{
    char by_hash[100], hex[SHA256_HEX_LEN + 1];
    static const char *const refs[] = {"acme/calc@v1", "calc@v1"};
    struct skill v1 = kit_push(k, "acme/calc@v1", "one");
    kit_push(k, "acme/calc@v2", "two");
    digest_to_hex(&v1.hash, hex);
    (void)snprintf(by_hash, sizeof by_hash, "acme/calc@%s", hex);
    for (size_t i = 0; i < ARRAY_SIZE(refs); i++)
        check_file(&files_of(k, refs[i], 1, STR_NULL).items[0], "SKILL.md", "one", 0644);
    check_file(&files_of(k, by_hash, 1, STR_NULL).items[0], "SKILL.md", "one", 0644);
    check_file(&files_of(k, "calc@latest", 1, STR_NULL).items[0], "SKILL.md", "two", 0644);
}

BOTH(other_references_fail_as_they_do_elsewhere)
{
    kit_push(k, "acme/calc@v1", "one");
    check_refused(k, "nope", 10, STR_NULL, ERR_NOT_FOUND, "skill not found: nope");
    check_refused(k, "calc@v9", 10, STR_NULL, ERR_NOT_FOUND, "skill version not found: calc:v9");
    check_refused(k, "", 10, STR_NULL, ERR_INVALID_ARGUMENT, "slug is required in reference");
    kit_push(k, "other/calc@v1", "one");
    check_refused(k, "calc", 10, STR_NULL, ERR_FAILED_PRECONDITION, "acme, other");
}

BOTH(a_deleted_version_is_out_of_reach)
{
    struct skill s;
    push_many(k, "acme/calc@v1", "one");
    str token = files_of(k, "acme/calc", 10, STR_NULL).next_token;
    CHECK_OK(skill_delete(k->service, STR("org/acme/skill/calc"), STR_NULL, &k->a, &s, &k->e),
             &k->e);
    check_refused(k, "acme/calc", 10, STR_NULL, ERR_NOT_FOUND, "skill not found: calc");
    push_many(k, "acme/calc@v2", "two");
    check_refused(k, "acme/calc@v1", 10, STR_NULL, ERR_NOT_FOUND, "skill version not found");
    check_refused(k, "acme/calc", 10, token, ERR_NOT_FOUND, "skill version not found");
    CHECK_INT(files_of(k, "acme/calc", 10, STR_NULL).total, N_MANY);
}

static void check_token_refused(struct kit *k, const char *what, str token)
{
    check_refused(k, what, 10, token, ERR_INVALID_ARGUMENT, "page_token: not a token of this list");
}

BOTH(tokens_belong_to_their_question)
{
    char bent[400];
    push_many(k, "acme/calc@v1", "one");
    push_many(k, "acme/calc-2@v1", "two");
    str token = files_of(k, "acme/calc@v1", 10, STR_NULL).next_token;
    CHECK(token.len > 0 && token.len < sizeof bent);
    check_token_refused(k, "acme/calc-2@v1", token);
    check_token_refused(k, "acme/calc", token);
    check_token_refused(k, "acme/calc@v1", STR("00"));
    for (size_t i = 0; i < token.len; i++) {
        memcpy(bent, token.p, token.len);
        bent[i] ^= 1;
        check_token_refused(k, "acme/calc@v1", str_of(bent, token.len));
    }
    CHECK_INT(files_of(k, "acme/calc@v1", 10, token).n_items, 10);
}

/* Tokens are no secret: one that was made up must not be believed either. */
BOTH(made_up_positions_are_refused)
{
    char hex[SHA256_HEX_LEN + 1], position[200];
    static const char *const wrong[] = {
        "", "/", "/1", "%s", "%s/", "%s/x", "%s/25", "%s/-1", "%s/18446744073709551615", "x%s/1"};
    str token;
    struct skill s = push_many(k, "acme/calc", "x");
    digest_to_hex(&s.hash, hex);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        str before, after;
        (void)str_cut(str_c(wrong[i]), '%', &before, &after);
        (void)snprintf(position, sizeof position, "%.*s%s%.*s", STR_ARG(before),
                       after.len ? hex : "", STR_ARG(str_skip(after, after.len ? 1 : 0)));
        CHECK_OK(
            token_make(str_c(position), STR("files org/acme/skill/calc "), &k->a, &token, &k->e),
            &k->e);
        check_token_refused(k, "acme/calc", token);
    }
    memset(hex, 'a', SHA256_HEX_LEN);
    (void)snprintf(position, sizeof position, "%s/1", hex);
    CHECK_OK(token_make(str_c(position), STR("files org/acme/skill/calc "), &k->a, &token, &k->e),
             &k->e);
    check_refused(k, "acme/calc", 10, token, ERR_NOT_FOUND, "skill version not found: calc:aaa");
}

BOTH(page_sizes_have_bounds)
{
    kit_push(k, "calc", "x");
    check_refused(k, "calc", 0, STR_NULL, ERR_INVALID_ARGUMENT, "page_size: 1 to 1000");
    check_refused(k, "calc", 1001, STR_NULL, ERR_INVALID_ARGUMENT, "page_size: 1 to 1000");
    CHECK_INT(files_of(k, "calc", 1000, STR_NULL).n_items, 1);
}

/* --- what lies in the database --- */

static size_t n_parts(struct kit *k)
{
    size_t n = 0;
    struct meta_key all = META_KEY_INIT;
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    CLEANUP(scan_close) struct scan s = SCAN_INIT;
    CHECK_OK(meta_read_begin(k->meta, &t, &k->e), &k->e);
    CHECK_OK(scan_open(&s, &t, META_FILES, &all, &k->e), &k->e);
    enum err err = scan_seek(&s, &all, &k->e);
    for (; err == ERR_OK; err = scan_next(&s, &k->e))
        n++;
    CHECK_OK(scan_done(err), &k->e);
    return n;
}

BOTH(equal_bytes_share_one_manifest)
{
    push_many(k, "acme/calc", "x");
    CHECK_INT(n_parts(k), 1);
    push_many(k, "other/twin", "x");
    push_many(k, "acme/calc@again", "x");
    CHECK_INT(n_parts(k), 1);
    CHECK_INT(files_of(k, "twin", 100, STR_NULL).n_items, N_MANY);
    push_many(k, "acme/calc", "y");
    CHECK_INT(n_parts(k), 2);
}

static struct meta_key key_of(const struct digest *d)
{
    struct meta_key key = META_KEY_INIT;
    key_add_digest(&key, d);
    return key;
}

/* As if the archive was pushed before manifests were kept. */
static enum err forget_manifest(struct meta_txn *t, void *arg, struct error *e)
{
    const struct digest *d = arg;
    struct meta_key key = key_of(d), part = key;
    struct meta_artifact was;
    Stigmer__Storage__V1__ArtifactRecord m = STIGMER__STORAGE__V1__ARTIFACT_RECORD__INIT;
    TRY(meta_artifact_get(t, d, &was, e));
    m.size = was.size;
    m.state = was.state;
    m.created_at_ns = was.created_at_ns;
    key_add_u64(&part, 0);
    TRY(record_del(t, META_FILES, &part, e));
    return record_put_message(t, META_ARTIFACTS, &key, &m.base, e);
}

BOTH(a_version_without_a_manifest_gets_it_when_it_is_asked_for)
{
    struct skill s = push_many(k, "calc", "x");
    CHECK_OK(meta_write(k->meta, forget_manifest, &s.hash, &k->e), &k->e);
    CHECK_INT(n_parts(k), 0);
    struct skill_file_list list = files_of(k, "calc", 20, STR_NULL);
    CHECK_INT(list.total, N_MANY);
    check_many(&list, 0, "x");
    CHECK_INT(n_parts(k), 1);
    CHECK_OK(store_remove(k->store, &s.hash, &k->e), &k->e);
    list = files_of(k, "calc", 20, list.next_token); /* the archive is not looked at again */
    check_many(&list, 20, "x");
}

BOTH(pushing_the_bytes_again_brings_the_manifest)
{
    struct skill s = push_many(k, "calc@v1", "x");
    CHECK_OK(meta_write(k->meta, forget_manifest, &s.hash, &k->e), &k->e);
    push_many(k, "calc@v2", "x");
    CHECK_INT(n_parts(k), 1);
    CHECK_INT(files_of(k, "calc@v1", 100, STR_NULL).n_items, N_MANY);
}

BOTH(a_lost_archive_without_manifest_is_data_loss)
{
    struct skill s = push_many(k, "calc", "x");
    CHECK_OK(meta_write(k->meta, forget_manifest, &s.hash, &k->e), &k->e);
    CHECK_OK(store_remove(k->store, &s.hash, &k->e), &k->e);
    check_refused(k, "calc", 10, STR_NULL, ERR_DATA_LOSS, "the server has lost the artifact");
}

static enum err add_version(struct meta_txn *t, void *arg, struct error *e)
{
    const struct digest *d = arg;
    struct meta_skill head;
    struct meta_version v = {.seq = 2, .life = 1, .artifact = *d, .size = 5};
    struct arena a;
    arena_init(&a, KIB(64));
    TRY(meta_skill_get(t, STR("platform/skill/calc"), &a, &head, e));
    head.last_seq = 2;
    TRY(meta_version_add(t, head.number, &v, e));
    TRY(meta_skill_put(t, &head, e));
    arena_deinit(&a);
    return ERR_OK;
}

BOTH(an_archive_that_would_be_refused_today_is_told)
{
    struct spool *sp;
    kit_push(k, "calc", "x");
    CHECK_OK(store_spool(k->store, 100, &sp, &k->e), &k->e);
    CHECK_OK(spool_write(sp, "hello", 5, &k->e), &k->e);
    CHECK_OK(spool_seal(sp, &k->e), &k->e);
    struct digest d = *spool_digest(sp);
    CHECK_OK(store_put(k->store, sp, NULL, &k->e), &k->e);
    spool_free(sp);
    CHECK_OK(meta_write(k->meta, add_version, &d, &k->e), &k->e);
    check_refused(k, "calc", 10, STR_NULL, ERR_FAILED_PRECONDITION,
                  "does not pass the audit of this server: invalid ZIP file");
    CHECK_INT(n_parts(k), 1);
}

static enum err drop_part(struct meta_txn *t, void *arg, struct error *e)
{
    struct meta_key key = key_of(arg);
    key_add_u64(&key, 0);
    return record_del(t, META_FILES, &key, e);
}

static enum err drop_artifact(struct meta_txn *t, void *arg, struct error *e)
{
    struct meta_key key = key_of(arg);
    return record_del(t, META_ARTIFACTS, &key, e);
}

BOTH(missing_records_are_data_loss)
{
    struct skill s = push_many(k, "calc", "x");
    CHECK_OK(meta_write(k->meta, drop_part, &s.hash, &k->e), &k->e);
    check_refused(k, "calc", 10, STR_NULL, ERR_DATA_LOSS, "incomplete");
    CHECK_OK(meta_write(k->meta, drop_artifact, &s.hash, &k->e), &k->e);
    check_refused(k, "calc", 10, STR_NULL, ERR_DATA_LOSS, "an archive's record is missing");
}

TEST(disk_a_manifest_outlives_the_process)
{
    struct kit k;
    kit_open(&k, true);
    push_many(&k, "calc", "x");
    kit_reopen(&k);
    struct skill_file_list list = files_of(&k, "calc", 100, STR_NULL);
    CHECK_INT(list.n_items, N_MANY);
    check_many(&list, 0, "x");
    kit_close(&k);
}
