#include "base/sys.h"
#include "meta/lmdb_impl.h"

#include <stdlib.h>

#define POOL_MAX 64 /* idle read transactions kept */

struct lmdb_txn {
    struct meta_btxn base;
    struct lmdb *lmdb;
    MDB_txn *txn;
    bool child;
    struct lmdb_txn *next; /* in the pool */
};

struct lmdb_cursor {
    struct meta_bcursor base;
    MDB_cursor *cursor; /* NULL: of a table that is not there */
};

static const struct meta_ops lmdb_ops;

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

enum err lmdb_fail(int rc, const char *what, struct error *e)
{
    switch (rc) {
    case MDB_NOTFOUND:
        return FAIL(e, ERR_NOT_FOUND, "meta.no_key", "no such record");
    case MDB_MAP_FULL:
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "meta.full",
                    "the server's database is full; nothing was stored. Delete what is not needed, "
                    "then try again");
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

enum err lmdb_check(int rc, const char *what, struct error *e)
{
    return rc == MDB_SUCCESS ? ERR_OK : lmdb_fail(rc, what, e);
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

static void txn_free(struct lmdb_txn *t)
{
    if (t->txn)
        mdb_txn_abort(t->txn);
    free(t);
}

void lmdb_pool_drop(struct lmdb *l)
{
    while (l->pool) {
        struct lmdb_txn *t = l->pool;
        l->pool = t->next;
        txn_free(t);
    }
    l->n_pool = 0;
}

/* Enters, and takes an idle transaction (*ret NULL: there is none). */
static enum err pool_take(struct lmdb *l, struct lmdb_txn **ret, struct error *e)
{
    pthread_mutex_lock(&l->lock);
    enum err err = lmdb_enter_locked(l, e);
    *ret = err ? NULL : l->pool;
    if (*ret) {
        l->pool = (*ret)->next;
        l->n_pool--;
    }
    pthread_mutex_unlock(&l->lock);
    return err;
}

/* Leaves; whether the transaction is kept. */
static bool pool_give(struct lmdb *l, struct lmdb_txn *t)
{
    pthread_mutex_lock(&l->lock);
    bool room = l->n_pool < POOL_MAX && !l->shut;
    if (room) {
        t->next = l->pool;
        l->pool = t;
        l->n_pool++;
    }
    if (room)
        lmdb_leave_locked(l);
    pthread_mutex_unlock(&l->lock);
    return room;
}

static enum err begin_read(struct lmdb *l, struct lmdb_txn *t, struct error *e)
{
    if (!t)
        return FAIL_NOMEM(e);
    int rc = t->txn ? mdb_txn_renew(t->txn) : mdb_txn_begin(l->env, NULL, MDB_RDONLY, &t->txn);
    return lmdb_check(rc, "be read", e);
}

static enum err lmdb_begin_read(struct meta_backend *b, struct meta_btxn **ret, struct error *e)
{
    struct lmdb *l = lmdb_of(b);
    struct lmdb_txn *t;
    TRY(pool_take(l, &t, e));
    if (!t)
        t = txn_new(l, false);
    enum err err = begin_read(l, t, e);
    if (err == ERR_OK) {
        *ret = &t->base;
        return ERR_OK;
    }
    if (t)
        txn_free(t);
    lmdb_leave(l);
    return err;
}

static enum err lmdb_begin_write(struct meta_backend *b, struct meta_btxn *parent,
                                 struct meta_btxn **ret, struct error *e)
{
    struct lmdb *l = lmdb_of(b);
    if (!l->env)
        return FAIL(e, ERR_UNAVAILABLE, "meta.closed", "the server's database is not open");
    struct lmdb_txn *t = txn_new(l, true);
    if (!t)
        return FAIL_NOMEM(e);
    int rc = mdb_txn_begin(l->env, parent ? txn_of(parent)->txn : NULL, 0, &t->txn);
    if (rc) {
        free(t);
        return lmdb_fail(rc, "begin a change", e);
    }
    t->child = parent != NULL;
    *ret = &t->base;
    return ERR_OK;
}

static enum err lmdb_commit(struct meta_btxn *base, struct error *e)
{
    struct lmdb_txn *t = txn_of(base);
    size_t id = mdb_txn_id(t->txn);
    int rc = mdb_txn_commit(t->txn);
    if (rc && !t->child)
        t->lmdb->unknown = id;
    free(t);
    return lmdb_check(rc, "commit", e);
}

static void lmdb_abort(struct meta_btxn *base)
{
    struct lmdb_txn *t = txn_of(base);
    struct lmdb *l = t->lmdb;
    bool reader = !base->write;
    if (reader) {
        mdb_txn_reset(t->txn);
        if (pool_give(l, t))
            return;
    }
    txn_free(t);
    if (reader)
        lmdb_leave(l);
}

/* --- records --- */

static enum err lmdb_get(struct meta_btxn *base, enum meta_table table, str key, str *ret,
                         struct error *e)
{
    struct lmdb_txn *t = txn_of(base);
    MDB_val k = val(key), v;
    MDB_dbi dbi = t->lmdb->dbis[table];
    TRY(lmdb_check(dbi == LMDB_NO_TABLE ? MDB_NOTFOUND : mdb_get(t->txn, dbi, &k, &v), "read", e));
    *ret = view(v);
    return ERR_OK;
}

static enum err lmdb_put(struct meta_btxn *base, enum meta_table table, str key, str value,
                         struct error *e)
{
    struct lmdb_txn *t = txn_of(base);
    MDB_val k = val(key), v = val(value);
    return lmdb_check(mdb_put(t->txn, t->lmdb->dbis[table], &k, &v, 0), "write", e);
}

static enum err lmdb_del(struct meta_btxn *base, enum meta_table table, str key, struct error *e)
{
    struct lmdb_txn *t = txn_of(base);
    MDB_val k = val(key);
    return lmdb_check(mdb_del(t->txn, t->lmdb->dbis[table], &k, NULL), "delete", e);
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
    int rc = dbi == LMDB_NO_TABLE ? MDB_SUCCESS : mdb_cursor_open(t->txn, dbi, &c->cursor);
    if (rc) {
        free(c);
        return lmdb_fail(rc, "be searched", e);
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
    TRY(lmdb_check(cursor ? mdb_cursor_get(cursor, &k, &v, op) : MDB_NOTFOUND, "be searched", e));
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
    lmdb_pool_drop(l);
    lmdb_env_close(l);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->room_lock);
    pthread_mutex_destroy(&l->lock);
    free(l->dir);
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
    .reopen = lmdb_reopen,
    .room = lmdb_room,
};

enum err meta_lmdb_new(const char *dir, const struct meta_lmdb_options *options,
                       struct meta_backend **ret, struct error *e)
{
    static const struct meta_lmdb_options defaults = {0};
    const struct meta_lmdb_options *o = options ? options : &defaults;
    CLEANUP(closep) struct lmdb *l = calloc(1, sizeof *l);
    if (!l)
        return FAIL_NOMEM(e);
    l->base = (struct meta_backend){.ops = &lmdb_ops, .read_only = o->read_only};
    l->fd = -1;
    l->map_size = o->map_size;
    l->no_sync = o->no_sync;
    (void)pthread_mutex_init(&l->lock, NULL);
    (void)pthread_mutex_init(&l->room_lock, NULL);
    (void)pthread_cond_init(&l->changed, NULL);
    l->dir = str_dup_c(str_c(dir));
    if (!l->dir)
        return FAIL_NOMEM(e);
    TRY(lmdb_env_open(l, e));
    if (!o->read_only)
        TRY(lmdb_room_init(l, e));
    *ret = &STEAL(l)->base;
    return ERR_OK;
}
