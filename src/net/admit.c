#include "net/admit.h"

#include "base/macro.h"
#include "base/sys.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024

struct address {
    struct address *next;
    uint8_t key[16];
    size_t n;
};

struct admit {
    pthread_mutex_t lock;
    size_t total, max_total, max_per_address;
    uint64_t seed; /* so that nobody can choose addresses that share a bucket */
    struct address *buckets[BUCKETS];
    struct admit_counts counts;
};

enum err admit_new(size_t max_total, size_t max_per_address, struct admit **ret, struct error *e)
{
    struct admit *a = calloc(1, sizeof *a);
    if (!a)
        return FAIL_NOMEM(e);
    pthread_mutex_init(&a->lock, NULL);
    a->max_total = max_total;
    a->max_per_address = max_per_address;
    enum err err = sys_random(&a->seed, sizeof a->seed, e);
    if (err != ERR_OK) {
        admit_free(a);
        return err;
    }
    *ret = a;
    return ERR_OK;
}

void admit_free(struct admit *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (a->buckets[i]) {
            struct address *next = a->buckets[i]->next;
            free(a->buckets[i]);
            a->buckets[i] = next;
        }
    }
    pthread_mutex_destroy(&a->lock);
    free(a);
}

/* Seeded multiply-and-shift over the two halves. */
static struct address **bucket_of(struct admit *a, const uint8_t key[16])
{
    uint64_t half[2];
    memcpy(half, key, sizeof half);
    uint64_t h = (half[0] ^ a->seed) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 32 ^ half[1]) * 0xd6e8feb86659fd93u;
    return &a->buckets[(h >> 40) % BUCKETS];
}

/* The link that points at the address, or at the NULL where it would be. */
static struct address **find(struct admit *a, const uint8_t key[16])
{
    struct address **at = bucket_of(a, key);
    while (*at && memcmp((*at)->key, key, 16) != 0)
        at = &(*at)->next;
    return at;
}

static enum err count_address(struct admit *a, const struct sys_address *peer, struct error *e)
{
    uint8_t key[16];
    sys_address_key(peer, key);
    struct address **at = find(a, key);
    if (!*at) {
        *at = calloc(1, sizeof **at);
        if (!*at)
            return FAIL_NOMEM(e);
        memcpy((*at)->key, key, 16);
    }
    if ((*at)->n >= a->max_per_address)
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "net.connections_per_address",
                    "one address has %zu connections already", a->max_per_address);
    (*at)->n++;
    return ERR_OK;
}

static enum err enter(struct admit *a, const struct sys_address *peer, struct error *e)
{
    if (a->total >= a->max_total)
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "net.connections",
                    "there are %zu connections already", a->max_total);
    if (!sys_address_is_loopback(peer))
        TRY(count_address(a, peer, e));
    a->total++;
    return ERR_OK;
}

enum err admit_enter(struct admit *a, const struct sys_address *peer, struct error *e)
{
    pthread_mutex_lock(&a->lock);
    enum err err = enter(a, peer, e);
    if (err == ERR_OK)
        a->counts.admitted++;
    else
        a->counts.refused++;
    pthread_mutex_unlock(&a->lock);
    return err;
}

void admit_count(struct admit *a, struct admit_counts *ret)
{
    pthread_mutex_lock(&a->lock);
    *ret = a->counts;
    pthread_mutex_unlock(&a->lock);
}

static void leave_address(struct admit *a, const struct sys_address *peer)
{
    uint8_t key[16];
    sys_address_key(peer, key);
    struct address **at = find(a, key);
    struct address *x = *at;
    if (x && --x->n == 0) {
        *at = x->next;
        free(x);
    }
}

void admit_leave(struct admit *a, const struct sys_address *peer)
{
    pthread_mutex_lock(&a->lock);
    a->total--;
    if (!sys_address_is_loopback(peer))
        leave_address(a, peer);
    pthread_mutex_unlock(&a->lock);
}

size_t admit_total(struct admit *a)
{
    pthread_mutex_lock(&a->lock);
    size_t n = a->total;
    pthread_mutex_unlock(&a->lock);
    return n;
}
