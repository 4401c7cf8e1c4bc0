/* Every method over the real skill service, in memory. */
#include "api/api.h"
#include "api/artifact.h"
#include "archive.h"
#include "base/log.h"
#include "base/sys.h"
#include "meta/meta.h"
#include "pb.h"
#include "skill/skill.h"
#include "store/store.h"
#include "test.h"

#define COMMAND "/ai.stigmer.agentic.skill.v1.SkillCommandController/"
#define QUERY   "/ai.stigmer.agentic.skill.v1.SkillQueryController/"

static struct store *store;
static struct meta *meta;
static struct api api;
static struct grpc_context call = {.request_id = "0123456789abcdef", .deadline_ns = INT64_MAX};
static struct grpc_reply reply;
static struct error error;
static uint8_t packed[KIB(64)];
static int n_runs; /* of the handler, for the last call */

static void begin(void)
{
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, 2);
    CHECK_OK(store_open_mem(&store, &error), &error);
    CHECK_OK(meta_open_mem(&meta, &error), &error);
    CHECK_OK(skill_service_new(store, meta, NULL, NULL, &api.skills, &error), &error);
    api.store = store;
}

static void drop_reply(void)
{
    buf_deinit(&reply.message.head);
    sys_closep(&reply.message.fd);
    if (reply.free_ctx)
        reply.free_ctx(reply.ctx);
    reply = (struct grpc_reply){.message.fd = -1};
}

static void end(void)
{
    drop_reply();
    skill_service_free(api.skills);
    meta_close(meta);
    store_close(store);
}

static const struct grpc_method *find(const char *path)
{
    for (size_t i = 0; i < api_n_methods; i++)
        if (strcmp(api_methods[i].path, path) == 0)
            return &api_methods[i];
    test_fail(__FILE__, __LINE__, "no method %s", path);
}

static void new_reply(size_t max)
{
    reply = (struct grpc_reply){.message.fd = -1};
    buf_init(&reply.message.head, MAX(max, GRPC_HEAD_MAX));
}

/* On the loop first, on a worker when deferred. */
static enum err run(const struct grpc_method *method, str request)
{
    bool defer = false, on_loop = method->kind == GRPC_INLINE;
    n_runs++;
    enum err r = method->handle(&api, &call, request, &reply, on_loop ? &defer : NULL, &error);
    if (r == ERR_OK && defer)
        r = method->handle(&api, &call, request, &reply, NULL, &error);
    return r;
}

/* As the server does it: with the room that the table names. */
static enum err ask(const char *path, const ProtobufCMessage *m)
{
    const struct grpc_method *method = find(path);
    CHECK(protobuf_c_message_get_packed_size(m) <= sizeof(packed));
    str request = str_of(packed, protobuf_c_message_pack(m, packed));
    n_runs = 0;
    new_reply(method->first_reply ? method->first_reply : method->max_reply);
    enum err r = run(method, request);
    if (r != ERR_RESOURCE_EXHAUSTED || !method->first_reply)
        return r;
    drop_reply();
    new_reply(method->max_reply);
    return run(method, request);
}

static PB_SKILL(Skill) * take_skill(void)
{
    const struct buf *b = &reply.message.head;
    PB_SKILL(Skill) *s = pb_skill(skill__unpack)(NULL, b->len, (const uint8_t *)b->p);
    CHECK(s && s->metadata && s->spec && s->status && s->status->audit);
    drop_reply();
    return s;
}

/* The pieces cut at odd places; archive empty: none come. */
static enum err push(const char *name, const char *org, const char *tag, str archive)
{
    const struct grpc_upload *u = find(COMMAND "push")->upload;
    PB_SKILL(PushSkillRequest) m = PB_SKILL_C(PUSH_SKILL_REQUEST__INIT);
    m.name = (char *)name;
    m.org = (char *)org;
    m.tag = (char *)tag;
    str rest = str_of(packed, protobuf_c_message_pack(&m.base, packed));
    new_reply(find(COMMAND "push")->max_reply);
    void *upload;
    CHECK_OK(u->begin(&api, &call, &upload, &error), &error);
    enum err r = ERR_OK;
    for (str piece; r == ERR_OK && archive.len > 0; archive = str_skip(archive, piece.len)) {
        piece = str_head(archive, 7);
        r = u->bytes(upload, piece, &error);
    }
    if (r == ERR_OK)
        r = u->finish(upload, rest, &reply, &error);
    u->free(upload);
    return r;
}

/* Pushes a skill whose SKILL.md is text; answers its version hash in static memory. */
static const char *pushed(const char *name, const char *org, const char *tag, const char *text)
{
    static char hash[SHA256_HEX_LEN + 1];
    struct buf b;
    archive_make(&b, str_c(text));
    CHECK_OK(push(name, org, tag, buf_view(&b)), &error);
    buf_deinit(&b);
    PB_SKILL(Skill) *s = take_skill();
    CHECK_STR(str_c(s->spec->skill_md), str_c(text));
    (void)snprintf(hash, sizeof(hash), "%s", s->status->version_hash);
    pb_skill(skill__free_unpacked)(s, NULL);
    return hash;
}

static void check_text(str want)
{
    PB_SKILL(Skill) *s = take_skill();
    CHECK_STR(str_c(s->spec->skill_md), want);
    pb_skill(skill__free_unpacked)(s, NULL);
}

static void check_fails(enum err got, enum err want, const char *text)
{
    CHECK_ERR(got, want, &error);
    CHECK_STR(str_c(error.msg), str_c(text));
    drop_reply();
}

TEST(a_push_answers_the_skill)
{
    begin();
    struct buf b;
    archive_make(&b, STR("# Calculator\n"));
    CHECK_OK(push("My Calculator", "local", "latest", buf_view(&b)), &error);
    buf_deinit(&b);
    PB_SKILL(Skill) *s = take_skill();
    CHECK_STR(str_c(s->metadata->name), STR("My Calculator"));
    CHECK_STR(str_c(s->metadata->slug), STR("my-calculator"));
    CHECK_STR(str_c(s->metadata->id), STR("org/local/skill/my-calculator"));
    CHECK_INT(s->metadata->owner_scope, 2);
    CHECK_STR(str_c(s->spec->tag), STR("latest"));
    CHECK_STR(str_c(s->status->audit->spec_audit->event), STR("created"));
    CHECK_STR(str_c(s->status->audit->status_audit->updated_by->id), STR("system"));
    pb_skill(skill__free_unpacked)(s, NULL);
    end();
}

TEST(a_push_without_artifact_is_refused)
{
    begin();
    check_fails(push("", "", "a b", STR_NULL), ERR_INVALID_ARGUMENT,
                "validation errors:\n - name: value is required\n - artifact: value is required\n "
                "- tag: value does not match regex pattern `^$|^[a-zA-Z0-9._-]+$`");
    end();
}

TEST(a_push_of_no_archive_is_refused)
{
    begin();
    CHECK_ERR(push("x", "", "", STR("hello")), ERR_INVALID_ARGUMENT, &error);
    CHECK_CONTAINS(str_c(error.msg), STR("failed to extract SKILL.md: "));
    drop_reply();
    end();
}

TEST(a_push_without_a_slug_is_refused)
{
    begin();
    CHECK_ERR(push("!!!", "", "", STR("hello")), ERR_INVALID_ARGUMENT, &error);
    CHECK_CONTAINS(str_c(error.msg), STR("invalid skill name: !!!"));
    drop_reply();
    end();
}

TEST(an_abandoned_push_leaves_nothing)
{
    begin();
    const struct grpc_upload *u = find(COMMAND "push")->upload;
    void *upload;
    CHECK_OK(u->begin(&api, &call, &upload, &error), &error);
    CHECK_OK(u->bytes(upload, STR("PK"), &error), &error);
    u->free(upload);
    PB_RES(FindApiResourcesRequest) all = PB_RES_C(FIND_API_RESOURCES_REQUEST__INIT);
    CHECK_OK(ask(QUERY "findAll", &all.base), &error);
    end();
}

TEST(the_push_limit_is_above_the_archive_limit)
{
    const struct grpc_upload *u = find(COMMAND "push")->upload;
    CHECK_INT(u->field, 4);
    CHECK_INT(u->max_message, 104857600 + 1048576);
    CHECK_INT(u->max_field, 104857600 + 1048576);
}

static enum err ask_id(const char *method, const char *id)
{
    PB_SKILL(SkillId) m = PB_SKILL_C(SKILL_ID__INIT);
    m.value = (char *)id;
    return ask(method, &m.base);
}

TEST(get_and_delete_by_id)
{
    begin();
    pushed("calc", "local", "", "one");
    CHECK_OK(ask_id(QUERY "get", "org/local/skill/calc"), &error);
    check_text(STR("one"));
    check_fails(ask_id(QUERY "get", "nobody"), ERR_NOT_FOUND, "Skill not found: nobody");
    check_fails(ask_id(QUERY "get", ""), ERR_INVALID_ARGUMENT,
                "validation error: value: value is required");
    CHECK_OK(ask_id(COMMAND "delete", "org/local/skill/calc"), &error);
    check_text(STR("one"));
    check_fails(ask_id(COMMAND "delete", "org/local/skill/calc"), ERR_NOT_FOUND,
                "Skill not found: org/local/skill/calc");
    check_fails(ask_id(QUERY "get", "org/local/skill/calc"), ERR_NOT_FOUND,
                "Skill not found: org/local/skill/calc");
    end();
}

static enum err ask_ref(const char *org, const char *slug, const char *version)
{
    PB_RES(ApiResourceReference) m = PB_RES_C(API_RESOURCE_REFERENCE__INIT);
    m.org = (char *)org;
    m.slug = (char *)slug;
    m.version = (char *)version;
    return ask(QUERY "getByReference", &m.base);
}

TEST(references_reach_versions)
{
    begin();
    char first[SHA256_HEX_LEN + 1];
    (void)snprintf(first, sizeof(first), "%s", pushed("calc", "local", "v1", "one"));
    pushed("calc", "local", "v2", "two");
    const struct {
        const char *version, *text;
    } rows[] = {{"", "two"}, {"latest", "two"}, {"v1", "one"}, {"v2", "two"}, {first, "one"}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CHECK_OK(ask_ref("local", "calc", rows[i].version), &error);
        check_text(str_c(rows[i].text));
        CHECK_OK(ask_ref("", "calc", rows[i].version), &error); /* falls back to the one org */
        check_text(str_c(rows[i].text));
    }
    check_fails(ask_ref("local", "calc", "v3"), ERR_NOT_FOUND, "skill version not found: calc:v3");
    check_fails(ask_ref("other", "calc", ""), ERR_NOT_FOUND, "skill not found: calc");
    check_fails(ask_ref("local", "", ""), ERR_INVALID_ARGUMENT, "slug is required in reference");
    end();
}

TEST(an_ambiguous_reference_names_the_orgs)
{
    begin();
    pushed("calc", "one", "", "one");
    pushed("calc", "two", "", "two");
    CHECK_ERR(ask_ref("", "calc", ""), ERR_FAILED_PRECONDITION, &error);
    CHECK_CONTAINS(str_c(error.msg), STR("one"));
    CHECK_CONTAINS(str_c(error.msg), STR("two"));
    drop_reply();
    CHECK_OK(ask_ref("two", "calc", ""), &error);
    check_text(STR("two"));
    end();
}

static enum err ask_tag(const char *slug, const char *tag)
{
    PB_SKILL(GetSkillByTagRequest) m = PB_SKILL_C(GET_SKILL_BY_TAG_REQUEST__INIT);
    m.slug = (char *)slug;
    m.tag = (char *)tag;
    return ask(QUERY "getByTag", &m.base);
}

static enum err ask_hash(const char *slug, const char *hash)
{
    PB_SKILL(GetSkillByHashRequest) m = PB_SKILL_C(GET_SKILL_BY_HASH_REQUEST__INIT);
    m.slug = (char *)slug;
    m.version_hash = (char *)hash;
    return ask(QUERY "getByHash", &m.base);
}

TEST(a_tag_is_no_hash_and_a_hash_no_tag)
{
    begin();
    char first[SHA256_HEX_LEN + 1], text[256];
    (void)snprintf(first, sizeof(first), "%s", pushed("calc", "local", "v1", "one"));
    pushed("calc", "local", "v2", "two");
    CHECK_OK(ask_tag("calc", "v1"), &error);
    check_text(STR("one"));
    CHECK_OK(ask_tag("calc", "latest"), &error);
    check_text(STR("two"));
    CHECK_OK(ask_hash("calc", first), &error);
    check_text(STR("one"));
    (void)snprintf(text, sizeof(text), "skill version not found: calc:%s", first);
    check_fails(ask_tag("calc", first), ERR_NOT_FOUND, text);
    check_fails(ask_hash("calc", "v1"), ERR_NOT_FOUND, "skill version not found: calc:v1");
    check_fails(ask_hash("calc", "latest"), ERR_NOT_FOUND, "skill version not found: calc:latest");
    check_fails(ask_hash("nope", "v1"), ERR_NOT_FOUND, "skill not found: nope");
    check_fails(ask_tag("nope", "v1"), ERR_NOT_FOUND, "skill not found: nope");
    end();
}

TEST(a_tag_moves)
{
    begin();
    pushed("calc", "local", "v1", "one");
    pushed("calc", "local", "v2", "two");
    PB_RES(ApiResourceReference) ref = PB_RES_C(API_RESOURCE_REFERENCE__INIT);
    PB_SKILL(MoveTagRequest) m = PB_SKILL_C(MOVE_TAG_REQUEST__INIT);
    ref.slug = (char *)"calc";
    ref.version = (char *)"v1";
    m.reference = &ref;
    m.tag = (char *)"v2";
    CHECK_OK(ask(COMMAND "moveTag", &m.base), &error);
    check_text(STR("one"));
    CHECK_OK(ask_tag("calc", "v2"), &error);
    check_text(STR("one"));
    m.tag = (char *)"latest";
    CHECK_ERR(ask(COMMAND "moveTag", &m.base), ERR_INVALID_ARGUMENT, &error);
    drop_reply();
    end();
}

/* The largest SKILL.md that the audit lets pass. */
static const char *largest_text(void)
{
    static char text[1048576 + 1];
    memset(text, 'x', sizeof(text) - 1);
    return text;
}

TEST(the_largest_text_has_room_in_every_answer)
{
    begin();
    const char *text = largest_text();
    const char *hash = pushed("calc", "local", "v1", text);
    CHECK_OK(ask_id(QUERY "get", "org/local/skill/calc"), &error);
    check_text(str_c(text));
    CHECK_INT(n_runs, 2); /* it did not fit the first time */
    CHECK_OK(ask_ref("local", "calc", ""), &error);
    check_text(str_c(text));
    CHECK_OK(ask_tag("calc", "v1"), &error);
    check_text(str_c(text));
    CHECK_OK(ask_hash("calc", hash), &error);
    check_text(str_c(text));
    PB_RES(ApiResourceReference) ref = PB_RES_C(API_RESOURCE_REFERENCE__INIT);
    PB_SKILL(MoveTagRequest) m = PB_SKILL_C(MOVE_TAG_REQUEST__INIT);
    ref.slug = (char *)"calc";
    m.reference = &ref;
    m.tag = (char *)"v2";
    CHECK_OK(ask(COMMAND "moveTag", &m.base), &error);
    check_text(str_c(text));
    CHECK_OK(ask_id(COMMAND "delete", "org/local/skill/calc"), &error);
    check_text(str_c(text));
    end();
}

TEST(the_largest_page_has_room)
{
    begin();
    for (int i = 0; i < 4; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "skill-%d", i);
        pushed(name, "local", "", largest_text());
    }
    PB_RES(FindApiResourcesRequest) q = PB_RES_C(FIND_API_RESOURCES_REQUEST__INIT);
    CHECK_OK(ask(QUERY "findAll", &q.base), &error);
    CHECK_INT(n_runs, 2);
    CHECK(reply.message.head.len > SKILL_LIST_TEXT_MAX);
    end();
}

TEST(lists_come_in_pages)
{
    begin();
    for (int i = 0; i < 5; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "skill-%d", i);
        pushed(name, "local", "", name);
    }
    PB_RES(FindApiResourcesRequest) q = PB_RES_C(FIND_API_RESOURCES_REQUEST__INIT);
    q.page_size = 2;
    q.page_number = 3;
    CHECK_OK(ask(QUERY "findAll", &q.base), &error);
    PB_SKILL(SkillList) *l = pb_skill(skill_list__unpack)(NULL, reply.message.head.len,
                                                          (const uint8_t *)reply.message.head.p);
    CHECK(l);
    CHECK_INT(l->n_items, 1);
    CHECK_INT(l->total, 5);
    CHECK_STR(str_c(l->items[0]->metadata->slug), STR("skill-4"));
    CHECK_STR(str_c(l->next_page_token), STR(""));
    pb_skill(skill_list__free_unpacked)(l, NULL);
    drop_reply();
    q.page_token = (char *)"not a token";
    CHECK_ERR(ask(QUERY "findAll", &q.base), ERR_INVALID_ARGUMENT, &error);
    end();
}

TEST(versions_are_listed)
{
    begin();
    pushed("calc", "local", "v1", "one");
    pushed("calc", "local", "v2", "two");
    PB_RES(ApiResourceReference) ref = PB_RES_C(API_RESOURCE_REFERENCE__INIT);
    PB_SKILL(ListSkillVersionsRequest) q = PB_SKILL_C(LIST_SKILL_VERSIONS_REQUEST__INIT);
    ref.slug = (char *)"calc";
    q.reference = &ref;
    CHECK_OK(ask(QUERY "listVersions", &q.base), &error);
    PB_SKILL(SkillVersionList) *l = pb_skill(skill_version_list__unpack)(
        NULL, reply.message.head.len, (const uint8_t *)reply.message.head.p);
    CHECK(l);
    CHECK_INT(l->n_items, 2);
    CHECK_INT(l->items[0]->number, 2);
    CHECK(l->items[0]->current && !l->items[1]->current);
    CHECK_STR(str_c(l->items[1]->tags[0]), STR("v1"));
    pb_skill(skill_version_list__free_unpacked)(l, NULL);
    end();
}

static void check_tag(const char *version, const char *tag, const char *hash)
{
    PB_RES(ApiResourceReference) ref = PB_RES_C(API_RESOURCE_REFERENCE__INIT);
    ref.slug = (char *)"calc";
    ref.version = (char *)version;
    CHECK_OK(ask(QUERY "getTag", &ref.base), &error);
    PB_SKILL(SkillTag) *t = pb_skill(skill_tag__unpack)(NULL, reply.message.head.len,
                                                        (const uint8_t *)reply.message.head.p);
    CHECK(t && t->moved_at && t->moved_by);
    CHECK_STR(str_c(t->tag), str_c(tag));
    CHECK_STR(str_c(t->version_hash), str_c(hash));
    CHECK(t->moved_at->seconds > 0);
    CHECK_STR(str_c(t->moved_by->id), STR("system"));
    pb_skill(skill_tag__free_unpacked)(t, NULL);
    drop_reply();
}

TEST(a_tag_says_where_it_points_and_who_moved_it)
{
    begin();
    PB_RES(ApiResourceReference) ref = PB_RES_C(API_RESOURCE_REFERENCE__INIT);
    char one[SHA256_HEX_LEN + 1], two[SHA256_HEX_LEN + 1];
    memcpy(one, pushed("calc", "local", "v1", "one"), sizeof one);
    memcpy(two, pushed("calc", "local", "v2", "two"), sizeof two);
    check_tag("v1", "v1", one);
    check_tag("v2", "v2", two);
    check_tag("latest", "latest", two);
    check_tag("", "latest", two);
    ref.slug = (char *)"calc";
    ref.version = (char *)"v9";
    check_fails(ask(QUERY "getTag", &ref.base), ERR_NOT_FOUND, "skill version not found: calc:v9");
    ref.version = one;
    check_fails(ask(QUERY "getTag", &ref.base), ERR_INVALID_ARGUMENT,
                "version: a hash always means the same version; give a tag");
    ref.slug = (char *)"nope";
    ref.version = (char *)"v1";
    check_fails(ask(QUERY "getTag", &ref.base), ERR_NOT_FOUND, "skill not found: nope");
    end();
}

TEST(files_are_listed)
{
    begin();
    pushed("calc", "local", "v1", "one");
    PB_RES(ApiResourceReference) ref = PB_RES_C(API_RESOURCE_REFERENCE__INIT);
    PB_SKILL(ListSkillFilesRequest) q = PB_SKILL_C(LIST_SKILL_FILES_REQUEST__INIT);
    ref.slug = (char *)"calc";
    q.reference = &ref;
    CHECK_INT(find(QUERY "listFiles")->kind, GRPC_WORKER); /* it may audit */
    CHECK_OK(ask(QUERY "listFiles", &q.base), &error);
    PB_SKILL(SkillFileList) *l = pb_skill(skill_file_list__unpack)(
        NULL, reply.message.head.len, (const uint8_t *)reply.message.head.p);
    CHECK(l);
    CHECK_INT(l->n_items, 1);
    CHECK_INT(l->total, 1);
    CHECK_INT(l->total_size, 3);
    CHECK_STR(str_c(l->items[0]->path), STR("SKILL.md"));
    CHECK_STR(str_c(l->items[0]->sha256),
              STR("7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"));
    CHECK_INT(l->items[0]->mode, 0644);
    pb_skill(skill_file_list__free_unpacked)(l, NULL);
    drop_reply();
    ref.version = (char *)"v9";
    check_fails(ask(QUERY "listFiles", &q.base), ERR_NOT_FOUND, "skill version not found: calc:v9");
    ref.version = (char *)"";
    q.page_token = (char *)"?";
    CHECK_ERR(ask(QUERY "listFiles", &q.base), ERR_INVALID_ARGUMENT, &error);
    CHECK_CONTAINS(str_c(error.msg), STR("page_token: not a token of this list"));
    end();
}

static enum err ask_key(const char *method, const char *key)
{
    PB_SKILL(GetArtifactRequest) m = PB_SKILL_C(GET_ARTIFACT_REQUEST__INIT);
    m.artifact_storage_key = (char *)key;
    return ask(method, &m.base);
}

/* The bytes of a message as they would be sent: head, then the file's range. */
static void assemble(const struct grpc_message *m, struct buf *out)
{
    buf_add(out, buf_view(&m->head));
    char *to = buf_reserve(out, m->len);
    CHECK(to);
    CHECK_OK(sys_pread_full(m->fd, to, m->len, m->off, &error), &error);
    out->len += m->len;
}

TEST(an_artifact_comes_back_whole)
{
    begin();
    char key[STORE_KEY_MAX];
    (void)snprintf(key, sizeof(key), "skills/%s.zip", pushed("calc", "local", "", "one"));
    struct buf archive, message;
    archive_make(&archive, STR("one"));
    buf_init(&message, MIB(1));
    CHECK_OK(ask_key(QUERY "getArtifact", key), &error);
    assemble(&reply.message, &message);
    PB_SKILL(GetArtifactResponse) *m =
        pb_skill(get_artifact_response__unpack)(NULL, message.len, (const uint8_t *)message.p);
    CHECK(m);
    CHECK_STR(str_of(m->artifact.data, m->artifact.len), buf_view(&archive));
    pb_skill(get_artifact_response__free_unpacked)(m, NULL);
    buf_deinit(&message);
    buf_deinit(&archive);
    end();
}

/* Appends the data of the next chunk; false at the end. */
static bool next_chunk(uint64_t total, struct buf *out)
{
    struct grpc_message m = {.fd = -1};
    struct buf bytes;
    bool ended = false;
    buf_init(&m.head, KIB(1));
    buf_init(&bytes, MIB(2));
    CHECK_OK(reply.next(reply.ctx, &m, &ended, &error), &error);
    if (!ended) {
        assemble(&m, &bytes);
        PB_SKILL(ArtifactChunk) *c =
            pb_skill(artifact_chunk__unpack)(NULL, bytes.len, (const uint8_t *)bytes.p);
        CHECK(c);
        CHECK_INT(c->total, total);
        CHECK_INT(c->offset, out->len);
        CHECK(c->data.len > 0 && c->data.len <= ARTIFACT_CHUNK);
        buf_add(out, str_of(c->data.data, c->data.len));
        pb_skill(artifact_chunk__free_unpacked)(c, NULL);
    }
    sys_closep(&m.fd);
    buf_deinit(&m.head);
    buf_deinit(&bytes);
    return !ended;
}

TEST(an_artifact_is_streamed)
{
    begin();
    static char text[1048576 - 64]; /* with the archive's own records more than one chunk */
    memset(text, 'x', sizeof(text) - 1);
    char key[STORE_KEY_MAX];
    (void)snprintf(key, sizeof(key), "skills/%s.zip", pushed("big", "local", "", text));
    struct buf archive, got;
    archive_make(&archive, str_c(text));
    buf_init(&got, MIB(2));
    CHECK_OK(ask_key(QUERY "streamArtifact", key), &error);
    int n = 0;
    while (next_chunk(archive.len, &got))
        n++;
    CHECK_INT(n, 2);
    CHECK_STR(buf_view(&got), buf_view(&archive));
    buf_deinit(&got);
    buf_deinit(&archive);
    end();
}

TEST(other_keys_are_not_found)
{
    static const char *const keys[] = {
        "../../etc/passwd",
        "/etc/passwd",
        "skills/../skills/x",
        "skills/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.zip",
        "skills/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.zip",
    };
    begin();
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text), "skill artifact not found: %s", keys[i]);
        check_fails(ask_key(QUERY "getArtifact", keys[i]), ERR_NOT_FOUND, text);
        check_fails(ask_key(QUERY "streamArtifact", keys[i]), ERR_NOT_FOUND, text);
    }
    check_fails(ask_key(QUERY "getArtifact", ""), ERR_INVALID_ARGUMENT,
                "validation error: artifact_storage_key: value is required");
    end();
}
