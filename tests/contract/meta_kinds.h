/* The backends a contract test runs over: ON_EACH(name) { … kind … } is one test for each. */
#ifndef STIGMER_TESTS_CONTRACT_META_KINDS_H
#define STIGMER_TESTS_CONTRACT_META_KINDS_H

#include "meta/backend.h"
#include "meta/meta.h"
#include "test.h"

struct kind {
    enum err (*backend)(struct meta_backend **ret, struct error *e);
    bool persistent;
};

static inline enum err kind_lmdb_backend(struct meta_backend **ret, struct error *e)
{
    return meta_lmdb_new(test_dir(), NULL, ret, e);
}

static const struct kind kind_mem = {meta_mem_new, false};
static const struct kind kind_lmdb = {kind_lmdb_backend, true};

#define ON_EACH(ident)                                                                             \
    static void on_##ident(const struct kind *kind);                                               \
    TEST(mem_##ident)                                                                              \
    {                                                                                              \
        on_##ident(&kind_mem);                                                                     \
    }                                                                                              \
    TEST(lmdb_##ident)                                                                             \
    {                                                                                              \
        on_##ident(&kind_lmdb);                                                                    \
    }                                                                                              \
    static void on_##ident(const struct kind *kind)

#endif
