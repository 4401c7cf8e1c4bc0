#include "skill/record.h"

/* NOT_FOUND of something that another record points at. */
static enum err must_exist(enum err err, const struct meta_skill *head, struct error *e)
{
    if (err != ERR_NOT_FOUND)
        return err;
    return FAIL(e, ERR_DATA_LOSS, "skill.record_missing",
                "a record of %.*s is missing from the server's database; restore it from a backup",
                STR_ARG(head->id));
}

static enum err pairs(const struct meta_pair *from, size_t n, struct arena *a,
                      const struct skill_pair **ret, size_t *ret_n, struct error *e)
{
    struct skill_pair *to = arena_calloc(a, n, sizeof *to);
    if (!to)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++)
        to[i] = (struct skill_pair){from[i].key, from[i].value};
    *ret = to;
    *ret_n = n;
    return ERR_OK;
}

static enum err compose(const struct meta_skill *head, const struct meta_version *v,
                        struct arena *a, struct skill *ret, struct error *e)
{
    bool this_life = head->live && v->life == head->life;
    *ret = (struct skill){
        .id = head->id,
        .name = v->name,
        .slug = head->slug,
        .org = head->org,
        .scope = (enum skill_scope)head->scope,
        .version_no = v->seq,
        .tag = v->tag,
        .hash = v->artifact,
        .size = v->size,
        .created_by = v->created_by,
        .updated_by = v->updated_by,
        .event = v->event,
        .created_at_ns = v->created_at_ns,
        .updated_at_ns = v->updated_at_ns,
        .current = this_life && v->seq == head->last_seq,
        .deleted = !this_life,
        .resource_tags = v->resource_tags,
        .n_resource_tags = v->n_resource_tags,
    };
    TRY(pairs(v->labels, v->n_labels, a, &ret->labels, &ret->n_labels, e));
    return pairs(v->annotations, v->n_annotations, a, &ret->annotations, &ret->n_annotations, e);
}

enum err record_load(struct meta_txn *t, const struct meta_skill *head, uint64_t seq,
                     unsigned parts, struct arena *a, struct skill *ret, struct error *e)
{
    struct meta_version v;
    TRY(must_exist(meta_version_get(t, head->number, seq, a, &v, e), head, e));
    TRY(compose(head, &v, a, ret, e));
    if (parts & RECORD_TEXT)
        TRY(must_exist(meta_text_get(t, head->number, v.text_seq, a, &ret->skill_md, e), head, e));
    if ((parts & RECORD_TAGS) && !ret->deleted)
        TRY(meta_tags_of(t, head->number, seq, a, &ret->tags_pointing, &ret->n_tags_pointing, e));
    return ERR_OK;
}
