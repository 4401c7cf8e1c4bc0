#include "test.h"

#include "base/clock.h"
#include "fixture.h"

#include <pthread.h>

#define CHECK_PATH "/grpc.health.v1.Health/Check"
#define WATCH_PATH "/grpc.health.v1.Health/Watch"

/* Messages as bytes: field 1 is the service, or the status. */
#define SERVING         STR("\0\0\0\0\2\x08\1")
#define NOT_SERVING     STR("\0\0\0\0\2\x08\2")
#define SERVICE_UNKNOWN STR("\0\0\0\0\2\x08\3")
#define ASK_ALL         STR("\0\0\0\0\0")
#define ASK_TEST        STR("\0\0\0\0\x0e\x0a\x0ctest.Service")
#define ASK_HEALTH      STR("\0\0\0\0\x17\x0a\x15grpc.health.v1.Health")
#define ASK_NOBODY      STR("\0\0\0\0\x08\x0a\6nobody")

static void check_answer(struct peer *p, str ask, str want)
{
    struct peer_call call = {.path = CHECK_PATH, .body = ask};
    peer_expect(p, &call, ERR_OK);
    CHECK_STR(buf_view(&call.data), want);
    peer_call_deinit(&call);
}

TEST(check_tells_the_health_of_every_service)
{
    struct fixture f;
    struct peer p;
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    check_answer(&p, ASK_ALL, SERVING);
    check_answer(&p, ASK_TEST, SERVING);
    check_answer(&p, ASK_HEALTH, SERVING);
    grpc_server_set_serving(f.server, false);
    check_answer(&p, ASK_ALL, NOT_SERVING);
    check_answer(&p, ASK_TEST, NOT_SERVING);
    grpc_server_set_serving(f.server, true);
    check_answer(&p, ASK_ALL, SERVING);
    peer_close(&p);
    fixture_stop(&f);
}

TEST(one_service_may_be_ill)
{
    struct fixture f;
    struct peer p;
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    grpc_server_set_service(f.server, STR("test.Service"), false);
    grpc_server_set_service(f.server, STR("nobody"), false);
    check_answer(&p, ASK_TEST, NOT_SERVING);
    check_answer(&p, ASK_HEALTH, SERVING);
    check_answer(&p, ASK_ALL, NOT_SERVING);
    grpc_server_set_service(f.server, STR("test.Service"), true);
    check_answer(&p, ASK_TEST, SERVING);
    check_answer(&p, ASK_ALL, SERVING);
    grpc_server_set_serving(f.server, false);
    grpc_server_set_service(f.server, STR("test.Service"), true);
    check_answer(&p, ASK_TEST, NOT_SERVING);
    peer_close(&p);
    fixture_stop(&f);
}

static void check_status(const char *path, str ask, enum err want, const char *text)
{
    struct fixture f;
    struct peer p;
    struct peer_call call = {.path = path, .body = ask};
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    peer_expect(&p, &call, want);
    CHECK_CONTAINS(buf_view(&call.message), str_c(text));
    peer_call_deinit(&call);
    peer_close(&p);
    fixture_stop(&f);
}

TEST(check_does_not_know_every_name)
{
    check_status(CHECK_PATH, ASK_NOBODY, ERR_NOT_FOUND, "unknown service");
}

TEST(malformed_questions)
{
    check_status(CHECK_PATH, STR("\0\0\0\0\1\x0f"), ERR_INVALID_ARGUMENT, "HealthCheckRequest");
    check_status(WATCH_PATH, STR("\0\0\0\0\1\x0f"), ERR_INVALID_ARGUMENT, "HealthCheckRequest");
    check_status(WATCH_PATH, STR(""), ERR_UNIMPLEMENTED, "no message");
    check_status(WATCH_PATH, STR("\0\0\1\0\0"), ERR_RESOURCE_EXHAUSTED, "limit");
}

static void await_data(struct peer *p, struct peer_call *call, str want)
{
    for (int i = 0; i < 200 && call->data.len < want.len; i++)
        peer_run_ms(p, 10);
    CHECK_STR(buf_view(&call->data), want);
}

TEST(watch_tells_changes)
{
    struct fixture f;
    struct peer p;
    struct peer_call call = {.path = WATCH_PATH, .body = ASK_TEST};
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    peer_start(&p, &call);
    await_data(&p, &call, SERVING);
    grpc_server_set_serving(f.server, true); /* no change, no message */
    peer_run_ms(&p, 30);
    grpc_server_set_service(f.server, STR("grpc.health.v1.Health"), false); /* another one's */
    peer_run_ms(&p, 30);
    grpc_server_set_service(f.server, STR("test.Service"), false);
    await_data(&p, &call, STR("\0\0\0\0\2\x08\1\0\0\0\0\2\x08\2"));
    grpc_server_set_service(f.server, STR("test.Service"), true);
    await_data(&p, &call, STR("\0\0\0\0\2\x08\1\0\0\0\0\2\x08\2\0\0\0\0\2\x08\1"));
    CHECK(!call.closed);
    peer_close(&p);
    peer_call_deinit(&call);
    fixture_stop(&f);
}

TEST(watch_of_an_unknown_service)
{
    struct fixture f;
    struct peer p;
    struct peer_call call = {.path = WATCH_PATH, .body = ASK_NOBODY};
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    peer_start(&p, &call);
    await_data(&p, &call, SERVICE_UNKNOWN);
    grpc_server_set_serving(f.server, false);
    peer_run_ms(&p, 30);
    await_data(&p, &call, SERVICE_UNKNOWN);
    h2_stream_reset(call.stream, 8);
    peer_run(&p, &call, 1);
    peer_call_deinit(&call);
    peer_close(&p);
    fixture_stop(&f);
}

TEST(many_watchers_come_and_go_while_health_changes)
{
    enum { N = 50 };
    static struct peer_call calls[N];
    struct fixture f;
    struct peer p;
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    for (int i = 0; i < N; i++) {
        calls[i] = (struct peer_call){.path = WATCH_PATH, .body = ASK_ALL};
        peer_start(&p, &calls[i]);
    }
    for (int i = 0; i < N; i++) {
        peer_run_ms(&p, 1);
        h2_stream_reset(calls[i].stream, 8);
        grpc_server_set_serving(f.server, i % 2);
    }
    peer_run(&p, calls, N);
    for (int i = 0; i < N; i++)
        peer_call_deinit(&calls[i]);
    peer_close(&p);
    fixture_stop(&f);
}

static void *stop_server(void *server)
{
    grpc_server_stop(server, 5000);
    return NULL;
}

TEST(stopping_ends_a_watch_at_once)
{
    struct fixture f;
    struct peer p;
    struct peer_call call = {.path = WATCH_PATH, .body = ASK_ALL};
    pthread_t thread;
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    peer_start(&p, &call);
    await_data(&p, &call, SERVING);
    int64_t start = clock_mono_ns();
    CHECK(pthread_create(&thread, NULL, stop_server, f.server) == 0);
    peer_run(&p, &call, 1);
    CHECK_STR(buf_view(&call.data), STR("\0\0\0\0\2\x08\1\0\0\0\0\2\x08\2"));
    CHECK_STR(str_c(call.status), STR("14"));
    peer_run_ms(&p, 50);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(clock_mono_ns() - start < 3 * NS_PER_S);
    peer_call_deinit(&call);
    peer_close(&p);
    grpc_server_free(f.server);
    pool_free(f.workers);
}
