#include "meta/treap.h"
#include "test.h"

static void put(struct treap **t, const char *key, const char *value)
{
    CHECK(treap_put(t, str_c(key), str_c(value)));
}

static void check_value(const struct treap *t, const char *key, const char *want)
{
    str got = STR_NULL;
    CHECK(treap_get(t, str_c(key), &got) == (want != NULL));
    CHECK_STR(got, str_c(want));
}

TEST(a_root_stays_as_it_was)
{
    bool found;
    struct treap *now = NULL;
    put(&now, "a", "1");
    put(&now, "b", "1");
    struct treap *before = treap_ref(now);
    put(&now, "a", "2");
    put(&now, "c", "2");
    CHECK(treap_del(&now, STR("b"), &found) && found);
    check_value(before, "a", "1");
    check_value(before, "b", "1");
    check_value(before, "c", NULL);
    check_value(now, "a", "2");
    check_value(now, "b", NULL);
    check_value(now, "c", "2");
    treap_unref(now);
    check_value(before, "b", "1");
    treap_unref(before);
}

TEST(deleting_the_last_key_leaves_the_empty_map)
{
    bool found;
    struct treap *t = NULL;
    put(&t, "a", "");
    check_value(t, "a", "");
    CHECK(treap_del(&t, STR("b"), &found) && !found);
    CHECK(treap_del(&t, STR("a"), &found) && found);
    CHECK(t == NULL);
    CHECK(treap_del(&t, STR("a"), &found) && !found);
}

TEST(neighbours_above_and_below)
{
    struct treap *t = NULL;
    struct treap_item item;
    CHECK(!treap_above(t, STR(""), true, &item) && !treap_below(t, STR(""), true, &item));
    put(&t, "b", "1");
    put(&t, "d", "2");
    CHECK(treap_above(t, STR("b"), true, &item));
    CHECK_STR(item.key, STR("b"));
    CHECK(treap_above(t, STR("b"), false, &item));
    CHECK_STR(item.value, STR("2"));
    CHECK(!treap_above(t, STR("d"), false, &item));
    CHECK(treap_below(t, STR("d"), false, &item));
    CHECK_STR(item.key, STR("b"));
    CHECK(!treap_below(t, STR("b"), false, &item));
    CHECK(treap_below(t, STR("b"), true, &item));
    CHECK_STR(item.key, STR("d"));
    treap_unref(t);
}
