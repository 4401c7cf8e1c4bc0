#include "kit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

BOTH(a_first_push_answers_the_whole_skill)
{
    struct skill s;
    struct skill_push in = {.name = STR("My Calculator"),
                            .scope = SKILL_SCOPE_ORGANIZATION,
                            .org = STR("acme"),
                            .tag = STR("v1"),
                            .actor = STR("ada")};
    kit_now = 1700000000123456789;
    CHECK_OK(kit_push_as(k, &in, "# Calc\n", &s), &k->e);
    CHECK_STR(s.id, STR("org/acme/skill/my-calculator"));
    CHECK_STR(s.name, STR("My Calculator"));
    CHECK_STR(s.slug, STR("my-calculator"));
    CHECK_STR(s.org, STR("acme"));
    CHECK_INT(s.scope, SKILL_SCOPE_ORGANIZATION);
    CHECK_STR(s.tag, STR("v1"));
    CHECK_STR(s.skill_md, STR("# Calc\n"));
    CHECK_STR(s.created_by, STR("ada"));
    CHECK_STR(s.updated_by, STR("ada"));
    CHECK_STR(s.event, STR("created"));
    CHECK_INT(s.created_at_ns, 1700000000123456789);
    CHECK_INT(s.updated_at_ns, 1700000000123456789);
    CHECK_INT(s.version_no, 1);
    CHECK(s.current && !s.deleted && s.size > 100);
    struct skill got;
    CHECK_OK(skill_get(k->service, s.id, &k->a, &got, &k->e), &k->e);
    CHECK_STR(got.skill_md, s.skill_md);
    CHECK(digest_eq(&got.hash, &s.hash));
    CHECK_INT(got.size, s.size);
}

BOTH(an_update_keeps_who_made_it_and_when)
{
    struct skill_push in = {.name = STR("calc"), .actor = STR("ada")};
    struct skill one, two;
    CHECK_OK(kit_push_as(k, &in, "one", &one), &k->e);
    CHECK_STR(one.id, STR("platform/skill/calc"));
    in.actor = STR_NULL;
    in.name = STR("CALC");
    CHECK_OK(kit_push_as(k, &in, "two", &two), &k->e);
    CHECK_STR(two.id, one.id);
    CHECK_STR(two.name, STR("CALC")); /* as sent */
    CHECK_STR(two.created_by, STR("ada"));
    CHECK_STR(two.updated_by, STR("system"));
    CHECK_STR(two.event, STR("updated"));
    CHECK_INT(two.created_at_ns, one.created_at_ns);
    CHECK(two.updated_at_ns > one.updated_at_ns);
    CHECK_INT(two.version_no, 2);
}

BOTH(scopes_become_organization_or_platform)
{
    struct skill s;
    struct skill_push in = {.name = STR("calc"), .scope = SKILL_SCOPE_PLATFORM, .org = STR("acme")};
    CHECK_OK(kit_push_as(k, &in, "one", &s), &k->e);
    CHECK_STR(s.id, STR("platform/skill/calc"));
    CHECK_STR(s.org, STR("")); /* a platform skill belongs to no org */
    in.scope = SKILL_SCOPE_UNSPECIFIED;
    CHECK_OK(kit_push_as(k, &in, "one", &s), &k->e);
    CHECK_STR(s.id, STR("org/acme/skill/calc"));
    CHECK_INT(s.scope, SKILL_SCOPE_ORGANIZATION);
    in.org = STR_NULL;
    CHECK_OK(kit_push_as(k, &in, "one", &s), &k->e);
    CHECK_STR(s.id, STR("platform/skill/calc"));
    CHECK_INT(s.scope, SKILL_SCOPE_PLATFORM);
    in.scope = SKILL_SCOPE_ORGANIZATION;
    CHECK_ERR(kit_push_as(k, &in, "one", &s), ERR_INVALID_ARGUMENT, &k->e);
    CHECK_CONTAINS(str_c(k->e.msg), STR("org is required"));
    in.scope = SKILL_SCOPE_IDENTITY_ACCOUNT;
    in.org = STR("acme");
    CHECK_ERR(kit_push_as(k, &in, "one", &s), ERR_INVALID_ARGUMENT, &k->e);
    CHECK_STR(str_c(k->e.msg), STR("Skill resources can only have platform or organization scope"));
    in.scope = (enum skill_scope)9;
    CHECK_ERR(kit_push_as(k, &in, "one", &s), ERR_INVALID_ARGUMENT, &k->e);
}

static enum err count(void *ctx, const struct store_info *info, struct error *e)
{
    (void)info, (void)e;
    ++*(int *)ctx;
    return ERR_OK;
}

static int n_stored(struct kit *k)
{
    int n = 0;
    CHECK_OK(store_each(k->store, count, &n, &k->e), &k->e);
    return n;
}

static void check_refused(struct kit *k, const struct skill_push *in, const char *text)
{
    struct skill s;
    struct skill_list list;
    struct skill_find all = {.page = 1, .page_size = 10};
    CHECK_ERR(kit_push_as(k, in, "fine", &s), ERR_INVALID_ARGUMENT, &k->e);
    CHECK_CONTAINS(str_c(k->e.msg), str_c(text));
    CHECK_INT(n_stored(k), 0);
    CHECK_OK(skill_find(k->service, &all, &k->a, &list, &k->e), &k->e);
    CHECK_INT(list.total, 0);
}

static str repeat(char c, size_t n)
{
    static char text[1000];
    memset(text, c, sizeof text);
    return str_of(text, n);
}

BOTH(names_orgs_and_tags_have_bounds)
{
    check_refused(k, &(struct skill_push){.name = STR("!!!")}, "invalid skill name: !!!");
    check_refused(k, &(struct skill_push){.name = STR("你好")}, "invalid skill name: 你好");
    check_refused(k, &(struct skill_push){.name = repeat('a', 257)}, "name: at most 256");
    check_refused(k, &(struct skill_push){.name = STR("a"), .org = STR("a/b")}, "org: at most 128");
    check_refused(k, &(struct skill_push){.name = STR("a"), .org = repeat('o', 129)}, "org: at");
    check_refused(k, &(struct skill_push){.name = STR("a"), .tag = repeat('t', 129)}, "tag: at");
    check_refused(k, &(struct skill_push){.name = STR("a"), .tag = STR("a b")}, "tag: at most 128");
    check_refused(k, &(struct skill_push){.name = STR("a"), .tag = repeat('a', 64)},
                  "name a version by its hash");
}

BOTH(the_longest_names_fit)
{
    static char name[SKILL_NAME_MAX], org[SKILL_ORG_MAX], tag[SKILL_TAG_MAX];
    struct skill s;
    memset(name, 'n', sizeof name);
    memset(org, 'o', sizeof org);
    memset(tag, 't', sizeof tag);
    struct skill_push in = {.name = str_of(name, sizeof name),
                            .org = str_of(org, sizeof org),
                            .tag = str_of(tag, sizeof tag)};
    CHECK_OK(kit_push_as(k, &in, "text", &s), &k->e);
    struct skill_ref ref = {.org = in.org, .slug = in.name, .version = in.tag};
    CHECK_OK(skill_resolve(k->service, &ref, &k->a, &s, &k->e), &k->e);
    CHECK_INT(s.version_no, 1);
    CHECK_OK(skill_get(k->service, s.id, &k->a, &s, &k->e), &k->e);
    struct skill_versions q = {.ref = ref, .page_size = 1};
    struct skill_list list;
    CHECK_OK(skill_versions(k->service, &q, &k->a, &list, &k->e), &k->e);
    CHECK_STR(list.items[0].tags_pointing[0], in.tag);
    CHECK_OK(skill_delete(k->service, s.id, STR_NULL, &k->a, &s, &k->e), &k->e);
}

BOTH(an_archive_without_a_good_skill_md_is_refused_and_leaves_nothing)
{
    struct skill s;
    CHECK_ERR(kit_try_push(k, "calc", "", &s), ERR_INVALID_ARGUMENT, &k->e);
    CHECK_CONTAINS(str_c(k->e.msg), STR("failed to extract SKILL.md: SKILL.md is empty"));
    CHECK_ERR(kit_try_push(k, "calc", "a\n### SKILL: evil\n", &s), ERR_INVALID_ARGUMENT, &k->e);
    CHECK_STR(
        str_c(k->e.msg),
        STR("failed to extract SKILL.md: line 2 starts with \"### SKILL:\", as the section of "
            "another skill does in an agent's prompt; reword the line [skill-md-forgery] at "
            "line 2, column 1"));
    CHECK_ERR(kit_try_push(k, "calc", "# Calc\n\nabc\u202edef\u202c", &s), ERR_INVALID_ARGUMENT,
              &k->e);
    CHECK_STR(str_c(k->e.msg),
              STR("failed to extract SKILL.md: bidirectional override U+202E (RIGHT-TO-LEFT "
                  "OVERRIDE) in \"abc\\u{202e}def\\u{202c}\"; remove it [skill-md-bidi] at line 3, "
                  "column 4 (and 1 more)"));
    CHECK_ERR(kit_try_push(k, "calc", "a\U000e0041\U000e0042", &s), ERR_INVALID_ARGUMENT, &k->e);
    CHECK_CONTAINS(str_c(k->e.msg), STR("which hide \"AB\"; remove them [skill-md-tags]"));
    struct spool *sp = NULL;
    CHECK_OK(store_spool(k->store, 100, &sp, &k->e), &k->e);
    CHECK_OK(spool_write(sp, "not a zip", 9, &k->e), &k->e);
    CHECK_OK(spool_seal(sp, &k->e), &k->e);
    struct skill_push in = {.name = STR("calc")};
    CHECK_ERR(skill_push(k->service, &in, sp, &k->a, &s, &k->e), ERR_INVALID_ARGUMENT, &k->e);
    CHECK_CONTAINS(str_c(k->e.msg), STR("failed to extract SKILL.md: "));
    spool_free(sp);
    CHECK_INT(n_stored(k), 0);
    CHECK_ERR(kit_try_resolve(k, "calc", &s), ERR_NOT_FOUND, &k->e);
}

BOTH(what_only_deserves_a_warning_is_taken)
{
    static const char text[] =
        "---\nname: Not A Name\nhomepage: x\n---\na\u200bb \u2066c\u2069\x1b\n";
    CHECK_STR(kit_push(k, "calc", text).skill_md, str_c(text));
}

BOTH(a_retry_changes_nothing)
{
    struct skill one = kit_push(k, "acme/calc@v1", "one"),
                 again = kit_push(k, "acme/calc@v1", "one");
    CHECK_INT(again.version_no, 1);
    CHECK_INT(again.updated_at_ns, one.updated_at_ns);
    CHECK_STR(again.event, STR("created"));
    CHECK_STR(again.skill_md, STR("one"));
    one = kit_push(k, "platform-wide", "x");
    again = kit_push(k, "platform-wide", "x");
    CHECK_INT(again.version_no, 1);
    one = kit_push(k, "calc2@latest", "x");
    again = kit_push(k, "calc2@latest", "x");
    CHECK_INT(again.version_no, 1);
    CHECK_STR(again.tag, STR("latest"));
}

BOTH(the_same_bytes_with_another_tag_are_another_version)
{
    struct skill one = kit_push(k, "acme/calc@v1", "one"), two = kit_push(k, "acme/calc@v2", "one");
    CHECK_INT(two.version_no, 2);
    CHECK(digest_eq(&one.hash, &two.hash));
    CHECK_INT(kit_push(k, "acme/calc@v1", "one").version_no, 3); /* v1 is not the current tag */
    CHECK_INT(kit_push(k, "acme/calc", "one").version_no, 4);
    CHECK_INT(n_stored(k), 1);
    kit_check_version(k, "acme/calc@v1", 3);
    kit_check_version(k, "acme/calc@v2", 2);
}

BOTH(a_push_brings_a_moved_tag_back)
{
    struct skill s;
    kit_push(k, "acme/calc@a", "one");
    kit_push(k, "acme/calc@b", "two");
    struct skill_ref first = kit_ref("acme/calc@a");
    CHECK_OK(skill_move_tag(k->service, &first, STR("b"), STR_NULL, &k->a, &s, &k->e), &k->e);
    kit_check_version(k, "acme/calc@b", 1);
    CHECK_INT(kit_push(k, "acme/calc@b", "two").version_no, 3);
    kit_check_version(k, "acme/calc@b", 3);
}

BOTH(the_same_bytes_anywhere_are_one_artifact)
{
    struct skill a = kit_push(k, "acme/calc", "one"), b = kit_push(k, "globex/other", "one");
    CHECK(digest_eq(&a.hash, &b.hash));
    CHECK_INT(n_stored(k), 1);
}

BOTH(two_orgs_hold_the_same_slug_apart)
{
    struct skill s;
    kit_push(k, "acme/calc@v1", "acme's");
    kit_push(k, "globex/calc@v1", "globex's");
    kit_push(k, "globex/calc@v2", "globex's second");
    CHECK_STR(kit_resolve(k, "acme/calc").skill_md, STR("acme's"));
    CHECK_STR(kit_resolve(k, "acme/calc@v1").skill_md, STR("acme's"));
    CHECK_STR(kit_resolve(k, "globex/calc@v1").skill_md, STR("globex's"));
    CHECK_ERR(kit_try_resolve(k, "acme/calc@v2", &s), ERR_NOT_FOUND, &k->e);
    char hex[SHA256_HEX_LEN + 1], what[100];
    s = kit_resolve(k, "globex/calc");
    digest_to_hex(&s.hash, hex);
    (void)snprintf(what, sizeof what, "acme/calc@%s", hex);
    CHECK_ERR(kit_try_resolve(k, what, &s), ERR_NOT_FOUND, &k->e);
    CHECK_OK(skill_delete(k->service, STR("org/acme/skill/calc"), STR_NULL, &k->a, &s, &k->e),
             &k->e);
    CHECK_STR(kit_resolve(k, "globex/calc").skill_md, STR("globex's second"));
}

/* No call sets them yet: they are put beside the service. */
static enum err add_labels(struct meta_txn *t, void *arg, struct error *e)
{
    static const struct meta_pair labels[] = {{{"team", 4}, {"core", 4}}};
    static const str tags[] = {{"math", 4}};
    struct kit *k = arg;
    struct meta_skill head;
    struct meta_version v;
    TRY(meta_skill_get(t, STR("org/acme/skill/calc"), &k->a, &head, e));
    TRY(meta_version_get(t, head.number, head.last_seq, &k->a, &v, e));
    v.labels = v.annotations = labels;
    v.n_labels = v.n_annotations = 1;
    v.resource_tags = tags;
    v.n_resource_tags = 1;
    return meta_version_add(t, head.number, &v, e);
}

BOTH(labels_annotations_and_tags_survive_updates_but_not_death)
{
    struct skill s;
    kit_push(k, "acme/calc", "one");
    CHECK_OK(meta_write(k->meta, add_labels, k, &k->e), &k->e);
    s = kit_push(k, "acme/calc", "two");
    CHECK_INT(s.version_no, 2);
    CHECK_INT(s.n_labels, 1);
    CHECK_STR(s.labels[0].key, STR("team"));
    CHECK_STR(s.labels[0].value, STR("core"));
    CHECK_INT(s.n_annotations, 1);
    CHECK_INT(s.n_resource_tags, 1);
    s = kit_resolve(k, "acme/calc");
    CHECK_STR(s.annotations[0].value, STR("core"));
    CHECK_STR(s.resource_tags[0], STR("math"));
    CHECK_OK(skill_delete(k->service, s.id, STR_NULL, &k->a, &s, &k->e), &k->e);
    s = kit_push(k, "acme/calc", "three");
    CHECK_INT(s.n_labels + s.n_annotations + s.n_resource_tags, 0);
}

/* --- the clock --- */

BOTH(updated_at_grows_whatever_the_clock_does)
{
    static const int64_t clock[] = {2000, 2000, 1000, 1, 2001, 3000};
    int64_t last = 0;
    for (size_t i = 0; i < ARRAY_SIZE(clock); i++) {
        char text[16];
        kit_now = clock[i];
        (void)snprintf(text, sizeof text, "text %zu", i);
        struct skill s = kit_push(k, i % 2 ? "calc" : "other", text);
        CHECK(s.updated_at_ns > last);
        last = s.updated_at_ns;
    }
    CHECK_INT(last, 3000);
}

/* --- many at once --- */

enum { N_PUSHERS = 10 };

struct pusher {
    pthread_t thread;
    struct kit *k;
    const char *what;
    char text[32];
    struct skill s;
    struct arena a;
};

static void *push_once(void *arg)
{
    struct pusher *p = arg;
    struct error e;
    struct skill_push in = {.name = str_c(p->what), .org = STR("acme"), .tag = STR("v1")};
    struct spool *sp = kit_archive(p->k, p->text);
    arena_init(&p->a, MIB(8));
    CHECK_OK(skill_push(p->k->service, &in, sp, &p->a, &p->s, &e), &e);
    spool_free(sp);
    return NULL;
}

static void push_all(struct kit *k, struct pusher *ps, const char *text_format)
{
    for (int i = 0; i < N_PUSHERS; i++) {
        ps[i].k = k;
        ps[i].what = "calc";
        (void)snprintf(ps[i].text, sizeof ps[i].text, "%s %d", text_format,
                       text_format[0] == 's' ? 0 : i);
        CHECK(pthread_create(&ps[i].thread, NULL, push_once, &ps[i]) == 0);
    }
    for (int i = 0; i < N_PUSHERS; i++)
        pthread_join(ps[i].thread, NULL);
}

BOTH(ten_first_pushes_at_once_are_one_skill_with_ten_versions)
{
    struct pusher ps[N_PUSHERS];
    bool seen[N_PUSHERS + 1] = {false};
    push_all(k, ps, "different");
    for (int i = 0; i < N_PUSHERS; i++) {
        CHECK(ps[i].s.version_no >= 1 && ps[i].s.version_no <= N_PUSHERS);
        CHECK(!seen[ps[i].s.version_no]);
        seen[ps[i].s.version_no] = true;
        CHECK_STR(ps[i].s.skill_md, str_c(ps[i].text));
        CHECK_STR(ps[i].s.event, ps[i].s.version_no == 1 ? STR("created") : STR("updated"));
        CHECK_INT(ps[i].s.created_at_ns, ps[0].s.created_at_ns);
        arena_deinit(&ps[i].a);
    }
    struct skill_find all = {.page = 1, .page_size = 10};
    struct skill_list list;
    CHECK_OK(skill_find(k->service, &all, &k->a, &list, &k->e), &k->e);
    CHECK_INT(list.total, 1);
    CHECK_INT(list.items[0].version_no, N_PUSHERS);
}

BOTH(ten_same_pushes_at_once_are_one_version)
{
    struct pusher ps[N_PUSHERS];
    push_all(k, ps, "same");
    for (int i = 0; i < N_PUSHERS; i++) {
        CHECK_INT(ps[i].s.version_no, 1);
        arena_deinit(&ps[i].a);
    }
}

TEST(a_database_opened_for_reading_takes_no_push)
{
    struct kit k;
    struct skill s;
    kit_open(&k, true);
    kit_push(&k, "calc", "one");
    struct kit reader = k;
    char dir[200];
    (void)snprintf(dir, sizeof dir, "%s/db", test_dir());
    struct meta_lmdb_options options = {.read_only = true};
    skill_service_free(k.service);
    meta_close(k.meta);
    CHECK_OK(meta_open_lmdb(dir, &options, &reader.meta, &k.e), &k.e);
    CHECK_OK(skill_service_new(k.store, reader.meta, NULL, NULL, &reader.service, &k.e), &k.e);
    CHECK_ERR(kit_try_push(&reader, "calc", "two", &s), ERR_FAILED_PRECONDITION, &reader.e);
    kit_check_version(&reader, "calc", 1);
    kit_close(&reader);
}
