#include "cli/artifact.h"

#include "base/sys.h"
#include "cli/progress.h"
#include "zip/pack.h"

#include <fcntl.h>
#include <stdlib.h>

void artifact_file_deinit(struct artifact_file *a)
{
    sys_closep(&a->fd);
}

/* For file systems without O_TMPFILE: a random name that is removed at once. */
static enum err open_and_unlink(int dirfd, int *ret_fd, struct error *e)
{
    uint64_t random;
    char name[48];
    TRY(sys_random(&random, sizeof random, e));
    (void)snprintf(name, sizeof name, "stigmer-%016llx", (unsigned long long)random);
    TRY(sys_openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL, 0600, ret_fd, e));
    return sys_unlinkat(dirfd, name, 0, e);
}

enum err artifact_temp(int *ret_fd, struct error *e)
{
    const char *dir = getenv("TMPDIR");
    CLEANUP(sys_closep) int dirfd = -1;
    if (!dir || !*dir)
        dir = "/tmp";
    TRY(sys_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, &dirfd, e));
    if (sys_open_tmp(dirfd, ret_fd, e) == ERR_OK)
        return ERR_OK;
    return open_and_unlink(dirfd, ret_fd, e);
}

struct packing {
    const struct term *err;
    struct progress progress;
};

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct packing *p = ctx;
    progress_update(&p->progress, done, total);
}

static void on_secret(void *ctx, str path)
{
    struct packing *p = ctx;
    progress_end(&p->progress);
    term_styled(p->err, TERM_YELLOW, "Warning:");
    term_printf(p->err, " left out, it looks like a secret: ");
    term_foreign(p->err, path);
    term_printf(p->err, "\n");
}

enum err artifact_pack(struct cli *c, const char *dir, struct artifact_file *ret, struct error *e)
{
    CLEANUP(sys_closep) int dirfd = -1;
    struct packing p = {.err = &c->err};
    struct zip_pack_options options = {
        .progress = on_progress, .warn_secret = on_secret, .ctx = &p};
    TRY(sys_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, &dirfd, e));
    TRY(artifact_temp(&ret->fd, e));
    progress_begin(&p.progress, &c->err, "Packing");
    enum err err = zip_pack(dirfd, ret->fd, &options, &ret->size, &ret->n_files, e);
    progress_end(&p.progress);
    TRY(err);
    TRY(sha256_of_file(ret->fd, ret->size, &ret->hash, e));
    digest_to_hex(&ret->hash, ret->hex);
    return ERR_OK;
}
