#include "zip/report.h"

#include "base/macro.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

#define SHOWN_NAME_MAX 160  /* bytes of a name in a message */
#define MESSAGE_MAX    1600 /* two shown names and some words */

_Static_assert(FINDINGS_SHOWN_MAX == SHOWN_NAME_MAX * UTF8_ESCAPED_MAX + 4, "fits any name");
_Static_assert(ZIP_N_RULES <= 64, "a bit for each rule");

void findings_init(struct findings *f, struct arena *arena, size_t max)
{
    *f = (struct findings){.arena = arena, .max = max};
}

static struct zip_finding *next_item(struct findings *f, enum zip_rule_id rule)
{
    uint64_t bit = UINT64_C(1) << rule;
    if (f->n >= f->max && f->rules & bit) {
        f->n_dropped++;
        return NULL;
    }
    f->rules |= bit;
    if (!f->items)
        f->items = arena_calloc(f->arena, f->max + ZIP_N_RULES, sizeof *f->items);
    f->nomem |= !f->items;
    return f->items ? &f->items[f->n] : NULL;
}

void findings_add(struct findings *f, enum zip_rule_id rule, str entry, uint64_t offset,
                  const char *fmt, ...)
{
    char text[MESSAGE_MAX];
    struct zip_finding *item = next_item(f, rule);
    if (!item)
        return;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    *item = (struct zip_finding){.rule = zip_rule(rule), .offset = offset};
    item->message = arena_dup_c(f->arena, str_c(text));
    bool kept = item->message && arena_dup(f->arena, entry, &item->entry);
    f->nomem |= !kept;
    f->n += kept;
}

const char *findings_show(struct findings *f, str name)
{
    CLEANUP(buf_deinit) struct buf b;
    char *text = f->shown[f->n_shown++ % ARRAY_SIZE(f->shown)];
    buf_init(&b, FINDINGS_SHOWN_MAX);
    utf8_add_escaped(&b, str_head(name, SHOWN_NAME_MAX));
    if (name.len > SHOWN_NAME_MAX)
        buf_add(&b, STR("..."));
    f->nomem |= b.failed;
    (void)snprintf(text, FINDINGS_SHOWN_MAX, "%.*s", STR_ARG(buf_view(&b)));
    return text;
}

const char *zip_report_reason(struct zip_report *r)
{
    if (r->n_findings == 0)
        return NULL;
    const struct zip_finding *first = &r->findings[0];
    size_t more = r->n_findings - 1 + r->n_findings_dropped;
    if (more == 0)
        return arena_printf(&r->arena, "%s [%s]", first->message, first->rule->id);
    return arena_printf(&r->arena, "%s [%s] (and %zu more)", first->message, first->rule->id, more);
}
