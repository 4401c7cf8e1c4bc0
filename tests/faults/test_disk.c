/* Every call of the system that a change or a download makes fails, once and from then on: an error
 * that says so or success, what was acknowledged is there, nothing is half there, and the next try
 * of the same works. */
#include "calls.h"
#include "meta/backend.h"
#include "meta/meta.h"
#include "skill/skill.h"
#include "store/store.h"
#include "test.h"

#include "../unit/api/archive.h"
#include "base/arena.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CALLS_MAX 2000

static struct error e;
static struct store *store;
static struct meta *meta;
static struct skill_service *service;
static struct arena arena; /* of the results */

/* --- a service on disk --- */

static const char *path(const char *name)
{
    static char p[200];
    (void)snprintf(p, sizeof p, "%s/%s", test_dir(), name);
    return p;
}

static void open_all(void)
{
    struct meta_backend *b = NULL;
    struct meta_limits limits = META_LIMITS_DEFAULT;
    limits.retry_ns = NS_PER_MS;
    CHECK_OK(store_open_fs(path("storage"), &store, &e), &e);
    CHECK_OK(meta_lmdb_new(path("db"), NULL, &b, &e), &e);
    CHECK_OK(meta_new(b, &limits, &meta, &e), &e);
    CHECK_OK(skill_service_new(store, meta, NULL, NULL, &service, &e), &e);
    arena_init(&arena, MIB(16));
}

static void close_all(void)
{
    skill_service_free(service);
    meta_close(meta);
    store_close(store);
    arena_deinit(&arena);
}

/* What the keeper of a server does. */
static void wait_until_well(void)
{
    while (store_recover(store, &e) != ERR_OK || !meta_writable(meta))
        nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
}

static size_t n_fds(void)
{
    size_t n = 0;
    for (int fd = 0; fd < 100; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* --- what is tried --- */

static unsigned version; /* what is pushed differs with it */
static struct digest hash;

static enum err spool_archive(struct spool **ret)
{
    char text[64];
    CLEANUP(buf_deinit) struct buf archive;
    (void)snprintf(text, sizeof text, "# version %u\n", version);
    archive_make(&archive, str_c(text));
    CHECK_OK(sha256_of(buf_view(&archive), &hash, &e), &e);
    TRY(store_spool(store, archive.len, ret, &e));
    TRY(spool_write(*ret, archive.p, archive.len, &e));
    return spool_seal(*ret, &e);
}

static void free_spool(struct spool **sp)
{
    spool_free(*sp);
}

static enum err push(const char *name, const char *tag)
{
    struct skill s;
    struct skill_push in = {.name = str_c(name), .tag = str_c(tag)};
    CLEANUP(free_spool) struct spool *sp = NULL;
    TRY(spool_archive(&sp));
    return skill_push(service, &in, sp, &arena, &s, &e);
}

static struct skill_ref ref(const char *slug, const char *v)
{
    return (struct skill_ref){.slug = str_c(slug), .version = str_c(v)};
}

static enum err open_artifact(void)
{
    char key[STORE_KEY_MAX];
    bool ready;
    CLEANUP(artifact_deinit) struct artifact a = ARTIFACT_INIT;
    store_key(&hash, key);
    return skill_open_artifact(service, str_c(key), false, &ready, &a, &e);
}

/* Pushing that name and tag was acknowledged: they are there, with those bytes. */
static void check_pushed(const char *slug, const char *tag)
{
    struct skill s;
    struct skill_ref r = ref(slug, tag);
    CHECK_OK(skill_resolve(service, &r, &arena, &s, &e), &e);
    CHECK(digest_eq(&s.hash, &hash));
    CHECK_OK(open_artifact(), &e);
}

static uint64_t n_versions(const char *slug)
{
    struct skill_list list;
    struct skill_versions q = {.ref = ref(slug, ""), .page_size = 100, .include_deleted = true};
    enum err err = skill_versions(service, &q, &arena, &list, &e);
    CHECK(err == ERR_OK || err == ERR_NOT_FOUND);
    return err ? 0 : list.total;
}

/* One thing that is tried: prepared undisturbed, attempted, attempted again, looked at. */
struct attempt {
    const char *name;
    void (*prepare)(void);
    enum err (*run)(void);
    void (*check)(void); /* after it was acknowledged */
};

static uint64_t before;

static void nothing(void)
{
    before = n_versions("fresh");
}

static enum err push_fresh(void)
{
    return push("Fresh", "t");
}

static void check_fresh(void)
{
    check_pushed("fresh", "t");
    CHECK_INT(n_versions("fresh"), before + 1); /* a retry is no second version */
}

static void push_elsewhere(void)
{
    CHECK_OK(push("Other", ""), &e);
    before = n_versions("shared");
}

static enum err push_shared(void)
{
    return push("Shared", "t");
}

static void check_shared(void)
{
    check_pushed("shared", "t");
    CHECK_INT(n_versions("shared"), before + 1);
}

/* Other bytes of the same length, as a disk might make of them. */
static void spoil(void)
{
    char key[STORE_KEY_MAX], name[120];
    struct stat st;
    push_elsewhere();
    store_key(&hash, key);
    (void)snprintf(name, sizeof name, "storage/%s", key);
    int fd = openat(test_dirfd(), name, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    for (;;) { /* until the change shows in its times */
        struct stat now;
        CHECK(pwrite(fd, "x", 1, 0) == 1 && fstat(fd, &now) == 0);
        if (now.st_ctim.tv_nsec != st.st_ctim.tv_nsec)
            break;
    }
    close(fd);
}

static void two_versions(void)
{
    CHECK_OK(push("Moving", "a"), &e);
    version += 100000;
    CHECK_OK(push("Moving", "b"), &e);
}

static enum err move_tag(void)
{
    struct skill s;
    struct skill_ref r = ref("moving", "b");
    return skill_move_tag(service, &r, STR("a"), STR_NULL, &arena, &s, &e);
}

static void check_moved(void)
{
    check_pushed("moving", "a");
}

static void push_doomed(void)
{
    CHECK_OK(push("Doomed", ""), &e);
}

static enum err delete_doomed(void)
{
    struct skill s;
    struct skill_ref r = ref("doomed", "");
    enum err err = skill_resolve(service, &r, &arena, &s, &e);
    if (err == ERR_NOT_FOUND) /* the first try was kept after all */
        return ERR_OK;
    TRY(err);
    return skill_delete(service, s.id, STR_NULL, &arena, &s, &e);
}

static void check_gone(void)
{
    struct skill s;
    struct skill_ref r = ref("doomed", "");
    CHECK_ERR(skill_resolve(service, &r, &arena, &s, &e), ERR_NOT_FOUND, &e);
}

static void push_other(void)
{
    CHECK_OK(push("Other", ""), &e);
}

static void check_opens(void)
{
    CHECK_OK(open_artifact(), &e);
}

static struct digest doomed_hash;

static void make_garbage(void)
{
    struct skill s;
    struct skill_ref r = ref("doomed", "");
    CHECK_OK(push("Doomed", ""), &e);
    doomed_hash = hash;
    CHECK_OK(skill_resolve(service, &r, &arena, &s, &e), &e);
    CHECK_OK(skill_delete(service, s.id, STR_NULL, &arena, &s, &e), &e);
    unsigned next = version;
    version = 0; /* always the same: collecting looks at each file that there is */
    CHECK_OK(push("Kept", ""), &e);
    version = next;
}

static enum err collect(void)
{
    struct skill_gc_report report;
    const struct skill_gc o = {.purge_deleted = true};
    return skill_gc(service, &o, &report, &e);
}

static void check_collected(void)
{
    struct artifact a;
    char key[STORE_KEY_MAX];
    bool ready;
    CHECK_OK(open_artifact(), &e); /* what is held stays */
    store_key(&doomed_hash, key);
    CHECK_ERR(skill_open_artifact(service, str_c(key), false, &ready, &a, &e), ERR_NOT_FOUND, &e);
    CHECK_ERR(store_open(store, &doomed_hash, &a, &e), ERR_NOT_FOUND, &e);
}

static const struct attempt attempts[] = {
    {"garbage collection", make_garbage, collect, check_collected},
    {"push", nothing, push_fresh, check_fresh},
    {"push of bytes that are there", push_elsewhere, push_shared, check_shared},
    {"push over damaged bytes", spoil, push_shared, check_shared},
    {"tag move", two_versions, move_tag, check_moved},
    {"delete", push_doomed, delete_doomed, check_gone},
    {"download", push_other, open_artifact, check_opens},
};

/* --- how it is tried --- */

/* What a client may be told of a disk that fails. */
static bool is_clean(enum err err)
{
    return err == ERR_UNAVAILABLE || err == ERR_RESOURCE_EXHAUSTED || err == ERR_INTERNAL ||
           err == ERR_PERMISSION_DENIED;
}

static bool fsync_failed, fdatasync_failed; /* the store's, the database's */

/* False: there is no such call any more. */
static bool try_call(const struct attempt *a, const struct calls_fault *f)
{
    arena_deinit(&arena);
    arena_init(&arena, MIB(16));
    version++;
    a->prepare();
    size_t fds = n_fds();
    calls_arm(f);
    enum err err = a->run();
    bool struck = calls_disarm();
    fsync_failed |= strcmp(calls_struck(), "fsync") == 0;
    fdatasync_failed |= strcmp(calls_struck(), "fdatasync") == 0;
    if (err != ERR_OK && !is_clean(err))
        test_fail(__FILE__, __LINE__, "%s: call %u (%s, %d): %s: %s", a->name, f->n, calls_struck(),
                  f->sys, err_name(err), e.msg);
    wait_until_well();
    if (err == ERR_OK)
        a->check();
    if (a->run() != ERR_OK)
        test_fail(__FILE__, __LINE__, "%s again after call %u (%s, %d): %s", a->name, f->n,
                  calls_struck(), f->sys, e.msg);
    a->check();
    CHECK_INT(n_fds(), fds);
    return struck;
}

/* The database as another process finds it. */
static void check_from_disk(const struct attempt *a)
{
    close_all();
    open_all();
    a->check();
}

static void try_all(int sys, bool forever)
{
    test_mount("tmpfs", "size=200m"); /* where an fsync takes no time */
    open_all();
    for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
        struct calls_fault f = {.kind = CALLS_SYS, .n = 1, .forever = forever, .sys = sys};
        while (try_call(&attempts[i], &f))
            CHECK(f.n++ < CALLS_MAX);
        CHECK(f.n > 3);
        printf("# %s: %u calls\n", attempts[i].name, f.n - 1);
        check_from_disk(&attempts[i]);
    }
    CHECK(fsync_failed && fdatasync_failed); /* the libraries' calls are struck, too */
    close_all();
}

#define EACH_CALL(name, sys)                                                                       \
    TEST(name##_once)                                                                              \
    {                                                                                              \
        try_all(sys, false);                                                                       \
    }                                                                                              \
    TEST(name##_from_then_on)                                                                      \
    {                                                                                              \
        try_all(sys, true);                                                                        \
    }

EACH_CALL(an_input_output_error, EIO)
EACH_CALL(no_space, ENOSPC)
EACH_CALL(no_quota, EDQUOT)
EACH_CALL(no_descriptors, EMFILE)
EACH_CALL(no_memory, ENOMEM)
EACH_CALL(a_read_only_file_system, EROFS)
EACH_CALL(short_reads_and_writes, CALLS_SHORT)

/* Forever would be for ever: an interrupted call is made again. */
TEST(an_interruption_once)
{
    try_all(EINTR, false);
}
