/* A push: audit, durable artifact, then one transaction for all that is known of it. */
#include "base/log.h"
#include "base/mutant.h"
#include "skill/change.h"
#include "skill/gc.h"
#include "skill/id.h"
#include "skill/manifest.h"
#include "skill/record.h"
#include "skill/slug.h"
#include "skillmd/skillmd.h"
#include "store/store.h"
#include "zip/zip.h"

/* How often an archive is put again that was collected meanwhile. */
#define PUT_TRIES 8

struct push {
    struct skill_service *s;
    const struct spool *spool; /* that was put */
    bool lost;                 /* out: the archive was removed after it was put */
    struct change by;
    const struct skill_push *in;
    enum skill_scope scope;
    str org, slug, id;
    struct digest hash, text;
    uint64_t size;
    str skill_md;
    struct zip_report report;
    struct manifest manifest; /* of the report */
    struct arena *a;
    struct skill *ret;
};

static void push_deinit(struct push *p)
{
    manifest_deinit(&p->manifest);
    zip_report_deinit(&p->report);
}

static bool tag_is_real(str tag)
{
    return !record_is_latest(tag);
}

/* --- inside the transaction --- */

/* Whether the live skill is already what is pushed: then a retry answers the same record. */
static enum err unchanged(struct meta_txn *t, const struct push *p, const struct meta_skill *head,
                          const struct meta_version *current, bool *ret, struct error *e)
{
    *ret = digest_eq(&current->artifact, &p->hash) && str_eq(current->tag, p->in->tag);
    if (!*ret || !tag_is_real(p->in->tag))
        return ERR_OK;
    /* A tag that was moved elsewhere since is to come back. */
    return change_tag_points_at(t, head->number, p->in->tag, head->last_seq, p->a, ret, e);
}

/* The head after this push. exists: head holds what is there, live or not. */
static void next_head(const struct push *p, bool exists, uint64_t sequence, int64_t time_ns,
                      struct meta_skill *head)
{
    if (!exists)
        *head = (struct meta_skill){
            .id = p->id,
            .number = sequence,
            .scope = p->scope,
            .org = p->org,
            .slug = p->slug,
        };
    head->last_seq++;
    if (head->live)
        return;
    head->live = true;
    head->life++;
    head->first_seq = head->last_seq;
    head->created_at_ns = time_ns;
    head->created_by = p->by.actor;
    head->deleted_at_ns = 0;
    head->deleted_by = STR_NULL;
}

/* previous: the version of the same life that this one follows, or zeroes. */
static struct meta_version next_version(const struct push *p, const struct meta_skill *head,
                                        const struct meta_version *previous, uint64_t sequence,
                                        int64_t time_ns)
{
    return (struct meta_version){
        .seq = head->last_seq,
        .name = p->in->name,
        .tag = p->in->tag,
        .artifact = p->hash,
        .size = p->size,
        .text = p->text,
        .text_seq = digest_eq(&previous->text, &p->text) ? previous->text_seq : head->last_seq,
        .life = head->life,
        .sequence = sequence,
        .created_at_ns = head->created_at_ns,
        .created_by = head->created_by,
        .updated_at_ns = time_ns,
        .updated_by = p->by.actor,
        .event = head->first_seq == head->last_seq ? STR("created") : STR("updated"),
        .labels = previous->labels,
        .n_labels = previous->n_labels,
        .annotations = previous->annotations,
        .n_annotations = previous->n_annotations,
        .resource_tags = previous->resource_tags,
        .n_resource_tags = previous->n_resource_tags,
    };
}

static enum err lose(struct push *p, struct error *e)
{
    p->lost = true;
    return FAIL(e, ERR_UNAVAILABLE, "skill.collected",
                "the archive was collected as garbage while it was pushed; try again");
}

/* Garbage collection may have come between the archive and its version. Here, in the transaction,
 * it cannot: it removes only what a transaction of its own has marked before (ARCHITECTURE.md). */
static enum err check_archive(struct meta_txn *t, struct push *p, struct error *e)
{
    struct meta_artifact artifact;
    bool there;
    enum err err = meta_artifact_get(t, &p->hash, &artifact, e);
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        return err;
    if (err == ERR_OK && artifact.state == META_ARTIFACT_DELETING)
        return lose(p, e);
    TRY(store_confirm(p->s->store, p->spool, &there, e));
    return there || MUTANT(metadata_before_artifact) ? ERR_OK : lose(p, e);
}

static enum err add_version(struct meta_txn *t, struct push *p, struct meta_skill *head,
                            bool exists, const struct meta_version *previous, struct error *e)
{
    uint64_t sequence, seq = exists ? head->last_seq + 1 : 1;
    int64_t time_ns;
    const char *what = exists && head->live ? "updated" : "created";
    TRY(check_archive(t, p, e));
    TRY(change_event(t, &p->by, what, p->id, seq, p->in->tag, &time_ns, &sequence, e));
    next_head(p, exists, sequence, time_ns, head);
    struct meta_version v = next_version(p, head, previous, sequence, time_ns);
    TRY(meta_version_add(t, head->number, &v, e));
    if (v.text_seq == v.seq)
        TRY(meta_text_put(t, head->number, v.seq, p->skill_md, e));
    TRY(manifest_put(t, &p->hash, &p->manifest, e));
    if (tag_is_real(v.tag))
        TRY(change_tag(t, &p->by, head->number, v.tag, v.seq, time_ns, e));
    return meta_skill_put(t, head, e);
}

static enum err push_txn(struct meta_txn *t, void *arg, struct error *e)
{
    struct push *p = arg;
    struct meta_skill head;
    struct meta_version current = {0};
    bool same = false;
    p->lost = false;
    enum err err = meta_skill_get(t, p->id, p->a, &head, e);
    bool exists = err == ERR_OK;
    if (!exists && err != ERR_NOT_FOUND)
        return err;
    if (exists && head.live) {
        TRY(meta_version_get(t, head.number, head.last_seq, p->a, &current, e));
        TRY(unchanged(t, p, &head, &current, &same, e));
    }
    if (!same)
        TRY(add_version(t, p, &head, exists, &current, e));
    TRY(record_load(t, &head, head.last_seq, 0, p->a, p->ret, e));
    p->ret->skill_md = p->skill_md;
    return ERR_OK;
}

/* --- before it --- */

/* The bounds that keys rely on, whatever the caller checked. */
static enum err check_bounds(const struct skill_push *in, struct error *e)
{
    if (in->name.len > SKILL_NAME_MAX)
        return FAIL(e, ERR_INVALID_ARGUMENT, "skill.name", "name: at most %d bytes",
                    SKILL_NAME_MAX);
    if (in->org.len && (in->org.len > SKILL_ORG_MAX || !str_is_label(in->org)))
        return FAIL(e, ERR_INVALID_ARGUMENT, "skill.org",
                    "org: at most %d letters, digits, dots, hyphens and underscores",
                    SKILL_ORG_MAX);
    return change_check_tag(in->tag, e);
}

static enum err name_it(struct push *p, struct error *e)
{
    struct buf slug;
    buf_init(&slug, SKILL_SLUG_MAX);
    slug_from_name(p->in->name, &slug);
    bool ok = buf_status(&slug, e) == ERR_OK && arena_dup(p->a, buf_view(&slug), &p->slug);
    buf_deinit(&slug);
    if (!ok)
        return FAIL_NOMEM(e);
    if (p->slug.len == 0)
        return FAIL(e, ERR_INVALID_ARGUMENT, "skill.name",
                    "invalid skill name: %.*s (it needs at least one letter a-z or digit)",
                    STR_ARG(p->in->name));
    return id_of(p->scope, p->org, p->slug, p->a, &p->id, e);
}

/* What deviates without refusing can be seen in the log. */
static void log_findings(const struct push *p, const struct skillmd_report *r)
{
    for (size_t i = 0; i < r->n_findings; i++)
        log_debug("SKILL.md", LOG_STR("skill", p->id), LOG_C("rule", r->findings[i].rule->id),
                  LOG_INT("line", r->findings[i].line), LOG_INT("column", r->findings[i].column),
                  LOG_C("warning", r->findings[i].message));
}

static enum err check_text(const struct push *p, struct error *e)
{
    struct skillmd_report report;
    TRY(skillmd_check(p->skill_md, p->a, &report, e));
    if (report.refused) {
        const char *reason = skillmd_reason(&report, p->a);
        return reason ? FAIL(e, ERR_INVALID_ARGUMENT, "skill.text",
                             "failed to extract SKILL.md: %s", reason)
                      : FAIL_NOMEM(e);
    }
    log_findings(p, &report);
    return ERR_OK;
}

static enum err take_report(struct push *p, const struct spool *spool, struct error *e)
{
    if (!zip_report_accepted(&p->report)) {
        const char *reason = zip_report_reason(&p->report);
        return reason ? FAIL(e, ERR_INVALID_ARGUMENT, "skill.archive",
                             "failed to extract SKILL.md: %s", reason)
                      : FAIL_NOMEM(e);
    }
    if (!arena_dup(p->a, buf_view(&p->report.skill_md), &p->skill_md))
        return FAIL_NOMEM(e);
    buf_deinit(&p->report.skill_md);
    TRY(check_text(p, e));
    TRY(manifest_of(&p->report, spool_fd(spool), p->size, &p->manifest, e));
    return sha256_of(p->skill_md, &p->text, e);
}

static enum err audit(struct push *p, struct spool *spool, struct pool *workers, struct error *e)
{
    const struct zip_audit_options o = {.flags = ZIP_AUDIT_DIGESTS, .workers = workers};
    TRY(zip_audit(spool_fd(spool), p->size, &o, &p->report, e));
    return take_report(p, spool, e);
}

/* --- after it --- */

/* Once more, from a copy of the spool: a file that has lost its only name gets no other. */
static enum err put_again(struct push *p, struct spool **copy, struct error *e)
{
    struct spool *fresh;
    TRY(gc_await(p->s, &p->hash, e));
    TRY(spool_copy(p->spool, &fresh, e));
    spool_free(*copy);
    *copy = fresh;
    p->spool = fresh;
    return store_put(p->s->store, fresh, NULL, e);
}

static enum err commit(struct push *p, struct error *e)
{
    struct spool *copy = NULL;
    enum err err = meta_write(p->s->meta, push_txn, p, e);
    for (int i = 0; err != ERR_OK && p->lost && i < PUT_TRIES; i++) {
        err = put_again(p, &copy, e);
        if (err == ERR_OK)
            err = meta_write(p->s->meta, push_txn, p, e);
    }
    spool_free(copy);
    return err;
}

enum err skill_push(struct skill_service *s, const struct skill_push *in, struct spool *spool,
                    struct arena *a, struct skill *ret, struct error *e)
{
    CLEANUP(push_deinit)
    struct push p = {
        .s = s, .spool = spool, .in = in, .a = a, .ret = ret, .by = change_by(s, in->actor)};
    TRY(check_bounds(in, e));
    TRY(id_scope(in->scope, in->org, &p.scope, &p.org, e));
    TRY(name_it(&p, e));
    TRY(skill_ready(s, true, e));
    p.hash = *spool_digest(spool);
    p.size = spool_len(spool);
    TRY(audit(&p, spool, s->workers, e));
    if (MUTANT(metadata_before_artifact)) {
        TRY(commit(&p, e));
        return store_put(s->store, spool, NULL, e);
    }
    TRY(store_put(s->store, spool, NULL, e));
    return commit(&p, e);
}
