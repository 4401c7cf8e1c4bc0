#include "store/store.h"

#include "base/macro.h"
#include "test.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

TEST(a_key_names_a_digest_and_back)
{
    struct digest d, back;
    char key[STORE_KEY_MAX];
    CHECK(digest_from_hex(STR(HEX), &d));
    store_key(&d, key);
    CHECK_STR(str_c(key), STR("skills/" HEX ".zip"));
    CHECK_INT(strlen(key), STORE_KEY_MAX - 1);
    CHECK(store_key_parse(str_c(key), &back));
    CHECK(digest_eq(&d, &back));
}

static const str bad[] = {
    STR_NULL,
    STR(""),
    STR("skills/"),
    STR("skills/.zip"),
    STR(HEX),
    STR(HEX ".zip"),
    STR("skills/" HEX),
    STR("/skills/" HEX ".zip"),
    STR("./skills/" HEX ".zip"),
    STR("skills//" HEX ".zip"),
    STR("Skills/" HEX ".zip"),
    STR("skills/" HEX ".ZIP"),
    STR("skills/" HEX ".zip/"),
    STR("skills/" HEX ".zip "),
    STR(" skills/" HEX ".zip"),
    STR("skills/" HEX ".zip\n"),
    STR("skills/" HEX ".zip\0"),
    STR("skills\\" HEX ".zip"),
    STR("skills/" HEX "\0zip"),
    STR("skills/a7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad.zip"),
    STR("skills/0" HEX ".zip"),
    STR("skills/BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD.zip"),
    STR("skills/bA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad.zip"),
    STR("skills/\0a7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad.zip"),
    STR("skills/ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad.zip"),
    STR("skills/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a/.zip"),
    STR("skills/../../etc/passwd"),
    STR("skills/../../../../../../../../../../../../../../../../../../etc/passwd.zip"),
    STR("/etc/passwd"),
    STR("../skills/" HEX ".zip"),
    STR("skills/../skills/" HEX ".zip"),
};

TEST(anything_else_is_no_key)
{
    struct digest d;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (store_key_parse(bad[i], &d))
            test_fail(__FILE__, __LINE__, "accepted bad[%zu]: %.*s", i, STR_ARG(bad[i]));
}

TEST(no_single_changed_byte_is_accepted_outside_the_digits)
{
    struct digest d;
    char key[] = "skills/" HEX ".zip";
    for (size_t i = 0; i < sizeof key - 1; i++) {
        char was = key[i];
        key[i] = 'Z';
        CHECK(!store_key_parse(str_c(key), &d));
        key[i] = was;
    }
    CHECK(store_key_parse(str_c(key), &d));
}
