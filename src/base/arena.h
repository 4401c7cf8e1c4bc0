/*
 * Per-request memory: allocate piecemeal, release together. Bounded by the maximum given at init;
 * an allocation that does not fit returns NULL, which on a request's path is FAIL_NOMEM.
 * One thread at a time.
 */
#ifndef STIGMER_BASE_ARENA_H
#define STIGMER_BASE_ARENA_H

#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used;                /* bytes asked of malloc so far */
    size_t max;
};

/* At most max bytes from the heap in all; allocates nothing yet. */
void arena_init(struct arena *a, size_t max);
/* Frees everything; accepts a zeroed struct; the arena may be used again. */
void arena_deinit(struct arena *a);

/* n zeroed bytes aligned for any type, or NULL. Lives until arena_deinit. */
void *arena_alloc(struct arena *a, size_t n);
/* n * size zeroed bytes, overflow checked, or NULL. */
void *arena_calloc(struct arena *a, size_t n, size_t size);
/* A NUL-terminated copy as a C string, or NULL. */
char *arena_dup_c(struct arena *a, str s);
/* A copy as a view into the arena; false when memory is out. */
bool arena_dup(struct arena *a, str s, str *ret);
/* The n parts one after the other, as a view into the arena; false, and *ret untouched, when memory
 * is out. */
bool arena_join(struct arena *a, const str *parts, size_t n, str *ret);
/* Formatted C string, or NULL. */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))

#endif
