#include "base/str.h"

#include "base/macro.h"

#include <stdlib.h>

int str_cmp(str a, str b)
{
    size_t n = MIN(a.len, b.len);
    int r = n ? memcmp(a.p, b.p, n) : 0;
    if (r != 0)
        return r;
    return (a.len > b.len) - (a.len < b.len);
}

static char ascii_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char)(c - 'A' + 'a') : c;
}

bool str_eq_nocase(str a, str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    return true;
}

ptrdiff_t str_find(str s, char c)
{
    const char *hit = s.len ? memchr(s.p, c, s.len) : NULL;
    return hit ? hit - s.p : -1;
}

ptrdiff_t str_rfind(str s, char c)
{
    const char *hit = s.len ? memrchr(s.p, c, s.len) : NULL;
    return hit ? hit - s.p : -1;
}

ptrdiff_t str_find_str(str s, str needle)
{
    if (needle.len == 0)
        return 0;
    const char *hit = s.len ? memmem(s.p, s.len, needle.p, needle.len) : NULL;
    return hit ? hit - s.p : -1;
}

bool str_cut(str s, char sep, str *ret_head, str *ret_tail)
{
    ptrdiff_t at = str_find(s, sep);
    if (at < 0) {
        *ret_head = s;
        *ret_tail = STR_NULL;
        return false;
    }
    *ret_head = str_head(s, (size_t)at);
    *ret_tail = str_skip(s, (size_t)at + 1);
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

str str_trim(str s)
{
    while (s.len && is_space(s.p[0]))
        s = str_skip(s, 1);
    while (s.len && is_space(s.p[s.len - 1]))
        s.len--;
    return s;
}

char *str_dup_c(str s)
{
    char *c = malloc(s.len + 1);
    if (!c)
        return NULL;
    if (s.len)
        memcpy(c, s.p, s.len);
    c[s.len] = '\0';
    return c;
}

bool str_to_u64(str s, uint64_t *ret_v)
{
    uint64_t v = 0;
    if (s.len == 0 || s.len > 20)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (__builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return false;
    }
    *ret_v = v;
    return true;
}

static bool is_label_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool str_is_label(str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_label_byte(s.p[i]))
            return false;
    return s.len > 0;
}

void freep(void *p)
{
    free(*(void **)p);
}
