#include "test.h"

#include "grpc/status.h"

#include <errno.h>

static void check_encoded(str msg, str want)
{
    struct buf b, back;
    buf_init(&b, 1000);
    buf_init(&back, 1000);
    status_encode(&b, msg);
    CHECK_STR(buf_view(&b), want);
    status_decode(&back, want);
    CHECK_STR(buf_view(&back), msg);
    buf_deinit(&b);
    buf_deinit(&back);
}

TEST(messages_are_percent_encoded)
{
    check_encoded(STR("plain: text ~ \"x\""), STR("plain: text ~ \"x\""));
    check_encoded(STR("100%"), STR("100%25"));
    check_encoded(STR("a\n - b\x7f"), STR("a%0A - b%7F"));
    check_encoded(STR("\xe4\xbd\xa0"), STR("%E4%BD%A0"));
    check_encoded(STR(""), STR(""));
}

TEST(what_is_not_utf8_is_replaced)
{
    struct buf b;
    buf_init(&b, 100);
    status_encode(&b, STR("a\xff\xe4\xbd"));
    CHECK_STR(buf_view(&b), STR("a%EF%BF%BD%EF%BF%BD%EF%BF%BD"));
    buf_deinit(&b);
}

TEST(a_broken_encoding_stands_for_itself)
{
    struct buf b;
    buf_init(&b, 100);
    status_decode(&b, STR("%4a%4A%zz%4z%z4%%41%4"));
    CHECK_STR(buf_view(&b), STR("JJ%zz%4z%z4%A%4"));
    buf_deinit(&b);
}

static void check_text(const struct error *e, bool private)
{
    char out[ERR_MSG_MAX];
    status_text(e, "0123456789abcdef", out);
    CHECK_INT(status_is_private(e), private);
    CHECK_STR(str_c(out),
              private ? STR("internal error; request id 0123456789abcdef") : str_c(e->msg));
}

TEST(errors_of_this_machine_stay_here)
{
    struct error e;
    FAIL(&e, ERR_NOT_FOUND, "x", "skill not found: calc");
    check_text(&e, false);
    FAIL(&e, ERR_UNAVAILABLE, "x", "try again");
    check_text(&e, false);
    FAIL(&e, ERR_INTERNAL, "x", "a defect");
    check_text(&e, true);
    FAIL(&e, ERR_UNKNOWN, "x", "who knows");
    check_text(&e, true);
    FAIL_SYS(&e, ERR_NOT_FOUND, ENOENT, "x", "cannot open /var/lib/secret");
    check_text(&e, true);
}

TEST(numbers_of_statuses)
{
    CHECK_INT(status_parse(STR("0")), ERR_OK);
    CHECK_INT(status_parse(STR("16")), ERR_UNAUTHENTICATED);
    CHECK_INT(status_parse(STR("17")), ERR_UNKNOWN);
    CHECK_INT(status_parse(STR("-1")), ERR_UNKNOWN);
    CHECK_INT(status_parse(STR("")), ERR_UNKNOWN);
}

TEST(codes_behind_http)
{
    CHECK_INT(status_of_http(400), ERR_INTERNAL);
    CHECK_INT(status_of_http(401), ERR_UNAUTHENTICATED);
    CHECK_INT(status_of_http(403), ERR_PERMISSION_DENIED);
    CHECK_INT(status_of_http(404), ERR_UNIMPLEMENTED);
    CHECK_INT(status_of_http(429), ERR_UNAVAILABLE);
    CHECK_INT(status_of_http(502), ERR_UNAVAILABLE);
    CHECK_INT(status_of_http(503), ERR_UNAVAILABLE);
    CHECK_INT(status_of_http(504), ERR_UNAVAILABLE);
    CHECK_INT(status_of_http(200), ERR_UNKNOWN);
    CHECK_INT(status_of_http(500), ERR_UNKNOWN);
}

TEST(codes_behind_resets)
{
    CHECK_INT(status_of_h2(0x0), ERR_INTERNAL);
    CHECK_INT(status_of_h2(0x1), ERR_INTERNAL);
    CHECK_INT(status_of_h2(0x7), ERR_UNAVAILABLE);
    CHECK_INT(status_of_h2(0x8), ERR_CANCELLED);
    CHECK_INT(status_of_h2(0xb), ERR_RESOURCE_EXHAUSTED);
    CHECK_INT(status_of_h2(0xc), ERR_PERMISSION_DENIED);
}
