#include "zip/audit.h"

#include "zip/names.h"

#include <stdlib.h>

/* Beside the names (10,000 of at most 1 KiB) there are some hundred bytes an entry and 100
 * findings. */
#define ARENA_MAX MIB(24)

static enum err check_names(struct audit *a, struct error *e)
{
    CLEANUP(freep) struct name_ref *refs = calloc(a->n_entries + 1, sizeof *refs);
    if (!refs)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < a->n_entries; i++) {
        const struct cdh *h = &a->entries[i].h;
        refs[i] = (struct name_ref){.name = a->entries[i].pub->name,
                                    .offset = a->entries[i].at,
                                    .utf8_flag = h->flags & FLAG_UTF8,
                                    .host = (uint8_t)(h->version_made >> 8)};
    }
    return names_check(&a->found, refs, a->n_entries, e);
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
    TRY(run_stages(a, e));
    return a->found.nomem ? FAIL_NOMEM(e) : ERR_OK;
}

static void audit_deinit(struct audit *a)
{
    window_deinit(&a->win);
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
