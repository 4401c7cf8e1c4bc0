#include "cli/address.h"
#include "cli/cli.h"

#include "test.h"

#include <stdlib.h>

static void check_address(const char *text, const char *want, uint16_t port, bool local)
{
    struct address a;
    struct error e;
    CHECK_OK(address_parse(str_c(text), &a, &e), &e);
    CHECK_STR(str_c(a.text), str_c(want));
    CHECK_INT(a.port, port);
    CHECK_INT(a.local, local);
}

TEST(addresses)
{
    check_address("localhost:7234", "localhost:7234", 7234, true);
    check_address("localhost", "localhost:7234", 7234, true);
    check_address("LocalHost:1", "LocalHost:1", 1, true);
    check_address("127.0.0.1:65535", "127.0.0.1:65535", 65535, true);
    check_address("[::1]:80", "[::1]:80", 80, true);
    check_address("[::1]", "[::1]:7234", 7234, true);
    check_address("127.0.0.2:80", "127.0.0.2:80", 80, false);
    check_address("skills.example.com:443", "skills.example.com:443", 443, false);
    check_address("[2001:db8::1]:443", "[2001:db8::1]:443", 443, false);
}

static void check_refused(const char *text, const char *why)
{
    struct address a;
    struct error e;
    CHECK_ERR(address_parse(str_c(text), &a, &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_STR(str_c(e.reason), STR(CLI_USAGE));
    CHECK_CONTAINS(str_c(e.msg), str_c(why));
}

TEST(what_is_no_address)
{
    check_refused("", "HOST:PORT");
    check_refused(":80", "HOST:PORT");
    check_refused("::1", "HOST:PORT");
    check_refused("[::1", "HOST:PORT");
    check_refused("[::1]x", "HOST:PORT");
    check_refused("a b:80", "HOST:PORT");
    check_refused("http://localhost:80", "scheme");
    check_refused("localhost:", "port");
    check_refused("localhost:0", "port");
    check_refused("localhost:65536", "port");
    check_refused("localhost:80x", "port");
}

TEST(option_then_environment_then_default)
{
    struct address a;
    struct error e;
    CHECK_INT(unsetenv("STIGMER_SERVER_ADDR"), 0);
    CHECK_INT(unsetenv("GRPC_PORT"), 0);
    CHECK_OK(address_choose(NULL, &a, &e), &e);
    CHECK_STR(str_c(a.text), STR("localhost:7234"));
    CHECK_INT(setenv("GRPC_PORT", "9001", 1), 0);
    CHECK_OK(address_choose(NULL, &a, &e), &e);
    CHECK_STR(str_c(a.text), STR("localhost:9001"));
    CHECK_INT(setenv("STIGMER_SERVER_ADDR", "example.com:1", 1), 0);
    CHECK_OK(address_choose(NULL, &a, &e), &e);
    CHECK_STR(str_c(a.text), STR("example.com:1"));
    CHECK_OK(address_choose("[::1]:5", &a, &e), &e);
    CHECK_STR(str_c(a.text), STR("[::1]:5"));
}

TEST(bad_environment_names_the_variable)
{
    struct address a;
    struct error e;
    CHECK_INT(setenv("STIGMER_SERVER_ADDR", "a b", 1), 0);
    CHECK_ERR(address_choose(NULL, &a, &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("STIGMER_SERVER_ADDR: "));
    CHECK_INT(setenv("STIGMER_SERVER_ADDR", "", 1), 0);
    CHECK_INT(setenv("GRPC_PORT", "seven", 1), 0);
    CHECK_ERR(address_choose(NULL, &a, &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("GRPC_PORT: "));
}
