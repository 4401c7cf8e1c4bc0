#include "base/hex.h"

#include "test.h"

TEST(round_trip_of_every_byte)
{
    uint8_t data[256], back[256];
    char hex[513];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)i;
    hex_encode(data, sizeof data, hex);
    CHECK_INT(strlen(hex), 512);
    CHECK(str_starts_with(str_c(hex), STR("000102030405060708090a0b0c0d0e0f10")));
    CHECK(hex_decode(str_c(hex), back, sizeof back));
    CHECK(memcmp(data, back, sizeof data) == 0);
}

TEST(nothing_is_the_empty_text)
{
    char hex[1] = {'x'};
    uint8_t none[1] = {0};
    hex_encode(none, 0, hex);
    CHECK_STR(str_c(hex), STR(""));
    CHECK(hex_decode(STR_NULL, none, 0));
}

TEST(only_lower_case_digits_of_the_right_number)
{
    uint8_t out[2];
    CHECK(hex_decode(STR("00ff"), out, 2));
    const str bad[] = {STR(""),     STR("00f"),  STR("00ff0"), STR("00ff00"), STR("00FF"),
                       STR("00fg"), STR("g0ff"), STR(" 0ff"),  STR("0x0f"),   STR("00f\0"),
                       STR("-0ff"), STR("00f/"), STR("00f:"),  STR("00f`"),   STR("00f\xff")};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK(!hex_decode(bad[i], out, 2));
}
