#include "zip/audit.h"

#include "zip/names.h"

#include <stdlib.h>

/* Some hundred bytes an entry, and 100 findings of at most 3 KiB. */
#define ARENA_MAX MIB(2)

str entry_name(struct audit *a, const struct entry *en)
{
    str name;
    struct error e;
    enum err err = zip_names_get(a->names, en->pub, &name, &e);
    if (err != ERR_OK && a->names_error.code == ERR_OK)
        a->names_error = e;
    return err == ERR_OK ? name : STR_NULL;
}

static enum err get_name(void *ctx, size_t i, struct name_ref *ret, struct error *e)
{
    struct audit *a = ctx;
    const struct entry *en = &a->entries[i];
    *ret = (struct name_ref){.offset = en->at,
                             .utf8_flag = en->h.flags & FLAG_UTF8,
                             .host = (uint8_t)(en->h.version_made >> 8)};
    return zip_names_get(a->names, en->pub, &ret->name, e);
}

static enum err check_names(struct audit *a, struct error *e)
{
    const struct name_source source = {.get = get_name, .ctx = a, .n = a->n_entries};
    return names_check(&a->found, &source, e);
}

static enum err run_stages(struct audit *a, struct error *e)
{
    TRY(container_check(a, e));
    if (a->stop)
        return ERR_OK;
    TRY(directory_read(a, e));
    TRY(check_names(a, e));
    if (!a->stop && a->walkable) {
        TRY(walk(a, e));
        TRY(measure(a, e));
        judge_contents(a);
    }
    if (a->listed && !(a->flags & ZIP_AUDIT_ARCHIVE_ONLY))
        TRY(audit_skill_md(a, e));
    return ERR_OK;
}

static enum err run(struct audit *a, struct error *e)
{
    TRY(window_init(&a->win, a->fd, a->size, e));
    TRY(zip_names_open(a->fd, a->size, &a->names, e));
    TRY(run_stages(a, e));
    if (a->names_error.code != ERR_OK)
        *e = a->names_error;
    else if (a->found.nomem)
        return FAIL_NOMEM(e);
    return a->names_error.code;
}

static void audit_deinit(struct audit *a)
{
    window_deinit(&a->win);
    zip_names_close(a->names);
    free(a->entries);
    free(a->order);
}

enum err zip_audit(int fd, uint64_t size, const struct zip_audit_options *o, struct zip_report *ret,
                   struct error *e)
{
    static const struct zip_audit_options none;
    o = o ? o : &none;
    const struct zip_limits *limits = o->limits ? o->limits : &zip_limits_default;
    CLEANUP(audit_deinit)
    struct audit a = {.limits = limits,
                      .flags = o->flags,
                      .workers = o->workers,
                      .fd = fd,
                      .size = size,
                      .report = ret};
    *ret = (struct zip_report){0};
    arena_init(&ret->arena, ARENA_MAX);
    buf_init(&ret->skill_md, limits->max_skill_md);
    findings_init(&a.found, &ret->arena, limits->max_findings);
    enum err err = run(&a, e);
    if (ret->skill_md.failed) /* longer than the limit: refused, or archive only */
        buf_clear(&ret->skill_md);
    ret->findings = a.found.items;
    ret->n_findings = a.found.n;
    ret->n_findings_dropped = a.found.n_dropped;
    return err;
}

void zip_report_deinit(struct zip_report *r)
{
    buf_deinit(&r->skill_md);
    arena_deinit(&r->arena);
    r->findings = NULL;
    r->entries = NULL;
    r->n_findings = r->n_entries = 0;
}
