#include "base/ledger.h"

#include "test.h"

#include <pthread.h>
#include <stdint.h>

TEST(takes_up_to_the_maximum)
{
    struct ledger l;
    ledger_init(&l, 100);
    CHECK(ledger_take(&l, 0));
    CHECK(ledger_take(&l, 60));
    CHECK(!ledger_take(&l, 41));
    CHECK_INT(ledger_used(&l), 60); /* a refusal charges nothing */
    CHECK(ledger_take(&l, 40));
    CHECK(!ledger_take(&l, 1));
    CHECK(ledger_take(&l, 0));
    ledger_give(&l, 100);
    CHECK_INT(ledger_used(&l), 0);
    CHECK(ledger_take(&l, 100));
}

TEST(sums_that_would_wrap_are_refused)
{
    struct ledger l;
    ledger_init(&l, 100);
    CHECK(ledger_take(&l, 1));
    CHECK(!ledger_take(&l, SIZE_MAX));
    CHECK(!ledger_take(&l, SIZE_MAX - 1));
    ledger_init(&l, 0);
    CHECK(!ledger_take(&l, 1));
}

TEST(leaves_what_it_is_to_leave)
{
    struct ledger l;
    ledger_init(&l, 100);
    CHECK(!ledger_take_leaving(&l, 61, 40));
    CHECK(ledger_take_leaving(&l, 60, 40));
    CHECK(!ledger_take_leaving(&l, 1, 40));
    CHECK_INT(ledger_used(&l), 60);
    CHECK(ledger_take(&l, 40)); /* who leaves nothing gets the rest */
    ledger_give(&l, 100);
    CHECK(!ledger_take_leaving(&l, 0, 101));
    CHECK(!ledger_take_leaving(&l, SIZE_MAX, 1));
    CHECK(!ledger_take_leaving(&l, 1, SIZE_MAX));
}

static _Atomic size_t highest;

static void *spender(void *arg)
{
    struct ledger *l = arg;
    for (int i = 0; i < 5000; i++) {
        if (!ledger_take(l, 7))
            continue;
        size_t used = ledger_used(l);
        if (used > highest)
            highest = used;
        ledger_give(l, 7);
    }
    return NULL;
}

TEST(threads_never_exceed_it)
{
    struct ledger l;
    pthread_t t[8];
    ledger_init(&l, 20); /* two can pay at a time */
    for (size_t i = 0; i < ARRAY_SIZE(t); i++)
        CHECK_INT(pthread_create(&t[i], NULL, spender, &l), 0);
    for (size_t i = 0; i < ARRAY_SIZE(t); i++)
        pthread_join(t[i], NULL);
    CHECK(highest >= 7 && highest <= 14);
    CHECK_INT(ledger_used(&l), 0);
}
