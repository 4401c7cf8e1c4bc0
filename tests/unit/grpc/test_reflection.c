#include "test.h"

#include "base/clock.h"
#include "descriptors.h"
#include "fixture.h"
#include "grpc/reflection.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "grpc/wire.h"

#define FILES_MAX 32
#define SKILL     "ai.stigmer.agentic.skill.v1."

static struct error e;
static str files[FILES_MAX];
static size_t n_files;

static struct symbols *index_all(void)
{
    struct symbols *s;
    n_files = proto_descriptors(files, FILES_MAX);
    CHECK_OK(symbols_new(files, n_files, &s, &e), &e);
    return s;
}

static str name_of(ptrdiff_t file)
{
    CHECK(file >= 0);
    return wire_find(files[file], 1);
}

TEST(every_kind_of_symbol_is_found)
{
    static const struct {
        const char *symbol, *file;
    } rows[] = {
        {SKILL "Skill", "ai/stigmer/agentic/skill/v1/skill.proto"},
        {SKILL "Skill.metadata", "ai/stigmer/agentic/skill/v1/skill.proto"},
        {SKILL "SkillState", "ai/stigmer/agentic/skill/v1/skill.proto"},
        {SKILL "SKILL_STATE_READY", "ai/stigmer/agentic/skill/v1/skill.proto"},
        {SKILL "SkillCommandController", "ai/stigmer/agentic/skill/v1/command.proto"},
        {SKILL "SkillCommandController.push", "ai/stigmer/agentic/skill/v1/command.proto"},
        {"grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto"},
        {"grpc.health.v1.HealthCheckResponse.SERVING", "grpc/health/v1/health.proto"},
        {"grpc.reflection.v1.ServerReflectionRequest.message_request",
         "grpc/reflection/v1/reflection.proto"},
        {"google.protobuf.Timestamp.seconds", "google/protobuf/timestamp.proto"},
    };
    struct symbols *s = index_all();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        CHECK_STR(name_of(symbols_find(s, str_c(rows[i].symbol))), str_c(rows[i].file));
    symbols_free(s);
}

TEST(what_is_not_there)
{
    static const char *const names[] = {
        "", "Skill", SKILL, SKILL "Skil", SKILL "Skill.none", SKILL "SkillState.SKILL_STATE_READY"};
    struct symbols *s = index_all();
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        CHECK_INT(symbols_find(s, str_c(names[i])), -1);
    CHECK_INT(symbols_file(s, STR("nothing.proto")), -1);
    symbols_free(s);
}

TEST(imports_of_imports)
{
    bool marks[FILES_MAX] = {false};
    struct symbols *s = index_all();
    symbols_mark_imports(
        s, (size_t)symbols_file(s, STR("ai/stigmer/agentic/skill/v1/command.proto")), marks);
    CHECK(marks[symbols_file(s, STR("google/protobuf/timestamp.proto"))]);
    CHECK(marks[symbols_file(s, STR("ai/stigmer/agentic/skill/v1/skill.proto"))]);
    CHECK(!marks[symbols_file(s, STR("grpc/health/v1/health.proto"))]);
    symbols_free(s);
}

TEST(what_is_no_descriptor)
{
    str bad[] = {STR("\x0a\5x")};
    struct symbols *s = NULL;
    CHECK_ERR(symbols_new(bad, 1, &s, &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_OK(symbols_new(NULL, 0, &s, &e), &e);
    CHECK_INT(symbols_find(s, STR("x")), -1);
    symbols_free(s);
}

/* --- answers --- */

typedef Grpc__Reflection__V1__ServerReflectionRequest question;
typedef Grpc__Reflection__V1__ServerReflectionResponse answer;

static void pack_question(question *q, struct buf *out)
{
    buf_init(out, KIB(4));
    size_t n = grpc__reflection__v1__server_reflection_request__get_packed_size(q);
    CHECK(buf_reserve(out, n));
    out->len = grpc__reflection__v1__server_reflection_request__pack(q, (uint8_t *)out->p);
}

static answer *ask(question *q)
{
    static const str services[] = {{"a.First", 7}, {"b.Second", 8}};
    struct symbols *s = index_all();
    struct reflection r = {s, files, n_files, services, ARRAY_SIZE(services)};
    struct buf in, out;
    pack_question(q, &in);
    buf_init(&out, MIB(1));
    CHECK_OK(reflection_answer(&r, buf_view(&in), &out, &e), &e);
    answer *a =
        grpc__reflection__v1__server_reflection_response__unpack(NULL, out.len, (uint8_t *)out.p);
    CHECK(a != NULL);
    CHECK_STR(str_c(a->valid_host), str_c(q->host));
    CHECK_INT(a->original_request->message_request_case, q->message_request_case);
    buf_deinit(&in);
    buf_deinit(&out);
    symbols_free(s);
    return a;
}

static void answer_free(answer *a)
{
    grpc__reflection__v1__server_reflection_response__free_unpacked(a, NULL);
}

#define QUESTION(kind, field, value)                                                               \
    ((question){                                                                                   \
        PROTOBUF_C_MESSAGE_INIT(&grpc__reflection__v1__server_reflection_request__descriptor),     \
        .host = (char *)"here",                                                                    \
        .message_request_case =                                                                    \
            GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##kind,               \
        .field = (char *)(value)})

TEST(the_services)
{
    question q = QUESTION(LIST_SERVICES, list_services, "*");
    answer *a = ask(&q);
    CHECK_INT(a->list_services_response->n_service, 2);
    CHECK_STR(str_c(a->list_services_response->service[0]->name), STR("a.First"));
    CHECK_STR(str_c(a->list_services_response->service[1]->name), STR("b.Second"));
    answer_free(a);
}

static void check_file(question q, const char *name, size_t n)
{
    answer *a = ask(&q);
    CHECK(a->file_descriptor_response);
    CHECK_INT(a->file_descriptor_response->n_file_descriptor_proto, n);
    ProtobufCBinaryData first = a->file_descriptor_response->file_descriptor_proto[0];
    CHECK_STR(wire_find(str_of(first.data, first.len), 1), str_c(name));
    answer_free(a);
}

TEST(files_with_their_imports)
{
    check_file(QUESTION(FILE_BY_FILENAME, file_by_filename, "google/protobuf/timestamp.proto"),
               "google/protobuf/timestamp.proto", 1);
    check_file(QUESTION(FILE_CONTAINING_SYMBOL, file_containing_symbol, SKILL "Skill"),
               "ai/stigmer/agentic/skill/v1/skill.proto", 3);
}

static void check_error(question q, enum err code, const char *text)
{
    answer *a = ask(&q);
    CHECK(a->error_response);
    CHECK_INT(a->error_response->error_code, code);
    CHECK_CONTAINS(str_c(a->error_response->error_message), str_c(text));
    answer_free(a);
}

TEST(errors_are_answers)
{
    Grpc__Reflection__V1__ExtensionRequest x = GRPC__REFLECTION__V1__EXTENSION_REQUEST__INIT;
    question q = QUESTION(LIST_SERVICES, list_services, "");
    check_error(QUESTION(FILE_BY_FILENAME, file_by_filename, "no.proto"), ERR_NOT_FOUND,
                "file not found: no.proto");
    check_error(QUESTION(FILE_CONTAINING_SYMBOL, file_containing_symbol, "no.Symbol"),
                ERR_NOT_FOUND, "symbol not found: no.Symbol");
    check_error(QUESTION(ALL_EXTENSION_NUMBERS_OF_TYPE, all_extension_numbers_of_type, "x"),
                ERR_UNIMPLEMENTED, "extensions");
    q.message_request_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION;
    q.file_containing_extension = &x;
    check_error(q, ERR_UNIMPLEMENTED, "extensions");
}

TEST(what_is_no_question)
{
    struct reflection r = {0};
    struct buf out;
    buf_init(&out, 100);
    CHECK_ERR(reflection_answer(&r, STR("\x0f"), &out, &e), ERR_INVALID_ARGUMENT, &e);
    buf_deinit(&out);
}

/* --- the stream --- */

static void check_stream(const char *path, size_t n_questions)
{
    struct fixture f;
    struct peer p;
    struct buf body, q;
    n_files = proto_descriptors(files, FILES_MAX);
    fixture_start(&f, &(struct fixture_options){.descriptors = files, .n_descriptors = n_files});
    peer_open(&p, &f);
    buf_init(&body, MIB(1));
    pack_question(&QUESTION(LIST_SERVICES, list_services, ""), &q);
    for (size_t i = 0; i < n_questions; i++)
        peer_frame(&body, 0, buf_view(&q));
    struct peer_call call = {.path = path, .body = buf_view(&body)};
    peer_expect(&p, &call, ERR_OK);
    size_t n = 0;
    for (str d = buf_view(&call.data); d.len; n++) {
        size_t len = (uint8_t)d.p[3] * 256U + (uint8_t)d.p[4];
        CHECK_CONTAINS(str_of(d.p + 5, len), STR("test.Service"));
        CHECK_CONTAINS(str_of(d.p + 5, len), STR("grpc.health.v1.Health"));
        CHECK_CONTAINS(str_of(d.p + 5, len), STR("grpc.reflection.v1alpha.ServerReflection"));
        d = str_skip(d, 5 + len);
    }
    CHECK_INT(n, n_questions);
    peer_call_deinit(&call);
    buf_deinit(&body);
    buf_deinit(&q);
    peer_close(&p);
    fixture_stop(&f);
}

TEST(questions_and_answers_on_one_stream)
{
    check_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", 0);
    check_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", 3);
    check_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", 2000);
}

/* There is room for one answer at a time. */
TEST(streams_wait_for_room)
{
    enum { MANY = 20, QUESTIONS = 30 };
    struct h2_limits limits = h2_limits_default;
    limits.answer_budget = KIB(64);
    limits.goaway_wait_ms = 10;
    struct fixture f;
    struct peer p;
    struct peer_call calls[MANY];
    struct buf body, q;
    n_files = proto_descriptors(files, FILES_MAX);
    fixture_start(&f, &(struct fixture_options){
                          .limits = &limits, .descriptors = files, .n_descriptors = n_files});
    peer_open(&p, &f);
    buf_init(&body, MIB(1));
    pack_question(&QUESTION(FILE_CONTAINING_SYMBOL, file_containing_symbol, SKILL "Skill"), &q);
    for (size_t i = 0; i < QUESTIONS; i++)
        peer_frame(&body, 0, buf_view(&q));
    for (int i = 0; i < MANY; i++) {
        calls[i] =
            (struct peer_call){.path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                               .body = buf_view(&body)};
        peer_start(&p, &calls[i]);
    }
    peer_run(&p, calls, MANY);
    size_t len = calls[0].data.len;
    CHECK(len > QUESTIONS * KIB(1));
    for (int i = 0; i < MANY; i++) {
        CHECK_STR(str_c(calls[i].status), STR("0"));
        CHECK_INT(calls[i].data.len, len);
        peer_call_deinit(&calls[i]);
    }
    buf_deinit(&body);
    buf_deinit(&q);
    peer_close(&p);
    fixture_stop(&f);
}

static int64_t run_until(struct peer *p, const struct peer_call *call, size_t len)
{
    int64_t start = clock_mono_ns();
    while (call->data.len < len && !call->closed)
        peer_run_ms(p, 1);
    return clock_mono_ns() - start;
}

/* Most of the questions arrive while the answers before are not read. */
TEST(questions_that_wait_take_no_longer)
{
    enum { QUESTIONS = 300000, ANSWER = 31, WINDOW = 4 << 20 };
    struct h2_limits limits = h2_limits_default;
    limits.stream_window = limits.connection_window = MIB(16);
    limits.goaway_wait_ms = 10;
    struct fixture f;
    struct peer p;
    struct buf body;
    fixture_start(&f, &(struct fixture_options){.limits = &limits, .request_budget = MIB(8)});
    peer_open(&p, &f);
    buf_init(&body, MIB(4));
    for (size_t i = 0; i < QUESTIONS; i++)
        peer_frame(&body, 0, STR("\x1a\0"));
    struct peer_call call = {
        .path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        .body = buf_view(&body),
        .hold = true,
    };
    peer_start(&p, &call);
    int64_t first = run_until(&p, &call, WINDOW);
    peer_run_ms(&p, 200);
    peer_release(&call);
    int64_t rest = run_until(&p, &call, MIB(8));
    CHECK(rest < 8 * first);
    peer_close(&p);
    peer_call_deinit(&call);
    buf_deinit(&body);
    fixture_stop(&f);
}

static void check_stream_error(str body, bool endless, enum err want)
{
    struct fixture f;
    struct peer p;
    struct peer_call call = {
        .path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        .body = body,
        .endless = endless,
    };
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    peer_expect(&p, &call, want);
    peer_call_deinit(&call);
    peer_close(&p);
    fixture_stop(&f);
}

TEST(a_stream_that_goes_wrong)
{
    check_stream_error(STR("\0\0\0\0\1\x0f"), true, ERR_INVALID_ARGUMENT);
    check_stream_error(STR("\0\0\0\0\2\x0a"), false, ERR_INVALID_ARGUMENT);
    check_stream_error(STR("\0\0\0\x10\1"), true, ERR_RESOURCE_EXHAUSTED);
}
