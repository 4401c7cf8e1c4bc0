/* The LMDB environment: opening it, and opening it again after a commit has failed. */
#include "base/clock.h"
#include "base/mutant.h"
#include "base/sys.h"
#include "meta/lmdb_impl.h"

#include <fcntl.h>
#include <time.h>

#define MAP_SIZE_DEFAULT (UINT64_C(64) << 30)
#define MAX_READERS      1024 /* read transactions at once, of all processes */
#define DATA_FILE        "data.mdb"

/* How long the readers inside are waited for before the environment is opened again; and how long
 * others wait outside for that. Reads take microseconds, opening some milliseconds. */
#define DRAIN_NS (500 * NS_PER_MS)
#define ENTER_NS (2000 * NS_PER_MS)

/* --- who is inside --- */

static enum err fail_shut(struct error *e)
{
    return FAIL(e, ERR_UNAVAILABLE, "meta.shut",
                "the server opens its database again after a failure; try again");
}

static struct timespec deadline_in(int64_t ns)
{
    int64_t at = clock_mono_ns() + ns;
    return (struct timespec){.tv_sec = at / NS_PER_S, .tv_nsec = at % NS_PER_S};
}

/* Waits with the lock held; false when the time is over. */
static bool wait_until(struct lmdb *l, const struct timespec *deadline)
{
    return pthread_cond_clockwait(&l->changed, &l->lock, CLOCK_MONOTONIC, deadline) == 0;
}

enum err lmdb_enter_locked(struct lmdb *l, struct error *e)
{
    if (l->shut) {
        struct timespec deadline = deadline_in(ENTER_NS);
        while (l->shut && wait_until(l, &deadline))
            ;
    }
    if (l->shut || !l->env)
        return fail_shut(e);
    l->n_inside++;
    return ERR_OK;
}

void lmdb_leave_locked(struct lmdb *l)
{
    if (--l->n_inside == 0 && l->shut)
        pthread_cond_broadcast(&l->changed);
}

enum err lmdb_enter(struct lmdb *l, struct error *e)
{
    pthread_mutex_lock(&l->lock);
    enum err err = lmdb_enter_locked(l, e);
    pthread_mutex_unlock(&l->lock);
    return err;
}

void lmdb_leave(struct lmdb *l)
{
    pthread_mutex_lock(&l->lock);
    lmdb_leave_locked(l);
    pthread_mutex_unlock(&l->lock);
}

/* Nobody is inside when it succeeds. */
static enum err shut(struct lmdb *l, struct error *e)
{
    struct timespec deadline = deadline_in(DRAIN_NS);
    pthread_mutex_lock(&l->lock);
    l->shut = true;
    while (l->n_inside && wait_until(l, &deadline))
        ;
    bool alone = l->n_inside == 0;
    if (alone)
        lmdb_pool_drop(l);
    pthread_mutex_unlock(&l->lock);
    return alone ? ERR_OK : fail_shut(e);
}

static void unshut(struct lmdb *l)
{
    pthread_mutex_lock(&l->lock);
    l->shut = false;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

/* --- opening --- */

/* Who only reads takes a database as an earlier server left it: trees may be missing. */
static enum err open_trees(struct lmdb *l, struct error *e)
{
    MDB_txn *txn;
    bool ro = l->base.read_only;
    TRY(lmdb_check(mdb_txn_begin(l->env, NULL, ro ? MDB_RDONLY : 0, &txn), "be opened", e));
    for (int i = 0; i < META_N_TREES; i++) {
        const char *name = meta_tree_name((enum meta_tree)i);
        int rc = mdb_dbi_open(txn, name, ro ? 0 : MDB_CREATE, &l->dbis[i]);
        if (ro && rc == MDB_NOTFOUND) {
            l->dbis[i] = LMDB_NO_TREE;
        } else if (rc) {
            mdb_txn_abort(txn);
            return lmdb_fail(rc, "be opened", e);
        }
    }
    return lmdb_check(mdb_txn_commit(txn), "be opened", e);
}

static enum err configure(struct lmdb *l, struct error *e)
{
    uint64_t size = l->map_size ? l->map_size : MAP_SIZE_DEFAULT;
    TRY(lmdb_check(mdb_env_create(&l->env), "be opened", e));
    TRY(lmdb_check(mdb_env_set_maxdbs(l->env, META_N_TREES + LMDB_MAX_FORMER), "be opened", e));
    TRY(lmdb_check(mdb_env_set_maxreaders(l->env, MAX_READERS), "be opened", e));
    if (l->base.read_only) /* as large as the writer says */
        return ERR_OK;
    return lmdb_check(mdb_env_set_mapsize(l->env, size), "reserve its address space", e);
}

/* Whoever finds the database after a crash must find the files themselves; and the descriptor of
 * the data file stays open for its room. */
static enum err settle_files(struct lmdb *l, struct error *e)
{
    CLEANUP(sys_closep) int dir = -1;
    TRY(sys_openat(AT_FDCWD, l->dir, O_DIRECTORY | O_RDONLY, 0, &dir, e));
    TRY(sys_openat(dir, DATA_FILE, O_RDWR, 0, &l->fd, e));
    return sys_fsync(dir, e);
}

static enum err open_env(struct lmdb *l, struct error *e)
{
    int dead;
    unsigned flags = MDB_NOTLS | (l->base.read_only ? MDB_RDONLY : 0);
    if (l->no_sync || MUTANT(no_meta_fsync))
        flags |= MDB_NOSYNC;
    if (MUTANT(no_meta_page_fsync))
        flags |= MDB_NOMETASYNC;
    TRY(configure(l, e));
    if (!l->base.read_only)
        TRY(sys_mkdir_parents(l->dir, 0700, e));
    TRY(lmdb_check(mdb_env_open(l->env, l->dir, flags, 0600), "be opened", e));
    if (!l->base.read_only)
        TRY(settle_files(l, e));
    /* Slots of processes that died would keep their old pages from being used again. */
    TRY(lmdb_check(mdb_reader_check(l->env, &dead), "be opened", e));
    return open_trees(l, e);
}

enum err lmdb_env_open(struct lmdb *l, struct error *e)
{
    enum err err = open_env(l, e);
    if (err)
        lmdb_env_close(l);
    return err;
}

void lmdb_env_close(struct lmdb *l)
{
    if (l->env)
        mdb_env_close(l->env);
    l->env = NULL;
    sys_closep(&l->fd);
}

/* --- opening again --- */

/* What a failed write-back left in memory is clean for the kernel and unknown to the disk: what the
 * disk still takes is written by a descriptor of its own, then memory forgets the file. */
static enum err forget_cache(struct lmdb *l, struct error *e)
{
    CLEANUP(sys_closep) int dir = -1;
    CLEANUP(sys_closep) int fd = -1;
    TRY(sys_openat(AT_FDCWD, l->dir, O_DIRECTORY | O_RDONLY, 0, &dir, e));
    TRY(sys_openat(dir, DATA_FILE, O_RDWR, 0, &fd, e));
    TRY(sys_fsync(fd, e));
    sys_drop_cache(fd);
    return ERR_OK;
}

static enum err reopen(struct lmdb *l, bool *ret_kept, struct error *e)
{
    MDB_envinfo info;
    lmdb_env_close(l); /* two environments of one file in one process would share their locks */
    TRY(forget_cache(l, e));
    TRY(lmdb_env_open(l, e));
    TRY(lmdb_check(mdb_env_info(l->env, &info), "be read", e));
    *ret_kept = info.me_last_txnid >= l->unknown;
    return ERR_OK;
}

enum err lmdb_reopen(struct meta_backend *b, bool *ret_kept, struct error *e)
{
    struct lmdb *l = lmdb_of(b);
    enum err err = shut(l, e);
    if (!err) {
        pthread_mutex_lock(&l->room_lock);
        l->reserved_to = 0;
        err = reopen(l, ret_kept, e);
        pthread_mutex_unlock(&l->room_lock);
    }
    unshut(l);
    return err;
}
