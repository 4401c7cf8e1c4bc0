#include "test.h"

#include "grpc/deadline.h"

static struct error e;

static int64_t parsed(const char *s)
{
    int64_t ns = -1;
    CHECK_OK(deadline_parse(str_c(s), &ns, &e), &e);
    return ns;
}

TEST(every_unit)
{
    CHECK_INT(parsed("2H"), 7200 * NS_PER_S);
    CHECK_INT(parsed("3M"), 180 * NS_PER_S);
    CHECK_INT(parsed("4S"), 4 * NS_PER_S);
    CHECK_INT(parsed("5m"), 5 * NS_PER_MS);
    CHECK_INT(parsed("6u"), 6000);
    CHECK_INT(parsed("7n"), 7);
    CHECK_INT(parsed("0n"), 0);
    CHECK_INT(parsed("00000001n"), 1);
}

TEST(eight_digits_and_the_largest_value)
{
    CHECK_INT(parsed("99999999S"), 99999999 * NS_PER_S);
    CHECK_INT(parsed("99999999H"), INT64_MAX);
    int64_t ns;
    CHECK_ERR(deadline_parse(STR("100000000n"), &ns, &e), ERR_INVALID_ARGUMENT, &e);
}

TEST(malformed_values_name_themselves)
{
    static const char *const bad[] = {"",    "S",   "5",   "5s",  "-5S",
                                      "+5S", " 5S", "5 S", "5SS", "1.5S"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        int64_t ns;
        CHECK_ERR(deadline_parse(str_c(bad[i]), &ns, &e), ERR_INVALID_ARGUMENT, &e);
        CHECK_CONTAINS(str_c(e.msg), str_c(bad[i]));
        CHECK_CONTAINS(str_c(e.msg), STR("1 to 8 digits"));
    }
}

TEST(a_deadline_saturates)
{
    CHECK_INT(deadline_at(100, 5), 105);
    CHECK_INT(deadline_at(100, INT64_MAX), DEADLINE_NONE);
    CHECK_INT(deadline_at(100, INT64_MAX - 99), DEADLINE_NONE);
}

TEST(formatting_fits_eight_digits)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {0, "0m"},
        {1500, "1500m"},
        {99999998, "99999998m"},
        {99999999, "100000S"},
        {100000001, "100001S"},
        {INT64_MAX, "99999999H"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char out[DEADLINE_TEXT_MAX];
        deadline_format(rows[i].ms, out);
        CHECK_STR(str_c(out), str_c(rows[i].text));
        CHECK(parsed(out) >= rows[i].ms || rows[i].ms == INT64_MAX);
    }
}
