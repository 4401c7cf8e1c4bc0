#include "base/arena.h"

#include "test.h"

#include <stdalign.h>

TEST(memory_is_zeroed_and_aligned)
{
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, KIB(64));
    for (size_t n = 0; n < 100; n++) {
        char *p = arena_alloc(&a, n);
        CHECK(p);
        CHECK_INT((uintptr_t)p % alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++)
            CHECK_INT(p[i], 0);
        memset(p, 0xff, n); /* nothing handed out later overlaps it */
    }
}

TEST(pieces_do_not_overlap)
{
    CLEANUP(arena_deinit) struct arena a;
    char *pieces[200];
    arena_init(&a, KIB(64));
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        pieces[i] = arena_alloc(&a, i);
        CHECK(pieces[i]);
        memset(pieces[i], (int)i, i);
    }
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
        for (size_t k = 0; k < i; k++)
            CHECK_INT((uint8_t)pieces[i][k], i);
}

TEST(the_maximum_holds)
{
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, KIB(64));
    size_t n = 0;
    while (arena_alloc(&a, 1000))
        n++;
    CHECK(n > 50 && n < 66);
    CHECK(a.used <= a.max);
    CHECK(!arena_alloc(&a, KIB(64)));
}

TEST(a_refusal_leaves_the_rest_usable)
{
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, KIB(8));
    CHECK(!arena_alloc(&a, KIB(9)));
    CHECK(!arena_alloc(&a, SIZE_MAX));
    CHECK(!arena_alloc(&a, SIZE_MAX - 32));
    CHECK(arena_alloc(&a, 100));
}

TEST(small_and_empty_arenas)
{
    struct arena a;
    arena_init(&a, 500); /* less than a block */
    CHECK(arena_alloc(&a, 100));
    CHECK(arena_alloc(&a, 100));
    CHECK(!arena_alloc(&a, 500));
    CHECK(a.used <= 500);
    arena_deinit(&a);
    arena_init(&a, 0);
    CHECK(!arena_alloc(&a, 1));
    arena_deinit(&a);
    arena_init(&a, 10);
    CHECK(!arena_alloc(&a, 0)); /* not even the bookkeeping */
    arena_deinit(&a);
}

TEST(deinit_makes_it_usable_again)
{
    struct arena a;
    arena_init(&a, KIB(8));
    for (int i = 0; i < 10; i++) {
        CHECK(arena_alloc(&a, KIB(7)));
        CHECK(!arena_alloc(&a, KIB(7)));
        arena_deinit(&a);
    }
    struct arena zeroed = {0};
    arena_deinit(&zeroed);
}

TEST(calloc_checks_for_overflow)
{
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, KIB(8));
    CHECK(arena_calloc(&a, 10, 10));
    CHECK(!arena_calloc(&a, SIZE_MAX / 2 + 1, 2));
    CHECK(!arena_calloc(&a, 2, SIZE_MAX / 2 + 1));
}

TEST(copies)
{
    CLEANUP(arena_deinit) struct arena a;
    str got;
    arena_init(&a, KIB(8));
    CHECK_STR(str_c(arena_dup_c(&a, STR("text"))), STR("text"));
    CHECK_STR(str_c(arena_dup_c(&a, STR_NULL)), STR(""));
    CHECK(arena_dup(&a, STR("with\0zero"), &got));
    CHECK_STR(got, STR("with\0zero"));
    CHECK(!arena_dup(&a, str_of("", KIB(9)), &got)); /* refused before a byte is read */
    CHECK_INT(got.len, 0);
}

TEST(formatted_text)
{
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, KIB(8));
    CHECK_STR(str_c(arena_printf(&a, "%d-%s", 5, "x")), STR("5-x"));
    CHECK_STR(str_c(arena_printf(&a, "%s", "")), STR(""));
    CHECK(!arena_printf(&a, "%9000d", 1));
}

TEST(joined_parts)
{
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, KIB(8));
    const str parts[] = {STR("org/"), STR_NULL, STR("a\0b"), STR("/x")};
    const str endless[] = {STR("x"), str_of("", SIZE_MAX)};
    str got = STR("before");
    CHECK(arena_join(&a, parts, ARRAY_SIZE(parts), &got));
    CHECK_STR(got, STR("org/a\0b/x"));
    CHECK(arena_join(&a, NULL, 0, &got));
    CHECK_INT(got.len, 0);
    CHECK(!arena_join(&a, endless, ARRAY_SIZE(endless), &got));
    CHECK(!arena_join(&a, &(str){"", KIB(9)}, 1, &got)); /* refused before a byte is read */
    CHECK_INT(got.len, 0);
}
