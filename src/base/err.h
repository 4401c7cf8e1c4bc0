/*
 * Errors.
 *
 * Model: a function that can fail returns `enum err` (ERR_OK is 0) and fills a caller-owned
 * `struct error`, its last parameter. The code's value *is* the gRPC status code, so nothing is
 * translated on the way to the wire.
 *
 *     code    what kind of failure, for the caller's decisions
 *     reason  a stable dotted string for machines ("store.blob_too_large"); static storage
 *     msg     one sentence for a person: what was wrong, what to do
 *     sys     the errno behind it, or 0. An error with sys != 0 speaks of *this* machine:
 *             its msg goes to the log and never to a remote client
 *
 * Return or log, never both. Outcomes that a caller must handle (a lookup that found nothing) are
 * codes documented by the function; everything else is forwarded with TRY.
 */
#ifndef STIGMER_BASE_ERR_H
#define STIGMER_BASE_ERR_H

#include "base/banned.h"

#include <stdbool.h>

/* name, gRPC status (grpc/doc/statuscodes.md), HTTP status (google.rpc.Code), default text */
#define ERR_TABLE(X)                                                                               \
    X(OK, 0, 200, "OK")                                                                            \
    X(CANCELLED, 1, 499, "the call was cancelled")                                                 \
    X(UNKNOWN, 2, 500, "unknown error")                                                            \
    X(INVALID_ARGUMENT, 3, 400, "invalid argument")                                                \
    X(DEADLINE_EXCEEDED, 4, 504, "the deadline has passed")                                        \
    X(NOT_FOUND, 5, 404, "not found")                                                              \
    X(ALREADY_EXISTS, 6, 409, "already exists")                                                    \
    X(PERMISSION_DENIED, 7, 403, "permission denied")                                              \
    X(RESOURCE_EXHAUSTED, 8, 429, "resource exhausted")                                            \
    X(FAILED_PRECONDITION, 9, 400, "failed precondition")                                          \
    X(ABORTED, 10, 409, "aborted")                                                                 \
    X(OUT_OF_RANGE, 11, 400, "out of range")                                                       \
    X(UNIMPLEMENTED, 12, 501, "not implemented")                                                   \
    X(INTERNAL, 13, 500, "internal error")                                                         \
    X(UNAVAILABLE, 14, 503, "unavailable")                                                         \
    X(DATA_LOSS, 15, 500, "data loss")                                                             \
    X(UNAUTHENTICATED, 16, 401, "unauthenticated")

enum err {
#define X(name, grpc, http, text) ERR_##name = (grpc),
    ERR_TABLE(X)
#undef X
};

#define ERR_MSG_MAX 512 /* bytes of msg with its NUL; longer texts are cut */

struct error {
    enum err code;
    int sys;
    const char *reason;
    const char *file;
    int line;
    char msg[ERR_MSG_MAX];
};

/* "INVALID_ARGUMENT"; "UNKNOWN" for a value outside the table. Static storage. */
const char *err_name(enum err code);
/* The table's default text. Static storage. */
const char *err_text(enum err code);
/* The HTTP status of the table. */
int err_http_status(enum err code);

/* Fills *e and returns code; msg is cut to fit, between characters. The arguments may point into
 * e->msg. Use FAIL instead. */
enum err error_set(struct error *e, enum err code, const char *reason, const char *file, int line,
                   const char *fmt, ...) __attribute__((format(printf, 6, 7), cold));
/* As error_set, with the errno sys behind it; appends ": <errno text>" to msg. Use FAIL_SYS. */
enum err error_set_sys(struct error *e, enum err code, int sys, const char *reason,
                       const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 7, 8), cold));

/* Puts "<fmt>: " before e->msg; keeps code, reason, sys and place. Returns e->code. */
enum err err_wrap(struct error *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), cold));

/* Tells the compiler and the analyzer that a failure is never ERR_OK. */
static inline enum err err_failed(enum err code)
{
    return code == ERR_OK ? ERR_UNKNOWN : code;
}

/* return FAIL(e, ERR_INVALID_ARGUMENT, "slug.empty", "invalid skill name: %s", name); */
#define FAIL(e, code, reason, ...)                                                                 \
    err_failed(error_set((e), (code), (reason), __FILE__, __LINE__, __VA_ARGS__))
/* Only where a library or the kernel reported an errno. */
#define FAIL_SYS(e, code, sys, reason, ...)                                                        \
    err_failed(error_set_sys((e), (code), (sys), (reason), __FILE__, __LINE__, __VA_ARGS__))
/* An allocation that failed on a request's path. */
#define FAIL_NOMEM(e) FAIL((e), ERR_RESOURCE_EXHAUSTED, "memory.exhausted", "out of memory")

/* Forwards a failure unchanged. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        enum err try_err_ = (call);                                                                \
        if (try_err_ != ERR_OK)                                                                    \
            return try_err_;                                                                       \
    } while (0)

#endif
