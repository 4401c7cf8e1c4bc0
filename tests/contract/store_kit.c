#include "store_kit.h"

#include "base/sys.h"
#include "store/faulty.h"
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static enum err open_fs(struct store **ret, struct error *e)
{
    return store_open_fs(test_dir(), ret, e);
}

static enum err open_faulty(struct store **ret, struct error *e)
{
    struct store *inner;
    TRY(store_open_fs(test_dir(), &inner, e));
    return store_open_faulty(inner, ret, e);
}

const struct backend backend_fs = {"fs", open_fs};
const struct backend backend_mem = {"mem", store_open_mem};
const struct backend backend_faulty = {"faulty", open_faulty};

struct store *kit_open(const struct backend *b)
{
    struct error e;
    struct store *s = NULL;
    CHECK_OK(b->open(&s, &e), &e);
    return s;
}

struct spool *kit_spool(struct store *s, str data)
{
    struct error e;
    struct spool *sp = NULL;
    CHECK_OK(store_spool(s, data.len, &sp, &e), &e);
    CHECK_OK(spool_write(sp, data.p, data.len, &e), &e);
    CHECK_OK(spool_seal(sp, &e), &e);
    return sp;
}

bool kit_put(struct store *s, str data, struct digest *ret)
{
    struct error e;
    struct spool *sp = kit_spool(s, data);
    bool existed;
    CHECK_OK(store_put(s, sp, &existed, &e), &e);
    if (ret)
        *ret = *spool_digest(sp);
    spool_free(sp);
    return existed;
}

struct digest kit_digest(str data)
{
    struct error e;
    struct digest d;
    CHECK_OK(sha256_of(data, &d, &e), &e);
    return d;
}

void kit_check_served(struct store *s, str data)
{
    struct error e;
    struct digest d = kit_digest(data);
    CLEANUP(artifact_deinit) struct artifact a = ARTIFACT_INIT;
    CLEANUP(freep) char *got = malloc(data.len + 1);
    CHECK_OK(store_open(s, &d, &a, &e), &e);
    CHECK_INT(a.len, data.len);
    CHECK(got);
    CHECK_OK(sys_pread_full(a.fd, got, data.len, 0, &e), &e);
    CHECK(str_eq(str_of(got, data.len), data));
}

void kit_check_absent(struct store *s, const struct digest *d)
{
    struct error e;
    struct artifact a;
    CHECK_ERR(store_open(s, d, &a, &e), ERR_NOT_FOUND, &e);
    CHECK_INT(a.fd, -1);
}

static enum err count_one(void *ctx, const struct store_info *info, struct error *e)
{
    (void)info, (void)e;
    ++*(size_t *)ctx;
    return ERR_OK;
}

size_t kit_count(struct store *s)
{
    struct error e;
    size_t n = 0;
    CHECK_OK(store_each(s, count_one, &n, &e), &e);
    return n;
}

static int open_for_writing(struct store *s, str data)
{
    struct error e;
    struct digest d = kit_digest(data);
    CLEANUP(artifact_deinit) struct artifact a = ARTIFACT_INIT;
    int fd = -1;
    CHECK_OK(store_open(s, &d, &a, &e), &e);
    CHECK_OK(sys_reopen(a.fd, O_RDWR, &fd, &e), &e);
    kit_settle();
    return fd;
}

void kit_flip_first_byte(struct store *s, str data)
{
    CLEANUP(sys_closep) int fd = open_for_writing(s, data);
    char c = (char)(data.p[0] ^ 1);
    CHECK_INT(pwrite(fd, &c, 1, 0), 1);
}

void kit_resize(struct store *s, str data, uint64_t len)
{
    CLEANUP(sys_closep) int fd = open_for_writing(s, data);
    CHECK_INT(ftruncate(fd, (off_t)len), 0);
}

void kit_settle(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 60 * NS_PER_MS}, NULL);
}

static enum err count_name(void *ctx, const char *name, struct error *e)
{
    (void)name, (void)e;
    ++*(size_t *)ctx;
    return ERR_OK;
}

static size_t n_entries_of(const char *path)
{
    struct error e;
    size_t n = 0;
    CLEANUP(sys_closep) int fd = -1;
    CHECK_OK(sys_openat(test_dirfd(), path, O_DIRECTORY | O_RDONLY, 0, &fd, &e), &e);
    CHECK_OK(sys_each_name(fd, count_name, &n, &e), &e);
    return n;
}

size_t kit_n_entries(const char *subdir)
{
    return n_entries_of(subdir);
}

size_t kit_n_fds(void)
{
    return n_entries_of("/proc/self/fd");
}
