#include "test.h"

#include "base/buf.h"
#include "grpc/frames.h"

static struct error e;

/* Feeds the bytes in steps and writes down what came out. */
static enum err events(str in, size_t step, uint64_t max, struct buf *out)
{
    struct frames f;
    frames_init(&f, max);
    buf_init(out, 4096);
    while (in.len) {
        str part = str_head(in, step), piece = STR_NULL;
        enum frames_event event;
        in = str_skip(in, part.len);
        do {
            TRY(frames_next(&f, &part, &event, &piece, &e));
            if (event == FRAMES_BEGIN)
                buf_addf(out, "[%s%u:", f.compressed ? "z" : "", f.len);
            if (event == FRAMES_PIECE)
                buf_add(out, piece);
            if (event == FRAMES_END)
                buf_add(out, STR("]"));
        } while (event != FRAMES_NONE);
    }
    return frames_end(&f, &e);
}

TEST(every_cut_gives_the_same_messages)
{
    str in = STR("\0\0\0\0\5hello\1\0\0\0\3zip\0\0\0\0\0\0\0\0\0\1!");
    for (size_t step = 1; step <= in.len; step++) {
        struct buf out;
        CHECK_OK(events(in, step, 100, &out), &e);
        CHECK_STR(buf_view(&out), STR("[5:hello][z3:zip][0:][1:!]"));
        buf_deinit(&out);
    }
}

TEST(too_long_is_refused_from_the_prefix)
{
    struct buf out;
    CHECK_OK(events(STR("\0\0\0\0\4abcd"), 3, 4, &out), &e);
    buf_deinit(&out);
    CHECK_ERR(events(STR("\0\0\0\0\5"), 5, 4, &out), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_STR(str_c(e.msg), STR("the message has 5 bytes, the limit is 4 bytes"));
    buf_deinit(&out);
    CHECK_ERR(events(STR("\0\377\377\377\377"), 1, 4, &out), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("4294967295"));
    buf_deinit(&out);
}

TEST(the_flag_is_0_or_1)
{
    struct buf out;
    CHECK_ERR(events(STR("\2\0\0\0\1x"), 9, 4, &out), ERR_INTERNAL, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("compressed flag of a message is 2"));
    buf_deinit(&out);
}

TEST(the_end_inside_a_message)
{
    struct buf out;
    CHECK_ERR(events(STR("\0\0\0\0\5hel"), 9, 10, &out), ERR_INVALID_ARGUMENT, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("2 bytes before the end of a message of 5"));
    buf_deinit(&out);
    CHECK_ERR(events(STR("\0\0\0"), 9, 10, &out), ERR_INVALID_ARGUMENT, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("prefix"));
    buf_deinit(&out);
    CHECK_OK(events(STR(""), 9, 10, &out), &e);
    buf_deinit(&out);
}

TEST(the_prefix_is_big_endian)
{
    uint8_t p[FRAMES_PREFIX];
    frames_prefix(0x01020304, p);
    CHECK_STR(str_of(p, sizeof p), STR("\0\1\2\3\4"));
}
