#include "base/sys.h"
#include "meta/lmdb_impl.h"

#include <stdlib.h>

#define POOL_MAX 64 /* idle read transactions kept */

struct lmdb_cursor {
    struct meta_bcursor base;
    MDB_cursor *cursor;       /* NULL: of a tree that is not there */
    struct lmdb_txn *lent_by; /* a read transaction that keeps it; NULL: it is its user's */
    bool current;             /* of those that are kept: it belongs to this state already */
    bool lent;
    enum meta_table table;
    struct meta_key bound; /* with which the keys in the tree begin */
    struct meta_key key;   /* that was answered */
};

/* A read transaction keeps a cursor for each tree, also while it is idle. What is read next is
 * often on the page where it stands, and then the tree is not gone down again. */
struct lmdb_txn {
    struct meta_btxn base;
    struct lmdb *lmdb;
    MDB_txn *txn;
    bool child;
    struct lmdb_cursor *kept[META_N_TREES]; /* NULL: not needed yet */
    struct lmdb_txn *next;                  /* in the pool */
};

static const struct meta_ops lmdb_ops;

static struct lmdb_txn *txn_of(struct meta_btxn *t)
{
    return CONTAINER_OF(t, struct lmdb_txn, base);
}

static struct lmdb_cursor *cursor_of(struct meta_bcursor *c)
{
    return CONTAINER_OF(c, struct lmdb_cursor, base);
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

static void cursor_free(struct lmdb_cursor *c)
{
    if (c && c->cursor)
        mdb_cursor_close(c->cursor);
    free(c);
}

static void txn_free(struct lmdb_txn *t)
{
    for (int i = 0; i < META_N_TREES; i++)
        cursor_free(t->kept[i]);
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
    for (int i = 0; i < META_N_TREES; i++)
        if (t->kept[i])
            t->kept[i]->current = false;
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

/* --- cursors --- */

static MDB_dbi dbi_of(const struct lmdb_txn *t, enum meta_table table)
{
    return t->lmdb->dbis[meta_tree_of(table)];
}

static enum err cursor_new(struct lmdb_txn *t, MDB_dbi dbi, struct lmdb_cursor **ret,
                           struct error *e)
{
    struct lmdb_cursor *c = malloc(sizeof *c);
    if (!c)
        return FAIL_NOMEM(e);
    c->base.ops = &lmdb_ops;
    c->cursor = NULL;
    c->lent_by = NULL;
    c->current = true;
    c->lent = false;
    int rc = dbi == LMDB_NO_TREE ? MDB_SUCCESS : mdb_cursor_open(t->txn, dbi, &c->cursor);
    if (rc) {
        free(c);
        return lmdb_fail(rc, "be searched", e);
    }
    *ret = c;
    return ERR_OK;
}

/* The one that a read transaction keeps; NULL while it is lent. */
static enum err kept_cursor(struct lmdb_txn *t, enum meta_table table, struct lmdb_cursor **ret,
                            struct error *e)
{
    struct lmdb_cursor **kept = &t->kept[meta_tree_of(table)];
    *ret = NULL;
    if (!*kept) {
        TRY(cursor_new(t, dbi_of(t, table), kept, e));
        (*kept)->lent_by = t;
    }
    if ((*kept)->lent)
        return ERR_OK;
    if (!(*kept)->current && (*kept)->cursor)
        TRY(lmdb_check(mdb_cursor_renew(t->txn, (*kept)->cursor), "be searched", e));
    (*kept)->current = true;
    *ret = *kept;
    return ERR_OK;
}

static enum err cursor_take(struct lmdb_txn *t, enum meta_table table, struct lmdb_cursor **ret,
                            struct error *e)
{
    *ret = NULL;
    if (!t->base.write)
        TRY(kept_cursor(t, table, ret, e));
    if (!*ret)
        return cursor_new(t, dbi_of(t, table), ret, e);
    (*ret)->lent = true;
    return ERR_OK;
}

static enum err lmdb_cursor_open(struct meta_btxn *base, enum meta_table table, str prefix,
                                 struct meta_bcursor **ret, struct error *e)
{
    struct lmdb_cursor *c;
    struct meta_key placed;
    TRY(cursor_take(txn_of(base), table, &c, e));
    c->table = table;
    c->bound.len = 0;
    c->bound.too_long = false;
    key_add(&c->bound, key_place(table, prefix, &placed));
    *ret = &c->base;
    return ERR_OK;
}

static void lmdb_cursor_close(struct meta_bcursor *base)
{
    struct lmdb_cursor *c = cursor_of(base);
    if (c->lent_by)
        c->lent = false;
    else
        cursor_free(c);
}

/* From a record of the tree to the first of the table, stepping over those of others; only within
 * the bound, since beyond it there may be nothing but others. */
static int settle(struct lmdb_cursor *c, MDB_cursor_op step, MDB_val *k, MDB_val *v, str *ret_key)
{
    for (int rc = 0; rc == 0; rc = mdb_cursor_get(c->cursor, k, v, step)) {
        enum meta_table table;
        if (!str_starts_with(view(*k), key_view(&c->bound)))
            return MDB_NOTFOUND;
        if (!key_unplace(meta_tree_of(c->table), view(*k), &table, &c->key))
            return MDB_CORRUPTED;
        if (table == c->table) {
            *ret_key = key_view(&c->key);
            return MDB_SUCCESS;
        }
    }
    return MDB_NOTFOUND;
}

/* By first, then on by step. */
static enum err cursor_go(struct meta_bcursor *base, MDB_cursor_op first, str from,
                          MDB_cursor_op step, str *ret_key, str *ret_value, struct error *e)
{
    struct lmdb_cursor *c = cursor_of(base);
    MDB_val k = val(from), v;
    int rc = c->cursor ? mdb_cursor_get(c->cursor, &k, &v, first) : MDB_NOTFOUND;
    if (rc == 0)
        rc = settle(c, step, &k, &v, ret_key);
    TRY(lmdb_check(rc, "be searched", e));
    *ret_value = view(v);
    return ERR_OK;
}

static enum err lmdb_seek(struct meta_bcursor *c, str key, str *ret_key, str *ret_value,
                          struct error *e)
{
    struct meta_key placed;
    str from = key_place(cursor_of(c)->table, key, &placed);
    return cursor_go(c, from.len ? MDB_SET_RANGE : MDB_FIRST, from, MDB_NEXT, ret_key, ret_value,
                     e);
}

static enum err lmdb_seek_before(struct meta_bcursor *base, str key, str *ret_key, str *ret_value,
                                 struct error *e)
{
    struct lmdb_cursor *c = cursor_of(base);
    struct meta_key placed;
    MDB_val k = val(key_place(c->table, key, &placed)), v;
    int rc = c->cursor && key.len ? mdb_cursor_get(c->cursor, &k, &v, MDB_SET_RANGE) : MDB_NOTFOUND;
    if (rc != 0 && rc != MDB_NOTFOUND)
        return lmdb_fail(rc, "be searched", e);
    /* Nothing at or above key: all are below. */
    return cursor_go(base, rc == 0 ? MDB_PREV : MDB_LAST, STR_NULL, MDB_PREV, ret_key, ret_value,
                     e);
}

static enum err lmdb_next(struct meta_bcursor *c, str *ret_key, str *ret_value, struct error *e)
{
    return cursor_go(c, MDB_NEXT, STR_NULL, MDB_NEXT, ret_key, ret_value, e);
}

/* --- records --- */

static enum err get(const struct lmdb_txn *t, MDB_dbi dbi, str key, str *ret, struct error *e)
{
    MDB_val k = val(key), v;
    TRY(lmdb_check(dbi == LMDB_NO_TREE ? MDB_NOTFOUND : mdb_get(t->txn, dbi, &k, &v), "read", e));
    *ret = view(v);
    return ERR_OK;
}

static enum err get_by(struct lmdb_cursor *c, str key, str *ret, struct error *e)
{
    MDB_val k = val(key), v;
    TRY(lmdb_check(mdb_cursor_get(c->cursor, &k, &v, MDB_SET), "read", e));
    *ret = view(v);
    return ERR_OK;
}

static enum err lmdb_get(struct meta_btxn *base, enum meta_table table, str key, str *ret,
                         struct error *e)
{
    struct lmdb_txn *t = txn_of(base);
    struct lmdb_cursor *c = NULL;
    struct meta_key placed;
    str at = key_place(table, key, &placed);
    if (!base->write)
        TRY(kept_cursor(t, table, &c, e));
    return c && c->cursor ? get_by(c, at, ret, e) : get(t, dbi_of(t, table), at, ret, e);
}

static enum err lmdb_put(struct meta_btxn *base, enum meta_table table, str key, str value,
                         struct error *e)
{
    const struct lmdb_txn *t = txn_of(base);
    struct meta_key placed;
    MDB_val k = val(key_place(table, key, &placed)), v = val(value);
    return lmdb_check(mdb_put(t->txn, dbi_of(t, table), &k, &v, 0), "write", e);
}

static enum err lmdb_del(struct meta_btxn *base, enum meta_table table, str key, struct error *e)
{
    const struct lmdb_txn *t = txn_of(base);
    struct meta_key placed;
    MDB_val k = val(key_place(table, key, &placed));
    return lmdb_check(mdb_del(t->txn, dbi_of(t, table), &k, NULL), "delete", e);
}

/* --- what a former schema had --- */

/* *ret: LMDB_NO_TREE where there is none. */
static enum err former_open(const struct lmdb_txn *t, const char *tree, MDB_dbi *ret,
                            struct error *e)
{
    int rc = mdb_dbi_open(t->txn, tree, 0, ret);
    if (rc == MDB_NOTFOUND)
        *ret = LMDB_NO_TREE;
    return rc == MDB_NOTFOUND ? ERR_OK : lmdb_check(rc, "be migrated", e);
}

static enum err each_of(MDB_cursor *cursor,
                        enum err (*fn)(void *ctx, str key, str value, struct error *e), void *ctx,
                        struct error *e)
{
    MDB_val k, v;
    int rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
    for (; rc == 0; rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT))
        TRY(fn(ctx, view(k), view(v), e));
    return rc == MDB_NOTFOUND ? ERR_OK : lmdb_fail(rc, "be migrated", e);
}

static enum err lmdb_former_each(struct meta_btxn *base, const char *tree,
                                 enum err (*fn)(void *ctx, str key, str value, struct error *e),
                                 void *ctx, struct error *e)
{
    const struct lmdb_txn *t = txn_of(base);
    MDB_dbi dbi;
    MDB_cursor *cursor;
    TRY(former_open(t, tree, &dbi, e));
    if (dbi == LMDB_NO_TREE)
        return ERR_OK;
    TRY(lmdb_check(mdb_cursor_open(t->txn, dbi, &cursor), "be migrated", e));
    enum err err = each_of(cursor, fn, ctx, e);
    mdb_cursor_close(cursor);
    return err;
}

static enum err lmdb_former_get(struct meta_btxn *base, const char *tree, str key, str *ret,
                                struct error *e)
{
    const struct lmdb_txn *t = txn_of(base);
    MDB_dbi dbi;
    TRY(former_open(t, tree, &dbi, e));
    return get(t, dbi, key, ret, e);
}

static enum err lmdb_former_drop(struct meta_btxn *base, const char *tree, struct error *e)
{
    const struct lmdb_txn *t = txn_of(base);
    MDB_dbi dbi;
    TRY(former_open(t, tree, &dbi, e));
    return dbi == LMDB_NO_TREE ? ERR_OK : lmdb_check(mdb_drop(t->txn, dbi, 1), "be migrated", e);
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
    .reopen = lmdb_reopen,
    .former_each = lmdb_former_each,
    .former_get = lmdb_former_get,
    .former_drop = lmdb_former_drop,
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
