#include "h2/limits.h"

#include "base/macro.h"

#define WINDOW_MIN 65535      /* RFC 9113 6.9.2: smaller than the initial one helps nobody */
#define WINDOW_MAX 2147483647 /* RFC 9113 6.9.1 */

const struct h2_limits h2_limits_default = {
#define X(name, value, unit, reason) .name = (value),
    H2_LIMITS_TABLE(X)
#undef X
};

const struct h2_limit_row h2_limit_rows[] = {
#define X(name, value, unit, reason)                                                               \
    {#name, (value), (unit), (reason), offsetof(struct h2_limits, name)},
    H2_LIMITS_TABLE(X)
#undef X
};
const size_t h2_n_limit_rows = ARRAY_SIZE(h2_limit_rows);

static int64_t value_of(const struct h2_limits *l, const struct h2_limit_row *row)
{
    return *(const int64_t *)(const void *)((const char *)l + row->offset);
}

enum err h2_limits_check(const struct h2_limits *l, struct error *e)
{
    for (size_t i = 0; i < h2_n_limit_rows; i++) {
        int64_t v = value_of(l, &h2_limit_rows[i]);
        if (v < 1 || v > WINDOW_MAX)
            return FAIL(e, ERR_INVALID_ARGUMENT, "h2.limit", "%s must be from 1 to %d %s, not %lld",
                        h2_limit_rows[i].name, WINDOW_MAX, h2_limit_rows[i].unit, (long long)v);
    }
    if (MIN(l->stream_window, l->connection_window) < WINDOW_MIN)
        return FAIL(e, ERR_INVALID_ARGUMENT, "h2.limit",
                    "stream_window and connection_window must be at least %d bytes", WINDOW_MIN);
    return ERR_OK;
}
