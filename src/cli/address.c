#include "cli/address.h"

#include "cli/cli.h"

#include <stdlib.h>

enum { HOST_MAX = 255 };

#define BAD_ADDRESS(e, text, why)                                                                  \
    FAIL((e), ERR_INVALID_ARGUMENT, CLI_USAGE, "\"%.*s\" is not a server address: %s",             \
         STR_ARG(text), (why))

static bool host_is_plain(str host, bool v6)
{
    const char *more = v6 ? ":." : "._-";
    for (size_t i = 0; i < host.len; i++) {
        char c = host.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && (c == '\0' || !strchr(more, c)))
            return false;
    }
    return host.len > 0 && host.len <= HOST_MAX;
}

/* Splits off the host; *rest is empty or starts with ':'. */
static bool cut_host(str text, str *ret_host, bool *ret_v6, str *rest)
{
    *ret_v6 = str_starts_with(text, STR("["));
    ptrdiff_t end = str_find(text, *ret_v6 ? ']' : ':');
    if (*ret_v6 && end < 0)
        return false;
    size_t n = end < 0 ? text.len : (size_t)end;
    *ret_host = str_skip(str_head(text, n), *ret_v6);
    *rest = str_skip(text, n + *ret_v6);
    return rest->len == 0 || rest->p[0] == ':';
}

enum err address_parse(str text, struct address *ret, struct error *e)
{
    str host, rest;
    bool v6;
    uint64_t port = ADDRESS_PORT;
    if (str_find_str(text, STR("://")) >= 0)
        return BAD_ADDRESS(e, text, "leave out the scheme, HOST:PORT is enough");
    if (!cut_host(text, &host, &v6, &rest) || !host_is_plain(host, v6))
        return BAD_ADDRESS(e, text, "it reads HOST:PORT, for example localhost:7234 or [::1]:7234");
    if (rest.len && (!str_to_u64(str_skip(rest, 1), &port) || port < 1 || port > 65535))
        return BAD_ADDRESS(e, text, "the port is a number from 1 to 65535");
    (void)snprintf(ret->text, sizeof ret->text, v6 ? "[%.*s]:%u" : "%.*s:%u", STR_ARG(host),
                   (unsigned)port);
    ret->port = (uint16_t)port;
    ret->local = str_eq_nocase(host, STR("localhost")) || str_eq(host, STR("127.0.0.1")) ||
                 (v6 && str_eq(host, STR("::1")));
    return ERR_OK;
}

enum err address_choose(const char *given, struct address *ret, struct error *e)
{
    char text[ADDRESS_TEXT_MAX];
    const char *env = getenv("STIGMER_SERVER_ADDR"), *port = getenv("GRPC_PORT");
    if (given)
        return address_parse(str_c(given), ret, e);
    if (env && *env)
        return address_parse(str_c(env), ret, e) == ERR_OK ? ERR_OK
                                                           : err_wrap(e, "STIGMER_SERVER_ADDR");
    if (!port || !*port)
        return address_parse(STR("localhost"), ret, e);
    (void)snprintf(text, sizeof text, "localhost:%s", port);
    return address_parse(str_c(text), ret, e) == ERR_OK ? ERR_OK : err_wrap(e, "GRPC_PORT");
}
