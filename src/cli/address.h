/* The address of a server: HOST:PORT, HOST, [V6]:PORT. */
#ifndef STIGMER_CLI_ADDRESS_H
#define STIGMER_CLI_ADDRESS_H

#include "base/err.h"
#include "base/str.h"

enum { ADDRESS_PORT = 7234, ADDRESS_TEXT_MAX = 280 };

struct address {
    char text[ADDRESS_TEXT_MAX]; /* with its port: "localhost:7234", "[::1]:7234" */
    uint16_t port;
    bool local; /* localhost, 127.0.0.1 or ::1: where a server of ours listens by default */
};

/* Without a port it is 7234. INVALID_ARGUMENT with reason CLI_USAGE. */
enum err address_parse(str text, struct address *ret, struct error *e);
/* given (may be NULL), else STIGMER_SERVER_ADDR, else localhost and GRPC_PORT, else
 * localhost:7234. */
enum err address_choose(const char *given, struct address *ret, struct error *e);

#endif
