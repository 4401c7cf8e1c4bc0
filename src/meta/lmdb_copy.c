#include "meta/lmdb_impl.h"

#include <errno.h>

static enum err copy(MDB_env *env, const char *dir, int fd, struct error *e)
{
    int rc = mdb_env_open(env, dir, MDB_RDONLY | MDB_NOTLS, 0600);
    if (rc == ENOENT)
        return FAIL(e, ERR_NOT_FOUND, "meta.not_a_database", "the directory holds no database");
    TRY(lmdb_check(rc, "be opened", e));
    return lmdb_check(mdb_env_copyfd2(env, fd, MDB_CP_COMPACT), "be copied", e);
}

enum err meta_copy_lmdb(const char *dir, int fd, struct error *e)
{
    MDB_env *env;
    TRY(lmdb_check(mdb_env_create(&env), "be opened", e));
    enum err err = copy(env, dir, fd, e);
    mdb_env_close(env);
    return err;
}
