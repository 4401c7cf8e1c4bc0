#include "base/macro.h"
#include "base/sys.h"
#include "meta/backend.h"
#include "meta/meta.h"

#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdlib.h>

#define MAP_SIZE_DEFAULT (UINT64_C(64) << 30)
#define MAX_READERS      1024 /* read transactions at once, of all processes */
#define POOL_MAX         64   /* idle read transactions kept */
#define NO_TABLE         ((MDB_dbi)-1)

struct lmdb {
    struct meta_backend base;
    MDB_env *env;
    MDB_dbi dbis[META_N_TABLES]; /* NO_TABLE: not there, which is as good as empty */
    pthread_mutex_t lock;        /* guards pool, n_pool */
    struct lmdb_txn *pool;
    size_t n_pool;
};

struct lmdb_txn {
    struct meta_btxn base;
    struct lmdb *lmdb;
    MDB_txn *txn;
    struct lmdb_txn *next; /* in the pool */
};

struct lmdb_cursor {
    struct meta_bcursor base;
    MDB_cursor *cursor; /* NULL: of a table that is not there */
};

static const struct meta_ops lmdb_ops;

static struct lmdb *lmdb_of(struct meta_backend *b)
{
    return CONTAINER_OF(b, struct lmdb, base);
}

static struct lmdb_txn *txn_of(struct meta_btxn *t)
{
    return CONTAINER_OF(t, struct lmdb_txn, base);
}

static MDB_cursor *cursor_of(struct meta_bcursor *c)
{
    return CONTAINER_OF(c, struct lmdb_cursor, base)->cursor;
}

static MDB_val val(str s)
{
    return (MDB_val){.mv_size = s.len, .mv_data = (void *)(uintptr_t)s.p};
}

static str view(MDB_val v)
{
    return str_of(v.mv_data, v.mv_size);
}

/* The error behind an LMDB return code; positive ones are errnos. */
static enum err fail(int rc, const char *what, struct error *e)
{
    switch (rc) {
    case MDB_NOTFOUND:
        return FAIL(e, ERR_NOT_FOUND, "meta.no_key", "no such record");
    case MDB_MAP_FULL:
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "meta.full",
                    "the server's database is full; its operator must raise the map size");
    case MDB_READERS_FULL:
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "meta.readers_full",
                    "too many readers of the server's database; try again");
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
        return FAIL(e, ERR_DATA_LOSS, "meta.corrupt", "the server's database is damaged");
    default:
        return rc > 0 ? FAIL_SYS(e, sys_err(rc), rc, "meta.lmdb", "the database cannot %s", what)
                      : FAIL(e, ERR_INTERNAL, "meta.lmdb", "the database cannot %s (%s)", what,
                             mdb_strerror(rc));
    }
}

static enum err check(int rc, const char *what, struct error *e)
{
    return rc == MDB_SUCCESS ? ERR_OK : fail(rc, what, e);
}

/* --- transactions --- */

static struct lmdb_txn *txn_new(struct lmdb *l, bool write)
{
    struct lmdb_txn *t = malloc(sizeof *t);
    if (t)
        *t = (struct lmdb_txn){
            .base = {.ops = &lmdb_ops, .backend = &l->base, .write = write},
            .lmdb = l,
        };
    return t;
}

static struct lmdb_txn *pool_take(struct lmdb *l)
{
    pthread_mutex_lock(&l->lock);
    struct lmdb_txn *t = l->pool;
    if (t) {
        l->pool = t->next;
        l->n_pool--;
    }
    pthread_mutex_unlock(&l->lock);
    return t;
}

static bool pool_give(struct lmdb *l, struct lmdb_txn *t)
{
    pthread_mutex_lock(&l->lock);
    bool room = l->n_pool < POOL_MAX;
    if (room) {
        t->next = l->pool;
        l->pool = t;
        l->n_pool++;
    }
    pthread_mutex_unlock(&l->lock);
    return room;
}

static void txn_free(struct lmdb_txn *t)
{
    if (t->txn)
        mdb_txn_abort(t->txn);
    free(t);
}

static enum err lmdb_begin_read(struct meta_backend *b, struct meta_btxn **ret, struct error *e)
{
    struct lmdb *l = lmdb_of(b);
    struct lmdb_txn *t = pool_take(l);
    if (!t)
        t = txn_new(l, false);
    if (!t)
        return FAIL_NOMEM(e);
    int rc = t->txn ? mdb_txn_renew(t->txn) : mdb_txn_begin(l->env, NULL, MDB_RDONLY, &t->txn);
    if (rc) {
        txn_free(t);
        return fail(rc, "be read", e);
    }
    *ret = &t->base;
    return ERR_OK;
}

static enum err lmdb_begin_write(struct meta_backend *b, struct meta_btxn *parent,
                                 struct meta_btxn **ret, struct error *e)
{
    struct lmdb *l = lmdb_of(b);
    struct lmdb_txn *t = txn_new(l, true);
    if (!t)
        return FAIL_NOMEM(e);
    int rc = mdb_txn_begin(l->env, parent ? txn_of(parent)->txn : NULL, 0, &t->txn);
    if (rc) {
        free(t);
        return fail(rc, "begin a change", e);
    }
    *ret = &t->base;
    return ERR_OK;
}

static enum err lmdb_commit(struct meta_btxn *base, struct error *e)
{
    struct lmdb_txn *t = txn_of(base);
    int rc = mdb_txn_commit(t->txn);
    free(t);
    return check(rc, "commit", e);
}

static void lmdb_abort(struct meta_btxn *base)
{
    struct lmdb_txn *t = txn_of(base);
    if (!base->write) {
        mdb_txn_reset(t->txn);
        if (pool_give(t->lmdb, t))
            return;
    }
    txn_free(t);
}

/* --- records --- */

static enum err lmdb_get(struct meta_btxn *base, enum meta_table table, str key, str *ret,
                         struct error *e)
{
    struct lmdb_txn *t = txn_of(base);
    MDB_val k = val(key), v;
    MDB_dbi dbi = t->lmdb->dbis[table];
    TRY(check(dbi == NO_TABLE ? MDB_NOTFOUND : mdb_get(t->txn, dbi, &k, &v), "read", e));
    *ret = view(v);
    return ERR_OK;
}

static enum err lmdb_put(struct meta_btxn *base, enum meta_table table, str key, str value,
                         struct error *e)
{
    struct lmdb_txn *t = txn_of(base);
    MDB_val k = val(key), v = val(value);
    return check(mdb_put(t->txn, t->lmdb->dbis[table], &k, &v, 0), "write", e);
}

static enum err lmdb_del(struct meta_btxn *base, enum meta_table table, str key, struct error *e)
{
    struct lmdb_txn *t = txn_of(base);
    MDB_val k = val(key);
    return check(mdb_del(t->txn, t->lmdb->dbis[table], &k, NULL), "delete", e);
}

/* --- cursors --- */

static enum err lmdb_cursor_open(struct meta_btxn *base, enum meta_table table,
                                 struct meta_bcursor **ret, struct error *e)
{
    struct lmdb_txn *t = txn_of(base);
    MDB_dbi dbi = t->lmdb->dbis[table];
    struct lmdb_cursor *c = calloc(1, sizeof *c);
    if (!c)
        return FAIL_NOMEM(e);
    c->base.ops = &lmdb_ops;
    int rc = dbi == NO_TABLE ? MDB_SUCCESS : mdb_cursor_open(t->txn, dbi, &c->cursor);
    if (rc) {
        free(c);
        return fail(rc, "be searched", e);
    }
    *ret = &c->base;
    return ERR_OK;
}

static void lmdb_cursor_close(struct meta_bcursor *base)
{
    struct lmdb_cursor *c = CONTAINER_OF(base, struct lmdb_cursor, base);
    if (c->cursor)
        mdb_cursor_close(c->cursor);
    free(c);
}

static enum err cursor_go(struct meta_bcursor *c, MDB_cursor_op op, str from, str *ret_key,
                          str *ret_value, struct error *e)
{
    MDB_val k = val(from), v;
    MDB_cursor *cursor = cursor_of(c);
    TRY(check(cursor ? mdb_cursor_get(cursor, &k, &v, op) : MDB_NOTFOUND, "be searched", e));
    *ret_key = view(k);
    *ret_value = view(v);
    return ERR_OK;
}

static enum err lmdb_seek(struct meta_bcursor *c, str key, str *ret_key, str *ret_value,
                          struct error *e)
{
    return cursor_go(c, key.len ? MDB_SET_RANGE : MDB_FIRST, key, ret_key, ret_value, e);
}

static enum err lmdb_seek_before(struct meta_bcursor *c, str key, str *ret_key, str *ret_value,
                                 struct error *e)
{
    enum err err = ERR_NOT_FOUND;
    if (key.len)
        err = cursor_go(c, MDB_SET_RANGE, key, ret_key, ret_value, e);
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        return err;
    /* Nothing at or above key: all are below. */
    return cursor_go(c, err == ERR_OK ? MDB_PREV : MDB_LAST, STR_NULL, ret_key, ret_value, e);
}

static enum err lmdb_next(struct meta_bcursor *c, str *ret_key, str *ret_value, struct error *e)
{
    return cursor_go(c, MDB_NEXT, STR_NULL, ret_key, ret_value, e);
}

static enum err lmdb_prev(struct meta_bcursor *c, str *ret_key, str *ret_value, struct error *e)
{
    return cursor_go(c, MDB_PREV, STR_NULL, ret_key, ret_value, e);
}

/* --- opening --- */

static void lmdb_close(struct meta_backend *b)
{
    struct lmdb *l = lmdb_of(b);
    for (struct lmdb_txn *t = pool_take(l); t; t = pool_take(l))
        txn_free(t);
    if (l->env)
        mdb_env_close(l->env);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static void closep(struct lmdb **l)
{
    if (*l)
        lmdb_close(&(*l)->base);
}

static const struct meta_ops lmdb_ops = {
    .name = "lmdb",
    .close = lmdb_close,
    .begin_read = lmdb_begin_read,
    .begin_write = lmdb_begin_write,
    .commit = lmdb_commit,
    .abort = lmdb_abort,
    .get = lmdb_get,
    .put = lmdb_put,
    .del = lmdb_del,
    .cursor_open = lmdb_cursor_open,
    .cursor_close = lmdb_cursor_close,
    .seek = lmdb_seek,
    .seek_before = lmdb_seek_before,
    .next = lmdb_next,
    .prev = lmdb_prev,
};

/* Who only reads takes a database as an earlier server left it: tables may be missing. */
static enum err open_tables(struct lmdb *l, struct error *e)
{
    MDB_txn *txn;
    bool ro = l->base.read_only;
    TRY(check(mdb_txn_begin(l->env, NULL, ro ? MDB_RDONLY : 0, &txn), "be opened", e));
    for (int i = 0; i < META_N_TABLES; i++) {
        const char *name = meta_table_name((enum meta_table)i);
        int rc = mdb_dbi_open(txn, name, ro ? 0 : MDB_CREATE, &l->dbis[i]);
        if (ro && rc == MDB_NOTFOUND) {
            l->dbis[i] = NO_TABLE;
        } else if (rc) {
            mdb_txn_abort(txn);
            return fail(rc, "be opened", e);
        }
    }
    return check(mdb_txn_commit(txn), "be opened", e);
}

static enum err configure(struct lmdb *l, const struct meta_lmdb_options *o, struct error *e)
{
    uint64_t size = o->map_size ? o->map_size : MAP_SIZE_DEFAULT;
    TRY(check(mdb_env_create(&l->env), "be opened", e));
    TRY(check(mdb_env_set_maxdbs(l->env, META_N_TABLES), "be opened", e));
    TRY(check(mdb_env_set_maxreaders(l->env, MAX_READERS), "be opened", e));
    if (l->base.read_only) /* as large as the writer says */
        return ERR_OK;
    return check(mdb_env_set_mapsize(l->env, size), "reserve its address space", e);
}

/* Whoever finds the database after a crash must find the files themselves. */
static enum err sync_dir(const char *dir, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    TRY(sys_openat(AT_FDCWD, dir, O_DIRECTORY | O_RDONLY, 0, &fd, e));
    return sys_fsync(fd, e);
}

static enum err open_env(struct lmdb *l, const char *dir, struct error *e)
{
    int dead;
    unsigned flags = MDB_NOTLS | (l->base.read_only ? MDB_RDONLY : 0);
    if (!l->base.read_only)
        TRY(sys_mkdir_parents(dir, 0700, e));
    TRY(check(mdb_env_open(l->env, dir, flags, 0600), "be opened", e));
    if (!l->base.read_only)
        TRY(sync_dir(dir, e));
    /* Slots of processes that died would keep their old pages from being used again. */
    return check(mdb_reader_check(l->env, &dead), "be opened", e);
}

enum err meta_lmdb_new(const char *dir, const struct meta_lmdb_options *options,
                       struct meta_backend **ret, struct error *e)
{
    static const struct meta_lmdb_options defaults = {0};
    const struct meta_lmdb_options *o = options ? options : &defaults;
    CLEANUP(closep) struct lmdb *l = calloc(1, sizeof *l);
    if (!l)
        return FAIL_NOMEM(e);
    l->base = (struct meta_backend){.ops = &lmdb_ops, .read_only = o->read_only};
    (void)pthread_mutex_init(&l->lock, NULL);
    TRY(configure(l, o, e));
    TRY(open_env(l, dir, e));
    TRY(open_tables(l, e));
    *ret = &STEAL(l)->base;
    return ERR_OK;
}
