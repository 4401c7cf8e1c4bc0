/* What can be asked: the operations, each as its requests. */
#include "grpc/frames.h"
#include "grpc/message.h"
#include "load/load.h"
#include "pb.h"

#include <inttypes.h>
#include <stdio.h>

#define QUERY   "/ai.stigmer.agentic.skill.v1.SkillQueryController/"
#define COMMAND "/ai.stigmer.agentic.skill.v1.SkillCommandController/"

/* --- what is sent from files --- */

static const struct load_file *file_of(const struct slot *s)
{
    return &s->load->files[s->number % s->load->o.n_files];
}

static void take_file(struct slot *s)
{
    s->fd = file_of(s)->fd;
    s->file_len = file_of(s)->len;
}

/* --- gRPC --- */

static void grpc_path(struct slot *s, const char *path)
{
    s->grpc = true;
    s->method = "POST";
    s->path = path;
    s->content_type = "application/grpc";
    buf_add_zero(&s->head, FRAMES_PREFIX);
}

/* Once the message is whole: its length goes before it. */
static enum err grpc_end(struct slot *s, struct error *e)
{
    uint8_t prefix[FRAMES_PREFIX];
    uint64_t len = s->head.len - FRAMES_PREFIX + s->body.len + s->file_len + s->tail.len;
    TRY(buf_status(&s->head, e));
    frames_prefix((uint32_t)len, prefix);
    memcpy(s->head.p, prefix, sizeof prefix);
    return ERR_OK;
}

static enum err make_check(struct slot *s, struct error *e)
{
    grpc_path(s, "/grpc.health.v1.Health/Check");
    return grpc_end(s, e);
}

static enum err make_reference(struct slot *s, uint64_t skill, const char *version, struct error *e)
{
    char slug[32];
    PB_RES(ApiResourceReference) r = PB_RES_C(API_RESOURCE_REFERENCE__INIT);
    (void)snprintf(slug, sizeof slug, SEED_SLUG, skill);
    r.slug = slug;
    r.version = (char *)(uintptr_t)version;
    grpc_path(s, QUERY "getByReference");
    TRY(message_pack(&r.base, &s->head, e));
    return grpc_end(s, e);
}

static enum err make_latest(struct slot *s, struct error *e)
{
    return make_reference(s, load_random(s->load, s->load->o.skills), "", e);
}

static enum err make_tag(struct slot *s, struct error *e)
{
    char tag[32];
    (void)snprintf(tag, sizeof tag, SEED_TAG, 1 + load_random(s->load, s->load->o.versions));
    return make_reference(s, load_random(s->load, s->load->o.skills), tag, e);
}

/* hashes[i] belongs to skill i * step, as load_learn asked. */
static enum err make_hash(struct slot *s, struct error *e)
{
    struct load *l = s->load;
    uint64_t i = load_random(l, l->n_hashes);
    return make_reference(s, i * (l->o.skills / l->n_hashes), l->hashes[i], e);
}

static enum err make_get_artifact(struct slot *s, const char *method, const char *hash,
                                  struct error *e)
{
    char key[100];
    PB_SKILL(GetArtifactRequest) r = PB_SKILL_C(GET_ARTIFACT_REQUEST__INIT);
    (void)snprintf(key, sizeof key, "skills/%s.zip", hash);
    r.artifact_storage_key = key;
    grpc_path(s, method);
    TRY(message_pack(&r.base, &s->head, e));
    return grpc_end(s, e);
}

static enum err make_download(struct slot *s, struct error *e)
{
    const struct load *l = s->load;
    return make_get_artifact(s, QUERY "getArtifact", l->hashes[load_random(s->load, l->n_hashes)],
                             e);
}

/* --path is the hash. */
static enum err make_download_one(struct slot *s, struct error *e)
{
    return make_get_artifact(s, QUERY "getArtifact", s->load->o.path, e);
}

static enum err make_stream_one(struct slot *s, struct error *e)
{
    return make_get_artifact(s, QUERY "streamArtifact", s->load->o.path, e);
}

/* Field 4 of PushSkillRequest: its key and length; len bytes follow. */
static void add_artifact_head(struct buf *b, uint64_t len)
{
    buf_add_char(b, 4 << 3 | 2);
    for (; len >= 0x80; len >>= 7)
        buf_add_char(b, (char)(len | 0x80));
    buf_add_char(b, (char)len);
}

static enum err push_head(struct slot *s, const char *name, uint64_t len, struct error *e)
{
    PB_SKILL(PushSkillRequest) r = PB_SKILL_C(PUSH_SKILL_REQUEST__INIT);
    r.name = (char *)(uintptr_t)name;
    r.tag = (char *)(uintptr_t) "v1";
    grpc_path(s, COMMAND "push");
    TRY(message_pack(&r.base, &s->head, e));
    add_artifact_head(&s->head, len);
    return grpc_end(s, e);
}

static enum err push_made(struct slot *s, const char *name, uint64_t archive, struct error *e)
{
    make_archive(&s->body, archive, s->load->o.size);
    TRY(buf_status(&s->body, e));
    return push_head(s, name, s->body.len, e);
}

static enum err make_push(struct slot *s, struct error *e)
{
    char name[40];
    (void)snprintf(name, sizeof name, "load-%" PRIu64, s->number);
    return push_made(s, name, s->number, e);
}

/* Each slot pushes one archive again and again, to a skill of its own. */
static enum err make_same(struct slot *s, struct error *e)
{
    char name[40];
    uint64_t slot = (uint64_t)(s - s->load->slots);
    (void)snprintf(name, sizeof name, "same-%" PRIu64, slot);
    return push_made(s, name, UINT64_MAX - slot, e);
}

static enum err make_push_file(struct slot *s, struct error *e)
{
    char name[40];
    (void)snprintf(name, sizeof name, "file-%" PRIu64, s->number);
    take_file(s);
    return push_head(s, name, s->file_len, e);
}

/* Nine lookups of ten calls; of the rest four downloads for each push. */
static enum err make_mixed(struct slot *s, struct error *e)
{
    uint64_t dice = load_random(s->load, 50);
    const char *name = dice < 45 ? (dice % 2 ? "tag" : "latest") : dice < 49 ? "download" : "push";
    s->op = op_find(str_c(name));
    return s->op->make(s, e);
}

/* --- plain HTTP --- */

static enum err make_get(struct slot *s, struct error *e)
{
    (void)e;
    s->method = "GET";
    s->path = s->load->o.path;
    return ERR_OK;
}

/* Under --path, a name of its own for each. */
static enum err make_put(struct slot *s, struct error *e)
{
    buf_addf(&s->text, "%s/%" PRIu64 ".zip", s->load->o.path, s->number);
    s->method = "PUT";
    s->path = buf_cstr(&s->text);
    make_archive(&s->body, s->number, s->load->o.size);
    TRY(buf_status(&s->text, e));
    return buf_status(&s->body, e);
}

static enum err make_put_file(struct slot *s, struct error *e)
{
    buf_addf(&s->text, "%s/%" PRIu64 ".zip", s->load->o.path, s->number);
    s->method = "PUT";
    s->path = buf_cstr(&s->text);
    take_file(s);
    return buf_status(&s->text, e);
}

/* --- a container registry (OCI distribution specification 1.1) --- */

static enum err registry_begin(struct slot *s)
{
    s->method = "POST";
    s->path = "/v2/bench/blobs/uploads/";
    return ERR_OK;
}

/* The upload's place, without scheme and host. */
static str location_path(const struct slot *s)
{
    str v = buf_view(&s->location);
    ptrdiff_t scheme = str_find_str(v, STR("://"));
    if (scheme < 0)
        return v;
    str rest = str_skip(v, (size_t)scheme + 3);
    ptrdiff_t slash = str_find(rest, '/');
    return slash < 0 ? STR("/") : str_skip(rest, (size_t)slash);
}

static enum err registry_put(struct slot *s, const struct digest *d, struct error *e)
{
    char hex[SHA256_HEX_LEN + 1];
    str path = location_path(s);
    digest_to_hex(d, hex);
    buf_add(&s->text, path);
    buf_addf(&s->text, "%cdigest=sha256:%s", str_find(path, '?') < 0 ? '?' : '&', hex);
    s->method = "PUT";
    s->path = buf_cstr(&s->text);
    s->content_type = "application/octet-stream";
    return buf_status(&s->text, e);
}

/* A manifest whose layer and config are that blob. */
static enum err registry_manifest(struct slot *s, const struct digest *d, uint64_t len,
                                  struct error *e)
{
    char hex[SHA256_HEX_LEN + 1];
    digest_to_hex(d, hex);
    buf_addf(&s->text, "/v2/bench/manifests/t%" PRIu64, s->number);
    buf_addf(&s->body,
             "{\"schemaVersion\":2,\"mediaType\":\"" LOAD_OCI_MANIFEST
             "\",\"config\":{\"mediaType\":\"application/octet-stream\",\"size\":%" PRIu64
             ",\"digest\":\"sha256:%s\"},\"layers\":[{\"mediaType\":\"application/zip\",\"size\":"
             "%" PRIu64 ",\"digest\":\"sha256:%s\"}]}",
             len, hex, len, hex);
    s->method = "PUT";
    s->path = buf_cstr(&s->text);
    s->content_type = LOAD_OCI_MANIFEST;
    TRY(buf_status(&s->text, e));
    return buf_status(&s->body, e);
}

static enum err make_registry_push(struct slot *s, struct error *e)
{
    struct digest d;
    if (s->step == 0)
        return registry_begin(s);
    make_archive(&s->body, s->number, s->load->o.size);
    TRY(buf_status(&s->body, e));
    TRY(sha256_of(buf_view(&s->body), &d, e));
    if (s->step == 1)
        return registry_put(s, &d, e);
    uint64_t len = s->body.len;
    buf_clear(&s->body);
    return registry_manifest(s, &d, len, e);
}

static enum err make_registry_push_file(struct slot *s, struct error *e)
{
    const struct load_file *f = file_of(s);
    if (s->step == 0)
        return registry_begin(s);
    if (s->step == 2)
        return registry_manifest(s, &f->digest, f->len, e);
    take_file(s);
    return registry_put(s, &f->digest, e);
}

/* --path is the blob's hash; operation number --first was the push. */
static enum err make_registry_pull(struct slot *s, struct error *e)
{
    if (s->step == 0)
        buf_addf(&s->text, "/v2/bench/manifests/t%" PRIu64, s->load->o.first);
    else
        buf_addf(&s->text, "/v2/bench/blobs/sha256:%s", s->load->o.path);
    s->method = "GET";
    s->path = buf_cstr(&s->text);
    return buf_status(&s->text, e);
}

const struct op ops[] = {
    {"check", 1, false, false, false, make_check},
    {"latest", 1, false, false, false, make_latest},
    {"tag", 1, false, false, false, make_tag},
    {"hash", 1, true, false, false, make_hash},
    {"download", 1, true, false, false, make_download},
    {"push", 1, false, false, false, make_push},
    {"same", 1, false, false, false, make_same},
    {"mixed", 1, true, false, false, make_mixed},
    {"push-file", 1, false, true, false, make_push_file},
    {"download-one", 1, false, false, true, make_download_one},
    {"stream-one", 1, false, false, true, make_stream_one},
    {"get", 1, false, false, true, make_get},
    {"put", 1, false, false, true, make_put},
    {"put-file", 1, false, true, true, make_put_file},
    {"registry-push", 3, false, false, false, make_registry_push},
    {"registry-push-file", 3, false, true, false, make_registry_push_file},
    {"registry-pull", 2, false, false, true, make_registry_pull},
};
const size_t n_ops = ARRAY_SIZE(ops);
_Static_assert(ARRAY_SIZE(ops) <= LOAD_MAX_OPS, "each has a tally");

const struct op *op_find(str name)
{
    for (size_t i = 0; i < n_ops; i++)
        if (str_eq(name, str_c(ops[i].name)))
            return &ops[i];
    return NULL;
}
