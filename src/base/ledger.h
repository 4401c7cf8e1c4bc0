/*
 * A budget of bytes shared by threads: what is in flight is charged, and who cannot pay waits or
 * is refused. It keeps the server's memory bounded whatever is asked and by how many.
 */
#ifndef STIGMER_BASE_LEDGER_H
#define STIGMER_BASE_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct ledger {
    _Atomic size_t used;
    size_t max;
};

static inline void ledger_init(struct ledger *l, size_t max)
{
    atomic_init(&l->used, 0);
    l->max = max;
}

/* Charges n bytes, or false (nothing charged) when fewer than `leave` bytes would be left. */
static inline bool ledger_take_leaving(struct ledger *l, size_t n, size_t leave)
{
    size_t used = atomic_load(&l->used);
    do {
        if (leave > l->max || n > l->max - leave || used > l->max - leave - n)
            return false;
    } while (!atomic_compare_exchange_weak(&l->used, &used, used + n));
    return true;
}

/* Charges n bytes, or false (nothing charged) when the budget does not allow it. */
static inline bool ledger_take(struct ledger *l, size_t n)
{
    return ledger_take_leaving(l, n, 0);
}

/* Gives back what was taken. */
static inline void ledger_give(struct ledger *l, size_t n)
{
    atomic_fetch_sub(&l->used, n);
}

static inline size_t ledger_used(struct ledger *l)
{
    return atomic_load(&l->used);
}

#endif
