#include "grpc/splitter.h"

#include "base/macro.h"

#include <inttypes.h>
#include <limits.h>

/* Wire types (protobuf encoding guide). Groups, 3 and 4, are refused as protobuf-c does. */
enum { WIRE_VARINT = 0, WIRE_64BIT = 1, WIRE_BYTES = 2, WIRE_32BIT = 5 };

#define TAG_BYTES_MAX    5  /* bytes of a tag, as protobuf-c counts */
#define VARINT_BYTES_MAX 10 /* of a value */
#define LENGTH_BYTES_MAX 5  /* of a length */
#define LENGTH_MAX       ((uint64_t)INT_MAX)
#define LABEL_MAX        64 /* bytes of what messages call the streamed field */

void splitter_init(struct splitter *s, uint32_t field, uint64_t max_field, size_t max_rest,
                   splitter_fn *sink, void *ctx)
{
    *s = (struct splitter){.field = field, .max_field = max_field, .sink = sink, .ctx = ctx};
    buf_init(&s->rest, max_rest);
}

void splitter_deinit(struct splitter *s)
{
    buf_deinit(&s->rest);
}

static enum err malformed(const char *what, struct error *e)
{
    return FAIL(e, ERR_INVALID_ARGUMENT, "grpc.message.malformed",
                "the request is not a valid protobuf message: %s", what);
}

/* "field 4", or "field 4 (artifact)" when its name is known. */
static const char *label(const struct splitter *s, char out[LABEL_MAX])
{
    if (s->name)
        (void)snprintf(out, LABEL_MAX, "field %" PRIu32 " (%s)", s->field, s->name);
    else
        (void)snprintf(out, LABEL_MAX, "field %" PRIu32, s->field);
    return out;
}

static enum err rest_full(const struct splitter *s, uint64_t more, struct error *e)
{
    char name[LABEL_MAX];
    return FAIL(e, ERR_RESOURCE_EXHAUSTED, "grpc.message.too_large",
                "the fields of the request beside %s have %" PRIu64
                " bytes or more, the limit is %zu bytes",
                label(s, name), s->rest.len + more, s->rest.max);
}

static enum err gather(struct splitter *s, str piece, struct error *e)
{
    if (piece.len > s->rest.max - s->rest.len)
        return rest_full(s, piece.len, e);
    buf_add(&s->rest, piece);
    return buf_status(&s->rest, e);
}

static void go(struct splitter *s, enum splitter_state state, uint64_t left)
{
    s->state = state;
    s->left = left;
    s->n = 0;
    s->length = 0;
}

/* The bytes of a value whose length is known, or the next tag when there are none left. */
static void go_value(struct splitter *s, enum splitter_state state, uint64_t left)
{
    go(s, left ? state : SPLITTER_TAG, left);
}

static enum err streamed_tag(struct splitter *s, struct error *e)
{
    char name[LABEL_MAX];
    if (s->wire != WIRE_BYTES)
        return FAIL(e, ERR_INVALID_ARGUMENT, "grpc.message.wire_type",
                    "%s of the request is not a bytes field (wire type %u)", label(s, name),
                    s->wire);
    if (s->seen)
        return FAIL(e, ERR_INVALID_ARGUMENT, "grpc.message.repeated",
                    "%s of the request comes more than once", label(s, name));
    s->seen = true;
    go(s, SPLITTER_LENGTH, 0);
    return ERR_OK;
}

static enum err tag_done(struct splitter *s, struct error *e)
{
    s->streaming = s->tag == s->field;
    if (s->streaming)
        return streamed_tag(s, e);
    TRY(gather(s, str_of(s->head, s->n), e));
    switch (s->wire) {
    case WIRE_VARINT:
        go(s, SPLITTER_VARINT, 0);
        return ERR_OK;
    case WIRE_64BIT:
        go(s, SPLITTER_COPY, 8);
        return ERR_OK;
    case WIRE_BYTES:
        go(s, SPLITTER_LENGTH, 0);
        return ERR_OK;
    case WIRE_32BIT:
        go(s, SPLITTER_COPY, 4);
        return ERR_OK;
    default:
        return malformed("a wire type that is not in use", e);
    }
}

static enum err tag_byte(struct splitter *s, uint8_t b, struct error *e)
{
    if (s->n == 0 && (b & 0xf8) == 0)
        return malformed("field number 0", e);
    if (s->n == 0) {
        s->wire = b & 7;
        s->tag = (b & 0x7f) >> 3;
    } else {
        s->tag |= (uint32_t)(b & 0x7f) << (7 * s->n - 3);
    }
    s->head[s->n++] = (char)b;
    if (b & 0x80)
        return s->n < TAG_BYTES_MAX ? ERR_OK : malformed("a field number of more than 5 bytes", e);
    return tag_done(s, e);
}

static enum err varint_byte(struct splitter *s, uint8_t b, struct error *e)
{
    s->n++;
    if (!(b & 0x80))
        go(s, SPLITTER_TAG, 0);
    else if (s->n == VARINT_BYTES_MAX)
        return malformed("a number of more than 10 bytes", e);
    return ERR_OK;
}

static enum err length_done(struct splitter *s, struct error *e)
{
    uint64_t length = s->length;
    char name[LABEL_MAX];
    if (length > LENGTH_MAX)
        return malformed("a length of 2 GiB or more", e);
    if (s->streaming && length > s->max_field)
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "grpc.message.field_too_large",
                    "%s of the request has %" PRIu64 " bytes, the limit is %" PRIu64 " bytes",
                    label(s, name), length, s->max_field);
    if (!s->streaming && length > s->rest.max - s->rest.len)
        return rest_full(s, length, e);
    go_value(s, s->streaming ? SPLITTER_STREAM : SPLITTER_COPY, length);
    return ERR_OK;
}

static enum err length_byte(struct splitter *s, uint8_t b, struct error *e)
{
    s->length |= (uint64_t)(b & 0x7f) << (7 * s->n);
    s->n++;
    if (b & 0x80)
        return s->n < LENGTH_BYTES_MAX ? ERR_OK : malformed("a length of more than 5 bytes", e);
    return length_done(s, e);
}

/* One byte of a tag, varint or length. */
static enum err take_byte(struct splitter *s, str byte, struct error *e)
{
    uint8_t b = (uint8_t)byte.p[0];
    if (s->state == SPLITTER_TAG)
        return tag_byte(s, b, e);
    if (!s->streaming)
        TRY(gather(s, byte, e));
    return s->state == SPLITTER_VARINT ? varint_byte(s, b, e) : length_byte(s, b, e);
}

static enum err take_value(struct splitter *s, str piece, struct error *e)
{
    enum splitter_state state = s->state;
    go_value(s, state, s->left - piece.len);
    return state == SPLITTER_STREAM ? s->sink(s->ctx, piece, e) : gather(s, piece, e);
}

enum err splitter_feed(struct splitter *s, str in, struct error *e)
{
    while (in.len) {
        bool value = s->state == SPLITTER_COPY || s->state == SPLITTER_STREAM;
        str piece = str_head(in, value ? s->left : 1);
        in = str_skip(in, piece.len);
        TRY((value ? take_value : take_byte)(s, piece, e));
    }
    return ERR_OK;
}

enum err splitter_end(const struct splitter *s, struct error *e)
{
    if (s->state != SPLITTER_TAG || s->n)
        return malformed("it ends inside a field", e);
    return ERR_OK;
}
