#include "cli/audit.h"

#include "base/sys.h"
#include "base/utf8.h"
#include "cli/artifact.h"
#include "skillmd/skillmd.h"
#include "zip/pack.h"

#include <stdlib.h>

#define SKILL_MD  STR("SKILL.md")
#define ARENA_MAX MIB(16) /* texts about SKILL.md, or about a directory that is packed */

static enum err add(struct audit_items *to, struct audit_item item, struct error *e)
{
    if (to->n == to->cap) {
        size_t cap = to->cap ? to->cap * 2 : 8;
        struct audit_item *v = realloc(to->v, cap * sizeof *v);
        if (!v)
            return FAIL_NOMEM(e);
        to->v = v;
        to->cap = cap;
    }
    to->v[to->n++] = item;
    return ERR_OK;
}

static enum err add_findings(struct audited *a, struct error *e)
{
    const struct zip_report *r = &a->report;
    a->n_dropped += r->n_findings_dropped;
    for (size_t i = 0; i < r->n_findings; i++) {
        const struct zip_finding *f = &r->findings[i];
        struct audit_item item = {.rule = f->rule->id,
                                  .message = f->message,
                                  .advice = f->rule->advice,
                                  .entry = f->entry,
                                  .offset = f->offset};
        TRY(add(&a->findings, item, e));
    }
    return ERR_OK;
}

static enum err be_strict(struct audited *a, struct error *e)
{
    for (size_t i = 0; i < a->warnings.n; i++)
        TRY(add(&a->findings, a->warnings.v[i], e));
    a->warnings.n = 0;
    return ERR_OK;
}

static bool found_skill_md(const struct audited *a)
{
    bool found = false;
    for (size_t i = 0; i < a->findings.n && !found; i++)
        found = strcmp(a->findings.v[i].rule, "skill-md") == 0;
    return found;
}

/* Unless it is missing, or none of those that the archive's rules can show to a reader. */
static enum err judge_text(struct audited *a, struct error *e)
{
    struct skillmd_report r;
    str text = buf_view(&a->report.skill_md);
    if (text.len == 0 || found_skill_md(a))
        return ERR_OK;
    TRY(skillmd_check(text, &a->arena, &r, e));
    a->n_dropped += r.n_dropped;
    for (size_t i = 0; i < r.n_findings; i++) {
        const struct skillmd_finding *f = &r.findings[i];
        struct audit_item item = {.rule = f->rule->id,
                                  .message = f->message,
                                  .advice = f->rule->advice,
                                  .entry = SKILL_MD,
                                  .offset = f->offset,
                                  .in_text = true,
                                  .line = f->line,
                                  .column = f->column};
        TRY(add(f->refuses ? &a->findings : &a->warnings, item, e));
    }
    return ERR_OK;
}

static enum err judge(const struct audit_options *o, int fd, uint64_t size, struct audited *a,
                      struct error *e)
{
    struct digest hash;
    struct zip_audit_options how = {.flags = o->archive_only ? ZIP_AUDIT_ARCHIVE_ONLY : 0};
    TRY(sha256_of_file(fd, size, &hash, e));
    digest_to_hex(&hash, a->sha256);
    a->archive = true;
    TRY(zip_audit(fd, size, &how, &a->report, e));
    TRY(add_findings(a, e));
    if (!o->archive_only)
        TRY(judge_text(a, e));
    return o->strict ? be_strict(a, e) : ERR_OK;
}

static void audited_init(struct audited *a)
{
    *a = (struct audited){0};
    arena_init(&a->arena, ARENA_MAX);
}

enum err audit_archive(const struct audit_options *o, int fd, uint64_t size, struct audited *ret,
                       struct error *e)
{
    audited_init(ret);
    return judge(o, fd, size, ret, e);
}

struct packing {
    struct audited *a;
    bool nomem;
};

static enum err warn_secret(struct audited *a, str path, struct error *e)
{
    CLEANUP(buf_deinit) struct buf shown;
    struct audit_item item = {.rule = AUDIT_RULE_PACK,
                              .advice = "remove it, or name it in .skillignore"};
    buf_init(&shown, path.len * UTF8_ESCAPED_MAX);
    utf8_add_escaped(&shown, path);
    item.message = arena_printf(&a->arena, "\"%.*s\" looks like a secret and is left out",
                                STR_ARG(buf_view(&shown)));
    if (!item.message || !arena_dup(&a->arena, path, &item.entry))
        return FAIL_NOMEM(e);
    return add(&a->warnings, item, e);
}

static void on_secret(void *ctx, str path)
{
    struct packing *p = ctx;
    struct error ignored; /* only memory runs out here */
    p->nomem |= warn_secret(p->a, path, &ignored) != ERR_OK;
}

/* What the packer says is wrong with the directory is a finding; that it cannot read it is not. */
static enum err refused_by_packer(struct audited *a, struct error *e)
{
    struct audit_item item = {.rule = AUDIT_RULE_PACK,
                              .message = arena_dup_c(&a->arena, str_c(e->msg)),
                              .advice = "change the directory until `stigmer skill push "
                                        "--dry-run` packs it"};
    if (e->code != ERR_INVALID_ARGUMENT)
        return e->code;
    return item.message ? add(&a->findings, item, e) : FAIL_NOMEM(e);
}

static enum err pack_and_judge(const struct audit_options *o, int dirfd, struct audited *a,
                               struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    uint64_t size;
    uint32_t n_files;
    struct packing p = {.a = a};
    struct zip_pack_options options = {.warn_secret = on_secret, .ctx = &p};
    TRY(artifact_temp(&fd, e));
    enum err err = zip_pack(dirfd, fd, &options, &size, &n_files, e);
    if (p.nomem)
        return FAIL_NOMEM(e);
    return err == ERR_OK ? judge(o, fd, size, a, e) : refused_by_packer(a, e);
}

enum err audit_skill(const struct audit_options *o, int dirfd, struct audited *ret, struct error *e)
{
    audited_init(ret);
    return pack_and_judge(o, dirfd, ret, e);
}

void audited_deinit(struct audited *a)
{
    free(a->findings.v);
    free(a->warnings.v);
    zip_report_deinit(&a->report);
    arena_deinit(&a->arena);
}
