#include "base/arena.h"

#include "base/macro.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The first blocks are so large that glibc keeps them at hand for each thread (up to 1,032 bytes):
 * most requests need two or three. Who needs more gets larger ones. */
#define BLOCK_SMALL 1008
#define SMALL_TOTAL (4 * BLOCK_SMALL)
#define BLOCK_LARGE 4096

struct arena_block {
    struct arena_block *next;
    size_t len, cap;
    _Alignas(max_align_t) char data[];
};

void arena_init(struct arena *a, size_t max)
{
    *a = (struct arena){.max = max};
}

void arena_deinit(struct arena *a)
{
    struct arena_block *b = a->blocks;
    while (b) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
    *a = (struct arena){.max = a->max};
}

static struct arena_block *block_for(struct arena *a, size_t n)
{
    struct arena_block *b = a->blocks;
    if (b && b->cap - b->len >= n)
        return b;
    size_t left = a->max - a->used;
    if (left < sizeof *b || n > left - sizeof *b)
        return NULL;
    size_t usual = a->used < SMALL_TOTAL ? BLOCK_SMALL : BLOCK_LARGE;
    size_t total = MAX(n + sizeof *b, MIN(left, usual));
    b = malloc(total);
    if (!b)
        return NULL;
    *b = (struct arena_block){.next = a->blocks, .cap = total - sizeof *b};
    a->blocks = b;
    a->used += total;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t align = _Alignof(max_align_t);
    if (n > SIZE_MAX - align)
        return NULL;
    n = (MAX(n, (size_t)1) + align - 1) & ~(align - 1);
    struct arena_block *b = block_for(a, n);
    if (!b)
        return NULL;
    void *p = b->data + b->len;
    b->len += n;
    return memset(p, 0, n);
}

void *arena_calloc(struct arena *a, size_t n, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(n, size, &total))
        return NULL;
    return arena_alloc(a, total);
}

char *arena_dup_c(struct arena *a, str s)
{
    char *c = s.len < SIZE_MAX ? arena_alloc(a, s.len + 1) : NULL;
    if (c && s.len)
        memcpy(c, s.p, s.len);
    return c;
}

bool arena_dup(struct arena *a, str s, str *ret)
{
    char *c = arena_dup_c(a, s);
    *ret = str_of(c, c ? s.len : 0);
    return c != NULL;
}

bool arena_join(struct arena *a, const str *parts, size_t n, str *ret)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        if (__builtin_add_overflow(len, parts[i].len, &len))
            return false;
    char *c = arena_alloc(a, len);
    if (!c)
        return false;
    *ret = str_of(c, len);
    for (size_t i = 0; i < n; c += parts[i++].len)
        if (parts[i].len)
            memcpy(c, parts[i].p, parts[i].len);
    return true;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *c = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (!c)
        return NULL;
    va_start(ap, fmt);
    (void)vsnprintf(c, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return c;
}
