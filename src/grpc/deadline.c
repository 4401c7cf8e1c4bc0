#include "grpc/deadline.h"

#include "base/macro.h"

#include <inttypes.h>
#include <stdio.h>

#define MAX_DIGITS 8
#define MAX_VALUE  99999999

static int64_t unit_ns(char unit)
{
    switch (unit) {
    case 'H':
        return 3600 * NS_PER_S;
    case 'M':
        return 60 * NS_PER_S;
    case 'S':
        return NS_PER_S;
    case 'm':
        return NS_PER_MS;
    case 'u':
        return 1000;
    case 'n':
        return 1;
    default:
        return 0;
    }
}

enum err deadline_parse(str s, int64_t *ret_ns, struct error *e)
{
    uint64_t n = 0;
    int64_t unit = s.len ? unit_ns(s.p[s.len - 1]) : 0;
    str digits = str_head(s, s.len ? s.len - 1 : 0);
    if (!unit || digits.len > MAX_DIGITS || !str_to_u64(digits, &n))
        return FAIL(e, ERR_INVALID_ARGUMENT, "grpc.timeout",
                    "grpc-timeout is \"%.*s\"; it has 1 to 8 digits and a unit of H M S m u n",
                    STR_ARG(str_head(s, 64)));
    *ret_ns = (int64_t)n > INT64_MAX / unit ? INT64_MAX : (int64_t)n * unit;
    return ERR_OK;
}

int64_t deadline_at(int64_t now_ns, int64_t timeout_ns)
{
    return timeout_ns > INT64_MAX - now_ns ? DEADLINE_NONE : now_ns + timeout_ns;
}

void deadline_format(int64_t timeout_ms, char out[DEADLINE_TEXT_MAX])
{
    static const struct {
        int64_t ms;
        char name;
    } units[] = {{1, 'm'}, {1000, 'S'}, {60 * 1000, 'M'}, {3600 * 1000, 'H'}};
    size_t i = 0;
    while (i + 1 < ARRAY_SIZE(units) && timeout_ms / units[i].ms >= MAX_VALUE)
        i++;
    int64_t n = timeout_ms / units[i].ms + (timeout_ms % units[i].ms != 0);
    n = MIN(n, (int64_t)MAX_VALUE);
    (void)snprintf(out, DEADLINE_TEXT_MAX, "%d%c", (int)n, units[i].name);
}
