/*
 * A load generator: many calls at once over many connections, on the product's own HTTP/2 client.
 *
 * Model: one thread, one loop. A connection has `streams` slots, each with at most one operation in
 * progress; an operation is one request or several in a row. In a closed loop a slot begins its
 * next operation when the last has ended; in an open one operations are due at fixed times, whether
 * or not a slot is free, and their duration counts from then (so waiting for a slow server is not
 * left out).
 */
#ifndef STIGMER_BENCH_LOAD_H
#define STIGMER_BENCH_LOAD_H

#include "base/buf.h"
#include "base/macro.h"
#include "digest/sha256.h"
#include "h2/h2.h"
#include "load/histogram.h"

#define LOAD_MAX_OPS   24
#define LOAD_MAX_FILES 16

struct options {
    const char *target, *ca_file, *op, *path;
    const char *files[LOAD_MAX_FILES]; /* operations take them in turn */
    size_t n_files;
    bool tls;
    uint64_t connections, streams, warmup_ms, seconds, calls, rate; /* calls, rate: 0 = not set */
    uint64_t skills, versions, size, first;
};

struct op;
struct load;

/* One operation in progress, with the request of its current step. What it holds is reused. */
struct slot {
    struct load *load;
    struct h2_client *conn; /* borrowed */
    struct h2_stream *stream;
    const struct op *op;
    unsigned step;
    uint64_t number; /* of the operation, counted from options.first */
    int64_t due_ns;
    /* the request: head, memory, a file's bytes from 0, tail */
    const char *method, *path, *content_type; /* content_type NULL: none */
    bool grpc;
    struct buf text; /* what path points into, where it is made */
    struct buf head, body, tail;
    int fd; /* borrowed; -1 = none */
    uint64_t file_len;
    uint64_t sent, total;
    /* the response */
    uint64_t received;
    int http, grpc_status; /* -1: none came */
    struct buf location, message;
};

/* What an operation does. make prepares the request of slot->step; the buffers are empty before. */
struct op {
    const char *name;
    unsigned steps;
    bool needs_hashes, needs_file, needs_path;
    enum err (*make)(struct slot *s, struct error *e);
};
extern const struct op ops[];
extern const size_t n_ops;
/* NULL: there is no such one. */
const struct op *op_find(str name);

struct tally {
    uint64_t begun, done, failed, received;
    struct histogram durations;
};

struct load_file {
    int fd;
    uint64_t len;
    struct digest digest;
};

struct load {
    struct options o;
    char host[256];
    uint16_t port;
    struct loop *loop;
    struct h2_client **conns;
    struct slot *slots;
    size_t n_slots;
    struct slot **idle; /* a stack of the slots without an operation */
    size_t n_idle;
    uint64_t random;
    struct load_file files[LOAD_MAX_FILES]; /* of options.files */
    /* versions that the server has, as --skills and --versions name them */
    char (*hashes)[SHA256_HEX_LEN + 1];
    size_t n_hashes;
    /* time */
    int64_t start_ns, end_ns, last_ns;  /* what is due in [start, end) is counted */
    uint64_t next;                      /* the next operation's number */
    uint64_t n_due;                     /* begun since start */
    struct tally tallies[LOAD_MAX_OPS]; /* by operation */
    struct buf first_failure;
};

/* xorshift64*: [0, n). */
uint64_t load_random(struct load *l, uint64_t n);
/* Asks the server for the hashes of up to 2,000 versions. */
enum err load_learn(struct load *l, struct error *e);
/* The files must be open. Ends early on SIGTERM; runs it all and prints the result as a line of
 * JSON. */
enum err load_run(struct load *l, struct error *e);

/* Skill number n of the seeder: its slug; its tag of version v. */
#define SEED_SLUG "bench-%06" PRIu64
#define SEED_TAG  "v%" PRIu64

/* A container registry shows a manifest only to those who say that they know its type. */
#define LOAD_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"

/* An archive of SKILL.md and data.bin, both stored, together about `size` bytes and different for
 * each n: appended. */
void make_archive(struct buf *to, uint64_t n, size_t size);

#endif
