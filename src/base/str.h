/*
 * String views: pointer + length, not owned, not NUL-terminated. Bytes, not characters.
 * A C string appears only at the edge to the operating system.
 */
#ifndef STIGMER_BASE_STR_H
#define STIGMER_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct str {
    const char *p; /* may be NULL when len is 0 */
    size_t len;
} str;

#define STR(literal) ((str){"" literal, sizeof(literal) - 1})
#define STR_NULL     ((str){NULL, 0})
/* printf("%.*s", STR_ARG(s)) */
#define STR_ARG(s) (int)(s).len, ((s).p ? (s).p : "")

static inline str str_of(const void *p, size_t len)
{
    return (str){p, len};
}

/* View of a C string; NULL gives the empty view. */
static inline str str_c(const char *c)
{
    return c ? str_of(c, strlen(c)) : STR_NULL;
}

static inline bool str_eq(str a, str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool str_starts_with(str s, str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0);
}

static inline bool str_ends_with(str s, str suffix)
{
    return s.len >= suffix.len &&
           (suffix.len == 0 || memcmp(s.p + s.len - suffix.len, suffix.p, suffix.len) == 0);
}

/* s without its first n bytes; n <= s.len. */
static inline str str_skip(str s, size_t n)
{
    return str_of(n ? s.p + n : s.p, s.len - n); /* NULL + 0 is undefined in C17 */
}

/* The first n bytes of s, or all of it. */
static inline str str_head(str s, size_t n)
{
    return str_of(s.p, n < s.len ? n : s.len);
}

/* Byte-wise order: < 0, 0, > 0. */
int str_cmp(str a, str b);
/* Case-insensitive for ASCII letters only. */
bool str_eq_nocase(str a, str b);
/* Index of the first / last c, or -1. */
ptrdiff_t str_find(str s, char c);
ptrdiff_t str_rfind(str s, char c);
/* Index of the first needle, or -1; the empty needle is at 0. */
ptrdiff_t str_find_str(str s, str needle);
/* Splits at the first sep: head before it, tail after it. False (head = s, tail empty) without one.
 */
bool str_cut(str s, char sep, str *ret_head, str *ret_tail);
/* Without leading and trailing space, tab, CR, LF. */
str str_trim(str s);
/* A heap copy as a C string, or NULL when memory is out. Owned by the caller (free). */
char *str_dup_c(str s);
/* Decimal digits only, no sign, no space, 1 to 20 digits, no overflow. */
bool str_to_u64(str s, uint64_t *ret_v);
/* Whether every byte is in [A-Za-z0-9._-] and s is not empty: tags, versions, org names. */
bool str_is_label(str s);

#endif
