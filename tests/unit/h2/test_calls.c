/* Requests and responses between our client and our server. */
#include "peers.h"

#include "base/macro.h"

TEST(a_call_with_headers_only)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    struct peer p;
    struct call c = {0};
    peer_open(&p, port);
    call_run(&p, &c, "/hello");
    CHECK_INT(c.error, 0);
    CHECK(c.ended);
    CHECK_STR(str_c(c.status), STR("200"));
    CHECK_STR(str_c(seen.last_value), STR("a value"));
    CHECK(h2_client_usable(p.client));
    peer_close(&p);
    h2_server_stop(s, 1000);
    h2_server_free(s);
    CHECK_INT(seen.opened, 1);
    CHECK_INT(seen.closed, 1);
    CHECK_INT(seen.broken, 0);
}

TEST(echo_with_trailers)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    struct peer p;
    struct call c = {.to_send = 100000};
    peer_open(&p, port);
    call_run(&p, &c, "/echo");
    CHECK_INT(c.error, 0);
    CHECK_INT(c.received, 100000);
    CHECK(!c.corrupt);
    CHECK_STR(str_c(c.x_bytes), STR("100000")); /* from the trailers */
    peer_close(&p);
    h2_server_stop(s, 1000);
    h2_server_free(s);
}

TEST(large_bodies_both_ways)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 2, &port);
    struct peer p;
    struct call up = {.to_send = MIB(32)}, down = {0}, echo = {.to_send = MIB(32)};
    peer_open(&p, port);
    call_start(&p, &up, "/sink");
    call_start(&p, &down, "/source/33554432");
    call_start(&p, &echo, "/echo");
    call_wait(&p, &up);
    call_wait(&p, &down);
    call_wait(&p, &echo);
    CHECK_INT(up.error, 0);
    CHECK_STR(str_c(up.x_bytes), STR("33554432"));
    CHECK_INT(down.error, 0);
    CHECK_INT(down.received, MIB(32));
    CHECK(!down.corrupt && !echo.corrupt);
    CHECK_STR(str_c(down.x_end), STR("yes"));
    CHECK_INT(echo.received, MIB(32));
    peer_close(&p);
    h2_server_free(s);
}

TEST(a_hundred_calls_at_once)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 2, &port);
    struct peer p;
    struct call c[100] = {0};
    peer_open(&p, port);
    for (int i = 0; i < 100; i++) {
        c[i].to_send = (uint64_t)i * 1000;
        call_start(&p, &c[i], "/echo");
    }
    for (int i = 0; i < 100; i++) {
        call_wait(&p, &c[i]);
        CHECK_INT(c[i].error, 0);
        CHECK_INT(c[i].received, i * 1000);
    }
    peer_close(&p);
    h2_server_free(s);
}
