/* Small compile-time helpers: cleanup attributes, ownership transfer, array sizes. */
#ifndef STIGMER_BASE_MACRO_H
#define STIGMER_BASE_MACRO_H

#include <stddef.h>
#include <stdint.h>

/* CLEANUP(fn) T v = …; calls fn(&v) when v leaves scope. fn accepts what a failed init leaves. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Takes the value out of a CLEANUP variable: return STEAL(p); */
#define STEAL(p)                                                                                   \
    ({                                                                                             \
        __typeof__(p) *steal_from_ = &(p);                                                         \
        __typeof__(p) steal_v_ = *steal_from_;                                                     \
        *steal_from_ = NULL;                                                                       \
        steal_v_;                                                                                  \
    })

/* Defines name##p(T **) for CLEANUP on a pointer whose destructor accepts NULL. */
#define DEFINE_CLEANUP(type, destructor)                                                           \
    static inline void destructor##p(type *p)                                                      \
    {                                                                                              \
        destructor(*p);                                                                            \
    }                                                                                              \
    struct destructor##_cleanup_defined

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)                                                                                  \
    ({                                                                                             \
        __typeof__(a) min_a_ = (a);                                                                \
        __typeof__(b) min_b_ = (b);                                                                \
        min_a_ < min_b_ ? min_a_ : min_b_;                                                         \
    })
#define MAX(a, b)                                                                                  \
    ({                                                                                             \
        __typeof__(a) max_a_ = (a);                                                                \
        __typeof__(b) max_b_ = (b);                                                                \
        max_a_ > max_b_ ? max_a_ : max_b_;                                                         \
    })
/* The struct that embeds `member` at p. */
#define CONTAINER_OF(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

#define KIB(n)    ((size_t)(n) << 10)
#define MIB(n)    ((size_t)(n) << 20)
#define NS_PER_S  1000000000LL
#define NS_PER_MS 1000000LL

/* free() for CLEANUP(freep) char *p. */
void freep(void *p);

#endif
