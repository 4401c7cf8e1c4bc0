#include "test.h"

#include "grpc/splitter.h"

static struct error e;
static struct buf streamed, rest;

static enum err keep(void *ctx, str piece, struct error *err)
{
    (void)ctx;
    CHECK(piece.len > 0);
    buf_add(&streamed, piece);
    return buf_status(&streamed, err);
}

static enum err refuse(void *ctx, str piece, struct error *err)
{
    (void)ctx, (void)piece;
    return FAIL(err, ERR_DATA_LOSS, "test", "no room");
}

static enum err split_with(str in, size_t step, uint64_t max_field, size_t max_rest,
                           splitter_fn *sink)
{
    struct splitter s;
    enum err err = ERR_OK;
    buf_init(&streamed, 1000);
    buf_init(&rest, 1000);
    splitter_init(&s, 4, max_field, max_rest, sink, NULL);
    while (in.len && err == ERR_OK) {
        err = splitter_feed(&s, str_head(in, step), &e);
        in = str_skip(in, MIN(step, in.len));
    }
    if (err == ERR_OK)
        err = splitter_end(&s, &e);
    buf_add(&rest, buf_view(&s.rest));
    splitter_deinit(&s);
    return err;
}

static void cleanup(void)
{
    buf_deinit(&streamed);
    buf_deinit(&rest);
}

static void check_split(str in, str want_streamed, str want_rest)
{
    for (size_t step = 1; step <= in.len + 1; step++) {
        CHECK_OK(split_with(in, step, 100, 100, keep), &e);
        CHECK_STR(buf_view(&streamed), want_streamed);
        CHECK_STR(buf_view(&rest), want_rest);
        cleanup();
    }
}

static void check_refused(str in, enum err want, str reason)
{
    for (size_t step = 1; step <= in.len; step++) {
        CHECK_ERR(split_with(in, step, 100, 100, keep), want, &e);
        CHECK_STR(str_c(e.reason), reason);
        cleanup();
    }
}

TEST(one_field_is_streamed_the_others_gathered)
{
    check_split(STR("\x0a\x02"
                    "ab\x22\x03"
                    "PK!\x2a\x01x"),
                STR("PK!"),
                STR("\x0a\x02"
                    "ab\x2a\x01x"));
    check_split(STR("\x22\x03PK!"), STR("PK!"), STR(""));
    check_split(STR("\x0a\x02"
                    "ab"),
                STR(""),
                STR("\x0a\x02"
                    "ab"));
    check_split(STR(""), STR(""), STR(""));
}

TEST(every_wire_type_is_gathered)
{
    str others = STR("\x10\xff\x01\x19"
                     "12345678\x35"
                     "1234\x0a\x00\x9a\x06\x01z");
    check_split(others, STR(""), others);
}

TEST(an_empty_streamed_field)
{
    check_split(STR("\x22\x00"), STR(""), STR(""));
    check_refused(STR("\x22\x00\x22\x00"), ERR_INVALID_ARGUMENT, STR("grpc.message.repeated"));
}

TEST(over_long_forms_that_decoders_accept)
{
    check_split(STR("\xa2\x80\x80\x00\x01x"), STR("x"), STR(""));
    check_split(STR("\x22\x81\x80\x80\x80\x00x"), STR("x"), STR(""));
    check_split(STR("\x10\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), STR(""),
                STR("\x10\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"));
}

TEST(over_long_forms_that_decoders_refuse)
{
    str reason = STR("grpc.message.malformed");
    check_refused(STR("\xa2\x80\x80\x80\x80\x00\x01x"), ERR_INVALID_ARGUMENT, reason);
    check_refused(STR("\x22\x81\x80\x80\x80\x80\x00x"), ERR_INVALID_ARGUMENT, reason);
    check_refused(STR("\x10\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), ERR_INVALID_ARGUMENT,
                  reason);
    check_refused(STR("\x22\xff\xff\xff\xff\x0f"), ERR_INVALID_ARGUMENT, reason);
}

TEST(a_second_streamed_field)
{
    check_refused(STR("\x22\x01x\x0a\x01y\x22\x01z"), ERR_INVALID_ARGUMENT,
                  STR("grpc.message.repeated"));
    CHECK_STR(str_c(e.msg), STR("field 4 of the request comes more than once"));
}

TEST(the_streamed_field_with_another_wire_type)
{
    check_refused(STR("\x20\x01"), ERR_INVALID_ARGUMENT, STR("grpc.message.wire_type"));
    check_refused(STR("\x21"
                      "12345678"),
                  ERR_INVALID_ARGUMENT, STR("grpc.message.wire_type"));
    check_refused(STR("\x23\x24"), ERR_INVALID_ARGUMENT, STR("grpc.message.wire_type"));
}

TEST(groups_and_unused_wire_types)
{
    check_refused(STR("\x0b\x0c"), ERR_INVALID_ARGUMENT, STR("grpc.message.malformed"));
    check_refused(STR("\x0e"), ERR_INVALID_ARGUMENT, STR("grpc.message.malformed"));
    check_refused(STR("\x0f"), ERR_INVALID_ARGUMENT, STR("grpc.message.malformed"));
}

TEST(field_number_zero)
{
    check_refused(STR("\x02\x01x"), ERR_INVALID_ARGUMENT, STR("grpc.message.malformed"));
    CHECK_CONTAINS(str_c(e.msg), STR("field number 0"));
}

TEST(truncated_anywhere)
{
    str whole = STR("\x0a\x02"
                    "ab\x10\xff\x01\x22\x03PK!\x2d"
                    "1234");
    static const size_t ends[] = {0, 4, 7, 12, 17}; /* where a message may end */
    size_t next = 0;
    for (size_t n = 0; n <= whole.len; n++) {
        bool complete = n == ends[next];
        next += complete;
        CHECK_ERR(split_with(str_head(whole, n), 100, 100, 100, keep),
                  complete ? ERR_OK : ERR_INVALID_ARGUMENT, &e);
        cleanup();
    }
    CHECK_INT(next, ARRAY_SIZE(ends));
}

TEST(the_streamed_field_is_limited_by_its_length)
{
    CHECK_OK(split_with(STR("\x22\x03PK!"), 1, 3, 100, keep), &e);
    cleanup();
    CHECK_ERR(split_with(STR("\x22\x04"), 1, 3, 100, keep), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_STR(str_c(e.msg), STR("field 4 of the request has 4 bytes, the limit is 3 bytes"));
    cleanup();
}

TEST(the_other_fields_are_limited)
{
    CHECK_OK(split_with(STR("\x0a\x02"
                            "ab\x22\x03PK!"),
                        1, 100, 4, keep),
             &e);
    cleanup();
    CHECK_ERR(split_with(STR("\x0a\x03"), 1, 100, 4, keep), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_STR(str_c(e.msg), STR("the fields of the request beside field 4 have 5 bytes or more, "
                                "the limit is 4 bytes"));
    cleanup();
    CHECK_ERR(split_with(STR("\x10\x01\x10\x01\x10"), 1, 100, 4, keep), ERR_RESOURCE_EXHAUSTED, &e);
    cleanup();
}

TEST(the_sinks_failure_is_forwarded)
{
    CHECK_ERR(split_with(STR("\x22\x03PK!"), 9, 100, 100, refuse), ERR_DATA_LOSS, &e);
    cleanup();
}
