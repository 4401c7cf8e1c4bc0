/* HTTP/2 as clients by others see it: curl, nghttp and h2load, where they are installed. */
#include "peers.h"

#include "base/macro.h"
#include "net/tls.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) /* gcc */
#define SANITIZED true
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED false
#endif

static char output[65536];

/* The command's output (stdout and stderr); it must exit with 0. */
static const char *shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static const char *shell(const char *fmt, ...)
{
    char command[1000];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(command, sizeof command - 10, fmt, ap);
    va_end(ap);
    (void)snprintf(command + n, 10, " 2>&1");
    FILE *f = popen(command, "r");
    CHECK(f);
    size_t got = fread(output, 1, sizeof output - 1, f);
    output[got] = '\0';
    int status = pclose(f);
    if (status != 0)
        test_fail(__FILE__, __LINE__, "%s: status %d: %s", command, status, output);
    return output;
}

static void need(const char *tool)
{
    char command[100];
    (void)snprintf(command, sizeof command, "command -v %s >/dev/null", tool);
    if (system(command) != 0)
        test_skip("not installed");
}

TEST(curl_with_prior_knowledge)
{
    uint16_t port;
    need("curl");
    struct h2_server *s = serve(NULL, NULL, 2, &port);
    CHECK_STR(str_c(shell("curl -sS --http2-prior-knowledge -o /dev/null -w '%%{http_version} "
                          "%%{response_code} %%{size_download}' http://127.0.0.1:%u/source/5000000",
                          port)),
              STR("2 200 5000000"));
    CHECK_CONTAINS(str_c(shell("head -c 3000000 /dev/zero | curl -sS --http2-prior-knowledge "
                               "--data-binary @- -D - http://127.0.0.1:%u/sink",
                               port)),
                   STR("x-bytes: 3000000"));
    CHECK_CONTAINS(str_c(shell("curl -sS -i http://127.0.0.1:%u/", port)),
                   STR("HTTP/1.1 400 Bad Request"));
    h2_server_free(s);
}

TEST(curl_over_tls)
{
    uint16_t port;
    struct tls_server *t;
    struct error e;
    need("curl");
    make_cert("a");
    CHECK_OK(tls_server_new(in_test_dir("a.pem"), in_test_dir("a.key"), &t, &e), &e);
    struct h2_server *s = serve(NULL, t, 2, &port);
    CHECK_STR(str_c(shell("curl -sS --cacert %s -o /dev/null -w '%%{http_version} "
                          "%%{response_code} %%{size_download}' "
                          "https://localhost:%u/source/5000000",
                          in_test_dir("a.pem"), port)),
              STR("2 200 5000000"));
    h2_server_free(s);
    tls_server_free(t);
}

TEST(nghttp_sees_the_frames)
{
    uint16_t port;
    need("nghttp");
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    const char *out = shell("nghttp -nv http://127.0.0.1:%u/source/100", port);
    CHECK_CONTAINS(str_c(out), STR("SETTINGS_MAX_CONCURRENT_STREAMS(0x03):256"));
    CHECK_CONTAINS(str_c(out), STR("recv (stream_id=13) :status: 200"));
    CHECK_CONTAINS(str_c(out), STR("recv DATA frame <length=100, flags=0x00"));
    CHECK_CONTAINS(str_c(out), STR("recv (stream_id=13) x-end: yes"));
    h2_server_free(s);
}

TEST(h2load_many_streams)
{
    uint16_t port;
    need("h2load");
    struct h2_server *s = serve(NULL, NULL, 2, &port);
    const char *out = shell("h2load -n 20000 -c 16 -m 16 http://127.0.0.1:%u/", port);
    CHECK_CONTAINS(str_c(out), STR("20000 succeeded, 0 failed, 0 errored"));
    h2_server_stop(s, 2000);
    h2_server_free(s);
    CHECK_INT(seen.opened, 20000);
    CHECK_INT(seen.broken, 0);
}

static long resident_kib(void)
{
    char text[100] = {0};
    long size, resident;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
    CHECK(close(fd) == 0);
    char *end;
    size = strtol(text, &end, 10);
    resident = strtol(end, NULL, 10);
    CHECK(size > 0);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* A connection that has served a call and waits costs at most 20 KiB of our memory. */
TEST(idle_connections_are_small)
{
    enum { N = 500 };
    uint16_t port;
    struct raw_frame f;
    static int fd[N];
    (void)mallopt(M_PERTURB, 0); /* memory that is filled is memory that is resident */
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    for (int i = 0; i < 20; i++)
        expect_serving(port);
    long before = resident_kib();
    for (int i = 0; i < N; i++) {
        fd[i] = raw_hello(port);
        raw_request(fd[i], 1, "/", 5);
        CHECK(raw_read_until(fd[i], 1, &f));
    }
    long each = (resident_kib() - before) * 1024 / N;
    printf("# %ld bytes per idle connection\n", each);
    CHECK(each <= 20 * 1024 || SANITIZED);
    for (int i = 0; i < N; i++)
        CHECK(close(fd[i]) == 0);
    h2_server_free(s);
}
