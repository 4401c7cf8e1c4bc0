#include "zip/report.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

#define SHOWN_NAME_MAX 160  /* bytes of a name in a message */
#define MESSAGE_MAX    1600 /* escaping makes at most 9 bytes of one */

void findings_init(struct findings *f, struct arena *arena, size_t max)
{
    *f = (struct findings){.arena = arena, .max = max};
}

static struct zip_finding *next_item(struct findings *f)
{
    if (f->n == f->max) {
        f->n_dropped++;
        return NULL;
    }
    if (!f->items)
        f->items = arena_calloc(f->arena, f->max, sizeof *f->items);
    f->nomem |= !f->items;
    return f->items ? &f->items[f->n] : NULL;
}

void findings_add(struct findings *f, enum zip_rule_id rule, str entry, uint64_t offset,
                  const char *fmt, ...)
{
    char text[MESSAGE_MAX];
    struct zip_finding *item = next_item(f);
    if (!item)
        return;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    char *message = arena_dup_c(f->arena, str_c(text));
    f->nomem |= !message;
    if (!message)
        return;
    *item = (struct zip_finding){
        .rule = zip_rule(rule), .entry = entry, .offset = offset, .message = message};
    f->n++;
}

const char *findings_show(struct findings *f, str name)
{
    struct buf b;
    if (f->n == f->max) /* the finding will only be counted */
        return "";
    buf_init(&b, MESSAGE_MAX);
    utf8_add_escaped(&b, str_head(name, SHOWN_NAME_MAX));
    if (name.len > SHOWN_NAME_MAX)
        buf_add(&b, STR("..."));
    char *shown = arena_dup_c(f->arena, buf_view(&b));
    buf_deinit(&b);
    f->nomem |= !shown;
    return shown ? shown : "";
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
