#include "agent/time_text.h"

#include "base/banned.h"
#include "base/macro.h"

enum { STAMP_LEN = 19, FRACTION_DIGITS = 9 };

static bool number(str s, size_t at, size_t len, unsigned min, unsigned max, int *ret)
{
    uint64_t v;
    if (!str_to_u64(str_of(s.p + at, len), &v) || v < min || v > max)
        return false;
    *ret = (int)v;
    return true;
}

static bool parse_stamp(str s, int64_t *ret_s)
{
    struct tm t = {0};
    if (s.p[4] != '-' || s.p[7] != '-' || s.p[10] != 'T' || s.p[13] != ':' || s.p[16] != ':' ||
        !number(s, 0, 4, 1970, 2261, &t.tm_year) || !number(s, 5, 2, 1, 12, &t.tm_mon) ||
        !number(s, 8, 2, 1, 31, &t.tm_mday) || !number(s, 11, 2, 0, 23, &t.tm_hour) ||
        !number(s, 14, 2, 0, 59, &t.tm_min) || !number(s, 17, 2, 0, 59, &t.tm_sec))
        return false;
    int day = t.tm_mday;
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    *ret_s = timegm(&t);
    return t.tm_mday == day; /* 31 February becomes March */
}

static bool parse_fraction(str s, int64_t *ret_ns)
{
    uint64_t v;
    *ret_ns = 0;
    if (s.len == 0)
        return true;
    str digits = str_skip(s, 1);
    if (s.p[0] != '.' || digits.len > FRACTION_DIGITS || !str_to_u64(digits, &v))
        return false;
    for (size_t i = digits.len; i < FRACTION_DIGITS; i++)
        v *= 10;
    *ret_ns = (int64_t)v;
    return true;
}

bool time_text_parse(str text, int64_t *ret_ns)
{
    int64_t s, ns;
    if (text.len < STAMP_LEN + 1 || text.p[text.len - 1] != 'Z')
        return false;
    str fraction = str_skip(str_head(text, text.len - 1), STAMP_LEN);
    if (!parse_stamp(text, &s) || !parse_fraction(fraction, &ns))
        return false;
    *ret_ns = s * NS_PER_S + ns;
    return true;
}
