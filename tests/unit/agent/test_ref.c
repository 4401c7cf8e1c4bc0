#include "agent/ref.h"

#include "test.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void check_ref(const char *text, const char *org, const char *slug, const char *version)
{
    struct ref r;
    struct error e;
    CHECK_OK(ref_parse(str_c(text), &r, &e), &e);
    CHECK_STR(r.org, str_c(org));
    CHECK_STR(r.slug, str_c(slug));
    CHECK_STR(r.version, str_c(version));
}

static void check_refused(const char *text, const char *why)
{
    struct ref r;
    struct error e;
    CHECK_ERR(ref_parse(str_c(text), &r, &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_STR(str_c(e.reason), STR(REF_SYNTAX));
    CHECK_CONTAINS(str_c(e.msg), str_c(why));
}

TEST(every_form_of_a_reference)
{
    check_ref("calculator", "", "calculator", "");
    check_ref("calculator:v1.0_a-b", "", "calculator", "v1.0_a-b");
    check_ref("calculator:latest", "", "calculator", "latest");
    check_ref("calculator@" HASH, "", "calculator", HASH);
    check_ref("@local/my-skill", "local", "my-skill", "");
    check_ref("@Acme.Inc/a1:v2", "Acme.Inc", "a1", "v2");
    check_ref("@o/a@" HASH, "o", "a", HASH);
}

TEST(what_is_no_reference)
{
    check_refused("", "is not a skill");
    check_refused("My Skill", "SLUG of a-z 0-9 -");
    check_refused("a/b", "is not a skill");
    check_refused("../etc", "is not a skill");
    check_refused(":v1", "is not a skill");
    check_refused("@local", "@ORG/SLUG");
    check_refused("@/a", "is not an organization");
    check_refused("@a b/c", "is not an organization");
    check_refused("@local/", "is not a skill");
    check_refused("@local/a/b", "is not a skill");
}

TEST(versions_that_are_refused)
{
    check_refused("a:", "is not a tag");
    check_refused("a:v 1", "is not a tag");
    check_refused("a:v1:v2", "is not a tag");
    check_refused("a:v1@" HASH, "is not a tag");
    check_refused("a@", "64 digits");
    check_refused("a@0123", "64 digits");
    check_refused("a@0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
                  "64 digits");
    check_refused("a@" HASH "0", "64 digits");
}

TEST(lengths_are_bounded)
{
    char text[400] = {0};
    struct ref r;
    struct error e;
    memset(text, 'a', sizeof text - 1);
    CHECK_OK(ref_parse(str_of(text, 256), &r, &e), &e);
    CHECK_ERR(ref_parse(str_of(text, 257), &r, &e), ERR_INVALID_ARGUMENT, &e);
    text[1] = ':';
    CHECK_OK(ref_parse(str_of(text, 2 + 128), &r, &e), &e);
    CHECK_ERR(ref_parse(str_of(text, 2 + 129), &r, &e), ERR_INVALID_ARGUMENT, &e);
}

TEST(org_and_tag_by_themselves)
{
    struct error e;
    CHECK_OK(ref_check_org(STR("local"), &e), &e);
    CHECK_ERR(ref_check_org(STR(""), &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_ERR(ref_check_org(STR("a/b"), &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_OK(ref_check_tag(STR("v1"), &e), &e);
    CHECK_ERR(ref_check_tag(STR(""), &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_ERR(ref_check_tag(STR("a b"), &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_ERR(ref_check_tag(STR(HASH), &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("version hash"));
}
