#include "zip/glob.h"

#include "base/macro.h"

#include <ctype.h>

#define NONE SIZE_MAX

/* The bytes in front of the first special character. */
static size_t literal_len(str pattern)
{
    size_t n = 0;
    while (n < pattern.len && !strchr("*?[\\", pattern.p[n]))
        n++;
    return n;
}

/* --- sets: [a-z], [!x], [[:digit:]] --- */

struct set {
    str s;      /* the pattern */
    size_t at;  /* the member that comes next */
    uint8_t c;  /* what is looked for */
    uint8_t lo; /* the character in front, which a range may begin with, or 0 */
    bool hit;
};

static const struct {
    const char *name;
    int (*has)(int c);
} classes[] = {
    {"alnum", isalnum}, {"alpha", isalpha}, {"blank", isblank}, {"cntrl", iscntrl},
    {"digit", isdigit}, {"graph", isgraph}, {"lower", islower}, {"print", isprint},
    {"punct", ispunct}, {"space", isspace}, {"upper", isupper}, {"xdigit", isxdigit},
};

static bool add_class(struct set *s, str name)
{
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        if (str_eq(name, str_c(classes[i].name))) {
            s->hit |= s->c < 0x80 && classes[i].has(s->c);
            return true;
        }
    return false;
}

/* The character at s->at, escaped or not; s->at is moved behind it. */
static bool take_char(struct set *s, uint8_t *ret)
{
    if (s->at < s->s.len && s->s.p[s->at] == '\\')
        s->at++;
    if (s->at == s->s.len)
        return false;
    *ret = (uint8_t)s->s.p[s->at++];
    return true;
}

/* A class's name stands between "[:" and ":]"; without that the bracket is a character. */
static bool class_name(const struct set *s, str *ret)
{
    str rest = str_skip(s->s, s->at);
    if (!str_starts_with(rest, STR("[:")))
        return false;
    ptrdiff_t end = str_find(str_skip(rest, 2), ']');
    if (end < 1 || rest.p[2 + end - 1] != ':')
        return false;
    *ret = str_head(str_skip(rest, 2), (size_t)end - 1);
    return true;
}

static bool is_range(const struct set *s)
{
    return s->s.p[s->at] == '-' && s->lo && s->at + 1 < s->s.len && s->s.p[s->at + 1] != ']';
}

/* One member; false when the set is malformed. */
static bool take_member(struct set *s)
{
    str name;
    uint8_t c, lo = s->lo;
    if (class_name(s, &name)) {
        s->at += name.len + 4;
        s->lo = 0;
        return add_class(s, name);
    }
    bool range = is_range(s);
    s->at += range;
    if (!take_char(s, &c))
        return false;
    s->hit |= range ? s->c >= lo && s->c <= c : s->c == c;
    s->lo = range ? 0 : c;
    return true;
}

/* The set at *at, which is moved behind it. */
static bool match_set(str pattern, size_t *at, uint8_t c)
{
    struct set s = {.s = pattern, .at = *at + 1, .c = c};
    bool negated = s.at < pattern.len && (pattern.p[s.at] == '!' || pattern.p[s.at] == '^');
    s.at += negated;
    do {
        if (s.at == pattern.len || !take_member(&s))
            return false;
    } while (s.at < pattern.len && pattern.p[s.at] != ']');
    if (s.at == pattern.len)
        return false;
    *at = s.at + 1;
    return s.hit != negated && c != '/';
}

/* --- the whole pattern --- */

struct glob {
    str pattern, path;
    size_t literal;        /* bytes of the pattern */
    size_t p, t;           /* what is compared next */
    size_t star_p, star_t; /* behind the last `*`, and where it ends by now; or NONE */
    size_t deep_p, deep_t; /* behind the last `**`, and where it ends next; or NONE */
};

static bool at_slash(const struct glob *g, size_t p)
{
    return p < g->pattern.len && g->pattern.p[p] == '/';
}

/* Asterisks from `begin` to g->p. */
static bool is_deep(const struct glob *g, size_t begin)
{
    size_t end = g->p;
    bool before = begin == g->literal || g->pattern.p[begin - 1] == '/';
    bool behind = end == g->pattern.len || at_slash(g, end) ||
                  (g->pattern.p[end] == '\\' && at_slash(g, end + 1));
    return end - begin > 1 && before && behind;
}

/* Tries an asterisk with nothing first; retry lets it take more. */
static void take_star(struct glob *g)
{
    size_t begin = g->p;
    while (g->p < g->pattern.len && g->pattern.p[g->p] == '*')
        g->p++;
    if (!is_deep(g, begin)) {
        g->star_p = g->p;
        g->star_t = g->t;
        return;
    }
    g->star_p = NONE;
    g->deep_p = g->p;
    g->deep_t = g->t;
    g->p += at_slash(g, g->p); /* "a" + slash + asterisks + slash + "b" is also "a/b" */
}

static bool match_char(struct glob *g)
{
    uint8_t c = (uint8_t)g->path.p[g->t++];
    if (g->pattern.p[g->p] == '[')
        return match_set(g->pattern, &g->p, c);
    if (g->pattern.p[g->p] == '?') {
        g->p++;
        return c != '/';
    }
    g->p += g->pattern.p[g->p] == '\\';
    return g->p < g->pattern.len && (uint8_t)g->pattern.p[g->p++] == c;
}

/* Only the last asterisks can help: what an earlier one could take more, the later one can take
 * instead, and `*` never gets over a slash. */
static bool retry(struct glob *g)
{
    if (g->star_p != NONE && g->star_t < g->path.len && g->path.p[g->star_t] != '/') {
        g->p = g->star_p;
        g->t = ++g->star_t;
        return true;
    }
    g->star_p = NONE;
    if (g->deep_p == NONE || g->deep_t > g->path.len)
        return false;
    g->p = g->deep_p;
    g->t = g->deep_t++;
    return true;
}

bool glob_match(str pattern, str path)
{
    struct glob g = {.pattern = pattern,
                     .path = path,
                     .literal = literal_len(pattern),
                     .star_p = NONE,
                     .deep_p = NONE};
    while (g.p < pattern.len || g.t < path.len) {
        if (g.p < pattern.len && pattern.p[g.p] == '*')
            take_star(&g);
        else if ((g.p == pattern.len || g.t == path.len || !match_char(&g)) && !retry(&g))
            return false;
    }
    return true;
}
