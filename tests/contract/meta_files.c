/* Manifests, as src/meta/meta.h promises them, held against every backend. */
#include "meta_kinds.h"

#include "meta/record.h"

#include <stdio.h>

enum { N_MAX = 10000, PATH_MAX_LEN = 1024 };

static struct error e;
static struct arena arena;
static const struct digest archive = {{1}}, other = {{2}};
static struct meta_file files[N_MAX], got[N_MAX];
static char paths[N_MAX][PATH_MAX_LEN];

struct manifest {
    const struct digest *artifact;
    uint32_t n;
};

static enum err add_artifact(struct meta_txn *t, void *arg, struct error *err)
{
    const struct manifest *m = arg;
    struct meta_version v = {.seq = 1, .artifact = *m->artifact, .size = 77, .updated_at_ns = 5};
    return meta_version_add(t, 1, &v, err);
}

/* A path that is asked for ends the one before. */
static enum err get_file(void *ctx, uint32_t i, struct meta_file *ret, struct error *err)
{
    static char path[PATH_MAX_LEN];
    (void)ctx, (void)err;
    *ret = files[i];
    memcpy(path, files[i].path.p, files[i].path.len);
    ret->path.p = path;
    return ERR_OK;
}

static enum err put_files(struct meta_txn *t, void *arg, struct error *err)
{
    const struct manifest *m = arg;
    const struct meta_file_source source = {.get = get_file, .n = m->n};
    return meta_files_put(t, m->artifact, &source, err);
}

static struct meta *open_meta(const struct kind *kind)
{
    struct meta_backend *b = NULL;
    struct meta *m = NULL;
    struct manifest first = {&archive, 0}, second = {&other, 0};
    CHECK_OK(kind->backend(&b, &e), &e);
    CHECK_OK(meta_new(b, NULL, &m, &e), &e);
    CHECK_OK(meta_write(m, add_artifact, &first, &e), &e);
    CHECK_OK(meta_write(m, add_artifact, &second, &e), &e);
    return m;
}

/* File i has a path of len bytes, all of them different, and 3 i bytes. */
static void make_files(uint32_t n, size_t len)
{
    for (uint32_t i = 0; i < n; i++) {
        memset(paths[i], 'p', len);
        CHECK_INT(snprintf(paths[i], 6, "%05u", i), 5);
        paths[i][5] = '/';
        files[i] = (struct meta_file){
            .path = str_of(paths[i], len), .size = 3 * (uint64_t)i, .mode = i % 2 ? 0755 : 0644};
        memset(files[i].sha256.b, (int)(i & 0xff), sizeof files[i].sha256.b);
    }
}

static void put(struct meta *m, const struct digest *artifact, uint32_t n)
{
    CHECK_OK(meta_write(m, put_files, &(struct manifest){artifact, n}, &e), &e);
}

static struct meta_artifact artifact_of(struct meta *m, const struct digest *d)
{
    struct meta_artifact artifact;
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    CHECK_OK(meta_artifact_get(&t, d, &artifact, &e), &e);
    return artifact;
}

/* Reads in memory of max bytes. */
static enum err get(struct meta *m, const struct digest *d, uint32_t first, uint32_t n, size_t max)
{
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    arena_deinit(&arena);
    arena_init(&arena, max);
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    return meta_files_get(&t, d, first, n, &arena, got, &e);
}

static void check_range(struct meta *m, uint32_t first, uint32_t n)
{
    CHECK_OK(get(m, &archive, first, n, MIB(32)), &e);
    for (uint32_t i = 0; i < n; i++) { /* what was read outlives the transaction */
        CHECK_STR(got[i].path, files[first + i].path);
        CHECK_INT(got[i].size, files[first + i].size);
        CHECK_INT(got[i].mode, files[first + i].mode);
        CHECK(digest_eq(&got[i].sha256, &files[first + i].sha256));
    }
}

static void close_meta(struct meta *m)
{
    arena_deinit(&arena);
    meta_close(m);
}

ON_EACH(a_manifest_comes_back_in_any_range)
{
    struct meta *m = open_meta(kind);
    make_files(200, 20);
    put(m, &archive, 200);
    CHECK_INT(artifact_of(m, &archive).n_files, 200);
    CHECK_INT(artifact_of(m, &archive).files_size, 3 * 199 * 200 / 2);
    CHECK_INT(artifact_of(m, &archive).size, 77); /* what else is known stays */
    CHECK_INT(artifact_of(m, &archive).created_at_ns, 5);
    CHECK_INT(artifact_of(m, &archive).state, META_ARTIFACT_LIVE);
    for (uint32_t first = 0; first < 200; first += 21)
        for (uint32_t n = 0; n <= 200 - first; n += 17)
            check_range(m, first, n);
    check_range(m, 0, 200);
    check_range(m, 199, 1);
    close_meta(m);
}

ON_EACH(manifests_end_at_any_number)
{
    static const uint32_t counts[] = {1, 63, 64, 65, 127, 128, 129};
    struct meta *m = open_meta(kind);
    make_files(129, 10);
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        struct digest d = {{(uint8_t)(10 + i)}};
        struct manifest one = {&d, counts[i]};
        CHECK_OK(meta_write(m, add_artifact, &one, &e), &e);
        put(m, &d, counts[i]);
        CHECK_INT(artifact_of(m, &d).n_files, counts[i]);
        CHECK_OK(get(m, &d, 0, counts[i], MIB(1)), &e);
        CHECK_STR(got[counts[i] - 1].path, files[counts[i] - 1].path);
        CHECK_ERR(get(m, &d, 0, counts[i] + 1, MIB(1)), ERR_DATA_LOSS, &e);
        CHECK_CONTAINS(str_c(e.msg), STR("incomplete"));
    }
    close_meta(m);
}

ON_EACH(a_manifest_that_is_there_is_left_alone)
{
    struct meta *m = open_meta(kind);
    make_files(70, 10);
    put(m, &archive, 70);
    make_files(3, 15);
    put(m, &archive, 3);
    CHECK_INT(artifact_of(m, &archive).n_files, 70);
    make_files(70, 10);
    check_range(m, 0, 70);
    close_meta(m);
}

ON_EACH(archives_have_manifests_of_their_own)
{
    struct meta *m = open_meta(kind);
    make_files(100, 10);
    CHECK_INT(artifact_of(m, &archive).n_files, 0);
    CHECK_ERR(get(m, &archive, 0, 1, MIB(1)), ERR_DATA_LOSS, &e);
    put(m, &archive, 100);
    CHECK_INT(artifact_of(m, &other).n_files, 0);
    CHECK_ERR(get(m, &other, 0, 1, MIB(1)), ERR_DATA_LOSS, &e);
    put(m, &other, 2);
    CHECK_INT(artifact_of(m, &other).files_size, 3);
    check_range(m, 0, 100);
    close_meta(m);
}

ON_EACH(only_known_archives_have_one)
{
    struct meta *m = open_meta(kind);
    struct digest nobody = {{3}};
    make_files(1, 10);
    CHECK_ERR(meta_write(m, put_files, &(struct manifest){&nobody, 1}, &e), ERR_NOT_FOUND, &e);
    close_meta(m);
}

static enum err put_then_fail(struct meta_txn *t, void *arg, struct error *err)
{
    TRY(put_files(t, arg, err));
    return FAIL(err, ERR_ABORTED, "test.abort", "on purpose");
}

ON_EACH(a_failing_transaction_leaves_no_manifest)
{
    struct meta *m = open_meta(kind);
    make_files(100, 10);
    CHECK_ERR(meta_write(m, put_then_fail, &(struct manifest){&archive, 100}, &e), ERR_ABORTED, &e);
    CHECK_INT(artifact_of(m, &archive).n_files, 0);
    put(m, &archive, 100);
    check_range(m, 0, 100);
    close_meta(m);
}

/* The largest manifest that the profile allows; reading a page of it needs memory for the page. */
ON_EACH(the_largest_manifest_is_read_in_bounded_memory)
{
    struct meta *m = open_meta(kind);
    make_files(N_MAX, PATH_MAX_LEN);
    put(m, &archive, N_MAX);
    CHECK_OK(get(m, &archive, 9000, 1000, MIB(2)), &e);
    CHECK_STR(got[999].path, files[9999].path);
    CHECK_ERR(get(m, &archive, 9000, 1000, KIB(512)), ERR_RESOURCE_EXHAUSTED, &e);
    check_range(m, 0, N_MAX);
    close_meta(m);
}

static void damage(struct meta *m, uint64_t part, size_t at)
{
    static char copy[KIB(8)];
    str value;
    struct meta_btxn *t = NULL;
    struct meta_key key = META_KEY_INIT;
    const struct meta_ops *ops = m->backend->ops;
    key_add_digest(&key, &archive);
    key_add_u64(&key, part);
    CHECK_OK(ops->begin_write(m->backend, NULL, &t, &e), &e);
    CHECK_OK(ops->get(t, META_FILES, key_view(&key), &value, &e), &e);
    CHECK(value.len <= sizeof copy && at < value.len);
    memcpy(copy, value.p, value.len);
    copy[at] ^= 0x10;
    CHECK_OK(ops->put(t, META_FILES, key_view(&key), str_of(copy, value.len), &e), &e);
    CHECK_OK(ops->commit(t, &e), &e);
}

ON_EACH(damage_is_told_and_stays_where_it_is)
{
    struct meta *m = open_meta(kind);
    make_files(130, 10);
    put(m, &archive, 130);
    damage(m, 1, 100);
    CHECK_ERR(get(m, &archive, 0, 65, MIB(1)), ERR_DATA_LOSS, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("a record of the server's database (files) is damaged"));
    check_range(m, 0, 64);
    check_range(m, 128, 2);
    damage(m, 1, 100); /* and back */
    check_range(m, 0, 130);
    close_meta(m);
}
