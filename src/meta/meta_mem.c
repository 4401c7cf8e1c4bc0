#include "base/macro.h"
#include "meta/backend.h"
#include "meta/treap.h"

#include <pthread.h>
#include <stdlib.h>

struct mem {
    struct meta_backend base;
    pthread_mutex_t lock; /* guards roots */
    struct treap *roots[META_N_TABLES];
};

struct mem_txn {
    struct meta_btxn base;
    struct mem *mem;
    struct mem_txn *parent;
    struct treap *roots[META_N_TABLES]; /* owned: this transaction's state */
};

struct mem_cursor {
    struct meta_bcursor base;
    const struct mem_txn *txn;
    enum meta_table table;
    str at; /* a key of the transaction's state */
};

static const struct meta_ops mem_ops;

static struct mem *mem_of(struct meta_backend *b)
{
    return CONTAINER_OF(b, struct mem, base);
}

static struct mem_txn *txn_of(struct meta_btxn *t)
{
    return CONTAINER_OF(t, struct mem_txn, base);
}

static struct mem_cursor *cursor_of(struct meta_bcursor *c)
{
    return CONTAINER_OF(c, struct mem_cursor, base);
}

static void roots_ref(struct treap **to, struct treap *const *from)
{
    for (int i = 0; i < META_N_TABLES; i++)
        to[i] = treap_ref(from[i]);
}

static void roots_unref(struct treap **roots)
{
    for (int i = 0; i < META_N_TABLES; i++)
        treap_unref(roots[i]);
}

static void mem_close(struct meta_backend *b)
{
    struct mem *m = mem_of(b);
    roots_unref(m->roots);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static enum err begin(struct mem *m, struct mem_txn *parent, bool write, struct meta_btxn **ret,
                      struct error *e)
{
    struct mem_txn *t = malloc(sizeof *t);
    if (!t)
        return FAIL_NOMEM(e);
    *t = (struct mem_txn){
        .base = {.ops = &mem_ops, .backend = &m->base, .write = write},
        .mem = m,
        .parent = parent,
    };
    pthread_mutex_lock(&m->lock);
    roots_ref(t->roots, parent ? parent->roots : m->roots);
    pthread_mutex_unlock(&m->lock);
    *ret = &t->base;
    return ERR_OK;
}

static enum err mem_begin_read(struct meta_backend *b, struct meta_btxn **ret, struct error *e)
{
    return begin(mem_of(b), NULL, false, ret, e);
}

static enum err mem_begin_write(struct meta_backend *b, struct meta_btxn *parent,
                                struct meta_btxn **ret, struct error *e)
{
    return begin(mem_of(b), parent ? txn_of(parent) : NULL, true, ret, e);
}

static void mem_abort(struct meta_btxn *base)
{
    struct mem_txn *t = txn_of(base);
    roots_unref(t->roots);
    free(t);
}

static enum err mem_commit(struct meta_btxn *base, struct error *e)
{
    (void)e;
    struct mem_txn *t = txn_of(base);
    struct treap **to = t->parent ? t->parent->roots : t->mem->roots;
    pthread_mutex_lock(&t->mem->lock);
    for (int i = 0; i < META_N_TABLES; i++) {
        struct treap *old = to[i];
        to[i] = t->roots[i];
        t->roots[i] = old;
    }
    pthread_mutex_unlock(&t->mem->lock);
    mem_abort(base); /* which now lets the old state go */
    return ERR_OK;
}

static enum err no_key(struct error *e)
{
    return FAIL(e, ERR_NOT_FOUND, "meta.no_key", "no such record");
}

static enum err mem_get(struct meta_btxn *t, enum meta_table table, str key, str *ret,
                        struct error *e)
{
    return treap_get(txn_of(t)->roots[table], key, ret) ? ERR_OK : no_key(e);
}

static enum err mem_put(struct meta_btxn *t, enum meta_table table, str key, str value,
                        struct error *e)
{
    return treap_put(&txn_of(t)->roots[table], key, value) ? ERR_OK : FAIL_NOMEM(e);
}

static enum err mem_del(struct meta_btxn *t, enum meta_table table, str key, struct error *e)
{
    bool was_there;
    if (!treap_del(&txn_of(t)->roots[table], key, &was_there))
        return FAIL_NOMEM(e);
    return was_there ? ERR_OK : no_key(e);
}

static enum err mem_cursor_open(struct meta_btxn *t, enum meta_table table, str prefix,
                                struct meta_bcursor **ret, struct error *e)
{
    (void)prefix;
    struct mem_cursor *c = malloc(sizeof *c);
    if (!c)
        return FAIL_NOMEM(e);
    *c = (struct mem_cursor){.base.ops = &mem_ops, .txn = txn_of(t), .table = table};
    *ret = &c->base;
    return ERR_OK;
}

static void mem_cursor_close(struct meta_bcursor *c)
{
    free(cursor_of(c));
}

static enum err arrive(struct mem_cursor *c, bool there, const struct treap_item *item,
                       str *ret_key, str *ret_value, struct error *e)
{
    if (!there)
        return no_key(e);
    *ret_key = c->at = item->key;
    *ret_value = item->value;
    return ERR_OK;
}

static enum err above(struct meta_bcursor *base, str key, bool or_equal, str *ret_key,
                      str *ret_value, struct error *e)
{
    struct mem_cursor *c = cursor_of(base);
    struct treap_item item;
    bool there = treap_above(c->txn->roots[c->table], key, or_equal, &item);
    return arrive(c, there, &item, ret_key, ret_value, e);
}

static enum err mem_seek(struct meta_bcursor *c, str key, str *ret_key, str *ret_value,
                         struct error *e)
{
    return above(c, key, true, ret_key, ret_value, e);
}

static enum err mem_next(struct meta_bcursor *c, str *ret_key, str *ret_value, struct error *e)
{
    return above(c, cursor_of(c)->at, false, ret_key, ret_value, e);
}

static enum err below(struct meta_bcursor *base, str key, bool last, str *ret_key, str *ret_value,
                      struct error *e)
{
    struct mem_cursor *c = cursor_of(base);
    struct treap_item item;
    bool there = treap_below(c->txn->roots[c->table], key, last, &item);
    return arrive(c, there, &item, ret_key, ret_value, e);
}

static enum err mem_seek_before(struct meta_bcursor *c, str key, str *ret_key, str *ret_value,
                                struct error *e)
{
    return below(c, key, key.len == 0, ret_key, ret_value, e);
}

static enum err mem_reopen(struct meta_backend *b, bool *ret_kept, struct error *e)
{
    (void)b, (void)e;
    *ret_kept = false; /* its commits do not fail */
    return ERR_OK;
}

static enum err mem_room(struct meta_backend *b, struct error *e)
{
    (void)b, (void)e;
    return ERR_OK;
}

static const struct meta_ops mem_ops = {
    .name = "mem",
    .close = mem_close,
    .begin_read = mem_begin_read,
    .begin_write = mem_begin_write,
    .commit = mem_commit,
    .abort = mem_abort,
    .get = mem_get,
    .put = mem_put,
    .del = mem_del,
    .cursor_open = mem_cursor_open,
    .cursor_close = mem_cursor_close,
    .seek = mem_seek,
    .seek_before = mem_seek_before,
    .next = mem_next,
    .reopen = mem_reopen,
    .room = mem_room,
};

enum err meta_mem_new(struct meta_backend **ret, struct error *e)
{
    struct mem *m = calloc(1, sizeof *m);
    if (!m)
        return FAIL_NOMEM(e);
    m->base.ops = &mem_ops;
    (void)pthread_mutex_init(&m->lock, NULL);
    *ret = &m->base;
    return ERR_OK;
}
