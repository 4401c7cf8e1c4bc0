/* The calls that clients make, and what they see. */
#include "lab.h"

#include "pb.h"

#define QUERY(method)   "/ai.stigmer.agentic.skill.v1.SkillQueryController/" method
#define COMMAND(method) "/ai.stigmer.agentic.skill.v1.SkillCommandController/" method
#define ORG             "lab"

enum { CALL_MS = 60000, CONNECT_MS = 10000, NAME_MAX_LEN = 64 };

enum err api_open(const struct server *s, struct grpc_client **ret, struct error *e)
{
    char target[40];
    (void)snprintf(target, sizeof target, "127.0.0.1:%u", s->port);
    struct grpc_client_options o = {.target = str_c(target), .connect_timeout_ms = CONNECT_MS};
    return grpc_client_open(&o, ret, e);
}

static enum err pack(const ProtobufCMessage *m, struct buf *to, struct error *e)
{
    size_t len = protobuf_c_message_get_packed_size(m);
    char *at = buf_reserve(to, len);
    if (!at)
        return FAIL_NOMEM(e);
    to->len += protobuf_c_message_pack(m, (uint8_t *)at);
    return ERR_OK;
}

/* *ret: the answer, to be released; ret may be NULL. */
static enum err call(struct grpc_client *c, const char *path, const ProtobufCMessage *in,
                     const ProtobufCMessageDescriptor *d, ProtobufCMessage **ret, struct error *e)
{
    CLEANUP(buf_deinit) struct buf request;
    CLEANUP(buf_deinit) struct buf answer;
    buf_init(&request, MIB(1));
    buf_init(&answer, MIB(4));
    TRY(pack(in, &request, e));
    struct grpc_request r = {
        .path = path, .head = buf_view(&request), .fd = -1, .timeout_ms = CALL_MS};
    TRY(grpc_client_call(c, &r, &answer, e));
    if (!ret)
        return ERR_OK;
    *ret = protobuf_c_message_unpack(d, NULL, answer.len, (const uint8_t *)answer.p);
    return *ret ? ERR_OK : FAIL(e, ERR_DATA_LOSS, "lab.answer", "the answer cannot be read");
}

static void name_of(char out[NAME_MAX_LEN], const char *epoch, unsigned client, unsigned skill)
{
    (void)snprintf(out, NAME_MAX_LEN, "%s-c%u-s%u", epoch, client, skill);
}

static void tag_text(char out[8], unsigned tag)
{
    (void)snprintf(out, 8, "t%u", tag);
    if (tag == 0)
        out[0] = '\0';
}

static enum err push(struct grpc_client *c, char *name, const struct op *op, struct error *e)
{
    char tag[8];
    struct digest d;
    CLEANUP(buf_deinit) struct buf archive;
    PB_SKILL(PushSkillRequest) r = PB_SKILL_C(PUSH_SKILL_REQUEST__INIT);
    buf_init(&archive, KIB(64));
    archive_make(op->archive, &archive, &d);
    tag_text(tag, op->tag);
    r.name = name;
    r.org = (char *)(uintptr_t)ORG;
    r.scope = PB_RES_C(API_RESOURCE_OWNER_SCOPE__organization);
    r.artifact = (ProtobufCBinaryData){archive.len, (uint8_t *)archive.p};
    r.tag = tag;
    return call(c, COMMAND("push"), &r.base, NULL, NULL, e);
}

static enum err move(struct grpc_client *c, char *name, const struct op *op, struct error *e)
{
    char tag[8], hex[SHA256_HEX_LEN + 1];
    PB_SKILL(MoveTagRequest) r = PB_SKILL_C(MOVE_TAG_REQUEST__INIT);
    PB_RES(ApiResourceReference) ref = PB_RES_C(API_RESOURCE_REFERENCE__INIT);
    digest_to_hex(&op->digest, hex);
    tag_text(tag, op->tag);
    ref.org = (char *)(uintptr_t)ORG;
    ref.scope = PB_RES_C(API_RESOURCE_OWNER_SCOPE__organization);
    ref.slug = name;
    ref.version = hex;
    r.reference = &ref;
    r.tag = tag;
    return call(c, COMMAND("moveTag"), &r.base, NULL, NULL, e);
}

static enum err delete (struct grpc_client *c, const char *name, struct error *e) {
    char id[NAME_MAX_LEN + 20]; PB_SKILL(SkillId) r = PB_SKILL_C(SKILL_ID__INIT);
    (void)snprintf(id, sizeof id, "org/" ORG "/skill/%s", name);
    r.value = id;
    return call(c, COMMAND("delete"), &r.base, NULL, NULL, e);
}

enum err api_do(struct grpc_client *c, const char *epoch, unsigned client, const struct op *op,
                struct error *e)
{
    char name[NAME_MAX_LEN];
    name_of(name, epoch, client, op->skill);
    switch (op->kind) {
    case OP_PUSH:
        return push(c, name, op, e);
    case OP_MOVE:
        return move(c, name, op, e);
    case OP_DELETE:
    default:
        return delete (c, name, e);
    }
}

/* --- seeing --- */

static enum err malformed(struct error *e, const char *what)
{
    return FAIL(e, ERR_DATA_LOSS, "lab.answer", "listVersions: %s", what);
}

static bool tag_number(const char *text, unsigned *ret)
{
    *ret = 0;
    if (text[0] == '\0')
        return true;
    if (text[0] != 't' || text[1] < '1' || text[1] >= '0' + LAB_TAGS || text[2])
        return false;
    *ret = (unsigned)(text[1] - '0');
    return true;
}

static enum err see_version(const PB_SKILL(SkillVersion) * v, struct world_skill *s,
                            struct error *e)
{
    unsigned tag;
    if (v->number < 1 || v->number > s->n_versions)
        return malformed(e, "a number out of range");
    struct world_version *to = &s->versions[v->number - 1];
    if (!digest_from_hex(str_c(v->version_hash), &to->digest))
        return malformed(e, "no hash");
    if (!tag_number(v->tag, &to->tag))
        return malformed(e, "an unknown tag");
    if (!v->deleted && (!s->first || s->first > (unsigned)v->number))
        s->first = (unsigned)v->number;
    if (v->current && v->number != (int64_t)s->n_versions)
        return malformed(e, "the current version is not the last");
    s->live |= v->current;
    for (size_t i = 0; i < v->n_tags; i++) {
        if (!tag_number(v->tags[i], &tag) || s->tags[tag])
            return malformed(e, "a tag that is unknown or twice there");
        s->tags[tag] = (unsigned)v->number;
    }
    return ERR_OK;
}

/* Newest first, without gaps, in the order of time. */
static enum err see_all(const PB_SKILL(SkillVersionList) * list, struct world_skill *s,
                        struct error *e)
{
    int64_t last_ns = INT64_MAX;
    if (list->n_items > LAB_VERSIONS || list->total != (int)list->n_items)
        return malformed(e, "too many versions");
    s->n_versions = (unsigned)list->n_items;
    for (size_t i = 0; i < list->n_items; i++) {
        const PB_SKILL(SkillVersion) *v = list->items[i];
        if (v->number != (int64_t)(list->n_items - i) || !v->updated_at)
            return malformed(e, "numbers with gaps");
        int64_t ns = v->updated_at->seconds * NS_PER_S + v->updated_at->nanos;
        if (ns >= last_ns)
            return malformed(e, "times out of order");
        last_ns = ns;
        TRY(see_version(v, s, e));
    }
    return ERR_OK;
}

enum err api_see(struct grpc_client *c, const char *epoch, unsigned client, unsigned skill,
                 struct world_skill *ret, struct error *e)
{
    char name[NAME_MAX_LEN];
    ProtobufCMessage *answer = NULL;
    PB_SKILL(ListSkillVersionsRequest) r = PB_SKILL_C(LIST_SKILL_VERSIONS_REQUEST__INIT);
    PB_RES(ApiResourceReference) ref = PB_RES_C(API_RESOURCE_REFERENCE__INIT);
    name_of(name, epoch, client, skill);
    ref.org = (char *)(uintptr_t)ORG;
    ref.scope = PB_RES_C(API_RESOURCE_OWNER_SCOPE__organization);
    ref.slug = name;
    r.reference = &ref;
    r.page_size = 100;
    r.include_deleted = true;
    *ret = (struct world_skill){0};
    enum err err = call(c, QUERY("listVersions"), &r.base,
                        &pb_skill(skill_version_list__descriptor), &answer, e);
    if (err == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    err = see_all((const PB_SKILL(SkillVersionList) *)(const void *)answer, ret, e);
    protobuf_c_message_free_unpacked(answer, NULL);
    return err;
}

enum err api_fetch(struct grpc_client *c, const struct digest *d, struct error *e)
{
    char key[100], hex[SHA256_HEX_LEN + 1];
    ProtobufCMessage *answer = NULL;
    struct digest got;
    PB_SKILL(GetArtifactRequest) r = PB_SKILL_C(GET_ARTIFACT_REQUEST__INIT);
    digest_to_hex(d, hex);
    (void)snprintf(key, sizeof key, "skills/%s.zip", hex);
    r.artifact_storage_key = key;
    TRY(call(c, QUERY("getArtifact"), &r.base, &pb_skill(get_artifact_response__descriptor),
             &answer, e));
    const PB_SKILL(GetArtifactResponse) *a = (const void *)answer;
    enum err err = sha256_of(str_of(a->artifact.data, a->artifact.len), &got, e);
    protobuf_c_message_free_unpacked(answer, NULL);
    TRY(err);
    return digest_eq(&got, d) ? ERR_OK
                              : FAIL(e, ERR_DATA_LOSS, "lab.bytes", "other bytes than named");
}
