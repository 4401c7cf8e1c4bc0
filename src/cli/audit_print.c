#include "cli/audit.h"
#include "cli/json.h"

#include <stdlib.h>

/* --- JSON --- */

static json_t *json_of_item(const struct audit_item *i)
{
    CLEANUP(json_decrefp)
    json_t *j =
        json_pack("{ss so sI so so}", "rule", i->rule, "entry", json_of_name(i->entry), "offset",
                  (json_int_t)i->offset, "message", json_of_name(str_c(i->message)), "advice",
                  json_of_name(str_c(i->advice)));
    if (i->in_text && (json_object_set_new(j, "line", json_integer(i->line)) < 0 ||
                       json_object_set_new(j, "column", json_integer(i->column)) < 0))
        return NULL;
    return STEAL(j);
}

static json_t *json_of_items(const struct audit_items *items)
{
    CLEANUP(json_decrefp) json_t *j = json_array();
    for (size_t i = 0; i < items->n; i++)
        if (json_array_append_new(j, json_of_item(&items->v[i])) < 0)
            return NULL;
    return STEAL(j);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, each once. */
static json_t *json_of_rules(const struct audit_items *items)
{
    CLEANUP(freep) const char **ids = calloc(items->n + 1, sizeof *ids);
    CLEANUP(json_decrefp) json_t *j = ids ? json_array() : NULL;
    for (size_t i = 0; ids && i < items->n; i++)
        ids[i] = items->v[i].rule;
    if (ids)
        qsort(ids, items->n, sizeof *ids, by_text);
    for (size_t i = 0; j && i < items->n; i++)
        if ((i == 0 || strcmp(ids[i - 1], ids[i]) != 0) &&
            json_array_append_new(j, json_string(ids[i])) < 0)
            return NULL;
    return STEAL(j);
}

static enum err print_json(const struct term *t, const char *path, const struct audited *a,
                           struct error *e)
{
    const struct zip_report *r = &a->report;
    json_t *hash = a->archive ? json_string(a->sha256) : json_null();
    CLEANUP(json_decrefp)
    json_t *j =
        json_pack("{so ss so so so sI sI}", "file", json_of_name(str_c(path)), "verdict",
                  audited_accepted(a) ? "accept" : "reject", "rules", json_of_rules(&a->findings),
                  "findings", json_of_items(&a->findings), "sha256", hash, "entries",
                  (json_int_t)r->n_entries, "uncompressed", (json_int_t)r->uncompressed);
    if (a->warnings.n && json_object_set_new(j, "warnings", json_of_items(&a->warnings)) < 0)
        return FAIL_NOMEM(e);
    return json_print_line(t, STEAL(j), e);
}

/* --- text --- */

static void print_item(const struct term *t, const struct audit_item *i, const char *label)
{
    term_printf(t, "  %s%s at ", label, i->rule);
    if (i->line)
        term_printf(t, "SKILL.md:%u:%u: ", i->line, i->column);
    else
        term_printf(t, "%llu: ", (unsigned long long)i->offset);
    term_foreign(t, str_c(i->message));
    term_printf(t, "\n      ");
    term_foreign(t, str_c(i->advice));
    term_printf(t, "\n");
}

static void print_items(const struct term *t, const struct audit_items *items, const char *label)
{
    for (size_t i = 0; i < items->n; i++)
        print_item(t, &items->v[i], label);
}

static void print_text(const struct term *t, const char *path, const struct audited *a)
{
    const struct zip_report *r = &a->report;
    bool ok = audited_accepted(a);
    term_styled(t, ok ? TERM_GREEN : TERM_RED, ok ? "accept" : "reject");
    term_printf(t, " ");
    term_foreign(t, str_c(path));
    if (a->archive)
        term_printf(t, " (sha256 %s, %zu entries, %llu bytes)", a->sha256, r->n_entries,
                    (unsigned long long)r->uncompressed);
    term_printf(t, "\n");
    print_items(t, &a->findings, "");
    if (a->n_dropped)
        term_printf(t, "  and %zu more\n", a->n_dropped);
    print_items(t, &a->warnings, "warning: ");
}

enum err audit_print(const struct cli *c, const char *path, const struct audited *a,
                     struct error *e)
{
    if (c->args.json)
        TRY(print_json(&c->out, path, a, e));
    else
        print_text(&c->out, path, a);
    return term_flush(&c->out, e);
}

/* --- no verdict --- */

enum { CAUSE_MAX = 128 };

/* The path is told beside it. */
static const char *cause_of(const struct error *why, char room[CAUSE_MAX])
{
    return why->sys ? strerror_r(why->sys, room, CAUSE_MAX) : why->msg;
}

static void print_error(const struct term *t, const char *path, const char *cause)
{
    term_styled(t, TERM_RED, "Error:");
    term_printf(t, " ");
    term_foreign(t, str_c(path));
    term_printf(t, ": ");
    term_foreign(t, str_c(cause));
    term_printf(t, "\n");
}

enum err audit_print_unreadable(const struct cli *c, const char *path, const struct error *why,
                                struct error *e)
{
    char room[CAUSE_MAX];
    const char *cause = cause_of(why, room);
    print_error(&c->err, path, cause);
    if (!c->args.json)
        return ERR_OK;
    TRY(json_print_line(&c->out,
                        json_pack("{so so}", "file", json_of_name(str_c(path)), "error",
                                  json_of_name(str_c(cause))),
                        e));
    return term_flush(&c->out, e);
}
