#include "api/reply.h"

#include "base/macro.h"
#include "pb.h"
#include "store/store.h"

/* What a message is built with: allocations fail once and for all. */
struct builder {
    struct arena *a;
    bool failed;
};

static void *make(struct builder *b, size_t n, size_t size)
{
    void *p = arena_calloc(b->a, MAX(n, (size_t)1), size);
    b->failed |= !p;
    return p;
}

/* Room for n pointers to messages. */
static void *make_pointers(struct builder *b, size_t n)
{
    return make(b, n, sizeof(void *));
}

/* The empty string when memory is out: the message stays valid until the end of building. */
static char *text(struct builder *b, str s)
{
    char *p = arena_dup_c(b->a, s);
    b->failed |= !p;
    return p ? p : (char *)protobuf_c_empty_string;
}

static char **texts(struct builder *b, const str *s, size_t n)
{
    char **p = make(b, n, sizeof(*p));
    for (size_t i = 0; p && i < n; i++)
        p[i] = text(b, s[i]);
    return p;
}

static char *hash_text(struct builder *b, const struct digest *d)
{
    char hex[SHA256_HEX_LEN + 1];
    digest_to_hex(d, hex);
    return text(b, str_c(hex));
}

static char *key_text(struct builder *b, const struct digest *d)
{
    char key[STORE_KEY_MAX];
    store_key(d, key);
    return text(b, str_c(key));
}

static int32_t clamp_i32(uint64_t n)
{
    return n > INT32_MAX ? INT32_MAX : (int32_t)n;
}

static void fill_time(PB_TIMESTAMP *t, int64_t ns)
{
    *t = (PB_TIMESTAMP)PB_TIMESTAMP_INIT;
    int64_t rest = ns % NS_PER_S;
    t->seconds = ns / NS_PER_S - (rest < 0);
    t->nanos = (int32_t)(rest < 0 ? rest + NS_PER_S : rest);
}

/* protobuf-c points at what it packs, so all parts of one answer live side by side. */
struct skill_parts {
    PB_SKILL(SkillSpec) spec;
    PB_SKILL(SkillStatus) status;
    PB_RES(ApiResourceMetadata) metadata;
    PB_RES(ApiResourceAudit) audit;
    PB_RES(ApiResourceAuditInfo) info;
    PB_RES(ApiResourceAuditActor) created_by, updated_by;
    PB_TIMESTAMP created_at, updated_at;
};

static void fill_audit(struct builder *b, const struct skill *s, struct skill_parts *p)
{
    p->created_by = (PB_RES(ApiResourceAuditActor))PB_RES_C(API_RESOURCE_AUDIT_ACTOR__INIT);
    p->created_by.id = text(b, s->created_by);
    p->updated_by = (PB_RES(ApiResourceAuditActor))PB_RES_C(API_RESOURCE_AUDIT_ACTOR__INIT);
    p->updated_by.id = text(b, s->updated_by);
    fill_time(&p->created_at, s->created_at_ns);
    fill_time(&p->updated_at, s->updated_at_ns);
    p->info = (PB_RES(ApiResourceAuditInfo))PB_RES_C(API_RESOURCE_AUDIT_INFO__INIT);
    p->info.created_by = &p->created_by;
    p->info.created_at = &p->created_at;
    p->info.updated_by = &p->updated_by;
    p->info.updated_at = &p->updated_at;
    p->info.event = text(b, s->event);
    p->audit = (PB_RES(ApiResourceAudit))PB_RES_C(API_RESOURCE_AUDIT__INIT);
    p->audit.spec_audit = &p->info;
    p->audit.status_audit = &p->info;
}

static void fill_labels(struct builder *b, const struct skill *s, PB_RES(ApiResourceMetadata) * m)
{
    m->n_labels = s->n_labels;
    m->labels = make_pointers(b, s->n_labels);
    for (size_t i = 0; m->labels && i < s->n_labels; i++) {
        PB_RES(ApiResourceMetadata__LabelsEntry) *entry = make(b, 1, sizeof(*entry));
        if (!entry)
            return;
        pb_res(api_resource_metadata__labels_entry__init)(entry);
        entry->key = text(b, s->labels[i].key);
        entry->value = text(b, s->labels[i].value);
        m->labels[i] = entry;
    }
}

static void fill_annotations(struct builder *b, const struct skill *s,
                             PB_RES(ApiResourceMetadata) * m)
{
    m->n_annotations = s->n_annotations;
    m->annotations = make_pointers(b, s->n_annotations);
    for (size_t i = 0; m->annotations && i < s->n_annotations; i++) {
        PB_RES(ApiResourceMetadata__AnnotationsEntry) *entry = make(b, 1, sizeof(*entry));
        if (!entry)
            return;
        pb_res(api_resource_metadata__annotations_entry__init)(entry);
        entry->key = text(b, s->annotations[i].key);
        entry->value = text(b, s->annotations[i].value);
        m->annotations[i] = entry;
    }
}

static void fill_metadata(struct builder *b, const struct skill *s, PB_RES(ApiResourceMetadata) * m)
{
    *m = (PB_RES(ApiResourceMetadata))PB_RES_C(API_RESOURCE_METADATA__INIT);
    m->name = text(b, s->name);
    m->slug = text(b, s->slug);
    m->id = text(b, s->id);
    m->org = text(b, s->org);
    m->owner_scope = (PB_RES(ApiResourceOwnerScope))s->scope;
    fill_labels(b, s, m);
    fill_annotations(b, s, m);
    m->n_tags = s->n_resource_tags;
    m->tags = texts(b, s->resource_tags, s->n_resource_tags);
}

static PB_SKILL(Skill) * build_skill(struct builder *b, const struct skill *s)
{
    PB_SKILL(Skill) *m = make(b, 1, sizeof(*m));
    struct skill_parts *p = make(b, 1, sizeof(*p));
    if (!m || !p)
        return NULL;
    fill_metadata(b, s, &p->metadata);
    fill_audit(b, s, p);
    p->spec = (PB_SKILL(SkillSpec))PB_SKILL_C(SKILL_SPEC__INIT);
    p->spec.skill_md = text(b, s->skill_md);
    p->spec.tag = text(b, s->tag);
    p->status = (PB_SKILL(SkillStatus))PB_SKILL_C(SKILL_STATUS__INIT);
    p->status.version_hash = hash_text(b, &s->hash);
    p->status.artifact_storage_key = key_text(b, &s->hash);
    p->status.state = PB_SKILL_C(SKILL_STATE__SKILL_STATE_READY);
    p->status.audit = &p->audit;
    *m = (PB_SKILL(Skill))PB_SKILL_C(SKILL__INIT);
    m->api_version = (char *)REPLY_API_VERSION;
    m->kind = (char *)"Skill";
    m->metadata = &p->metadata;
    m->spec = &p->spec;
    m->status = &p->status;
    return m;
}

/* Appends the packed message. */
static enum err pack(const struct builder *b, const ProtobufCMessage *m, struct buf *out,
                     struct error *e)
{
    if (b->failed)
        return FAIL_NOMEM(e);
    size_t n = protobuf_c_message_get_packed_size(m);
    char *to = buf_reserve(out, n);
    if (!to)
        return buf_status(out, e);
    out->len += protobuf_c_message_pack(m, (uint8_t *)to);
    return ERR_OK;
}

enum err reply_skill(const struct skill *s, struct arena *a, struct buf *out, struct error *e)
{
    struct builder b = {.a = a};
    const PB_SKILL(Skill) *m = build_skill(&b, s);
    return m ? pack(&b, &m->base, out, e) : FAIL_NOMEM(e);
}

enum err reply_list(const struct skill_list *l, struct arena *a, struct buf *out, struct error *e)
{
    struct builder b = {.a = a};
    PB_SKILL(SkillList) m = PB_SKILL_C(SKILL_LIST__INIT);
    m.api_version = (char *)REPLY_API_VERSION;
    m.kind = (char *)"SkillList";
    m.n_items = l->n_items;
    m.items = make_pointers(&b, l->n_items);
    for (size_t i = 0; m.items && i < l->n_items; i++)
        m.items[i] = build_skill(&b, &l->items[i]);
    m.next_page_token = text(&b, l->next_token);
    m.total = clamp_i32(l->total);
    return pack(&b, &m.base, out, e);
}

struct version_parts {
    PB_SKILL(SkillVersion) version;
    PB_RES(ApiResourceAuditActor) actor;
    PB_TIMESTAMP created_at, updated_at;
};

static PB_SKILL(SkillVersion) * build_version(struct builder *b, const struct skill *s)
{
    struct version_parts *p = make(b, 1, sizeof(*p));
    if (!p)
        return NULL;
    fill_time(&p->created_at, s->created_at_ns);
    fill_time(&p->updated_at, s->updated_at_ns);
    p->actor = (PB_RES(ApiResourceAuditActor))PB_RES_C(API_RESOURCE_AUDIT_ACTOR__INIT);
    p->actor.id = text(b, s->updated_by);
    PB_SKILL(SkillVersion) *m = &p->version;
    *m = (PB_SKILL(SkillVersion))PB_SKILL_C(SKILL_VERSION__INIT);
    m->number = (int64_t)s->version_no;
    m->version_hash = hash_text(b, &s->hash);
    m->artifact_storage_key = key_text(b, &s->hash);
    m->tag = text(b, s->tag);
    m->n_tags = s->n_tags_pointing;
    m->tags = texts(b, s->tags_pointing, s->n_tags_pointing);
    m->size = (int64_t)s->size;
    m->created_at = &p->created_at;
    m->updated_at = &p->updated_at;
    m->actor = &p->actor;
    m->event = text(b, s->event);
    m->current = s->current;
    m->deleted = s->deleted;
    m->name = text(b, s->name);
    return m;
}

enum err reply_versions(const struct skill_list *l, struct arena *a, struct buf *out,
                        struct error *e)
{
    struct builder b = {.a = a};
    PB_SKILL(SkillVersionList) m = PB_SKILL_C(SKILL_VERSION_LIST__INIT);
    m.api_version = (char *)REPLY_API_VERSION;
    m.kind = (char *)"SkillVersionList";
    m.n_items = l->n_items;
    m.items = make_pointers(&b, l->n_items);
    for (size_t i = 0; m.items && i < l->n_items; i++)
        m.items[i] = build_version(&b, &l->items[i]);
    m.next_page_token = text(&b, l->next_token);
    m.total = clamp_i32(l->total);
    m.skill_id = text(&b, l->n_items > 0 ? l->items[0].id : STR_NULL);
    return pack(&b, &m.base, out, e);
}

enum err reply_tag(const struct skill_tag *t, struct arena *a, struct buf *out, struct error *e)
{
    struct builder b = {.a = a};
    PB_TIMESTAMP moved_at;
    PB_RES(ApiResourceAuditActor) moved_by = PB_RES_C(API_RESOURCE_AUDIT_ACTOR__INIT);
    PB_SKILL(SkillTag) m = PB_SKILL_C(SKILL_TAG__INIT);
    fill_time(&moved_at, t->moved_at_ns);
    moved_by.id = text(&b, t->moved_by);
    m.tag = text(&b, t->tag);
    m.version_hash = hash_text(&b, &t->hash);
    m.moved_at = &moved_at;
    m.moved_by = &moved_by;
    return pack(&b, &m.base, out, e);
}

static PB_SKILL(SkillFile) * build_file(struct builder *b, const struct skill_file *f)
{
    PB_SKILL(SkillFile) *m = make(b, 1, sizeof(*m));
    if (!m)
        return NULL;
    *m = (PB_SKILL(SkillFile))PB_SKILL_C(SKILL_FILE__INIT);
    m->path = text(b, f->path);
    m->size = (int64_t)f->size;
    m->sha256 = hash_text(b, &f->sha256);
    m->mode = f->mode;
    return m;
}

enum err reply_files(const struct skill_file_list *l, struct arena *a, struct buf *out,
                     struct error *e)
{
    struct builder b = {.a = a};
    PB_SKILL(SkillFileList) m = PB_SKILL_C(SKILL_FILE_LIST__INIT);
    m.api_version = (char *)REPLY_API_VERSION;
    m.kind = (char *)"SkillFileList";
    m.n_items = l->n_items;
    m.items = make_pointers(&b, l->n_items);
    for (size_t i = 0; m.items && i < l->n_items; i++)
        m.items[i] = build_file(&b, &l->items[i]);
    m.next_page_token = text(&b, l->next_token);
    m.total = clamp_i32(l->total);
    m.version_hash = hash_text(&b, &l->hash);
    m.total_size = (int64_t)l->total_size;
    return pack(&b, &m.base, out, e);
}

static void add_varint(struct buf *out, uint64_t n)
{
    for (; n >= 0x80; n >>= 7)
        buf_add_char(out, (char)(n | 0x80));
    buf_add_char(out, (char)n);
}

/* proto3 leaves a zero out. */
static void add_number(struct buf *out, unsigned field, uint64_t n)
{
    if (n == 0)
        return;
    add_varint(out, field << 3);
    add_varint(out, n);
}

static void add_length(struct buf *out, unsigned field, uint64_t len)
{
    add_varint(out, field << 3 | 2);
    add_varint(out, len);
}

void reply_artifact_head(uint64_t len, struct buf *out)
{
    add_length(out, 1, len);
}

void reply_chunk_head(uint64_t total, uint64_t offset, uint64_t len, struct buf *out)
{
    add_number(out, 1, total);
    add_number(out, 2, offset);
    add_length(out, 3, len);
}
