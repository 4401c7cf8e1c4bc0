#include "test.h"

#include "grpc/wire.h"

TEST(fields_in_order)
{
    str m = STR("\x0a\x02"
                "ab\x10\xac\x02\x1d"
                "1234\x21"
                "12345678\x2a\x00");
    static const uint32_t numbers[] = {1, 2, 3, 4, 5};
    struct wire_field f;
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        CHECK(wire_next(&m, &f));
        CHECK_INT(f.number, numbers[i]);
        CHECK_INT(f.is_bytes, i == 0 || i == 4);
    }
    CHECK(!wire_next(&m, &f));
    CHECK_INT(m.len, 0);
}

TEST(the_first_of_a_number)
{
    str m = STR("\x08\x01\x0a\x02"
                "ab\x0a\x01"
                "c");
    CHECK_STR(wire_find(m, 1), STR("ab"));
    CHECK_STR(wire_find(m, 2), STR(""));
}

TEST(malformed_messages_end_early)
{
    static const str bad[] = {{"\x0a\x05"
                               "ab",
                               4},
                              {"\x0b", 1},
                              {"\x0a", 1},
                              {"\x0d"
                               "123",
                               4},
                              {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11}};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct wire_field f;
        str m = bad[i];
        CHECK(!wire_next(&m, &f));
        CHECK_INT(m.len, bad[i].len);
    }
}
