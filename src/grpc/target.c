#include "grpc/target.h"

static bool split(str target, str *ret_host, str *ret_port)
{
    ptrdiff_t colon = str_rfind(target, ':');
    if (colon < 1)
        return false;
    *ret_host = str_head(target, (size_t)colon);
    *ret_port = str_skip(target, (size_t)colon + 1);
    if (ret_host->p[0] != '[')
        return str_find(*ret_host, ':') < 0; /* an IPv6 address needs its brackets */
    if (ret_host->len < 3 || ret_host->p[ret_host->len - 1] != ']')
        return false;
    *ret_host = str_of(ret_host->p + 1, ret_host->len - 2);
    return true;
}

enum err target_parse(str target, char ret_host[TARGET_HOST_MAX], uint16_t *ret_port,
                      struct error *e)
{
    str host, port;
    uint64_t n;
    if (!split(target, &host, &port) || !str_to_u64(port, &n) || n < 1 || n > UINT16_MAX ||
        host.len >= TARGET_HOST_MAX || str_find(host, '\0') >= 0)
        return FAIL(e, ERR_INVALID_ARGUMENT, "grpc.target",
                    "\"%.*s\" is not an address; write HOST:PORT or [IPV6]:PORT",
                    STR_ARG(str_head(target, 100)));
    memcpy(ret_host, host.p, host.len);
    ret_host[host.len] = '\0';
    *ret_port = (uint16_t)n;
    return ERR_OK;
}
