/* What src/meta/meta.h promises, held against every backend. */
#include "meta_kinds.h"

#include "base/buf.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static struct error e;

static struct meta *open_meta(const struct kind *kind)
{
    struct meta_backend *b = NULL;
    struct meta *m = NULL;
    CHECK_OK(kind->backend(&b, &e), &e);
    CHECK_OK(meta_new(b, NULL, &m, &e), &e);
    return m;
}

static struct arena arena;

static struct arena *fresh_arena(void)
{
    arena_deinit(&arena);
    arena_init(&arena, MIB(32));
    return &arena;
}

static enum err put_skill(struct meta_txn *t, void *arg, struct error *err)
{
    return meta_skill_put(t, arg, err);
}

static struct meta_skill skill_of(const char *id, const char *org, const char *slug)
{
    static uint64_t number;
    return (struct meta_skill){
        .id = str_c(id),
        .number = ++number,
        .scope = org[0] ? 2 : 1,
        .org = str_c(org),
        .slug = str_c(slug),
        .live = true,
        .life = 1,
        .first_seq = 1,
        .last_seq = 1,
        .created_at_ns = 1234567890123456789,
        .created_by = STR("ada"),
    };
}

static void write_skill(struct meta *m, struct meta_skill s)
{
    CHECK_OK(meta_write(m, put_skill, &s, &e), &e);
}

static uint64_t live_count(struct meta *m, const char *org)
{
    uint64_t n;
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    CHECK_OK(meta_live_count(&t, str_c(org), &n, &e), &e);
    return n;
}

ON_EACH(a_skill_comes_back_as_it_was_put)
{
    struct meta *m = open_meta(kind);
    struct meta_skill s = skill_of("org/acme/skill/calc", "acme", "calc"), got;
    s.live = false;
    s.deleted_at_ns = 99;
    s.deleted_by = STR("bob");
    write_skill(m, s);
    struct meta_txn t = META_TXN_INIT;
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    CHECK_OK(meta_skill_get(&t, s.id, fresh_arena(), &got, &e), &e);
    CHECK_ERR(meta_skill_get(&t, STR("nobody"), &arena, &(struct meta_skill){0}, &e), ERR_NOT_FOUND,
              &e);
    meta_read_end(&t); /* what was read outlives the transaction */
    CHECK_STR(got.id, s.id);
    CHECK_STR(got.org, s.org);
    CHECK_STR(got.slug, s.slug);
    CHECK_STR(got.created_by, s.created_by);
    CHECK_STR(got.deleted_by, s.deleted_by);
    CHECK_INT(got.number, s.number);
    CHECK_INT(got.scope, 2);
    CHECK_INT(got.live, false);
    CHECK_INT(got.life, 1);
    CHECK_INT(got.created_at_ns, s.created_at_ns);
    CHECK_INT(got.deleted_at_ns, 99);
    fresh_arena();
    meta_close(m);
}

ON_EACH(counters_follow_the_living)
{
    struct meta *m = open_meta(kind);
    struct meta_skill a = skill_of("org/a/skill/x", "a", "x");
    write_skill(m, a);
    write_skill(m, a); /* an update counts once */
    write_skill(m, skill_of("org/b/skill/x", "b", "x"));
    write_skill(m, skill_of("platform/skill/x", "", "x"));
    CHECK_INT(live_count(m, ""), 3);
    CHECK_INT(live_count(m, "a"), 1);
    CHECK_INT(live_count(m, "nobody"), 0);
    a.live = false;
    write_skill(m, a);
    write_skill(m, a);
    CHECK_INT(live_count(m, ""), 2);
    CHECK_INT(live_count(m, "a"), 0);
    CHECK_INT(live_count(m, "b"), 1);
    a.live = true;
    write_skill(m, a);
    CHECK_INT(live_count(m, ""), 3);
    meta_close(m);
}

static size_t live_list(struct meta *m, const char *prefix, const char *after, uint64_t skip,
                        size_t max, str *ids)
{
    size_t n;
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    CHECK_OK(meta_live_list(&t, str_c(prefix), str_c(after), skip, fresh_arena(), ids, max, &n, &e),
             &e);
    return n;
}

ON_EACH(live_skills_list_by_prefix_and_position)
{
    str ids[10];
    struct meta *m = open_meta(kind);
    write_skill(m, skill_of("org/a/skill/y", "a", "y"));
    write_skill(m, skill_of("org/a/skill/x", "a", "x"));
    write_skill(m, skill_of("org/a/skill/x-1", "a", "x-1"));
    write_skill(m, skill_of("org/ab/skill/x", "ab", "x"));
    struct meta_skill dead = skill_of("org/a/skill/dead", "a", "dead");
    write_skill(m, dead);
    dead.live = false;
    write_skill(m, dead);
    CHECK_INT(live_list(m, "", "", 0, 10, ids), 4);
    CHECK_STR(ids[0], STR("org/a/skill/x"));
    CHECK_STR(ids[1], STR("org/a/skill/x-1"));
    CHECK_STR(ids[2], STR("org/a/skill/y"));
    CHECK_STR(ids[3], STR("org/ab/skill/x"));
    CHECK_INT(live_list(m, "org/a/skill/", "", 0, 10, ids), 3);
    CHECK_INT(live_list(m, "org/a/skill/", "org/a/skill/x", 0, 10, ids), 2);
    CHECK_STR(ids[0], STR("org/a/skill/x-1"));
    CHECK_INT(live_list(m, "org/a/skill/", "", 1, 1, ids), 1);
    CHECK_STR(ids[0], STR("org/a/skill/x-1"));
    CHECK_INT(live_list(m, "org/a/skill/", "", 3, 10, ids), 0);
    CHECK_INT(live_list(m, "org/zz/", "", 0, 10, ids), 0);
    fresh_arena();
    meta_close(m);
}

ON_EACH(slugs_list_across_orgs)
{
    str ids[10];
    size_t n;
    struct meta *m = open_meta(kind);
    write_skill(m, skill_of("org/b/skill/x", "b", "x"));
    write_skill(m, skill_of("org/a/skill/x", "a", "x"));
    write_skill(m, skill_of("org/a/skill/x-1", "a", "x-1")); /* "x" is its prefix */
    write_skill(m, skill_of("platform/skill/x", "", "x"));
    struct meta_txn t = META_TXN_INIT;
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    CHECK_OK(meta_slug_list(&t, STR("x"), fresh_arena(), ids, 10, &n, &e), &e);
    CHECK_INT(n, 3);
    CHECK_STR(ids[0], STR("platform/skill/x"));
    CHECK_STR(ids[1], STR("org/a/skill/x"));
    CHECK_STR(ids[2], STR("org/b/skill/x"));
    CHECK_OK(meta_slug_list(&t, STR("x"), &arena, ids, 2, &n, &e), &e);
    CHECK_INT(n, 2);
    CHECK_OK(meta_slug_list(&t, STR("nope"), &arena, ids, 2, &n, &e), &e);
    CHECK_INT(n, 0);
    meta_read_end(&t);
    fresh_arena();
    meta_close(m);
}

static struct digest digest_of(uint8_t b)
{
    struct digest d;
    memset(d.b, b, sizeof d.b);
    return d;
}

static const struct meta_pair labels[] = {{{"team", 4}, {"core", 4}}, {{"empty", 5}, {"", 0}}};
static const str resource_tags[] = {{"math", 4}, {"a\0b", 3}};

static struct meta_version version_of(uint64_t seq, uint8_t hash)
{
    return (struct meta_version){
        .seq = seq,
        .name = STR("My \xf0\x9f\x90\x99 Skill"),
        .tag = STR("v1"),
        .artifact = digest_of(hash),
        .size = 12345678901,
        .text = digest_of(0xee),
        .life = 1,
        .sequence = 7,
        .created_at_ns = 1,
        .updated_at_ns = INT64_MAX,
        .created_by = STR("ada"),
        .updated_by = STR("bob"),
        .event = STR("updated"),
        .labels = labels,
        .n_labels = 2,
        .resource_tags = resource_tags,
        .n_resource_tags = 2,
    };
}

struct add_versions {
    uint64_t number;
    const struct meta_version *versions;
    size_t n;
};

static enum err add_versions(struct meta_txn *t, void *arg, struct error *err)
{
    const struct add_versions *a = arg;
    for (size_t i = 0; i < a->n; i++)
        TRY(meta_version_add(t, a->number, &a->versions[i], err));
    return ERR_OK;
}

ON_EACH(a_version_comes_back_as_it_was_added)
{
    struct meta *m = open_meta(kind);
    struct meta_version v = version_of(3, 0xaa), got;
    struct meta_artifact artifact;
    bool referenced;
    CHECK_OK(meta_write(m, add_versions, &(struct add_versions){5, &v, 1}, &e), &e);
    struct meta_txn t = META_TXN_INIT;
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    CHECK_OK(meta_version_get(&t, 5, 3, fresh_arena(), &got, &e), &e);
    CHECK_ERR(meta_version_get(&t, 5, 2, &arena, &v, &e), ERR_NOT_FOUND, &e);
    CHECK_ERR(meta_version_get(&t, 6, 3, &arena, &v, &e), ERR_NOT_FOUND, &e);
    CHECK_STR(got.name, v.name);
    CHECK_STR(got.tag, v.tag);
    CHECK(digest_eq(&got.artifact, &v.artifact) && digest_eq(&got.text, &v.text));
    CHECK_INT(got.size, 12345678901);
    CHECK_INT(got.updated_at_ns, INT64_MAX);
    CHECK_STR(got.event, STR("updated"));
    CHECK_INT(got.n_labels, 2);
    CHECK_STR(got.labels[0].value, STR("core"));
    CHECK_STR(got.labels[1].value, STR(""));
    CHECK_INT(got.n_annotations, 0);
    CHECK_STR(got.resource_tags[1], STR("a\0b"));
    CHECK_OK(meta_artifact_get(&t, &got.artifact, &artifact, &e), &e);
    CHECK_INT(artifact.size, 12345678901);
    CHECK_INT(artifact.state, META_ARTIFACT_LIVE);
    CHECK_OK(meta_artifact_referenced(&t, &got.artifact, &referenced, &e), &e);
    CHECK(referenced);
    CHECK_OK(meta_artifact_referenced(&t, &got.text, &referenced, &e), &e);
    CHECK(!referenced);
    CHECK_ERR(meta_artifact_get(&t, &got.text, &artifact, &e), ERR_NOT_FOUND, &e);
    meta_read_end(&t);
    fresh_arena();
    meta_close(m);
}

ON_EACH(a_hash_finds_its_newest_version_of_that_skill)
{
    struct meta *m = open_meta(kind);
    struct meta_version vs[] = {version_of(1, 1), version_of(2, 2), version_of(300, 1),
                                version_of(301, 2)};
    struct meta_version other = version_of(999, 1);
    struct digest d = digest_of(1), none = digest_of(9);
    uint64_t seq;
    CHECK_OK(meta_write(m, add_versions, &(struct add_versions){5, vs, 4}, &e), &e);
    CHECK_OK(meta_write(m, add_versions, &(struct add_versions){6, &other, 1}, &e), &e);
    struct meta_txn t = META_TXN_INIT;
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    CHECK_OK(meta_hash_find(&t, 5, &d, &seq, &e), &e);
    CHECK_INT(seq, 300);
    CHECK_ERR(meta_hash_find(&t, 5, &none, &seq, &e), ERR_NOT_FOUND, &e);
    CHECK_ERR(meta_hash_find(&t, 7, &d, &seq, &e), ERR_NOT_FOUND, &e);
    meta_read_end(&t);
    meta_close(m);
}

struct set_tag {
    const char *tag;
    uint64_t seq;
};

static enum err set_tag(struct meta_txn *t, void *arg, struct error *err)
{
    const struct set_tag *s = arg;
    struct meta_tag v = {s->seq, 77, STR("ada")};
    return meta_tag_set(t, 5, str_c(s->tag), &v, err);
}

static size_t tags_of(struct meta *m, uint64_t seq, const str **ret)
{
    size_t n;
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    CHECK_OK(meta_tags_of(&t, 5, seq, fresh_arena(), ret, &n, &e), &e);
    return n;
}

ON_EACH(tags_point_forth_and_back)
{
    struct meta *m = open_meta(kind);
    struct meta_tag got;
    const str *tags;
    CHECK_OK(meta_write(m, set_tag, &(struct set_tag){"stable", 1}, &e), &e);
    CHECK_OK(meta_write(m, set_tag, &(struct set_tag){"beta", 1}, &e), &e);
    CHECK_INT(tags_of(m, 1, &tags), 2);
    CHECK_STR(tags[0], STR("beta"));
    CHECK_STR(tags[1], STR("stable"));
    CHECK_OK(meta_write(m, set_tag, &(struct set_tag){"stable", 2}, &e), &e);
    CHECK_INT(tags_of(m, 1, &tags), 1);
    CHECK_STR(tags[0], STR("beta"));
    CHECK_INT(tags_of(m, 2, &tags), 1);
    CHECK_INT(tags_of(m, 3, &tags), 0);
    struct meta_txn t = META_TXN_INIT;
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    CHECK_OK(meta_tag_get(&t, 5, STR("stable"), &arena, &got, &e), &e);
    CHECK_INT(got.seq, 2);
    CHECK_INT(got.moved_at_ns, 77);
    CHECK_STR(got.moved_by, STR("ada"));
    CHECK_ERR(meta_tag_get(&t, 5, STR("stabl"), &arena, &got, &e), ERR_NOT_FOUND, &e);
    CHECK_ERR(meta_tag_get(&t, 6, STR("stable"), &arena, &got, &e), ERR_NOT_FOUND, &e);
    meta_read_end(&t);
    fresh_arena();
    meta_close(m);
}

struct put_text {
    uint64_t seq;
    str text;
};

static enum err put_text(struct meta_txn *t, void *arg, struct error *err)
{
    const struct put_text *p = arg;
    return meta_text_put(t, 7, p->seq, p->text, err);
}

static char big[META_VALUE_MAX + 1];

ON_EACH(texts_are_bounded)
{
    struct meta *m = open_meta(kind);
    str got;
    memset(big, 'x', sizeof big);
    CHECK_OK(meta_write(m, put_text, &(struct put_text){1, str_of(big, META_VALUE_MAX)}, &e), &e);
    CHECK_ERR(meta_write(m, put_text, &(struct put_text){2, str_of(big, sizeof big)}, &e),
              ERR_RESOURCE_EXHAUSTED, &e);
    struct meta_txn t = META_TXN_INIT;
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    CHECK_OK(meta_text_get(&t, 7, 1, fresh_arena(), &got, &e), &e);
    CHECK(str_eq(got, str_of(big, META_VALUE_MAX)));
    CHECK_ERR(meta_text_get(&t, 7, 2, &arena, &got, &e), ERR_NOT_FOUND, &e);
    CHECK_ERR(meta_text_get(&t, 8, 1, &arena, &got, &e), ERR_NOT_FOUND, &e);
    struct arena small;
    arena_init(&small, KIB(8));
    CHECK_ERR(meta_text_get(&t, 7, 1, &small, &got, &e), ERR_RESOURCE_EXHAUSTED, &e);
    arena_deinit(&small);
    meta_read_end(&t);
    fresh_arena();
    meta_close(m);
}

static enum err remove_version(struct meta_txn *t, void *arg, struct error *err)
{
    return meta_version_remove(t, 7, *(const uint64_t *)arg, err);
}

static bool has_text_of(struct meta *m, uint64_t seq)
{
    str got;
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    enum err err = meta_text_get(&t, 7, seq, fresh_arena(), &got, &e);
    CHECK(err == ERR_OK || err == ERR_NOT_FOUND);
    return err == ERR_OK;
}

/* Versions 1 to 3 share one, 4 has its own. */
ON_EACH(a_text_goes_with_the_last_version_that_has_it)
{
    struct meta *m = open_meta(kind);
    struct meta_version vs[] = {version_of(1, 1), version_of(2, 2), version_of(3, 3),
                                version_of(4, 4)};
    vs[1].text_seq = vs[2].text_seq = 1;
    CHECK_OK(meta_write(m, add_versions, &(struct add_versions){7, vs, 4}, &e), &e);
    CHECK_OK(meta_write(m, put_text, &(struct put_text){1, STR("shared")}, &e), &e);
    CHECK_OK(meta_write(m, put_text, &(struct put_text){4, STR("own")}, &e), &e);
    for (uint64_t seq = 1; seq <= 4; seq++) {
        CHECK(has_text_of(m, 1) == (seq <= 3));
        CHECK(has_text_of(m, 4));
        CHECK_OK(meta_write(m, remove_version, &seq, &e), &e);
    }
    CHECK(!has_text_of(m, 4));
    fresh_arena();
    meta_close(m);
}

struct tick {
    int64_t now;
    uint64_t sequence;
    int64_t time;
};

static enum err tick(struct meta_txn *t, void *arg, struct error *err)
{
    struct tick *k = arg;
    TRY(meta_next(t, k->now, &k->sequence, &k->time, err));
    struct meta_event ev = {.sequence = k->sequence,
                            .what = STR("ticked"),
                            .id = STR("id"),
                            .who = STR("ada"),
                            .seq = 4,
                            .time_ns = k->time,
                            .detail = STR("d")};
    return meta_event_add(t, &ev, err);
}

ON_EACH(time_grows_strictly_whatever_the_clock_does)
{
    struct meta *m = open_meta(kind);
    struct tick steps[] = {{1000, 0, 0}, {1000, 0, 0}, {5, 0, 0}, {-1, 0, 0}, {2000, 0, 0}};
    static const int64_t want[] = {1000, 1001, 1002, 1003, 2000};
    struct meta_event ev;
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        CHECK_OK(meta_write(m, tick, &steps[i], &e), &e);
        CHECK_INT(steps[i].sequence, i + 1);
        CHECK_INT(steps[i].time, want[i]);
    }
    struct meta_txn t = META_TXN_INIT;
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    CHECK_OK(meta_event_get(&t, 3, fresh_arena(), &ev, &e), &e);
    CHECK_STR(ev.what, STR("ticked"));
    CHECK_STR(ev.who, STR("ada"));
    CHECK_STR(ev.detail, STR("d"));
    CHECK_INT(ev.seq, 4);
    CHECK_INT(ev.time_ns, 1002);
    CHECK_ERR(meta_event_get(&t, 6, &arena, &ev, &e), ERR_NOT_FOUND, &e);
    meta_read_end(&t);
    fresh_arena();
    meta_close(m);
}

static enum err write_then_fail(struct meta_txn *t, void *arg, struct error *err)
{
    TRY(meta_skill_put(t, arg, err));
    return FAIL(err, ERR_ABORTED, "test.abort", "on purpose");
}

ON_EACH(a_failing_closure_leaves_nothing_and_answers_its_error)
{
    struct meta *m = open_meta(kind);
    struct meta_skill s = skill_of("org/a/skill/x", "a", "x");
    CHECK_ERR(meta_write(m, write_then_fail, &s, &e), ERR_ABORTED, &e);
    CHECK_STR(str_c(e.msg), STR("on purpose"));
    CHECK_INT(live_count(m, ""), 0);
    CHECK(meta_writable(m));
    meta_close(m);
}

enum { N_THREADS = 32, N_EACH = 50 };

struct hammer {
    struct meta *m;
    pthread_t thread;
    int n;
    uint64_t sequences[N_EACH];
};

/* Every third closure fails after it has written. */
static void *hammer(void *arg)
{
    struct hammer *h = arg;
    for (int i = 0; i < N_EACH; i++) {
        struct error err;
        char id[64];
        (void)snprintf(id, sizeof id, "org/t%d/skill/s%d", h->n, i);
        struct meta_skill s = {
            .id = str_c(id), .scope = 2, .org = STR("t"), .slug = str_c(id), .live = true};
        struct tick k = {.now = 1};
        if (i % 3 == 2) {
            CHECK_ERR(meta_write(h->m, write_then_fail, &s, &err), ERR_ABORTED, &err);
            continue;
        }
        CHECK_OK(meta_write(h->m, put_skill, &s, &err), &err);
        CHECK_OK(meta_write(h->m, tick, &k, &err), &err);
        h->sequences[i] = k.sequence;
    }
    return NULL;
}

ON_EACH(many_writers_share_commits_and_failures_stay_alone)
{
    static struct hammer hs[N_THREADS];
    static bool seen[N_THREADS * N_EACH + 1];
    struct meta *m = open_meta(kind);
    for (int i = 0; i < N_THREADS; i++) {
        hs[i].m = m;
        hs[i].n = i;
        CHECK(pthread_create(&hs[i].thread, NULL, hammer, &hs[i]) == 0);
    }
    uint64_t n_ok = 0;
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(hs[i].thread, NULL);
    for (int i = 0; i < N_THREADS; i++)
        for (int j = 0; j < N_EACH; j++)
            if (j % 3 != 2) {
                n_ok++;
                CHECK(!seen[hs[i].sequences[j]]);
                seen[hs[i].sequences[j]] = true;
            }
    CHECK_INT(live_count(m, ""), n_ok);
    CHECK_INT(live_count(m, "t"), n_ok);
    for (uint64_t i = 1; i <= n_ok; i++)
        CHECK(seen[i]);
    meta_close(m);
}

/* Flips one byte of a stored value behind meta's back. */
static void damage(struct meta_backend *b, enum meta_table table, str key, size_t at)
{
    static char copy[64];
    str value;
    struct meta_btxn *t = NULL;
    CHECK_OK(b->ops->begin_write(b, NULL, &t, &e), &e);
    CHECK_OK(b->ops->get(t, table, key, &value, &e), &e);
    CHECK(value.len <= sizeof copy && at < value.len);
    memcpy(copy, value.p, value.len);
    copy[at] ^= 0x10;
    CHECK_OK(b->ops->put(t, table, key, str_of(copy, value.len), &e), &e);
    CHECK_OK(b->ops->commit(t, &e), &e);
}

/* META_TEXTS' key of version seq of skill 7. */
static str text_key(struct meta_key *k, uint64_t seq)
{
    *k = META_KEY_INIT;
    key_add_u64(k, 7);
    key_add_u64(k, seq);
    return key_view(k);
}

static enum err read_text(struct meta *m, uint64_t seq)
{
    str got;
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    return meta_text_get(&t, 7, seq, fresh_arena(), &got, &e);
}

/* In memory the backend is reached beside its meta; on disk it is the same directory again. */
ON_EACH(damage_is_noticed_wherever_it_is)
{
    struct meta_backend *b = NULL;
    struct meta *m = NULL;
    struct meta_key key;
    CHECK_OK(kind->backend(&b, &e), &e);
    CHECK_OK(meta_new(b, NULL, &m, &e), &e);
    CHECK_OK(meta_write(m, put_text, &(struct put_text){1, STR("text")}, &e), &e);
    CHECK_OK(read_text(m, 1), &e);
    for (size_t at = 0; at < 9 + 4; at++) { /* format, checksum, payload */
        damage(b, META_TEXTS, text_key(&key, 1), at);
        CHECK_ERR(read_text(m, 1), ERR_DATA_LOSS, &e);
        damage(b, META_TEXTS, text_key(&key, 1), at); /* and back */
        CHECK_OK(read_text(m, 1), &e);
    }
    fresh_arena();
    meta_close(m);
}

ON_EACH(a_record_moved_to_another_key_is_damage)
{
    struct meta_backend *b = NULL;
    struct meta *m = NULL;
    struct meta_btxn *t = NULL;
    static char copy[64];
    struct meta_key key;
    str value;
    CHECK_OK(kind->backend(&b, &e), &e);
    CHECK_OK(meta_new(b, NULL, &m, &e), &e);
    CHECK_OK(meta_write(m, put_text, &(struct put_text){1, STR("text")}, &e), &e);
    CHECK_OK(b->ops->begin_write(b, NULL, &t, &e), &e);
    CHECK_OK(b->ops->get(t, META_TEXTS, text_key(&key, 1), &value, &e), &e);
    CHECK(value.len <= sizeof copy);
    memcpy(copy, value.p, value.len);
    str moved = str_of(copy, value.len);
    CHECK_OK(b->ops->put(t, META_TEXTS, text_key(&key, 2), moved, &e), &e);
    CHECK_OK(b->ops->commit(t, &e), &e);
    CHECK_ERR(read_text(m, 2), ERR_DATA_LOSS, &e);
    fresh_arena();
    meta_close(m);
}

ON_EACH(keys_that_do_not_fit_are_refused)
{
    static char id[META_KEY_MAX + 1];
    struct meta *m = open_meta(kind);
    struct meta_skill s = skill_of("x", "a", "x");
    memset(id, 'i', sizeof id);
    s.id = str_of(id, sizeof id);
    CHECK_ERR(meta_write(m, put_skill, &s, &e), ERR_INVALID_ARGUMENT, &e);
    s.id = STR_NULL;
    CHECK_ERR(meta_write(m, put_skill, &s, &e), ERR_INVALID_ARGUMENT, &e);
    struct set_tag tag = {id, 1};
    id[META_KEY_MAX - 8] = '\0'; /* 8 bytes of number, and one for the table */
    CHECK_ERR(meta_write(m, set_tag, &tag, &e), ERR_INVALID_ARGUMENT, &e);
    id[META_KEY_MAX - 17] = '\0'; /* the way back has a version, too */
    CHECK_OK(meta_write(m, set_tag, &tag, &e), &e);
    meta_close(m);
}

static enum err collect(void *ctx, const struct meta_skill *s, struct error *err)
{
    (void)err;
    buf_add(ctx, s->id);
    buf_add_char(ctx, s->live ? '+' : '-');
    return ERR_OK;
}

static enum err refuse(void *ctx, const struct meta_skill *s, struct error *err)
{
    (void)ctx, (void)s;
    return FAIL(err, ERR_CANCELLED, "test.stop", "enough");
}

ON_EACH(each_skill_is_visited_dead_or_alive)
{
    struct meta *m = open_meta(kind);
    struct meta_skill dead = skill_of("b", "a", "b");
    struct buf seen;
    buf_init(&seen, 1000);
    dead.live = false;
    write_skill(m, skill_of("c", "a", "c"));
    write_skill(m, dead);
    write_skill(m, skill_of("a", "a", "a"));
    struct meta_txn t = META_TXN_INIT;
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    CHECK_OK(meta_skill_each(&t, collect, &seen, &e), &e);
    CHECK_STR(buf_view(&seen), STR("a+b-c+"));
    CHECK_ERR(meta_skill_each(&t, refuse, NULL, &e), ERR_CANCELLED, &e);
    meta_read_end(&t);
    buf_deinit(&seen);
    meta_close(m);
}

struct reader {
    pthread_t thread;
    struct meta *m;
    atomic_bool *stop;
    uint64_t n_reads;
};

/* The two counters of one commit are never seen apart. */
static void *read_counters(void *arg)
{
    struct reader *r = arg;
    struct error err;
    do {
        uint64_t all, one;
        struct meta_txn t = META_TXN_INIT;
        CHECK_OK(meta_read_begin(r->m, &t, &err), &err);
        CHECK_OK(meta_live_count(&t, STR_NULL, &all, &err), &err);
        CHECK_OK(meta_live_count(&t, STR("t"), &one, &err), &err);
        meta_read_end(&t);
        CHECK_INT(all, one);
        r->n_reads++;
    } while (!*r->stop);
    return NULL;
}

ON_EACH(readers_see_whole_commits_while_others_write)
{
    enum { N_READERS = 4 };
    atomic_bool stop = false;
    struct reader rs[N_READERS];
    struct meta *m = open_meta(kind);
    for (int i = 0; i < N_READERS; i++) {
        rs[i] = (struct reader){.m = m, .stop = &stop};
        CHECK(pthread_create(&rs[i].thread, NULL, read_counters, &rs[i]) == 0);
    }
    for (int i = 0; i < 300; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "id%d", i % 100);
        struct meta_skill s = skill_of(id, "t", id);
        s.live = i % 200 < 100;
        write_skill(m, s);
    }
    stop = true;
    for (int i = 0; i < N_READERS; i++) {
        pthread_join(rs[i].thread, NULL);
        CHECK(rs[i].n_reads > 0);
    }
    CHECK_INT(live_count(m, ""), 100);
    meta_close(m);
}
