/* Keys and where they lie in the trees that tables share. */
#include "meta/format.h"
#include "test.h"

static void check_round_trip(enum meta_table table, str key)
{
    struct meta_key placed, back;
    enum meta_table found = META_N_TABLES;
    str at = key_place(table, key, &placed);
    CHECK(key_unplace(meta_tree_of(table), at, &found, &back));
    CHECK_INT(found, table);
    CHECK_STR(key_view(&back), key);
}

/* Whatever a hash or a tag holds, also the bytes that stand for other tables. */
TEST(a_placed_key_comes_back_as_its_table_s)
{
    char key[100];
    for (int i = 0; i < META_N_TABLES; i++)
        for (int fill = 0; fill < 256; fill++)
            for (size_t len = meta_key_least((enum meta_table)i); len <= sizeof key; len++) {
                memset(key, fill, sizeof key);
                memcpy(key, "\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\5", 16); /* a number and a version */
                check_round_trip((enum meta_table)i, str_of(key, len));
            }
}

TEST(a_key_of_no_table_is_none)
{
    struct meta_key back;
    enum meta_table found;
    const str number = STR("\0\0\0\0\0\0\0\1"), short_of = STR("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1");
    const str unknown = STR("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\7"),
              tag = STR("\0\0\0\0\0\0\0\1\300x");
    CHECK(!key_unplace(META_TREE_BY_NUMBER, number, &found, &back));
    CHECK(!key_unplace(META_TREE_BY_NUMBER, short_of, &found, &back));
    CHECK(!key_unplace(META_TREE_BY_NUMBER, unknown, &found, &back));
    CHECK(!key_unplace(META_TREE_BY_NUMBER, tag, &found, &back));
    CHECK(!key_unplace(META_TREE_BY_ARCHIVE, number, &found, &back));
}

TEST(a_beginning_stands_for_itself)
{
    struct meta_key placed;
    CHECK_STR(key_place(META_VERSIONS, STR("12345678"), &placed), STR("12345678"));
    CHECK_STR(key_place(META_HASHES, STR("12345678"), &placed), STR("12345678\201"));
    CHECK_STR(key_place(META_SKILLS, STR("12345678"), &placed), STR("12345678"));
}
