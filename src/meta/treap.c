#include "meta/treap.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <xxhash.h>

struct entry {
    atomic_size_t refs;
    uint64_t priority;
    size_t key_len, value_len;
    char bytes[]; /* key, value */
};

struct treap {
    atomic_size_t refs;
    struct treap *left, *right; /* owned */
    struct entry *entry;        /* owned */
};

static str entry_key(const struct entry *en)
{
    return str_of(en->bytes, en->key_len);
}

static str entry_value(const struct entry *en)
{
    return str_of(en->bytes + en->key_len, en->value_len);
}

static struct entry *entry_new(str key, str value)
{
    struct entry *en = malloc(sizeof *en + key.len + value.len);
    if (!en)
        return NULL;
    atomic_init(&en->refs, 1);
    en->priority = XXH3_64bits(key.p, key.len);
    en->key_len = key.len;
    en->value_len = value.len;
    memcpy(en->bytes, key.p, key.len);
    if (value.len)
        memcpy(en->bytes + key.len, value.p, value.len);
    return en;
}

static struct entry *entry_ref(struct entry *en)
{
    atomic_fetch_add_explicit(&en->refs, 1, memory_order_relaxed);
    return en;
}

static void entry_unref(struct entry *en)
{
    if (en && atomic_fetch_sub_explicit(&en->refs, 1, memory_order_acq_rel) == 1)
        free(en);
}

struct treap *treap_ref(struct treap *t)
{
    if (t)
        atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void treap_unref(struct treap *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    treap_unref(t->left);
    treap_unref(t->right);
    entry_unref(t->entry);
    free(t);
}

/* Consumes all three, also when memory is out. */
static struct treap *node(struct entry *en, struct treap *left, struct treap *right)
{
    struct treap *t = malloc(sizeof *t);
    if (!t) {
        entry_unref(en);
        treap_unref(left);
        treap_unref(right);
        return NULL;
    }
    atomic_init(&t->refs, 1);
    t->entry = en;
    t->left = left;
    t->right = right;
    return t;
}

/* A node as `like`, with other children, which it consumes. */
static struct treap *node_like(const struct treap *like, struct treap *left, struct treap *right)
{
    return node(entry_ref(like->entry), left, right);
}

/* Consumes child; a new node over t's entry, with child above it when its priority is higher. */
static struct treap *join_left(const struct treap *t, struct treap *child)
{
    if (child->entry->priority <= t->entry->priority)
        return node_like(t, child, treap_ref(t->right));
    struct treap *low = node_like(t, treap_ref(child->right), treap_ref(t->right));
    struct treap *top = low ? node_like(child, treap_ref(child->left), low) : NULL;
    treap_unref(child);
    return top;
}

static struct treap *join_right(const struct treap *t, struct treap *child)
{
    if (child->entry->priority <= t->entry->priority)
        return node_like(t, treap_ref(t->left), child);
    struct treap *low = node_like(t, treap_ref(t->left), treap_ref(child->left));
    struct treap *top = low ? node_like(child, low, treap_ref(child->right)) : NULL;
    treap_unref(child);
    return top;
}

/* The map with en in it, which it borrows; NULL when memory is out. */
static struct treap *with(const struct treap *t, struct entry *en)
{
    if (!t)
        return node(entry_ref(en), NULL, NULL);
    int order = str_cmp(entry_key(en), entry_key(t->entry));
    if (order == 0)
        return node(entry_ref(en), treap_ref(t->left), treap_ref(t->right));
    struct treap *child = with(order < 0 ? t->left : t->right, en);
    if (!child)
        return NULL;
    return order < 0 ? join_left(t, child) : join_right(t, child);
}

bool treap_put(struct treap **root, str key, str value)
{
    struct entry *en = entry_new(key, value);
    struct treap *t = en ? with(*root, en) : NULL;
    entry_unref(en);
    if (!t)
        return false;
    treap_unref(*root);
    *root = t;
    return true;
}

/* One map of two, all of whose keys are in order. Borrows both; *ok false when memory is out. */
static struct treap *merge(struct treap *low, struct treap *high, bool *ok)
{
    if (!low || !high)
        return treap_ref(low ? low : high);
    bool low_above = low->entry->priority > high->entry->priority;
    struct treap *mid = low_above ? merge(low->right, high, ok) : merge(low, high->left, ok);
    if (!*ok)
        return NULL;
    struct treap *t = low_above ? node_like(low, treap_ref(low->left), mid)
                                : node_like(high, mid, treap_ref(high->right));
    *ok = t != NULL;
    return t;
}

/* The map without key, which is in it. Borrows; *ok false when memory is out. */
static struct treap *without(struct treap *t, str key, bool *ok)
{
    int order = str_cmp(key, entry_key(t->entry));
    if (order == 0)
        return merge(t->left, t->right, ok);
    struct treap *child = without(order < 0 ? t->left : t->right, key, ok);
    if (!*ok)
        return NULL;
    struct treap *copy = order < 0 ? node_like(t, child, treap_ref(t->right))
                                   : node_like(t, treap_ref(t->left), child);
    *ok = copy != NULL;
    return copy;
}

bool treap_del(struct treap **root, str key, bool *ret_found)
{
    str value;
    bool ok = true;
    *ret_found = treap_get(*root, key, &value);
    if (!*ret_found)
        return true;
    struct treap *t = without(*root, key, &ok);
    if (!ok)
        return false;
    treap_unref(*root);
    *root = t;
    return true;
}

bool treap_get(const struct treap *t, str key, str *ret_value)
{
    struct treap_item item;
    if (!treap_above(t, key, true, &item) || !str_eq(item.key, key))
        return false;
    *ret_value = item.value;
    return true;
}

static bool found(const struct treap *t, struct treap_item *ret)
{
    if (t)
        *ret = (struct treap_item){entry_key(t->entry), entry_value(t->entry)};
    return t != NULL;
}

bool treap_above(const struct treap *t, str key, bool or_equal, struct treap_item *ret)
{
    const struct treap *best = NULL;
    while (t) {
        int order = str_cmp(key, entry_key(t->entry));
        bool right = order > 0 || (order == 0 && !or_equal);
        if (!right)
            best = t;
        t = right ? t->right : t->left;
    }
    return found(best, ret);
}

bool treap_below(const struct treap *t, str key, bool last, struct treap_item *ret)
{
    const struct treap *best = NULL;
    while (t) {
        bool right = last || str_cmp(key, entry_key(t->entry)) > 0;
        if (right)
            best = t;
        t = right ? t->right : t->left;
    }
    return found(best, ret);
}
