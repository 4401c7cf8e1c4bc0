/* Artifacts in memory: each a memfd in a list. For tests, so a linear search will do. */
#include "base/list.h"
#include "base/macro.h"
#include "base/sys.h"
#include "store/backend.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

struct mem_blob {
    struct list link;
    struct digest digest;
    int fd;
};

struct mem_store {
    struct store base;
    pthread_mutex_t lock; /* both lists */
    struct list blobs, quarantine;
    int held; /* an empty memfd, for its lock */
};

static struct mem_store *mem_of(struct store *s)
{
    return CONTAINER_OF(s, struct mem_store, base);
}

static struct mem_blob *blob_of(struct list *node)
{
    return CONTAINER_OF(node, struct mem_blob, link);
}

static void blob_free(struct mem_blob *b)
{
    sys_closep(&b->fd);
    free(b);
}

static void free_all(struct list *head)
{
    for (struct list *node = list_pop_front(head); node; node = list_pop_front(head))
        blob_free(blob_of(node));
}

static void mem_close(struct store *s)
{
    struct mem_store *m = mem_of(s);
    free_all(&m->blobs);
    free_all(&m->quarantine);
    pthread_mutex_destroy(&m->lock);
    sys_closep(&m->held);
    store_deinit(s);
    free(m);
}

/* With the lock held; NULL when there is none. */
static struct mem_blob *find(struct mem_store *m, const struct digest *d)
{
    LIST_FOR_EACH (node, &m->blobs) {
        struct mem_blob *b = blob_of(node);
        if (digest_eq(&b->digest, d))
            return b;
    }
    return NULL;
}

static enum err fail_not_found(struct error *e)
{
    return FAIL(e, ERR_NOT_FOUND, "store.not_found", "no such artifact in memory");
}

static enum err mem_spool_open(struct store *s, int *ret_fd, struct error *e)
{
    (void)s;
    return sys_memfd("spool", ret_fd, e);
}

static enum err mem_spool_write(struct store *s, int fd, const void *p, size_t len, uint64_t off,
                                struct error *e)
{
    (void)s;
    return sys_pwrite_full(fd, p, len, off, e);
}

static enum err mem_spool_sync(struct store *s, int fd, struct error *e)
{
    (void)s, (void)fd, (void)e;
    return ERR_OK;
}

static enum err add(struct mem_store *m, struct mem_blob *b, struct error *e)
{
    pthread_mutex_lock(&m->lock);
    bool exists = find(m, &b->digest);
    if (!exists)
        list_push_back(&m->blobs, &b->link);
    pthread_mutex_unlock(&m->lock);
    if (!exists)
        return ERR_OK;
    return FAIL(e, ERR_ALREADY_EXISTS, "store.exists", "the artifact is in memory already");
}

static enum err blob_new(int fd, const struct digest *d, struct mem_blob **ret, struct error *e)
{
    struct mem_blob *b = calloc(1, sizeof *b);
    if (!b)
        return FAIL_NOMEM(e);
    *b = (struct mem_blob){.digest = *d, .fd = -1};
    enum err err = sys_reopen(fd, O_RDONLY, &b->fd, e);
    if (err)
        blob_free(b);
    else
        *ret = b;
    return err;
}

static enum err mem_publish(struct store *s, int fd, uint64_t len, const struct digest *d,
                            struct error *e)
{
    struct mem_blob *b = NULL;
    (void)len;
    TRY(blob_new(fd, d, &b, e));
    enum err err = add(mem_of(s), b, e);
    if (err)
        blob_free(b);
    return err;
}

static enum err mem_open(struct store *s, const struct digest *d, struct artifact *ret,
                         struct blob_version *ret_version, struct error *e)
{
    struct mem_store *m = mem_of(s);
    CLEANUP(sys_closep) int fd = -1;
    pthread_mutex_lock(&m->lock);
    struct mem_blob *b = find(m, d);
    enum err err = b ? sys_reopen(b->fd, O_RDONLY, &fd, e) : fail_not_found(e);
    pthread_mutex_unlock(&m->lock);
    TRY(err);
    TRY(blob_version_of_fd(fd, ret_version, e));
    *ret = (struct artifact){.fd = sys_steal(&fd), .len = ret_version->len};
    return ERR_OK;
}

static enum err mem_head(struct store *s, const struct digest *d, struct blob_version *ret,
                         struct error *e)
{
    CLEANUP(artifact_deinit) struct artifact a = ARTIFACT_INIT;
    return mem_open(s, d, &a, ret, e);
}

static enum err mem_persist(struct store *s, const struct artifact *a, struct error *e)
{
    (void)s, (void)a, (void)e;
    return ERR_OK;
}

/* Moves the version bad away, and `with` (or nothing, when it is NULL) in its place. */
static enum err put_aside(struct mem_store *m, const struct digest *d,
                          const struct blob_version *bad, struct mem_blob *with, struct error *e)
{
    struct blob_version now;
    pthread_mutex_lock(&m->lock);
    struct mem_blob *b = find(m, d);
    enum err err = b ? blob_version_of_fd(b->fd, &now, e) : fail_not_found(e);
    if (!err && !blob_version_eq(&now, bad))
        err = fail_not_found(e);
    if (b && !err) {
        list_del(&b->link);
        list_push_back(&m->quarantine, &b->link);
    }
    if (with && !err)
        list_push_back(&m->blobs, &with->link);
    pthread_mutex_unlock(&m->lock);
    return err;
}

static enum err mem_quarantine(struct store *s, const struct digest *d,
                               const struct blob_version *bad, struct error *e)
{
    return put_aside(mem_of(s), d, bad, NULL, e);
}

static enum err mem_replace(struct store *s, int fd, const struct digest *d,
                            const struct blob_version *bad, struct error *e)
{
    struct mem_blob *b = NULL;
    TRY(blob_new(fd, d, &b, e));
    enum err err = put_aside(mem_of(s), d, bad, b, e);
    if (err)
        blob_free(b);
    return err;
}

static enum err mem_probe(struct store *s, struct error *e)
{
    (void)s, (void)e;
    return ERR_OK;
}

static enum err mem_room(struct store *s, struct sys_room *ret, struct error *e)
{
    (void)s, (void)e;
    *ret = (struct sys_room){UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    return ERR_OK;
}

/* A copy of the n-th artifact's description, so that fn runs without the lock. */
static bool nth_info(struct mem_store *m, size_t n, struct store_info *ret, enum err *ret_err,
                     struct error *e)
{
    struct mem_blob *b = NULL;
    struct stat st;
    pthread_mutex_lock(&m->lock);
    LIST_FOR_EACH (node, &m->blobs) {
        if (n-- == 0) {
            b = blob_of(node);
            break;
        }
    }
    *ret_err = b ? sys_fstat(b->fd, &st, e) : ERR_OK;
    if (b && !*ret_err)
        *ret = (struct store_info){.digest = b->digest, .len = (uint64_t)st.st_size};
    pthread_mutex_unlock(&m->lock);
    return b && !*ret_err;
}

static enum err mem_each(struct store *s,
                         enum err (*fn)(void *ctx, const struct store_info *, struct error *),
                         void *ctx, struct error *e)
{
    struct store_info info;
    enum err err;
    for (size_t n = 0; nth_info(mem_of(s), n, &info, &err, e); n++)
        TRY(fn(ctx, &info, e));
    return err;
}

static enum err mem_remove(struct store *s, const struct digest *d, struct error *e)
{
    struct mem_store *m = mem_of(s);
    pthread_mutex_lock(&m->lock);
    struct mem_blob *b = find(m, d);
    if (b)
        list_del(&b->link);
    pthread_mutex_unlock(&m->lock);
    if (!b)
        return fail_not_found(e);
    blob_free(b);
    return ERR_OK;
}

static enum err mem_hold(struct store *s, enum store_hold how, int *ret_fd, struct error *e)
{
    int fd;
    TRY(sys_reopen(mem_of(s)->held, O_RDWR, &fd, e));
    return store_lock(fd, how, ret_fd, e);
}

static const struct store_ops mem_ops = {
    .name = "mem",
    .close = mem_close,
    .spool_open = mem_spool_open,
    .spool_write = mem_spool_write,
    .spool_sync = mem_spool_sync,
    .publish = mem_publish,
    .head = mem_head,
    .open = mem_open,
    .replace = mem_replace,
    .persist = mem_persist,
    .quarantine = mem_quarantine,
    .each = mem_each,
    .remove = mem_remove,
    .hold = mem_hold,
    .probe = mem_probe,
    .room = mem_room,
};

enum err store_open_mem(struct store **ret, struct error *e)
{
    struct mem_store *m = calloc(1, sizeof *m);
    if (!m)
        return FAIL_NOMEM(e);
    m->held = -1;
    enum err err = sys_memfd("held", &m->held, e);
    if (!err)
        err = store_init(&m->base, &mem_ops, e);
    if (err) {
        sys_closep(&m->held);
        free(m);
        return err;
    }
    pthread_mutex_init(&m->lock, NULL);
    list_init(&m->blobs);
    list_init(&m->quarantine);
    *ret = &m->base;
    return ERR_OK;
}
