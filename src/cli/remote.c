#include "cli/remote.h"

#include "cli/start.h"

/* A page of 100 skills with a SKILL.md of 1 MiB each, and the fields around them. */
#define ANSWER_MAX MIB(128)

int64_t remote_timeout_ms(const struct cli *c, int64_t default_s)
{
    return (c->args.timeout_s ? (int64_t)c->args.timeout_s : default_s) * 1000;
}

enum err remote_connect(const struct cli *c, const struct address *a, int64_t timeout_ms,
                        struct grpc_client **ret, struct error *e)
{
    struct grpc_client_options o = {
        .target = str_c(a->text),
        .tls = c->args.tls || c->args.ca_file,
        .ca_file = c->args.ca_file,
        .connect_timeout_ms = MIN(timeout_ms, REMOTE_CONNECT_TIMEOUT_MS),
    };
    return grpc_client_open(&o, ret, e);
}

enum err remote_health(const struct cli *c, const struct address *a, int64_t timeout_ms,
                       struct error *e)
{
    CLEANUP(grpc_client_closep) struct grpc_client *client = NULL;
    CLEANUP(buf_deinit) struct buf answer;
    struct grpc_request request = {
        .path = "/grpc.health.v1.Health/Check", .fd = -1, .timeout_ms = timeout_ms};
    buf_init(&answer, KIB(4));
    TRY(remote_connect(c, a, timeout_ms, &client, e));
    TRY(grpc_client_call(client, &request, &answer, e));
    /* grpc.health.v1.HealthCheckResponse {status = SERVING (1)} */
    if (!str_eq(buf_view(&answer), STR("\x08\x01")))
        return FAIL(e, ERR_UNAVAILABLE, "remote.not_serving", "the server is not serving");
    return ERR_OK;
}

/* The error's own text becomes part of the hint, below the line that everybody knows. */
static enum err cannot_connect(struct cli *c, const struct address *a, struct error *e)
{
    struct buf *hint = &c->hint;
    buf_addf(hint, "\nNothing usable answered at %s: ", a->text);
    text_add_safe(hint, str_c(e->msg), "\\");
    if (a->local)
        buf_addf(hint, "\nStart the local server with:\n  stigmer server start\n");
    else
        buf_addf(hint, "\nCheck the address (--server, STIGMER_SERVER_ADDR) and that the server "
                       "runs there.\n");
    return FAIL(e, ERR_UNAVAILABLE, "remote.unavailable", "Cannot connect to stigmer-server");
}

enum err remote_open(struct cli *c, bool may_start, struct grpc_client **ret, struct error *e)
{
    struct address a;
    int64_t timeout_ms = remote_timeout_ms(c, REMOTE_CALL_TIMEOUT_S);
    TRY(address_choose(c->args.server, &a, e));
    enum err err = remote_connect(c, &a, timeout_ms, ret, e);
    if (err != ERR_UNAVAILABLE && err != ERR_DEADLINE_EXCEEDED)
        return err;
    if (!may_start || c->args.no_start || !a.local || c->args.tls || c->args.ca_file)
        return cannot_connect(c, &a, e);
    TRY(start_for_command(c, &a, e));
    return remote_connect(c, &a, timeout_ms, ret, e) == ERR_OK ? ERR_OK : cannot_connect(c, &a, e);
}

enum err remote_call(const struct cli *c, struct grpc_client *client, const char *path,
                     const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer,
                     void *ret, struct error *e)
{
    const struct message_call call = {
        .path = path,
        .timeout_ms = remote_timeout_ms(c, REMOTE_CALL_TIMEOUT_S),
        .answer_max = ANSWER_MAX,
    };
    return message_call(client, &call, request, answer, ret, e);
}
