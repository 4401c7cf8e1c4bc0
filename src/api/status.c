#include "api/status.h"

#include "base/log.h"

static bool is_local(enum err code, const struct error *e)
{
    return e->sys != 0 || code == ERR_INTERNAL || code == ERR_UNKNOWN;
}

/* A failed system call's code says something to the caller in these cases only; a file that is
 * missing on the server is no NOT_FOUND of the client's. */
static enum err public_code(enum err code)
{
    switch ((int)code) {
    case ERR_RESOURCE_EXHAUSTED:
    case ERR_UNAVAILABLE:
    case ERR_DATA_LOSS:
        return code;
    default:
        return ERR_INTERNAL;
    }
}

static const char *public_text(enum err code)
{
    switch ((int)code) {
    case ERR_RESOURCE_EXHAUSTED:
        return "the server's storage is full or it is out of resources; nothing was stored. Try "
               "again later, or ask its operator to make room";
    case ERR_UNAVAILABLE:
        return "the server cannot reach its storage now; try again";
    case ERR_DATA_LOSS:
        return "stored data is damaged and is not served; tell the server's operator";
    default:
        return "internal error; the cause is in the server's log";
    }
}

enum err api_status(const struct grpc_context *c, enum err result, struct error *e)
{
    if (result == ERR_OK || !is_local(result, e))
        return result;
    log_error("call failed", LOG_C("request_id", c->request_id), LOG_C("method", c->method),
              LOG_ERROR_FIELDS(e));
    enum err code = public_code(result);
    return FAIL(e, code, "api.internal", "%s (request id %s)", public_text(code), c->request_id);
}
