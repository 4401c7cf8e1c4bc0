/*
 * Bits that turn over. A store is made; then, again and again, one bit of a copy is flipped at
 * random, and what happens is one of:
 *
 *   found      `check` says that something is damaged, or that it cannot be looked at
 *   harmless   `check` finds nothing, and everything that a server could be asked is answered as
 * before SILENT     `check` finds nothing, and an answer is another one, or reading crashes: a
 * failure
 *
 * FLIPS_DATABASE, FLIPS_ARCHIVES, FLIPS_SEED: how many, and which.
 */
#include "base/hex.h"
#include "base/sys.h"
#include "check/check.h"
#include "kit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_SKILLS = 120, N_VERSIONS = 6, TEXT_LEN = 300 };

enum outcome { FOUND, HARMLESS, SILENT, N_OUTCOMES };

static uint64_t state;

static uint64_t next_random(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

static const char *path(const char *name)
{
    static char paths[4][400];
    static unsigned turn;
    char *p = paths[turn++ % 4];
    (void)snprintf(p, sizeof paths[0], "%s/%s", test_dir(), name);
    return p;
}

/* --- the store -------------------------------------------------------------------------------- */

static void push_version(struct kit *k, int skill, int version)
{
    char what[64], text[TEXT_LEN + 64];
    (void)snprintf(what, sizeof what, "%sskill%03d@v%d", skill % 3 ? "acme/" : "", skill, version);
    int n = snprintf(text, sizeof text, "# %d.%d\n", skill % 50, version);
    memset(text + n, 'x', TEXT_LEN);
    text[n + TEXT_LEN] = '\0';
    kit_push(k, what, text);
    kit_forget(k);
}

static void make_store(struct kit *k)
{
    struct skill s;
    for (int version = 0; version < N_VERSIONS; version++)
        for (int skill = 0; skill < N_SKILLS; skill++)
            push_version(k, skill, version);
    for (int skill = 0; skill < N_SKILLS; skill += 10) {
        char ref[64];
        (void)snprintf(ref, sizeof ref, "%sskill%03d", skill % 3 ? "acme/" : "", skill);
        s = kit_resolve(k, ref);
        CHECK_OK(skill_delete(k->service, s.id, STR_NULL, &k->a, &s, &k->e), &k->e);
    }
    /* A text on pages of its own. */
    static char large[20000];
    memset(large, 'y', sizeof large - 1);
    kit_push(k, "large@v1", large);
}

/* --- everything that can be asked ------------------------------------------------------------- */

static void hash_skill(struct sha256 *h, const struct skill *s)
{
    struct error e;
    const str texts[] = {s->id,
                         s->name,
                         s->slug,
                         s->org,
                         s->skill_md,
                         s->tag,
                         s->created_by,
                         s->updated_by,
                         s->event,
                         str_of(s->hash.b, sizeof s->hash.b),
                         str_of(&s->size, sizeof s->size),
                         str_of(&s->version_no, sizeof s->version_no),
                         str_of(&s->updated_at_ns, sizeof s->updated_at_ns),
                         str_of(&s->current, sizeof s->current)};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        (void)sha256_update(h, texts[i].p ? texts[i].p : "", texts[i].len, &e);
    for (size_t i = 0; i < s->n_tags_pointing; i++)
        (void)sha256_update(h, s->tags_pointing[i].p, s->tags_pointing[i].len, &e);
}

static enum err ask_version(struct kit *k, struct sha256 *h, const struct skill *v)
{
    struct skill got;
    struct skill_file_list files;
    char hex[SHA256_HEX_LEN + 1];
    digest_to_hex(&v->hash, hex);
    struct skill_ref ref = {.scope = v->org.len ? SKILL_SCOPE_ORGANIZATION : SKILL_SCOPE_PLATFORM,
                            .org = v->org,
                            .slug = v->slug,
                            .version = str_c(hex)};
    TRY(skill_resolve(k->service, &ref, &k->a, &got, &k->e));
    hash_skill(h, &got);
    ref.version = v->tag;
    TRY(skill_resolve(k->service, &ref, &k->a, &got, &k->e));
    hash_skill(h, &got);
    const struct skill_files q = {.ref = ref, .page_size = 100};
    TRY(skill_files(k->service, &q, &k->a, &files, &k->e));
    return sha256_update(h, &files.total_size, sizeof files.total_size, &k->e);
}

static enum err ask_history(struct kit *k, struct sha256 *h, const struct skill *s)
{
    struct skill_list l;
    const struct skill_versions q = {
        .ref = {.scope = s->org.len ? SKILL_SCOPE_ORGANIZATION : SKILL_SCOPE_PLATFORM,
                .org = s->org,
                .slug = s->slug},
        .include_deleted = true,
        .page_size = 100};
    TRY(skill_versions(k->service, &q, &k->a, &l, &k->e));
    for (size_t i = 0; i < l.n_items; i++) {
        hash_skill(h, &l.items[i]);
        if (!l.items[i].deleted)
            TRY(ask_version(k, h, &l.items[i]));
    }
    return ERR_OK;
}

static enum err ask_all(struct kit *k, struct sha256 *h)
{
    struct skill_find q = {.page_size = 100, .page = 1};
    struct skill_list l;
    do {
        TRY(skill_find(k->service, &q, &k->a, &l, &k->e));
        (void)sha256_update(h, &l.total, sizeof l.total, &k->e);
        for (size_t i = 0; i < l.n_items; i++) {
            hash_skill(h, &l.items[i]);
            TRY(ask_history(k, h, &l.items[i]));
        }
        q.token = l.next_token;
    } while (l.next_token.len);
    for (int skill = 0; skill < N_SKILLS; skill += 10) { /* the deleted ones */
        char slug[16];
        (void)snprintf(slug, sizeof slug, "skill%03d", skill);
        TRY(ask_history(
            k, h, &(struct skill){.slug = str_c(slug), .org = skill % 3 ? STR("acme") : STR_NULL}));
    }
    return ERR_OK;
}

/* One sum of all answers. An error is an answer, too, but never a wrong one: *ret_failed. */
static void answers(const char *db, struct digest *ret, bool *ret_failed)
{
    struct kit k = {0};
    struct sha256 *h;
    const struct meta_lmdb_options ro = {.read_only = true};
    arena_init(&k.a, MIB(64));
    *ret_failed = true;
    CHECK_OK(store_open_mem(&k.store, &k.e), &k.e);
    CHECK_OK(sha256_new(&h, &k.e), &k.e);
    if (meta_open_lmdb(db, &ro, &k.meta, &k.e) == ERR_OK) {
        CHECK_OK(skill_service_new(k.store, k.meta, NULL, NULL, &k.service, &k.e), &k.e);
        *ret_failed = ask_all(&k, h) != ERR_OK;
    }
    CHECK_OK(sha256_finish(h, ret, &k.e), &k.e);
    sha256_free(h);
    kit_close(&k);
}

/* --- one flip --------------------------------------------------------------------------------- */

static void print_found(void *ctx, const struct check_finding *f)
{
    (void)ctx, (void)f;
}

static bool check_finds(const char *db, const char *storage, bool archives)
{
    struct check_report r;
    struct error e;
    const struct check_options o = {
        .db_path = db, .storage_path = storage, .skip_artifacts = !archives, .found = print_found};
    return check_store(&o, &r, &e) != ERR_OK || r.findings > 0;
}

static void copy_file(const char *from, const char *to)
{
    char bytes[65536];
    struct error e;
    size_t n;
    CLEANUP(sys_closep) int in = open(from, O_RDONLY | O_CLOEXEC);
    CLEANUP(sys_closep) int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(in >= 0 && out >= 0);
    for (uint64_t off = 0;; off += n) {
        CHECK_OK(sys_pread(in, bytes, sizeof bytes, off, &n, &e), &e);
        if (n == 0)
            return;
        CHECK_OK(sys_write_full(out, bytes, n, &e), &e);
    }
}

static void flip(const char *file, uint64_t bit)
{
    uint8_t byte;
    struct error e;
    CLEANUP(sys_closep) int fd = open(file, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_OK(sys_pread_full(fd, &byte, 1, bit / 8, &e), &e);
    byte ^= (uint8_t)(1U << bit % 8);
    CHECK_OK(sys_pwrite_full(fd, &byte, 1, bit / 8, &e), &e);
}

static uint64_t size_of(const char *file)
{
    struct stat st;
    CHECK(stat(file, &st) == 0);
    return (uint64_t)st.st_size;
}

/* In a process of its own: what damaged pages do to LMDB is its end alone. */
static enum outcome try_database(const struct digest *want)
{
    int status;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        struct digest got;
        bool failed;
        if (check_finds(path("copy"), path("storage"), false))
            _exit(FOUND);
        answers(path("copy"), &got, &failed);
        _exit(!failed && digest_eq(&got, want) ? HARMLESS : SILENT);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) && WEXITSTATUS(status) < N_OUTCOMES ? (enum outcome)WEXITSTATUS(status)
                                                                 : SILENT;
}

static unsigned flip_database(uint64_t n)
{
    unsigned seen[N_OUTCOMES] = {0};
    struct digest want;
    bool failed;
    uint64_t bits = size_of(path("db/data.mdb")) * 8;
    CHECK(!check_finds(path("db"), path("storage"), true));
    answers(path("db"), &want, &failed);
    CHECK(!failed);
    CHECK(mkdir(path("copy"), 0700) == 0);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t bit = next_random(bits);
        copy_file(path("db/data.mdb"), path("copy/data.mdb"));
        flip(path("copy/data.mdb"), bit);
        enum outcome o = try_database(&want);
        seen[o]++;
        if (o == SILENT)
            printf("# SILENT: bit %llu of byte %llu\n", (unsigned long long)bit % 8,
                   (unsigned long long)bit / 8);
    }
    printf("# database of %llu KiB: %llu flips, %u found, %u harmless, %u SILENT\n",
           (unsigned long long)bits / 8192, (unsigned long long)n, seen[FOUND], seen[HARMLESS],
           seen[SILENT]);
    return seen[SILENT];
}

/* --- archives --------------------------------------------------------------------------------- */

struct names {
    char name[1000][SHA256_HEX_LEN + 5];
    size_t n;
};

static enum err add_name(void *ctx, const struct store_info *info, struct error *e)
{
    struct names *names = ctx;
    (void)e;
    if (names->n < ARRAY_SIZE(names->name)) {
        digest_to_hex(&info->digest, names->name[names->n]);
        memcpy(names->name[names->n++] + SHA256_HEX_LEN, ".zip", 5);
    }
    return ERR_OK;
}

/* Read, and looked for: both must find it. The bit is put back through the same file. */
static bool archive_is_caught(const char *name)
{
    char file[400], hex[SHA256_HEX_LEN + 1];
    struct store *s;
    struct error e;
    struct digest d;
    CLEANUP(artifact_deinit) struct artifact a = ARTIFACT_INIT;
    (void)snprintf(file, sizeof file, "%s/%s", path("storage/skills"), name);
    uint64_t bit = next_random(size_of(file) * 8);
    copy_file(file, path("whole"));
    flip(file, bit);
    bool checked = check_finds(path("db"), path("storage"), true);
    (void)snprintf(hex, sizeof hex, "%.*s", SHA256_HEX_LEN, name);
    CHECK(digest_from_hex(str_c(hex), &d));
    CHECK_OK(store_open_fs(path("storage"), &s, &e), &e);
    bool read = store_open(s, &d, &a, &e) == ERR_DATA_LOSS;
    store_close(s);
    copy_file(path("whole"), file); /* it is in quarantine by now */
    return checked && read;
}

static unsigned flip_archives(struct kit *k, uint64_t n)
{
    static struct names names;
    unsigned missed = 0;
    CHECK_OK(store_each(k->store, add_name, &names, &k->e), &k->e);
    kit_close(k);
    for (uint64_t i = 0; i < n; i++)
        missed += !archive_is_caught(names.name[next_random(names.n)]);
    printf("# archives: %llu flips, %llu found by check and on read, %u missed\n",
           (unsigned long long)n, (unsigned long long)n - missed, missed);
    return missed;
}

static uint64_t argument(const char *name, uint64_t otherwise)
{
    uint64_t n;
    const char *value = getenv(name);
    return value && str_to_u64(str_c(value), &n) ? n : otherwise;
}

TEST(flips_are_found_or_harmless)
{
    struct kit k;
    uint64_t n_db = argument("FLIPS_DATABASE", 400), n_archives = argument("FLIPS_ARCHIVES", 60);
    state = argument("FLIPS_SEED", 20261126);
    kit_open(&k, true);
    make_store(&k);
    kit_reopen(&k);
    CHECK_INT(flip_archives(&k, n_archives), 0); /* closes the store */
    CHECK_INT(flip_database(n_db), 0);
}
