#include "grpc/reflection.h"

#include "base/arena.h"
#include "base/macro.h"
#include "grpc/message.h"

#include "grpc/reflection/v1/reflection.pb-c.h"

#define MEMORY_MAX KIB(256) /* of one answer's lists; the descriptors themselves are not copied */

#define V1(Type)   Grpc__Reflection__V1__##Type
#define v1(name)   grpc__reflection__v1__##name
#define V1_C(NAME) GRPC__REFLECTION__V1__##NAME
#define ASKS(NAME) V1_C(SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##NAME)
#define SAYS(NAME) V1_C(SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##NAME)

typedef V1(ServerReflectionRequest) reflection_request;
typedef V1(ServerReflectionResponse) reflection_response;

/* protobuf-c's bytes and strings are not const; packing only reads. */
static ProtobufCBinaryData bytes_of(str s)
{
    return (ProtobufCBinaryData){.len = s.len, .data = (uint8_t *)(uintptr_t)s.p};
}

static enum err say_error(struct arena *a, reflection_response *to, enum err code,
                          const char *message, struct error *e)
{
    V1(ErrorResponse) *x = ARENA_NEW(a, V1(ErrorResponse));
    if (!x)
        return FAIL_NOMEM(e);
    v1(error_response__init)(x);
    x->error_code = (int32_t)code;
    x->error_message = (char *)(uintptr_t)message;
    to->error_response = x;
    to->message_response_case = SAYS(ERROR_RESPONSE);
    return ERR_OK;
}

static enum err say_services(const struct reflection *r, struct arena *a, reflection_response *to,
                             struct error *e)
{
    V1(ListServiceResponse) *list = ARENA_NEW(a, V1(ListServiceResponse));
    V1(ServiceResponse) *rows = arena_calloc(a, r->n_services, sizeof *rows);
    V1(ServiceResponse) **pointers = arena_calloc(a, r->n_services, sizeof *pointers);
    if (!list || !rows || !pointers)
        return FAIL_NOMEM(e);
    v1(list_service_response__init)(list);
    for (size_t i = 0; i < r->n_services; i++) {
        v1(service_response__init)(&rows[i]);
        pointers[i] = &rows[i];
        rows[i].name = arena_dup_c(a, r->services[i]);
        if (!rows[i].name)
            return FAIL_NOMEM(e);
    }
    list->service = pointers;
    list->n_service = r->n_services;
    to->list_services_response = list;
    to->message_response_case = SAYS(LIST_SERVICES_RESPONSE);
    return ERR_OK;
}

static enum err say_file(const struct reflection *r, size_t file, struct arena *a,
                         reflection_response *to, struct error *e)
{
    V1(FileDescriptorResponse) *x = ARENA_NEW(a, V1(FileDescriptorResponse));
    ProtobufCBinaryData *rows = arena_calloc(a, r->n_descriptors, sizeof *rows);
    bool *marks = arena_calloc(a, r->n_descriptors, sizeof *marks);
    if (!x || !rows || !marks)
        return FAIL_NOMEM(e);
    v1(file_descriptor_response__init)(x);
    symbols_mark_imports(r->symbols, file, marks);
    rows[x->n_file_descriptor_proto++] = bytes_of(r->descriptors[file]);
    for (size_t i = 0; i < r->n_descriptors; i++)
        if (marks[i] && i != file)
            rows[x->n_file_descriptor_proto++] = bytes_of(r->descriptors[i]);
    x->file_descriptor_proto = rows;
    to->file_descriptor_response = x;
    to->message_response_case = SAYS(FILE_DESCRIPTOR_RESPONSE);
    return ERR_OK;
}

static enum err say_found(const struct reflection *r, ptrdiff_t file, const char *what,
                          const char *name, struct arena *a, reflection_response *to,
                          struct error *e)
{
    if (file >= 0)
        return say_file(r, (size_t)file, a, to, e);
    const char *message = arena_printf(a, "%s not found: %.256s", what, name);
    return message ? say_error(a, to, ERR_NOT_FOUND, message, e) : FAIL_NOMEM(e);
}

static enum err say(const struct reflection *r, const reflection_request *q, struct arena *a,
                    reflection_response *to, struct error *e)
{
    if (q->message_request_case == ASKS(LIST_SERVICES))
        return say_services(r, a, to, e);
    if (q->message_request_case == ASKS(FILE_BY_FILENAME))
        return say_found(r, symbols_file(r->symbols, str_c(q->file_by_filename)), "file",
                         q->file_by_filename, a, to, e);
    if (q->message_request_case == ASKS(FILE_CONTAINING_SYMBOL))
        return say_found(r, symbols_find(r->symbols, str_c(q->file_containing_symbol)), "symbol",
                         q->file_containing_symbol, a, to, e);
    return say_error(a, to, ERR_UNIMPLEMENTED, "there are no extensions here", e);
}

static enum err answer(const struct reflection *r, reflection_request *q, struct buf *out,
                       struct error *e)
{
    CLEANUP(arena_deinit) struct arena a = {0};
    reflection_response to = V1_C(SERVER_REFLECTION_RESPONSE__INIT);
    arena_init(&a, MEMORY_MAX);
    to.valid_host = q->host;
    to.original_request = q;
    TRY(say(r, q, &a, &to, e));
    char *p = buf_reserve(out, v1(server_reflection_response__get_packed_size)(&to));
    if (p)
        out->len += v1(server_reflection_response__pack)(&to, (uint8_t *)p);
    return buf_status(out, e);
}

enum err reflection_answer(const struct reflection *r, str request, struct buf *out,
                           struct error *e)
{
    reflection_request *q;
    enum err err = message_unpack(request, &v1(server_reflection_request__descriptor), &q, e);
    if (err == ERR_DATA_LOSS)
        return FAIL(e, ERR_INVALID_ARGUMENT, "grpc.reflection.request",
                    "the request is not a ServerReflectionRequest");
    TRY(err);
    err = answer(r, q, out, e);
    v1(server_reflection_request__free_unpacked)(q, NULL);
    return err;
}
