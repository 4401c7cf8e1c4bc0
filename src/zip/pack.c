#include "zip/pack.h"

#include "base/sys.h"
#include "zip/record.h"
#include "zip/tree.h"

#include <fcntl.h>
#include <stdlib.h>
#include <zlib.h>

#define LEVEL       6 /* zlib's own choice; every archive's bytes depend on it */
#define CHUNK       KIB(256)
#define VERSION     20                    /* deflate and directories: APPNOTE 4.4.3.2 */
#define DATE_1980   (0 << 9 | 1 << 5 | 1) /* the first day that MS-DOS knows, at midnight */
#define WRITE_BATCH KIB(64)

struct packer {
    int dirfd, out_fd;
    const struct zip_pack_options *options;
    struct tree tree;
    z_stream zs;
    bool zs_open;
    uint8_t *in, *out; /* CHUNK each */
    uint64_t at;       /* the archive's bytes so far */
    uint64_t done;     /* bytes of files read so far */
};

static void packer_deinit(struct packer *p)
{
    if (p->zs_open)
        (void)deflateEnd(&p->zs);
    free(p->in);
    free(p->out);
    tree_deinit(&p->tree);
}

static enum err packer_init(struct packer *p, struct error *e)
{
    p->in = malloc(CHUNK);
    p->out = malloc(CHUNK);
    p->zs_open = deflateInit2(&p->zs, LEVEL, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    return p->in && p->out && p->zs_open ? ERR_OK : FAIL_NOMEM(e);
}

static enum err write_out(struct packer *p, const void *data, size_t len, uint64_t off,
                          struct error *e)
{
    if (off + len > zip_limits_default.max_size)
        return FAIL(
            e, ERR_INVALID_ARGUMENT, "pack.archive_too_large",
            "the archive would be larger than %llu bytes: leave files out with .skillignore",
            (unsigned long long)zip_limits_default.max_size);
    return sys_pwrite_full(p->out_fd, data, len, off, e);
}

static void report_progress(struct packer *p, size_t n)
{
    p->done += n;
    if (p->options && p->options->progress)
        p->options->progress(p->options->ctx, p->done, p->tree.total);
}

static enum err changed(const struct tree_file *f, struct error *e)
{
    return FAIL(e, ERR_ABORTED, "pack.changed", "\"%.*s\" changed while it was packed: try again",
                STR_ARG(f->path));
}

/* A file's bytes in order. */
struct source {
    int fd;
    uint64_t at;
    uint32_t crc;
};

/* Up to CHUNK bytes into p->in; 0 at the end. */
static enum err read_chunk(struct packer *p, struct source *s, size_t *ret_n, struct error *e)
{
    TRY(sys_pread(s->fd, p->in, CHUNK, s->at, ret_n, e));
    s->crc = (uint32_t)crc32_z(s->crc, p->in, *ret_n);
    s->at += *ret_n;
    return ERR_OK;
}

/* Runs the deflater over what is in p->in, writing at *off. What reaches `end` is only counted: it
 * will be stored, and must not need more room than that. */
static enum err deflate_chunk(struct packer *p, size_t n, uint64_t end, uint64_t *off,
                              struct error *e)
{
    p->zs.next_in = p->in;
    p->zs.avail_in = (uInt)n;
    do {
        p->zs.next_out = p->out;
        p->zs.avail_out = CHUNK;
        (void)deflate(&p->zs, n ? Z_NO_FLUSH : Z_FINISH); /* cannot fail: zlib.h */
        size_t len = CHUNK - p->zs.avail_out;
        if (*off + len < end)
            TRY(write_out(p, p->out, len, *off, e));
        *off += len;
    } while (p->zs.avail_out == 0);
    return ERR_OK;
}

static enum err write_deflated(struct packer *p, struct source *s, struct tree_file *f,
                               uint64_t data_at, struct error *e)
{
    size_t n;
    uint64_t off = data_at;
    (void)deflateReset(&p->zs);
    do {
        TRY(read_chunk(p, s, &n, e));
        if (s->at > f->size || (n == 0 && s->at < f->size))
            return changed(f, e);
        TRY(deflate_chunk(p, n, data_at + f->size, &off, e));
        report_progress(p, n);
    } while (n);
    f->method = METHOD_DEFLATE;
    f->crc = s->crc;
    f->csize = (uint32_t)(off - data_at);
    return ERR_OK;
}

/* The second reading must see what the first one saw. */
static enum err write_stored(struct packer *p, struct source *s, struct tree_file *f,
                             uint64_t data_at, struct error *e)
{
    size_t n;
    *s = (struct source){.fd = s->fd};
    do {
        uint64_t off = data_at + s->at;
        TRY(read_chunk(p, s, &n, e));
        TRY(write_out(p, p->in, n, off, e));
    } while (n && s->at <= f->size);
    if (s->at != f->size || s->crc != f->crc)
        return changed(f, e);
    f->method = METHOD_STORE;
    f->csize = (uint32_t)f->size;
    return ERR_OK;
}

/* Not when deflate makes nothing smaller, nor when it makes it so small that the audit's `ratio`
 * would take the file for a bomb. */
static bool deflate_fits(const struct tree_file *f)
{
    return f->csize < f->size && f->size <= (uint64_t)f->csize * zip_limits_default.max_ratio;
}

static bool is_ascii(str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((uint8_t)s.p[i] >= 0x80)
            return false;
    return true;
}

static uint16_t flags_of(const struct tree_file *f)
{
    return is_ascii(f->path) ? 0 : FLAG_UTF8;
}

/* Written after the data, whose sizes it tells: so no data descriptor is needed. */
static enum err write_lfh(struct packer *p, const struct tree_file *f, struct error *e)
{
    const struct lfh h = {
        .version_needed = VERSION,
        .flags = flags_of(f),
        .method = f->method,
        .date = DATE_1980,
        .crc = f->crc,
        .csize = f->csize,
        .usize = (uint32_t)f->size,
        .name_len = (uint16_t)f->path.len,
    };
    lfh_encode(&h, p->out);
    memcpy(p->out + LFH_LEN, f->path.p, f->path.len);
    return write_out(p, p->out, LFH_LEN + f->path.len, f->lfh_offset, e);
}

static enum err open_file(struct packer *p, const struct tree_file *f, int *ret_fd, struct error *e)
{
    struct stat st;
    CLEANUP(freep) char *path = str_dup_c(f->path);
    if (!path)
        return FAIL_NOMEM(e);
    CLEANUP(sys_closep) int fd = -1;
    enum err err = sys_open_beneath(p->dirfd, path, O_RDONLY | O_NONBLOCK, 0, &fd, e);
    if (err == ERR_NOT_FOUND)
        return changed(f, e);
    if (err != ERR_OK)
        return err_wrap(e, "cannot read \"%s\"", path);
    TRY(sys_fstat(fd, &st, e));
    if (!S_ISREG(st.st_mode))
        return changed(f, e);
    *ret_fd = fd;
    fd = -1;
    return ERR_OK;
}

static enum err pack_file(struct packer *p, struct tree_file *f, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    TRY(open_file(p, f, &fd, e));
    struct source s = {.fd = fd};
    uint64_t data_at = p->at + LFH_LEN + f->path.len;
    f->lfh_offset = (uint32_t)p->at;
    TRY(write_deflated(p, &s, f, data_at, e));
    if (!deflate_fits(f))
        TRY(write_stored(p, &s, f, data_at, e));
    TRY(write_lfh(p, f, e));
    p->at = data_at + f->csize;
    return ERR_OK;
}

static void add_cdh(struct buf *b, const struct tree_file *f)
{
    const struct cdh h = {
        .version_made = HOST_UNIX << 8 | VERSION,
        .version_needed = VERSION,
        .flags = flags_of(f),
        .method = f->method,
        .date = DATE_1980,
        .crc = f->crc,
        .csize = f->csize,
        .usize = (uint32_t)f->size,
        .name_len = (uint16_t)f->path.len,
        .external_attr = (uint32_t)(S_IFREG | (f->executable ? 0755 : 0644)) << 16,
        .lfh_offset = f->lfh_offset,
    };
    uint8_t record[CDH_LEN];
    cdh_encode(&h, record);
    buf_add(b, str_of(record, sizeof record));
    buf_add(b, f->path);
}

static enum err flush(struct packer *p, struct buf *b, struct error *e)
{
    TRY(buf_status(b, e));
    TRY(write_out(p, b->p, b->len, p->at, e));
    p->at += b->len;
    buf_clear(b);
    return ERR_OK;
}

static enum err write_directory(struct packer *p, struct error *e)
{
    CLEANUP(buf_deinit) struct buf b;
    uint64_t begin = p->at;
    buf_init(&b, 2 * WRITE_BATCH);
    for (size_t i = 0; i < p->tree.n_files; i++) {
        add_cdh(&b, &p->tree.files[i]);
        if (b.len >= WRITE_BATCH)
            TRY(flush(p, &b, e));
    }
    TRY(flush(p, &b, e));
    const struct eocd end = {
        .n_disk = (uint16_t)p->tree.n_files,
        .n_total = (uint16_t)p->tree.n_files,
        .cd_size = (uint32_t)(p->at - begin),
        .cd_offset = (uint32_t)begin,
    };
    uint8_t record[EOCD_LEN];
    eocd_encode(&end, record);
    buf_add(&b, str_of(record, sizeof record));
    TRY(flush(p, &b, e));
    return sys_ftruncate(p->out_fd, p->at, e); /* a file deflated first may have gone further */
}

/* What was just written is judged as the server will judge it. */
static enum err audit_own(struct packer *p, struct error *e)
{
    struct zip_report r;
    enum err err = zip_audit(p->out_fd, p->at, NULL, &r, e);
    if (err == ERR_OK && !zip_report_accepted(&r)) {
        const char *reason = zip_report_reason(&r);
        err = FAIL(e, ERR_INVALID_ARGUMENT, "pack.refused", "%s: %s", reason ? reason : "refused",
                   r.findings[0].rule->advice);
    }
    zip_report_deinit(&r);
    return err;
}

static enum err pack(struct packer *p, struct error *e)
{
    TRY(packer_init(p, e));
    TRY(tree_read(p->dirfd, p->options, &p->tree, e));
    TRY(tree_check(&p->tree, e));
    for (size_t i = 0; i < p->tree.n_files; i++)
        TRY(pack_file(p, &p->tree.files[i], e));
    TRY(write_directory(p, e));
    return audit_own(p, e);
}

enum err zip_pack(int dirfd, int out_fd, const struct zip_pack_options *options, uint64_t *ret_size,
                  uint32_t *ret_files, struct error *e)
{
    CLEANUP(packer_deinit)
    struct packer p = {.dirfd = dirfd, .out_fd = out_fd, .options = options};
    TRY(pack(&p, e));
    *ret_size = p.at;
    *ret_files = (uint32_t)p.tree.n_files;
    return ERR_OK;
}
