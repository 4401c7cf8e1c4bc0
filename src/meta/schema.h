/*
 * The schema's version: which layout of tables, keys and records the database has.
 *
 * What an older server wrote is migrated at the start, step by step, in one transaction; what is
 * too old or newer is refused with a sentence. Private to src/meta.
 */
#ifndef STIGMER_META_SCHEMA_H
#define STIGMER_META_SCHEMA_H

#include "meta/meta.h"

struct meta_schema {
    uint32_t version; /* that this server writes */
    uint32_t oldest;  /* that can be migrated */
    /* steps[v - oldest] turns what version v wrote into what v + 1 writes, on a transaction that
     * holds the other steps, too; version - oldest of them. */
    enum err (*const *steps)(struct meta_txn *t, struct error *e);
};
extern const struct meta_schema meta_schema_default;

enum schema_found { SCHEMA_NONE, SCHEMA_OLD, SCHEMA_CURRENT };

/* What the database has; SCHEMA_NONE: it is empty. FAILED_PRECONDITION when it cannot be used: too
 * old or newer; holding data but no version; read_only and not current. */
enum err schema_check(struct meta *m, enum schema_found *ret, struct error *e);
/* Makes what was found current. */
enum err schema_settle(struct meta *m, enum schema_found found, struct error *e);
/* Writes the version again: a change that changes nothing. A meta_fn. */
enum err schema_touch(struct meta_txn *t, void *arg, struct error *e);

#endif
