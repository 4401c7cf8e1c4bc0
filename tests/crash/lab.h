/*
 * The crash laboratory: a driver that knows what was acknowledged, and breaks the server.
 *
 * Model: each client has a world of its own, the skills that only it changes, and does one thing at
 * a time. So after any crash the server must hold exactly the client's world after its last
 * acknowledged change, or the one after the change that was under way (I1, I4), whatever else went
 * wrong; and a retry of that change must lead to the latter (I5). verify.c compares; it also hashes
 * every file of the store (I2) and asks `stigmer-server check` (I2, I3).
 * Failures of the laboratory itself end it (lab_die); what the server does wrong is a violation,
 * which is printed and counted.
 */
#ifndef STIGMER_TESTS_CRASH_LAB_H
#define STIGMER_TESTS_CRASH_LAB_H

#include "base/buf.h"
#include "base/err.h"
#include "base/macro.h"
#include "digest/sha256.h"
#include "grpc/client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

enum {
    LAB_CLIENTS = 8,
    LAB_SKILLS = 3,    /* of a client */
    LAB_VERSIONS = 40, /* of a skill, at most; a page of listVersions */
    LAB_TAGS = 4,      /* 0: none */
    LAB_SHARED = 12,   /* archives that all clients push now and then */
    LAB_PATH_MAX = 300,
};

/* --- the laboratory itself --- */

_Noreturn void lab_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Something the server did wrong. Printed at once (the first few), counted. */
void lab_violation(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
unsigned lab_violations(void);
/* Whether enough was found: go no further. */
bool lab_full(void);
/* A line that says where the next violations are from. */
void lab_context(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* xorshift64*: the same on every machine. */
uint64_t lab_random(uint64_t *state);
static inline uint64_t lab_below(uint64_t *state, uint64_t n)
{
    return lab_random(state) % n;
}

/* A directory of this run, removed at exit; in memory (/dev/shm) or on the disk. */
const char *lab_scratch(bool in_memory);
void lab_remove_tree(const char *path);
void lab_path(char out[LAB_PATH_MAX], const char *dir, const char *name);

/* --- archives --- */

/* Archive number n: an acceptable skill, other bytes for every n. At most 48 KiB. */
void archive_make(uint64_t n, struct buf *out, struct digest *ret);

/* --- what clients do and what must follow --- */

struct op {
    enum { OP_PUSH, OP_MOVE, OP_DELETE } kind;
    unsigned skill, tag;
    uint64_t archive;     /* OP_PUSH */
    struct digest digest; /* of the archive pushed, or of the version that the tag moves to */
};

struct world_version {
    struct digest digest;
    unsigned tag; /* pushed with */
};

struct world_skill {
    unsigned n_versions, first; /* of all lives; number of the first of this life (from 1) */
    bool live;
    unsigned tags[LAB_TAGS]; /* number of the version that the tag points at, or 0 */
    struct world_version versions[LAB_VERSIONS];
};

struct world {
    struct world_skill skills[LAB_SKILLS];
};

/* The next thing to do; false when every skill is full. */
bool world_choose(const struct world *w, unsigned client, uint64_t *random, struct op *ret);
void world_apply(struct world *w, const struct op *op);
/* What a reader sees: versions, liveness, and the tags of this life. */
bool world_skill_eq(const struct world_skill *a, const struct world_skill *b);
void world_skill_print(const char *label, const struct world_skill *s);

/* --- the server --- */

struct server {
    const char *program;
    char dir[LAB_PATH_MAX]; /* holds storage/ and db/ */
    pid_t pid;              /* 0: not running */
    int log_fd;             /* -1, or what it writes */
    unsigned port;
    char log[4096]; /* its first words */
    size_t log_len;
};

void server_init(struct server *s, const char *program, const char *dir);
void server_spawn(struct server *s);
/* Waits for the port; false when it ended instead. */
bool server_wait_port(struct server *s);
/* spawn and wait; a server that does not start is a violation. */
bool server_start(struct server *s);
/* Runs `program verb [more]` on the same directories, returns its exit status and output. */
int server_run(const struct server *s, const char *const *args, struct buf *out);
/* In a child: becomes the program, on the server's directories, with those outputs. */
_Noreturn void server_exec(const struct server *s, const char *const *args, int out, int err);
void server_kill(struct server *s);
/* Appends what it has written meanwhile to s->log, as far as there is room. */
void server_drain(struct server *s);

/* --- calls --- */

enum err api_open(const struct server *s, struct grpc_client **ret, struct error *e);
/* Does op as client; epoch tells apart the skills of the same client. */
enum err api_do(struct grpc_client *c, const char *epoch, unsigned client, const struct op *op,
                struct error *e);
/* The skill as the server has it; n_versions 0 when there is none. */
enum err api_see(struct grpc_client *c, const char *epoch, unsigned client, unsigned skill,
                 struct world_skill *ret, struct error *e);
/* Fetches an artifact and compares its hash. */
enum err api_fetch(struct grpc_client *c, const struct digest *d, struct error *e);

/* --- clients --- */

struct client {
    unsigned id;
    const char *epoch;
    const struct server *server;
    uint64_t random;
    struct world done; /* after the last acknowledged change */
    struct op pending; /* under way when in_flight */
    bool in_flight;
    uint64_t n_acked;
    enum err err; /* that ended the last run */
    struct error e;
    /* Called after each acknowledgement; may be NULL. */
    void (*on_ack)(struct client *c);
    const atomic_bool *stop; /* ends a run between two changes; may be NULL */
    atomic_bool ended;
    pthread_t thread;
};

void client_init(struct client *c, unsigned id, const char *epoch, const struct server *s,
                 uint64_t seed);
/* Changes things in a thread of its own until a call fails, *stop is set or all is full. */
void client_start(struct client *c);
void client_join(struct client *c);

/* --- verification --- */

/* Whether the server holds what the client was told. *ret_applied: the change under way took place,
 * and done is the world with it; it stays under way for verify_retry. */
bool verify_client(struct grpc_client *g, struct client *c, bool *ret_applied);
/* The change under way again: I5. in_flight is false afterwards. */
void verify_retry(struct grpc_client *g, struct client *c, bool applied);
/* Every file of the store hashes to its name, and each version of the worlds has its file. */
void verify_files(const struct server *s, const struct client *clients, size_t n);
/* `stigmer-server check`: exit 0. */
void verify_check(const struct server *s);

/* --- the experiments: argv after the name; exit status --- */

int lab_kill(int argc, char **argv);
int lab_power(int argc, char **argv);
int lab_calls(int argc, char **argv);

#endif
