#include "store/seen.h"

#include "base/clock.h"
#include "base/macro.h"
#include "base/sys.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#define N_BUCKETS 4096 /* with 4 places of 88 bytes: 1.4 MB for 16,384 artifacts */
#define N_PLACES  4

/* A change within one tick of the kernel's clock (10 ms at most) leaves ctime as it was; only a
 * version older than that can be told from what follows it. */
#define SETTLE_NS (20 * NS_PER_MS)

struct place {
    struct digest digest;
    struct blob_version version;
    enum seen_level level;
};

struct seen {
    pthread_mutex_t lock;
    struct place buckets[N_BUCKETS][N_PLACES]; /* newest first */
};

bool blob_version_same(const struct blob_version *a, const struct blob_version *b)
{
    return a->len == b->len && memcmp(a->id, b->id, 3 * sizeof a->id[0]) == 0;
}

bool blob_version_eq(const struct blob_version *a, const struct blob_version *b)
{
    return a->len == b->len && memcmp(a->id, b->id, sizeof a->id) == 0;
}

static int64_t stamp_ns(const struct timespec *ts)
{
    return (int64_t)ts->tv_sec * NS_PER_S + ts->tv_nsec;
}

/* now: before the stat, since what changes after it must look newer. */
static struct blob_version version_of(const struct stat *st, int64_t now)
{
    int64_t age = now - stamp_ns(&st->st_ctim);
    return (struct blob_version){
        .len = (uint64_t)st->st_size,
        .id = {st->st_dev, st->st_ino, (uint64_t)stamp_ns(&st->st_mtim),
               (uint64_t)stamp_ns(&st->st_ctim)},
        .settled = age > SETTLE_NS || age < -SETTLE_NS,
    };
}

enum err blob_version_of_fd(int fd, struct blob_version *ret, struct error *e)
{
    struct stat st;
    int64_t now = clock_real_ns();
    TRY(sys_fstat(fd, &st, e));
    *ret = version_of(&st, now);
    return ERR_OK;
}

enum err blob_version_of_name(int dirfd, const char *name, struct blob_version *ret,
                              struct error *e)
{
    struct stat st;
    int64_t now = clock_real_ns();
    TRY(sys_fstatat(dirfd, name, AT_SYMLINK_NOFOLLOW, &st, e));
    *ret = version_of(&st, now);
    return ERR_OK;
}

enum err seen_new(struct seen **ret, struct error *e)
{
    struct seen *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL_NOMEM(e);
    pthread_mutex_init(&t->lock, NULL);
    *ret = t;
    return ERR_OK;
}

void seen_free(struct seen *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static struct place *bucket_of(struct seen *t, const struct digest *d)
{
    return t->buckets[(d->b[0] | (unsigned)d->b[1] << 8) % N_BUCKETS];
}

/* The place of that artifact, whatever its version, or NULL. */
static struct place *place_of(struct seen *t, const struct digest *d)
{
    struct place *b = bucket_of(t, d);
    for (size_t i = 0; i < N_PLACES; i++)
        if (b[i].level != SEEN_NOTHING && digest_eq(&b[i].digest, d))
            return &b[i];
    return NULL;
}

static enum seen_level level_of(const struct place *p, const struct blob_version *v)
{
    return p && blob_version_eq(&p->version, v) ? p->level : SEEN_NOTHING;
}

enum seen_level seen_level(struct seen *t, const struct digest *d, const struct blob_version *v)
{
    pthread_mutex_lock(&t->lock);
    enum seen_level level = level_of(place_of(t, d), v);
    pthread_mutex_unlock(&t->lock);
    return level;
}

/* The first place of its bucket, with the others moved down. */
static struct place *make_place(struct seen *t, const struct digest *d)
{
    struct place *b = bucket_of(t, d);
    memmove(b + 1, b, (N_PLACES - 1) * sizeof *b);
    return b;
}

void seen_add(struct seen *t, const struct digest *d, const struct blob_version *v,
              enum seen_level level)
{
    if (!v->settled)
        return;
    pthread_mutex_lock(&t->lock);
    struct place *p = place_of(t, d);
    level = MAX(level, level_of(p, v));
    if (!p)
        p = make_place(t, d);
    *p = (struct place){.digest = *d, .version = *v, .level = level};
    pthread_mutex_unlock(&t->lock);
}

void seen_clear(struct seen *t)
{
    pthread_mutex_lock(&t->lock);
    memset(t->buckets, 0, sizeof t->buckets);
    pthread_mutex_unlock(&t->lock);
}
