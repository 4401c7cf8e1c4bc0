#include "skillmd/collect.h"

#include "base/macro.h"

#include <stdarg.h>
#include <stdio.h>

void collect_init(struct collect *c, struct arena *a)
{
    *c = (struct collect){.arena = a};
}

static struct skillmd_finding *next_of(struct collect *c, bool refuses)
{
    struct skillmd_finding **list = &c->lists[refuses];
    if (!c->arena || c->n[refuses] == SKILLMD_FINDINGS_MAX)
        return NULL;
    if (!*list)
        *list = arena_calloc(c->arena, SKILLMD_FINDINGS_MAX, sizeof **list);
    c->no_memory |= !*list;
    return *list ? &(*list)[c->n[refuses]++] : NULL;
}

struct skillmd_finding *collect_add(struct collect *c, enum skillmd_rule_id rule, bool refuses,
                                    const struct place *at)
{
    struct skillmd_finding *f = next_of(c, refuses);
    c->n_all++;
    c->refused |= refuses;
    if (!f)
        return NULL;
    *f = (struct skillmd_finding){.rule = skillmd_rule(rule), .refuses = refuses, .message = ""};
    if (at) {
        f->offset = at->offset;
        f->line = at->line;
        f->column = at->column;
    }
    return f;
}

void collect_say(struct collect *c, struct skillmd_finding *f, const char *fmt, ...)
{
    char text[SKILLMD_MESSAGE_MAX + 1];
    va_list ap;
    if (!f)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    char *message = arena_dup_c(c->arena, str_c(text));
    c->no_memory |= !message;
    f->message = message;
}

/* Stable, and quick for what is nearly in order. */
static void sort(struct skillmd_finding *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct skillmd_finding f = v[i];
        size_t to = i;
        for (; to > 0 && v[to - 1].offset > f.offset; to--)
            v[to] = v[to - 1];
        v[to] = f;
    }
}

static void append(struct skillmd_finding *to, size_t *n, const struct skillmd_finding *from,
                   size_t n_from)
{
    for (size_t i = 0; i < n_from; i++)
        to[(*n)++] = from[i];
}

enum err collect_finish(struct collect *c, struct skillmd_report *ret, struct error *e)
{
    size_t n = 0, n_warnings = MIN(c->n[false], SKILLMD_FINDINGS_MAX - c->n[true]);
    if (c->no_memory)
        return FAIL_NOMEM(e);
    if (c->n_all == 0)
        return ERR_OK;
    struct skillmd_finding *all = arena_calloc(c->arena, SKILLMD_FINDINGS_MAX, sizeof *all);
    if (!all)
        return FAIL_NOMEM(e);
    sort(c->lists[false], c->n[false]);
    append(all, &n, c->lists[true], c->n[true]);
    append(all, &n, c->lists[false], n_warnings);
    sort(all, n);
    ret->findings = all;
    ret->n_findings = n;
    ret->n_dropped = c->n_all - n;
    ret->refused = c->refused;
    return ERR_OK;
}
