#include "skillmd/skillmd.h"

#include "skillmd/scan.h"

#include <stdio.h>

static void tell(struct collect *c, const char *what)
{
    collect_say(c, collect_add(c, SKILLMD_RULE_TEXT, true, NULL), "%s", what);
}

enum err skillmd_check(str text, struct arena *a, struct skillmd_report *ret, struct error *e)
{
    struct collect c;
    collect_init(&c, a);
    *ret = (struct skillmd_report){0};
    if (text.len == 0) {
        tell(&c, "SKILL.md is empty");
    } else if (text.len > SKILLMD_MAX) {
        tell(&c, "SKILL.md too large (max: 1048576 bytes)");
    } else {
        scan(cursor_start(text), &c);
        frontmatter_read(cursor_start(text), &c, &ret->front);
    }
    return collect_finish(&c, ret, e);
}

const char *skillmd_reason(const struct skillmd_report *r, struct arena *a)
{
    const struct skillmd_finding *first = NULL;
    char place[48] = "", more[48] = "";
    size_t n = 0;
    for (size_t i = r->n_findings; i-- > 0;) {
        n += r->findings[i].refuses;
        if (r->findings[i].refuses)
            first = &r->findings[i];
    }
    if (!first)
        return NULL;
    if (first->line)
        (void)snprintf(place, sizeof place, " at line %u, column %u", first->line, first->column);
    if (n > 1)
        (void)snprintf(more, sizeof more, " (and %zu more)", n - 1);
    return arena_printf(a, "%s [%s]%s%s", first->message, first->rule->id, place, more);
}
