/*
 * The room that the database has left: in its map, and on its disk.
 *
 * A reserve is kept for changes that make room again (deletes, garbage collection): growth is
 * refused while less than GROWTH_RESERVES of it is left. On the disk it is kept by having the
 * blocks behind the end of the file allocated, so that nobody else can take them.
 */
#include "base/sys.h"
#include "meta/lmdb_impl.h"

#include <errno.h>

#define RESERVE_MAX     MIB(4)
#define GROWTH_RESERVES 4 /* a batch that began within them leaves at least one, as a rule */
#define OF_MAP          16
#define OF_DISK         80

struct usage {
    uint64_t used;     /* bytes of the file up to the last page */
    uint64_t reusable; /* of those, in pages that are free again */
    uint64_t map;
};

/* Sums up the free list: each record is the number of its pages, and they. */
static int sum_free_pages(MDB_txn *txn, uint64_t *ret_pages)
{
    MDB_cursor *c;
    MDB_val k, v;
    size_t n;
    int rc = mdb_cursor_open(txn, 0, &c);
    if (rc)
        return rc;
    *ret_pages = 0;
    while ((rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == MDB_SUCCESS) {
        memcpy(&n, v.mv_data, sizeof n);
        *ret_pages += n;
    }
    mdb_cursor_close(c);
    return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

static enum err reusable(struct lmdb *l, uint64_t page, uint64_t *ret, struct error *e)
{
    MDB_txn *txn;
    uint64_t pages = 0;
    TRY(lmdb_check(mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn), "be read", e));
    int rc = sum_free_pages(txn, &pages);
    mdb_txn_abort(txn);
    *ret = pages * page;
    return lmdb_check(rc, "be read", e);
}

/* Free pages are counted only when the map or the disk has no room beyond the last page. */
static enum err usage_of(struct lmdb *l, bool count_free, struct usage *ret, struct error *e)
{
    MDB_envinfo info;
    MDB_stat stat;
    TRY(lmdb_check(mdb_env_info(l->env, &info), "be read", e));
    TRY(lmdb_check(mdb_env_stat(l->env, &stat), "be read", e));
    *ret = (struct usage){.used = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize,
                          .map = info.me_mapsize};
    return count_free ? reusable(l, stat.ms_psize, &ret->reusable, e) : ERR_OK;
}

static enum err fail_map_full(struct error *e)
{
    return lmdb_fail(MDB_MAP_FULL, "grow", e);
}

static enum err fail_disk_full(struct error *e)
{
    return FAIL(
        e, ERR_RESOURCE_EXHAUSTED, "meta.disk_full",
        "the disk of the server's database is full; nothing was stored. Ask its operator to "
        "free space, then try again");
}

/* The file system cannot reserve: then what it has free must do. */
static enum err check_free_space(struct lmdb *l, uint64_t need, struct error *e)
{
    struct sys_room room;
    TRY(sys_room(l->fd, &room, e));
    return room.free_bytes < need ? fail_disk_full(e) : ERR_OK;
}

/* Has the blocks up to need bytes behind the last page; some more, so that this is rare. */
static enum err reserve_disk(struct lmdb *l, const struct usage *u, uint64_t need, struct error *e)
{
    if (u->used + need <= l->reserved_to)
        return ERR_OK;
    uint64_t to = MIN(u->used + 2 * need, u->map);
    if (to <= l->reserved_to)
        return ERR_OK; /* all that the map can have */
    enum err err = sys_allocate(l->fd, u->used, to - u->used, e);
    if (err == ERR_OK) {
        l->reserved_to = to;
        return ERR_OK;
    }
    return e->sys == ENOSPC || e->sys == EDQUOT ? fail_disk_full(e) : check_free_space(l, need, e);
}

/* What is free behind the last page and within it. */
static enum err check_with_free_pages(struct lmdb *l, uint64_t need, const struct error *full,
                                      struct error *e)
{
    struct usage u;
    TRY(usage_of(l, true, &u, e));
    uint64_t end = MIN(l->reserved_to, u.map);
    if ((end > u.used ? end - u.used : 0) + u.reusable >= need)
        return ERR_OK;
    *e = *full;
    return e->code;
}

static enum err check_room(struct lmdb *l, struct error *e)
{
    struct usage u;
    uint64_t need = GROWTH_RESERVES * l->reserve;
    TRY(usage_of(l, false, &u, e));
    enum err err = reserve_disk(l, &u, need, e);
    if (err == ERR_OK && u.used + need > u.map)
        err = fail_map_full(e);
    if (err != ERR_RESOURCE_EXHAUSTED)
        return err;
    struct error full = *e;
    return check_with_free_pages(l, need, &full, e);
}

enum err lmdb_room(struct meta_backend *b, struct error *e)
{
    struct lmdb *l = lmdb_of(b);
    TRY(lmdb_enter(l, e));
    pthread_mutex_lock(&l->room_lock);
    enum err err = check_room(l, e);
    pthread_mutex_unlock(&l->room_lock);
    lmdb_leave(l);
    return err;
}

enum err lmdb_room_init(struct lmdb *l, struct error *e)
{
    struct usage u;
    struct sys_room room;
    TRY(usage_of(l, false, &u, e));
    TRY(sys_room(l->fd, &room, e));
    l->reserve = MIN(u.map / OF_MAP, room.total_bytes / OF_DISK);
    l->reserve = MIN(l->reserve, (uint64_t)RESERVE_MAX);
    (void)check_room(l, e); /* takes the reserve, if it is to be had: a full disk can be read */
    return ERR_OK;
}
