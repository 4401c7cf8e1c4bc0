/* The archives' files: there, of the right size, and every byte. */
#include "check/impl.h"

#include "base/macro.h"
#include "base/sys.h"
#include "base/sys_proc.h"
#include "stigmer/storage/v1/record.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define SUFFIX   ".zip"
#define NAME_LEN (SHA256_HEX_LEN + sizeof SUFFIX - 1)

struct file {
    struct digest digest;
    char name[NAME_LEN + 1];
    uint64_t size; /* as recorded */
};

static void damaged(struct check *c, const struct file *f, const char *how)
{
    const char *holders = holder_names(c, &f->digest);
    found(c, "artifact", holders, "the archive %s %s; push the files of %s again", f->name, how,
          holders ? holders : "whoever had it");
}

static enum err hash_file(struct check *c, const struct file *f, int fd, struct error *e)
{
    struct digest got;
    enum err err = sha256_of_file(fd, f->size, &got, e);
    c->report->artifacts++;
    c->report->bytes += f->size;
    if (err != ERR_OK && e->sys == 0)
        return err;
    if (err != ERR_OK)
        damaged(c, f, "cannot be read");
    else if (!digest_eq(&got, &f->digest))
        damaged(c, f, "does not hold what was pushed");
    return ERR_OK;
}

static enum err look_at_file(struct check *c, const struct file *f, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    struct stat st;
    enum err err =
        sys_openat(c->dirfd, f->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0, &fd, e);
    if (err != ERR_OK && e->sys != ENOENT && e->sys != ELOOP && e->sys != ENXIO)
        return err;
    if (err != ERR_OK) {
        damaged(c, f, e->sys == ENOENT ? "is missing" : "is not a file");
        return ERR_OK;
    }
    TRY(sys_fstat(fd, &st, e));
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != f->size) {
        damaged(c, f, "has another size than was pushed");
        return ERR_OK;
    }
    return hash_file(c, f, fd, e);
}

static enum err check_artifact(struct check *c, str key, str payload, struct error *e)
{
    struct file f;
    Stigmer__Storage__V1__ArtifactRecord *m = stigmer__storage__v1__artifact_record__unpack(
        NULL, payload.len, (const uint8_t *)payload.p);
    if (!m || key.len != sizeof f.digest.b) /* told before */
        return ERR_OK;
    bool live = m->state == 1;
    f.size = m->size;
    stigmer__storage__v1__artifact_record__free_unpacked(m, NULL);
    memcpy(f.digest.b, key.p, sizeof f.digest.b);
    digest_to_hex(&f.digest, f.name);
    memcpy(f.name + SHA256_HEX_LEN, SUFFIX, sizeof SUFFIX);
    if (live)
        return look_at_file(c, &f, e);
    c->report->garbage++;
    return ERR_OK;
}

static enum err count_garbage(void *ctx, const char *name, struct error *e)
{
    struct check *c = ctx;
    struct digest d;
    str payload, n = str_c(name);
    (void)e;
    if (n.len != NAME_LEN || !digest_from_hex(str_head(n, SHA256_HEX_LEN), &d))
        return ERR_OK;
    struct meta_key key = META_KEY_INIT;
    key_add_digest(&key, &d);
    c->report->garbage += !record_read(c, META_ARTIFACTS, &key, &payload);
    return ERR_OK;
}

static enum err open_directory(struct check *c, struct error *e)
{
    char path[SYS_PATH_MAX];
    if (snprintf(path, sizeof path, "%s/skills", c->o->storage_path) >= (int)sizeof path)
        return FAIL(e, ERR_INVALID_ARGUMENT, "check.path", "the path is too long");
    enum err err = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &c->dirfd, e);
    return err == ERR_OK ? err
                         : err_wrap(e, "STORAGE_PATH=%s cannot be looked at", c->o->storage_path);
}

enum err check_artifacts(struct check *c, struct error *e)
{
    TRY(open_directory(c, e));
    TRY(each_record(c, META_ARTIFACTS, check_artifact, e));
    return sys_each_name(c->dirfd, count_garbage, c, e);
}
