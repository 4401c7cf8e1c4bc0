#include "zip/ignore.h"

#include "zip/glob.h"

struct ignore_pattern {
    struct ignore_pattern *next;
    str text;
    bool negated;
    bool directory_only;
    bool any_depth; /* no slash in it: for the last component alone */
};

/* Trailing spaces count only behind a backslash. */
static str trim_end(str line)
{
    if (str_ends_with(line, STR("\r")))
        line.len--;
    while (line.len && line.p[line.len - 1] == ' ') {
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

static enum err add_pattern(struct ignore *ig, struct ignore_pattern pattern, struct arena *a,
                            struct error *e)
{
    struct ignore_pattern *p = arena_alloc(a, sizeof *p);
    if (!p || !arena_dup(a, pattern.text, &pattern.text))
        return FAIL_NOMEM(e);
    *p = pattern;
    *(ig->last ? &ig->last->next : &ig->first) = p;
    ig->last = p;
    return ERR_OK;
}

static enum err parse_line(str line, struct arena *a, struct ignore *ig, struct error *e)
{
    struct ignore_pattern p = {0};
    ptrdiff_t nul = str_find(line, '\0');
    line = trim_end(nul < 0 ? line : str_head(line, (size_t)nul)); /* as git reads C strings */
    if (line.len == 0 || line.p[0] == '#')
        return ERR_OK;
    p.negated = take(&line, '!');
    p.directory_only = str_ends_with(line, STR("/"));
    line.len -= p.directory_only;
    p.any_depth = str_find(line, '/') < 0;
    (void)take(&line, '/');
    p.text = line;
    return line.len ? add_pattern(ig, p, a, e) : ERR_OK;
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

bool ignore_match(const struct ignore *ig, str path, bool directory)
{
    bool left_out = false;
    str leaf = str_skip(path, (size_t)(str_rfind(path, '/') + 1));
    for (const struct ignore_pattern *p = ig->first; p; p = p->next)
        if ((directory || !p->directory_only) && p->negated == left_out &&
            glob_match(p->text, p->any_depth ? leaf : path))
            left_out = !p->negated;
    return left_out;
}
