/*
 * Every limit and timeout of the transport as data: name, default, unit, reason. One row makes the
 * field of struct h2_limits, its default, and its line in help texts and documents.
 *
 *     struct h2_limits l = h2_limits_default;
 *     l.idle_ms = 50;
 *
 * HTTP/2 floods that the rows answer: CVE-2019-9511 to 9518, CVE-2023-44487 (rapid reset),
 * CVE-2024-28182 (CONTINUATION), CVE-2025-8671 (resets that the server is made to send).
 */
#ifndef STIGMER_H2_LIMITS_H
#define STIGMER_H2_LIMITS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define H2_LIMITS_TABLE(X)                                                                         \
    X(max_connections, 8192, "connections", "memory and descriptors are finite")                   \
    X(max_connections_per_address, 512, "connections",                                             \
      "one address (IPv6: /64) may not take all of them; loopback may")                            \
    X(max_streams, 256, "streams", "requests in progress on one connection")                       \
    X(max_streams_total, 16384, "streams",                                                         \
      "requests in progress on all connections: each costs memory")                                \
    X(streams_assured, 4, "streams",                                                               \
      "that a connection may have even then: nobody takes all of them from others")                \
    X(max_header_bytes, 16384, "bytes",                                                            \
      "headers of one request, each counted with 32 bytes extra (RFC 9113 6.5.2); beyond: 431")    \
    X(stream_window, 262144, "bytes",                                                              \
      "a stream's receive window: what a peer can make us hold for it")                            \
    X(connection_window, 1048576, "bytes", "a connection's receive window")                        \
    X(upload_window, 4194304, "bytes",                                                             \
      "an uploading stream's window is raised to this: 8 MiB at 40 ms round trip is 97 MB/s, 64 "  \
      "KiB is 2")                                                                                  \
    X(upload_window_budget, 25165824, "bytes", "raised windows, all streams together")             \
    X(answer_budget, 33554432, "bytes",                                                            \
      "answers in memory that clients have not taken yet, all connections together")               \
    X(answers_unread, 65536, "bytes",                                                              \
      "of these, for one connection: with more no further answer is made for it")                  \
    X(open_files, 1024, "files", "open for answers, all connections together")                     \
    X(unsent_budget, 33554432, "bytes",                                                            \
      "refused by slow readers' sockets, per loop; beyond it sends get small")                     \
    X(outbound_frames, 2048, "frames",                                                             \
      "frames waiting to be sent on a connection; a peer that makes us answer but never reads is " \
      "cut")                                                                                       \
    X(outbound_acks, 256, "frames", "SETTINGS and PING answers waiting to be sent")                \
    X(reset_burst, 200, "resets", "streams a peer may abort at once (rapid reset)")                \
    X(reset_per_s, 20, "resets/s", "and in the long run")                                          \
    X(idle_frame_burst, 1000, "frames",                                                            \
      "frames without progress (SETTINGS, PING, empty DATA, PRIORITY, WINDOW_UPDATE, unknown) at " \
      "once")                                                                                      \
    X(idle_frame_per_s, 100, "frames/s", "and in the long run; requests and data earn more")       \
    X(ping_interval_ms, 10000, "ms",                                                               \
      "client PINGs closer than this, with nothing sent in between, are strikes")                  \
    X(ping_strikes, 3, "strikes", "tolerated before too_many_pings")                               \
    X(handshake_ms, 10000, "ms", "TLS handshake")                                                  \
    X(hello_delay_ms, 20, "ms",                                                                    \
      "plaintext: how long SETTINGS wait for the first bytes, so that HTTP/1.1 can be answered "   \
      "in its own words")                                                                          \
    X(preface_ms, 10000, "ms", "connection preface and the peer's SETTINGS")                       \
    X(header_block_ms, 10000, "ms", "one header block, from its first frame to its last")          \
    X(idle_ms, 300000, "ms", "a connection without requests gets GOAWAY")                          \
    X(body_stall_ms, 30000, "ms", "a request body without a byte, while we would take some")       \
    X(rate_window_ms, 30000, "ms", "what the minimum rates are measured over")                     \
    X(min_upload_rate, 1024, "bytes/s", "of a request body, while we would take more")             \
    X(min_download_rate, 256, "bytes/s",                                                           \
      "of a response that is ready (window games), and of what a full socket still takes")         \
    X(download_stall_ms, 60000, "ms", "a response that is ready, but the peer opens no window")    \
    X(pressed_ms, 3000, "ms",                                                                      \
      "as download_stall_ms, and the time the rate below is measured over, for an answer whose "   \
      "memory or file others wait for")                                                            \
    X(pressed_rate, 16384, "bytes/s", "as min_download_rate, for such an answer")                  \
    X(write_stall_ms, 30000, "ms", "a peer that takes nothing off a full socket")                  \
    X(tick_ms, 1000, "ms", "how often the timeouts of a busy connection are looked at")            \
    X(goaway_wait_ms, 500, "ms",                                                                   \
      "graceful stop: from the notice to the final GOAWAY, unless a PING comes back earlier")      \
    X(linger_ms, 1000, "ms",                                                                       \
      "a connection we end: the time to see the peer close; when we cut it, to send the rest too")

struct h2_limits {
#define X(name, value, unit, reason) int64_t name;
    H2_LIMITS_TABLE(X)
#undef X
};

extern const struct h2_limits h2_limits_default;

struct h2_limit_row {
    const char *name;
    int64_t value; /* default */
    const char *unit, *reason;
    size_t offset; /* of the int64_t in struct h2_limits */
};
extern const struct h2_limit_row h2_limit_rows[];
extern const size_t h2_n_limit_rows;

/* INVALID_ARGUMENT for a value that is not positive, or that the protocol does not allow. */
enum err h2_limits_check(const struct h2_limits *l, struct error *e);

#endif
