/*
 * The two ends for tests of h2: a server with paths that show one behaviour each, a client call
 * that records what it saw, and a raw socket that speaks frames.
 *
 *   /echo       sends the request body back as it comes, then trailers x-bytes
 *   /sink       consumes the body, then answers with the header x-bytes
 *   /hold       consumes nothing; answers at the end of the request
 *   /source/N   N bytes, byte i being i % 251, then trailers x-end: yes
 *   /early      answers at once with headers only, and stops reading
 *   /wait       never answers
 *   /abort      resets with INTERNAL_ERROR when the first body byte comes
 *   /fail       begins a body whose read fails
 *   /big        answers with headers that are too large to send
 *   anything else: 200, no body
 */
#ifndef STIGMER_TESTS_H2_PEERS_H
#define STIGMER_TESTS_H2_PEERS_H

#include "h2/h2.h"
#include "h2/limits.h"
#include "test.h"

#include <stdatomic.h>

/* What the server saw, all connections together. */
struct seen {
    _Atomic int opened, closed, broken;
    _Atomic int most; /* opened and not closed */
    _Atomic uint64_t bytes;
    _Atomic uint32_t last_error;
    _Atomic bool raise; /* raise_window(4 MiB) for uploads */
    _Atomic bool pause; /* pause reading at the first byte of /hold */
    _Atomic(struct h2_stream *) held;
    char last_value[64]; /* value of the header x-test of the latest request */
};
extern struct seen seen;

/* Starts a server on 127.0.0.1; limits NULL = defaults. */
struct h2_server *serve(const struct h2_limits *limits, struct tls_server *tls, unsigned n_loops,
                        uint16_t *ret_port);
extern const struct h2_handler server_handler;

struct call {
    char status[4], x_bytes[24], x_end[8];
    uint64_t received, to_send;
    size_t sent;
    bool corrupt;    /* a byte was not the one expected */
    bool endless;    /* never says END */
    bool no_consume; /* leaves the windows closed */
    bool headers, ended, closed;
    uint32_t error;
    uint64_t cancel_at; /* reset when that many bytes came */
    struct h2_stream *stream;
};

struct peer {
    struct loop *loop;
    struct h2_client *client;
};
void peer_open(struct peer *p, uint16_t port);
void peer_open_tls(struct peer *p, const char *host, uint16_t port, const char *ca);
void peer_close(struct peer *p);
/* Starts a request with a body of c->to_send bytes (none: END_STREAM with the headers). */
void call_start(struct peer *p, struct call *c, const char *path);
/* Runs the loop until it is closed, at most 30 s. */
void call_wait(struct peer *p, struct call *c);
void call_run(struct peer *p, struct call *c, const char *path);
void peer_turns(struct peer *p, int ms);

/* --- raw --- */

/* Connects (blocking socket with a receive timeout of 10 s). */
int raw_connect(uint16_t port);
/* With a receive buffer of about so many bytes. */
int raw_connect_with(uint16_t port, int buffer);
/* Connection preface and empty SETTINGS. */
int raw_hello(uint16_t port);
void raw_send(int fd, const void *p, size_t len);
/* False when the peer has closed. */
bool raw_try_send(int fd, const void *p, size_t len);
void raw_frame(int fd, uint8_t type, uint8_t flags, uint32_t id, const void *p, size_t len);
/* A request's HEADERS (POST path, literal, not indexed); flags as given. */
void raw_request(int fd, uint32_t id, const char *path, uint8_t flags);
size_t raw_request_block(const char *path, char *out, size_t cap);
/* The same and DATA of that many zeros, written to `out`; how many bytes that are. */
size_t raw_put_request(char *out, uint32_t id, const char *path, size_t body);
struct raw_frame {
    uint32_t len, id;
    uint8_t type, flags;
    char payload[70000];
};
/* False at the end of the connection or after 10 s. */
bool raw_read(int fd, struct raw_frame *f);
/* Reads until a frame of that type. False as raw_read. */
bool raw_read_until(int fd, uint8_t type, struct raw_frame *f);
/* Reads until GOAWAY and checks its code and that the debug text contains text. */
void raw_expect_goaway(int fd, uint32_t code, const char *text);
/* The connection is closed by the server within 10 s; frames before that are skipped. */
void raw_expect_close(int fd);
uint32_t raw_u32(const char *p);
/* The server still answers a call. */
void expect_serving(uint16_t port);

/* A self-signed certificate for localhost, 127.0.0.1 and ::1: test_dir()/NAME.pem, NAME.key. */
void make_cert(const char *name);
const char *in_test_dir(const char *name);

#endif
