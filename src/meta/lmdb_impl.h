/*
 * The LMDB backend's parts: the environment (lmdb_env.c), the room it has left (lmdb_room.c), and
 * the callbacks over it (meta_lmdb.c). Private to them.
 */
#ifndef STIGMER_META_LMDB_IMPL_H
#define STIGMER_META_LMDB_IMPL_H

#include "base/macro.h"
#include "meta/backend.h"
#include "meta/meta.h"

#include <lmdb.h>
#include <pthread.h>

#define LMDB_NO_TREE    ((MDB_dbi)-1)
#define LMDB_MAX_FORMER 16 /* trees of former schemas that a migration opens */

struct lmdb_txn;

struct lmdb {
    struct meta_backend base;
    char *dir;
    uint64_t map_size; /* 0: what the file says */
    bool no_sync;
    MDB_env *env;               /* NULL: it could not be opened again */
    MDB_dbi dbis[META_N_TREES]; /* LMDB_NO_TREE: not there, which is as good as empty */
    int fd;                     /* of the data file; -1 when read_only */
    size_t unknown;             /* the transaction whose commit failed last */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct lmdb_txn *pool; /* idle read transactions */
    size_t n_pool;
    size_t n_inside; /* who uses env, but for the writer */
    bool shut;       /* nobody else may begin to */

    pthread_mutex_t room_lock; /* guards what follows */
    uint64_t reserve;          /* bytes */
    uint64_t reserved_to;      /* the file has its blocks up to here */
};

static inline struct lmdb *lmdb_of(struct meta_backend *b)
{
    return CONTAINER_OF(b, struct lmdb, base);
}

/* The error behind an LMDB return code; positive ones are errnos. */
enum err lmdb_fail(int rc, const char *what, struct error *e);
enum err lmdb_check(int rc, const char *what, struct error *e);

/* Who uses the environment from any thread but the writer's does it between these; waits shortly
 * while it is being opened again. UNAVAILABLE. With l->lock held or without. */
enum err lmdb_enter_locked(struct lmdb *l, struct error *e);
void lmdb_leave_locked(struct lmdb *l);
enum err lmdb_enter(struct lmdb *l, struct error *e);
void lmdb_leave(struct lmdb *l);
/* Ends the idle read transactions. */
void lmdb_pool_drop(struct lmdb *l);

/* Sets env, dbis and fd up. */
enum err lmdb_env_open(struct lmdb *l, struct error *e);
void lmdb_env_close(struct lmdb *l);
/* The callbacks of these names. */
enum err lmdb_reopen(struct meta_backend *b, bool *ret_kept, struct error *e);
enum err lmdb_room(struct meta_backend *b, struct error *e);
/* Chooses the reserve for the map and the disk that there are. */
enum err lmdb_room_init(struct lmdb *l, struct error *e);

#endif
