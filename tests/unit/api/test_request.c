/* Validation, field by field: the texts are the interface. */
#include "api/check.h"
#include "api/request.h"
#include "base/buf.h"
#include "pb.h"
#include "test.h"

#define HEX64   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PATTERN "value does not match regex pattern `^$|^[a-zA-Z0-9._-]+$`"
#define ENUM    "value must be one of the defined enum values"
#define BROKEN(type)                                                                               \
    "the request is not a valid ai.stigmer.agentic.skill.v1." type                                 \
    " message: its protobuf encoding is damaged"
#define X128 HEX64 HEX64
#define X256 X128 X128

static uint8_t packed[4096];

static str pack(const ProtobufCMessage *m)
{
    CHECK(protobuf_c_message_get_packed_size(m) <= sizeof(packed));
    return str_of(packed, protobuf_c_message_pack(m, packed));
}

/* want NULL: accepted. */
static void check_answer(enum err got, const struct error *e, const char *want)
{
    if (want) {
        CHECK_STR(str_c(e->msg), str_c(want));
        CHECK_INT(got, ERR_INVALID_ARGUMENT);
        CHECK_INT(e->sys, 0);
    } else {
        test_check_err(__FILE__, __LINE__, "request", got, ERR_OK, e);
    }
}

struct push_row {
    const char *name;
    int scope;
    const char *org;
    uint64_t artifact;
    const char *tag;
    const char *want;
};

static const struct push_row push_rows[] = {
    {"calc", 0, "", 1, "", NULL},
    {"My Calculator", 2, "local", 1, "latest", NULL},
    {"x", 1, "", 1, "v1.0_rc-2", NULL},
    {"x", 3, "", 1, "", NULL}, /* the scope itself is refused by the skill service */
    {"", 0, "", 1, "", "validation error: name: value is required"},
    {X256, 0, "", 1, "", NULL},
    {X256 "a", 0, "", 1, "", "validation error: name: value must be at most 256 bytes, it has 257"},
    {"x", 4, "", 1, "", "validation error: scope: " ENUM},
    {"x", -1, "", 1, "", "validation error: scope: " ENUM},
    {"x", 2, "", 1, "", "validation error: org: value is required when scope is organization"},
    {"x", 2, "a b", 1, "", "validation error: org: " PATTERN},
    {"x", 2, "a/b", 1, "", "validation error: org: " PATTERN},
    {"x", 2, X128, 1, "", NULL},
    {"x", 2, X128 "a", 1, "", "validation error: org: value must be at most 128 bytes, it has 129"},
    {"x", 0, "", 0, "", "validation error: artifact: value is required"},
    {"x", 0, "", 1, "a b", "validation error: tag: " PATTERN},
    {"x", 0, "", 1, "\xc3\xa9", "validation error: tag: " PATTERN},
    {"x", 0, "", 1, X128, NULL},
    {"x", 0, "", 1, X128 "a", "validation error: tag: value must be at most 128 bytes, it has 129"},
    {"x", 0, "", 1, HEX64,
     "validation error: tag: value must not be 64 lower-case hex digits: that names a version by "
     "its hash, choose another tag"},
    {"", 9, "?", 0, "?",
     "validation errors:\n - name: value is required\n - scope: " ENUM "\n - org: " PATTERN
     "\n - artifact: value is required\n - tag: " PATTERN},
    {"", 0, "", 0, "",
     "validation errors:\n - name: value is required\n - artifact: value is required"},
};

TEST(push_is_validated)
{
    for (size_t i = 0; i < ARRAY_SIZE(push_rows); i++) {
        const struct push_row *row = &push_rows[i];
        PB_SKILL(PushSkillRequest) m = PB_SKILL_C(PUSH_SKILL_REQUEST__INIT);
        m.name = (char *)row->name;
        m.scope = (PB_RES(ApiResourceOwnerScope))row->scope;
        m.org = (char *)row->org;
        m.tag = (char *)row->tag;
        CLEANUP(arena_deinit) struct arena a;
        arena_init(&a, KIB(64));
        struct skill_push got;
        struct error e = {0};
        check_answer(request_push(pack(&m.base), row->artifact, &a, &got, &e), &e, row->want);
        if (row->want)
            continue;
        CHECK_STR(got.name, str_c(row->name));
        CHECK_STR(got.org, str_c(row->org));
        CHECK_STR(got.tag, str_c(row->tag));
        CHECK_INT(got.scope, row->scope);
        CHECK_INT(got.actor.len, 0);
    }
}

struct ref_row {
    int scope;
    const char *org, *slug, *version;
    const char *want;        /* of getByReference */
    const char *want_nested; /* of listVersions, in whose request the reference is a field */
};

static const struct ref_row ref_rows[] = {
    {0, "", "calc", "", NULL, NULL},
    {1, "", "calc", "latest", NULL, NULL},
    {2, "local", "calc", HEX64, NULL, NULL},
    {3, "", "calc", "v1", NULL, NULL},
    {0, "", "", "", "slug is required in reference", "slug is required in reference"},
    {4, "", "calc", "", "validation error: scope: " ENUM,
     "validation error: reference.scope: " ENUM},
    {2, "", "calc", "", "validation error: org: value is required when scope is organization",
     "validation error: reference.org: value is required when scope is organization"},
    {0, "?", "calc", "", "validation error: org: " PATTERN,
     "validation error: reference.org: " PATTERN},
    {0, "", X256 "a", "", "validation error: slug: value must be at most 256 bytes, it has 257",
     "validation error: reference.slug: value must be at most 256 bytes, it has 257"},
    {0, "", "calc", "no/slash", "validation error: version: " PATTERN,
     "validation error: reference.version: " PATTERN},
    {0, "", "calc", X128 "a",
     "validation error: version: value must be at most 128 bytes, it has 129",
     "validation error: reference.version: value must be at most 128 bytes, it has 129"},
    {7, "", "", "?", "validation errors:\n - scope: " ENUM "\n - version: " PATTERN,
     "validation errors:\n - reference.scope: " ENUM "\n - reference.version: " PATTERN},
};

static void fill_ref(PB_RES(ApiResourceReference) * m, const struct ref_row *row)
{
    *m = (PB_RES(ApiResourceReference))PB_RES_C(API_RESOURCE_REFERENCE__INIT);
    m->scope = (PB_RES(ApiResourceOwnerScope))row->scope;
    m->org = (char *)row->org;
    m->slug = (char *)row->slug;
    m->version = (char *)row->version;
}

static void check_ref(const struct skill_ref *got, const struct ref_row *row)
{
    CHECK_INT(got->scope, row->scope);
    CHECK_STR(got->org, str_c(row->org));
    CHECK_STR(got->slug, str_c(row->slug));
    CHECK_STR(got->version, str_c(row->version));
}

TEST(references_are_validated)
{
    for (size_t i = 0; i < ARRAY_SIZE(ref_rows); i++) {
        PB_RES(ApiResourceReference) m;
        fill_ref(&m, &ref_rows[i]);
        CLEANUP(arena_deinit) struct arena a;
        arena_init(&a, KIB(64));
        struct skill_ref got;
        struct error e = {0};
        check_answer(request_reference(pack(&m.base), &a, &got, &e), &e, ref_rows[i].want);
        if (!ref_rows[i].want)
            check_ref(&got, &ref_rows[i]);
    }
}

TEST(references_within_requests_are_validated)
{
    for (size_t i = 0; i < ARRAY_SIZE(ref_rows); i++) {
        PB_RES(ApiResourceReference) ref;
        fill_ref(&ref, &ref_rows[i]);
        PB_SKILL(ListSkillVersionsRequest) list = PB_SKILL_C(LIST_SKILL_VERSIONS_REQUEST__INIT);
        PB_SKILL(ListSkillFilesRequest) dir = PB_SKILL_C(LIST_SKILL_FILES_REQUEST__INIT);
        PB_SKILL(MoveTagRequest) move = PB_SKILL_C(MOVE_TAG_REQUEST__INIT);
        list.reference = dir.reference = move.reference = &ref;
        move.tag = (char *)"stable";
        CLEANUP(arena_deinit) struct arena a;
        arena_init(&a, KIB(64));
        struct skill_versions versions;
        struct skill_files files;
        struct skill_ref got;
        str tag;
        struct error e = {0};
        check_answer(request_versions(pack(&list.base), &a, &versions, &e), &e,
                     ref_rows[i].want_nested);
        check_answer(request_files(pack(&dir.base), &a, &files, &e), &e, ref_rows[i].want_nested);
        check_answer(request_move_tag(pack(&move.base), &a, &got, &tag, &e), &e,
                     ref_rows[i].want_nested);
        if (ref_rows[i].want)
            continue;
        check_ref(&versions.ref, &ref_rows[i]);
        check_ref(&files.ref, &ref_rows[i]);
        check_ref(&got, &ref_rows[i]);
        CHECK_STR(tag, STR("stable"));
    }
}

TEST(a_missing_reference_is_named)
{
    struct arena a;
    arena_init(&a, KIB(64));
    struct skill_versions versions;
    struct skill_files files;
    struct skill_ref ref;
    str tag;
    struct error e = {0};
    check_answer(request_versions(STR_NULL, &a, &versions, &e), &e,
                 "validation error: reference: value is required");
    check_answer(request_files(STR_NULL, &a, &files, &e), &e,
                 "validation error: reference: value is required");
    check_answer(request_move_tag(STR_NULL, &a, &ref, &tag, &e), &e,
                 "validation errors:\n - reference: value is required\n - tag: value is required");
    arena_deinit(&a);
}

TEST(a_tag_to_move_is_validated)
{
    static const struct {
        const char *tag, *want;
    } rows[] = {
        {"v1", NULL},
        {"", "validation error: tag: value is required"},
        {"a b", "validation error: tag: " PATTERN},
        {X128 "a", "validation error: tag: value must be at most 128 bytes, it has 129"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        PB_RES(ApiResourceReference) ref = PB_RES_C(API_RESOURCE_REFERENCE__INIT);
        PB_SKILL(MoveTagRequest) move = PB_SKILL_C(MOVE_TAG_REQUEST__INIT);
        ref.slug = (char *)"calc";
        move.reference = &ref;
        move.tag = (char *)rows[i].tag;
        CLEANUP(arena_deinit) struct arena a;
        arena_init(&a, KIB(64));
        struct skill_ref got;
        str tag;
        struct error e = {0};
        check_answer(request_move_tag(pack(&move.base), &a, &got, &tag, &e), &e, rows[i].want);
    }
}

struct lookup_row {
    const char *slug, *version, *org;
    int scope;
    const char *want_tag, *want_hash;
};

static const struct lookup_row lookup_rows[] = {
    {"calc", "v1", "", 0, NULL, NULL},
    {"calc", "any thing", "local", 2, NULL, NULL},
    {"", "v1", "", 0, "validation error: slug: value is required",
     "validation error: slug: value is required"},
    {"calc", "", "", 0, "validation error: tag: value is required",
     "validation error: version_hash: value is required"},
    {"", "", "", 0, "validation errors:\n - slug: value is required\n - tag: value is required",
     "validation errors:\n - slug: value is required\n - version_hash: value is required"},
    {X256 "a", "v1", "", 0, "validation error: slug: value must be at most 256 bytes, it has 257",
     "validation error: slug: value must be at most 256 bytes, it has 257"},
    {"calc", "v1", "?", 0, "validation error: org: " PATTERN, "validation error: org: " PATTERN},
    {"calc", "v1", "", 5, "validation error: scope: " ENUM, "validation error: scope: " ENUM},
    {"calc", "v1", "", 2, "validation error: org: value is required when scope is organization",
     "validation error: org: value is required when scope is organization"},
};

TEST(lookups_by_tag_and_hash_are_validated)
{
    for (size_t i = 0; i < ARRAY_SIZE(lookup_rows); i++) {
        const struct lookup_row *row = &lookup_rows[i];
        PB_SKILL(GetSkillByTagRequest) t = PB_SKILL_C(GET_SKILL_BY_TAG_REQUEST__INIT);
        PB_SKILL(GetSkillByHashRequest) h = PB_SKILL_C(GET_SKILL_BY_HASH_REQUEST__INIT);
        t.slug = h.slug = (char *)row->slug;
        t.tag = h.version_hash = (char *)row->version;
        t.org = h.org = (char *)row->org;
        t.scope = h.scope = (PB_RES(ApiResourceOwnerScope))row->scope;
        CLEANUP(arena_deinit) struct arena a;
        arena_init(&a, KIB(64));
        struct skill_ref got;
        struct error e = {0};
        check_answer(request_by_tag(pack(&t.base), &a, &got, &e), &e, row->want_tag);
        check_answer(request_by_hash(pack(&h.base), &a, &got, &e), &e, row->want_hash);
        if (!row->want_hash)
            CHECK_STR(got.version, str_c(row->version));
    }
}

TEST(a_tag_to_look_up_is_bounded)
{
    PB_SKILL(GetSkillByTagRequest) t = PB_SKILL_C(GET_SKILL_BY_TAG_REQUEST__INIT);
    t.slug = (char *)"calc";
    t.tag = (char *)X128 "a";
    struct arena a;
    arena_init(&a, KIB(64));
    struct skill_ref got;
    struct error e = {0};
    check_answer(request_by_tag(pack(&t.base), &a, &got, &e), &e,
                 "validation error: tag: value must be at most 128 bytes, it has 129");
    arena_deinit(&a);
}

TEST(ids_and_keys_are_required)
{
    static const struct {
        str bytes, want;
        const char *id, *key; /* errors */
    } rows[] = {
        {STR("\x0a\x01x"), STR("x"), NULL, NULL},
        {STR("\x0a\x02.."), STR(".."), NULL, NULL},
        {STR("\x0a\x01x\x0a\x01y"), STR("y"), NULL, NULL},        /* the last one counts */
        {STR("\x0a\x03x\0y"), STR("x\0y"), NULL, NULL},           /* nobody's name, but one */
        {STR("\x10\x05\x0a\x01x\x18\x01"), STR("x"), NULL, NULL}, /* unknown fields */
        {STR(""), STR(""), "validation error: value: value is required",
         "validation error: artifact_storage_key: value is required"},
        {STR("\x0a\x01\xff"), STR(""), "validation error: value: value must be valid UTF-8",
         "validation error: artifact_storage_key: value must be valid UTF-8"},
        {STR("\x08\x01"), STR(""), BROKEN("SkillId"), BROKEN("GetArtifactRequest")},
        {STR("\x0a\x02x"), STR(""), BROKEN("SkillId"), BROKEN("GetArtifactRequest")},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct error e = {0};
        str got;
        check_answer(request_id(rows[i].bytes, &got, &e), &e, rows[i].id);
        if (!rows[i].id)
            CHECK_STR(got, rows[i].want);
        int64_t offset = -1;
        check_answer(request_artifact(rows[i].bytes, &got, &offset, &e), &e, rows[i].key);
        if (!rows[i].key)
            CHECK_STR(got, rows[i].want);
    }
}

TEST(a_download_begins_where_the_request_says)
{
    static const struct {
        str bytes;
        int64_t want;
        const char *error;
    } rows[] = {
        {STR("\x0a\x01x"), 0, NULL},
        {STR("\x0a\x01x\x10\x00"), 0, NULL},
        {STR("\x10\xac\x02\x0a\x01x"), 300, NULL},
        {STR("\x10\x05\x10\x06\x0a\x01x"), 6, NULL}, /* the last one counts */
        {STR("\x12\x01z\x0a\x01x"), 0, NULL},        /* no number */
        {STR("\x0a\x01x\x10\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), INT64_MAX, NULL},
        {STR("\x0a\x01x\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), -1,
         "validation error: offset: value must not be negative"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct error e = {0};
        str key;
        int64_t offset = 0;
        check_answer(request_artifact(rows[i].bytes, &key, &offset, &e), &e, rows[i].error);
        CHECK(offset == rows[i].want);
    }
}

struct find_row {
    const char *org, *kind;
    int32_t num, size, page_number, page_size; /* num < 0 and size < 0 too */
    uint32_t want_page, want_size;
    const char *want;
};

static const struct find_row find_rows[] = {
    {"", "", 0, 0, 0, 0, 1, 20, NULL},
    {"local", "Skill", 0, 0, 3, 50, 3, 50, NULL},
    {"", "skill", 2, 7, 0, 0, 2, 7, NULL},
    {"", "", 2, 7, 4, 9, 4, 9, NULL},
    {"", "", 0, 0, 0, 100, 1, 100, NULL},
    {"", "", 0, 0, 0, 101, 1, 100, NULL},
    {"", "", 0, INT32_MAX, 0, 0, 1, 100, NULL},
    {"?", "", 0, 0, 0, 0, 0, 0, "validation error: org: " PATTERN},
    {"", "Agent", 0, 0, 0, 0, 0, 0,
     "validation error: kind: value must be empty or \"Skill\": this method lists skills only"},
    {"", "", 0, 0, -1, 0, 0, 0, "validation error: page_number: value must not be negative"},
    {"", "", -1, -1, -1, -1, 0, 0,
     "validation errors:\n - page.num: value must not be negative\n - page.size: value must not be "
     "negative\n - page_number: value must not be negative\n - page_size: value must not be "
     "negative"},
};

TEST(pages_are_validated_and_bounded)
{
    for (size_t i = 0; i < ARRAY_SIZE(find_rows); i++) {
        const struct find_row *row = &find_rows[i];
        PB_RES(PageInfo) page = PB_RES_C(PAGE_INFO__INIT);
        PB_RES(FindApiResourcesRequest) m = PB_RES_C(FIND_API_RESOURCES_REQUEST__INIT);
        m.org = (char *)row->org;
        m.kind = (char *)row->kind;
        page.num = row->num;
        page.size = row->size;
        m.page = &page;
        m.page_number = row->page_number;
        m.page_size = row->page_size;
        m.page_token = (char *)"t";
        CLEANUP(arena_deinit) struct arena a;
        arena_init(&a, KIB(64));
        struct skill_find got;
        struct error e = {0};
        check_answer(request_find(pack(&m.base), &a, &got, &e), &e, row->want);
        if (row->want)
            continue;
        CHECK_INT(got.page, row->want_page);
        CHECK_INT(got.page_size, row->want_size);
        CHECK_STR(got.token, STR("t"));
        CHECK_STR(got.org, str_c(row->org));
    }
}

TEST(a_version_page_is_bounded)
{
    static const struct {
        int32_t size;
        uint32_t want;
    } rows[] = {{0, 20}, {1, 1}, {100, 100}, {101, 100}};
    PB_RES(ApiResourceReference) ref = PB_RES_C(API_RESOURCE_REFERENCE__INIT);
    PB_SKILL(ListSkillVersionsRequest) m = PB_SKILL_C(LIST_SKILL_VERSIONS_REQUEST__INIT);
    ref.slug = (char *)"calc";
    m.reference = &ref;
    m.include_deleted = true;
    struct arena a;
    arena_init(&a, KIB(64));
    struct skill_versions got;
    struct error e = {0};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        m.page_size = rows[i].size;
        CHECK_OK(request_versions(pack(&m.base), &a, &got, &e), &e);
        CHECK_INT(got.page_size, rows[i].want);
        CHECK(got.include_deleted);
    }
    m.page_size = -5;
    check_answer(request_versions(pack(&m.base), &a, &got, &e), &e,
                 "validation error: page_size: value must not be negative");
    arena_deinit(&a);
}

TEST(a_page_of_files_is_bounded)
{
    static const struct {
        int32_t size;
        uint32_t want;
    } rows[] = {{0, 1000}, {1, 1}, {1000, 1000}, {1001, 1000}, {INT32_MAX, 1000}};
    PB_RES(ApiResourceReference) ref = PB_RES_C(API_RESOURCE_REFERENCE__INIT);
    PB_SKILL(ListSkillFilesRequest) m = PB_SKILL_C(LIST_SKILL_FILES_REQUEST__INIT);
    ref.slug = (char *)"calc";
    m.reference = &ref;
    m.page_token = (char *)"t";
    struct arena a;
    arena_init(&a, KIB(64));
    struct skill_files got;
    struct error e = {0};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        m.page_size = rows[i].size;
        CHECK_OK(request_files(pack(&m.base), &a, &got, &e), &e);
        CHECK_INT(got.page_size, rows[i].want);
        CHECK_STR(got.token, STR("t"));
    }
    m.page_size = -1;
    check_answer(request_files(pack(&m.base), &a, &got, &e), &e,
                 "validation error: page_size: value must not be negative");
    arena_deinit(&a);
}

/* Raw bytes of a PushSkillRequest, and of a ListSkillVersionsRequest where nested. */
struct raw_row {
    const char *what;
    str bytes;
    bool nested;
    const char *want; /* NULL: accepted */
};

#define BROKEN_PUSH BROKEN("PushSkillRequest")

static const struct raw_row raw_rows[] = {
    {"unknown fields are skipped", STR("\x0a\x01x\xf8\x07\x05\xfa\x07\x02hi\xfd\x07zzzz"), false,
     NULL},
    {"the last of a repeated string counts", STR("\x0a\x00\x0a\x01x"), false, NULL},
    {"overlong UTF-8", STR("\x0a\x02\xc0\x80"), false,
     "validation error: name: value must be valid UTF-8"},
    {"surrogate", STR("\x0a\x03\xed\xa0\x80"), false,
     "validation error: name: value must be valid UTF-8"},
    {"also where a later one replaces it", STR("\x0a\x01\xff\x0a\x01x"), false,
     "validation error: name: value must be valid UTF-8"},
    {"the tag", STR("\x0a\x01x\x2a\x01\x80"), false,
     "validation error: tag: value must be valid UTF-8"},
    {"NUL", STR("\x0a\x03x\0y"), false,
     "validation error: name: value must not contain NUL characters"},
    {"UTF-8 in a nested message", STR("\x0a\x03\x22\x01\xff"), true,
     "validation error: reference.slug: value must be valid UTF-8"},
    {"a cut string", STR("\x0a\x05x"), false, BROKEN_PUSH},
    {"a cut varint", STR("\x10\xff"), false, BROKEN_PUSH},
    {"a varint beyond 64 bits", STR("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), false,
     BROKEN_PUSH},
    {"field number 0", STR("\x02\x00"), false, BROKEN_PUSH},
    {"a group", STR("\x0b\x0c"), false, BROKEN_PUSH},
    {"a wire type that is not", STR("\x0f"), false, BROKEN_PUSH},
    {"a cut fixed64", STR("\x09zzzzzzz"), false, BROKEN_PUSH},
    {"a number for a string", STR("\x08\x01"), false, BROKEN_PUSH},
    {"a nested message that is cut", STR("\x0a\x02\x22\x05"), true,
     "the request is not a valid ai.stigmer.commons.apiresource.ApiResourceReference message: its "
     "protobuf encoding is damaged"},
};

TEST(raw_bytes_are_checked)
{
    for (size_t i = 0; i < ARRAY_SIZE(raw_rows); i++) {
        const struct raw_row *row = &raw_rows[i];
        CLEANUP(arena_deinit) struct arena a;
        arena_init(&a, KIB(64));
        struct skill_push push;
        struct skill_versions versions;
        struct error e = {0};
        enum err got = row->nested ? request_versions(row->bytes, &a, &versions, &e)
                                   : request_push(row->bytes, 1, &a, &push, &e);
        check_answer(got, &e, row->want);
    }
}

TEST(a_full_arena_is_no_malformed_request)
{
    struct arena a;
    arena_init(&a, 16);
    struct error e = {0};
    struct skill_ref got;
    CHECK_ERR(request_reference(STR("\x22\x01x"), &a, &got, &e), ERR_RESOURCE_EXHAUSTED, &e);
    arena_deinit(&a);
}

TEST(violations_beyond_the_bound_are_cut)
{
    struct check c = CHECK_INIT;
    for (int i = 0; i < 100; i++)
        check_add(&c, "field", "%s", "value is required");
    struct error e = {0};
    CHECK_ERR(check_end(&c, &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("validation errors:\n - field: value is required\n"));
    CHECK_OK(check_end(&CHECK_INIT, &e), &e);
}
