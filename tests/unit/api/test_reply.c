/* Answers, byte for byte where a recording exists. */
#include "api/reply.h"
#include "base/macro.h"
#include "golden.h"
#include "pb.h"

/* As in the recordings: 64 times "a", 2026-01-25T09:48:50.000000001Z. */
static struct skill recorded(void)
{
    struct skill s = {
        .id = STR("skl-01arz3ndektsv4rrffq69g5fav"),
        .name = STR("My Calculator"),
        .slug = STR("my-calculator"),
        .org = STR("local"),
        .scope = SKILL_SCOPE_ORGANIZATION,
        .version_no = 1,
        .skill_md = STR("# Calculator\n"),
        .tag = STR("latest"),
        .size = 22,
        .created_by = STR("system"),
        .updated_by = STR("system"),
        .event = STR("created"),
        .created_at_ns = 1769334530000000001,
        .updated_at_ns = 1769334530000000001,
        .current = true,
    };
    memset(s.hash.b, 0xaa, sizeof(s.hash.b));
    return s;
}

static struct arena arena;
static struct buf out;

static void begin(void)
{
    arena_init(&arena, MIB(1));
    buf_init(&out, MIB(1));
}

static void end(void)
{
    buf_deinit(&out);
    arena_deinit(&arena);
}

static void check_golden(const char *name)
{
    str want = golden_named(name);
    CHECK_STR(buf_view(&out), want);
    free((char *)want.p);
}

TEST(a_skill_is_as_recorded)
{
    begin();
    struct skill s = recorded();
    struct error e;
    CHECK_OK(reply_skill(&s, &arena, &out, &e), &e);
    check_golden("skill_created");
    end();
}

TEST(a_list_is_as_recorded)
{
    begin();
    struct skill s = recorded();
    struct skill_list l = {.items = &s, .n_items = 1};
    struct error e;
    CHECK_OK(reply_list(&l, &arena, &out, &e), &e);
    check_golden("skill_list");
    end();
}

TEST(an_artifact_is_as_recorded)
{
    begin();
    reply_artifact_head(22, &out);
    buf_add(&out, STR("PK\x05\x06"));
    buf_add_zero(&out, 18);
    check_golden("getartifact_resp");
    end();
}

TEST(an_empty_skill_carries_every_part)
{
    begin();
    struct skill s = {0};
    struct error e;
    CHECK_OK(reply_skill(&s, &arena, &out, &e), &e);
    PB_SKILL(Skill) *m = pb_skill(skill__unpack)(NULL, out.len, (const uint8_t *)out.p);
    CHECK(m && m->metadata && m->spec && m->status && m->status->audit);
    CHECK(m->status->audit->spec_audit && m->status->audit->status_audit);
    CHECK(m->status->audit->spec_audit->created_at && m->status->audit->spec_audit->created_by);
    CHECK_INT(m->status->state, PB_SKILL_C(SKILL_STATE__SKILL_STATE_READY));
    pb_skill(skill__free_unpacked)(m, NULL);
    end();
}

TEST(labels_and_times_reach_the_answer)
{
    begin();
    struct skill s = recorded();
    const struct skill_pair pairs[] = {{STR("a"), STR("1")}, {STR("b"), STR("")}};
    const str tags[] = {STR("x"), STR("y")};
    s.labels = pairs;
    s.n_labels = 2;
    s.annotations = pairs + 1;
    s.n_annotations = 1;
    s.resource_tags = tags;
    s.n_resource_tags = 2;
    s.created_at_ns = -1; /* a nanosecond before the epoch */
    struct error e;
    CHECK_OK(reply_skill(&s, &arena, &out, &e), &e);
    PB_SKILL(Skill) *m = pb_skill(skill__unpack)(NULL, out.len, (const uint8_t *)out.p);
    CHECK(m);
    CHECK_INT(m->metadata->n_labels, 2);
    CHECK_STR(str_c(m->metadata->labels[0]->value), STR("1"));
    CHECK_INT(m->metadata->n_annotations, 1);
    CHECK_STR(str_c(m->metadata->annotations[0]->key), STR("b"));
    CHECK_INT(m->metadata->n_tags, 2);
    CHECK_STR(str_c(m->metadata->tags[1]), STR("y"));
    CHECK_INT(m->status->audit->spec_audit->created_at->seconds, -1);
    CHECK_INT(m->status->audit->spec_audit->created_at->nanos, 999999999);
    pb_skill(skill__free_unpacked)(m, NULL);
    end();
}

TEST(versions_carry_what_is_known)
{
    begin();
    struct skill s[2] = {recorded(), recorded()};
    const str tags[] = {STR("latest"), STR("stable")};
    s[0].tags_pointing = tags;
    s[0].n_tags_pointing = 2;
    s[1].current = false;
    s[1].deleted = true;
    struct skill_list l = {
        .items = s, .n_items = 2, .total = UINT64_MAX, .next_token = STR("next")};
    struct error e;
    CHECK_OK(reply_versions(&l, &arena, &out, &e), &e);
    PB_SKILL(SkillVersionList) *m =
        pb_skill(skill_version_list__unpack)(NULL, out.len, (const uint8_t *)out.p);
    CHECK(m);
    CHECK_INT(m->n_items, 2);
    CHECK_INT(m->total, INT32_MAX);
    CHECK_STR(str_c(m->next_page_token), STR("next"));
    CHECK_STR(str_c(m->kind), STR("SkillVersionList"));
    CHECK_STR(str_c(m->skill_id), s[0].id);
    const PB_SKILL(SkillVersion) *v = m->items[0];
    CHECK_INT(v->number, 1);
    CHECK_INT(v->size, 22);
    CHECK_INT(v->n_tags, 2);
    CHECK_STR(str_c(v->tags[1]), STR("stable"));
    CHECK_STR(str_c(v->actor->id), STR("system"));
    CHECK_INT(v->updated_at->nanos, 1);
    CHECK(v->current && !v->deleted);
    CHECK(!m->items[1]->current && m->items[1]->deleted);
    pb_skill(skill_version_list__free_unpacked)(m, NULL);
    end();
}

TEST(files_carry_what_a_manifest_has)
{
    begin();
    struct skill_file files[] = {{STR("SKILL.md"), 22, {{0}}, 0644},
                                 {STR("b/\xc3\xa4.sh"), UINT64_C(1) << 33, {{0}}, 0755}};
    struct skill_file_list l = {
        .items = files, .n_items = 2, .total = 3, .total_size = 99, .next_token = STR("next")};
    memset(files[1].sha256.b, 0xbb, sizeof(files[1].sha256.b));
    memset(l.hash.b, 0xaa, sizeof(l.hash.b));
    struct error e;
    CHECK_OK(reply_files(&l, &arena, &out, &e), &e);
    PB_SKILL(SkillFileList) *m =
        pb_skill(skill_file_list__unpack)(NULL, out.len, (const uint8_t *)out.p);
    CHECK(m);
    CHECK_STR(str_c(m->api_version), STR("agentic.stigmer.ai/v1"));
    CHECK_STR(str_c(m->kind), STR("SkillFileList"));
    CHECK_STR(str_c(m->next_page_token), STR("next"));
    CHECK_INT(m->total, 3);
    CHECK_INT(m->total_size, 99);
    CHECK_STR(str_head(str_c(m->version_hash), 4), STR("aaaa"));
    CHECK_INT(strlen(m->version_hash), SHA256_HEX_LEN);
    CHECK_INT(m->n_items, 2);
    CHECK_STR(str_c(m->items[0]->path), STR("SKILL.md"));
    CHECK_INT(m->items[0]->mode, 0644);
    CHECK_STR(str_c(m->items[1]->path), STR("b/\xc3\xa4.sh"));
    CHECK_INT(m->items[1]->size, INT64_C(1) << 33);
    CHECK_INT(m->items[1]->mode, 0755);
    CHECK_STR(str_head(str_c(m->items[1]->sha256), 4), STR("bbbb"));
    CHECK_INT(strlen(m->items[1]->sha256), SHA256_HEX_LEN);
    pb_skill(skill_file_list__free_unpacked)(m, NULL);
    end();
}

/* The arena of its call takes a page of 1,000 files with paths of 1 KiB beside what it is made of,
 * and clients take the message, which is below 4 MiB. */
TEST(the_largest_page_of_files_fits)
{
    enum { N = SKILL_FILES_PAGE_MAX, PATH_LEN = 1024 };
    static struct skill_file files[N];
    static char path[PATH_LEN];
    memset(path, 'p', sizeof(path));
    for (int i = 0; i < N; i++)
        files[i] = (struct skill_file){str_of(path, PATH_LEN), INT64_MAX, {{0}}, 0755};
    struct skill_file_list l = {.items = files, .n_items = N, .total = N};
    struct error e;
    arena_init(&arena, MIB(2));
    buf_init(&out, MIB(2));
    CHECK_OK(reply_files(&l, &arena, &out, &e), &e);
    end();
    arena_init(&arena, MIB(1));
    buf_init(&out, MIB(2));
    CHECK_ERR(reply_files(&l, &arena, &out, &e), ERR_RESOURCE_EXHAUSTED, &e);
    end();
}

TEST(an_empty_list_is_a_list)
{
    begin();
    struct skill_list l = {0};
    struct error e;
    CHECK_OK(reply_versions(&l, &arena, &out, &e), &e);
    buf_clear(&out);
    CHECK_OK(reply_list(&l, &arena, &out, &e), &e);
    PB_SKILL(SkillList) *m = pb_skill(skill_list__unpack)(NULL, out.len, (const uint8_t *)out.p);
    CHECK(m);
    CHECK_INT(m->n_items, 0);
    CHECK_STR(str_c(m->api_version), STR("agentic.stigmer.ai/v1"));
    pb_skill(skill_list__free_unpacked)(m, NULL);
    end();
}

TEST(chunks_end_with_their_data)
{
    begin();
    reply_chunk_head(1000000, 300, 5, &out);
    buf_add(&out, STR("hello"));
    PB_SKILL(ArtifactChunk) *m =
        pb_skill(artifact_chunk__unpack)(NULL, out.len, (const uint8_t *)out.p);
    CHECK(m);
    CHECK_INT(m->total, 1000000);
    CHECK_INT(m->offset, 300);
    CHECK_STR(str_of(m->data.data, m->data.len), STR("hello"));
    pb_skill(artifact_chunk__free_unpacked)(m, NULL);
    end();
}

TEST(what_does_not_fit_is_an_error)
{
    struct skill s = recorded();
    struct error e;
    begin();
    arena.max = 100;
    CHECK_ERR(reply_skill(&s, &arena, &out, &e), ERR_RESOURCE_EXHAUSTED, &e);
    end();
    begin();
    out.max = 100;
    CHECK_ERR(reply_skill(&s, &arena, &out, &e), ERR_RESOURCE_EXHAUSTED, &e);
    end();
}
