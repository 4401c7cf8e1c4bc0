#include "meta/codec.h"

void codec_skill_to(const struct meta_skill *s, skill_record *ret)
{
    *ret = (skill_record)STIGMER__STORAGE__V1__SKILL_RECORD__INIT;
    ret->number = s->number;
    ret->scope = s->scope;
    ret->org = bin_of(s->org);
    ret->slug = bin_of(s->slug);
    ret->live = s->live;
    ret->life = s->life;
    ret->first_seq = s->first_seq;
    ret->last_seq = s->last_seq;
    ret->created_at_ns = s->created_at_ns;
    ret->created_by = bin_of(s->created_by);
    ret->deleted_at_ns = s->deleted_at_ns;
    ret->deleted_by = bin_of(s->deleted_by);
    ret->purged_seq = s->purged_seq;
}

void codec_skill_from(const skill_record *m, str id, struct meta_skill *ret)
{
    *ret = (struct meta_skill){
        .id = id,
        .number = m->number,
        .scope = m->scope,
        .org = str_of_bin(m->org),
        .slug = str_of_bin(m->slug),
        .live = m->live,
        .life = m->life,
        .first_seq = m->first_seq,
        .last_seq = m->last_seq,
        .created_at_ns = m->created_at_ns,
        .created_by = str_of_bin(m->created_by),
        .deleted_at_ns = m->deleted_at_ns,
        .deleted_by = str_of_bin(m->deleted_by),
        .purged_seq = m->purged_seq,
    };
}

static enum err pairs_to(const struct meta_pair *pairs, size_t n, struct arena *a,
                         pair_record ***ret, size_t *ret_n, struct error *e)
{
    pair_record *messages = arena_calloc(a, n, sizeof *messages);
    pair_record **list = arena_calloc(a, n, sizeof(void *));
    if (!messages || !list)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++) {
        messages[i] = (pair_record)STIGMER__STORAGE__V1__PAIR__INIT;
        messages[i].key = bin_of(pairs[i].key);
        messages[i].value = bin_of(pairs[i].value);
        list[i] = &messages[i];
    }
    *ret = list;
    *ret_n = n;
    return ERR_OK;
}

static enum err pairs_from(pair_record *const *list, size_t n, struct arena *a,
                           const struct meta_pair **ret, size_t *ret_n, struct error *e)
{
    struct meta_pair *pairs = arena_calloc(a, n, sizeof *pairs);
    if (!pairs)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++)
        pairs[i] = (struct meta_pair){str_of_bin(list[i]->key), str_of_bin(list[i]->value)};
    *ret = pairs;
    *ret_n = n;
    return ERR_OK;
}

static enum err strs_to(const str *strs, size_t n, struct arena *a, ProtobufCBinaryData **ret,
                        size_t *ret_n, struct error *e)
{
    ProtobufCBinaryData *list = arena_calloc(a, n, sizeof *list);
    if (!list)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++)
        list[i] = bin_of(strs[i]);
    *ret = list;
    *ret_n = n;
    return ERR_OK;
}

static enum err strs_from(const ProtobufCBinaryData *list, size_t n, struct arena *a,
                          const str **ret, size_t *ret_n, struct error *e)
{
    str *strs = arena_calloc(a, n, sizeof *strs);
    if (!strs)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++)
        strs[i] = str_of_bin(list[i]);
    *ret = strs;
    *ret_n = n;
    return ERR_OK;
}

enum err codec_version_to(const struct meta_version *v, struct arena *a, version_record *ret,
                          struct error *e)
{
    *ret = (version_record)STIGMER__STORAGE__V1__VERSION_RECORD__INIT;
    ret->name = bin_of(v->name);
    ret->tag = bin_of(v->tag);
    ret->artifact = bin_of(str_of(v->artifact.b, sizeof v->artifact.b));
    ret->size = v->size;
    ret->text = bin_of(str_of(v->text.b, sizeof v->text.b));
    ret->text_seq = v->text_seq == v->seq ? 0 : v->text_seq;
    ret->life = v->life;
    ret->sequence = v->sequence;
    ret->created_at_ns = v->created_at_ns;
    ret->created_by = bin_of(v->created_by);
    ret->updated_at_ns = v->updated_at_ns;
    ret->updated_by = bin_of(v->updated_by);
    ret->event = bin_of(v->event);
    TRY(pairs_to(v->labels, v->n_labels, a, &ret->labels, &ret->n_labels, e));
    TRY(pairs_to(v->annotations, v->n_annotations, a, &ret->annotations, &ret->n_annotations, e));
    return strs_to(v->resource_tags, v->n_resource_tags, a, &ret->resource_tags,
                   &ret->n_resource_tags, e);
}

static enum err digest_from(ProtobufCBinaryData b, struct digest *ret, struct error *e)
{
    if (b.len != sizeof ret->b)
        return FAIL(e, ERR_DATA_LOSS, "meta.digest",
                    "a record of the server's database has no valid hash");
    memcpy(ret->b, b.data, sizeof ret->b);
    return ERR_OK;
}

enum err codec_version_from(const version_record *m, uint64_t seq, struct arena *a,
                            struct meta_version *ret, struct error *e)
{
    *ret = (struct meta_version){
        .seq = seq,
        .name = str_of_bin(m->name),
        .tag = str_of_bin(m->tag),
        .size = m->size,
        .life = m->life,
        .sequence = m->sequence,
        .created_at_ns = m->created_at_ns,
        .created_by = str_of_bin(m->created_by),
        .updated_at_ns = m->updated_at_ns,
        .updated_by = str_of_bin(m->updated_by),
        .event = str_of_bin(m->event),
    };
    TRY(digest_from(m->artifact, &ret->artifact, e));
    TRY(digest_from(m->text, &ret->text, e));
    ret->text_seq = m->text_seq ? m->text_seq : seq;
    TRY(pairs_from(m->labels, m->n_labels, a, &ret->labels, &ret->n_labels, e));
    TRY(pairs_from(m->annotations, m->n_annotations, a, &ret->annotations, &ret->n_annotations, e));
    return strs_from(m->resource_tags, m->n_resource_tags, a, &ret->resource_tags,
                     &ret->n_resource_tags, e);
}

void codec_file_to(const struct meta_file *f, file_record *ret)
{
    *ret = (file_record)STIGMER__STORAGE__V1__FILE_RECORD__INIT;
    ret->path = bin_of(f->path);
    ret->size = f->size;
    ret->sha256 = bin_of(str_of(f->sha256.b, sizeof f->sha256.b));
    ret->mode = f->mode;
}

enum err codec_file_from(const file_record *m, struct meta_file *ret, struct error *e)
{
    *ret = (struct meta_file){.path = str_of_bin(m->path), .size = m->size, .mode = m->mode};
    return digest_from(m->sha256, &ret->sha256, e);
}
