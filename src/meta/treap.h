/*
 * A persistent ordered map: every change gives a new root and leaves the old one as it was, so a
 * snapshot is one reference. A treap (Seidel and Aragon 1996) whose priorities are hashes of the
 * keys: its shape depends on the set of keys alone, O(log n) deep as a rule.
 *
 * Ownership: a root is a counted reference; NULL is the empty map. Entries are shared by roots.
 * Threads: roots may be used by any threads; counts are atomic, nodes never change.
 */
#ifndef STIGMER_META_TREAP_H
#define STIGMER_META_TREAP_H

#include "base/str.h"

struct treap;

struct treap *treap_ref(struct treap *t);
void treap_unref(struct treap *t);

/* Both consume *root and leave the new one there. False: memory is out, and *root is unchanged. */
bool treap_put(struct treap **root, str key, str value);
/* *ret_found false: there was no such key, and *root is unchanged. */
bool treap_del(struct treap **root, str key, bool *ret_found);

struct treap_item {
    str key, value; /* valid while a root that holds them is */
};
bool treap_get(const struct treap *t, str key, str *ret_value);
/* The first key >= (or_equal) or > key. */
bool treap_above(const struct treap *t, str key, bool or_equal, struct treap_item *ret);
/* The last key < key; with last, the last of all. */
bool treap_below(const struct treap *t, str key, bool last, struct treap_item *ret);

#endif
