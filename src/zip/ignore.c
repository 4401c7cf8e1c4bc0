#include "zip/ignore.h"

#include "base/macro.h"

#include <fnmatch.h>

#define PATH_LEN_MAX 4096

struct ignore_pattern {
    struct ignore_pattern *next;
    bool negated;
    bool directory_only;
    size_t n_parts;
    char *parts[]; /* "**" stands for any number of components */
};

static bool is_any_depth(const char *part)
{
    return part[0] == '*' && part[1] == '*' && part[2] == '\0';
}

/* Splits s at '/' in place; 0 when there are too many components. */
static size_t split(char *s, char *parts[IGNORE_DEPTH])
{
    size_t n = 0;
    for (char *part = strsep(&s, "/"); part; part = strsep(&s, "/")) {
        if (n == IGNORE_DEPTH)
            return 0;
        parts[n++] = part;
    }
    return n;
}

/* Trailing spaces count only behind a backslash. */
static str trim_end(str line)
{
    while (line.len && (line.p[line.len - 1] == ' ' || line.p[line.len - 1] == '\r')) {
        size_t slashes = 0;
        while (slashes + 1 < line.len && line.p[line.len - 2 - slashes] == '\\')
            slashes++;
        if (slashes % 2)
            break;
        line.len--;
    }
    return line;
}

static bool take(str *s, char c)
{
    if (s->len == 0 || s->p[0] != c)
        return false;
    *s = str_skip(*s, 1);
    return true;
}

/* A pattern without an inner slash matches at any depth: as if it began with two asterisks. */
static struct ignore_pattern *make_pattern(struct arena *a, str text, bool anchored)
{
    char *split_parts[IGNORE_DEPTH];
    char *copy = arena_dup_c(a, text);
    size_t n = copy ? split(copy, split_parts) : 0;
    size_t lead = anchored || n > 1 ? 0 : 1;
    struct ignore_pattern *p = arena_alloc(a, sizeof *p + (n + lead) * sizeof p->parts[0]);
    if (!copy || !p)
        return NULL;
    if (lead)
        p->parts[0] = arena_dup_c(a, STR("**"));
    for (size_t i = 0; i < n; i++)
        p->parts[lead + i] = split_parts[i];
    p->n_parts = n ? n + lead : 0;
    return lead && !p->parts[0] ? NULL : p;
}

static enum err parse_line(str line, struct arena *a, struct ignore *ig, struct error *e)
{
    line = trim_end(line);
    if (line.len == 0 || line.p[0] == '#')
        return ERR_OK;
    bool negated = take(&line, '!');
    bool directory_only = str_ends_with(line, STR("/"));
    line.len -= directory_only;
    bool anchored = take(&line, '/');
    if (line.len == 0)
        return ERR_OK;
    struct ignore_pattern *p = make_pattern(a, line, anchored);
    if (!p)
        return FAIL_NOMEM(e);
    p->negated = negated;
    p->directory_only = directory_only;
    *(ig->last ? &ig->last->next : &ig->first) = p;
    ig->last = p;
    return ERR_OK;
}

enum err ignore_parse(str text, struct arena *a, struct ignore *ret, struct error *e)
{
    str line;
    *ret = (struct ignore){0};
    if (str_starts_with(text, STR("\xef\xbb\xbf"))) /* a byte order mark is no pattern */
        text = str_skip(text, 3);
    while (text.len) {
        (void)str_cut(text, '\n', &line, &text);
        TRY(parse_line(line, a, ret, e));
    }
    return ERR_OK;
}

/* As with the asterisk in a word, going back to the last "**" is enough: what an earlier one could
 * take more, the later one can take instead. A "**" at the end wants something below. */
static bool parts_match(const struct ignore_pattern *p, char *const *path, size_t n)
{
    size_t at = 0, i = 0, back_at = 0, back_i = 0;
    bool back = false;
    while (i < n) {
        if (at < p->n_parts && is_any_depth(p->parts[at])) {
            if (at + 1 == p->n_parts)
                return true;
            back = true;
            back_at = ++at;
            back_i = i;
        } else if (at < p->n_parts && fnmatch(p->parts[at], path[i], 0) == 0) {
            at++;
            i++;
        } else if (back) {
            at = back_at;
            i = ++back_i;
        } else {
            return false;
        }
    }
    return at == p->n_parts;
}

bool ignore_match(const struct ignore *ig, str path, bool directory)
{
    char copy[PATH_LEN_MAX], *parts[IGNORE_DEPTH];
    bool left_out = false;
    if (path.len >= sizeof copy)
        return false;
    memcpy(copy, path.p, path.len);
    copy[path.len] = '\0';
    size_t n = split(copy, parts);
    for (const struct ignore_pattern *p = ig->first; p; p = p->next)
        if ((directory || !p->directory_only) && p->n_parts && parts_match(p, parts, n))
            left_out = !p->negated;
    return left_out;
}
