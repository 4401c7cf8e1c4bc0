/*
 * The splitter against protobuf-c: what one accepts the other accepts, with the same content, but
 * for a second streamed field. And the result does not depend on how the input was cut.
 * Input: the serialized PushSkillRequest.
 */
#include "fuzz.h"

#include "base/macro.h"
#include "grpc/splitter.h"
#include "pb.h"

#define LIMIT MIB(1) /* above every input: what exceeds it is cut short as well */

typedef PB_SKILL(PushSkillRequest) request;

struct result {
    struct splitter s;
    struct buf field;
    bool ok, repeated;
};

static enum err keep(void *ctx, str piece, struct error *e)
{
    struct buf *b = ctx;
    FUZZ_CHECK(piece.len > 0);
    buf_add(b, piece);
    return buf_status(b, e);
}

static void run(struct result *r, str in, size_t step)
{
    struct error e = {0};
    enum err err = ERR_OK;
    buf_init(&r->field, LIMIT);
    splitter_init(&r->s, 4, LIMIT, LIMIT, keep, &r->field);
    while (in.len && err == ERR_OK) {
        str piece = str_head(in, step);
        in = str_skip(in, piece.len);
        err = splitter_feed(&r->s, piece, &e);
    }
    if (err == ERR_OK)
        err = splitter_end(&r->s, &e);
    r->ok = err == ERR_OK;
    r->repeated = !r->ok && strcmp(e.reason, "grpc.message.repeated") == 0;
}

static void result_deinit(struct result *r)
{
    splitter_deinit(&r->s);
    buf_deinit(&r->field);
}

static request *decode(str in)
{
    return pb_skill(push_skill_request__unpack)(NULL, in.len, (const uint8_t *)in.p);
}

static void encode(const request *r, struct buf *out)
{
    buf_init(out, 4 * LIMIT);
    size_t n = pb_skill(push_skill_request__get_packed_size)(r);
    char *p = buf_reserve(out, n);
    FUZZ_CHECK(p != NULL);
    out->len = pb_skill(push_skill_request__pack)(r, (uint8_t *)p);
}

static void check_same(request *whole, const request *rest, const struct result *r)
{
    struct buf a, b;
    FUZZ_CHECK(str_eq(str_of(whole->artifact.data, whole->artifact.len), buf_view(&r->field)));
    FUZZ_CHECK(rest->artifact.len == 0);
    ProtobufCBinaryData artifact = whole->artifact;
    whole->artifact = (ProtobufCBinaryData){0};
    encode(whole, &a);
    encode(rest, &b);
    whole->artifact = artifact;
    FUZZ_CHECK(str_eq(buf_view(&a), buf_view(&b)));
    buf_deinit(&a);
    buf_deinit(&b);
}

static void check_against_protobuf(str in, const struct result *r)
{
    request *whole = decode(in);
    request *rest = r->ok ? decode(buf_view(&r->s.rest)) : NULL;
    FUZZ_CHECK((whole != NULL) == (rest != NULL));
    if (whole)
        check_same(whole, rest, r);
    if (whole)
        pb_skill(push_skill_request__free_unpacked)(whole, NULL);
    if (rest)
        pb_skill(push_skill_request__free_unpacked)(rest, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct result at_once, bytewise;
    str in = str_of(data, size);
    run(&at_once, in, SIZE_MAX);
    run(&bytewise, in, 1);
    FUZZ_CHECK(at_once.ok == bytewise.ok && at_once.repeated == bytewise.repeated);
    FUZZ_CHECK(str_eq(buf_view(&at_once.field), buf_view(&bytewise.field)));
    FUZZ_CHECK(str_eq(buf_view(&at_once.s.rest), buf_view(&bytewise.s.rest)));
    if (!at_once.repeated)
        check_against_protobuf(in, &at_once);
    result_deinit(&at_once);
    result_deinit(&bytewise);
    return 0;
}
