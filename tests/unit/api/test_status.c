/* What clients are told of failures. */
#include "api/status.h"
#include "base/log.h"
#include "test.h"

#include <errno.h>

static const struct grpc_context call = {.request_id = "0123456789abcdef", .method = "/x/y"};

static const struct {
    enum err code;
    int sys;
    enum err want;
    const char *text; /* NULL: unchanged */
} rows[] = {
    {ERR_NOT_FOUND, 0, ERR_NOT_FOUND, NULL},
    {ERR_INVALID_ARGUMENT, 0, ERR_INVALID_ARGUMENT, NULL},
    {ERR_RESOURCE_EXHAUSTED, 0, ERR_RESOURCE_EXHAUSTED, NULL},
    {ERR_DATA_LOSS, 0, ERR_DATA_LOSS, NULL},
    {ERR_UNAVAILABLE, 0, ERR_UNAVAILABLE, NULL},
    {ERR_RESOURCE_EXHAUSTED, ENOSPC, ERR_RESOURCE_EXHAUSTED, "storage is full"},
    {ERR_UNAVAILABLE, EIO, ERR_UNAVAILABLE, "try again"},
    {ERR_DATA_LOSS, EIO, ERR_DATA_LOSS, "damaged"},
    {ERR_NOT_FOUND, ENOENT, ERR_INTERNAL, "internal error"},
    {ERR_PERMISSION_DENIED, EACCES, ERR_INTERNAL, "internal error"},
    {ERR_INTERNAL, 0, ERR_INTERNAL, "internal error"},
    {ERR_UNKNOWN, 0, ERR_INTERNAL, "internal error"},
};

TEST(local_causes_stay_here)
{
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, 2);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct error e = {.code = rows[i].code, .sys = rows[i].sys, .reason = "test.reason"};
        (void)snprintf(e.msg, sizeof(e.msg), "cannot open /srv/secret");
        CHECK_INT(api_status(&call, rows[i].code, &e), rows[i].want);
        if (!rows[i].text) {
            CHECK_STR(str_c(e.msg), STR("cannot open /srv/secret"));
            continue;
        }
        CHECK_INT(e.code, rows[i].want);
        CHECK_INT(e.sys, 0);
        CHECK(str_find_str(str_c(e.msg), STR("/srv/secret")) < 0);
        CHECK_CONTAINS(str_c(e.msg), str_c(rows[i].text));
        CHECK_CONTAINS(str_c(e.msg), STR("request id 0123456789abcdef"));
    }
}

TEST(success_is_left_alone)
{
    struct error e = {.sys = EIO}; /* left over from something that was handled */
    CHECK_INT(api_status(&call, ERR_OK, &e), ERR_OK);
}
