/*
 * For the tests of calls: a server with methods of every kind, and a client that can misbehave.
 *
 * Methods of /test.Service/: echo (inline), text (inline; that many bytes), work (worker), defer
 * (inline, then worker), fail (worker), download (a file's range), stream (server streaming),
 * upload.
 * Requests are texts of the form "key=value key=value".
 */
#ifndef STIGMER_TESTS_GRPC_FIXTURE_H
#define STIGMER_TESTS_GRPC_FIXTURE_H

#include "test.h"

#include "base/buf.h"
#include "base/pool.h"
#include "grpc/client.h"
#include "grpc/server.h"
#include "h2/h2.h"
#include "h2/limits.h"

#include <stdatomic.h>

#define UPLOAD_FIELD 4
#define UPLOAD_MAX   MIB(96)
#define REST_MAX     KIB(4)
#define REQUEST_MAX  KIB(64)
#define FIRST_REPLY  KIB(64) /* of echo, text and defer */
#define REPLY_MAX    MIB(8)

/* The sanitizers keep freed memory: what is checked of it means nothing then. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FIXTURE_SANITIZED true
#elif defined(__has_feature)
#define FIXTURE_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define FIXTURE_SANITIZED false
#endif

struct fixture_options {
    size_t budget;         /* of uploads; 0 = 4 MiB */
    size_t request_budget; /* 0 = 4 MiB */
    unsigned n_loops, n_workers;
    size_t max_queued; /* jobs */
    const struct h2_limits *limits;
    const str *descriptors;
    size_t n_descriptors;
    uint16_t port; /* 0 = any */
};

struct fixture {
    struct grpc_server *server;
    struct pool *workers;
    uint16_t port;
    char target[32];
    /* what the methods saw */
    _Atomic int n_uploads; /* objects alive */
    _Atomic int n_begun, n_finished;
    _Atomic int n_texts;    /* times the handler of text ran */
    _Atomic int n_streams;  /* stream contexts alive */
    _Atomic int n_working;  /* handlers that are running */
    _Atomic int n_worked;   /* times the handler of work ran */
    _Atomic int saw_cancel; /* 1: a waiting handler did */
    _Atomic bool gate;      /* handlers with "gate" wait until it is true */
};

/* Starts it on 127.0.0.1; NULL = defaults (2 loops, 2 workers). */
void fixture_start(struct fixture *f, const struct fixture_options *o);
/* Stops and frees it; checks that nothing is alive. */
void fixture_stop(struct fixture *f);
/* Waits at most 10 s until the counter has that value. */
void fixture_wait(_Atomic int *counter, int value);
/* A client of it. */
struct grpc_client *fixture_client(const struct fixture *f);
/* A call with the text as the request, whose answer (or error text) is in *answer. */
enum err fixture_call(struct grpc_client *c, const char *path, const char *text, struct buf *answer,
                      struct error *e);
/* An unnamed file of that size in the test's directory. */
int fixture_file(uint64_t len);
/* Peak RSS of this process in KiB, and its reset. */
long fixture_peak_kib(void);
void fixture_reset_peak(void);

/* --- the raw client --- */

struct peer {
    struct loop *loop;
    struct h2_client *h2;
};

/* One request as bytes; zero what is not wanted. */
struct peer_call {
    /* in */
    const char *path, *method, *content_type, *timeout, *encoding;
    bool no_te;
    str body;     /* borrowed; includes the frames' prefixes */
    size_t pause; /* stop sending after that many bytes until peer_resume; 0 = never */
    bool endless; /* no END_STREAM */
    bool hold;    /* takes nothing of the answer beyond its window, until peer_release */
    /* out */
    struct h2_stream *stream;
    size_t sent, held;
    struct buf data; /* of the response */
    char http[8], status[8];
    struct buf message;
    bool trailers_only; /* the status came with the headers */
    bool ended, closed;
    uint32_t code; /* of on_close */
};

void peer_open(struct peer *p, const struct fixture *f);
void peer_close(struct peer *p);
void peer_start(struct peer *p, struct peer_call *c);
void peer_resume(struct peer_call *c);
void peer_release(struct peer_call *c);
/* Runs until all of them are closed (at most 30 s). */
void peer_run(struct peer *p, struct peer_call *calls, size_t n);
/* Runs for that long. */
void peer_run_ms(struct peer *p, int ms);
void peer_call_deinit(struct peer_call *c);
/* Starts, runs and checks grpc-status. */
void peer_expect(struct peer *p, struct peer_call *c, enum err want);
/* Appends one frame with that flag. */
void peer_frame(struct buf *to, int flag, str message);
/* Appends an upload's message: name, field 4 with that many bytes, tag; as one frame. */
void peer_upload_frame(struct buf *to, size_t len);

#endif
