#include "test.h"

#include "deflate.h"
#include "grpc/receive.h"

static struct error e;

struct inbox {
    struct buf text;
    int n_begun, n_ended;
};

static enum err begin(void *ctx, struct error *err)
{
    (void)err;
    ((struct inbox *)ctx)->n_begun++;
    return ERR_OK;
}

static enum err piece(void *ctx, str bytes, struct error *err)
{
    buf_add(&((struct inbox *)ctx)->text, bytes);
    return buf_status(&((struct inbox *)ctx)->text, err);
}

static enum err end(void *ctx, struct error *err)
{
    (void)err;
    ((struct inbox *)ctx)->n_ended++;
    return ERR_OK;
}

static const struct receive_sink sink = {begin, piece, end};

/* Receives the stream in steps; the inbox is the caller's to deinit. */
static enum err receive(str in, size_t step, uint64_t max, bool may_gzip, struct inbox *box)
{
    struct receive r;
    enum err err = ERR_OK;
    *box = (struct inbox){0};
    buf_init(&box->text, MIB(4));
    receive_init(&r, max, may_gzip, &sink, box);
    while (in.len && err == ERR_OK) {
        err = receive_feed(&r, str_head(in, step), &e);
        in = str_skip(in, MIN(step, in.len));
    }
    if (err == ERR_OK)
        err = receive_end(&r, &e);
    receive_deinit(&r);
    return err;
}

/* A compressed message whose gzip data is changed by cutting n bytes off and adding more. */
static void add_gzip_frame(struct buf *to, str text, size_t cut, str more)
{
    struct buf data;
    uint8_t prefix[FRAMES_PREFIX];
    buf_init(&data, MIB(4));
    gzip_add(&data, text);
    data.len -= cut;
    buf_add(&data, more);
    frames_prefix((uint32_t)data.len, prefix);
    prefix[0] = 1;
    buf_add(to, str_of(prefix, sizeof prefix));
    buf_add(to, buf_view(&data));
    buf_deinit(&data);
}

static void check_gzip(str text, size_t cut, str more, uint64_t max, enum err want)
{
    static const size_t steps[] = {1, 7, 100000};
    struct buf in;
    buf_init(&in, MIB(4));
    add_gzip_frame(&in, text, cut, more);
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        struct inbox box;
        CHECK_ERR(receive(buf_view(&in), steps[i], max, true, &box), want, &e);
        if (want == ERR_OK)
            CHECK_STR(buf_view(&box.text), text);
        CHECK_INT(box.n_ended, want == ERR_OK);
        buf_deinit(&box.text);
    }
    buf_deinit(&in);
}

TEST(compressed_messages_are_inflated)
{
    check_gzip(STR("words and words and words"), 0, STR(""), 100, ERR_OK);
    check_gzip(STR(""), 0, STR(""), 100, ERR_OK);
}

TEST(a_large_compressed_message)
{
    struct buf text;
    buf_init(&text, MIB(1));
    for (int i = 0; i < 20000; i++)
        buf_addf(&text, "line %d\n", i * i);
    check_gzip(buf_view(&text), 0, STR(""), MIB(1), ERR_OK);
    buf_deinit(&text);
}

TEST(plain_and_compressed_mixed)
{
    struct buf in;
    struct inbox box;
    buf_init(&in, 4096);
    add_gzip_frame(&in, STR("one "), 0, STR(""));
    buf_add(&in, STR("\0\0\0\0\4two "));
    add_gzip_frame(&in, STR("three"), 0, STR(""));
    CHECK_OK(receive(buf_view(&in), 3, 100, true, &box), &e);
    CHECK_STR(buf_view(&box.text), STR("one two three"));
    CHECK_INT(box.n_begun, 3);
    CHECK_INT(box.n_ended, 3);
    buf_deinit(&box.text);
    buf_deinit(&in);
}

TEST(the_inflated_size_is_limited)
{
    char zeros[4096] = {0};
    check_gzip(str_of(zeros, 4096), 0, STR(""), 4096, ERR_OK);
    check_gzip(str_of(zeros, 4096), 0, STR(""), 4095, ERR_RESOURCE_EXHAUSTED);
    CHECK_CONTAINS(str_c(e.msg), STR("4096 bytes or more, the limit is 4095 bytes"));
}

TEST(damaged_gzip_data)
{
    str text = STR("some text that is compressed");
    check_gzip(text, 1, STR(""), 100, ERR_INVALID_ARGUMENT);
    CHECK_STR(str_c(e.reason), STR("grpc.gzip.truncated"));
    check_gzip(text, 0, STR("x"), 100, ERR_INVALID_ARGUMENT);
    CHECK_STR(str_c(e.reason), STR("grpc.gzip.trailing"));
    check_gzip(text, 5, STR("\xff\0\0\0\0"), 100, ERR_INVALID_ARGUMENT);
    CHECK_STR(str_c(e.reason), STR("grpc.gzip.data"));
    check_gzip(text, 48, STR("not gzip at all"), 100, ERR_INVALID_ARGUMENT);
}

TEST(two_gzip_streams_in_one_message)
{
    struct buf second;
    buf_init(&second, 4096);
    gzip_add(&second, STR("second"));
    check_gzip(STR("first"), 0, buf_view(&second), 100, ERR_INVALID_ARGUMENT);
    CHECK_STR(str_c(e.reason), STR("grpc.gzip.trailing"));
    buf_deinit(&second);
}

TEST(a_compressed_message_needs_an_encoding)
{
    struct buf in;
    struct inbox box;
    buf_init(&in, 4096);
    add_gzip_frame(&in, STR("text"), 0, STR(""));
    CHECK_ERR(receive(buf_view(&in), 100, 100, false, &box), ERR_INTERNAL, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("grpc-encoding"));
    buf_deinit(&box.text);
    buf_deinit(&in);
}

TEST(the_encodings_taken)
{
    bool gzip = true;
    CHECK_OK(receive_encoding(STR(""), &gzip, &e), &e);
    CHECK(!gzip);
    CHECK_OK(receive_encoding(STR("identity"), &gzip, &e), &e);
    CHECK(!gzip);
    CHECK_OK(receive_encoding(STR("gzip"), &gzip, &e), &e);
    CHECK(gzip);
    CHECK_ERR(receive_encoding(STR("snappy"), &gzip, &e), ERR_UNIMPLEMENTED, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("\"snappy\""));
    CHECK_CONTAINS(str_c(e.msg), STR("identity,gzip"));
}
