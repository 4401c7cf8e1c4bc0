#include "kit.h"

#include <stdio.h>

static void check_fails(struct kit *k, const char *what, enum err want, const char *text)
{
    struct skill s;
    CHECK_ERR(kit_try_resolve(k, what, &s), want, &k->e);
    CHECK_STR(str_c(k->e.msg), str_c(text));
}

static const char *at_hash(const struct digest *d, const char *prefix)
{
    static char what[200];
    char hex[SHA256_HEX_LEN + 1];
    digest_to_hex(d, hex);
    (void)snprintf(what, sizeof what, "%s@%s", prefix, hex);
    return what;
}

BOTH(versions_by_latest_tag_and_hash)
{
    struct skill one = kit_push(k, "acme/calc@v1", "one"), two = kit_push(k, "acme/calc@v2", "two");
    kit_check_version(k, "acme/calc", 2);
    kit_check_version(k, "acme/calc@latest", 2);
    kit_check_version(k, "acme/calc@v1", 1);
    kit_check_version(k, "acme/calc@v2", 2);
    kit_check_version(k, at_hash(&one.hash, "acme/calc"), 1);
    kit_check_version(k, at_hash(&two.hash, "acme/calc"), 2);
    struct skill old = kit_resolve(k, "acme/calc@v1");
    CHECK(!old.current && !old.deleted);
    CHECK_STR(old.skill_md, STR("one"));
    CHECK_STR(old.tag, STR("v1"));
    CHECK_STR(old.event, STR("created"));
    CHECK_INT(old.updated_at_ns, one.updated_at_ns); /* as it was pushed */
    CHECK(kit_resolve(k, "acme/calc@v2").current);
}

BOTH(latest_is_no_tag)
{
    kit_push(k, "acme/calc@latest", "one");
    CHECK_STR(kit_push(k, "acme/calc@v2", "two").tag, STR("v2"));
    kit_check_version(k, "acme/calc@latest", 2);
    struct skill_versions q = {.ref = kit_ref("acme/calc"), .page_size = 10};
    struct skill_list list;
    CHECK_OK(skill_versions(k->service, &q, &k->a, &list, &k->e), &k->e);
    CHECK_STR(list.items[1].tag, STR("latest")); /* the text is kept */
    CHECK_INT(list.items[1].n_tags_pointing, 0);
}

BOTH(what_is_not_there_is_said_in_the_words_of_the_contract)
{
    struct skill s = kit_push(k, "acme/calc@v1", "one");
    check_fails(k, "acme/nope", ERR_NOT_FOUND, "skill not found: nope");
    check_fails(k, "globex/calc", ERR_NOT_FOUND, "skill not found: calc");
    check_fails(k, "acme/calc@v9", ERR_NOT_FOUND, "skill version not found: calc:v9");
    check_fails(k, "acme/calc@V1", ERR_NOT_FOUND, "skill version not found: calc:V1");
    s.hash.b[0] ^= 1;
    struct skill got;
    CHECK_ERR(kit_try_resolve(k, at_hash(&s.hash, "acme/calc"), &got), ERR_NOT_FOUND, &k->e);
    check_fails(k, "acme/", ERR_INVALID_ARGUMENT, "slug is required in reference");
    CHECK_ERR(skill_get(k->service, STR("org/acme/skill/nope"), &k->a, &got, &k->e), ERR_NOT_FOUND,
              &k->e);
    CHECK_STR(str_c(k->e.msg), STR("Skill not found: org/acme/skill/nope"));
    CHECK_ERR(skill_get(k->service, STR_NULL, &k->a, &got, &k->e), ERR_NOT_FOUND, &k->e);
}

BOTH(names_too_long_to_exist_are_not_found)
{
    static char text[2000];
    struct skill s;
    str lengthy = str_of(text, sizeof text);
    memset(text, 'a', sizeof text);
    kit_push(k, "acme/calc@v1", "one");
    struct skill_ref slug = {.org = STR("acme"), .slug = lengthy},
                     org = {.org = lengthy, .slug = STR("calc")},
                     version = {.org = STR("acme"), .slug = STR("calc"), .version = lengthy};
    CHECK_ERR(skill_resolve(k->service, &slug, &k->a, &s, &k->e), ERR_NOT_FOUND, &k->e);
    CHECK_ERR(skill_resolve(k->service, &org, &k->a, &s, &k->e), ERR_NOT_FOUND, &k->e);
    CHECK_ERR(skill_resolve(k->service, &version, &k->a, &s, &k->e), ERR_NOT_FOUND, &k->e);
    CHECK_ERR(skill_get(k->service, lengthy, &k->a, &s, &k->e), ERR_NOT_FOUND, &k->e);
}

static enum err resolve_as(struct kit *k, enum skill_scope scope, const char *org, struct skill *s)
{
    struct skill_ref ref = {.scope = scope, .org = str_c(org), .slug = STR("calc")};
    return skill_resolve(k->service, &ref, &k->a, s, &k->e);
}

BOTH(without_an_org_the_one_skill_of_that_slug_answers)
{
    struct skill s;
    kit_push(k, "local/calc", "local's");
    CHECK_OK(resolve_as(k, SKILL_SCOPE_PLATFORM, "", &s), &k->e);
    CHECK_STR(s.org, STR("local"));
    CHECK_OK(resolve_as(k, SKILL_SCOPE_UNSPECIFIED, "", &s), &k->e);
    CHECK_STR(s.org, STR("local"));
    /* With an org there is no falling back. */
    CHECK_ERR(resolve_as(k, SKILL_SCOPE_PLATFORM, "local", &s), ERR_NOT_FOUND, &k->e);
    CHECK_ERR(resolve_as(k, SKILL_SCOPE_ORGANIZATION, "acme", &s), ERR_NOT_FOUND, &k->e);
    CHECK_ERR(resolve_as(k, SKILL_SCOPE_ORGANIZATION, "", &s), ERR_INVALID_ARGUMENT, &k->e);
    CHECK_ERR(resolve_as(k, SKILL_SCOPE_IDENTITY_ACCOUNT, "local", &s), ERR_INVALID_ARGUMENT,
              &k->e);
}

BOTH(an_ambiguous_reference_names_the_orgs)
{
    struct skill s;
    kit_push(k, "globex/calc", "globex's");
    kit_push(k, "acme/calc", "acme's");
    kit_push(k, "acme/calc-2", "another");
    CHECK_ERR(resolve_as(k, SKILL_SCOPE_PLATFORM, "", &s), ERR_FAILED_PRECONDITION, &k->e);
    CHECK_CONTAINS(str_c(k->e.msg), STR("acme, globex"));
    kit_push(k, "calc", "everybody's");
    CHECK_OK(resolve_as(k, SKILL_SCOPE_PLATFORM, "", &s), &k->e); /* an exact match wins */
    CHECK_STR(s.skill_md, STR("everybody's"));
    CHECK_OK(skill_delete(k->service, STR("platform/skill/calc"), STR_NULL, &k->a, &s, &k->e),
             &k->e);
    CHECK_OK(skill_delete(k->service, STR("org/acme/skill/calc"), STR_NULL, &k->a, &s, &k->e),
             &k->e);
    CHECK_OK(resolve_as(k, SKILL_SCOPE_PLATFORM, "", &s), &k->e); /* one is left */
    CHECK_STR(s.org, STR("globex"));
}

BOTH(more_orgs_than_can_be_named_are_counted_as_more)
{
    struct skill s;
    for (int i = 0; i < 12; i++) {
        char what[32];
        (void)snprintf(what, sizeof what, "org%02d/calc", i);
        kit_push(k, what, "text");
    }
    CHECK_ERR(resolve_as(k, SKILL_SCOPE_PLATFORM, "", &s), ERR_FAILED_PRECONDITION, &k->e);
    CHECK_CONTAINS(str_c(k->e.msg), STR("org08, org09, …"));
}

/* --- tags --- */

static enum err move(struct kit *k, const char *to, const char *tag, struct skill *ret)
{
    struct skill_ref ref = kit_ref(to);
    return skill_move_tag(k->service, &ref, str_c(tag), STR("ada"), &k->a, ret, &k->e);
}

BOTH(a_tag_moves_without_a_push)
{
    struct skill s;
    struct skill one = kit_push(k, "acme/calc@v1", "one");
    kit_push(k, "acme/calc@v2", "two");
    CHECK_OK(move(k, "acme/calc@v1", "stable", &s), &k->e);
    CHECK_INT(s.version_no, 1);
    CHECK_STR(s.skill_md, STR("one"));
    kit_check_version(k, "acme/calc@stable", 1);
    CHECK_OK(move(k, "acme/calc", "stable", &s), &k->e);
    kit_check_version(k, "acme/calc@stable", 2);
    CHECK_OK(move(k, at_hash(&one.hash, "acme/calc"), "stable", &s), &k->e);
    kit_check_version(k, "acme/calc@stable", 1);
    CHECK_OK(move(k, "acme/calc@v1", "stable", &s), &k->e); /* again */
    kit_check_version(k, "acme/calc@stable", 1);
    kit_check_version(k, "acme/calc", 2); /* no new version came of it */
}

BOTH(tags_that_mean_something_else_are_refused)
{
    struct skill s = kit_push(k, "acme/calc@v1", "one");
    char hex[SHA256_HEX_LEN + 1];
    digest_to_hex(&s.hash, hex);
    CHECK_ERR(move(k, "acme/calc", "latest", &s), ERR_INVALID_ARGUMENT, &k->e);
    CHECK_ERR(move(k, "acme/calc", "", &s), ERR_INVALID_ARGUMENT, &k->e);
    CHECK_ERR(move(k, "acme/calc", hex, &s), ERR_INVALID_ARGUMENT, &k->e);
    CHECK_ERR(move(k, "acme/calc", "a b", &s), ERR_INVALID_ARGUMENT, &k->e);
    CHECK_ERR(move(k, "acme/calc@nope", "stable", &s), ERR_NOT_FOUND, &k->e);
    CHECK_ERR(move(k, "acme/nope", "stable", &s), ERR_NOT_FOUND, &k->e);
    CHECK_ERR(kit_try_resolve(k, "acme/calc@stable", &s), ERR_NOT_FOUND, &k->e);
}

/* --- delete and new lives --- */

static struct skill delete (struct kit *k, const char *id)
{
    struct skill s;
    CHECK_OK(skill_delete(k->service, str_c(id), STR("bob"), &k->a, &s, &k->e), &k->e);
    return s;
}

BOTH(a_deleted_skill_is_gone_and_answers_what_it_was)
{
    struct skill s;
    struct skill one = kit_push(k, "acme/calc@v1", "one");
    struct skill was = delete (k, "org/acme/skill/calc");
    CHECK_STR(was.skill_md, STR("one"));
    CHECK_INT(was.updated_at_ns, one.updated_at_ns);
    CHECK_STR(was.id, one.id);
    CHECK_ERR(skill_get(k->service, one.id, &k->a, &s, &k->e), ERR_NOT_FOUND, &k->e);
    check_fails(k, "acme/calc", ERR_NOT_FOUND, "skill not found: calc");
    check_fails(k, "acme/calc@v1", ERR_NOT_FOUND, "skill not found: calc");
    check_fails(k, "calc", ERR_NOT_FOUND, "skill not found: calc");
    CHECK_ERR(skill_delete(k->service, one.id, STR_NULL, &k->a, &s, &k->e), ERR_NOT_FOUND, &k->e);
    CHECK_STR(str_c(k->e.msg), STR("Skill not found: org/acme/skill/calc"));
    CHECK_ERR(move(k, "acme/calc", "stable", &s), ERR_NOT_FOUND, &k->e);
}

BOTH(a_new_life_starts_afresh_under_the_same_id)
{
    struct skill s;
    kit_now = 1000;
    struct skill one = kit_push(k, "acme/calc@v1", "one");
    kit_push(k, "acme/calc@v2", "two");
    delete (k, "org/acme/skill/calc");
    kit_now = 5000;
    struct skill again = kit_push(k, "acme/calc@v3", "three");
    CHECK_STR(again.id, one.id);
    CHECK_INT(again.version_no, 3);
    CHECK_STR(again.event, STR("created"));
    CHECK_INT(again.created_at_ns, 5000);
    check_fails(k, "acme/calc@v1", ERR_NOT_FOUND, "skill version not found: calc:v1");
    CHECK_ERR(kit_try_resolve(k, at_hash(&one.hash, "acme/calc"), &s), ERR_NOT_FOUND, &k->e);
    CHECK_INT(kit_push(k, "acme/calc@v1", "one").version_no, 4); /* what was known before */
    kit_check_version(k, "acme/calc@v1", 4);
    kit_check_version(k, at_hash(&one.hash, "acme/calc"), 4);
    CHECK_INT(kit_resolve(k, "acme/calc").created_at_ns, 5000);
}

BOTH(the_last_bytes_of_an_earlier_life_are_a_new_version)
{
    struct skill one = kit_push(k, "acme/calc@v1", "one");
    delete (k, "org/acme/skill/calc");
    struct skill two = kit_push(k, "acme/calc@v1", "one");
    CHECK_INT(two.version_no, 2);
    CHECK(two.created_at_ns > one.created_at_ns);
    kit_check_version(k, "acme/calc@v1", 2);
}

/* --- artifacts --- */

static enum err open_key(struct kit *k, const char *key, bool fast, struct artifact *ret)
{
    bool ready = false;
    enum err err = skill_open_artifact(k->service, str_c(key), fast, &ready, ret, &k->e);
    if (err == ERR_OK && !ready)
        err = skill_open_artifact(k->service, str_c(key), false, &ready, ret, &k->e);
    CHECK(err != ERR_OK || ready);
    return err;
}

BOTH(an_artifact_opens_by_its_key_also_after_its_skill_is_gone)
{
    char key[STORE_KEY_MAX];
    struct artifact art = ARTIFACT_INIT;
    struct skill s = kit_push(k, "acme/calc", "one");
    store_key(&s.hash, key);
    CHECK_OK(open_key(k, key, false, &art), &k->e);
    CHECK_INT(art.len, s.size);
    artifact_deinit(&art);
    delete (k, "org/acme/skill/calc");
    CHECK_OK(open_key(k, key, true, &art), &k->e);
    CHECK_INT(art.len, s.size);
    artifact_deinit(&art);
}

BOTH(other_keys_open_nothing)
{
    static const char *const keys[] = {"", "../../etc/passwd", "/etc/passwd", "skills/../x.zip",
                                       "skills/ABC.zip"};
    struct artifact art = ARTIFACT_INIT;
    char key[STORE_KEY_MAX];
    struct digest unknown = {{1}};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        for (int fast = 0; fast < 2; fast++) {
            CHECK_ERR(open_key(k, keys[i], fast, &art), ERR_NOT_FOUND, &k->e);
            CHECK_CONTAINS(str_c(k->e.msg), STR("skill artifact not found: "));
        }
    store_key(&unknown, key);
    CHECK_ERR(open_key(k, key, false, &art), ERR_NOT_FOUND, &k->e);
    CHECK_CONTAINS(str_c(k->e.msg), str_c(key));
}

BOTH(stored_bytes_that_no_version_names_are_not_served)
{
    char key[STORE_KEY_MAX];
    struct artifact art = ARTIFACT_INIT;
    struct spool *sp = kit_archive(k, "orphan");
    store_key(spool_digest(sp), key);
    CHECK_OK(store_put(k->store, sp, NULL, &k->e), &k->e);
    CHECK_ERR(open_key(k, key, false, &art), ERR_NOT_FOUND, &k->e);
    spool_free(sp);
}

BOTH(a_lost_artifact_is_data_loss_and_a_push_heals_it)
{
    char key[STORE_KEY_MAX];
    struct artifact art = ARTIFACT_INIT;
    struct skill s = kit_push(k, "acme/calc", "one");
    store_key(&s.hash, key);
    CHECK_OK(store_remove(k->store, &s.hash, &k->e), &k->e);
    CHECK_ERR(open_key(k, key, false, &art), ERR_DATA_LOSS, &k->e);
    CHECK_INT(kit_push(k, "acme/calc", "one").version_no, 1);
    CHECK_OK(open_key(k, key, false, &art), &k->e);
    artifact_deinit(&art);
}

/* --- restarts and great numbers --- */

TEST(everything_is_there_after_a_restart)
{
    struct kit k;
    kit_open(&k, true);
    kit_push(&k, "acme/calc@v1", "one");
    kit_push(&k, "acme/calc@v2", "two");
    kit_reopen(&k);
    kit_check_version(&k, "acme/calc@v1", 1);
    kit_check_version(&k, "acme/calc", 2);
    CHECK_INT(kit_push(&k, "acme/calc@v3", "three").version_no, 3);
    CHECK_INT(kit_push(&k, "acme/calc@v3", "three").version_no, 3);
    kit_close(&k);
}

BOTH(thousands_of_versions_are_all_within_reach)
{
    enum { N = 2000 };
    static struct digest hashes[N + 1];
    char what[64], text[64];
    for (int i = 1; i <= N; i++) {
        (void)snprintf(what, sizeof what, "acme/calc@v%d", i);
        (void)snprintf(text, sizeof text, "version %d", i);
        hashes[i] = kit_push(k, what, text).hash;
        kit_forget(k);
    }
    for (int i = 1; i <= N; i += 37) {
        (void)snprintf(what, sizeof what, "acme/calc@v%d", i);
        kit_check_version(k, what, (uint64_t)i);
        kit_check_version(k, at_hash(&hashes[i], "acme/calc"), (uint64_t)i);
        (void)snprintf(text, sizeof text, "version %d", i);
        CHECK_STR(kit_resolve(k, what).skill_md, str_c(text));
        kit_forget(k);
    }
    kit_check_version(k, "acme/calc", N);
}
