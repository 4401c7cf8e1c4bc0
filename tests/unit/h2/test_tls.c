/* HTTP/2 over TLS, ALPN, verification, and new certificates while running. */
#include "peers.h"

#include "base/macro.h"
#include "net/tls.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct tls_server *server_cert(const char *name)
{
    struct tls_server *t;
    struct error e;
    char pem[300], key[300];
    (void)snprintf(pem, sizeof pem, "%s/%s.pem", test_dir(), name);
    (void)snprintf(key, sizeof key, "%s/%s.key", test_dir(), name);
    CHECK_OK(tls_server_new(pem, key, &t, &e), &e);
    return t;
}

static void shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *fmt, ...)
{
    char command[1000];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    CHECK(system(command) == 0);
}

static enum err try_connect(const char *host, uint16_t port, bool tls, const char *ca,
                            struct error *e)
{
    struct loop *l;
    struct h2_client *c;
    struct h2_client_options o = {.host = host,
                                  .port = port,
                                  .tls = tls,
                                  .ca_file = ca,
                                  .timeout_ms = 5000,
                                  .handler = &server_handler};
    CHECK_OK(loop_new(&l, e), e);
    enum err err = h2_client_connect(l, &o, &c, e);
    if (err == ERR_OK)
        h2_client_free(c);
    loop_free(l);
    return err;
}

TEST(calls_over_tls)
{
    uint16_t port;
    make_cert("a");
    struct tls_server *t = server_cert("a");
    struct h2_server *s = serve(NULL, t, 2, &port);
    struct peer p;
    struct call echo = {.to_send = MIB(8)}, down = {0}, up = {.to_send = MIB(8)};
    peer_open_tls(&p, "localhost", port, in_test_dir("a.pem"));
    call_start(&p, &echo, "/echo");
    call_start(&p, &down, "/source/8388608");
    call_start(&p, &up, "/sink");
    call_wait(&p, &echo);
    call_wait(&p, &down);
    call_wait(&p, &up);
    CHECK_INT(echo.received, MIB(8));
    CHECK_INT(down.received, MIB(8));
    CHECK(!echo.corrupt && !down.corrupt);
    CHECK_STR(str_c(up.x_bytes), STR("8388608"));
    peer_close(&p);
    h2_server_stop(s, 1000);
    h2_server_free(s);
    tls_server_free(t);
    CHECK_INT(seen.broken, 0);
}

TEST(certificates_are_verified)
{
    uint16_t port;
    struct error e;
    make_cert("a");
    make_cert("b");
    struct tls_server *t = server_cert("a");
    struct h2_server *s = serve(NULL, t, 1, &port);
    CHECK_OK(try_connect("127.0.0.1", port, true, in_test_dir("a.pem"), &e), &e);
    CHECK_ERR(try_connect("127.0.0.1", port, true, in_test_dir("b.pem"), &e), ERR_UNAVAILABLE, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("certificate is refused: self-signed"));
    CHECK_ERR(try_connect("127.0.0.1", port, true, NULL, &e), ERR_UNAVAILABLE, &e);
    CHECK_ERR(try_connect("127.0.0.1", port, true, in_test_dir("no.pem"), &e), ERR_INVALID_ARGUMENT,
              &e);
    CHECK_CONTAINS(str_c(e.msg), STR("no.pem"));
    h2_server_free(s);
    tls_server_free(t);
}

TEST(the_name_must_match)
{
    uint16_t port;
    struct error e;
    shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "
          "%s/o.key -out %s/o.pem -days 2 -subj /CN=other -addext "
          "subjectAltName=DNS:other.example 2>/dev/null",
          test_dir(), test_dir());
    struct tls_server *t = server_cert("o");
    struct h2_server *s = serve(NULL, t, 1, &port);
    CHECK_ERR(try_connect("localhost", port, true, in_test_dir("o.pem"), &e), ERR_UNAVAILABLE, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("hostname mismatch"));
    CHECK_ERR(try_connect("127.0.0.1", port, true, in_test_dir("o.pem"), &e), ERR_UNAVAILABLE, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("IP address mismatch"));
    h2_server_free(s);
    tls_server_free(t);
}

TEST(alpn_is_required)
{
    uint16_t port;
    make_cert("a");
    struct tls_server *t = server_cert("a");
    struct h2_server *s = serve(NULL, t, 1, &port);
    const char *d = test_dir();
    shell("openssl s_client -connect 127.0.0.1:%u -alpn http/1.1 </dev/null >%s/out 2>&1; "
          "grep -q 'no application protocol' %s/out",
          port, d, d);
    /* Without ALPN the handshake succeeds, and the connection is closed without a byte. */
    shell("sleep 1 | timeout 4 openssl s_client -connect 127.0.0.1:%u -quiet >%s/out 2>/dev/null; "
          "test $? -ne 124 && test ! -s %s/out",
          port, d, d);
    shell("openssl s_client -connect 127.0.0.1:%u -alpn h2 </dev/null >%s/out 2>&1; "
          "grep -q 'ALPN protocol: h2' %s/out",
          port, d, d);
    h2_server_free(s);
    tls_server_free(t);
}

TEST(old_tls_is_refused)
{
    uint16_t port;
    make_cert("a");
    struct tls_server *t = server_cert("a");
    struct h2_server *s = serve(NULL, t, 1, &port);
    shell("! openssl s_client -connect 127.0.0.1:%u -alpn h2 -tls1_1 -cipher ALL:@SECLEVEL=0 "
          "</dev/null >/dev/null 2>&1",
          port);
    shell("openssl s_client -connect 127.0.0.1:%u -alpn h2 -tls1_2 </dev/null >/dev/null 2>&1",
          port);
    h2_server_free(s);
    tls_server_free(t);
}

TEST(plaintext_and_tls_do_not_mix)
{
    uint16_t tls_port, plain_port;
    struct error e;
    make_cert("a");
    struct tls_server *t = server_cert("a");
    struct h2_server *s = serve(NULL, t, 1, &tls_port), *plain = serve(NULL, NULL, 1, &plain_port);
    CHECK_ERR(try_connect("127.0.0.1", tls_port, false, NULL, &e), ERR_UNAVAILABLE, &e);
    CHECK_ERR(try_connect("127.0.0.1", plain_port, true, in_test_dir("a.pem"), &e), ERR_UNAVAILABLE,
              &e);
    CHECK_OK(try_connect("127.0.0.1", plain_port, false, NULL, &e), &e);
    h2_server_free(s);
    h2_server_free(plain);
    tls_server_free(t);
}

TEST(new_certificates_without_restart)
{
    uint16_t port;
    struct error e;
    struct peer p;
    struct call c = {.to_send = 5000};
    make_cert("live");
    struct tls_server *t = server_cert("live");
    struct h2_server *s = serve(NULL, t, 1, &port);
    shell("cp %s/live.pem %s/old.pem", test_dir(), test_dir());
    peer_open_tls(&p, "localhost", port, in_test_dir("old.pem"));
    make_cert("live");
    CHECK_OK(tls_server_reload(t, &e), &e);
    CHECK_OK(try_connect("localhost", port, true, in_test_dir("live.pem"), &e), &e);
    CHECK_ERR(try_connect("localhost", port, true, in_test_dir("old.pem"), &e), ERR_UNAVAILABLE,
              &e);
    call_run(&p, &c, "/echo"); /* what was connected stays so */
    CHECK_INT(c.received, 5000);
    peer_close(&p);
    h2_server_free(s);
    tls_server_free(t);
}

TEST(a_failed_reload_changes_nothing)
{
    uint16_t port;
    struct error e;
    make_cert("live");
    make_cert("other");
    struct tls_server *t = server_cert("live");
    struct h2_server *s = serve(NULL, t, 1, &port);
    shell("cp %s/live.pem %s/old.pem", test_dir(), test_dir());
    shell("cp %s/other.pem %s/live.pem", test_dir(), test_dir()); /* not this key's */
    CHECK_ERR(tls_server_reload(t, &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("live.key"));
    shell("echo nonsense >%s/live.pem", test_dir());
    CHECK_ERR(tls_server_reload(t, &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("live.pem"));
    CHECK_OK(try_connect("localhost", port, true, in_test_dir("old.pem"), &e), &e);
    h2_server_free(s);
    tls_server_free(t);
}

TEST(files_that_cannot_be_used)
{
    struct tls_server *t;
    struct error e;
    make_cert("a");
    CHECK_ERR(tls_server_new(in_test_dir("a.pem"), in_test_dir("none.key"), &t, &e),
              ERR_INVALID_ARGUMENT, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("none.key"));
    CHECK_ERR(tls_server_new(in_test_dir("none.pem"), in_test_dir("a.key"), &t, &e),
              ERR_INVALID_ARGUMENT, &e);
    shell("openssl ec -in %s/a.key -aes128 -passout pass:secret -out %s/locked.key 2>/dev/null",
          test_dir(), test_dir());
    CHECK_ERR(tls_server_new(in_test_dir("a.pem"), in_test_dir("locked.key"), &t, &e),
              ERR_INVALID_ARGUMENT, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("without a pass phrase"));
}

TEST(a_handshake_that_never_comes)
{
    uint16_t port;
    struct h2_limits l = h2_limits_default;
    l.handshake_ms = 100;
    make_cert("a");
    struct tls_server *t = server_cert("a");
    struct h2_server *s = serve(&l, t, 1, &port);
    int fd = raw_connect(port), half = raw_connect(port);
    raw_send(half, "\x16\x03\x01\x02\x00", 5); /* a record that stops after its header */
    raw_expect_close(fd);
    raw_expect_close(half);
    h2_server_free(s);
    tls_server_free(t);
}

TEST(a_client_that_vanishes_in_the_handshake)
{
    uint16_t port;
    make_cert("a");
    struct tls_server *t = server_cert("a");
    struct h2_server *s = serve(NULL, t, 1, &port);
    for (size_t i = 0; i < 20; i++) {
        int fd = raw_connect(port);
        raw_send(fd, "\x16\x03\x01\x00\x05nothing but just noise", i);
        CHECK(close(fd) == 0);
    }
    h2_server_stop(s, 1000);
    h2_server_free(s);
    tls_server_free(t);
}
