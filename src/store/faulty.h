/*
 * A decorator that makes a store's backend fail on purpose, for tests.
 *
 * Ownership: the decorator owns the store it decorates.
 * Threads: arming is for one thread while no operation runs; the operations are for any.
 */
#ifndef STIGMER_STORE_FAULTY_H
#define STIGMER_STORE_FAULTY_H

#include "store/store.h"

/* The callbacks of struct store_ops that can fail. */
enum store_op {
    STORE_OP_SPOOL_OPEN,
    STORE_OP_SPOOL_WRITE,
    STORE_OP_SPOOL_SYNC,
    STORE_OP_PUBLISH,
    STORE_OP_HEAD,
    STORE_OP_OPEN,
    STORE_OP_REPLACE,
    STORE_OP_PERSIST,
    STORE_OP_QUARANTINE,
    STORE_OP_EACH,
    STORE_OP_REMOVE,
    STORE_OP_PROBE,
    STORE_OP_ROOM,
    STORE_N_OPS,
};

struct store_fault {
    enum store_op op;
    unsigned nth;   /* the first call from now on that fails, counted from 1 */
    unsigned times; /* how many fail in a row; 0: none */
    bool after;     /* the operation is done, and only then reported as failed */
    int sys;        /* the errno to report */
};

/* Takes over inner, also when it fails. */
enum err store_open_faulty(struct store *inner, struct store **ret, struct error *e);
/* Replaces the fault that was armed before and counts calls from 0 again. */
void store_faulty_arm(struct store *s, const struct store_fault *f);
/* One more fault beside it: the first `times` calls of op fail. */
void store_faulty_also(struct store *s, enum store_op op, unsigned times, int sys);
/* Calls of op since the last arming. */
unsigned store_faulty_calls(struct store *s, enum store_op op);

#endif
